{# What a customer did in the 52 weeks before each month, from the first month with 26 weeks of history on. Nothing of the month itself or
   later enters, so that a segment is known before the behaviour that it is to explain. A year, because coupon purchases are few: half a
   year tells much less about who a customer is. The days that were really seen are in observed_days, so that counts become rates. #}
{% set window_days = 364 %}
{% set least_days = 182 %}
{% set recent_days = 91 %}
with purchases as (
    select
        brand_id,
        person_key,
        date_day,
        event_type,
        retailer_id,
        coalesce(basket_value_usd, 0) as basket_value_usd,
        coalesce(discount_usd, 0) as discount_usd
    from {{ ref('stg_coupon__event') }}
    where person_key is not null
),

mails as (
    select
        event.brand_id,
        event.person_key,
        event.date_day,
        case when event.event_type = 'Received Email' then 1 else 0 end as is_received,
        case when event.event_type = 'Opened Email' and not coalesce(agent.is_machine_open, false) then 1 else 0 end as is_opened,
        case when event.event_type = 'Clicked Email' and not coalesce(agent.is_bot, false) then 1 else 0 end as is_clicked
    from {{ ref('stg_email__event') }} as event
    left join {{ ref('int_user_agent') }} as agent
        on event.user_agent = agent.user_agent
    where event.person_key is not null
),

span as (
    select
        brand_id,
        min(date_day) as first_day,
        max(date_day) as last_day
    from purchases
    group by brand_id
),

months as (
    select
        span.brand_id,
        calendar.date_day as month_start_date,
        {{ days_between('span.first_day', 'calendar.date_day') }} as history_days
    from span
    inner join {{ ref('dim_calendar') }} as calendar
        on
            calendar.date_day <= span.last_day
            and calendar.date_day >= span.first_day + {{ least_days }}
    where extract(day from calendar.date_day) = 1
),

members as (
    select
        customer.brand_id,
        customer.person_key,
        months.month_start_date,
        coalesce(zip.dma_id, '999') as dma_id,
        {{ days_between('customer.created_date', 'months.month_start_date') }} as tenure_days,
        months.history_days
    from {{ ref('stg_crm__customer') }} as customer
    inner join months
        on
            customer.brand_id = months.brand_id
            and customer.created_date < months.month_start_date
    left join {{ ref('int_place_zip') }} as zip
        on
            customer.brand_id = zip.brand_id
            and customer.zip_code = zip.zip_code
            and zip.dma_rank = 1
),

bought as (
    select
        months.brand_id,
        purchases.person_key,
        months.month_start_date,
        max(case when purchases.event_type = 'redeem' then purchases.date_day end) as last_day,
        sum(case when purchases.event_type = 'redeem' then 1 else 0 end) as purchases,
        sum(case when purchases.event_type = 'redeem' and purchases.date_day >= months.month_start_date - {{ recent_days }} then 1 else 0 end)
            as recent_purchases,
        sum(case when purchases.event_type = 'clip' then 1 else 0 end) as clips,
        sum(case when purchases.event_type = 'redeem' then purchases.basket_value_usd else 0 end) as value_usd,
        sum(case when purchases.event_type = 'redeem' then purchases.discount_usd else 0 end) as discount_usd,
        sum(case when purchases.event_type = 'redeem' and purchases.retailer_id = 'amazon' then 1 else 0 end) as amazon_purchases,
        sum(case when purchases.event_type = 'redeem' and purchases.retailer_id = 'walmart' then 1 else 0 end) as walmart_purchases,
        sum(case when purchases.event_type = 'redeem' and purchases.retailer_id = 'target' then 1 else 0 end) as target_purchases
    from months
    inner join purchases
        on
            months.brand_id = purchases.brand_id
            and purchases.date_day < months.month_start_date
            and purchases.date_day >= months.month_start_date - {{ window_days }}
    group by months.brand_id, purchases.person_key, months.month_start_date
),

mailed as (
    select
        months.brand_id,
        mails.person_key,
        months.month_start_date,
        sum(mails.is_received) as mails,
        sum(mails.is_opened) as opens,
        sum(mails.is_clicked) as clicks
    from months
    inner join mails
        on
            months.brand_id = mails.brand_id
            and mails.date_day < months.month_start_date
            and mails.date_day >= months.month_start_date - {{ window_days }}
    group by months.brand_id, mails.person_key, months.month_start_date
)

select
    members.brand_id,
    members.person_key as customer_key,
    cast(members.month_start_date as date) as month_start_date,
    members.dma_id,
    members.tenure_days,
    case
        when members.tenure_days < members.history_days and members.tenure_days < {{ window_days }} then members.tenure_days
        when members.history_days < {{ window_days }} then members.history_days
        else {{ window_days }}
    end as observed_days,
    coalesce({{ days_between('bought.last_day', 'members.month_start_date') }}, {{ window_days }}) as recency_days,
    cast(coalesce(bought.purchases, 0) as bigint) as purchases,
    cast(coalesce(bought.recent_purchases, 0) as bigint) as recent_purchases,
    cast(coalesce(bought.clips, 0) as bigint) as clips,
    {{ money('coalesce(bought.value_usd, 0)') }} as value_usd,
    {{ money('coalesce(bought.discount_usd, 0)') }} as discount_usd,
    cast(coalesce(bought.amazon_purchases, 0) as bigint) as amazon_purchases,
    cast(coalesce(bought.walmart_purchases, 0) as bigint) as walmart_purchases,
    cast(coalesce(bought.target_purchases, 0) as bigint) as target_purchases,
    cast(coalesce(mailed.mails, 0) as bigint) as mails,
    cast(coalesce(mailed.opens, 0) as bigint) as opens,
    cast(coalesce(mailed.clicks, 0) as bigint) as clicks
from members
left join bought
    on
        members.brand_id = bought.brand_id
        and members.person_key = bought.person_key
        and members.month_start_date = bought.month_start_date
left join mailed
    on
        members.brand_id = mailed.brand_id
        and members.person_key = mailed.person_key
        and members.month_start_date = mailed.month_start_date
