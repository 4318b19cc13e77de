{# A UPC-A is twelve digits; three times the odd places plus the even places is a multiple of ten. Items that no product master names are one
   member, 'unmapped'. #}
{% set weighted_digits = [] %}
{% for place in range(1, 13) %}
{% do weighted_digits.append('cast(substring(product.upc_12, ' ~ place ~ ', 1) as integer) * ' ~ (3 if place is odd else 1)) %}
{% endfor %}
with product as (
    select
        master.*,
        lpad(master.upc, 12, '0') as upc_12,
        {{ regex_matches('master.upc', '^[0-9]{1,12}$') }} as is_digits
    from {{ ref('stg_reference__product') }} as master
),

checked as (
    select
        product.*,
        case
            when product.is_digits then {{ weighted_digits | join(' + ') }}
        end as check_sum
    from product
)

select
    brand_id,
    product_id,
    brand,
    line_name,
    variant,
    upc_12 as upc,
    asin,
    tcin,
    wm_item_nbr,
    dpci,
    size_ounces,
    cast(pack_count as integer) as pack_count,
    {{ money('list_price_usd') }} as list_price_usd,
    {{ money('cogs_usd') }} as cogs_usd,
    coalesce(check_sum - 10 * cast(floor(cast(check_sum as double precision) / 10) as integer) = 0, false) as is_upc_valid
from checked
union all
select distinct
    brand_id,
    'unmapped' as product_id,
    'Unmapped' as brand,
    'Items no product master names' as line_name,
    cast(null as varchar(64)) as variant,
    cast(null as varchar(16)) as upc,
    cast(null as varchar(16)) as asin,
    cast(null as varchar(16)) as tcin,
    cast(null as varchar(16)) as wm_item_nbr,
    cast(null as varchar(16)) as dpci,
    cast(null as double precision) as size_ounces,
    cast(null as integer) as pack_count,
    cast(null as {{ type_money() }}) as list_price_usd,
    cast(null as {{ type_money() }}) as cogs_usd,
    false as is_upc_valid
from {{ ref('int_pos_item') }}
where product_id = 'unmapped'
