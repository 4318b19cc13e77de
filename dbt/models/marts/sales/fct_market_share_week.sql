{# Share of the category at the retailers that report category totals. Own sales come from the retailer's sales feed; a week in which
   these are not whole has no share. #}
with category as (
    select
        brand_id,
        week_start_date,
        retailer_id,
        category,
        sum(units) as category_units,
        sum(revenue_usd) as category_revenue_usd
    from {{ ref('stg_category__sales') }}
    group by brand_id, week_start_date, retailer_id, category
),

own as (
    select
        brand_id,
        week_start_date,
        retailer_id,
        sum(units_sold) as units_sold,
        sum(revenue_usd) as revenue_usd,
        min(case when is_complete then 1 else 0 end) = 1 as is_complete
    from {{ ref('fct_pos_week') }}
    group by brand_id, week_start_date, retailer_id
)

select
    category.brand_id,
    category.week_start_date,
    category.retailer_id,
    category.category,
    cast(own.units_sold as decimal(18, 4)) as units_sold,
    {{ money('own.revenue_usd') }} as revenue_usd,
    cast(category.category_units as bigint) as category_units,
    {{ money('category.category_revenue_usd') }} as category_revenue_usd,
    case when own.is_complete then {{ metric('unit_share') }} end as unit_share,
    case when own.is_complete then {{ metric('market_share') }} end as market_share,
    coalesce(own.is_complete, false) as is_complete
from category
left join own
    on
        category.brand_id = own.brand_id
        and category.week_start_date = own.week_start_date
        and category.retailer_id = own.retailer_id
