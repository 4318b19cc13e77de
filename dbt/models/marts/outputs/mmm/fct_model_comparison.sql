{# The mix model's folds beside those of the Bayesian comparison, which only some installations run. #}
with mix as (
    {{ latest_run('mmm') }}
),

bayes as (
    {{ latest_run('mmm_bayes') }}
)

select
    found.brand_id,
    found.model,
    found.fold,
    cast(found.metric as varchar(48)) as metric,
    found.value,
    mix.run_id,
    mix.as_of_date
from {{ source('runs_mmm', 'mmm_comparison') }} as found
inner join mix
    on
        found.brand_id = mix.brand_id
        and found.run_id = mix.run_id
union all
select
    found.brand_id,
    found.model,
    found.fold,
    found.metric,
    found.value,
    bayes.run_id,
    bayes.as_of_date
from {{ source('runs_mmm', 'mmm_bayes_comparison') }} as found
inner join bayes
    on
        found.brand_id = bayes.brand_id
        and found.run_id = bayes.run_id
