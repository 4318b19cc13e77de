{#- The newest good run of a model job, one row per brand: brand_id, run_id, as_of_date, code_version, feature_hash, recorded_seq.
    Good = at least one unit succeeded and none failed (a refused unit is an answer, not a failure), so a failed run leaves
    the last good one served. Newest = latest as_of_date, then the latest record. Use it as a CTE body. -#}
{% macro latest_run(job) -%}
    select
        ranked_runs.brand_id,
        ranked_runs.run_id,
        ranked_runs.as_of_date,
        ranked_runs.code_version,
        ranked_runs.feature_hash,
        ranked_runs.recorded_seq
    from (
        select
            good_runs.*,
            row_number() over (
                partition by good_runs.brand_id
                order by good_runs.as_of_date desc, good_runs.recorded_seq desc, good_runs.run_id desc
            ) as newest
        from (
            select
                model_run.brand_id,
                model_run.run_id,
                max(model_run.as_of_date) as as_of_date,
                max(model_run.code_version) as code_version,
                max(model_run.feature_hash) as feature_hash,
                max(model_run.recorded_seq) as recorded_seq
            from {{ source('runs', 'model_run') }} as model_run
            where model_run.job = '{{ job }}'
            group by model_run.brand_id, model_run.run_id
            having
                sum(case when model_run.status = 'succeeded' then 1 else 0 end) > 0
                and sum(case when model_run.status = 'failed' then 1 else 0 end) = 0
        ) as good_runs
    ) as ranked_runs
    where ranked_runs.newest = 1
{%- endmacro %}
