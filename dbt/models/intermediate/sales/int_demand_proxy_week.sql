{# Category search interest and temperature by place and week: what moves demand and is not ours. #}
with places as (
    select
        brand_id,
        week_start_date,
        dma_code,
        search_interest,
        cast(null as double precision) as temperature_f
    from {{ ref('stg_demand__search_interest') }}
    union all
    select
        brand_id,
        week_start_date,
        dma_code,
        cast(null as double precision) as search_interest,
        temperature_f
    from {{ ref('stg_demand__weather') }}
)

select
    places.brand_id,
    places.week_start_date,
    case when places.dma_code = '000' then '000' else coalesce(dma.dma_id, '999') end as dma_id,
    avg(places.search_interest) as search_interest,
    avg(places.temperature_f) as temperature_f
from places
left join {{ ref('dma') }} as dma
    on places.dma_code = dma.dma_id
group by places.brand_id, places.week_start_date, case when places.dma_code = '000' then '000' else coalesce(dma.dma_id, '999') end
