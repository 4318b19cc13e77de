{# Weekly sales of every DMA in weeks that every retailer has reported in full: the ground for A/A tests and for new designs. #}
with reported as (
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
)

select
    pos.brand_id,
    pos.week_start_date,
    pos.dma_id,
    cast(sum(pos.revenue_usd) as double precision) as revenue_usd
from {{ ref('fct_pos_week') }} as pos
inner join reported
    on
        pos.brand_id = reported.brand_id
        and pos.week_start_date = reported.week_start_date
inner join retailers
    on
        pos.brand_id = retailers.brand_id
        and reported.complete_retailers = retailers.retailers
where pos.dma_id not in ('000', '999')
group by pos.brand_id, pos.week_start_date, pos.dma_id
