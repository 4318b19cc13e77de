{# One line for each thing worth knowing about the data, counted; nothing here is fixed or hidden. A check that finds nothing has no
   line. #}
with findings as (
    select
        brand_id,
        'intake_' || code as check_name,
        feed as subject,
        'warning' as severity,
        'flagged by the loader' as detail,
        sum(coalesce(row_count, 0)) as rows_affected,
        cast(null as {{ type_money() }}) as money_affected_usd,
        cast(null as date) as first_date,
        cast(null as date) as last_date
    from {{ ref('stg_intake__warning') }}
    group by brand_id, code, feed
    union all
    select
        brand_id,
        'quarantined' as check_name,
        feed as subject,
        'warning' as severity,
        'refused lines: ' || reason as detail,
        count(*) as rows_affected,
        cast(null as {{ type_money() }}) as money_affected_usd,
        cast(null as date) as first_date,
        cast(null as date) as last_date
    from {{ ref('fct_quarantine') }}
    where released_by is null
    group by brand_id, feed, reason
    {% for platform in ['facebook', 'google', 'tiktok'] %}
    union all
    select
        brand_id,
        'campaign_contradicts_tactic' as check_name,
        platform as subject,
        'warning' as severity,
        'the campaign name says another tactic than the tactic column; the column is believed' as detail,
        count(*) as rows_affected,
        {{ money('sum(spend_usd)') }} as money_affected_usd,
        min(date_day) as first_date,
        max(date_day) as last_date
    from {{ ref('stg_shop__' ~ platform ~ '_campaign') }}
    where position(lower(tactic) in lower(campaign_name)) = 0
    group by brand_id, platform
    {% endfor %}
    union all
    select
        brand_id,
        'new_customers_exceed_new_orders' as check_name,
        'fct_business_daily' as subject,
        'warning' as severity,
        'a day with more new customers than new orders' as detail,
        count(*) as rows_affected,
        cast(null as {{ type_money() }}) as money_affected_usd,
        min(date_day) as first_date,
        max(date_day) as last_date
    from {{ ref('fct_business_daily') }}
    where new_customers > new_orders
    group by brand_id
    union all
    select
        daily.brand_id,
        'attributed_exceeds_revenue' as check_name,
        'fct_business_daily' as subject,
        'warning' as severity,
        'platforms of the shop claim more than it sold that day' as detail,
        count(*) as rows_affected,
        {{ money('sum(claims.platform_value_usd - daily.revenue_usd)') }} as money_affected_usd,
        min(daily.date_day) as first_date,
        max(daily.date_day) as last_date
    from {{ ref('fct_business_daily') }} as daily
    inner join (
        select
            brand_id,
            date_day,
            sum(platform_value_usd) as platform_value_usd
        from {{ ref('fct_media_daily') }}
        where source_feed in ('facebook_campaign', 'google_campaign', 'tiktok_campaign')
        group by brand_id, date_day
    ) as claims
        on
            daily.brand_id = claims.brand_id
            and daily.date_day = claims.date_day
    where claims.platform_value_usd > daily.revenue_usd
    group by daily.brand_id
    {% for check_name, condition, detail in [
        ('unmapped_place', "dma_id = '999'", "delivery the feed or the maps could not place; it stays on DMA 999"),
        ('unmapped_channel', "channel_id = 'unmapped'", 'no campaign rule names a channel'),
        ('clicks_exceed_impressions', 'clicks > impressions and impressions > 0', 'more clicks than impressions'),
        ('spend_without_impressions', 'spend_usd > 0 and impressions = 0', 'spend without a single impression'),
        ('negative_spend', 'spend_usd < 0', 'a credit or correction; the sign is kept')
    ] %}
    union all
    select
        brand_id,
        '{{ check_name }}' as check_name,
        'fct_media_daily / ' || source_feed as subject,
        'warning' as severity,
        '{{ detail }}' as detail,
        count(*) as rows_affected,
        {{ money('sum(spend_usd)') }} as money_affected_usd,
        min(date_day) as first_date,
        max(date_day) as last_date
    from {{ ref('fct_media_daily') }}
    where {{ condition }}
    group by brand_id, source_feed
    {% endfor %}
    {% for check_name, condition, detail in [
        ('unmapped_place', "dma_id = '999'", 'sales whose ZIP or store no map knows; they stay on DMA 999'),
        ('unmapped_product', "product_id = 'unmapped'", 'an item no product master names'),
        ('negative_units', 'units < 0', 'returns or cancellations; the sign is kept')
    ] %}
    union all
    select
        brand_id,
        '{{ check_name }}' as check_name,
        'fct_pos_daily / ' || retailer_id as subject,
        'warning' as severity,
        '{{ detail }}' as detail,
        count(*) as rows_affected,
        {{ money('sum(revenue_usd)') }} as money_affected_usd,
        min(date_day) as first_date,
        max(date_day) as last_date
    from {{ ref('fct_pos_daily') }}
    where {{ condition }}
    group by brand_id, retailer_id
    {% endfor %}
    union all
    select
        brand_id,
        'invalid_upc' as check_name,
        'dim_product / ' || product_id as subject,
        'warning' as severity,
        'the check digit of the UPC does not fit' as detail,
        1 as rows_affected,
        cast(null as {{ type_money() }}) as money_affected_usd,
        cast(null as date) as first_date,
        cast(null as date) as last_date
    from {{ ref('dim_product') }}
    where not is_upc_valid and product_id <> 'unmapped'
    union all
    select
        brand_id,
        'incomplete_week' as check_name,
        'media / ' || source_feed as subject,
        'warning' as severity,
        'weeks with a gap, or not delivered to their Saturday' as detail,
        count(*) as rows_affected,
        cast(null as {{ type_money() }}) as money_affected_usd,
        min(week_start_date) as first_date,
        max(week_start_date) as last_date
    from {{ ref('int_feed_week') }}
    where not is_complete
    group by brand_id, source_feed
    union all
    select
        feeds.brand_id,
        'late_feed' as check_name,
        feeds.feed as subject,
        'error' as severity,
        'the newest day of the feed lies more than a week behind the newest day of the brand' as detail,
        1 as rows_affected,
        cast(null as {{ type_money() }}) as money_affected_usd,
        feeds.last_date as first_date,
        newest.last_date
    from (
        select
            brand_id,
            feed,
            max(last_date) as last_date
        from {{ ref('stg_intake__ledger') }}
        where rows_loaded > 0 and last_date is not null
        group by brand_id, feed
    ) as feeds
    inner join (
        select
            brand_id,
            max(last_date) as last_date
        from {{ ref('stg_intake__ledger') }}
        where rows_loaded > 0 and feed in ('walmart_store_sales', 'amazon_vendor_sales', 'target_sales', 'business_daily', 'google_ads_campaign')
        group by brand_id
    ) as newest
        on feeds.brand_id = newest.brand_id
    where
        feeds.last_date < newest.last_date - 7
        and feeds.feed not in (
            'experiments', 'crm_customers', 'trade_promotions', 'product_master', 'store_locations', 'zip_dma', 'amazon_vendor_forecast'
        )
    {% for entity in ['client', 'recipient'] %}
    union all
    select
        brand_id,
        'zip_repaired' as check_name,
        'dim_gift_{{ entity }}' as subject,
        'info' as severity,
        'a ZIP that had lost its leading zeros' as detail,
        count(*) as rows_affected,
        cast(null as {{ type_money() }}) as money_affected_usd,
        cast(null as date) as first_date,
        cast(null as date) as last_date
    from {{ ref('stg_alyce__' ~ entity) }}
    where is_zip_repaired
    group by brand_id
    {% endfor %}
)

select
    {{ surrogate_key(['brand_id', 'check_name', 'subject', 'detail']) }} as finding_id,
    brand_id,
    check_name,
    subject,
    severity,
    detail,
    cast(rows_affected as bigint) as rows_affected,
    cast(money_affected_usd as {{ type_money() }}) as money_affected_usd,
    first_date,
    last_date
from findings
