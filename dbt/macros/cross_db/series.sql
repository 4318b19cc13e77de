{#- Whole numbers 0 .. size-1 in column n, as a query body without recursion or generate_series (leader-only on Redshift). -#}
{% macro numbers(size) -%}
    {%- set digits = (size - 1) | string | length -%}
    select numbers_inner.n
    from (
        select
            {%- for i in range(digits) %}
            digit_{{ i }}.d * {{ 10 ** i }}{% if not loop.last %} +{% endif %}
            {%- endfor %} as n
        from
        {%- for i in range(digits) %}
            {% if not loop.first %}cross join {% endif %}(
                select 0 as d
                {%- for d in range(1, 10) %} union all select {{ d }}{% endfor %}
            ) as digit_{{ i }}
        {%- endfor %}
    ) as numbers_inner
    where numbers_inner.n < {{ size }}
{%- endmacro %}
