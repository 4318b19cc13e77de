{# Refused lines: those the loader refused (stage 'intake') and those whose parent does not exist (stage 'warehouse'). #}
with refused as (
    select
        brand_id,
        feed,
        sha256,
        file_name,
        line_number,
        reason,
        field_name,
        row_text,
        delivered_at,
        run_id,
        released_by,
        'intake' as stage
    from {{ ref('stg_intake__quarantine') }}
    union all
    select
        orphan.brand_id,
        'alyce_clientexpenditure' as feed,
        orphan.file_id as sha256,
        coalesce(ledger.file_name, '') as file_name,
        orphan.line_number,
        'orphan' as reason,
        orphan.orphan_field as field_name,
        'recipient ' || orphan.recipient_id || ', client ' || orphan.client_id || ', gift ' || orphan.gift_id as row_text,
        orphan.delivered_at,
        ledger.run_id,
        cast(null as varchar(64)) as released_by,
        'warehouse' as stage
    from {{ ref('int_gift_expenditure') }} as orphan
    left join (
        select
            brand_id,
            feed,
            sha256,
            min(file_name) as file_name,
            min(run_id) as run_id
        from {{ ref('stg_intake__ledger') }}
        where rows_loaded > 0
        group by brand_id, feed, sha256
    ) as ledger
        on
            orphan.brand_id = ledger.brand_id
            and ledger.feed = 'alyce_clientexpenditure'
            and orphan.file_id = ledger.sha256
    where orphan.orphan_field is not null
),

numbered as (
    select
        refused.*,
        row_number() over (
            partition by brand_id, feed, sha256, line_number, reason, field_name
            order by row_text, run_id
        ) as occurrence
    from refused
)

select
    {{ surrogate_key(['brand_id', 'feed', 'sha256', 'line_number', 'reason', 'field_name', 'occurrence']) }} as quarantine_id,
    brand_id,
    feed,
    stage,
    sha256,
    file_name,
    line_number,
    reason,
    field_name,
    row_text,
    delivered_at,
    run_id as load_run_id,
    released_by
from numbered
