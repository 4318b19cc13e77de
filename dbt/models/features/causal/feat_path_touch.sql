{# The touches of every converted path, with their time before the conversion: what rule models divide credit by. A conversion without
   a touch counts as one direct touch, as it does in fct_conversion_path. #}
{% set window_days = var('lookback_days') %}
with conversions as (
    select
        path_id,
        brand_id,
        visitor_key,
        conversion_ts,
        week_start_date,
        dma_id,
        retailer_id,
        touch_count,
        value_usd,
        lag(conversion_ts) over (partition by brand_id, visitor_key order by conversion_ts, path_id) as previous_ts
    from {{ ref('fct_conversion_path') }}
    where is_converted
),

touched as (
    select
        conversions.path_id,
        conversions.brand_id,
        conversions.week_start_date,
        conversions.dma_id,
        conversions.retailer_id,
        conversions.value_usd,
        touch.touch_id,
        touch.channel_id,
        touch.touch_type,
        touch.event_ts,
        conversions.conversion_ts,
        cast({{ dbt.datediff('touch.event_ts', 'conversions.conversion_ts', 'second') }} as double precision) / 86400 as days_before
    from conversions
    inner join {{ ref('fct_touchpoint') }} as touch
        on
            conversions.brand_id = touch.brand_id
            and conversions.visitor_key = touch.visitor_key
            and touch.event_ts <= conversions.conversion_ts
            and touch.event_ts >= {{ add_days('conversions.conversion_ts', -window_days) }}
            and (conversions.previous_ts is null or touch.event_ts > conversions.previous_ts)
    where touch.is_eligible
),

untouched as (
    select
        path_id,
        brand_id,
        week_start_date,
        dma_id,
        retailer_id,
        value_usd,
        path_id as touch_id,
        'direct' as channel_id,
        'visit' as touch_type,
        conversion_ts as event_ts,
        conversion_ts,
        cast(0 as double precision) as days_before
    from conversions
    where touch_count = 0
),

touches as (
    select * from touched
    union all
    select * from untouched
),

placed as (
    select
        touches.*,
        row_number() over (partition by path_id order by event_ts, touch_id) as touch_position,
        row_number() over (partition by path_id, channel_id order by event_ts, touch_id) as channel_position,
        count(*) over (partition by path_id) as touch_count,
        min(days_before) over (partition by path_id) as latest_days_before
    from touches
),

weighed as (
    select
        placed.*,
        power(cast(2 as double precision), -(days_before - latest_days_before) / {{ var('time_decay_half_life_days', 7) }}) as decay,
        sum(case when channel_position = 1 then 1 else 0 end) over (partition by path_id) as channel_count
    from placed
)

select
    path_id,
    brand_id,
    week_start_date,
    dma_id,
    retailer_id,
    value_usd,
    touch_id,
    channel_id,
    touch_type,
    days_before,
    cast(touch_position as integer) as touch_position,
    cast(touch_count as integer) as touch_count,
    cast(case when touch_position = 1 then 1 else 0 end as double precision) as first_touch,
    cast(case when touch_position = touch_count then 1 else 0 end as double precision) as last_touch,
    1 / cast(touch_count as double precision) as linear,
    decay / sum(decay) over (partition by path_id) as time_decay,
    case
        when touch_count <= 2 then 1 / cast(touch_count as double precision)
        when touch_position = 1 or touch_position = touch_count then cast(0.4 as double precision)
        else 0.2 / cast(touch_count - 2 as double precision)
    end as position_based,
    case when channel_position = 1 then 1 / cast(channel_count as double precision) else cast(0 as double precision) end as shapley
from weighed
