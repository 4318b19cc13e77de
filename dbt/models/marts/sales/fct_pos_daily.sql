-- depends_on: {{ ref('int_reference_state') }}
-- depends_on: {{ ref('int_pos_source_week') }}
{# A week of a weekly feed is spread evenly over its seven days; Saturday takes what rounding leaves, so the week adds up.

   Incremental by published week: stale weeks are rebuilt whole (see macros/incremental/partitions.sql). #}
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    meta={'state': 'int_pos_source_week'},
    pre_hook=[
        "{% if is_incremental() %}delete from {{ this }} where {{ week_start('date_day') }} in ({{ stale_dates() | join(', ') }}){% endif %}"
    ],
    post_hook=["{{ forget_partitions() }}", "{{ remember_partitions() }}"]
) }}
{% set stale_weeks = stale_dates() | join(', ') if is_incremental() else '' %}
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
        false as is_spread
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
    is_spread
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
    true as is_spread
from weekly
cross join days_of_week
