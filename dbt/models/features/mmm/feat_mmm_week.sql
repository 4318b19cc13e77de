{# What the mix model may know of a DMA's week besides media: sales of all retailers, prices and stock weighted by what sold, the
   demand proxy, season and holidays. Only weeks that every retailer has closed. #}
with sales as (
    select
        brand_id,
        week_start_date,
        dma_id,
        sum(revenue_usd) as revenue_usd,
        sum(units_sold) as units_sold,
        sum(case when price_index is not null then price_index * revenue_usd end) as price_mass,
        sum(case when price_index is not null then revenue_usd end) as price_weight,
        sum(promo_index * revenue_usd) as promo_mass,
        sum(in_stock_rate * revenue_usd) as stock_mass,
        sum(case when in_stock_rate is not null then revenue_usd end) as stock_weight
    from {{ ref('int_price_promo_week') }}
    group by brand_id, week_start_date, dma_id
),

closed as (
    select
        brand_id,
        week_start_date
    from {{ ref('int_price_promo_week') }}
    group by brand_id, week_start_date
    having min(case when is_complete then 1 else 0 end) = 1
),

national as (
    select
        brand_id,
        week_start_date,
        sum(price_mass) / nullif(sum(price_weight), 0) as price_index,
        sum(promo_mass) / nullif(sum(revenue_usd), 0) as promo_index,
        sum(stock_mass) / nullif(sum(stock_weight), 0) as in_stock_rate
    from sales
    group by brand_id, week_start_date
),

demand as (
    select
        brand_id,
        avg(search_interest) as search_interest,
        avg(temperature_f) as temperature_f
    from {{ ref('int_demand_proxy_week') }}
    group by brand_id
)

select
    spine.brand_id,
    spine.week_start_date,
    spine.dma_id,
    cast(spine.tv_homes as bigint) as tv_homes,
    cast(coalesce(sales.revenue_usd, 0) as double precision) as revenue_usd,
    cast(coalesce(sales.units_sold, 0) as double precision) as units_sold,
    cast(coalesce(sales.price_mass / nullif(sales.price_weight, 0), national.price_index, 1) as double precision) as price_index,
    cast(coalesce(sales.promo_mass / nullif(sales.revenue_usd, 0), national.promo_index, 0) as double precision) as promo_index,
    cast(coalesce(sales.stock_mass / nullif(sales.stock_weight, 0), national.in_stock_rate, 1) as double precision) as in_stock_rate,
    cast(coalesce(proxy.search_interest, demand.search_interest, 0) as double precision) as search_interest,
    cast(coalesce(proxy.temperature_f, demand.temperature_f, 0) as double precision) as temperature_f,
    cast(coalesce(season.holiday_days, 0) as integer) as holiday_days
from {{ ref('int_spine_dma_week') }} as spine
inner join closed
    on
        spine.brand_id = closed.brand_id
        and spine.week_start_date = closed.week_start_date
left join sales
    on
        spine.brand_id = sales.brand_id
        and spine.week_start_date = sales.week_start_date
        and spine.dma_id = sales.dma_id
left join national
    on
        spine.brand_id = national.brand_id
        and spine.week_start_date = national.week_start_date
left join {{ ref('int_demand_proxy_week') }} as proxy
    on
        spine.brand_id = proxy.brand_id
        and spine.week_start_date = proxy.week_start_date
        and spine.dma_id = proxy.dma_id
left join demand
    on spine.brand_id = demand.brand_id
left join {{ ref('int_season_week') }} as season
    on spine.week_start_date = season.week_start_date
