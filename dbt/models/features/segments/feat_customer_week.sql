{# Purchases with a coupon and delivered mails by customer and week; a week in which a customer did neither has no row. #}
with events as (
    select
        brand_id,
        person_key,
        {{ week_start('date_day') }} as week_start_date,
        1 as purchases,
        coalesce(basket_value_usd, 0) as value_usd,
        0 as mails
    from {{ ref('stg_coupon__event') }}
    where
        event_type = 'redeem'
        and person_key is not null
    union all
    select
        brand_id,
        person_key,
        {{ week_start('date_day') }} as week_start_date,
        0 as purchases,
        0 as value_usd,
        1 as mails
    from {{ ref('stg_email__event') }}
    where
        event_type = 'Received Email'
        and person_key is not null
)

select
    brand_id,
    person_key as customer_key,
    cast(week_start_date as date) as week_start_date,
    cast(sum(purchases) as bigint) as purchases,
    {{ money('sum(value_usd)') }} as value_usd,
    cast(sum(mails) as bigint) as mails
from events
group by brand_id, person_key, week_start_date
