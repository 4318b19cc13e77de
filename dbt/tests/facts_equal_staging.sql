{# Conservation law: what small feeds report is what their facts say, to the cent and to the row. One query for all of them. #}
{% set laws = [
    ('fct_business_daily', 'revenue_usd', '1 = 1', 'stg_shop__business_daily', 'revenue_usd', '1 = 1'),
    ('fct_business_daily', 'orders', '1 = 1', 'stg_shop__business_daily', 'orders', '1 = 1'),
    ('fct_crm_daily', 'spend_usd', '1 = 1', 'int_crm_daily', 'spend_usd', '1 = 1'),
    ('fct_crm_daily', 'sends', '1 = 1', 'stg_email__event', '1', "event_type = 'Received Email'"),
    ('fct_crm_daily', 'redemptions', '1 = 1', 'stg_coupon__event', '1', "event_type = 'redeem'"),
    ('fct_reach_frequency_week', 'impressions', '1 = 1', 'stg_reach__frequency_week', 'impressions', '1 = 1'),
    ('fct_gift_expenditure', 'amount_usd', '1 = 1', 'int_gift_expenditure', 'price_usd * quantity', 'orphan_field is null'),
    ('fct_gift_engagement', 'total_amount_usd', '1 = 1', 'stg_alyce__engagement', 'total_amount_usd', '1 = 1'),
    ('fct_gift_order', 'total_amount_usd', '1 = 1', 'stg_alyce__order', 'total_amount_usd', '1 = 1'),
    ('fct_market_share_week', 'category_revenue_usd', '1 = 1', 'stg_category__sales', 'revenue_usd', '1 = 1'),
    ('fct_inventory_week', 'on_hand_units', "retailer_id = 'amazon'", 'stg_amazon_vendor__inventory', 'on_hand_units', '1 = 1'),
    ('fct_inventory_week', 'on_hand_units', "retailer_id = 'target'", 'stg_target__inventory', 'on_hand_units', '1 = 1')
] %}
with sums as (
    {% for fact, measure, mart_rows, source, source_measure, rows in laws %}
    select
        brand_id,
        '{{ fact }}.{{ measure }} of {{ source }}' as law,
        sum({{ measure }}) as in_mart,
        0 as in_source
    from {{ ref(fact) }}
    where {{ mart_rows }}
    group by brand_id
    union all
    select
        brand_id,
        '{{ fact }}.{{ measure }} of {{ source }}' as law,
        0 as in_mart,
        sum({{ source_measure }}) as in_source
    from {{ ref(source) }}
    where {{ rows }}
    group by brand_id
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
)

select
    brand_id,
    law,
    sum(in_mart) as in_mart,
    sum(in_source) as in_source
from sums
group by brand_id, law
having abs(coalesce(sum(in_mart), 0) - coalesce(sum(in_source), 0)) >= 0.005
