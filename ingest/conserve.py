"""The conservation check over a whole warehouse: rows and money of the ledger against the tables themselves."""

from __future__ import annotations

from collections.abc import Mapping

from ingest.contracts import Contract
from ingest.schema import quoted
from ingest.warehouse import Warehouse

LOADED = "('LOAD', 'QR', 'REPLACE', 'WARN')"


def problems(warehouse: Warehouse, contracts: Mapping[str, Contract]) -> list[str]:
    """One line for each file whose rows or money are not where the ledger says."""
    out = [
        f"{row['file_name']}: {row['rows_file']} rows in the file, {row['n']} accounted for"
        for row in warehouse.query(
            "select file_name, rows_file, rows_loaded + rows_quarantined + rows_declared as n from intake.ledger "
            f"where outcome in {LOADED} and rows_file <> rows_loaded + rows_quarantined + rows_declared order by 1"
        )
    ]
    for feed, contract in sorted(contracts.items()):
        money = (
            f"coalesce(sum({quoted(contract.money_field)}), 0) * {contract.money_unit}"
            if contract.money_field
            else "0"
        )
        rows = warehouse.query(
            f"""
            with held as (
                select brand_id, _file_id, count(*) as n, {money} as m from (
                    select brand_id, _file_id{", " + quoted(contract.money_field) if contract.money_field else ""} from raw.{quoted(feed)}
                    union all
                    select brand_id, _file_id{", " + quoted(contract.money_field) if contract.money_field else ""} from raw_history.{quoted(feed)}
                ) as every_row group by brand_id, _file_id
            ), refused as (
                select brand_id, sha256, count(*) as n from intake.quarantine where feed = '{feed}' group by brand_id, sha256
            )
            select l.file_name, l.rows_loaded, coalesce(h.n, 0) as held, l.rows_quarantined, coalesce(r.n, 0) as refused,
                l.money_loaded, coalesce(h.m, 0) as money
            from intake.ledger as l
            left join held as h on h.brand_id = l.brand_id and h._file_id = l.sha256
            left join refused as r on r.brand_id = l.brand_id and r.sha256 = l.sha256
            where l.feed = '{feed}' and l.outcome in {LOADED} and (
                l.rows_loaded <> coalesce(h.n, 0) or l.rows_quarantined <> coalesce(r.n, 0)
                or abs(l.money_loaded - coalesce(h.m, 0)) > 0.000001
            )
            order by 1
            """
        )
        out += [
            f"{row['file_name']}: ledger {row['rows_loaded']} loaded, {row['rows_quarantined']} refused, {row['money_loaded']} USD; "
            f"tables hold {row['held']}, {row['refused']}, {row['money']}"
            for row in rows
        ]
    return out
