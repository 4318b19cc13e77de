{# Click-out value by the declared rule (share of click-outs that buy x basket, by retailer) against the retailer's sales. What the paths
   do not see stands beside them, so that both add up to the sales. #}
with latest as (
    {{ latest_run('attribution') }}
),

clickouts as (
    select
        brand_id,
        week_start_date,
        retailer_id,
        count(*) as clickouts,
        sum(value_usd) as value_usd
    from {{ ref('fct_conversion_path') }}
    where is_converted
    group by brand_id, week_start_date, retailer_id
),

sales as (
    select
        brand_id,
        week_start_date,
        retailer_id,
        sum(revenue_usd) as revenue_usd,
        min(case when is_complete then 1 else 0 end) as is_complete
    from {{ ref('fct_pos_week') }}
    group by brand_id, week_start_date, retailer_id
)

select
    clickouts.brand_id,
    clickouts.week_start_date,
    clickouts.retailer_id,
    clickouts.clickouts,
    cast(clickouts.value_usd as {{ type_money() }}) as value_usd,
    cast(coalesce(sales.revenue_usd, 0) as {{ type_money() }}) as pos_revenue_usd,
    cast(coalesce(sales.revenue_usd, 0) - clickouts.value_usd as {{ type_money() }}) as unattributed_usd,
    {{ safe_divide('clickouts.value_usd', 'sales.revenue_usd') }} as share_of_pos,
    coalesce(sales.is_complete, 0) = 1 as is_complete,
    latest.run_id,
    latest.as_of_date
from clickouts
inner join latest
    on clickouts.brand_id = latest.brand_id
left join sales
    on
        clickouts.brand_id = sales.brand_id
        and clickouts.week_start_date = sales.week_start_date
        and clickouts.retailer_id = sales.retailer_id
