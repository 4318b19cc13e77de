{#- A ratio as a double, null where the denominator is zero or null. Redshift divides integers to integers (7/2 = 3) without
    a word; the casts keep both engines on the same number. -#}
{% macro safe_divide(numerator, denominator) -%}
    (cast({{ numerator }} as double precision) / nullif(cast({{ denominator }} as double precision), 0))
{%- endmacro %}

{#- The type of every *_usd column in a mart. -#}
{% macro type_money() -%} decimal(18, 4) {%- endmacro %}

{#- An expression as money in marts (four decimals). -#}
{% macro money(expression) -%} cast({{ expression }} as {{ type_money() }}) {%- endmacro %}

{#- avg() of a column as a double: avg(bigint) truncates on Redshift. -#}
{% macro avg_double(expression) -%} avg(cast({{ expression }} as double precision)) {%- endmacro %}

{#- A product of a measure and a share, rounded half up to `scale` decimals on both engines (they round doubles differently). -#}
{% macro share_of(measure, share, scale=4) -%}
    round(cast(cast({{ measure }} as double precision) * {{ share }} as decimal(28, 10)), {{ scale }})
{%- endmacro %}
