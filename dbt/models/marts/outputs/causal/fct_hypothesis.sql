{# The five working hypotheses of the campaign. Each is an estimate with an interval; supported means that its probability is at least
   95 %, not supported that it is at most 5 %, undetermined everything else, also where an input is missing. The fourth rests on p-values:
   supported where the smallest, times the number of tests, is at most .05. A p-value is no probability of the hypothesis and a large one
   is no evidence against it, so it gives neither a probability nor a "not supported". #}
{% set queries = {
    1: "select channel_id, credited_share, incremental_share, roas from marts.fct_channel_evidence where source = 'last_touch' and channel_id in ('youtube', 'ctv_other')",
    2: "select credited_share, incremental_share, source_verdict_probability from marts.fct_channel_evidence where source = 'last_touch' and channel_id = 'meta_retargeting'",
    3: "select c.channel_group, sum(r.marginal_roi * r.spend_usd) / sum(r.spend_usd) as marginal_roi from marts.fct_channel_roi r inner join marts.dim_channel c on r.channel_id = c.channel_id where r.window_name = 'launch' group by c.channel_group",
    4: "select experiment_id, lift_pct, lift_ci_low, lift_ci_high, p_value, (select max(false_positive_rate) from marts.fct_geo_lift_aa where month_start_date = (select max(month_start_date) from marts.fct_geo_lift_aa)) as false_positive_rate from marts.fct_geo_lift where is_primary",
    5: "select model, avg(wape) as wape from marts.fct_forecast_backtest where is_champion or model = 'seasonal_naive' group by model"
} %}
{% set statements = {
    1: 'CTV and YouTube drive incremental sales but do not get full credit.',
    2: 'Retargeting is over-attributed, because it is often the last ad a user sees.',
    3: 'A shift of budget toward upper-funnel video would improve the return.',
    4: 'Geo-level lift testing can prove causality without user-level tracking.',
    5: 'Forecasting demand by region and retailer helps prevent lost sales and overstock.'
} %}
with brands as (
    {{ newest_run(['attribution', 'mmm', 'geolift', 'forecast']) }}
),

caused as (
    select
        roi.brand_id,
        roi.channel_id,
        dim.channel_group,
        cast(roi.spend_usd as double precision) as spend_usd,
        cast(roi.contribution_usd as double precision) as contribution_usd,
        cast(roi.contribution_p95_usd - roi.contribution_p05_usd as double precision) / 3.29 as contribution_error,
        roi.marginal_roi,
        (roi.marginal_roi_p95 - roi.marginal_roi_p05) / 3.29 as marginal_error
    from {{ ref('fct_channel_roi') }} as roi
    inner join {{ ref('dim_channel') }} as dim
        on roi.channel_id = dim.channel_id
    where roi.window_name = 'launch'
),

caused_totals as (
    select
        brand_id,
        sum(contribution_usd) as contribution_usd
    from caused
    group by brand_id
),

credited as (
    select
        credit.brand_id,
        credit.channel_id,
        credit.share,
        (credit.share_high - credit.share_low) / 3.29 as share_error
    from {{ ref('fct_attribution_interval') }} as credit
    inner join caused
        on
            credit.brand_id = caused.brand_id
            and credit.channel_id = caused.channel_id
    where
        credit.window_name = 'launch'
        and credit.model = 'last_touch'
),

credited_totals as (
    select
        brand_id,
        sum(share) as share
    from credited
    group by brand_id
),

gaps as (
    select
        caused.brand_id,
        caused.channel_id,
        caused.contribution_usd / nullif(caused_totals.contribution_usd, 0)
        - credited.share / nullif(credited_totals.share, 0) as gap,
        power(caused.contribution_error / nullif(caused_totals.contribution_usd, 0), 2)
        + power(credited.share_error / nullif(credited_totals.share, 0), 2) as variance
    from caused
    inner join caused_totals
        on caused.brand_id = caused_totals.brand_id
    inner join credited
        on
            caused.brand_id = credited.brand_id
            and caused.channel_id = credited.channel_id
    inner join credited_totals
        on caused.brand_id = credited_totals.brand_id
),

video as (
    select
        brand_id,
        sum(gap) as estimate,
        sqrt(sum(variance)) as error
    from gaps
    where channel_id in ('youtube', 'ctv_other')
    group by brand_id
),

retargeting as (
    select
        brand_id,
        -gap as estimate,
        sqrt(variance) as error
    from gaps
    where channel_id = 'meta_retargeting'
),

margins as (
    select
        brand_id,
        case when channel_group = 'video' then 1 else 0 end as is_video,
        sum(marginal_roi * spend_usd) / nullif(sum(spend_usd), 0) as marginal_roi,
        sum(power(marginal_error * spend_usd, 2)) / nullif(power(sum(spend_usd), 2), 0) as variance
    from caused
    group by brand_id, case when channel_group = 'video' then 1 else 0 end
),

shift as (
    select
        upper_funnel.brand_id,
        upper_funnel.marginal_roi - rest.marginal_roi as estimate,
        sqrt(upper_funnel.variance + rest.variance) as error
    from margins as upper_funnel
    inner join margins as rest
        on
            upper_funnel.brand_id = rest.brand_id
            and upper_funnel.is_video = 1
            and rest.is_video = 0
),

tests as (
    select
        brand_id,
        experiment_id,
        lift_pct,
        lift_ci_low,
        lift_ci_high,
        p_value,
        row_number() over (partition by brand_id order by p_value asc, experiment_id asc) as strongest,
        count(p_value) over (partition by brand_id) as tests
    from {{ ref('fct_geo_lift') }}
    where is_primary
),

{# Bonferroni: the smallest of many p-values is small by chance, so each counts times the number of tests. #}
strongest_test as (
    select
        brand_id,
        max(case when strongest = 1 then experiment_id end) as experiment_id,
        max(case when strongest = 1 then lift_pct end) as lift_pct,
        max(case when strongest = 1 then lift_ci_high - lift_ci_low end) as ci_width,
        max(tests) as tests,
        sum(case when p_value * tests <= 0.05 then 1 else 0 end) as found,
        min(case when p_value * tests > 1 then 1 else p_value * tests end) as corrected_p
    from tests
    group by brand_id
),

placebos as (
    select
        brand_id,
        max(false_positive_rate) as false_positive_rate,
        max(rate_low) as rate_low
    from (
        select
            aa.*,
            max(aa.month_start_date) over (partition by aa.brand_id) as newest_month
        from {{ ref('fct_geo_lift_aa') }} as aa
    ) as dated
    where month_start_date = newest_month
    group by brand_id
),

{# The series' own champion against the seasonal naive forecast of the same series and cut-off. #}
gains as (
    select
        champion.brand_id,
        champion.dma_id,
        champion.retailer_id,
        avg(naive.wape - champion.wape) as gain,
        avg(naive.wape) as naive_wape
    from {{ ref('fct_forecast_backtest') }} as champion
    inner join {{ ref('fct_forecast_backtest') }} as naive
        on
            champion.brand_id = naive.brand_id
            and champion.dma_id = naive.dma_id
            and champion.retailer_id = naive.retailer_id
            and champion.product_id = naive.product_id
            and champion.cutoff_date = naive.cutoff_date
    where
        champion.is_champion
        and naive.model = 'seasonal_naive'
        and champion.product_id = 'all'
    group by champion.brand_id, champion.dma_id, champion.retailer_id
),

forecast as (
    select
        brand_id,
        avg(gain) / nullif(avg(naive_wape), 0) as estimate,
        sqrt((avg(gain * gain) - avg(gain) * avg(gain)) / count(*)) / nullif(avg(naive_wape), 0) as error,
        count(*) as series
    from gains
    group by brand_id
),

answers as (
    select
        brand_id,
        1 as hypothesis_id,
        estimate,
        error,
        cast(null as double precision) as p_value,
        'share of paid credit, caused minus last touch' as unit,
        'fct_channel_roi (launch), fct_attribution_interval' as evidence
    from video
    union all
    select
        brand_id,
        2 as hypothesis_id,
        estimate,
        error,
        cast(null as double precision) as p_value,
        'share of paid credit, last touch minus caused' as unit,
        'fct_channel_roi (launch), fct_attribution_interval' as evidence
    from retargeting
    union all
    select
        brand_id,
        3 as hypothesis_id,
        estimate,
        error,
        cast(null as double precision) as p_value,
        'sales per next dollar, video minus the rest' as unit,
        'fct_channel_roi (marginal, launch)' as evidence
    from shift
    union all
    select
        strongest_test.brand_id,
        4 as hypothesis_id,
        strongest_test.lift_pct as estimate,
        strongest_test.ci_width / 3.92 as error,
        case when coalesce(placebos.rate_low, 0) <= 0.05 then strongest_test.corrected_p else 1 end as p_value,
        'percent lift in ' || strongest_test.experiment_id as unit,
        cast(strongest_test.found as varchar(8)) || ' of ' || cast(strongest_test.tests as varchar(8))
        || ' tests exclude zero, p times the number of tests (smallest '
        || coalesce(cast(cast(round(cast(strongest_test.corrected_p as decimal(10, 6)), 3) as decimal(10, 3)) as varchar(8)), 'none') || '); '
        || coalesce(cast(cast(round(cast(100 * placebos.false_positive_rate as decimal(10, 4)), 1) as decimal(10, 1)) as varchar(8)), 'no')
        || ' % of A/A tests do' as evidence
    from strongest_test
    left join placebos
        on strongest_test.brand_id = placebos.brand_id
    union all
    select
        brand_id,
        5 as hypothesis_id,
        estimate,
        error,
        cast(null as double precision) as p_value,
        'share of the seasonal naive error that the forecast saves' as unit,
        'fct_forecast_backtest, ' || cast(series as varchar(8)) || ' DMA and retailer series' as evidence
    from forecast
),

judged as (
    select
        answers.*,
        case
            when hypothesis_id = 4 then null
            when error > 0
                then
                    1 / (1 + exp(
                        -1.702 * case when estimate / error > 30 then 30 when estimate / error < -30 then -30 else estimate / error end
                    ))
        end as probability
    from answers
),

listed as (
    {% for number, statement in statements.items() %}
    select
        {{ number }} as hypothesis_id,
        '{{ statement }}' as statement,
        '{{ queries[number] | replace("'", "''") }}' as query_sql
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
)

select
    brands.brand_id,
    listed.hypothesis_id,
    listed.statement,
    judged.estimate,
    judged.estimate - 1.96 * judged.error as ci_low,
    judged.estimate + 1.96 * judged.error as ci_high,
    coalesce(judged.unit, 'no estimate yet') as unit,
    case
        when judged.p_value <= 0.05 then 'supported'
        when judged.probability >= 0.95 then 'supported'
        when judged.probability <= 0.05 then 'not supported'
        else 'undetermined'
    end as verdict,
    judged.probability,
    coalesce(judged.evidence, 'an input is missing') as evidence,
    listed.query_sql,
    brands.run_id,
    brands.as_of_date
from brands
cross join listed
left join judged
    on
        brands.brand_id = judged.brand_id
        and listed.hypothesis_id = judged.hypothesis_id
