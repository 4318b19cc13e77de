"""Every figure on a page equals SQL on the mart, written here independently of the app's queries."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
import streamlit as st
from scipy import stats

from dashboard import economics, queries
from dashboard.filters import Filters
from dashboard.reader import Snapshot
from tests.dashboard.fixture_marts import DMAS, END, NAMES
from tests.dashboard.pages import open_page

WEEKS = {"launch": 12, "4w": 4, "13w": 13, "52w": 52, "all": 999}


class Oracle:
    """Plain SQL with the values written into the text, over one open file."""

    def __init__(self, path: Path) -> None:
        self.db = duckdb.connect(str(path), read_only=True)

    def one(self, sql: str) -> Any:
        row = self.db.execute(sql).fetchone()
        assert row is not None
        return None if row[0] is None else float(row[0])


@pytest.fixture(scope="module")
def oracle(serving: Path) -> Any:
    found = Oracle(serving)
    yield found
    found.db.close()


@pytest.fixture(autouse=True)
def _settings(serving: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVING_PATH", str(serving))
    monkeypatch.setenv("BRAND_ID", "swiftpod")


def listed(values: list[str]) -> str:
    return "(" + ", ".join(f"'{v}'" for v in values) + ")"


def predicates(chosen: dict[str, Any]) -> dict[str, str]:
    start = (
        max(END - timedelta(days=7 * WEEKS[chosen["period"]] - 1), END - timedelta(days=7 * 16 - 1))
        if WEEKS[chosen["period"]] < 900
        else date(2000, 1, 1)
    )
    base = f"brand_id = 'swiftpod' and date_day >= date '{start}' and date_day <= date '{END}'"
    channel = f" and channel_id in {listed(chosen['channel'])}" if chosen["channel"] else ""
    retailer = f" and retailer_id in {listed(chosen['retailer'])}" if chosen["retailer"] else ""
    dma = f" and dma_id in {listed(chosen['dma'])}" if chosen["dma"] else ""
    return {
        "media": base + channel + dma,
        "sales": base + retailer + dma,
        "base": base,
        "channel": "brand_id = 'swiftpod'" + channel,
        "stock": "brand_id = 'swiftpod'" + retailer + dma,
    }


def filter_sets() -> list[dict[str, Any]]:
    rng = random.Random(11)
    sets: list[dict[str, Any]] = [{"period": "launch", "channel": [], "retailer": [], "dma": []}]
    for _ in range(5):
        sets.append(
            {
                "period": rng.choice(list(WEEKS)),
                "channel": rng.sample(sorted(NAMES), rng.randint(0, 5)),
                "retailer": rng.sample(["amazon", "walmart", "target"], rng.randint(0, 2)),
                "dma": rng.sample(DMAS[:5], rng.randint(0, 3)),
            }
        )
    return sets


def close(shown: float | None, wanted: float | None) -> bool:
    if shown is None or wanted is None:
        return shown is None and wanted is None
    return shown == pytest.approx(wanted, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("chosen", filter_sets(), ids=lambda c: c["period"])
def test_executive_cards(oracle: Oracle, chosen: dict[str, Any]) -> None:
    page, p = open_page("executive", chosen), predicates(chosen)
    sales, media = (
        f"from marts.fct_pos_daily where {p['sales']}",
        f"from marts.fct_media_daily where {p['media']}",
    )
    revenue, spend = (
        oracle.one(f"select sum(revenue_usd) {sales}"),
        oracle.one(f"select sum(spend_usd) {media}"),
    )
    wanted = {
        "revenue_usd": revenue,
        "units": oracle.one(f"select sum(units) {sales}"),
        "spend_usd": spend,
        "revenue_per_spend": revenue / spend if revenue is not None and spend else None,
        "platform_roas": oracle.one(f"select sum(platform_value_usd) / sum(spend_usd) {media}"),
        "incremental_roas": oracle.one(
            f"select sum(contribution_usd) / sum(spend_usd) from marts.fct_channel_roi where {p['channel']} and window_name = 'launch'"
        ),
        "lost_sales_usd": oracle.one(
            f"select sum(lost_sales_usd) from marts.fct_stock_risk_week where {p['stock']}"
        ),
    }
    for key, value in wanted.items():
        assert close(page.figures.get(key), value), (key, page.figures.get(key), value)
    for days in (7, 30):
        for key, mart, where in (
            ("revenue_usd", "fct_pos_daily", p["stock"]),
            ("units", "fct_pos_daily", p["stock"]),
            ("spend_usd", "fct_media_daily", p["media"].replace(p["base"], "brand_id = 'swiftpod'")),
        ):

            def total(
                first: date, last: date, mart: str = mart, where: str = where, key: str = key
            ) -> float | None:
                return oracle.one(
                    f"select sum({key}) from marts.{mart} where {where} and date_day between date '{first}' and date '{last}'"
                )

            now, before = (
                total(END - timedelta(days=days - 1), END),
                total(END - timedelta(days=2 * days - 1), END - timedelta(days=days)),
            )
            assert close(
                page.figures[f"{key}.{days} d"], now / before - 1 if now is not None and before else None
            ), (key, days)


@pytest.mark.parametrize("chosen", filter_sets(), ids=lambda c: c["period"])
def test_channel_cards_and_rows(oracle: Oracle, chosen: dict[str, Any]) -> None:
    chosen = {**chosen, "retailer": []}
    page, p = open_page("channels", {k: v for k, v in chosen.items() if k != "retailer"}), predicates(chosen)
    media = f"from marts.fct_media_daily where {p['media']}"
    rows = oracle.db.execute(
        f"select channel_id, sum(spend_usd), sum(clicks) / sum(impressions), 1000 * sum(spend_usd) / sum(impressions), sum(platform_value_usd) / sum(spend_usd), "
        f"sum(spend_usd) / sum(platform_conversions) {media} group by 1 order by 2 desc, 1"
    ).fetchall()
    if not rows:
        assert page.states("empty")
        return
    assert close(page.figures["spend_usd"], oracle.one(f"select sum(spend_usd) {media}"))
    assert close(page.figures["ctr"], oracle.one(f"select sum(clicks) / sum(impressions) {media}")), (
        "a ratio of sums, not a mean of ratios"
    )
    for number, row in enumerate(rows):
        for name, value in zip(
            ("spend_usd", "ctr", "cpm_usd", "platform_roas", "platform_cpa_usd"), row[1:], strict=True
        ):
            assert close(page.figures[f"channel.{number}.{name}"], None if value is None else float(value)), (
                row[0],
                name,
            )


def test_a_wrong_rate_would_be_noticed(oracle: Oracle, monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison can fail: a mean of ratios in place of the ratio of sums is another figure."""
    wrong = tuple(
        "avg(clicks / impressions) as ctr" if r.endswith("as ctr") else r for r in queries.MEDIA.rates
    )
    st.cache_resource.clear()
    monkeypatch.setattr(queries, "MEDIA", replace(queries.MEDIA, rates=wrong))
    try:
        shown = open_page("channels", {"period": "4w"}).figures["ctr"]
    finally:
        st.cache_resource.clear()
    media = predicates({"period": "4w", "channel": [], "retailer": [], "dma": []})["media"]
    assert not close(
        shown, oracle.one(f"select sum(clicks) / sum(impressions) from marts.fct_media_daily where {media}")
    )


def test_a_part_kept_for_one_view_is_not_shown_for_another(oracle: Oracle) -> None:
    """Drawn parts are kept by version and filters; two readers with other filters see other figures."""
    one, two = (open_page("executive", {"channel": [c]}).figures["spend_usd"] for c in ("youtube", "hulu"))
    again = open_page("executive", {"channel": ["youtube"]}).figures["spend_usd"]
    assert one != two and again == one


@pytest.mark.parametrize(
    "level, keys",
    [
        ("tactic", "channel_id, tactic"),
        ("campaign", "channel_id, tactic, campaign_name"),
        ("place", "channel_id, dma_id"),
    ],
)
def test_drill_rows_add_up(oracle: Oracle, level: str, keys: str) -> None:
    page = open_page("channels", {"level": level, "period": "all"})
    wanted = sorted(
        (
            float(r[0])
            for r in oracle.db.execute(
                f"select sum(spend_usd) from marts.fct_media_daily where brand_id = 'swiftpod' group by {keys}"
            ).fetchall()
        ),
        reverse=True,
    )
    shown = [page.figures[f"drill.{i}.spend_usd"] for i in range(len(wanted))]
    assert shown == pytest.approx(wanted)
    assert sum(s for s in shown if s) == pytest.approx(page.figures["spend_usd"])


def test_incrementality_rows(oracle: Oracle) -> None:
    page = open_page("incrementality", {"channel": ["ctv_other"]})
    for name, source in (
        ("claim", "platform_claim"),
        ("last_touch", "last_touch"),
        ("mmm", "mmm"),
        ("lift", "lift"),
    ):
        wanted = oracle.one(
            f"select roas from marts.fct_channel_evidence where brand_id = 'swiftpod' and channel_id = 'ctv_other' and source = '{source}'"
        )
        assert close(page.figures[f"evidence.0.{name}"], wanted)
    for i, (estimate, chance) in enumerate(
        oracle.db.execute(
            "select estimate, probability from marts.fct_hypothesis where brand_id = 'swiftpod' order by hypothesis_id"
        ).fetchall()
    ):
        assert close(page.figures[f"hypothesis.{i}.estimate"], estimate) and close(
            page.figures[f"hypothesis.{i}.probability"], chance
        )


@pytest.mark.parametrize("plan", ["current", "optimal", "plus_10pct", "move_5m"])
def test_budget_rows(oracle: Oracle, plan: str) -> None:
    page = open_page("budget", {"plan": plan})
    where = f"from marts.fct_budget_scenario where brand_id = 'swiftpod' and scenario = '{plan}'"
    rows = oracle.db.execute(
        f"select spend_usd, spend_change_usd, incremental_revenue_usd {where} and channel_id <> 'all' order by spend_usd desc, channel_id"
    ).fetchall()
    for i, row in enumerate(rows):
        for name, value in zip(
            ("spend_usd", "spend_change_usd", "incremental_revenue_usd"), row, strict=True
        ):
            assert close(page.figures[f"plan.{i}.{name}"], float(value))
    total = oracle.one(f"select spend_usd {where} and channel_id = 'all'")
    assert sum(page.figures[f"plan.{i}.spend_usd"] or 0 for i in range(len(rows))) == pytest.approx(
        total, abs=0.01
    )


@pytest.mark.parametrize(
    "chosen",
    [
        {"retailer": [], "dma": [], "horizon": 4},
        {"retailer": ["walmart"], "dma": [], "horizon": 2},
        {"retailer": ["walmart", "target"], "dma": ["501", "803"], "horizon": 6},
    ],
)
def test_demand_cards(oracle: Oracle, chosen: dict[str, Any]) -> None:
    page = open_page("demand", chosen)
    where = "brand_id = 'swiftpod' and level = 'dma_retailer'"
    if chosen["retailer"]:
        where += f" and retailer_id in {listed(chosen['retailer'])}"
    if chosen["dma"]:
        where += f" and dma_id in {listed(chosen['dma'])}"
    wanted = oracle.one(
        f"select sum(p50_units) from marts.fct_demand_forecast_week where {where} and horizon_week <= {chosen['horizon']}"
    )
    assert close(page.figures["p50_units"], wanted), "levels of the hierarchy agree on the median total"
    assert close(
        page.figures["lost_sales_usd"],
        oracle.one(
            f"select sum(lost_sales_usd) from marts.fct_stock_risk_week where {where.replace(chr(32) + 'and level = ' + chr(39) + 'dma_retailer' + chr(39), '')}"
        ),
    )
    assert page.figures["wape"] == pytest.approx(
        oracle.one(
            f"select median(wape) from marts.fct_forecast_backtest where {where.replace(chr(32) + 'and level = ' + chr(39) + 'dma_retailer' + chr(39), '')} and is_champion"
        )
    )


def test_impact_cards(oracle: Oracle) -> None:
    page, p = (
        open_page("impact", {"period": "4w"}),
        predicates({"period": "4w", "channel": [], "retailer": [], "dma": []}),
    )
    shop = f"from marts.fct_business_daily where {p['base']}"
    wanted = {
        "claimed_usd": oracle.one(
            f"select sum(platform_value_usd) from marts.fct_media_daily where {p['media']}"
        ),
        "sold_usd": oracle.one(f"select sum(revenue_usd) from marts.fct_pos_daily where {p['sales']}"),
        "new_customers": oracle.one(f"select sum(new_customers) {shop}"),
        "margin": oracle.one(f"select sum(gross_profit_usd) / sum(revenue_usd) {shop}"),
        "order_value_usd": oracle.one(f"select sum(revenue_usd) / sum(orders) {shop}"),
        "acquisition_rate": oracle.one(f"select sum(new_customers) / sum(orders) {shop}"),
        "correlation.0.r": oracle.one(
            f"select corr(s.y, m.x) from (select date_day, sum(spend_usd)::double x from marts.fct_media_daily where {p['media']} group by 1) m "
            f"join (select date_day, sum(revenue_usd)::double y from marts.fct_pos_daily where {p['sales']} group by 1) s using (date_day)"
        ),
    }
    wanted["cpa_usd"] = (
        oracle.one(f"select sum(spend_usd) from marts.fct_media_daily where {p['media']}")
        / wanted["new_customers"]
    )
    for key, value in wanted.items():
        assert close(page.figures[key], value), key


def test_profit_by_channel_adds_up_to_the_gross_profit_of_all_sales(oracle: Oracle) -> None:
    """With the rule's own SQL: one margin for every dollar, a row for what no platform claims, also under a filter."""
    for chosen in ([], ["youtube"]):
        state = {"period": "4w", "channel": chosen, "retailer": [], "dma": []}
        page, p = open_page("impact", {k: v for k, v in state.items() if v}), predicates(state)
        rows = sorted(
            {int(k.split(".")[1]) for k in page.figures if re.fullmatch(r"profit\.\d+\.profit_usd", k)}
        )
        assert len(rows) == len(chosen or range(12)) + 1
        margin = oracle.one(
            f"select sum(gross_profit_usd) / sum(revenue_usd) from marts.fct_business_daily where {p['base']}"
        )
        sold = oracle.one(f"select sum(revenue_usd) from marts.fct_pos_daily where {p['sales']}")
        spend = oracle.one(f"select sum(spend_usd) from marts.fct_media_daily where {p['media']}")
        total = {
            c: sum(page.figures[f"profit.{r}.{c}"] or 0 for r in rows)
            for c in ("sales_usd", "cogs_usd", "gross_profit_usd", "profit_usd")
        }
        assert close(total["sales_usd"], sold) and close(total["gross_profit_usd"], float(sold) * margin)
        assert close(total["cogs_usd"] + total["gross_profit_usd"], sold)
        assert close(total["profit_usd"], float(sold) * margin - float(spend))
    assert "not identified" in page.html and "same cost of goods" in page.html


def test_chances_of_each_rank() -> None:
    """Against a million draws; rows and columns add up to one, equals share evenly, a far winner surely wins."""
    mean, half = np.array([2.0, 1.5, 1.4, 0.2]), np.array([1.0, 0.3, 1.5, 0.1])
    found = economics.rank_probabilities(mean, mean - half, mean + half)
    np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-4)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-9)
    drawn = np.random.default_rng(3).normal(mean, half / 1.645, (1_000_000, 4))
    place = (-drawn).argsort(axis=1).argsort(axis=1)
    share = np.stack([(place == rank).mean(axis=0) for rank in range(4)], axis=1)
    np.testing.assert_allclose(found, share, atol=0.003)
    np.testing.assert_allclose(economics.rank_probabilities([1, 1], [0, 0], [2, 2]), 0.5, atol=1e-6)
    page = open_page("budget")
    for name in ("best", "worst"):
        chances = [
            v for k, v in page.figures.items() if re.fullmatch(rf"marginal\.\d+\.{name}", k) and v is not None
        ]
        assert len(chances) > 5 and sum(chances) == pytest.approx(1, abs=1e-3)


def test_p_of_a_correlation_counts_days_for_their_likeness(tmp_path: Path) -> None:
    """Independent days: scipy's p. Days that repeat their neighbour count for fewer, so p is larger than the plain one."""
    rng = np.random.default_rng(5)
    days = pd.date_range("2026-01-01", periods=60)
    noise = rng.normal(size=(2, 60))
    walk = rng.normal(size=(2, 60)).cumsum(axis=1)
    for name, (x, y) in (("noise", noise + 50), ("walk", walk + 50)):
        path = tmp_path / f"{name}.duckdb"
        media = pd.DataFrame(
            {"brand_id": "b", "date_day": days, "channel_id": "c", "dma_id": "501", "spend_usd": x}
        )
        media[["impressions", "clicks", "platform_conversions", "platform_value_usd"]] = 0.0
        pos = pd.DataFrame(
            {
                "brand_id": "b",
                "date_day": days,
                "retailer_id": "r",
                "dma_id": "501",
                "revenue_usd": y,
                "units": 1.0,
            }
        )
        with duckdb.connect(str(path)) as db:
            db.execute("create schema marts")
            for table, frame in (("fct_media_daily", media), ("fct_pos_daily", pos)):
                db.register("given", frame.assign(date_day=frame.date_day.dt.date))
                db.execute(f"create table marts.{table} as select * from given")
                db.unregister("given")
        f = Filters("b", days[0].date(), days[-1].date(), (), (), ())
        found = economics.correlations(Snapshot(path, "t"), f, (0,)).iloc[0]
        plain = stats.pearsonr(x, y)
        assert found.r == pytest.approx(plain.statistic) and found.n == 60
        if name == "noise":
            assert found.p == pytest.approx(plain.pvalue, abs=0.03)
        else:
            assert found.p > 3 * plain.pvalue
    assert economics.correlations(Snapshot(path, "t"), f, (70,)).empty


def test_quality_segments_and_gifting(oracle: Oracle) -> None:
    page = open_page("quality")
    assert page.figures["rows_loaded"] == oracle.one(
        "select sum(rows_loaded) from marts.fct_feed_load where brand_id = 'swiftpod'"
    )
    assert page.figures["rows_quarantined"] == oracle.one(
        "select sum(rows_quarantined) from marts.fct_feed_load where brand_id = 'swiftpod'"
    )
    page = open_page("segments")
    assert page.figures["segment.s1"] == oracle.one(
        "select customers from marts.dim_segment where segment_id = 's1'"
    )
    for chosen in (
        {},
        {"client": ["301"], "service": ["2"]},
        {"year": ["2019"]},
        {"client": ["300", "305"], "year": ["2018", "2020"]},
    ):
        page = open_page("gifting", chosen)
        where = "brand_id = 'swiftpod'"
        if chosen.get("client"):
            where += f" and client_id in {listed(chosen['client'])}"
        if chosen.get("service"):
            where += f" and service_id in {listed(chosen['service'])}"
        if chosen.get("year"):
            where += f" and year(month_start_date) in ({', '.join(chosen['year'])})"
        assert close(
            page.figures["gift.amount_usd"],
            oracle.one(f"select sum(total_amount_usd) from marts.fct_gift_order where {where}"),
        )
        assert page.figures["gift.orders"] == oracle.one(
            f"select count(*) from marts.fct_gift_order where {where}"
        )
