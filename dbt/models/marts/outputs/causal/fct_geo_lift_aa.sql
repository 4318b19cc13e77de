{# The rate of every month: of the good runs whose data end in a month, the newest one. Other marts show the newest run only; here the
   past is the point, because a method that begins to cry wolf shows as a change of the rate. #}
with good_runs as (
    select
        model_run.brand_id,
        model_run.run_id,
        max(model_run.as_of_date) as as_of_date,
        max(model_run.recorded_seq) as recorded_seq
    from {{ source('runs', 'model_run') }} as model_run
    where model_run.job = 'geolift'
    group by model_run.brand_id, model_run.run_id
    having
        sum(case when model_run.status = 'succeeded' then 1 else 0 end) > 0
        and sum(case when model_run.status = 'failed' then 1 else 0 end) = 0
),

placed as (
    select
        good_runs.*,
        cast(date_trunc('month', good_runs.as_of_date) as date) as month_start_date
    from good_runs
),

ranked as (
    select
        placed.*,
        row_number() over (
            partition by placed.brand_id, placed.month_start_date
            order by placed.as_of_date desc, placed.recorded_seq desc, placed.run_id desc
        ) as newest
    from placed
)

select
    placebo.brand_id,
    ranked.month_start_date,
    placebo.method,
    placebo.duration_weeks,
    placebo.tests,
    placebo.significant,
    placebo.false_positive_rate,
    placebo.rate_low,
    placebo.rate_high,
    placebo.mean_abs_lift_pct,
    placebo.window_start,
    placebo.window_end,
    placebo.run_id,
    placebo.as_of_date
from {{ source('runs_causal', 'geo_lift_aa') }} as placebo
inner join ranked
    on
        placebo.brand_id = ranked.brand_id
        and placebo.run_id = ranked.run_id
where ranked.newest = 1
