"""Planted elasticities are recovered with honest intervals; what cannot be answered is refused in one line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.elasticity_promo import KINDS, make_world
from modeling.__main__ import main
from modeling.elasticity.estimator import Columns, PriceElasticity
from modeling.errors import InputError, Refusal
from tests.elasticity.panels import ELASTICITY, INTERACTION, LIFT, panel

COLUMNS = Columns("units", "price", "promo", "sku", "week")


@pytest.mark.parametrize(
    "shape", [{"entities": 14}, {"entities": 1, "periods": 156}, {"entities": 4, "common": True}]
)
def test_intervals_cover_what_was_planted(shape: dict[str, int]) -> None:
    """Over 60 seeds: 95 % intervals cover at least 85 % (a binomial tail below 1 in 1,000 if they are honest)."""
    elasticity, lift = [], []
    for seed in range(60):
        found = PriceElasticity(COLUMNS).fit(panel(seed, **shape))
        elasticity.append(found.elasticity.low <= ELASTICITY <= found.elasticity.high)
        assert found.promo_lift_pct is not None
        lift.append(found.promo_lift_pct.low <= 100 * np.expm1(LIFT) <= found.promo_lift_pct.high)
    assert np.mean(elasticity) >= 0.85
    assert np.mean(lift) >= 0.85


def test_the_dip_after_a_promotion_lowers_the_net_lift() -> None:
    found = PriceElasticity(COLUMNS).fit(panel(3, entities=60, periods=60))
    assert found.promo_lift_pct is not None
    assert found.promo_lift_net_pct is not None
    assert found.promo_lift_net_pct.value < found.promo_lift_pct.value
    assert found.interaction is not None
    assert found.interaction.low <= INTERACTION <= found.interaction.high


def test_buying_ahead_after_deep_promotions_does_not_bias_the_lift() -> None:
    """The dip grows with the promotion's depth; over 25 worlds the 95 % intervals hold and their centres do not lean."""
    held, error = [], []
    for seed in range(25):
        data, truth = make_world(seed, KINDS["18 series"])
        found = PriceElasticity(Columns("units", "price", "promo", "series", "week")).fit(data)
        for what, real in truth.items():
            made = getattr(found, what)
            held.append((what, made.low <= real <= made.high))
            error.append((what, made.value - real))
    shares = pd.DataFrame(held, columns=["what", "held"]).groupby("what")["held"].mean()
    lean = pd.DataFrame(error, columns=["what", "error"]).groupby("what")["error"].mean()
    assert (shares >= 0.8).all()
    assert abs(lean["promo_lift_pct"]) < 1.2
    assert abs(lean["promo_lift_net_pct"]) < 1.2
    assert abs(lean["interaction"]) < 0.08


def test_least_squares_with_dummies_is_the_oracle() -> None:
    """Absorbing the effects gives the coefficients of the regression that spells them out."""
    data = panel(5, entities=12, periods=40)
    found = PriceElasticity(Columns("units", "price", None, "sku", "week")).fit(data)
    dummies = (
        pd.get_dummies(data["sku"])
        .join(pd.get_dummies(data["week"], prefix="t").iloc[:, 1:])
        .to_numpy(dtype=float)
    )
    x = np.column_stack([np.log(data["price"]), dummies])
    assert found.elasticity.value == pytest.approx(
        np.linalg.lstsq(x, np.log(data["units"]), rcond=None)[0][0], abs=1e-8
    )


def test_weeks_without_sales_are_kept_not_dropped() -> None:
    data = panel(1, zeros=True, entities=30)
    assert (data["units"] == 0).any()
    found = PriceElasticity(COLUMNS).fit(data)
    assert "Poisson" in found.method
    assert found.observations == len(data)
    assert found.elasticity.low <= ELASTICITY <= found.elasticity.high


def test_row_order_does_not_count() -> None:
    data = panel(2)
    first = PriceElasticity(COLUMNS).fit(data)
    second = PriceElasticity(COLUMNS).fit(data.sample(frac=1, random_state=4))
    assert second.elasticity.value == pytest.approx(first.elasticity.value, rel=1e-10)
    assert second.elasticity.high == pytest.approx(first.elasticity.high, rel=1e-10)


def test_an_instrument_removes_the_bias_of_a_price_that_follows_demand() -> None:
    rng = np.random.default_rng(8)
    demand, cost = rng.normal(0, 0.3, 2000), rng.normal(0, 0.2, 2000)
    log_price = 1 + cost + 0.5 * demand
    data = pd.DataFrame(
        {"units": np.exp(5 - 1.5 * log_price + demand), "price": np.exp(log_price), "cost": np.exp(cost)}
    )
    naive = PriceElasticity(Columns("units", "price")).fit(data)
    fixed = PriceElasticity(Columns("units", "price", instrument="cost")).fit(data)
    assert naive.elasticity.low > -1.4
    assert fixed.elasticity.low <= -1.5 <= fixed.elasticity.high
    assert fixed.first_stage_f is not None
    assert fixed.first_stage_f > 100


@pytest.mark.parametrize(
    ("change", "kind", "why"),
    [
        (lambda d: d.head(3), Refusal, "3 rows"),
        (lambda d: d.assign(price=2.0), Refusal, "does not vary"),
        (lambda d: d.assign(price=d["price"] * 0), InputError, "not positive"),
        (lambda d: d.assign(units=-d["units"]), InputError, "negative"),
        (lambda d: d.assign(units="many"), InputError, "not numbers"),
        (lambda d: pd.concat([d, d.head(1)]), InputError, "repeats"),
        (lambda d: d.assign(week="13/01/2024"), InputError, "ISO dates"),
    ],
)
def test_unusable_panels_are_refused_in_one_line(change: object, kind: type[Exception], why: str) -> None:
    with pytest.raises(kind, match=why) as refused:
        PriceElasticity(COLUMNS).fit(change(panel(1)))  # type: ignore[operator]
    assert "\n" not in str(refused.value)


def test_the_command_writes_whole_results(tmp_path: Path) -> None:
    panel(7).to_csv(tmp_path / "p.csv", index=False)
    words = ["elasticity", "--panel", str(tmp_path / "p.csv"), "--units", "units", "--price", "price", "--promo", "promo",
             "--entity", "sku", "--out", str(tmp_path / "out")]  # fmt: skip
    assert main(words) == 0
    result = json.loads((tmp_path / "out" / "elasticity.json").read_text())
    assert result["ci_low"] < result["estimate"] < result["ci_high"] < 0
    assert result["promo_lift"]["ci_low"] < result["promo_lift"]["estimate"]
    assert result["std_error_kind"]
    assert result["revenue_elasticity"]["estimate"] == pytest.approx(1 + result["estimate"])


def test_the_command_refuses_with_exit_code_two(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    panel(7).head(3).to_csv(tmp_path / "p.csv", index=False)
    words = [
        "elasticity",
        "--panel",
        str(tmp_path / "p.csv"),
        "--units",
        "units",
        "--price",
        "price",
        "--out",
        str(tmp_path / "o"),
    ]
    assert main(words) == 2
    assert main([*words[:4], "nothing", *words[5:]]) == 2
    assert not (tmp_path / "o").exists()
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("elasticity:")]
    assert len(lines) == 2
