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

{#- The newest good run among several jobs, one row per brand: for answers that put what the jobs found side by side, and that stand
    also where one of them was refused or has not run. Of runs over the same day the first named job's counts. Use it as a CTE body. -#}
{% macro newest_run(jobs) -%}
    select
        candidate_runs.brand_id,
        candidate_runs.run_id,
        candidate_runs.as_of_date
    from (
        select
            job_runs.*,
            row_number() over (
                partition by job_runs.brand_id
                order by job_runs.as_of_date desc, job_runs.preference asc
            ) as newest_of_jobs
        from (
            {%- for job in jobs %}
            select
                {{ job }}_run.brand_id,
                {{ job }}_run.run_id,
                {{ job }}_run.as_of_date,
                {{ loop.index }} as preference
            from ({{ latest_run(job) }}) as {{ job }}_run
            {%- if not loop.last %}
            union all
            {%- endif %}
            {%- endfor %}
        ) as job_runs
    ) as candidate_runs
    where candidate_runs.newest_of_jobs = 1
{%- endmacro %}
