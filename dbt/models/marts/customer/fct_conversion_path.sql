-- depends_on: {{ ref('int_reference_state') }}
{# A conversion is a Find a Retailer click. Its path is what the visitor touched in the look-back window before it and after their
   conversion before; no touch means the visitor came directly. What no conversion follows within the window is a null path:
   one visitor's such touches of one calendar month.

   Incremental by calendar month of the path: a month depends on the events of its own days, of the look-back window before it and
   of the window after it; a month is stale when any of those changed (see stale_partitions) and is rebuilt whole. #}
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook="{% if is_incremental() %}delete from {{ this }} where cast(date_trunc('month', date_day) as date) in ({{ path_stale_months() }}){% endif %}"
) }}
{% set window_days = var('lookback_days') %}
{% set stale_months = date_literals(path_stale_months()) if is_incremental() else [] %}
with touches as (
    select
        brand_id,
        visitor_key,
        event_ts,
        touch_id as event_id,
        channel_id,
        dma_id,
        cast(null as varchar(16)) as retailer_id,
        0 as is_conversion
    from {{ ref('fct_touchpoint') }}
    where
        is_eligible
        {{ path_window(stale_months, 'date_day') }}
),

conversions as (
    select
        web.brand_id,
        web.visitor_id as visitor_key,
        web.event_ts,
        web.event_id,
        cast(null as varchar(32)) as channel_id,
        coalesce(dma.dma_id, zip.dma_id, '999') as dma_id,
        coalesce(web.retailer_id, 'none') as retailer_id,
        1 as is_conversion
    from {{ ref('stg_web__event') }} as web
    left join {{ ref('dma') }} as dma
        on
            web.dma_code = dma.dma_id
            and dma.is_place
    left join {{ ref('int_place_zip') }} as zip
        on
            web.brand_id = zip.brand_id
            and web.zip_code = zip.zip_code
            and zip.dma_rank = 1
    left join {{ ref('int_user_agent') }} as agent
        on web.user_agent = agent.user_agent
    where
        web.event_type = 'find_retailer_click'
        and not coalesce(agent.is_bot, false)
        {{ path_window(stale_months, 'web.date_day') }}
),

events as (
    select * from touches
    union all
    select * from conversions
),

{# One pass over each visitor's events, latest first, tells every event the conversion that follows it. Events of one instant: the
   touch comes before the conversion. #}
followed as (
    select
        events.*,
        sum(is_conversion) over (
            partition by brand_id, visitor_key
            order by event_ts desc, is_conversion desc, event_id desc
            rows between unbounded preceding and current row
        ) as conversion_number
    from events
),

placed as (
    select
        followed.*,
        max(case when is_conversion = 1 then event_ts end) over (
            partition by brand_id, visitor_key, conversion_number
        ) as conversion_ts
    from followed
),

grouped as (
    select
        placed.*,
        case
            when is_conversion = 1 or event_ts >= {{ add_days('conversion_ts', '-' ~ window_days) }} then conversion_number
        end as path_number,
        extract(year from event_ts) * 100 + extract(month from event_ts) as touch_month
    from placed
),

converted as (
    select
        brand_id,
        visitor_key,
        path_number,
        max(event_ts) as conversion_ts,
        max(case when is_conversion = 1 then event_id end) as conversion_id,
        max(case when is_conversion = 1 then dma_id end) as dma_id,
        max(case when is_conversion = 1 then retailer_id end) as retailer_id,
        {{ join_text('channel_id', ' > ', 'event_ts, is_conversion, event_id') }} as path,
        sum(1 - is_conversion) as touch_count
    from grouped
    where path_number > 0
    group by brand_id, visitor_key, path_number
),

unconverted as (
    select
        brand_id,
        visitor_key,
        touch_month,
        max(event_ts) as conversion_ts,
        max(dma_id) as dma_id,
        {{ join_text('channel_id', ' > ', 'event_ts, is_conversion, event_id') }} as path,
        count(*) as touch_count
    from grouped
    where path_number is null or path_number = 0
    group by brand_id, visitor_key, touch_month
),

paths as (
    select
        converted.conversion_id as path_id,
        converted.brand_id,
        converted.visitor_key,
        converted.conversion_ts,
        converted.dma_id,
        converted.retailer_id,
        coalesce(converted.path, 'direct') as path,
        converted.touch_count,
        true as is_converted,
        cast(retailers.clickout_purchase_rate * retailers.clickout_basket_usd as {{ type_money() }}) as value_usd
    from converted
    left join {{ ref('retailers') }} as retailers
        on converted.retailer_id = retailers.retailer_id
    union all
    select
        {{ surrogate_key(['brand_id', 'visitor_key', 'touch_month']) }} as path_id,
        brand_id,
        visitor_key,
        conversion_ts,
        dma_id,
        'none' as retailer_id,
        path,
        touch_count,
        false as is_converted,
        cast(0 as {{ type_money() }}) as value_usd
    from unconverted
)

select
    paths.path_id,
    paths.brand_id,
    paths.visitor_key,
    paths.conversion_ts,
    cast(paths.conversion_ts as date) as date_day,
    {{ week_start('paths.conversion_ts') }} as week_start_date,
    paths.dma_id,
    paths.retailer_id,
    paths.path,
    cast(paths.touch_count as integer) as touch_count,
    split_part(paths.path, ' > ', 1) as first_channel_id,
    split_part(paths.path, ' > ', case when paths.touch_count > 0 then cast(paths.touch_count as integer) else 1 end) as last_channel_id,
    paths.is_converted,
    coalesce(paths.value_usd, cast(0 as {{ type_money() }})) as value_usd,
    cast(month_state.source_rows as bigint) as source_rows,
    cast(month_state.source_stamp as bigint) as source_stamp,
    {{ path_built_with() }} as built_with
from paths
inner join ({{ path_month_state() }}) as month_state
    on cast(date_trunc('month', paths.conversion_ts) as date) = month_state.partition_day
{% if is_incremental() %}
where month_state.partition_day in ({{ stale_months | join(', ') }})
{% endif %}
