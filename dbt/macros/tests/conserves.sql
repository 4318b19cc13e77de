{#- A conservation law: for each group, the sum of `measure` here equals the sum of `other_measure` in `other`, to within
    `tolerance` (0 = to the cent and beyond). Groups that exist on one side only count as zero on the other. -#}
{% test conserves(model, other, measure, other_measure=none, group_by=['brand_id'], where='1 = 1', other_where='1 = 1', tolerance=0) %}
with both_sides as (
    select {{ group_by | join(', ') }}, {{ measure }} as here, 0 as there
    from {{ model }}
    where {{ where }}
    union all
    select {{ group_by | join(', ') }}, 0 as here, {{ other_measure or measure }} as there
    from {{ other }}
    where {{ other_where }}
)

select {{ group_by | join(', ') }}, sum(here) as here, sum(there) as there
from both_sides
group by {{ group_by | join(', ') }}
having abs(coalesce(sum(here), 0) - coalesce(sum(there), 0)) > {{ tolerance }}
{% endtest %}
