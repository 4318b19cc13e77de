-- depends_on: {{ ref('int_reference_state') }}
{# A conversion is a Find a Retailer click. Its path is what the visitor touched in the look-back window before it and after their
   conversion before; no touch means the visitor came directly. What no conversion follows within the window is a null path:
   one visitor's such touches of one calendar month.

   Incremental by visitor: a changed day reaches the months within the look-back window on either side of it, and there only the visitors
   who had an event that day (see macros/incremental/paths.sql). Their paths of those months are rebuilt from the events that these
   depend on; everybody else's stay. #}
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    meta={'state': 'fct_touchpoint__partitions'},
    pre_hook=[
        "drop table if exists {{ path_visitors() }}",
        "{% if is_incremental() %}{{ find_path_visitors(stale_dates(1)) }}{% endif %}",
        "{% if is_incremental() %}{{ clear_paths(path_months(stale_dates(1))) }}{% endif %}"
    ],
    post_hook=[
        "{{ forget_partitions() }}",
        "{{ remember_partitions() }}",
        "drop table if exists {{ path_visitors() }}"
    ]
) }}
{% set window_days = var('lookback_days') %}
{% set stale_months = path_months(stale_dates(1)) if is_incremental() else [] %}
with touches as (
    select
        touch.brand_id,
        touch.visitor_key,
        touch.event_ts,
        touch.touch_id as event_id,
        touch.channel_id,
        touch.dma_id,
        cast(null as varchar(16)) as retailer_id,
        0 as is_conversion
    from {{ ref('fct_touchpoint') }} as touch
    {% if is_incremental() %}
    inner join {{ path_visitors() }} as visitor
        on
            touch.brand_id = visitor.brand_id
            and touch.visitor_key = visitor.visitor_key
    {% endif %}
    where
        touch.is_eligible
        {{ path_window(stale_months, 'touch.date_day') }}
),

clickouts as (
    select event.*
    from {{ ref('stg_web__event') }} as event
    {% if is_incremental() %}
    inner join {{ path_visitors() }} as visitor
        on
            event.brand_id = visitor.brand_id
            and event.visitor_id = visitor.visitor_key
    {% endif %}
    where
        event.event_type = 'find_retailer_click'
        {{ path_window(stale_months, 'event.date_day') }}
),

agents as (
    {{ judged_user_agents('clickouts', ref('user_agent_rules')) }}
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
    from clickouts as web
    left join {{ ref('dma') }} as dma
        on
            web.dma_code = dma.dma_id
            and dma.is_place
    left join {{ ref('int_place_zip') }} as zip
        on
            web.brand_id = zip.brand_id
            and web.zip_code = zip.zip_code
            and zip.dma_rank = 1
    left join agents
        on web.user_agent = agents.user_agent
    where not coalesce(agents.is_bot, false)
),

events as (
    select * from touches
    union all
    select * from conversions
),

{# One pass over each visitor's events, latest first, tells every event which conversion follows it and when. Events of one instant: the
   touch comes before the conversion. #}
followed as (
    select
        events.*,
        sum(is_conversion) over (
            partition by brand_id, visitor_key
            order by event_ts desc, is_conversion desc, event_id desc
            rows between unbounded preceding and current row
        ) as conversion_number,
        min(case when is_conversion = 1 then event_ts end) over (
            partition by brand_id, visitor_key
            order by event_ts desc, is_conversion desc, event_id desc
            rows between unbounded preceding and current row
        ) as conversion_ts
    from events
),

grouped as (
    select
        followed.*,
        case
            when is_conversion = 1 or event_ts >= {{ add_days('conversion_ts', '-' ~ window_days) }} then conversion_number
        end as path_number,
        extract(year from event_ts) * 100 + extract(month from event_ts) as touch_month
    from followed
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
    coalesce(paths.value_usd, cast(0 as {{ type_money() }})) as value_usd
from paths
{% if is_incremental() %}
where cast(date_trunc('month', paths.conversion_ts) as date) in ({{ stale_months | join(', ') }})
{% endif %}
