"""Budget plans from the mix model's outlook: scenarios as rows, each adding up to its budget."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from modeling.budget.optimise import to_cents
from modeling.budget.plan import Outlook, make_plan, scenario_gain
from modeling.budget.spec import OUTPUTS
from modeling.errors import Refusal
from modeling.mmm.transforms import Array
from modeling.runner import JobResult

MOVE_USD = 5_000_000.0
#: A channel gives or gets at most this share of its own budget in the moved scenario.
MOVE_LIMIT = 0.5


def units(features: Mapping[str, pd.DataFrame]) -> list[str]:
    """One unit: channels share one budget."""
    return ["all"]


def read_outlook(table: pd.DataFrame) -> Outlook:
    """The outlook from its long form."""
    names = tuple(sorted(table["channel_id"].unique()))
    table = table.assign(c=table["channel_id"].map({n: i for i, n in enumerate(names)}))
    table = table.sort_values(["draw", "c", "level"])
    d, m = int(table["draw"].max()) + 1, int(table["level"].max()) + 1
    shape = (d, len(names), m)
    first = table[(table["draw"] == 0) & (table["level"] == 0)]
    return Outlook(
        names=names,
        recent=first["recent_usd"].to_numpy(dtype=float),
        spend=table["spend_usd"].to_numpy(dtype=float).reshape(shape)[0],
        draws=table["revenue_usd"].to_numpy(dtype=float).reshape(shape),
        observed_max=first["observed_max_usd"].to_numpy(dtype=float),
        horizon=int(first["horizon_weeks"].iloc[0]),
    )


def moved_plan(look: Outlook, current: Array, amount: float) -> Array:
    """`amount` from where the next dollar earns least to where it earns most, each channel within half its budget."""
    step = 0.05
    marginal = (look.earn(current * (1 + step)) - look.earn(current)).mean(axis=0) / np.maximum(
        current * step, 1e-9
    )
    amount = min(amount, MOVE_LIMIT * float(current.sum()) / 2)
    change = np.zeros_like(current)
    give, get = amount, amount
    for c in np.argsort(marginal, kind="stable"):
        take = min(give, MOVE_LIMIT * current[c])
        change[c] -= take
        give -= take
    for c in np.argsort(-marginal, kind="stable"):
        if change[c] < 0:
            continue
        put = min(get, MOVE_LIMIT * current[c])
        change[c] += put
        get -= put
    if get > 1e-6:  # nowhere to put the rest: it stays where it was
        takers = change < 0
        change[takers] += get * change[takers] / change[takers].sum()
    return current + change


def fit(
    features: Mapping[str, pd.DataFrame], unit: str, *, seed: int, upstream: Mapping[str, pd.DataFrame]
) -> JobResult:
    """All scenarios over the outlook's horizon.

    Raises:
        Refusal: there is no mix model to plan from, or nothing was spent lately.
    """
    table = upstream.get("mmm_outlook")
    if table is None or table.empty:
        raise Refusal("no good mix model run to plan from")
    look = read_outlook(table)
    current = to_cents(look.recent, float(np.round(look.recent.sum(), 2)))
    if current.sum() <= 0:
        raise Refusal("nothing was spent in the recent weeks: there is no plan to improve")
    plan = make_plan(look, dark=True)
    moved = moved_plan(look, current, MOVE_USD)
    budget = float(np.round(current.sum(), 2))
    plans = {
        str(name): rows.set_index("channel")["spend"].reindex(list(look.names)).to_numpy(dtype=float)
        for name, rows in plan.frame.groupby("scenario", sort=False)
    }
    plans["move_5m"] = to_cents(moved, budget)
    rows = []
    for name, spend in plans.items():
        rows += scenario_gain(name, look, spend, current)
    frame = pd.DataFrame(rows).assign(horizon_weeks=look.horizon)
    gap = max(a.kkt_gap for a in plan.proofs.values())
    metrics = {
        "budget_usd": budget,
        "kkt_gap": gap,
        "scenarios": len(plans),
        "solver": plan.proofs["optimal"].solver,
        "moved_usd": float(np.abs(moved - current).sum() / 2),
    }
    weeks = features["feat_mmm_media_week"]["week_start_date"]
    window = (weeks.min().date(), (weeks.max() + pd.Timedelta(days=6)).date())
    return JobResult({"budget_scenario": frame[list(OUTPUTS["budget_scenario"])]}, metrics, window)
