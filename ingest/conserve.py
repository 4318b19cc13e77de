"""The conservation check over a whole warehouse: rows and money of the ledger against the tables themselves."""

from __future__ import annotations

from collections.abc import Mapping

from ingest.contracts import Contract
from ingest.outcomes import LOADED
from ingest.schema import quoted
from ingest.warehouse import Warehouse


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
        field = contract.money_field
        money = f"coalesce(sum({quoted(field)}), 0) * {contract.money_unit}" if field else "0"
        parts = contract.key if contract.mode == "upsert" else contract.partition
        keys = "".join(f", {quoted(name)}" for name in dict.fromkeys(parts) if name != "brand_id")
        columns = f"brand_id, _file_id, _delivered_at{keys}" + (
            f", {quoted(field)}" if field and field not in parts else ""
        )
        # a content that was taken back and came again has the same rows in several versions: one of them counts
        rows = warehouse.query(
            f"""
            with versions as (
                select brand_id, _file_id{keys}, _delivered_at, count(*) as n, {money} as m from (
                    select {columns} from raw.{quoted(feed)}
                    union all
                    select {columns} from raw_history.{quoted(feed)}
                ) as every_row group by brand_id, _file_id{keys}, _delivered_at
            ), counted as (
                select brand_id, _file_id{keys}, min(n) as n, max(n) as most, max(m) as m
                from versions group by brand_id, _file_id{keys}
            ), held as (
                select brand_id, _file_id, sum(n) as n, sum(m) as m, max(most - n) as uneven from counted group by brand_id, _file_id
            ), refused as (
                select brand_id, sha256, count(*) as n from intake.quarantine where feed = '{feed}' group by brand_id, sha256
            )
            select l.file_name, l.rows_loaded, coalesce(h.n, 0) as held, l.rows_quarantined, coalesce(r.n, 0) as refused,
                l.money_loaded, coalesce(h.m, 0) as money
            from intake.ledger as l
            left join held as h on h.brand_id = l.brand_id and h._file_id = l.sha256
            left join refused as r on r.brand_id = l.brand_id and r.sha256 = l.sha256
            where l.feed = '{feed}' and l.outcome in {LOADED} and (
                l.rows_loaded <> coalesce(h.n, 0) or h.uneven > 0 or l.rows_quarantined <> coalesce(r.n, 0)
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
