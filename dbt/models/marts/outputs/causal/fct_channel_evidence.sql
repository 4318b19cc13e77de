{# Every answer about a channel side by side, in the launch window. Claims and attribution divide sales that may have happened anyway:
   attribution's shares are of all retail sales in the window, so every model adds up to them. Only the mix model and lift tests are
   incremental. The verdict compares shares of the paid total, because a divided total and a caused total are of different size. #}
with launches as (
    select
        brand_id,
        'attribution' as job,
        window_start,
        window_end
    from {{ ref('fct_attribution_interval') }}
    where window_name = 'launch'
    union all
    select
        brand_id,
        'mmm' as job,
        window_start,
        window_end
    from {{ ref('fct_channel_roi') }}
    where window_name = 'launch'
),

{# Attribution's launch window; the mix model's where attribution was refused or has not run. #}
windows as (
    select
        brand_id,
        coalesce(min(case when job = 'attribution' then window_start end), min(window_start)) as window_start,
        coalesce(max(case when job = 'attribution' then window_end end), max(window_end)) as window_end
    from launches
    group by brand_id
),

paid as (
    select
        media.brand_id,
        media.channel_id,
        windows.window_start,
        windows.window_end,
        cast(sum(media.spend_usd) as double precision) as spend_usd,
        sum(cast(media.platform_value_usd as double precision)) as claimed_usd,
        max(media.attribution_window) as attribution_window
    from {{ ref('fct_media_week') }} as media
    inner join windows
        on
            media.brand_id = windows.brand_id
            and media.week_start_date between windows.window_start and windows.window_end
    group by media.brand_id, media.channel_id, windows.window_start, windows.window_end
),

sales as (
    select
        pos.brand_id,
        cast(sum(pos.revenue_usd) as double precision) as revenue_usd
    from {{ ref('fct_pos_week') }} as pos
    inner join windows
        on
            pos.brand_id = windows.brand_id
            and pos.week_start_date between windows.window_start and windows.window_end
    group by pos.brand_id
),

claims as (
    select
        paid.brand_id,
        paid.channel_id,
        'platform_claim' as source,
        paid.claimed_usd as value_usd,
        paid.spend_usd,
        cast(null as double precision) as value_low_usd,
        cast(null as double precision) as value_high_usd,
        false as is_incremental,
        paid.window_start,
        paid.window_end,
        paid.attribution_window
    from paid
    where paid.claimed_usd > 0
),

attributed as (
    select
        credit.brand_id,
        credit.channel_id,
        credit.model as source,
        {# a plain share of a total often ends in half a hundredth of a cent, which engines cast up or down: settled here #}
        floor(credit.share * sales.revenue_usd * 10000 + 0.5) / 10000 as value_usd,
        paid.spend_usd,
        credit.share_low * sales.revenue_usd as value_low_usd,
        credit.share_high * sales.revenue_usd as value_high_usd,
        false as is_incremental,
        credit.window_start,
        credit.window_end,
        '{{ var("lookback_days") }}d before the click-out' as attribution_window
    from {{ ref('fct_attribution_interval') }} as credit
    inner join sales
        on credit.brand_id = sales.brand_id
    inner join paid
        on
            credit.brand_id = paid.brand_id
            and credit.channel_id = paid.channel_id
    where credit.window_name = 'launch'
),

modelled as (
    select
        model.brand_id,
        model.channel_id,
        'mmm' as source,
        cast(model.contribution_usd as double precision) as value_usd,
        cast(model.spend_usd as double precision) as spend_usd,
        cast(model.contribution_p05_usd as double precision) as value_low_usd,
        cast(model.contribution_p95_usd as double precision) as value_high_usd,
        true as is_incremental,
        model.window_start,
        model.window_end,
        'carry-over estimated' as attribution_window
    from {{ ref('fct_channel_roi') }} as model
    where model.window_name = 'launch'
),

newest_tests as (
    select
        lift.*,
        row_number() over (
            partition by lift.brand_id, lift.channel_id
            order by lift.window_end desc, lift.experiment_id asc
        ) as newest
    from {{ ref('fct_geo_lift') }} as lift
    where lift.is_primary
),

tested as (
    select
        brand_id,
        channel_id,
        'lift' as source,
        iroas * abs(cast(spend_usd as double precision)) as value_usd,
        abs(cast(spend_usd as double precision)) as spend_usd,
        iroas_ci_low * abs(cast(spend_usd as double precision)) as value_low_usd,
        iroas_ci_high * abs(cast(spend_usd as double precision)) as value_high_usd,
        true as is_incremental,
        window_start,
        window_end,
        'treated DMAs during the test' as attribution_window
    from newest_tests
    where newest = 1
),

evidence as (
    select * from claims
    union all
    select * from attributed
    union all
    select * from modelled
    union all
    select * from tested
),

{# Shares of the paid total, with standard errors from the 90 % intervals. #}
credited_totals as (
    select
        brand_id,
        source,
        sum(value_usd) as value_usd
    from evidence
    where source <> 'lift'
    group by brand_id, source
),

shares as (
    select
        evidence.brand_id,
        evidence.channel_id,
        evidence.source,
        evidence.value_usd / nullif(credited_totals.value_usd, 0) as share,
        coalesce(evidence.value_high_usd - evidence.value_low_usd, 0) / 3.29 / nullif(credited_totals.value_usd, 0) as share_error
    from evidence
    inner join credited_totals
        on
            evidence.brand_id = credited_totals.brand_id
            and evidence.source = credited_totals.source
),

compared as (
    select
        claimed.brand_id,
        claimed.channel_id,
        claimed.source,
        claimed.share as credited_share,
        caused.share as incremental_share,
        (claimed.share - caused.share)
        / nullif(sqrt(claimed.share_error * claimed.share_error + caused.share_error * caused.share_error), 0) as z
    from shares as claimed
    inner join shares as caused
        on
            claimed.brand_id = caused.brand_id
            and claimed.channel_id = caused.channel_id
            and caused.source = 'mmm'
    where claimed.source <> 'mmm'
),

{# The normal distribution function by its logistic form (error below .01): neither engine has erf in SQL. #}
judged as (
    select
        compared.*,
        1 / (1 + exp(-1.702 * case when z > 30 then 30 when z < -30 then -30 else z end)) as probability_over
    from compared
),

verdicts as (
    select
        judged.brand_id,
        judged.channel_id,
        judged.source,
        judged.credited_share,
        judged.incremental_share,
        judged.probability_over,
        case
            when probability_over is null then 'undetermined'
            when abs(credited_share - incremental_share) <= 0.1 * incremental_share then 'consistent'
            when probability_over >= 0.9 then 'over_credited'
            when probability_over <= 0.1 then 'under_credited'
            else 'undetermined'
        end as verdict,
        case when probability_over >= 0.5 then probability_over else 1 - probability_over end as verdict_probability
    from judged
)

select
    evidence.brand_id,
    evidence.channel_id,
    evidence.source,
    {{ money('evidence.value_usd') }} as value_usd,
    {{ money('evidence.spend_usd') }} as spend_usd,
    evidence.value_usd / nullif(evidence.spend_usd, 0) as roas,
    evidence.value_low_usd / nullif(evidence.spend_usd, 0) as roas_low,
    evidence.value_high_usd / nullif(evidence.spend_usd, 0) as roas_high,
    evidence.is_incremental,
    evidence.window_start,
    evidence.window_end,
    evidence.attribution_window,
    coalesce(modelled.value_usd / nullif(modelled.spend_usd, 0), tested.value_usd / nullif(tested.spend_usd, 0))
    / nullif(evidence.value_usd / nullif(evidence.spend_usd, 0), 0) as incremental_multiplier,
    own.credited_share,
    coalesce(own.incremental_share, headline.incremental_share) as incremental_share,
    own.verdict as source_verdict,
    own.verdict_probability as source_verdict_probability,
    coalesce(headline.verdict, 'undetermined') as verdict,
    headline.verdict_probability,
    latest.run_id,
    latest.as_of_date
from evidence
inner join (
    {{ newest_run(['attribution', 'mmm', 'geolift']) }}
) as latest
    on evidence.brand_id = latest.brand_id
left join verdicts as own
    on
        evidence.brand_id = own.brand_id
        and evidence.channel_id = own.channel_id
        and evidence.source = own.source
left join verdicts as headline
    on
        evidence.brand_id = headline.brand_id
        and evidence.channel_id = headline.channel_id
        and headline.source = 'last_touch'
left join modelled
    on
        evidence.brand_id = modelled.brand_id
        and evidence.channel_id = modelled.channel_id
left join tested
    on
        evidence.brand_id = tested.brand_id
        and evidence.channel_id = tested.channel_id
