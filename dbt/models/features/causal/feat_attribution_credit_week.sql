{# Credit of the models that divide path by path, by week, DMA and channel. #}
{% set rules = ['first_touch', 'last_touch', 'linear', 'time_decay', 'position_based', 'shapley'] %}
with cells as (
    select
        brand_id,
        week_start_date,
        dma_id,
        channel_id,
        max(case when touch_type = 'view' then 1 else 0 end) as has_view,
        {%- for rule in rules %}
        sum({{ rule }}) as {{ rule }}_conversions,
        sum({{ rule }} * cast(value_usd as double precision)) as {{ rule }}_value{% if not loop.last %},{% endif %}
        {%- endfor %}
    from {{ ref('feat_path_touch') }}
    group by brand_id, week_start_date, dma_id, channel_id
)

{% for rule in rules %}
select
    brand_id,
    '{{ rule }}' as model,
    week_start_date,
    dma_id,
    channel_id,
    {{ rule }}_conversions as credited_conversions,
    {{ rule }}_value as credited_value_usd,
    has_view = 1 as vt_eligible
from cells
{% if not loop.last %}union all{% endif %}
{% endfor %}
