"""Plans from a fit: profit, geographies, pacing."""

from __future__ import annotations

import numpy as np
import pytest

from modeling.budget.optimise import Curves
from modeling.budget.places import pacing, place_curves, place_plan
from modeling.budget.plan import even_pressure, make_plan, most_profit, outlook
from modeling.mmm.estimator import Options, Posterior, fit
from modeling.mmm.transforms import Adstock, adstock_series
from tests.mmm.worlds import simple_world

LIGHT = Options(chains=2, warmup=30, keep=60)


@pytest.fixture(scope="module")
def posterior() -> Posterior:
    return fit(simple_world(2, geos=6, periods=80, noise=0.02)[0], LIGHT)


def test_profit_stops_where_the_next_dollar_returns_one() -> None:
    # revenue 100 sqrt(s), margin 0.5: the best spend has 0.5 x 50 / sqrt(s) = 1, so s = 625
    x = np.linspace(0, 2000, 400)[None]
    found = most_profit(Curves(x, 100 * np.sqrt(x)), np.zeros(1), np.array([2000.0]), 0.5)
    assert found.spend[0] == pytest.approx(625, rel=0.01)
    assert found.kkt_gap <= 1e-6


def test_max_profit_is_a_scenario_that_no_other_beats(posterior: Posterior) -> None:
    look = outlook(posterior, 13)
    plan = make_plan(look, margin=0.4)
    by = plan.frame.groupby("scenario")[["incremental_revenue", "spend"]].sum()
    profit = 0.4 * by["incremental_revenue"] - by["spend"]
    assert profit["max_profit"] >= profit.drop("max_profit").max() - 0.01 * abs(profit.max())
    assert plan.proofs["max_profit"].kkt_gap <= 1e-6


@pytest.mark.parametrize("kind", [Adstock("geometric", 0.6), Adstock("delayed", 0.5, 2.0)])
def test_even_pressure_is_the_adstock_of_an_even_plan_after_the_past(kind: Adstock) -> None:
    kernel, past = kind.weights(26), np.random.default_rng(0).random(26)
    pulse, rest = even_pressure(kernel, 13, past)
    future = np.zeros(len(pulse))
    future[:13] = 2.0
    assert np.allclose(adstock_series(future, kernel, past), 2.0 * pulse + rest)


def test_places_keep_their_bounds_and_the_budget(posterior: Posterior) -> None:
    geos = posterior.panel.geos
    bounds = {geos[0]: (0.0, 0.0), geos[1]: (1.0, 1.0)}
    frame, proof = place_plan(posterior, 13, geo_bounds=bounds, max_share=2.0)
    assert frame["spend"].sum() == pytest.approx(frame["current"].sum(), abs=0.01)
    dark, fixed = frame["geo"] == geos[0], frame["geo"] == geos[1]
    assert (frame.loc[dark, "spend"] == 0).all()
    assert np.allclose(frame.loc[fixed, "spend"], frame.loc[fixed, "current"], atol=0.02)
    free = frame[~dark & ~fixed]
    assert (free["spend"] >= 0.5 * free["current"] - 0.02).all()
    assert (free["spend"] <= 2.0 * free["current"] + 0.02).all()
    assert proof.kkt_gap <= 1e-6
    with pytest.raises(ValueError, match="unknown geography"):
        place_plan(posterior, 13, geo_bounds={"nowhere": (0, 1)})


def test_places_add_up_to_the_channel(posterior: Posterior) -> None:
    """The geographies' curves at today's pace earn what the national outlook says, to a few percent."""
    curves, recent, labels = place_curves(posterior, 13)
    look = outlook(posterior, 13)
    today = np.array([np.interp(s, x, y) for s, x, y in zip(recent, curves.spend, curves.value, strict=True)])
    earned = look.earn(look.recent).mean(axis=0)
    for c, name in enumerate(look.names[:2]):
        mine = today[[i for i, (channel, _) in enumerate(labels) if channel == name]].sum()
        assert mine == pytest.approx(earned[c], rel=0.15)


def test_pacing_waits_for_the_past_to_fade_and_adds_up(posterior: Posterior) -> None:
    spend = {"c0": 4000.0, "c1": 2500.0, "c2": 0.0}
    table = pacing(posterior, spend, 8)
    total = table.groupby("channel")["spend"].sum()
    for name, money in spend.items():
        assert total[name] == pytest.approx(money, abs=0.01)
    assert (table["spend"] >= 0).all()
