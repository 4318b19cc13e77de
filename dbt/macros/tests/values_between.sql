{#- Every non-null value of each column lies in [low, high]; either bound may be left out. -#}
{% test values_between(model, columns, low=none, high=none) %}
select {{ columns | join(', ') }}
from {{ model }}
where
    {% for column in columns %}
    {%- if low is not none %}{{ column }} < {{ low }}{% endif %}
    {%- if low is not none and high is not none %} or {% endif %}
    {%- if high is not none %}{{ column }} > {{ high }}{% endif %}
    {%- if not loop.last %} or {% endif %}
    {% endfor %}
{% endtest %}
