{#- The metrics of the house, once: each a ratio of sums, null on a zero denominator. Marts and the semantic layer
    (models/semantic) use these names; tests/dbt/test_metrics.py holds the two together. Arguments are SQL expressions already
    summed over the rows in question: a ratio is never averaged. -#}
{% macro metric(name, prefix='') -%}
    {%- set ratios = {
        'roas': ('platform_value_usd', 'spend_usd'),
        'cpa': ('spend_usd', 'new_customers'),
        'ctr': ('clicks', 'impressions'),
        'cpc': ('spend_usd', 'clicks'),
        'aov': ('revenue_usd', 'orders'),
        'margin': ('gross_profit_usd', 'revenue_usd'),
        'acquisition_rate': ('new_customers', 'orders'),
        'marketing_efficiency': ('revenue_usd', 'spend_usd'),
        'marketing_contribution': ('platform_value_usd', 'revenue_usd')
    } -%}
    {%- if name == 'cpm' -%}
        1000 * {{ safe_divide(prefix ~ 'spend_usd', prefix ~ 'impressions') }}
    {%- else -%}
        {{ safe_divide(prefix ~ ratios[name][0], prefix ~ ratios[name][1]) }}
    {%- endif -%}
{%- endmacro %}
