{# Every published week of a brand, from the first with sales or media to the last, times every DMA: no holes for a lag to fall into.
   `week_number` counts from 1. #}
with span as (
    select
        brand_id,
        min(week_start_date) as first_week,
        max(week_start_date) as last_week
    from (
        select brand_id, week_start_date from {{ ref('fct_media_week') }}
        union all
        select brand_id, week_start_date from {{ ref('fct_pos_week') }}
    ) as both_facts
    group by brand_id
),

weeks as (
    select distinct
        span.brand_id,
        calendar.week_start_date,
        calendar.week_id,
        span.first_week
    from span
    inner join {{ ref('dim_calendar') }} as calendar
        on
            span.first_week <= calendar.date_day
            and span.last_week >= calendar.date_day
            and calendar.day_of_week = 0
)

select
    weeks.brand_id,
    weeks.week_start_date,
    weeks.week_id,
    cast(floor(cast({{ days_between('weeks.first_week', 'weeks.week_start_date') }} as double precision) / 7) as integer) + 1 as week_number,
    dma.dma_id,
    dma.tv_homes,
    dma.nielsen_rank
from weeks
cross join {{ ref('dma') }} as dma
where dma.is_place
