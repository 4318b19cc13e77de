{# Converted paths by week and DMA: where Markov credit, solved on the transition counts, is laid out again. #}
select
    brand_id,
    week_start_date,
    dma_id,
    path,
    cast(count(*) as double precision) as conversions,
    cast(sum(value_usd) as double precision) as value_usd
from {{ ref('fct_conversion_path') }}
where is_converted
group by brand_id, week_start_date, dma_id, path
