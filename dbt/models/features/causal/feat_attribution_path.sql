{# Distinct paths with the journeys that converted on them and those that ended without: all that removal effects and their path
   bootstrap need. The launch is the last twelve published weeks. #}
with last_week as (
    select
        brand_id,
        max(week_start_date) as week_start_date
    from {{ ref('fct_conversion_path') }}
    group by brand_id
),

windows as (
    select 'history' as window_name, 100000 as days
    union all
    select 'launch' as window_name, 77 as days
)

select
    paths.brand_id,
    windows.window_name,
    paths.path,
    cast(max(case when paths.touch_count = 0 then 1 else paths.touch_count end) as integer) as touch_count,
    min(paths.week_start_date) as first_week,
    max(paths.week_start_date) as last_week,
    cast(sum(case when paths.is_converted then 1 else 0 end) as double precision) as conversions,
    cast(sum(case when paths.is_converted then 0 else 1 end) as double precision) as nulls,
    cast(sum(paths.value_usd) as double precision) as value_usd
from {{ ref('fct_conversion_path') }} as paths
inner join last_week
    on paths.brand_id = last_week.brand_id
cross join windows
where {{ days_between('paths.week_start_date', 'last_week.week_start_date') }} <= windows.days
group by paths.brand_id, windows.window_name, paths.path
