{# Amazon's own weekly forecasts beside ours: past weeks with what was sold, weeks ahead with our mean. Amazon forecasts what it
   will be asked for nationally; the newest forecast made at least a week before the week counts. Our limits for the nation lie
   half-way (in variance) between DMAs that err independently and DMAs that err together, as for the stock at risk. #}
with vendor as (
    select
        forecast.brand_id,
        item.product_id,
        forecast.week_start_date,
        forecast.generated_date,
        sum(forecast.mean_units) as vendor_mean_units,
        sum(forecast.p70_units) as vendor_p70_units,
        sum(forecast.p80_units) as vendor_p80_units,
        sum(forecast.p90_units) as vendor_p90_units
    from {{ ref('stg_amazon_vendor__forecast') }} as forecast
    inner join {{ ref('int_pos_item') }} as item
        on
            forecast.brand_id = item.brand_id
            and item.retailer_id = 'amazon'
            and forecast.item_id = item.item_id
            and item.product_rank = 1
    where forecast.generated_date <= forecast.week_start_date - 7
    group by forecast.brand_id, item.product_id, forecast.week_start_date, forecast.generated_date
),

newest as (
    select
        vendor.*,
        row_number() over (partition by brand_id, product_id, week_start_date order by generated_date desc) as recency
    from vendor
),

sold as (
    select
        brand_id,
        product_id,
        week_start_date,
        cast(sum(units_sold) as double precision) as sold_units
    from {{ ref('fct_pos_week') }}
    where retailer_id = 'amazon' and is_complete
    group by brand_id, product_id, week_start_date
),

ours as (
    select
        brand_id,
        product_id,
        week_start_date,
        sum(mean_units) as mean_units,
        sqrt(0.5 * sum(power(p90_units - p50_units, 2)) + 0.5 * power(sum(p90_units - p50_units), 2)) as above_units
    from {{ ref('fct_demand_forecast_week') }}
    where retailer_id = 'amazon' and level = 'product'
    group by brand_id, product_id, week_start_date
)

select
    newest.brand_id,
    newest.product_id,
    newest.week_start_date,
    newest.generated_date,
    cast(newest.vendor_mean_units as double precision) as vendor_mean_units,
    cast(newest.vendor_p70_units as double precision) as vendor_p70_units,
    cast(newest.vendor_p80_units as double precision) as vendor_p80_units,
    cast(newest.vendor_p90_units as double precision) as vendor_p90_units,
    ours.mean_units as forecast_mean_units,
    ours.mean_units + 0.4092 * ours.above_units as forecast_p70_units,
    ours.mean_units + 0.6567 * ours.above_units as forecast_p80_units,
    ours.mean_units + ours.above_units as forecast_p90_units,
    sold.sold_units
from newest
left join ours
    on
        newest.brand_id = ours.brand_id
        and newest.product_id = ours.product_id
        and newest.week_start_date = ours.week_start_date
left join sold
    on
        newest.brand_id = sold.brand_id
        and newest.product_id = sold.product_id
        and newest.week_start_date = sold.week_start_date
where newest.recency = 1
