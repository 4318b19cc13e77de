{#- A campaign report of the shop: three platforms send the same columns. -#}
{% macro shop_campaign(platform) -%}
    select
        brand_id,
        date_day,
        '{{ platform }}' as platform,
        campaign_name,
        tactic,
        upper(trim(state)) as state_code,
        coalesce(impressions, 0) as impressions,
        coalesce(clicks, 0) as clicks,
        spend as spend_usd,
        coalesce(attributed_revenue, 0) as platform_value_usd,
        _delivered_at,
        _file_id,
        _line
    from {{ source('shop', platform ~ '_campaign') }}
{%- endmacro %}
