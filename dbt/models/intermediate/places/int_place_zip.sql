{# The brand's ZIP map with weights that add to one per ZIP. Several maps: the one with the last id counts. #}
with chosen_map as (
    select
        brand_id,
        max(map_id) as map_id
    from {{ ref('stg_reference__zip_dma') }}
    group by brand_id
),

mapped as (
    select
        zip_dma.brand_id,
        zip_dma.zip_code,
        coalesce(dma.dma_id, '999') as dma_id,
        sum(zip_dma.weight) as weight
    from {{ ref('stg_reference__zip_dma') }} as zip_dma
    inner join chosen_map
        on
            zip_dma.brand_id = chosen_map.brand_id
            and zip_dma.map_id = chosen_map.map_id
    left join {{ ref('dma') }} as dma
        on
            zip_dma.dma_code = dma.dma_id
            and dma.is_place
    group by zip_dma.brand_id, zip_dma.zip_code, coalesce(dma.dma_id, '999')
),

totals as (
    select
        brand_id,
        zip_code,
        sum(weight) as weight
    from mapped
    group by brand_id, zip_code
)

select
    mapped.brand_id,
    mapped.zip_code,
    mapped.dma_id,
    {{ safe_divide('mapped.weight', 'totals.weight') }} as weight,
    row_number() over (
        partition by mapped.brand_id, mapped.zip_code
        order by mapped.weight desc, mapped.dma_id
    ) as dma_rank
from mapped
inner join totals
    on
        mapped.brand_id = totals.brand_id
        and mapped.zip_code = totals.zip_code
