{# A store stands in one place: the DMA with most of its ZIP. #}
select
    store.brand_id,
    store.retailer_id,
    store.store_id,
    store.zip_code,
    store.state_code,
    coalesce(zip.dma_id, '999') as dma_id
from {{ ref('stg_reference__store') }} as store
left join {{ ref('int_place_zip') }} as zip
    on
        store.brand_id = zip.brand_id
        and store.zip_code = zip.zip_code
        and zip.dma_rank = 1
