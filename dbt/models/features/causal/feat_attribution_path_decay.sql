{# Mean time-decay credit of each channel for one conversion on a path: touch times are in SQL only, intervals are not. #}
with converted as (
    select
        path_id,
        path
    from {{ ref('fct_conversion_path') }}
    where is_converted
),

counted as (
    select
        path,
        count(*) as conversions
    from converted
    group by path
)

select
    touch.brand_id,
    converted.path,
    touch.channel_id,
    sum(touch.time_decay) / cast(max(counted.conversions) as double precision) as credit
from {{ ref('feat_path_touch') }} as touch
inner join converted
    on touch.path_id = converted.path_id
inner join counted
    on converted.path = counted.path
group by touch.brand_id, converted.path, touch.channel_id
