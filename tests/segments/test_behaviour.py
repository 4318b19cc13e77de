"""Scores freed of chance, segments that do not follow the retailer, and what two rounds of the job say together."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_rand_score

from modeling.errors import Refusal
from modeling.segments import job as segments_job
from modeling.segments.behaviour import (
    fit_mean,
    fit_priors,
    fit_rate,
    fit_share,
    in_units,
    pooled,
    scores,
    telling,
)
from modeling.segments.job import find_segments

COUNT = 3000


def customers(seed: int = 0, count: int = COUNT, groups: int = 3) -> tuple[pd.DataFrame, np.ndarray]:
    """One month of customers in ``groups`` planted groups; retailers are strongly preferred at random."""
    rng = np.random.default_rng(seed)
    group = rng.integers(0, groups, count)
    bought = rng.poisson(np.array([24.0, 8.0, 2.0])[group])
    mails = rng.integers(10, 40, count)
    loyal = rng.integers(0, 3, count)
    there = [rng.binomial(bought, np.where(loyal == r, 0.9, 0.05)) for r in (0, 1)]
    frame = pd.DataFrame(
        {
            "customer_key": [f"k{i:05d}" for i in range(count)],
            "observed_days": 364,
            "recency_days": rng.integers(0, 364, count),
            "purchases": bought,
            "recent_purchases": rng.binomial(bought, 0.25),
            "clips": bought + rng.binomial(bought, 0.25),
            "value_usd": bought * np.array([35.0, 18.0, 30.0])[group] * np.exp(rng.normal(0, 0.35 / np.sqrt(np.maximum(bought, 1)))),
            "discount_usd": rng.gamma(np.maximum(4 * bought, 1e-9), 0.5),
            "amazon_purchases": there[0],
            "walmart_purchases": np.minimum(there[1], bought - there[0]),
            "mails": mails,
            "opens": rng.binomial(mails, np.array([0.5, 0.3, 0.1])[group]),
        }
    )  # fmt: skip
    return frame, group


def test_priors_recover_what_made_the_data() -> None:
    """Mean and weight of a gamma-Poisson rate, a beta-binomial share and a normal mean, from 20,000 customers each."""
    rng = np.random.default_rng(1)
    exposure = rng.uniform(0.2, 1.0, 20_000)
    rate = fit_rate(rng.poisson(rng.gamma(3.0, 2.0, 20_000) * exposure).astype(float), exposure)
    assert rate.mean == pytest.approx(6.0, rel=0.03) and rate.weight == pytest.approx(0.5, rel=0.1)
    trials = rng.integers(1, 30, 20_000)
    share = fit_share(rng.binomial(trials, rng.beta(2.0, 6.0, 20_000)).astype(float), trials.astype(float))
    assert share.mean == pytest.approx(0.25, rel=0.03) and share.weight == pytest.approx(8.0, rel=0.1)
    counts = rng.integers(1, 20, 20_000)
    own = rng.normal(3.0, 0.5, 20_000)
    mean = fit_mean(own + rng.normal(0, 1, 20_000) / np.sqrt(counts), counts.astype(float))
    assert mean.mean == pytest.approx(3.0, rel=0.02) and mean.weight == pytest.approx(4.0, rel=0.15)


def test_scores_predict_better_than_raw_rates() -> None:
    """The point of shrinking: next year's purchases are nearer to the score than to last year's count."""
    rng = np.random.default_rng(2)
    frame, _ = customers()
    true = rng.gamma(2.0, 2.0, COUNT)
    frame["purchases"] = rng.poisson(true)
    score = np.exp(scores(frame, fit_priors(frame))["purchase_rate"].to_numpy())
    later = rng.poisson(true)
    assert ((later - score) ** 2).mean() < 0.85 * ((later - frame["purchases"]) ** 2).mean()


def test_what_differs_by_chance_alone_does_not_form_segments() -> None:
    frame, _ = customers()
    priors = fit_priors(frame)
    assert telling(priors) == ["purchase_rate", "basket_usd", "open_rate"]
    assert priors["recent_share"].reliability < 0.2 and priors["coupon_use"].reliability < 0.2
    frame["recent_purchases"] = np.where(
        np.arange(COUNT) % 2 == 0, frame["purchases"], 0
    )  # half came, half left
    assert "recent_share" in telling(fit_priors(frame))


def test_segments_follow_how_people_buy_and_not_where() -> None:
    """In three draws the planted groups are found, and the retailer, however strongly preferred, is not."""
    for seed in range(3):
        frame, group = customers(seed)
        fitted, _ = find_segments(frame, seed)
        favourite = np.argmax(frame[["amazon_purchases", "walmart_purchases"]].to_numpy(), axis=1)
        assert fitted.k == 3
        assert adjusted_rand_score(group, fitted.labels) > 0.8
        assert abs(adjusted_rand_score(favourite, fitted.labels)) < 0.05
        rate = [frame.loc[fitted.labels == s, "purchases"].mean() for s in (1, 2, 3)]
        assert rate == sorted(rate, reverse=True)


def test_profiles_are_in_units_that_people_read() -> None:
    frame, group = customers()
    each, of_group = in_units(frame, fit_priors(frame)), pooled(frame, group)
    assert list(each.columns) == list(of_group.columns)
    assert of_group["purchase_rate"].tolist() == pytest.approx([24, 8, 2], rel=0.05)
    assert of_group["basket_usd"].tolist() == pytest.approx([35, 18, 30], rel=0.05)
    assert of_group["open_rate"].tolist() == pytest.approx([0.5, 0.3, 0.1], rel=0.05)
    assert each[["open_rate", "amazon_share", "coupon_use"]].stack().between(0, 1).all()
    # a customer's own score lies between what was seen and everybody's mean
    lucky = frame["opens"] / frame["mails"] > 0.6
    assert (each["open_rate"] < frame["opens"] / frame["mails"])[lucky].all()


def test_customers_who_do_not_differ_are_refused() -> None:
    frame, _ = customers()
    same = frame.assign(
        **dict.fromkeys(("purchases", "clips", "mails"), 5), recent_purchases=1, opens=2, value_usd=100.0
    )
    with pytest.raises(Refusal, match="chance"):
        find_segments(same.assign(discount_usd=5.0), 0)


@pytest.fixture(scope="module")
def rounds() -> list[dict[str, pd.DataFrame]]:
    """Outputs of the job in two rounds a month apart; in the second round some customers change and some are new."""
    first, _ = customers(5, 1500)
    rng = np.random.default_rng(6)
    months = []
    for number in range(4):
        frame = first.copy()
        if number:
            moved = rng.random(len(frame)) < 0.05 * number
            frame.loc[moved, ["purchases", "clips", "opens"]] = 0
            frame.loc[moved, ["value_usd", "discount_usd"]] = 0.0
            frame.loc[moved, ["recent_purchases", "amazon_purchases", "walmart_purchases"]] = 0
        months.append(
            frame.iloc[: 1200 + 100 * number].assign(month_start_date=pd.Timestamp(2026, 1 + number, 1))
        )
    other = {
        "feat_customer_week": pd.DataFrame(
            columns=["customer_key", "week_start_date", "purchases", "value_usd"]
        ),
        "feat_geo_cluster_week": pd.DataFrame(columns=["dma_id", "week_start_date", "is_complete"]),
        "fct_gift_expenditure": pd.DataFrame(columns=["gift_id", "is_converted"]),
        "fct_gift_order": pd.DataFrame(columns=["client_id", "month_start_date", "total_revenue_usd"]),
    }
    return [
        segments_job.fit(
            {**other, "feat_customer_month": pd.concat(months[:n])}, "all", seed=1, upstream={}
        ).outputs
        for n in (3, 4)
    ]


def test_two_rounds_agree_and_add_up(rounds: list[dict[str, pd.DataFrame]]) -> None:
    """A month more: the earlier months keep their segments and numbers, and moves and sizes tell the same story."""
    early, late = (r["customer_segment"] for r in rounds)
    both = early.merge(late, on=["customer_key", "month_start_date"], suffixes=("_early", "_late"))
    assert len(both) == len(early)
    assert (both["segment_id_early"] == both["segment_id_late"]).mean() > 0.95
    for outputs in rounds:
        moves, sizes = outputs["segment_migration"], outputs["segment_drift"]
        arrived = moves.groupby(["month_start_date", "to_segment_id"])["customers"].sum()
        known = sizes.set_index(["month_start_date", "segment_id"])["customers"]
        months = sorted(sizes["month_start_date"].unique())
        for (month, segment), count in arrived.items():
            assert count == known[month, segment]
        left = moves[moves["from_segment_id"] > 0].groupby("month_start_date")["customers"].sum()
        for before, month in pairwise(months):
            assert (
                left[month] == known[before].sum()
            )  # nobody leaves this world, so everybody moves somewhere
            new = moves[(moves["month_start_date"] == month) & (moves["from_segment_id"] == 0)][
                "customers"
            ].sum()
            assert new == 100
        newest = sizes[sizes["month_start_date"] == months[-1]]
        assert newest["stability_index"].abs().max() == 0
        assert (sizes[sizes["month_start_date"] == months[0]]["stability_index"] > 0).all()
