"""The forecasting panel: series x time arrays with masks, made from a table with every doubt refused.

Axis order everywhere in this package: series first, time second (``(S, T)``), regressors last (``(S, T, K)``).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from modeling.errors import InputError, Refusal
from modeling.forecast.closed import closed_days

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

#: Periods per calendar cycle: the short season (days of the week) and the year.
SEASON = {"D": 7, "W": 52}
YEAR = {"D": 364, "W": 52}
#: Least observations: of the longest series of a file, and of a series that borrows from its sisters.
MIN_HISTORY = {"D": 28, "W": 26}
MIN_BORROWED = 3
#: Periods whose mean stands for the future of a regressor without a plan.
ASSUMED_FROM = {"D": 28, "W": 4}
#: Above this share of empty cells inside a series' own span, its history is not a history.
MAX_MISSING = 0.5
MAX_LEVELS = 12


@dataclass(frozen=True)
class Panel:
    """Series on one time grid, history followed by the horizon.

    Attributes:
        names: S series names.
        dates: T + H dates, daily or weekly without a gap.
        y: (S, T) observations; NaN = not observed (before the first sale, a gap, an empty cell).
        exog: (S, T + H, K) regressors, known or forecast over the horizon, without NaN.
        exog_names: K names.
        closed: (S, T + H) true where the place sells nothing by rule; such days are not learnt from, and
            their forecast is zero.
        censored: (S, T) true where sales were cut by stock: demand was at least ``y``.
        freq: "D" or "W".
        horizon: H.
        notes: what was done to the data, one line each, for the reader of the result.
        assumed: columns of ``exog`` of which nobody knows the future: an origin sees their recent mean instead.
    """

    names: list[str]
    dates: pd.DatetimeIndex
    y: Array
    exog: Array
    exog_names: list[str]
    closed: Mask
    censored: Mask
    freq: str
    horizon: int
    notes: list[str] = field(default_factory=list)
    assumed: tuple[int, ...] = ()

    @property
    def length(self) -> int:
        """T: periods of history."""
        return int(self.y.shape[1])

    @property
    def usable(self) -> Mask:
        """(S, T) true where an observation may be learnt from."""
        return np.isfinite(self.y) & ~self.closed[:, : self.length] & ~self.censored

    def until(self, cutoff: int, horizon: int) -> Panel:
        """The panel as it stood after ``cutoff`` periods, with ``horizon`` periods to forecast."""
        end = cutoff + horizon
        exog = self.exog[:, :end]
        if self.assumed:
            exog = exog.copy()
            recent = exog[:, max(0, cutoff - ASSUMED_FROM[self.freq]) : cutoff][:, :, self.assumed]
            exog[:, cutoff:, self.assumed] = recent.mean(axis=1, keepdims=True)
        return replace(
            self,
            dates=self.dates[:end],
            y=self.y[:, :cutoff],
            exog=exog,
            closed=self.closed[:, :end],
            censored=self.censored[:, :cutoff],
            horizon=horizon,
        )

    def take(self, rows: npt.NDArray[np.int64] | list[int]) -> Panel:
        """The panel of some of its series."""
        rows = np.asarray(rows, dtype=np.int64)
        return replace(
            self,
            names=[self.names[i] for i in rows],
            y=self.y[rows],
            exog=self.exog[rows],
            closed=self.closed[rows],
            censored=self.censored[rows],
        )


def read_panel(
    frame: pd.DataFrame,
    *,
    horizon: int,
    freq: str,
    exog: list[str] | None = None,
    stockout: str | None = None,
    gaps: str = "refuse",
    forecast_exog: bool = False,
) -> Panel:
    """A checked panel from a long table with columns series, date, y and regressors.

    Rows with an empty y after the last observed date carry regressors over the horizon; an empty y before it
    is a missing observation. Rows may come in any order.

    Args:
        frame: long table.
        horizon: periods to forecast, at least 1.
        freq: "D" or "W" (weeks may start on any day, the same one for all).
        exog: regressor columns; text columns of at most 12 levels become indicators.
        stockout: column that is 1 (or true) where sales were cut by missing stock.
        gaps: what an absent row inside a series means: "refuse", "missing" or "zero".
        forecast_exog: fill a regressor that has no future values at all by its own seasonal average.

    Raises:
        InputError: a cell, date or option cannot be used.
        Refusal: the history is too short for an answer.
    """
    exog = list(exog or [])
    if freq not in SEASON:
        raise InputError(f"--freq must be D or W, not {freq!r}")
    if horizon < 1:
        raise InputError(f"--horizon must be at least 1, not {horizon}")
    for column in ("date", "y", *exog, *([stockout] if stockout else [])):
        if column not in frame.columns:
            raise InputError(
                f"--history: missing column {column!r} (the file has: {', '.join(frame.columns)})"
            )
    notes: list[str] = []
    table = pd.DataFrame(
        {
            "series": _names(frame),
            "date": _dates(frame["date"]),
            "y": _numbers(frame["y"], "y", frame),
        }
    )
    for column in exog:
        table["x:" + column] = frame[column].to_numpy()
    if stockout:
        table["stockout"] = _numbers(frame[stockout], stockout, frame).to_numpy()
    _refuse_duplicates(table)
    table = table.sort_values(["series", "date"], kind="stable").reset_index(drop=True)
    observed = table[table["y"].notna()]
    if observed.empty:
        raise InputError("--history: column y has no value")
    step = 1 if freq == "D" else 7
    first, last = observed["date"].min(), observed["date"].max()
    _refuse_off_grid(table, first, step, freq)
    empty = sorted(set(table["series"]) - set(observed["series"]))
    if empty:
        raise InputError(f"--history: series {empty[0]!r} has no value of y ({len(empty)} such series)")
    length = (last - first).days // step + 1
    dates = pd.date_range(first, periods=length + horizon, freq=f"{step}D")
    names = sorted(observed["series"].unique())
    row = pd.Series(range(len(names)), index=names)
    table = table[table["date"] >= first]
    i = row[table["series"]].to_numpy()
    j = ((table["date"] - first).dt.days // step).to_numpy()
    inside = j < length + horizon
    i, j, table = i[inside], j[inside], table[inside]
    y = np.full((len(names), length), np.nan)
    past = j < length
    y[i[past], j[past]] = table["y"].to_numpy()[past]
    present = np.zeros((len(names), length + horizon), dtype=bool)
    present[i, j] = True
    closed = np.zeros_like(present)
    y = _fill_gaps(y, present, closed, dates, freq, gaps, names, notes)
    _refuse_short(y, names, freq, horizon, notes)
    censored = np.zeros(y.shape, dtype=bool)
    if stockout:
        flags = np.zeros(present.shape)
        flags[i, j] = table["stockout"].fillna(0).to_numpy()
        censored = (flags[:, :length] > 0.5) & np.isfinite(y)
        left = (np.isfinite(y) & ~censored).sum(axis=1)
        if (left < MIN_BORROWED).any():
            s = int(np.argmin(left))
            raise Refusal(
                f"series {names[s]!r}: stock cut all but {int(left[s])} of its observations; demand cannot be told from them"
            )
        notes.append(f"{int(censored.sum())} observations were cut by stock and are not learnt from")
    x, x_names = _regressors(table, exog, i, j, present, length, freq, forecast_exog, names, notes)
    closed |= closed_days(y, x, dates, freq)
    if (y < 0).any():
        notes.append(f"{int((y < 0).sum())} negative values (returns) are kept; forecasts are not below zero")
    return Panel(names, dates, y, x, x_names, closed, censored, freq, horizon, notes)


def _names(frame: pd.DataFrame) -> pd.Series[str]:
    if "series" not in frame.columns:
        return pd.Series("all", index=frame.index)
    if frame["series"].isna().any():
        line = int(np.flatnonzero(frame["series"].isna().to_numpy())[0]) + 2
        raise InputError(f"--history: line {line}: the series name is empty")
    return frame["series"].astype(str).str.strip()


def _dates(column: pd.Series[str]) -> pd.Series[pd.Timestamp]:
    if pd.api.types.is_numeric_dtype(column):
        text = column.astype("Int64").astype(str)
        parsed = pd.to_datetime(text, format="%Y%m%d", errors="coerce")
    else:
        parsed = pd.to_datetime(column, errors="coerce", format="ISO8601")
        if parsed.isna().all():
            parsed = pd.to_datetime(column, errors="coerce")
    bad = np.flatnonzero(parsed.isna().to_numpy())
    if len(bad):
        raise InputError(
            f"--history: line {bad[0] + 2}: {column.iloc[bad[0]]!r} is not a date (use YYYY-MM-DD)"
        )
    if parsed.dt.tz is not None:
        parsed = parsed.dt.tz_localize(None)
    return parsed.dt.normalize()


def _numbers(column: pd.Series[float], name: str, frame: pd.DataFrame) -> pd.Series[float]:
    if column.dtype == bool:
        return column.astype(float)
    text = (
        column.astype(str).str.strip().str.lower()
        if column.dtype == object or str(column.dtype) in ("str", "string")
        else None
    )
    if text is not None:
        column = column.where(~text.isin(["", "nan", "none", "<na>", "null"]), None)
        lowered = text.map({"true": 1.0, "false": 0.0, "y": 1.0, "n": 0.0})
        numbers = pd.to_numeric(column, errors="coerce").where(lowered.isna(), lowered)
    else:
        numbers = pd.to_numeric(column, errors="coerce")
    bad = np.flatnonzero(
        (numbers.isna() & column.notna()).to_numpy() | np.isinf(numbers.to_numpy(dtype=float))
    )
    if len(bad):
        raise InputError(
            f"--history: line {bad[0] + 2}: {name} is {str(column.iloc[bad[0]])!r}, which is not a number"
        )
    return numbers.astype(float)


def _refuse_duplicates(table: pd.DataFrame) -> None:
    repeated = table.duplicated(["series", "date"], keep=False)
    if repeated.any():
        first = table[repeated].iloc[0]
        extra = int(table.duplicated(["series", "date"]).sum())
        raise InputError(
            f"--history: series {first['series']!r} has more than one row for {first['date']:%Y-%m-%d}"
            f" ({extra} repeated rows); sum or drop them first"
        )


def _refuse_off_grid(table: pd.DataFrame, first: pd.Timestamp, step: int, freq: str) -> None:
    off = ((table["date"] - first).dt.days % step) != 0
    if off.any():
        bad = table[off].iloc[0]
        raise InputError(
            f"--history: series {bad['series']!r}: {bad['date']:%Y-%m-%d} is not a whole number of weeks from"
            f" {first:%Y-%m-%d}; with --freq {freq} every date is the same day of the week"
        )
    if freq == "D":
        days = table["date"].drop_duplicates().sort_values().diff().dt.days.dropna()
        if len(days) > 3 and (days >= 7).all():
            raise InputError("--history: dates are a week or more apart; use --freq W")


def _fill_gaps(
    y: Array,
    present: Mask,
    closed: Mask,
    dates: pd.DatetimeIndex,
    freq: str,
    gaps: str,
    names: list[str],
    notes: list[str],
) -> Array:
    """Absent rows inside a series' span: closed by rule, else what ``gaps`` says."""
    count, length = y.shape
    inside = _span(y)
    absent = inside & ~present[:, :length]
    if not absent.any():
        return y
    if freq == "D":
        weekday = dates[:length].dayofweek.to_numpy()
        future_weekday = dates.dayofweek.to_numpy()
        for day in range(7):
            on = inside[:, weekday == day].sum(axis=1)
            off = absent[:, weekday == day].sum(axis=1)
            shut = (on >= 3) & (off >= 0.9 * on)
            closed |= shut[:, None] & (future_weekday == day)[None, :] & ~present
        absent &= ~closed[:, :length]
    together = absent.sum(axis=0) >= np.maximum(3, 0.8 * np.maximum(inside.sum(axis=0), 1))
    closed[:, :length] |= absent & together
    absent &= ~together
    if closed[:, :length].any():
        notes.append(f"{int(closed[:, :length].sum())} absent days are read as closed")
    if absent.any() and gaps == "refuse":
        s, t = (int(k[0]) for k in np.nonzero(absent))
        raise InputError(
            f"--history: series {names[s]!r} has no row for {dates[t]:%Y-%m-%d} ({int(absent.sum())} gaps in"
            f" {int(absent.any(axis=1).sum())} of {count} series); add the rows, or say what a gap means:"
            " --gaps missing | zero"
        )
    if gaps == "zero":
        y = np.where(absent, 0.0, y)
    if absent.any():
        notes.append(f"{int(absent.sum())} gaps are read as {gaps}")
    return y


def _span(y: Array) -> Mask:
    """True between a series' first and last observation."""
    seen = np.isfinite(y)
    started = np.maximum.accumulate(seen, axis=1)
    ended = np.maximum.accumulate(seen[:, ::-1], axis=1)[:, ::-1]
    return np.asarray(started & ended)


def _refuse_short(y: Array, names: list[str], freq: str, horizon: int, notes: list[str]) -> None:
    need = max(MIN_HISTORY[freq], 2 * horizon)
    seen = np.isfinite(y).sum(axis=1)
    unit = "days" if freq == "D" else "weeks"
    enough = int((seen >= need).sum())
    if not enough:
        raise Refusal(
            f"too short: the longest series has {int(seen.max())} {unit}; a horizon of {horizon} needs at least"
            f" {need} (four seasons of 7 days, or 26 weeks, and twice the horizon)"
        )
    short = seen < min(need, MIN_HISTORY[freq])
    if short.any() and (enough < 3 or (seen < MIN_BORROWED).any()):
        s = int(np.argmin(seen))
        raise Refusal(
            f"too short: series {names[s]!r} has {int(seen[s])} {unit}; a series alone needs {MIN_HISTORY[freq]},"
            f" and {MIN_BORROWED} where at least three longer sisters lend it theirs"
        )
    if short.any():
        notes.append(f"{int(short.sum())} short series borrow from {enough} longer ones")
    holes = (_span(y) & ~np.isfinite(y)).sum(axis=1) / np.maximum(_span(y).sum(axis=1), 1)
    if (holes > MAX_MISSING).any() and freq == "W":
        s = int(np.argmax(holes))
        raise Refusal(f"series {names[s]!r}: {holes[s]:.0%} of its weeks are empty; no forecast from that")


def _regressors(
    table: pd.DataFrame,
    exog: list[str],
    i: npt.NDArray[np.int64],
    j: npt.NDArray[np.int64],
    present: Mask,
    length: int,
    freq: str,
    forecast_exog: bool,
    names: list[str],
    notes: list[str],
) -> tuple[Array, list[str]]:
    layers: list[Array] = []
    labels: list[str] = []
    for column in exog:
        for label, values in _encode(table["x:" + column], column):
            grid = np.full(present.shape, np.nan)
            grid[i, j] = values
            future = grid[:, length:]
            if not np.isfinite(future).any(axis=1).all() and not forecast_exog:
                s = int(np.flatnonzero(~np.isfinite(future).any(axis=1))[0])
                raise InputError(
                    f"--exog {column}: series {names[s]!r} has no value after the last y; give rows with an empty"
                    " y and the planned value, or pass --forecast-exog"
                )
            layers.append(_complete(grid, length, freq, column, notes))
            labels.append(label)
    if not layers:
        return np.zeros((*present.shape, 0)), []
    return np.stack(layers, axis=2), labels


def _encode(column: pd.Series[float], name: str) -> list[tuple[str, Array]]:
    if pd.api.types.is_numeric_dtype(column) or column.dtype == bool:
        return [(name, np.asarray(column.to_numpy(dtype=float, na_value=np.nan), dtype=np.float64))]
    text = column.astype(str).str.strip()
    empty = column.isna() | text.isin(["", "nan", "None"])
    numbers = pd.to_numeric(text.where(~empty), errors="coerce")
    lowered = text.str.lower().map({"true": 1.0, "false": 0.0})
    numbers = numbers.where(lowered.isna(), lowered)
    if numbers[~empty].notna().all():
        return [(name, np.asarray(numbers, dtype=np.float64))]
    levels = text[~empty].value_counts()
    if len(levels) > MAX_LEVELS:
        raise InputError(
            f"--exog {name}: {len(levels)} different texts; a regressor is a number or has at most"
            f" {MAX_LEVELS} levels"
        )
    return [
        (f"{name}={level}", np.where(empty, np.nan, (text == level).to_numpy(dtype=float)))
        for level in sorted(levels.index[1:])
    ]


def _complete(grid: Array, length: int, freq: str, name: str, notes: list[str]) -> Array:
    """Fill a regressor's empty cells: in the past by its usual value, ahead by its seasonal average."""
    missing = ~np.isfinite(grid)
    if not missing.any():
        return grid
    past = grid[:, :length]
    flag_like = bool(np.isin(past[np.isfinite(past)], (0.0, 1.0)).all()) or np.isfinite(past).mean() < 0.5
    mean = np.zeros(len(grid)) if flag_like else np.nan_to_num(_nanmean(past))
    filled = grid.copy()
    period = YEAR[freq]
    for t in range(grid.shape[1]):
        if not missing[:, t].any():
            continue
        usual = mean
        if t >= length and not flag_like and t >= period:
            window = filled[:, max(0, t - period - 2) : t - period + 3]
            usual = np.where(np.isfinite(window).any(axis=1), _nanmean(window), mean)
        filled[:, t] = np.where(missing[:, t], usual, filled[:, t])
    if missing[:, length:].any():
        notes.append(
            f"regressor {name}: {int(missing[:, length:].sum())} future cells filled by its own forecast"
        )
    return filled


def _nanmean(values: Array) -> Array:
    seen = np.isfinite(values)
    return np.asarray(np.where(seen, values, 0.0).sum(axis=1) / np.maximum(seen.sum(axis=1), 1))
