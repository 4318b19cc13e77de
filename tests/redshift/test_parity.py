"""The comparison of two warehouses finds what it must find."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from tests.redshift.parity import compare

NAMES = ["k", "usd", "share", "ok"]
ROWS: list[list[Any]] = [
    ["a", Decimal("1.5000"), 0.1, True],
    ["b", None, float("nan"), None],
    ["b", None, 2.0, False],
]
LEFT = (
    "select * from (values ('b', null, 'nan'::double, null), ('a', 1.5::decimal(18,4), 0.1, true), "
    "('b', null, 2.0, false)) as t (k, usd, share, ok)"
)


def right(rows: list[list[Any]]) -> pa.Table:
    types = [pa.string(), pa.decimal128(38, 6), pa.float64(), pa.bool_()]
    return pa.Table.from_arrays(
        [pa.array([r[i] for r in rows], type=t) for i, t in enumerate(types)], names=NAMES
    )


def test_equal_rows_in_any_order_and_scale() -> None:
    near = [[k, usd, share * (1 + 1e-11) if share == share else share, ok] for k, usd, share, ok in ROWS]
    for rows in (ROWS, ROWS[::-1], near):
        assert compare(duckdb.connect(), LEFT, right(rows), NAMES) == []


@pytest.mark.parametrize(
    ("at", "value"),
    [(0, "A"), (0, None), (1, Decimal("1.500001")), (1, None), (2, 0.1 * (1 + 1e-8)), (2, None), (2, float("nan")), (3, False), (3, None)],
)  # fmt: skip
def test_one_wrong_value_is_found(at: int, value: Any) -> None:
    rows = [[*ROWS[0]], *ROWS[1:]]
    rows[0][at] = value
    assert any(NAMES[at] in found for found in compare(duckdb.connect(), LEFT, right(rows), NAMES))


def test_missing_and_doubled_rows_are_found() -> None:
    for rows in (ROWS[:2], [*ROWS, ROWS[0]]):
        assert "rows" in compare(duckdb.connect(), LEFT, right(rows), NAMES)[0]
