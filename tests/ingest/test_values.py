"""Cells against an exact oracle: what is accepted has one value, and it is the right one."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.contracts import load_contracts
from ingest.parse import Engine
from ingest.pii import Hasher
from ingest.slow import number, slow_value, why
from ingest.values import Rules, expression, literal

CONTRACT = load_contracts()["google_ads_campaign"]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return Engine(Hasher(b"k" * 16), tmp_path_factory.mktemp("engine"))


def through(engine: Engine, name: str, texts: list[str]) -> list[tuple[object, str | None]]:
    item = CONTRACT.fields[name]
    value, reason = expression(item, CONTRACT, "x", "v", Rules("2026-10-30 00:00:00"))
    cells = ", ".join(f"({i}, {literal(t)})" for i, t in enumerate(texts))
    sql = f"select v, {reason} from (select *, {value} as v from (select i, nullif(t, '') as x from (values {cells}) as c(i, t))) order by i"
    return [(row[0], row[1]) for row in engine.run(sql).fetchall()]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.text(alphabet="0123456789+-.,eE$()_x %", min_size=1, max_size=12), min_size=20, max_size=60)
)
def test_numbers_have_the_declared_value_or_none(engine: Engine, texts: list[str]) -> None:
    texts = [t for t in texts if t.strip()] or ["1"]
    for text, (value, reason) in zip(texts, through(engine, "impressions", texts), strict=True):
        exact = number("us", "USD", text)
        if value is not None:
            assert exact == Decimal(int(str(value))), text
        else:
            assert reason is not None or why("integer|us|USD", text) is None, text
            assert exact is None or exact != exact.to_integral_value() or abs(exact) >= 2**63, text
    for text, (value, _) in zip(texts, through(engine, "conversions", texts), strict=True):
        exact = number("us", "USD", text)
        if value is not None:
            assert exact is not None and abs(Decimal(str(value)) - exact) <= Decimal("0.0000005"), text


@pytest.mark.parametrize(
    "text",
    ["5.5", "1_0", "0x1F", "0xFFFFFFFF", "0b11", "1e-3", "\u0665", "5 5", "--5", "(5", "5)", "1,00", "12,3"],
)
def test_counts_that_a_cast_would_misread(engine: Engine, text: str) -> None:
    assert through(engine, "impressions", [text])[0][0] is None


@pytest.mark.parametrize(
    ("locale", "currency", "text", "value"),
    [
        ("us", "USD", "$1,258.54", "1258.54"), ("us", "USD", "(15.50)", "-15.50"), ("us", "USD", "15.50-", "-15.50"),
        ("us", "USD", "-$5", "-5"), ("us", "USD", "USD 7", "7"), ("eu", "EUR", "1.258,54 \u20ac", "1258.54"),
        ("eu", "EUR", "15,50", "15.50"), ("in", "INR", "1,00,000", "100000"), ("us", "USD", "1.5e1", "15"), ("us", "USD", "1.429999948", "1.429999948"),
    ],
)  # fmt: skip
def test_declared_locales(locale: str, currency: str, text: str, value: str) -> None:
    assert number(locale, currency, text) == Decimal(value)


@pytest.mark.parametrize("text", ["15,50", "1.258,54", "\u20ac6", "1,00,000", "5-5", "", "$", "1e9999"])
def test_undeclared_forms_are_no_numbers(text: str) -> None:
    assert number("us", "USD", text) is None


@pytest.mark.parametrize(
    "text",
    [
        "2026/01/05",
        "epoch",
        "infinity",
        "01/05/2026",
        "20260105",
        "2026-1-5",
        "46000",
        "2026-02-30",
        "2026-01-05 10:00:00",
    ],
)
def test_dates_that_a_cast_would_take(engine: Engine, text: str) -> None:
    value, reason = through(engine, "date_day", [text])[0]
    assert value is None and reason


def test_account_days_on_both_clock_changes() -> None:
    zone = "America/New_York"
    assert slow_value(f"timestamp||{zone}|", "2026-03-08 01:30:00") == "2026-03-08 06:30:00.000000"
    assert slow_value(f"timestamp||{zone}|", "2026-03-08 03:30:00") == "2026-03-08 07:30:00.000000"
    assert slow_value(f"timestamp||{zone}|", "2026-11-01 23:59:59") == "2026-11-02 04:59:59.000000"
    assert slow_value("timestamp||UTC|", "2026-01-05T10:00:00+02:00") == "2026-01-05 08:00:00.000000"
