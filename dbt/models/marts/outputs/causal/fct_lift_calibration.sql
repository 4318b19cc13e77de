{# Each test's primary result in the form that mix models take as evidence: a change of spend, the change of sales it caused, and how sure
   that is; as a return per dollar for tools that want a prior on ROI. #}
select
    lift.brand_id,
    lift.experiment_id,
    lift.channel_id,
    lift.window_start as date_from,
    lift.window_end as date_to,
    lift.treated_dmas as geos,
    lift.incremental_revenue_usd as incremental_kpi,
    lift.std_error_usd as std_error,
    lift.spend_usd as spend_change_usd,
    lift.iroas as roi_mean,
    {{ safe_divide('lift.std_error_usd', 'abs(lift.spend_usd)') }} as roi_sd,
    model.roi as mmm_roi,
    model.marginal_roi as mmm_marginal_roi,
    {{ safe_divide('lift.iroas', 'model.marginal_roi') }} as multiplier,
    lift.run_id,
    lift.as_of_date
from {{ ref('fct_geo_lift') }} as lift
left join {{ ref('fct_channel_roi') }} as model
    on
        lift.brand_id = model.brand_id
        and lift.channel_id = model.channel_id
        and model.window_name = 'history'
where lift.is_primary
