{# Credit of every model. Rules and Shapley are divided in SQL, Markov credit comes from the newest good run; both divide the same
   conversions. Money keeps six decimals: credit is a split of cents, and its sum has to equal the value to the cent. #}
with latest as (
    {{ latest_run('attribution') }}
),

rules as (
    select
        credit.brand_id,
        credit.model,
        case credit.model
            when 'time_decay' then 'time_decay-half_life_{{ var("time_decay_half_life_days", 7) }}d'
            when 'position_based' then 'position_based-40_20_40'
            when 'shapley' then 'shapley-conversions'
            else credit.model
        end as model_version,
        credit.week_start_date,
        credit.dma_id,
        credit.channel_id,
        credit.credited_conversions,
        credit.credited_value_usd
    from {{ ref('feat_attribution_credit_week') }} as credit
),

markov as (
    select
        credit.brand_id,
        credit.model,
        credit.model_version,
        credit.week_start_date,
        credit.dma_id,
        credit.channel_id,
        credit.credited_conversions,
        credit.credited_value_usd
    from {{ source('runs_causal', 'attribution_credit_week') }} as credit
    inner join latest
        on
            credit.brand_id = latest.brand_id
            and credit.run_id = latest.run_id
),

credits as (
    select * from rules
    union all
    select * from markov
),

roles as (
    select
        brand_id,
        week_start_date,
        dma_id,
        channel_id,
        max(case when touch_type = 'view' then 1 else 0 end) as has_view,
        sum(first_touch) as first_touches,
        sum(last_touch) as last_touches,
        sum(case when touch_position > 1 and touch_position < touch_count then linear else 0 end) as assists
    from {{ ref('feat_path_touch') }}
    group by brand_id, week_start_date, dma_id, channel_id
),

role_totals as (
    select
        brand_id,
        week_start_date,
        dma_id,
        sum(first_touches) as first_touches,
        sum(last_touches) as last_touches,
        sum(assists) as assists
    from roles
    group by brand_id, week_start_date, dma_id
)

select
    credits.brand_id,
    credits.model,
    credits.model_version,
    credits.week_start_date,
    calendar.week_id,
    credits.dma_id,
    credits.channel_id,
    credits.credited_conversions,
    credits.credited_conversions as credited_units,
    cast(credits.credited_value_usd as decimal(18, 6)) as credited_value_usd,
    {{ safe_divide('roles.first_touches', 'role_totals.first_touches') }} as first_touch_share,
    {{ safe_divide('roles.last_touches', 'role_totals.last_touches') }} as last_touch_share,
    coalesce({{ safe_divide('roles.assists', 'role_totals.assists') }}, 0) as assist_share,
    roles.has_view = 1 as vt_eligible,
    latest.run_id,
    latest.as_of_date
from credits
inner join latest
    on credits.brand_id = latest.brand_id
inner join {{ ref('dim_calendar') }} as calendar
    on credits.week_start_date = calendar.date_day
inner join roles
    on
        credits.brand_id = roles.brand_id
        and credits.week_start_date = roles.week_start_date
        and credits.dma_id = roles.dma_id
        and credits.channel_id = roles.channel_id
inner join role_totals
    on
        credits.brand_id = role_totals.brand_id
        and credits.week_start_date = role_totals.week_start_date
        and credits.dma_id = role_totals.dma_id
