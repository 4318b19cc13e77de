{# Weekly sales and the tested channel's spend of every DMA that takes part in a registered experiment. Only weeks that every retailer has
   reported in full: a late retailer would look like a drop in sales. #}
with experiments as (
    select * from {{ ref('int_experiments') }}
),

pos as (
    select
        brand_id,
        week_start_date,
        dma_id,
        sum(revenue_usd) as revenue_usd,
        sum(units_sold) as units
    from {{ ref('fct_pos_week') }}
    group by brand_id, week_start_date, dma_id
),

reported as (
    select
        brand_id,
        week_start_date,
        count(distinct case when is_complete then retailer_id end) as complete_retailers
    from {{ ref('fct_pos_week') }}
    group by brand_id, week_start_date
),

retailers as (
    select
        brand_id,
        count(distinct retailer_id) as retailers
    from {{ ref('fct_pos_week') }}
    group by brand_id
),

complete_weeks as (
    select
        reported.brand_id,
        reported.week_start_date
    from reported
    inner join retailers
        on
            reported.brand_id = retailers.brand_id
            and reported.complete_retailers = retailers.retailers
),

spend as (
    select
        brand_id,
        week_start_date,
        channel_id,
        dma_id,
        sum(spend_usd) as spend_usd
    from {{ ref('fct_media_week') }}
    group by brand_id, week_start_date, channel_id, dma_id
)

select
    experiments.brand_id,
    experiments.experiment_id,
    experiments.channel_id,
    experiments.kind,
    experiments.start_date,
    experiments.end_date,
    experiments.dma_id,
    experiments.arm,
    cast(experiments.planned_spend_usd as double precision) as planned_spend_usd,
    complete_weeks.week_start_date,
    cast(coalesce(pos.revenue_usd, 0) as double precision) as revenue_usd,
    cast(coalesce(pos.units, 0) as double precision) as units,
    cast(coalesce(spend.spend_usd, 0) as double precision) as spend_usd
from experiments
inner join complete_weeks
    on experiments.brand_id = complete_weeks.brand_id
left join pos
    on
        experiments.brand_id = pos.brand_id
        and complete_weeks.week_start_date = pos.week_start_date
        and experiments.dma_id = pos.dma_id
left join spend
    on
        experiments.brand_id = spend.brand_id
        and complete_weeks.week_start_date = spend.week_start_date
        and experiments.channel_id = spend.channel_id
        and experiments.dma_id = spend.dma_id
