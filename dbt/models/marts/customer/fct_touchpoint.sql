-- depends_on: {{ ref('int_reference_state') }}
-- depends_on: {{ ref('int_web_day') }}
{# Touches: what a visitor saw or clicked or how they came. A repeat is the same visitor, channel and kind within a minute, or the
   landing of a click (a visit from the same channel within half an hour of it). A touch counts for a path when it is no bot's, no
   repeat, and, for a view, viewable. Conversions (Find a Retailer clicks) are in fct_conversion_path.

   Incremental by day (see macros/incremental/partitions.sql): stale days are rebuilt, and the day after each, since a repeat is judged
   against the event before it; the day before is read. #}
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    meta={'state': 'int_web_day'},
    pre_hook=[
        "{% if is_incremental() %}delete from {{ this }} where date_day in ({{ stale_dates(1) | join(', ') }}){% endif %}"
    ],
    post_hook=["{{ forget_partitions() }}", "{{ remember_partitions() }}"]
) }}
{% set stale_days = stale_dates(1) | join(', ') if is_incremental() else '' %}
with web as (
    select *
    from {{ ref('stg_web__event') }}
    where
        event_type in ('impression_view', 'ad_click', 'site_visit')
        {% if is_incremental() %}
        and (date_day in ({{ stale_days }}) or date_day + 1 in ({{ stale_days }}))
        {% endif %}
),

agents as (
    {{ judged_user_agents('web', ref('user_agent_rules')) }}
),

events as (
    select
        web.brand_id,
        web.event_id,
        web.visitor_id,
        web.event_ts,
        web.date_day,
        web.event_type,
        web.campaign_id,
        web.is_viewable,
        coalesce(alias.channel_id, 'unmapped') as channel_id,
        coalesce(dma.dma_id, zip.dma_id, '999') as dma_id,
        coalesce(agents.is_bot, false) as is_bot
    from web
    left join {{ ref('channel_aliases') }} as alias
        on
            web.channel_word = alias.alias
            and alias.source = 'clickstream'
    left join {{ ref('dma') }} as dma
        on
            web.dma_code = dma.dma_id
            and dma.is_place
    left join {{ ref('int_place_zip') }} as zip
        on
            web.brand_id = zip.brand_id
            and web.zip_code = zip.zip_code
            and zip.dma_rank = 1
    left join agents
        on web.user_agent = agents.user_agent
),

neighbours as (
    select
        events.*,
        lag(events.event_ts) over (
            partition by events.brand_id, events.visitor_id, events.channel_id
            order by events.event_ts, events.event_id
        ) as previous_ts,
        lag(events.event_type) over (
            partition by events.brand_id, events.visitor_id, events.channel_id
            order by events.event_ts, events.event_id
        ) as previous_type
    from events
),

judged as (
    select
        neighbours.*,
        coalesce(
            (
                previous_type = event_type
                and event_ts < {{ add_seconds('previous_ts', 60) }}
            )
            or (
                event_type = 'site_visit'
                and previous_type = 'ad_click'
                and event_ts < {{ add_seconds('previous_ts', 1800) }}
            ), false
        ) as is_duplicate
    from neighbours
)

select
    event_id as touch_id,
    brand_id,
    visitor_id as visitor_key,
    event_ts,
    date_day,
    channel_id,
    case event_type when 'impression_view' then 'view' when 'ad_click' then 'click' else 'visit' end as touch_type,
    campaign_id,
    dma_id,
    is_bot,
    is_duplicate,
    not is_bot and not is_duplicate and (event_type <> 'impression_view' or coalesce(is_viewable, false)) as is_eligible
from judged
{% if is_incremental() %}
where date_day in ({{ stale_days }})
{% endif %}
