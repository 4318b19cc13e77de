"""Drift, lifetime value, geography clusters, gifting answers, and the jobs on small feature marts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from modeling.errors import Refusal
from modeling.segments import job as segments_job
from modeling.segments.drift import drift, migration, stability_index
from modeling.segments.geography import MODELS, cluster_places, predict
from modeling.segments.gifting import client_value, conversions, gift_response, wilson
from modeling.segments.response import job as response_job
from modeling.segments.response.spec import OUTPUTS as RESPONSE_OUTPUTS
from modeling.segments.spec import OUTPUTS
from modeling.segments.value import (
    expected_basket,
    expected_purchases,
    fit_value,
    hold_out_error,
    probability_active,
    summarise,
)

MONTHS = pd.to_datetime(["2026-01-01", "2026-02-01", "2026-03-01"])


def test_migration_counts_everybody_once() -> None:
    frame = pd.DataFrame(
        {
            "customer_key": ["a", "b", "a", "b", "c"],
            "month_start_date": MONTHS[[0, 0, 1, 1, 1]],
            "segment_id": [1, 2, 1, 1, 2],
        }
    )
    moved = migration(frame).set_index(["from_segment_id", "to_segment_id"])["customers"].to_dict()
    assert moved == {(0, 2): 1, (1, 1): 1, (2, 1): 1}


def test_drift_shares_and_index() -> None:
    frame = pd.DataFrame(
        {
            "customer_key": range(6),
            "month_start_date": MONTHS[[0, 0, 0, 1, 1, 1]],
            "segment_id": [1, 1, 2, 1, 2, 2],
        }
    )
    table = drift(frame, 3)
    assert len(table) == 6 and table.groupby("month_start_date")["share"].sum().eq(1).all()
    newest = table[table["month_start_date"] == MONTHS[1]]
    assert (newest["stability_index"] == 0).all()
    assert (table.loc[table["month_start_date"] == MONTHS[0], "stability_index"] > 0.25).all()
    assert stability_index(np.array([0.5, 0.5]), np.array([0.5, 0.5])) == 0


def buyers(seed: int = 0, count: int = 1500, weeks: int = 100) -> pd.DataFrame:
    """Purchase weeks of customers with a rate of their own and a chance to stop after each purchase."""
    rng = np.random.default_rng(seed)
    rate, stop = rng.gamma(2.0, 1 / 16.0, count), rng.beta(1.0, 12.0, count)
    first = rng.integers(0, weeks // 2, count)
    rows = []
    for who in range(count):
        week = float(first[who])
        while week < weeks:
            rows.append((who, int(week), 1.0, float(rng.gamma(5.0, 5.0))))
            if rng.random() < stop[who]:
                break
            week += rng.exponential(1 / rate[who])
    frame = pd.DataFrame(rows, columns=["customer_key", "week", "purchases", "value_usd"])
    return frame.groupby(["customer_key", "week"], as_index=False).agg(
        purchases=("purchases", "sum"), value_usd=("value_usd", "sum")
    )


def test_lifetime_value_predicts_a_hold_out() -> None:
    events = buyers()
    assert abs(hold_out_error(events, 99, 26)) < 0.12
    table = summarise(events, 99)
    model = fit_value(table)
    alive = probability_active(model, table)
    assert ((alive >= 0) & (alive <= 1)).all()
    frequent = table["repeats"] >= 4
    quiet = (table["age"] - table["last"]) > 40
    assert alive[frequent & quiet].mean() < 0.6 < alive[frequent & ~quiet].mean()
    year = expected_purchases(model, table, 52.0)
    assert (year >= 0).all() and expected_purchases(model, table, 26.0).sum() < year.sum()
    basket = expected_basket(model, table)
    own = table["basket_usd"].to_numpy()
    assert basket.std() < own.std(), "own means are drawn together"
    assert basket.mean() == pytest.approx(own.mean(), rel=0.05)


def test_lifetime_value_refuses_few_customers() -> None:
    with pytest.raises(Refusal, match="too few for lifetime value"):
        fit_value(summarise(buyers(count=60), 99))


def places(
    seed: int = 0, effect: tuple[float, float] = (0.05, 0.05), count: int = 60, weeks: int = 80
) -> pd.DataFrame:
    """Two kinds of places (Amazon and Walmart places) whose sales answer video by ``effect``."""
    rng = np.random.default_rng(seed)
    kind = np.arange(count) % 2
    video = rng.gamma(1.5, 0.01, (count, weeks)) * (rng.random((count, weeks)) < 0.6)
    promo = np.tile(rng.random(weeks) * 0.1, (count, 1))
    log = (
        -1
        + np.array(effect)[kind][:, None] * np.log1p(video / video.mean()) * 10
        + 1.5 * promo
        + rng.normal(0, 0.02, (count, weeks))
    )
    homes = rng.uniform(5e4, 5e5, count)
    start = pd.date_range("2025-01-05", periods=weeks, freq="7D")
    grid = pd.DataFrame(
        {
            "dma_id": np.repeat([f"{500 + i}" for i in range(count)], weeks),
            "week_start_date": np.tile(start, count),
        }
    )
    return grid.assign(
        tv_homes=np.repeat(homes, weeks),
        revenue_usd=(np.exp(log) * homes[:, None]).ravel(),
        amazon_share=np.repeat(np.where(kind == 0, 0.6, 0.3) + rng.normal(0, 0.01, count), weeks),
        walmart_share=np.repeat(np.where(kind == 0, 0.2, 0.5) + rng.normal(0, 0.01, count), weeks),
        price_index=1.0,
        promo_index=promo.ravel(),
        video_usd_per_home=video.ravel(),
        social_usd_per_home=0.0,
        search_usd_per_home=0.0,
        rmn_usd_per_home=0.0,
        search_interest=50.0,
        temperature_f=np.repeat(np.where(kind == 0, 50.0, 75.0) + rng.normal(0, 1, count), weeks),
        is_complete=True,
    )


def test_clusters_with_their_own_response_predict_better() -> None:
    found = cluster_places(places(effect=(0.08, 0.0)))
    assert found.clusters["cluster_id"].nunique() == 2
    kinds = (
        found.clusters.assign(kind=found.clusters["dma_id"].astype(int) % 2)
        .groupby("cluster_id")["kind"]
        .nunique()
    )
    assert (kinds == 1).all(), "the planted kinds are found"
    mean = found.scores.groupby("model")["wape"].mean()
    assert mean["clusters"] < 0.7 * mean["pooled"] and mean["mixed"] < 0.8 * mean["pooled"]
    assert set(found.scores["model"]) == set(MODELS) and len(found.scores) == 9


def test_without_differences_the_pooled_model_does_not_lose() -> None:
    mean = cluster_places(places(seed=1)).scores.groupby("model")["wape"].mean()
    assert mean["pooled"] <= 1.02 * mean.min()


def test_predictions_use_the_past_only() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(12, 50, 3)), rng.normal(size=(12, 50))
    for model in MODELS:
        a = predict(model, x, y, 40, 5, np.arange(12) % 2)
        future = y.copy()
        future[:, 40:] += 100
        np.testing.assert_array_equal(a, predict(model, x, future, 40, 5, np.arange(12) % 2))


def test_few_places_are_refused() -> None:
    with pytest.raises(Refusal, match="too few to compare"):
        cluster_places(places(count=20))


# gifting ---------------------------------------------------------------------------------------------------------


def test_wilson_interval_known_values() -> None:
    low, high = wilson(0, 20, 0.95)
    assert low == pytest.approx(0.0, abs=1e-12) and high == pytest.approx(0.1611, abs=1e-3)
    low, high = wilson(15, 20, 0.95)
    assert (low, high) == (pytest.approx(0.5313, abs=1e-3), pytest.approx(0.8881, abs=1e-3))


def test_open_answers_are_not_counted_as_no() -> None:
    frame = pd.DataFrame(
        {
            "gift_id": ["1"] * 60 + ["2"] * 10,
            "is_converted": [True] * 20 + [False] * 20 + [None] * 20 + [True] * 10,
        }
    )
    rows = {r["entity"]: r for r in conversions(frame)}
    assert rows["1"]["estimate"] == 0.5 and rows["1"]["observations"] == 40 and rows["1"]["is_supported"]
    assert not rows["2"]["is_supported"] and "fewer than 30" in str(rows["2"]["note"])


def test_nothing_delivered_is_said_in_words() -> None:
    table = gift_response(
        pd.DataFrame(columns=["gift_id", "is_converted"]),
        pd.DataFrame(columns=["client_id", "month_start_date", "total_revenue_usd"]),
    )
    assert not table["is_supported"].any()
    assert table["note"].str.startswith("not supported: ").all()


def test_gifting_pack(shared_data: Path) -> None:
    names = ["recipient_id", "client_id", "gift_id", "quantity", "price", "status", "answer"]
    sent = pd.read_csv(
        shared_data / "alyce" / "alyce_clientexpenditure.csv", sep="\t", header=None, names=names, dtype=str
    )
    sent["is_converted"] = sent["answer"].str.strip().map({"Yes": True, "No": False})
    orders = pd.read_csv(shared_data / "alyce" / "alyce_facts_final.csv")
    orders["month_start_date"] = pd.to_datetime({"year": orders["year"], "month": orders["month"], "day": 1})
    table = gift_response(sent, orders.rename(columns={"total_revenue": "total_revenue_usd"})).set_index(
        ["measure", "entity"]
    )
    overall = table.loc[("conversion_rate", "all")]
    assert overall["observations"] == (sent["answer"].str.strip() != "Maybe").sum()
    assert 0.4 < overall["estimate"] < 0.6
    assert "not differ" in overall["note"]
    assert "nobody to compare with" in table.loc[("gift_uplift", "all"), "note"]
    assert "predicted with" in table.loc[("client_value_12m_usd", "client"), "note"]


def test_client_value_needs_months() -> None:
    few = pd.DataFrame(
        {"client_id": ["a"], "month_start_date": [pd.Timestamp("2026-01-01")], "total_revenue_usd": [5.0]}
    )
    assert "too few for a hold-out" in str(client_value(few)["note"])


# jobs ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def marts() -> dict[str, pd.DataFrame]:
    """Small feature marts with three kinds of customers in forty places."""
    rng = np.random.default_rng(0)
    count, dmas = 900, np.array([f"{500 + i}" for i in range(40)])
    keys = np.array([f"k{i:04d}" for i in range(count)])
    kind = np.arange(count) % 3
    bought = np.array([24, 9, 2])[kind] + rng.integers(0, 3, count)
    months = pd.date_range("2026-01-01", periods=6, freq="MS")
    rows = [
        pd.DataFrame(
            {
                "brand_id": "b", "customer_key": keys, "month_start_date": m, "dma_id": dmas[np.arange(count) // 3 % 40],
                "observed_days": 364, "recency_days": np.array([5, 20, 60])[kind] + rng.integers(0, 20, count),
                "purchases": bought, "recent_purchases": bought // 4, "clips": bought, "discount_usd": 1.5 * bought,
                "value_usd": bought * (np.array([40.0, 25.0, 12.0])[kind] + rng.normal(0, 1, count)),
                "amazon_purchases": 0, "walmart_purchases": 0, "mails": 20, "opens": np.array([12, 6, 1])[kind],
            }
        )
        for m in months
    ]  # fmt: skip
    weeks = pd.date_range("2026-01-04", periods=25, freq="7D")
    week = pd.DataFrame(
        {
            "customer_key": np.repeat(keys, 25),
            "week_start_date": np.tile(weeks, count),
            "kind": np.repeat(kind, 25),
        }
    )
    week["purchases"] = rng.poisson(np.array([0.4, 0.2, 0.1])[week["kind"]])
    week["mails"] = rng.integers(0, 2, len(week))
    week["value_usd"] = 20.0 * week["purchases"]
    grid = pd.MultiIndex.from_product(
        [weeks, dmas, ["tv", "national"]], names=["week_start_date", "dma_id", "channel_id"]
    ).to_frame(index=False)
    grid["pressure_usd_per_home"] = np.where(
        grid["channel_id"] == "tv", rng.gamma(2.0, 0.01, len(grid)), 0.01
    )
    grid = grid.assign(
        brand_id="b",
        is_demand_chasing=False,
        is_modelled_geo=False,
        tv_homes=1e5,
        search_interest=50 + rng.normal(0, 1, len(grid)),
    )
    grid["search_interest"] = grid.groupby(["week_start_date", "dma_id"])["search_interest"].transform(
        "first"
    )
    return {
        "feat_customer_month": pd.concat(rows, ignore_index=True),
        "feat_customer_week": week.assign(brand_id="b"),
        "feat_segment_pressure_week": grid,
        "feat_geo_cluster_week": places(count=20),
        "fct_gift_expenditure": pd.DataFrame(columns=["brand_id", "gift_id", "is_converted"]),
        "fct_gift_order": pd.DataFrame(
            columns=["brand_id", "client_id", "month_start_date", "total_revenue_usd"]
        ),
    }


def test_jobs_give_their_declared_tables(marts: dict[str, pd.DataFrame]) -> None:
    first = segments_job.fit(marts, "all", seed=1, upstream={})
    assert {t: list(f.columns) for t, f in first.outputs.items()} == {t: list(c) for t, c in OUTPUTS.items()}
    assert first.metrics["k"] >= 3
    kinds = first.outputs["customer_segment"].assign(kind=lambda f: f["customer_key"].str[1:].astype(int) % 3)
    assert kinds.groupby("segment_id")["kind"].nunique().eq(1).all()
    assert first.metrics["geography"].startswith("not supported")
    second = response_job.fit(marts, "all", seed=1, upstream=first.outputs)
    assert {t: list(f.columns) for t, f in second.outputs.items()} == {
        t: list(c) for t, c in RESPONSE_OUTPUTS.items()
    }
    effects = second.outputs["segment_response"].set_index(["segment_id", "channel_id"])
    assert effects.loc[(1, "tv"), "is_supported"] and not effects.loc[(1, "national"), "is_supported"]
    assert {"email", "tv", "national"} == set(effects.index.get_level_values(1))
    shares = second.outputs["segment_share_week"].groupby(["week_start_date", "dma_id"])["share"].sum()
    np.testing.assert_allclose(shares, 1.0)


def test_jobs_do_not_depend_on_row_order(marts: dict[str, pd.DataFrame]) -> None:
    mixed = {k: f.sample(frac=1.0, random_state=9).reset_index(drop=True) for k, f in marts.items()}
    straight = segments_job.fit(marts, "all", seed=1, upstream={})
    shuffled = segments_job.fit(mixed, "all", seed=1, upstream={})
    pd.testing.assert_frame_equal(straight.outputs["customer_segment"], shuffled.outputs["customer_segment"])
    a = response_job.fit(marts, "all", seed=1, upstream=straight.outputs).outputs["segment_response"]
    b = response_job.fit(mixed, "all", seed=1, upstream=shuffled.outputs).outputs["segment_response"]
    pd.testing.assert_frame_equal(a, b)


def test_jobs_refuse_what_they_cannot_do(marts: dict[str, pd.DataFrame]) -> None:
    empty = {**marts, "feat_customer_month": marts["feat_customer_month"].head(0)}
    with pytest.raises(Refusal, match="half a year"):
        segments_job.fit(empty, "all", seed=1, upstream={})
    with pytest.raises(Refusal, match="no customer segments"):
        response_job.fit(marts, "all", seed=1, upstream={})
    foreign = pd.DataFrame(
        {"customer_key": ["x"], "month_start_date": [pd.Timestamp("2026-01-01")], "segment_id": [1]}
    )
    with pytest.raises(Refusal, match="keys do not match"):
        response_job.fit(marts, "all", seed=1, upstream={"customer_segment": foreign})
    assert segments_job.units(marts) == response_job.units(marts) == ["all"]
