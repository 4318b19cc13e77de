select
    channels.channel_id,
    channels.channel_name,
    channels.channel_group,
    channels.is_rmn,
    channels.is_demand_chasing,
    channels.is_paid,
    channels.platform,
    channels.retailer_id,
    channels.attribution_window,
    adstock.kind as adstock_kind,
    adstock.decay as adstock_decay,
    adstock.peak_lag as adstock_peak_lag,
    adstock.shape as adstock_shape,
    adstock.scale as adstock_scale,
    adstock.length as adstock_length
from {{ ref('channels') }} as channels
left join {{ ref('adstock') }} as adstock
    on channels.channel_id = adstock.channel_id
