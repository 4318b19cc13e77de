{# The state of every feed of the daily media mart by day: read once a run, compared with what fct_media_daily was built from. #}
{{ config(materialized='table') }}
{% set feeds = [
    'stg_google_ads__campaign', 'stg_google_ads__geo', 'stg_meta_ads__ad', 'stg_amazon_ads__sp_campaign', 'stg_amazon_ads__dsp_geo',
    'stg_dv360__dma', 'stg_walmart_connect__item', 'stg_roundel__item', 'stg_email__event', 'stg_coupon__event',
    'stg_shop__facebook_campaign', 'stg_shop__google_campaign', 'stg_shop__tiktok_campaign'
] %}
with delivered as (
    {% for model in feeds %}
    {{ partition_state(ref(model), 'date_day') }}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
)

select
    partition_day,
    cast(sum(source_rows) as bigint) as source_rows,
    cast(sum(source_stamp) as bigint) as source_stamp
from delivered
group by partition_day
