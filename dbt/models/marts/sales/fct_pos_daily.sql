-- depends_on: {{ ref('stg_amazon_vendor__sales') }}
-- depends_on: {{ ref('stg_walmart__store_sales') }}
-- depends_on: {{ ref('stg_target__sales') }}
-- depends_on: {{ ref('int_reference_state') }}
{# A week of a weekly feed is spread evenly over its seven days; Saturday takes what rounding leaves, so the week adds up.

   Incremental by published week: stale weeks are found by state, not by clock (see stale_partitions), and rebuilt whole. #}
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook="{% if is_incremental() %}delete from {{ this }} where {{ week_start('date_day') }} in ({{ pos_stale_weeks() }}){% endif %}"
) }}
{% set stale_weeks = date_literals(pos_stale_weeks()) | join(', ') if is_incremental() else '' %}
with placed as (
    select * from {{ ref('int_pos_placed') }}
    {% if is_incremental() %}
    where {{ week_start('first_day') }} in ({{ stale_weeks }})
    {% endif %}
),

days_of_week as (
    {{ numbers(7) }}
),

daily as (
    select
        brand_id,
        first_day as date_day,
        retailer_id,
        dma_id,
        product_id,
        units,
        revenue_usd,
        false as is_spread,
        source_rows,
        source_stamp
    from placed
    where days = 1
),

weekly as (
    select
        brand_id,
        first_day,
        retailer_id,
        dma_id,
        product_id,
        units,
        revenue_usd,
        source_rows,
        source_stamp,
        {{ share_of('units', '(cast(1 as double precision) / 7)') }} as day_units,
        {{ share_of('revenue_usd', '(cast(1 as double precision) / 7)') }} as day_revenue_usd
    from placed
    where days = 7
)

select
    brand_id,
    date_day,
    retailer_id,
    dma_id,
    product_id,
    units,
    revenue_usd,
    is_spread,
    cast(source_rows as bigint) as source_rows,
    cast(source_stamp as bigint) as source_stamp,
    {{ pos_built_with() }} as built_with
from daily
union all
select
    weekly.brand_id,
    weekly.first_day + cast(days_of_week.n as integer) as date_day,
    weekly.retailer_id,
    weekly.dma_id,
    weekly.product_id,
    cast(
        case when days_of_week.n < 6 then weekly.day_units else weekly.units - 6 * weekly.day_units end as decimal(18, 4)
    ) as units,
    cast(
        case when days_of_week.n < 6 then weekly.day_revenue_usd else weekly.revenue_usd - 6 * weekly.day_revenue_usd end
        as decimal(18, 4)
    ) as revenue_usd,
    true as is_spread,
    cast(case when days_of_week.n = 0 then weekly.source_rows else 0 end as bigint) as source_rows,
    cast(case when days_of_week.n = 0 then weekly.source_stamp else 0 end as bigint) as source_stamp,
    {{ pos_built_with() }} as built_with
from weekly
cross join days_of_week
