{# What a shorter look-back would have said: touches older than it are dropped, and a path left without touches is direct. #}
{% set days = [1, 7, 14, 30] %}
with latest as (
    {{ latest_run('attribution') }}
),

windows as (
    {% for day in days %}
    select {{ day }} as window_days
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

kept as (
    select
        touch.brand_id,
        windows.window_days,
        touch.path_id,
        touch.channel_id,
        touch.value_usd,
        touch.touch_position,
        count(*) over (partition by windows.window_days, touch.path_id) as touches,
        min(touch.touch_position) over (partition by windows.window_days, touch.path_id) as first_position,
        max(touch.touch_position) over (partition by windows.window_days, touch.path_id) as last_position
    from {{ ref('feat_path_touch') }} as touch
    inner join windows
        on touch.days_before <= windows.window_days
),

credits as (
    select
        brand_id,
        window_days,
        channel_id,
        sum(case when touch_position = first_position then 1 else 0 end) as first_touch,
        sum(case when touch_position = last_position then 1 else 0 end) as last_touch,
        sum(1 / cast(touches as double precision)) as linear
    from kept
    group by brand_id, window_days, channel_id
),

totals as (
    select
        brand_id,
        count(*) as conversions
    from {{ ref('fct_conversion_path') }}
    where is_converted
    group by brand_id
),

covered as (
    select
        brand_id,
        window_days,
        count(distinct path_id) as conversions
    from kept
    group by brand_id, window_days
),

every_model as (
    {% for model in ['first_touch', 'last_touch', 'linear'] %}
    select
        brand_id,
        window_days,
        '{{ model }}' as model,
        channel_id,
        cast({{ model }} as double precision) as credited_conversions
    from credits
    union all
    select
        covered.brand_id,
        covered.window_days,
        '{{ model }}' as model,
        'direct' as channel_id,
        cast(totals.conversions - covered.conversions as double precision) as credited_conversions
    from covered
    inner join totals
        on covered.brand_id = totals.brand_id
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
)

select
    every_model.brand_id,
    every_model.window_days,
    every_model.model,
    every_model.channel_id,
    sum(every_model.credited_conversions) as credited_conversions,
    sum(every_model.credited_conversions) / cast(max(totals.conversions) as double precision) as share,
    max(latest.run_id) as run_id,
    max(latest.as_of_date) as as_of_date
from every_model
inner join totals
    on every_model.brand_id = totals.brand_id
inner join latest
    on every_model.brand_id = latest.brand_id
group by every_model.brand_id, every_model.window_days, every_model.model, every_model.channel_id
