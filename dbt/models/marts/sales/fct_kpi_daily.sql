with media as (
    select
        brand_id,
        date_day,
        sum(spend_usd) as spend_usd,
        sum(impressions) as impressions,
        sum(clicks) as clicks,
        sum(platform_value_usd) as platform_value_usd
    from {{ ref('fct_media_daily') }}
    group by brand_id, date_day
),

shop as (
    select * from {{ ref('fct_business_daily') }}
),

days as (
    select brand_id, date_day from media
    union
    select brand_id, date_day from shop
),

joined as (
    select
        days.brand_id,
        days.date_day,
        coalesce(media.spend_usd, 0) as spend_usd,
        coalesce(media.impressions, 0) as impressions,
        coalesce(media.clicks, 0) as clicks,
        coalesce(media.platform_value_usd, 0) as platform_value_usd,
        shop.orders,
        shop.new_orders,
        shop.new_customers,
        shop.revenue_usd,
        shop.gross_profit_usd
    from days
    left join media
        on
            days.brand_id = media.brand_id
            and days.date_day = media.date_day
    left join shop
        on
            days.brand_id = shop.brand_id
            and days.date_day = shop.date_day
),

rolling as (
    select
        joined.*,
        sum(spend_usd) over (
            partition by brand_id order by date_day rows between 6 preceding and current row
        ) as spend_7,
        sum(revenue_usd) over (
            partition by brand_id order by date_day rows between 6 preceding and current row
        ) as revenue_7,
        lag(date_day, 6) over (partition by brand_id order by date_day) as first_of_7,
        sum(spend_usd) over (
            partition by brand_id order by date_day rows between 29 preceding and current row
        ) as spend_30,
        sum(revenue_usd) over (
            partition by brand_id order by date_day rows between 29 preceding and current row
        ) as revenue_30,
        lag(date_day, 29) over (partition by brand_id order by date_day) as first_of_30
    from joined
)

select
    brand_id,
    date_day,
    {{ money('spend_usd') }} as spend_usd,
    cast(impressions as bigint) as impressions,
    cast(clicks as bigint) as clicks,
    {{ money('platform_value_usd') }} as platform_value_usd,
    orders,
    new_orders,
    new_customers,
    revenue_usd,
    gross_profit_usd,
    {{ metric('roas') }} as roas,
    {{ metric('cpa') }} as cpa,
    {{ metric('ctr') }} as ctr,
    {{ metric('cpm') }} as cpm,
    {{ metric('aov') }} as aov,
    {{ metric('margin') }} as margin,
    {{ metric('acquisition_rate') }} as acquisition_rate,
    {{ metric('marketing_efficiency') }} as marketing_efficiency,
    {{ metric('marketing_contribution') }} as marketing_contribution,
    case when date_day - first_of_7 = 6 then {{ money('spend_7') }} end as spend_7d_usd,
    case when date_day - first_of_7 = 6 then {{ money('revenue_7') }} end as revenue_7d_usd,
    case when date_day - first_of_30 = 29 then {{ money('spend_30') }} end as spend_30d_usd,
    case when date_day - first_of_30 = 29 then {{ money('revenue_30') }} end as revenue_30d_usd
from rolling
