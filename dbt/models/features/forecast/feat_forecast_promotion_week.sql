{# Past and planned promotions; a plan beyond the last sale is a known regressor. #}
select
    promotion.brand_id,
    promotion.retailer_id,
    promotion.product_id,
    promotion.week_start_date,
    cast(promotion.discount_pct as double precision) as discount_pct,
    cast(promotion.promo_days as integer) as promo_days
from {{ ref('int_promotion_week') }} as promotion
inner join {{ ref('dim_product') }} as product
    on
        promotion.brand_id = product.brand_id
        and promotion.product_id = product.product_id
