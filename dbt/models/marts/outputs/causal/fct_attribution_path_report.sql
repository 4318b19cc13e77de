{# How long paths are, in touches and in days from the first touch to the conversion. #}
with latest as (
    {{ latest_run('attribution') }}
),

paths as (
    select
        brand_id,
        path_id,
        max(touch_count) as touch_count,
        max(days_before) as days_to_convert,
        max(value_usd) as value_usd
    from {{ ref('feat_path_touch') }}
    group by brand_id, path_id
),

bucketed as (
    select
        brand_id,
        'length' as dimension,
        case when touch_count >= 10 then 10 else touch_count end as bucket,
        case when touch_count >= 10 then '10 or more touches' else cast(touch_count as varchar(8)) || ' touches' end as bucket_name,
        value_usd
    from paths
    union all
    select
        brand_id,
        'lag' as dimension,
        case
            when days_to_convert < 1 then 0
            when days_to_convert < 3 then 1
            when days_to_convert < 7 then 3
            when days_to_convert < 14 then 7
            when days_to_convert < 21 then 14
            else 21
        end as bucket,
        case
            when days_to_convert < 1 then 'same day'
            when days_to_convert < 3 then '1 to 2 days'
            when days_to_convert < 7 then '3 to 6 days'
            when days_to_convert < 14 then '7 to 13 days'
            when days_to_convert < 21 then '14 to 20 days'
            else '21 days or more'
        end as bucket_name,
        value_usd
    from paths
)

select
    bucketed.brand_id,
    bucketed.dimension,
    cast(bucketed.bucket as integer) as bucket,
    bucketed.bucket_name,
    count(*) as conversions,
    cast(sum(bucketed.value_usd) as {{ type_money() }}) as value_usd,
    cast(count(*) as double precision)
    / sum(cast(count(*) as double precision)) over (partition by bucketed.brand_id, bucketed.dimension) as share,
    max(latest.run_id) as run_id,
    max(latest.as_of_date) as as_of_date
from bucketed
inner join latest
    on bucketed.brand_id = latest.brand_id
group by bucketed.brand_id, bucketed.dimension, bucketed.bucket, bucketed.bucket_name
