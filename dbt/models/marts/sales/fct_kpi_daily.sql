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
        {%- for days in [7, 30] %}
        sum(spend_usd) over (
            partition by brand_id order by date_day rows between {{ days - 1 }} preceding and current row
        ) as spend_{{ days }},
        sum(revenue_usd) over (
            partition by brand_id order by date_day rows between {{ days - 1 }} preceding and current row
        ) as revenue_{{ days }},
        lag(date_day, {{ days - 1 }}) over (partition by brand_id order by date_day) as first_of_{{ days }}{% if not loop.last %},{% endif %}
        {%- endfor %}
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
    {%- for name in ['roas', 'cpa', 'ctr', 'cpm', 'aov', 'margin', 'acquisition_rate', 'marketing_efficiency', 'marketing_contribution'] %}
    {{ metric(name) }} as {{ name }},
    {%- endfor %}
    {%- for days in [7, 30] %}
    case when date_day - first_of_{{ days }} = {{ days - 1 }} then {{ money('spend_' ~ days) }} end as spend_{{ days }}d_usd,
    case when date_day - first_of_{{ days }} = {{ days - 1 }} then {{ money('revenue_' ~ days) }} end as revenue_{{ days }}d_usd{% if not loop.last %},{% endif %}
    {%- endfor %}
from rolling
