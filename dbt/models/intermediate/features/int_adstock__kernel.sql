{# The carryover weight of each lag in weeks, by channel; weights of a channel sum to one, so adstocked spend stays in dollars.
     geometric  decay^lag
     delayed    decay^((lag - peak_lag)^2)                                       (Jin et al. 2017)
     weibull    z^(shape - 1) * exp(-z^shape) with z = (lag + 1) / scale         (density of a Weibull at lag + 1) #}
with lags as (
    select
        adstock.channel_id,
        adstock.kind,
        cast(series.n as integer) as lag,
        case adstock.kind
            when 'geometric' then case when series.n = 0 then 1.0 else power(adstock.decay, cast(series.n as double precision)) end
            when 'delayed' then power(adstock.decay, power(cast(series.n as double precision) - adstock.peak_lag, 2))
            when 'weibull'
                then
                    power((series.n + 1) / adstock.scale, adstock.shape - 1)
                    * exp(-power((series.n + 1) / adstock.scale, adstock.shape))
        end as weight
    from {{ ref('adstock') }} as adstock
    inner join ({{ numbers(53) }}) as series
        on adstock.length > series.n
),

totals as (
    select
        channel_id,
        sum(weight) as weight
    from lags
    group by channel_id
)

select
    lags.channel_id,
    lags.kind,
    lags.lag,
    lags.weight / totals.weight as weight
from lags
inner join totals
    on lags.channel_id = totals.channel_id
