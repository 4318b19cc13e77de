"""From a panel to forecasts: backtest, choose, calibrate, reconcile. The one entry for the CLI and the job."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from modeling.forecast.backtest import MIN_ORIGINS, Backtest, run_backtest
from modeling.forecast.candidates import YARDSTICKS
from modeling.forecast.combine import Choice, choose
from modeling.forecast.intermittent import factors
from modeling.forecast.intervals import Calibration, calibrate
from modeling.forecast.panel import Array, Mask, Panel


@dataclass
class Forecast:
    """Result for all series of a panel.

    Attributes:
        panel: what was forecast.
        mean, quantiles: (S, H) and (3, S, H) at P10, P50, P90, in units of y.
        choice, back, calibration: how they came about.
        errors: (O, S, H) left-out errors of what was chosen, NaN where nothing could be compared.
        notes: one line each.
    """

    panel: Panel
    mean: Array
    quantiles: Array
    choice: Choice
    back: Backtest
    calibration: Calibration
    errors: Array
    notes: list[str] = field(default_factory=list)

    @property
    def fallen_back(self) -> Mask:
        """(S,) true where only yardsticks could speak at the end of history."""
        spoken: Mask = np.asarray(np.isfinite(self.back.final).all(axis=2))
        models = np.array([name not in YARDSTICKS for name in self.back.models])
        return np.asarray(~spoken[models].any(axis=0))

    def table(self) -> pd.DataFrame:
        """forecasts: series, date, model, mean, p10, p50, p90."""
        count, horizon = self.mean.shape
        return pd.DataFrame(
            {
                "series": np.repeat(self.panel.names, horizon),
                "date": np.tile(self.panel.dates[self.panel.length :], count),
                "model": np.repeat(self.choice.label, horizon),
                "mean": self.mean.ravel(),
                "p10": self.quantiles[0].ravel(),
                "p50": self.quantiles[1].ravel(),
                "p90": self.quantiles[2].ravel(),
            }
        )

    def backtest_table(self) -> pd.DataFrame:
        """backtest: series, model, cutoff, wape, mase, pinball, coverage80; one row per series, model and origin."""
        back, panel = self.back, self.panel
        rows = [self._scores("combination", self.choice.out_of_origin, fitted=self.calibration)]
        fixed = (self.calibration.growth, 4.0)
        for m, name in enumerate(back.models):
            past = back.forecast[m]
            ok = np.isfinite(past).all(axis=2)
            if not ok.any():
                continue
            valid = back.valid & ok[:, :, None]
            own = calibrate(
                np.nan_to_num(past),
                back.actual,
                valid,
                self.calibration.level,
                panel.freq,
                fixed=fixed,
                cutoffs=back.cutoffs,
            )
            rows.append(self._scores(name, np.where(ok[:, :, None], past, np.nan), fitted=own))
        table = pd.concat(rows, ignore_index=True)
        return table.sort_values(["series", "model", "cutoff"], kind="stable").reset_index(drop=True)

    def _scores(self, name: str, past: Array, *, fitted: Calibration) -> pd.DataFrame:
        back, panel = self.back, self.panel
        parts = []
        for o, cutoff in enumerate(back.cutoffs):
            valid = back.valid[o] & np.isfinite(past[o])
            n = valid.sum(axis=1)
            actual = np.where(valid, np.nan_to_num(back.actual[o]), 0.0)
            f = np.where(valid, np.nan_to_num(past[o]), 0.0)
            bands = fitted.quantiles(np.nan_to_num(past[o]))
            error = np.abs(actual - f).sum(axis=1)
            inside = ((actual >= bands[0] - 1e-9) & (actual <= bands[2] + 1e-9) & valid).sum(axis=1)
            pinball = np.zeros(len(n))
            for k, q in enumerate((0.1, 0.5, 0.9)):
                miss = np.where(valid, actual - bands[k], 0.0)
                pinball += np.maximum(q * miss, (q - 1) * miss).sum(axis=1) / 3.0
            with np.errstate(divide="ignore", invalid="ignore"):
                parts.append(
                    pd.DataFrame(
                        {
                            "series": panel.names,
                            "model": name,
                            "cutoff": panel.dates[cutoff - 1],
                            "wape": error / np.abs(actual).sum(axis=1),
                            "mase": error / n / back.scale[o],
                            "pinball": pinball / n,
                            "coverage80": inside / n,
                        }
                    )[n > 0]
                )
        table: pd.DataFrame = pd.concat(parts, ignore_index=True).replace([np.inf, -np.inf], np.nan)
        return table

    def selection(self) -> pd.DataFrame:
        """selection: series, model, and the weight of every model in it."""
        weights = {f"weight_{n}": self.choice.weights[:, m] for m, n in enumerate(self.back.models)}
        return pd.DataFrame({"series": self.panel.names, "model": self.choice.label, **weights})

    def totals(self) -> pd.DataFrame:
        """Scores over all series and origins: model, wape, mase, coverage80 (of the combination), weight."""
        back = self.back
        rows = []
        actual = np.where(back.valid, np.nan_to_num(back.actual), 0.0)
        entries = [("combination", self.choice.out_of_origin), *zip(back.models, back.forecast, strict=True)]
        for name, past in entries:
            ok = back.valid & np.isfinite(past)
            error = np.where(ok, np.abs(actual - np.nan_to_num(past)), 0.0)
            scale = np.where(ok, np.nan_to_num(back.scale)[:, :, None], 0.0)
            weight = (
                1.0
                if name == "combination"
                else float(self.choice.weights[:, back.models.index(name)].mean())
            )
            rows.append(
                {
                    "model": name,
                    "wape": error.sum() / max(np.where(ok, np.abs(actual), 0.0).sum(), 1e-12),
                    "mase": error.sum() / max(scale.sum(), 1e-12),
                    "mean_weight": weight,
                }
            )
        return pd.DataFrame(rows)


def forecast_panel(
    panel: Panel,
    *,
    seed: int = 0,
    country: str = "US",
    origins: int | None = None,
    models: Sequence[str] = (),
    slow: Mapping[str, Sequence[int]] | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> Forecast:
    """Backtest all candidates, combine them per series, and calibrate the intervals.

    Args:
        panel: history and regressors.
        seed: makes drawn rows and trees repeatable.
        country: whose public holidays are events ("" for none).
        origins: number of backtest origins wanted (default 6 daily, 8 weekly).
        models: batched candidates to use (default: all).
        slow: Prophet or SARIMAX -> rows of the panel on which they compete.
        report: called with one line at each stage.
    """
    back = run_backtest(
        panel, country=country, seed=seed, wanted=origins, report=report, models=models, slow=slow
    )
    level = series_level(panel)
    choice = choose(back, level, seed)
    closed_share = float(panel.closed[:, -panel.horizon - 56 :].mean())
    calibration = calibrate(
        choice.out_of_origin,
        back.actual,
        back.valid,
        level,
        panel.freq,
        closed_share=closed_share,
        cutoffs=back.cutoffs,
    )
    shut = panel.closed[:, panel.length :]
    final = np.where(shut, 0.0, choice.final)
    quantiles = np.where(shut[None], 0.0, calibration.quantiles(final))
    usable = panel.usable
    zero_share = (usable & (panel.y == 0)).sum(axis=1) / np.maximum(usable.sum(axis=1), 1)
    median, mean = factors(choice.out_of_origin, np.nan_to_num(back.actual), back.valid, zero_share)
    quantiles[1] = np.clip(final * median[:, None], quantiles[0], quantiles[2])
    final = final * mean[:, None]
    errors = np.where(back.valid, np.nan_to_num(back.actual) - choice.out_of_origin, np.nan)
    notes = list(panel.notes)
    if len(back.cutoffs) < MIN_ORIGINS:
        notes.append(f"history allows {len(back.cutoffs)} backtest origins only")
    notes += [f"candidate {n} failed: {why}" for n, why in back.failures.items()]
    result = Forecast(panel, final, quantiles, choice, back, calibration, errors, notes)
    if result.fallen_back.any():
        notes.append(f"{int(result.fallen_back.sum())} series are forecast by yardsticks alone")
    return result


def series_level(panel: Panel) -> Array:
    """(S,) mean of usable observations over the last year of each series, above zero."""
    use = panel.usable
    y = np.where(use, np.maximum(np.nan_to_num(panel.y), 0.0), 0.0)
    year = 364 if panel.freq == "D" else 52
    recent = use.copy()
    recent[:, : max(0, panel.length - year)] = False
    pick = np.where((recent.sum(axis=1) >= 8)[:, None], recent, use)
    mean = (y * pick).sum(axis=1) / np.maximum(pick.sum(axis=1), 1)
    typical = mean[mean > 0].mean() if (mean > 0).any() else 1.0
    return np.asarray(np.maximum(mean, 1e-3 * typical))
