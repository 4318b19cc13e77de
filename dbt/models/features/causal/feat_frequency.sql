{# People reached by weekly frequency group, at the finest grain that a channel reports in a window. Reach of a week is never added to
   reach of the nation in the same week: weeks with DMA rows are read by DMA, the others nationally. #}
with reach as (
    select * from {{ ref('fct_reach_frequency_week') }}
),

fine_weeks as (
    select
        brand_id,
        channel_id,
        week_start_date
    from reach
    where dma_id <> '000'
    group by brand_id, channel_id, week_start_date
),

grained as (
    select
        reach.brand_id,
        reach.channel_id,
        reach.dma_id,
        case when fine_weeks.week_start_date is not null then 'dma' else 'nation' end as grain,
        reach.week_start_date,
        reach.frequency_group,
        reach.reach_persons,
        reach.impressions,
        reach.clickouts
    from reach
    left join fine_weeks
        on
            reach.brand_id = fine_weeks.brand_id
            and reach.channel_id = fine_weeks.channel_id
            and reach.week_start_date = fine_weeks.week_start_date
    where reach.dma_id <> '000' or fine_weeks.week_start_date is null
),

windows as (
    select
        brand_id,
        channel_id,
        grain,
        min(week_start_date) as window_start,
        cast(max(week_start_date) + 6 as date) as window_end
    from grained
    group by brand_id, channel_id, grain
)

select
    grained.brand_id,
    grained.channel_id,
    grained.dma_id,
    grained.grain,
    windows.window_start,
    windows.window_end,
    grained.frequency_group,
    cast(sum(grained.reach_persons) as bigint) as reach_persons,
    cast(sum(grained.impressions) as bigint) as impressions,
    cast(sum(coalesce(grained.clickouts, 0)) as bigint) as clickouts
from grained
inner join windows
    on
        grained.brand_id = windows.brand_id
        and grained.channel_id = windows.channel_id
        and grained.grain = windows.grain
group by
    grained.brand_id,
    grained.channel_id,
    grained.dma_id,
    grained.grain,
    windows.window_start,
    windows.window_end,
    grained.frequency_group
