{# Which weeks of a media feed are whole. A week is whole when the feed has data up to its Saturday and no hole of one to six days
   between two days with data touches it; seven dark days or more are taken as a pause in the flight, not as a gap. Feeds that do
   not report every day by nature (mailings) are judged by their last day alone. #}
with feed_days as (
    select distinct
        brand_id,
        source_feed,
        date_day
    from {{ ref('fct_media_daily') }}
),

spaced as (
    select
        brand_id,
        source_feed,
        date_day,
        lead(date_day) over (partition by brand_id, source_feed order by date_day) as next_day,
        max(date_day) over (partition by brand_id, source_feed) as last_day
    from feed_days
),

holes as (
    select
        brand_id,
        source_feed,
        {{ week_start('date_day + 1') }} as week_start_date
    from spaced
    where next_day - date_day between 2 and 7
    union
    select
        brand_id,
        source_feed,
        {{ week_start('next_day - 1') }} as week_start_date
    from spaced
    where next_day - date_day between 2 and 7
),

habits as (
    select
        brand_id,
        source_feed,
        sum(case when next_day - date_day = 1 then 1 else 0 end) * 10 >= count(*) * 8 as reports_daily
    from spaced
    group by brand_id, source_feed
),

weeks as (
    select
        brand_id,
        source_feed,
        {{ week_start('date_day') }} as week_start_date,
        max(last_day) as last_day,
        count(*) as days_reported
    from spaced
    group by brand_id, source_feed, {{ week_start('date_day') }}
)

select
    weeks.brand_id,
    weeks.source_feed,
    weeks.week_start_date,
    cast(weeks.days_reported as integer) as days_reported,
    weeks.week_start_date + 6 <= weeks.last_day
    and (holes.week_start_date is null or not habits.reports_daily) as is_complete
from weeks
inner join habits
    on
        weeks.brand_id = habits.brand_id
        and weeks.source_feed = habits.source_feed
left join holes
    on
        weeks.brand_id = holes.brand_id
        and weeks.source_feed = holes.source_feed
        and weeks.week_start_date = holes.week_start_date
