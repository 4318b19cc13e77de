select
    brand_id,
    trim(product_id) as product_id,
    brand,
    line_name,
    variant,
    trim(upc) as upc,
    nullif(trim(asin), '') as asin,
    nullif(trim(tcin), '') as tcin,
    nullif(trim(wm_item_nbr), '') as wm_item_nbr,
    nullif(trim(dpci), '') as dpci,
    cast(size_ounces as double precision) as size_ounces,
    pack_count,
    list_price_usd,
    cogs_usd,
    _delivered_at,
    _file_id,
    _line
from {{ source('reference', 'product_master') }}
