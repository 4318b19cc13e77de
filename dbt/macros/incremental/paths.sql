{#- Which paths a changed day reaches. A path lives in the calendar month of its conversion (or of its last touch); a touch belongs to a
    conversion up to `lookback_days` later. So a changed day reaches paths of the months within that window on either side of it, and only
    those of visitors who have an event of that day or a path that could have held one. -#}

{% macro path_visitors() -%}
    {{ return(api.Relation.create(database=this.database, schema='intermediate', identifier=this.identifier ~ '__visitors')) }}
{%- endmacro %}

{#- First days of the months whose paths the given days reach, as date literals. The steps are shorter than any month, so none is
    jumped over. -#}
{% macro path_months(days) -%}
    {%- set reach = var('lookback_days') + 1 -%}
    {%- set months = [] -%}
    {%- for day in days -%}
        {%- for step in [-reach, -(reach // 2), 0, reach // 2, reach] -%}
            {%- set stamp = modules.datetime.date.fromisoformat(day[6:16]) + modules.datetime.timedelta(days=step) -%}
            {%- set month = "date '" ~ stamp.strftime('%Y-%m-01') ~ "'" -%}
            {%- if month not in months -%}{%- do months.append(month) -%}{%- endif -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(months | sort) }}
{%- endmacro %}

{#- Pre-hook: the visitors whose paths may change, old paths included. Written down once: the delete and the rebuild must agree. -#}
{% macro find_path_visitors(days) -%}
    create table {{ path_visitors() }} as
    select touched.brand_id, touched.visitor_key
    from (
        select touch.brand_id, touch.visitor_key
        from {{ ref('fct_touchpoint') }} as touch
        where touch.date_day in ({{ days | join(', ') }})
        union all
        select event.brand_id, event.visitor_id as visitor_key
        from {{ ref('stg_web__event') }} as event
        where event.event_type = 'find_retailer_click' and event.date_day in ({{ days | join(', ') }})
        union all
        select path.brand_id, path.visitor_key
        from {{ this }} as path
        where
            {%- for span in day_spans(days) %}
            path.date_day between {{ span[0] }} and {{ span[1] }} + {{ var('lookback_days') + 1 }}{% if not loop.last %} or{% endif %}
            {%- endfor %}
    ) as touched
    group by touched.brand_id, touched.visitor_key
{%- endmacro %}

{#- Pre-hook: empty the months in question of those visitors' paths. -#}
{% macro clear_paths(months) -%}
    delete from {{ this }}
    where
        cast(date_trunc('month', date_day) as date) in ({{ months | join(', ') }})
        and exists (
            select 1
            from {{ path_visitors() }} as visitor
            where visitor.brand_id = {{ this.identifier }}.brand_id and visitor.visitor_key = {{ this.identifier }}.visitor_key
        )
{%- endmacro %}

{#- The days that the given months of paths depend on, as a further condition; nothing in a full build. -#}
{% macro path_window(months, day) -%}
    {%- set reach = var('lookback_days') + 1 -%}
    {%- if months %}
        and (
        {%- for span in day_spans(months) %}
            {{ day }} between {{ span[0] }} - {{ reach }} and {{ span[1] }} + 31 + {{ reach }}{% if not loop.last %} or{% endif %}
        {%- endfor %}
        )
    {%- endif -%}
{%- endmacro %}

{#- Sorted date literals as spans (first, last) of dates at most 31 days apart: a few ranges instead of hundreds of conditions. -#}
{% macro day_spans(days) -%}
    {%- set spans = [] -%}
    {%- for day in days -%}
        {%- set stamp = modules.datetime.date.fromisoformat(day[6:16]) -%}
        {%- if spans and (stamp - spans[-1][2]).days <= 31 -%}
            {%- set first = spans.pop() -%}
            {%- do spans.append([first[0], day, stamp]) -%}
        {%- else -%}
            {%- do spans.append([day, day, stamp]) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(spans) }}
{%- endmacro %}
