with events as (
    select * from {{ source('runs_alerts', 'alert') }}
),

-- figures of the newest sighting
sightings as (
    select
        events.*,
        row_number() over (partition by events.alert_id order by events.event_seq desc) as newest
    from events
    where events.event in ('raised', 'repeated')
),

acknowledgements as (
    select
        events.alert_id,
        events.event_seq,
        events.actor,
        events.note,
        events.event_at,
        row_number() over (partition by events.alert_id order by events.event_seq desc) as newest
    from events
    where events.event = 'acknowledged'
),

totals as (
    select
        events.alert_id,
        min(case when events.event = 'raised' then events.event_at end) as first_seen_at,
        max(case when events.event = 'raised' then events.event_seq end) as raised_seq,
        max(case when events.event in ('raised', 'repeated') then events.event_at end) as last_seen_at,
        sum(case when events.event in ('raised', 'repeated') then 1 else 0 end) as times_seen,
        max(case when events.event in ('raised', 'repeated') then events.event_seq end) as seen_seq,
        max(case when events.event = 'resolved' then events.event_seq end) as resolved_seq,
        max(case when events.event = 'resolved' then events.event_at end) as resolved_at
    from events
    group by events.alert_id
)

select
    cast(sightings.alert_id as varchar(64)) as alert_id,
    cast(sightings.brand_id as varchar(64)) as brand_id,
    cast(sightings.rule as varchar(64)) as rule,
    cast(sightings.kind as varchar(16)) as kind,
    cast(sightings.severity as varchar(16)) as severity,
    cast(
        case
            when totals.resolved_seq > totals.seen_seq then 'resolved'
            when acknowledgements.alert_id is not null then 'acknowledged'
            else 'open'
        end as varchar(16)
    ) as status,
    cast(sightings.entity as varchar(512)) as entity,
    cast(sightings.metric as varchar(64)) as metric,
    cast(sightings.observed as double precision) as observed,
    cast(sightings.expected as double precision) as expected,
    cast(sightings.low as double precision) as low,
    cast(sightings.high as double precision) as high,
    sightings.opened_on,
    sightings.period_start,
    sightings.period_end,
    cast(sightings.owner as varchar(64)) as owner,
    cast(sightings.action as varchar(1024)) as action,
    cast(sightings.expected_value_usd as double precision) as expected_value_usd,
    cast(sightings.message as varchar(4096)) as message,
    totals.first_seen_at,
    totals.last_seen_at,
    cast(totals.times_seen as bigint) as times_seen,
    cast(acknowledgements.actor as varchar(256)) as acknowledged_by,
    acknowledgements.event_at as acknowledged_at,
    cast(acknowledgements.note as varchar(4096)) as acknowledged_note,
    case when totals.resolved_seq > totals.seen_seq then totals.resolved_at end as resolved_at,
    cast(sightings.run_id as varchar(64)) as run_id,
    sightings.as_of_date
from sightings
inner join totals on sightings.alert_id = totals.alert_id
left join acknowledgements
    on
        sightings.alert_id = acknowledgements.alert_id
        and acknowledgements.newest = 1
        -- what came back after it was resolved waits for an answer again
        and acknowledgements.event_seq > totals.raised_seq
where sightings.newest = 1
