{# A UPC-A is twelve digits; three times the odd places plus the even places is a multiple of ten. #}
with product as (
    select
        brand_id,
        product_id,
        brand,
        line_name,
        variant,
        lpad(upc, 12, '0') as upc,
        asin,
        tcin,
        wm_item_nbr,
        dpci,
        size_ounces,
        pack_count,
        list_price_usd,
        cogs_usd,
        {{ regex_matches('upc', '^[0-9]{1,12}$') }} as is_digits
    from {{ ref('stg_reference__product') }}
),

checked as (
    select
        product.*,
        case
            when is_digits then
                cast(substring(upc, 1, 1) as integer) * 3
                + cast(substring(upc, 2, 1) as integer) * 1
                + cast(substring(upc, 3, 1) as integer) * 3
                + cast(substring(upc, 4, 1) as integer) * 1
                + cast(substring(upc, 5, 1) as integer) * 3
                + cast(substring(upc, 6, 1) as integer) * 1
                + cast(substring(upc, 7, 1) as integer) * 3
                + cast(substring(upc, 8, 1) as integer) * 1
                + cast(substring(upc, 9, 1) as integer) * 3
                + cast(substring(upc, 10, 1) as integer) * 1
                + cast(substring(upc, 11, 1) as integer) * 3
                + cast(substring(upc, 12, 1) as integer) * 1
        end as check_sum
    from product
),

listed as (
    select
        brand_id,
        product_id,
        brand,
        line_name,
        variant,
        upc,
        asin,
        tcin,
        wm_item_nbr,
        dpci,
        size_ounces,
        pack_count,
        list_price_usd,
        cogs_usd,
        coalesce(check_sum - 10 * cast(floor(cast(check_sum as double precision) / 10) as integer) = 0, false) as is_upc_valid
    from checked
)

select
    brand_id,
    product_id,
    brand,
    line_name,
    variant,
    upc,
    asin,
    tcin,
    wm_item_nbr,
    dpci,
    size_ounces,
    cast(pack_count as integer) as pack_count,
    {{ money('list_price_usd') }} as list_price_usd,
    {{ money('cogs_usd') }} as cogs_usd,
    is_upc_valid
from listed
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
