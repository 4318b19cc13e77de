"""Mediation: planted mediators, nulls, shared demand, and what must stay undetermined."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from modeling.errors import Refusal
from modeling.mediation.estimator import averaged, mediate, robustness_value
from modeling.mediation.panel import mediation_table
from modeling.mmm.load import load_panel
from modeling.mmm.spec_file import parse_spec
from tests.mmm.mediation_worlds import MediatedWorld, mediated_world

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


def answer(world: MediatedWorld, *, proxy: bool = True, seed: int = 0):  # type: ignore[no-untyped-def]
    none = np.zeros((0, *world.x.shape))
    proxies = world.proxy[None] if proxy else None
    return mediate(world.x, world.mediator, world.outcome, none, seed=seed, proxies=proxies, draws=100)


def test_planted_mediators_lie_in_their_intervals() -> None:
    worlds = [mediated_world(s) for s in range(20)]
    found = [answer(w) for w in worlds]
    inside = [f.indirect.low <= w.indirect <= f.indirect.high for f, w in zip(found, worlds, strict=True)]
    assert sum(inside) >= 15  # 18 expected at 90 %
    assert all(f.verdict == "supported" for f in found)


@pytest.mark.parametrize("null", [{"a": 0.0}, {"b": 0.0}])
def test_without_mediation_the_interval_reaches_zero(null: dict[str, float]) -> None:
    found = [answer(mediated_world(s, **null)) for s in range(20)]  # type: ignore[arg-type]
    assert sum(f.indirect.low <= 0 <= f.indirect.high for f in found) >= 15
    assert sum(f.verdict == "supported" for f in found) <= 4


def test_shared_demand_passes_for_mediation_without_a_proxy_so_it_is_undetermined() -> None:
    world = mediated_world(3, b=0.0)
    blind = answer(world, proxy=False)
    assert blind.indirect.low > 0  # the bias that the proxy removes
    assert blind.verdict == "undetermined"
    assert answer(world).indirect.low <= 0


def test_a_proxy_that_is_noise_identifies_nothing() -> None:
    world = mediated_world(4)
    rng = np.random.default_rng(0)
    noise = rng.normal(size=world.x.shape)[None]
    found = mediate(
        world.x, world.mediator, world.outcome, np.zeros((0, *world.x.shape)), seed=0, proxies=noise, draws=60
    )
    assert found.instrument_f < 10
    assert found.verdict != "supported"


def test_forms_that_disagree_widen_the_answer() -> None:
    one, other = answer(mediated_world(1)), answer(mediated_world(1, a=0.8))
    both = averaged([one, other])
    assert both.indirect.low <= min(one.indirect.value, other.indirect.value)
    assert both.indirect.high >= max(one.indirect.value, other.indirect.value)


def test_robustness_value_by_hand() -> None:
    # t = 10 with 100 degrees of freedom: f2 = 1, RV = (sqrt(5) - 1) / 2
    assert robustness_value(10.0, 100.0) == pytest.approx((np.sqrt(5) - 1) / 2)


def test_a_flat_mediator_and_short_data_are_refused() -> None:
    world = mediated_world(0, geos=12, periods=30)
    none = np.zeros((0, *world.x.shape))
    with pytest.raises(Refusal, match="mediator does not vary"):
        mediate(world.x, np.ones_like(world.x), world.outcome, none, seed=0)
    with pytest.raises(Refusal, match="too few"):
        mediate(world.x[:2, :8], world.mediator[:2, :8], world.outcome[:2, :8], none[:, :2, :8], seed=0)


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/data is absent")
def test_no_mediation_in_the_lifesight_file() -> None:
    social = ["facebook", "tiktok", "instagram", "snapchat"]
    spec = {
        "date": "week",
        "kpi": "revenue",
        "channels": [{"name": n, "spend": f"{n}_spend"} for n in [*social, "google"]],
        "controls": ["average_price", "promotions", "emails_send", "sms_send", "social_followers"],
        "mediators": [{"name": "google", "channels": social}],
    }
    data = pd.read_csv(SHARED / "lifesight" / "Assessment 2 - MMM Weekly.csv")
    table, warnings = mediation_table(load_panel(data, parse_spec(spec)), seed=0)
    assert warnings == []
    assert len(table) == 4
    assert (table["indirect_p05"] <= 0).all()
    assert (table["indirect_p95"] >= 0).all()
    assert not (table["verdict"] == "supported").any()
