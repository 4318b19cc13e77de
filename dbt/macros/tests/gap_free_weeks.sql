{#- Every group has one row for each published week between its first and its last: no holes for a lag to fall into. -#}
{% test gap_free_weeks(model, group_by, week_column='week_start_date') %}
select {{ group_by | join(', ') }}, min({{ week_column }}) as first_week, max({{ week_column }}) as last_week, count(distinct {{ week_column }}) as weeks
from {{ model }}
group by {{ group_by | join(', ') }}
having count(distinct {{ week_column }}) * 7 <> (max({{ week_column }}) - min({{ week_column }})) + 7
{% endtest %}
