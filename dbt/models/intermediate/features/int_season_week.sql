{# Season by day of year (not week number, so week 52 runs into week 1 without a step), at the middle of the published week, and its
   holidays. Known for any future week. #}
with weeks as (
    select
        week_start_date,
        week_id,
        min(holiday_name) as holiday_name,
        sum(case when is_holiday then 1 else 0 end) as holiday_days,
        max(case when day_of_week = 3 then day_of_year end) as mid_day_of_year
    from {{ ref('dim_calendar') }}
    group by week_start_date, week_id
)

select
    week_start_date,
    week_id,
    holiday_name,
    cast(holiday_days as integer) as holiday_days,
    {%- for harmonic in [1, 2, 3] %}
    sin(2 * 3.141592653589793 * {{ harmonic }} * cast(mid_day_of_year as double precision) / 365.25) as season_sin_{{ harmonic }},
    cos(2 * 3.141592653589793 * {{ harmonic }} * cast(mid_day_of_year as double precision) / 365.25) as season_cos_{{ harmonic }}{% if not loop.last %},{% endif %}
    {%- endfor %}
from weeks
where mid_day_of_year is not null
