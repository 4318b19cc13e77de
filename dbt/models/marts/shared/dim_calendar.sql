{% set first_day = var('calendar_start') %}
with days as (
    select cast('{{ first_day }}' as date) + cast(series.n as integer) as date_day
    from ({{ numbers(9000) }}) as series
),

bounded as (
    select
        date_day,
        cast(extract(year from date_day) as integer) as calendar_year,
        cast(extract(month from date_day) as integer) as calendar_month,
        {{ week_start('date_day') }} as week_start_date,
        {{ iso_week_start('date_day') }} as iso_week_start_date,
        {{ walmart_week_start('date_day') }} as walmart_week_start_date
    from days
    where date_day <= cast('{{ var('calendar_end') }}' as date)
),

{# A retail 4-5-4 year ends on the Saturday nearest 31 January, so it starts on the Sunday after; a Walmart year starts on the
   Saturday on or before 1 February; an ISO year is the year of the week's Thursday. #}
year_starts as (
    select
        calendar_years.calendar_year,
        {{ walmart_week_start("cast(cast(calendar_years.calendar_year as varchar(4)) || '-02-03' as date)") }} + 1 as nrf_year_start,
        {{ walmart_week_start("cast(cast(calendar_years.calendar_year as varchar(4)) || '-02-01' as date)") }} as walmart_year_start
    from (select distinct calendar_year from bounded) as calendar_years
    union all
    select
        first_year.calendar_year - 1 as calendar_year,
        {{ walmart_week_start("cast(cast(first_year.calendar_year - 1 as varchar(4)) || '-02-03' as date)") }} + 1 as nrf_year_start,
        {{ walmart_week_start("cast(cast(first_year.calendar_year - 1 as varchar(4)) || '-02-01' as date)") }} as walmart_year_start
    from (select min(calendar_year) as calendar_year from bounded) as first_year
),

dated as (
    select
        bounded.*,
        this_year.nrf_year_start as this_nrf_start,
        last_year.nrf_year_start as last_nrf_start,
        this_year.walmart_year_start as this_walmart_start,
        last_year.walmart_year_start as last_walmart_start,
        bounded.iso_week_start_date + 3 as iso_thursday
    from bounded
    inner join year_starts as this_year
        on bounded.calendar_year = this_year.calendar_year
    inner join year_starts as last_year
        on bounded.calendar_year - 1 = last_year.calendar_year
),

numbered as (
    select
        dated.*,
        case when date_day >= this_nrf_start then calendar_year else calendar_year - 1 end as nrf_year,
        case
            when date_day >= this_nrf_start then {{ days_between('this_nrf_start', 'week_start_date') }}
            else {{ days_between('last_nrf_start', 'week_start_date') }}
        end as nrf_days,
        case when date_day >= this_walmart_start then calendar_year else calendar_year - 1 end as walmart_year,
        case
            when date_day >= this_walmart_start then {{ days_between('this_walmart_start', 'walmart_week_start_date') }}
            else {{ days_between('last_walmart_start', 'walmart_week_start_date') }}
        end as walmart_days,
        cast(extract(year from iso_thursday) as integer) as iso_year,
        cast(extract(doy from iso_thursday) as integer) - 1 as iso_days
    from dated
),

weeks as (
    select
        numbered.*,
        cast(floor(cast(nrf_days as double precision) / 7) as integer) + 1 as nrf_week,
        cast(floor(cast(walmart_days as double precision) / 7) as integer) + 1 as walmart_week,
        cast(floor(cast(iso_days as double precision) / 7) as integer) + 1 as iso_week
    from numbered
)

select
    weeks.date_day,
    {{ date_id('weeks.date_day') }} as date_id,
    weeks.week_start_date,
    weeks.week_start_date + 6 as week_end_date,
    weeks.nrf_year * 100 + weeks.nrf_week as week_id,
    weeks.iso_year * 100 + weeks.iso_week as iso_week_id,
    weeks.iso_week_start_date,
    weeks.nrf_year,
    weeks.nrf_week,
    case
        when weeks.nrf_week <= 4 then 1
        when weeks.nrf_week <= 9 then 2
        when weeks.nrf_week <= 13 then 3
        when weeks.nrf_week <= 17 then 4
        when weeks.nrf_week <= 22 then 5
        when weeks.nrf_week <= 26 then 6
        when weeks.nrf_week <= 30 then 7
        when weeks.nrf_week <= 35 then 8
        when weeks.nrf_week <= 39 then 9
        when weeks.nrf_week <= 43 then 10
        when weeks.nrf_week <= 48 then 11
        else 12
    end as nrf_period,
    10000 + (weeks.walmart_year - 2000) * 100 + weeks.walmart_week as walmart_week_id,
    weeks.walmart_week_start_date,
    weeks.week_start_date as amazon_week_start_date,
    weeks.calendar_year * 100 + weeks.calendar_month as month_id,
    weeks.calendar_year * 10 + cast(floor(cast(weeks.calendar_month - 1 as double precision) / 3) as integer) + 1 as quarter_id,
    weeks.nrf_year * 100 + weeks.nrf_week as fiscal_week_id,
    weeks.nrf_year as fiscal_year,
    cast(extract(dow from weeks.date_day) as integer) as day_of_week,
    cast(extract(doy from weeks.date_day) as integer) as day_of_year,
    holidays.holiday_name is not null as is_holiday,
    holidays.holiday_name
from weeks
left join {{ ref('holidays') }} as holidays
    on weeks.date_day = holidays.date_day
