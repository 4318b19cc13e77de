{# Row law: rows in a file = rows loaded + rows quarantined + rows declared as footer or repeated header. #}
select
    ledger_id,
    rows_file,
    rows_loaded,
    rows_quarantined,
    rows_declared
from {{ ref('fct_feed_load') }}
where
    rows_loaded is not null
    and outcome not in ('NOOP', 'QF', 'WAIT', 'ABORT')
    and rows_file <> rows_loaded + coalesce(rows_quarantined, 0) + coalesce(rows_declared, 0)
