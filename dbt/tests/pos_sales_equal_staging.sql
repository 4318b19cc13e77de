{# Money law: units and sales of each retailer are the same in staging and in the daily mart. #}
{% set retailers = ['stg_amazon_vendor__sales', 'stg_walmart__store_sales', 'stg_target__sales'] %}
with staged as (
    {% for model in retailers %}
    select
        brand_id,
        retailer_id,
        sum(units) as units,
        sum(revenue_usd) as revenue_usd
    from {{ ref(model) }}
    group by brand_id, retailer_id
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

mart as (
    select
        brand_id,
        retailer_id,
        sum(units) as units,
        sum(revenue_usd) as revenue_usd
    from {{ ref('fct_pos_daily') }}
    group by brand_id, retailer_id
)

select
    staged.brand_id,
    staged.retailer_id
from staged
left join mart
    on
        staged.brand_id = mart.brand_id
        and staged.retailer_id = mart.retailer_id
where
    staged.units <> coalesce(mart.units, 0)
    or abs(staged.revenue_usd - coalesce(mart.revenue_usd, 0)) >= 0.005
