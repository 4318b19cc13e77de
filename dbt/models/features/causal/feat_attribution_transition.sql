{# First-order transition counts of all journeys. Order one is a sum over distinct paths, so this is all that has to leave SQL. #}
{% set longest = var('longest_path_touches', 250) %}
with paths as (
    select * from {{ ref('feat_attribution_path') }}
),

steps as (
    {{ numbers(longest + 1) }}
),

moves as (
    select
        paths.brand_id,
        paths.window_name,
        case when steps.n = 0 then '(start)' else split_part(paths.path, ' > ', cast(steps.n as integer)) end as channel_from,
        case
            when steps.n < paths.touch_count then split_part(paths.path, ' > ', cast(steps.n + 1 as integer))
        end as channel_to,
        paths.conversions,
        paths.nulls,
        paths.value_usd
    from paths
    inner join steps
        on steps.n <= paths.touch_count
)

select
    brand_id,
    window_name,
    channel_from,
    channel_to,
    sum(journeys) as journeys,
    sum(value_usd) as value_usd
from (
    select
        brand_id,
        window_name,
        channel_from,
        channel_to,
        conversions + nulls as journeys,
        cast(0 as double precision) as value_usd
    from moves
    where channel_to is not null
    union all
    select
        brand_id,
        window_name,
        channel_from,
        '(conversion)' as channel_to,
        conversions as journeys,
        value_usd
    from moves
    where channel_to is null and conversions > 0
    union all
    select
        brand_id,
        window_name,
        channel_from,
        '(null)' as channel_to,
        nulls as journeys,
        cast(0 as double precision) as value_usd
    from moves
    where channel_to is null and nulls > 0
) as counted
group by brand_id, window_name, channel_from, channel_to
