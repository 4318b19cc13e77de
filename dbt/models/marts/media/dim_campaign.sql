{# Slowly changing: a new row each time the name, tactic or channel of a campaign changes; the validity runs from the first day of
   delivery under a name to the day before the next one. #}
with versions as (
    select
        brand_id,
        platform,
        campaign_id,
        campaign_name,
        tactic,
        channel_id,
        min(first_day) as first_day
    from {{ ref('int_campaign_name') }}
    group by brand_id, platform, campaign_id, campaign_name, tactic, channel_id
),

ordered as (
    select
        versions.*,
        lead(versions.first_day) over (
            partition by versions.brand_id, versions.platform, versions.campaign_id
            order by versions.first_day, versions.campaign_name, coalesce(versions.tactic, '')
        ) as next_first_day
    from versions
)

select
    {{ surrogate_key(['brand_id', 'platform', 'campaign_id', 'campaign_name', 'tactic', 'channel_id']) }} as campaign_key,
    brand_id,
    platform,
    campaign_id,
    campaign_name,
    tactic,
    channel_id,
    first_day as valid_from,
    case when next_first_day > first_day then next_first_day - 1 else next_first_day end as valid_to,
    next_first_day is null as is_current
from ordered
