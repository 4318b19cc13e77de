select
    brand_id,
    date_day,
    'walmart' as retailer_id,
    trim(store_nbr) as store_id,
    trim(wm_item_nbr) as item_id,
    svc_chnl_nm as service_channel,
    rpt_cd as sale_type,
    units,
    sales as revenue_usd,
    _delivered_at,
    _file_id,
    _line
from {{ source('walmart', 'walmart_store_sales') }}
