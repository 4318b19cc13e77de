{# Promotions by published week: the deepest discount in force and the number of promoted days (1 to 7). #}
with weeks as (
    select distinct week_start_date
    from {{ ref('dim_calendar') }}
),

promoted as (
    select
        promotion.brand_id,
        weeks.week_start_date,
        promotion.retailer_id,
        promotion.product_id,
        promotion.discount_pct,
        case
            when promotion.end_date < weeks.week_start_date + 6 then promotion.end_date
            else weeks.week_start_date + 6
        end as last_day,
        case
            when promotion.start_date > weeks.week_start_date then promotion.start_date
            else weeks.week_start_date
        end as first_day
    from {{ ref('stg_reference__promotion') }} as promotion
    inner join weeks
        on
            promotion.start_date <= weeks.week_start_date + 6
            and promotion.end_date >= weeks.week_start_date
)

select
    brand_id,
    week_start_date,
    retailer_id,
    product_id,
    max(discount_pct) as discount_pct,
    max({{ days_between('first_day', 'last_day') }} + 1) as promo_days
from promoted
group by brand_id, week_start_date, retailer_id, product_id
