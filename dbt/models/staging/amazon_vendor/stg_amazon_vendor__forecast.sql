select
    brand_id,
    generated_date,
    start_date as week_start_date,
    trim(asin) as item_id,
    cast(mean_units as double precision) as mean_units,
    cast(p70_units as double precision) as p70_units,
    cast(p80_units as double precision) as p80_units,
    cast(p90_units as double precision) as p90_units
from {{ source('amazon_vendor', 'amazon_vendor_forecast') }}
