{#- The state queries of the three incremental marts (see stale_partitions). Each mart's body, and the hook that empties its stale
    partitions, ask the same macro. -#}

{% macro touchpoint_built_with() -%}
    ({{ registry_version() }} || (select reference_state from {{ ref('int_reference_state') }}))
{%- endmacro %}

{#- Days to rebuild: stale ones and the day after each (a repeat looks at the event before it). -#}
{% macro touchpoint_stale_days() -%}
    {%- set source_state -%}
        select date_day as partition_day, count(*) as source_rows, sum({{ epoch_seconds('_delivered_at') }}) as source_stamp
        from {{ ref('stg_web__event') }}
        where event_type in ('impression_view', 'ad_click', 'site_visit')
        group by date_day
    {%- endset -%}
    {%- set mart_state -%}
        select date_day as partition_day, count(*) as source_rows, sum({{ epoch_seconds('delivered_at') }}) as source_stamp,
            min(built_with) as built_with
        from {{ this }}
        group by date_day
    {%- endset -%}
    {%- set stale = stale_partitions(source_state, mart_state, touchpoint_built_with()) -%}
    select stale_days.partition_day + days_after.n as partition_day
    from ({{ stale }}) as stale_days
    cross join (select 0 as n union all select 1 as n) as days_after
    group by stale_days.partition_day + days_after.n
{%- endmacro %}

{% macro pos_built_with() -%}
    ({{ registry_version() }} || (select reference_state from {{ ref('int_reference_state') }}))
{%- endmacro %}

{#- Published weeks whose sales changed at any retailer. -#}
{% macro pos_stale_weeks() -%}
    {%- set source_state -%}
        select {{ week_start('sold_on') }} as partition_day, sum(source_rows) as source_rows, sum(source_stamp) as source_stamp
        from (
            select week_start_date as sold_on, count(*) as source_rows, sum({{ epoch_seconds('_delivered_at') }}) as source_stamp
            from {{ ref('stg_amazon_vendor__sales') }}
            group by week_start_date
            union all
            select date_day as sold_on, count(*) as source_rows, sum({{ epoch_seconds('_delivered_at') }}) as source_stamp
            from {{ ref('stg_walmart__store_sales') }}
            group by date_day
            union all
            select week_start_date as sold_on, count(*) as source_rows, sum({{ epoch_seconds('_delivered_at') }}) as source_stamp
            from {{ ref('stg_target__sales') }}
            group by week_start_date
        ) as sold
        group by {{ week_start('sold_on') }}
    {%- endset -%}
    {%- set mart_state -%}
        select {{ week_start('date_day') }} as partition_day, sum(source_rows) as source_rows, sum(source_stamp) as source_stamp,
            min(built_with) as built_with
        from (
            select date_day, sum(source_rows) as source_rows, sum(source_stamp) as source_stamp, min(built_with) as built_with
            from {{ this }}
            group by date_day
        ) as daily
        group by {{ week_start('date_day') }}
    {%- endset -%}
    {{ stale_partitions(source_state, mart_state, pos_built_with()) }}
{%- endmacro %}

{#- Touches say what they were built with; a new ZIP map or registry reaches the paths through them. -#}
{% macro path_built_with() -%}
    ({{ registry_version() }} || (select reference_state from {{ ref('int_reference_state') }}))
{%- endmacro %}

{#- The fingerprint of all events that a month of paths depends on: its own days and the look-back window on either side. -#}
{% macro path_month_state() -%}
    {%- set window_days = var('lookback_days') -%}
    select
        months.partition_day,
        sum(days.source_rows) as source_rows,
        sum(days.source_stamp) as source_stamp
    from (
        select cast(date_trunc('month', date_day) as date) as partition_day
        from {{ ref('stg_web__event') }}
        group by cast(date_trunc('month', date_day) as date)
    ) as months
    inner join (
        select
            date_day,
            count(*) as source_rows,
            sum({{ epoch_seconds('_delivered_at') }}) as source_stamp
        from {{ ref('stg_web__event') }}
        group by date_day
    ) as days
        on
            days.date_day >= months.partition_day - {{ window_days }} - 1
            and days.date_day <= months.partition_day + 31 + {{ window_days }} + 1
    group by months.partition_day
{%- endmacro %}

{% macro path_stale_months() -%}
    {%- set mart_state -%}
        select cast(date_trunc('month', date_day) as date) as partition_day, max(source_rows) as source_rows,
            max(source_stamp) as source_stamp, min(built_with) as built_with
        from {{ this }}
        group by cast(date_trunc('month', date_day) as date)
    {%- endset -%}
    {{ stale_partitions(path_month_state(), mart_state, path_built_with()) }}
{%- endmacro %}

{#- The days that the given months of paths depend on, as a further condition; nothing in a full build. -#}
{% macro path_window(months, day) -%}
    {%- set window_days = var('lookback_days') -%}
    {%- if months %}
        and (
        {%- for month in months %}
            {{ day }} between {{ month }} - {{ window_days }} - 1 and {{ month }} + 31 + {{ window_days }} + 1{% if not loop.last %} or{% endif %}
        {%- endfor %}
        )
    {%- endif -%}
{%- endmacro %}
