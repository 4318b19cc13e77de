"""Rolling-origin backtests: every candidate at every origin, in time order, on data before the origin only."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from modeling.forecast.candidates import BATCHED, SLOW, Candidate
from modeling.forecast.panel import SEASON, YEAR, Array, Mask, Panel
from modeling.forecast.prepare import Memory, View

#: Origins wanted where history allows, and the least that count as a backtest.
ORIGINS = {"D": 6, "W": 8}
MIN_ORIGINS = 4
#: Newest origins at which Prophet and SARIMAX compete.
SLOW_ORIGINS = 4


@dataclass
class Backtest:
    """Forecasts of all candidates at all origins, and at the end of history.

    Attributes:
        models: M candidate names.
        cutoffs: O numbers of periods known at each origin, ascending.
        forecast: (M, O, S, H) past forecasts, NaN where a candidate was silent.
        final: (M, S, H) forecasts from the end of history.
        actual: (O, S, H) what came.
        valid: (O, S, H) true where it was observed, open and not cut by stock.
        scale: (O, S) mean absolute seasonal difference before the cutoff, the denominator of MASE.
        failures: candidate -> reason, where one broke.
    """

    models: list[str]
    cutoffs: list[int]
    forecast: Array
    final: Array
    actual: Array
    valid: Mask
    scale: Array
    failures: dict[str, str]


def origins(length: int, horizon: int, freq: str, wanted: int | None = None) -> list[int]:
    """Cutoffs, ascending; the newest leaves one horizon to compare with.

    Spaced by up to a horizon, closer where history is short; where at least 2.2 years are there, one origin lies
    a year back, so that the coming season has been judged once.
    """
    wanted = wanted or ORIGINS[freq]
    last = length - horizon
    year = YEAR[freq]
    floor = next(
        f for f in (int(1.6 * year), int(1.25 * year), int(0.6 * year), 0) if last - f >= horizon or f == 0
    )
    floor = max(floor, min(max(2 * SEASON["D"], length // 2), last)) if floor == 0 else floor
    step = max(1, min(horizon, (last - floor) // max(wanted - 1, 1)))
    found = [last - k * step for k in range(wanted) if last - k * step >= max(floor, 8)]
    season_back = length - year
    if season_back >= 1.2 * year and all(abs(season_back - c) > horizon // 2 for c in found):
        found = [*found[: max(wanted - 1, 1)], season_back]
    return sorted(found)


def run_backtest(
    panel: Panel,
    *,
    country: str,
    seed: int,
    wanted: int | None,
    report: Callable[[str], None],
    models: Sequence[str] = (),
    slow: Mapping[str, Sequence[int]] | None = None,
) -> Backtest:
    """Run the candidates at each origin and at the end of history.

    Args:
        panel: history.
        country: whose holidays are events.
        seed: of trees and drawn rows.
        wanted: number of origins.
        report: called with one line per origin.
        models: batched candidates to run (default: all).
        slow: one-series-at-a-time candidates (Prophet, SARIMAX) -> rows of the panel they are run on.
    """
    cutoffs = origins(panel.length, panel.horizon, panel.freq, wanted)
    slow = {name: list(rows) for name, rows in (slow or {}).items() if len(rows)}
    batched = [name for name in BATCHED if not models or name in models]
    models = [*batched, *slow]
    count, horizon = len(panel.names), panel.horizon
    forecast = np.full((len(models), len(cutoffs), count, horizon), np.nan)
    actual = np.full((len(cutoffs), count, horizon), np.nan)
    valid = np.zeros(actual.shape, dtype=bool)
    scale = np.full((len(cutoffs), count), np.nan)
    failures: dict[str, str] = {}
    memory = Memory(stride=_stride(cutoffs, panel))
    for o, cutoff in enumerate(cutoffs):
        view = View(panel.until(cutoff, horizon), country, seed, memory)
        _run(batched, BATCHED, view, forecast[:, o], failures)
        if o >= len(cutoffs) - SLOW_ORIGINS:
            _run_slow(slow, view, forecast[len(batched) :, o], failures)
        stop = min(cutoff + horizon, panel.length)
        actual[o, :, : stop - cutoff] = panel.y[:, cutoff:stop]
        valid[o, :, : stop - cutoff] = panel.usable[:, cutoff:stop]
        # a series is judged where it had begun
        valid[o] &= (panel.usable[:, :cutoff].sum(axis=1) >= 3)[:, None]
        scale[o] = naive_scale(panel.y[:, :cutoff], panel.usable[:, :cutoff], panel.freq)
        report(f"backtest {o + 1} of {len(cutoffs)}: {len(models)} models x {count} series")
    final = np.full((len(models), count, horizon), np.nan)
    memory.stride = 0
    view = View(panel, country, seed, memory)
    _run(batched, BATCHED, view, final, failures)
    _run_slow(slow, view, final[len(batched) :], failures)
    report("forecast from the end of history")
    return Backtest(models, cutoffs, forecast, final, actual, valid, scale, failures)


def _stride(cutoffs: list[int], panel: Panel) -> int:
    """How old (in periods) boosted trees may be when they are used again at a later origin: half the span."""
    return max((cutoffs[-1] - cutoffs[0]) // 2, panel.horizon) if cutoffs else 0


def _run_slow(slow: Mapping[str, Sequence[int]], view: View, out: Array, failures: dict[str, str]) -> None:
    """Fit Prophet or SARIMAX to the named rows; the other rows stay NaN."""
    for m, (name, rows) in enumerate(slow.items()):
        part = View(view.panel.take(list(rows)), view.country, view.seed, view.memory)
        values = np.full((1, len(rows), view.panel.horizon), np.nan)
        _run([name], SLOW, part, values, failures)
        out[m, list(rows)] = values[0]


def _run(
    models: list[str], candidates: dict[str, Candidate], view: View, out: Array, failures: dict[str, str]
) -> None:
    panel = view.panel
    shut = panel.closed[:, panel.length :]
    ceiling = 20.0 * np.nanmax(np.where(panel.usable, panel.y, 0.0), axis=1, initial=0.0)[:, None]
    for m, name in enumerate(models):
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                values = candidates[name](view)
        except (ValueError, ArithmeticError, LookupError, RuntimeError) as error:
            failures[name] = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
            continue
        values = np.where(np.isfinite(values), np.minimum(np.maximum(values, 0.0), ceiling), np.nan)
        out[m] = np.where(shut, 0.0, values)


def naive_scale(y: Array, use: Mask, freq: str) -> Array:
    """(S,) in-sample mean absolute difference to the same weekday (daily) or week of last year (weekly).

    A weekly series of under two years is compared with the week before.
    """
    lag = SEASON[freq] if y.shape[1] >= 2 * SEASON[freq] else 1
    if y.shape[1] <= lag:
        return np.full(len(y), np.nan)
    both = use[:, lag:] & use[:, :-lag]
    difference = np.abs(np.nan_to_num(y[:, lag:]) - np.nan_to_num(y[:, :-lag]))
    size = both.sum(axis=1)
    mean = np.where(both, difference, 0.0).sum(axis=1) / np.maximum(size, 1)
    return np.asarray(np.where((size > 0) & (mean > 0), mean, np.nan))
