{#- Referential integrity over one or several columns: every non-null key here exists in `to`. -#}
{% test refers_to(model, columns, to, to_columns=none) %}
{%- set parents = to_columns or columns -%}
select {% for column in columns %}child.{{ column }}{% if not loop.last %}, {% endif %}{% endfor %}
from (
    select distinct {{ columns | join(', ') }}
    from {{ model }}
    where {% for column in columns %}{{ column }} is not null{% if not loop.last %} and {% endif %}{% endfor %}
) as child
left join (
    select distinct {{ parents | join(', ') }}
    from {{ to }}
) as parent
    on {% for column in columns %}child.{{ column }} = parent.{{ parents[loop.index0] }}{% if not loop.last %} and {% endif %}{% endfor %}
where parent.{{ parents[0] }} is null
{% endtest %}
