{# Every name, type and tactic a campaign has had, with the channel the rules give it: lowest priority that matches wins. #}
{% set feeds = [
    ('stg_google_ads__campaign', 'campaign_id', 'campaign_name', 'channel_type', 'null'),
    ('stg_meta_ads__ad', 'campaign_id', 'campaign_name', 'null', 'null'),
    ('stg_amazon_ads__sp_campaign', 'campaign_id', 'campaign_name', 'null', 'null'),
    ('stg_amazon_ads__dsp_geo', 'campaign_id', 'campaign_name', 'null', 'null'),
    ('stg_dv360__dma', 'campaign_id', 'campaign_name', 'null', 'null'),
    ('stg_walmart_connect__item', 'campaign_id', 'campaign_name', 'null', 'null'),
    ('stg_roundel__item', 'campaign_id', 'campaign_name', 'null', 'null'),
    ('stg_shop__facebook_campaign', 'campaign_name', 'campaign_name', 'null', 'tactic'),
    ('stg_shop__google_campaign', 'campaign_name', 'campaign_name', 'null', 'tactic'),
    ('stg_shop__tiktok_campaign', 'campaign_name', 'campaign_name', 'null', 'tactic')
] %}
with names as (
    {% for model, campaign_id, campaign_name, channel_type, tactic in feeds %}
    select
        brand_id,
        platform,
        {{ campaign_id }} as campaign_id,
        {{ campaign_name }} as campaign_name,
        cast({{ channel_type }} as varchar(64)) as channel_type,
        cast({{ tactic }} as varchar(128)) as tactic,
        min(date_day) as first_day,
        max(date_day) as last_day
    from {{ ref(model) }}
    group by 1, 2, 3, 4, 5, 6
    union all
    {% endfor %}
    select
        brand_id,
        channel_id as platform,
        campaign_id,
        campaign_id as campaign_name,
        cast(null as varchar(64)) as channel_type,
        cast(null as varchar(128)) as tactic,
        min(date_day) as first_day,
        max(date_day) as last_day
    from {{ ref('int_crm_daily') }}
    group by 1, 2, 3, 4, 5, 6
),

ranked as (
    select
        names.brand_id,
        names.platform,
        names.campaign_id,
        names.campaign_name,
        names.channel_type,
        names.tactic as feed_tactic,
        names.first_day,
        names.last_day,
        rules.channel_id,
        coalesce(names.tactic, nullif(rules.tactic, '')) as tactic,
        row_number() over (
            partition by names.brand_id, names.platform, names.campaign_id, names.campaign_name, names.channel_type, names.tactic
            order by coalesce(rules.priority, 1000000)
        ) as rule_rank
    from names
    left join {{ ref('campaign_rules') }} as rules
        on
            names.platform = rules.platform
            and lower(
                coalesce(
                    case rules.match_field
                        when 'channel_type' then names.channel_type
                        when 'tactic' then names.tactic
                        else names.campaign_name
                    end, ''
                )
            ) like rules.pattern
)

select
    brand_id,
    platform,
    campaign_id,
    campaign_name,
    channel_type,
    feed_tactic,
    first_day,
    last_day,
    coalesce(channel_id, 'unmapped') as channel_id,
    tactic
from ranked
where rule_rank = 1
