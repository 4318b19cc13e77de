select
    retailer_id,
    retailer_name,
    is_rmn_provider,
    week_convention,
    clickout_purchase_rate,
    clickout_basket_usd,
    assumption
from {{ ref('retailers') }}
