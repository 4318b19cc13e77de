"""A panel of one KPI by geography and period, checked before anything is estimated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from modeling.errors import InputError, Refusal

Floats = NDArray[np.float64]

DATES = ("date", "day", "date_day", "week", "week_start_date", "week_start", "period", "time", "ds")
GEOS = ("geo", "location", "dma_id", "dma", "market", "region", "city", "state", "geo_id", "unit")
KPIS = (
    "kpi",
    "y",
    "revenue_usd",
    "revenue",
    "sales",
    "units",
    "units_sold",
    "conversions",
    "orders",
    "value",
)
MAX_MISSING = 0.05  # share of a geography's periods that may be filled in; more, and it leaves the panel


@dataclass(frozen=True)
class Panel:
    """T periods x G geographies.

    Attributes:
        periods: (T,) labels in order: ISO dates, or whole numbers where the file counts periods.
        geos: G names.
        values: (T, G) KPI, complete.
        notes: what had to be done to the file, in words.
        covariates: name -> (T, G) other causes that move unevenly over places; none by default.
    """

    periods: list[str]
    geos: list[str]
    values: Floats
    notes: list[str] = field(default_factory=list)
    covariates: dict[str, Floats] = field(default_factory=dict)

    def columns(self, names: Sequence[str]) -> Floats:
        """(T, len(names)) values of the named geographies."""
        index = [self.geos.index(name) for name in names]
        return np.asarray(self.values[:, index], dtype=np.float64)

    def without(self, names: Sequence[str]) -> list[str]:
        """Names of the other geographies, in panel order."""
        gone = set(names)
        return [g for g in self.geos if g not in gone]


def build_panel(
    dates: pd.Series,
    geos: pd.Series,
    kpi: pd.Series,
    *,
    must_have: Sequence[str] = (),
    duplicates: str = "refuse",
    date_format: str | None = None,
    test: tuple[str, str] | None = None,
) -> Panel:
    """Pivot long rows to a complete panel.

    Args:
        dates, geos, kpi: N cells; kpi float with NaN for blanks.
        must_have: geographies (the treated ones) that are never dropped.
        duplicates: what two rows of one geography and period mean: refuse | sum | mean.
        date_format: strptime format where dates are not ISO.
        test: first and last period of a test: a blank of a ``must_have`` geography inside it is refused.

    Raises:
        InputError: unreadable dates, blank names, duplicate keys (unless told what they mean).
        Refusal: fewer than two geographies, or a treated geography with too many blanks.
    """
    labels = parse_periods(dates, date_format)
    if (geos == "").any():
        raise InputError(f"the geography is blank on line {int(np.flatnonzero(geos == '')[0]) + 2}")
    frame = pd.DataFrame({"period": labels, "geo": geos.to_numpy(), "kpi": kpi.to_numpy(dtype=np.float64)})
    notes: list[str] = []
    repeated = frame.duplicated(["period", "geo"])
    if repeated.any():
        first = frame[repeated].iloc[0]
        if duplicates == "refuse":
            raise InputError(
                f"{int(repeated.sum())} rows repeat a geography and period (first: {first['geo']}, {first['period']}); "
                "say what they mean with --duplicates sum or --duplicates mean"
            )
        cells = frame.groupby(["period", "geo"])["kpi"]
        frame = (cells.sum(min_count=1) if duplicates == "sum" else cells.mean()).reset_index()
        notes.append(f"{int(repeated.sum())} repeated rows: {duplicates}")
    wide = frame.pivot(index="period", columns="geo", values="kpi")
    wide = wide.sort_index(key=lambda i: i.astype(int)) if labels.dtype.kind == "i" else wide.sort_index()
    if wide.shape[1] < 2:
        raise Refusal(f"the panel has one geography ({wide.columns[0]}): there is nothing to compare it with")
    notes += _gaps([str(p) for p in wide.index])
    wide = _complete(wide, must_have, test, notes)
    return Panel(
        [str(p) for p in wide.index], [str(g) for g in wide.columns], wide.to_numpy(dtype=np.float64), notes
    )


def _gaps(periods: list[str]) -> list[str]:
    """Periods that no geography has: they cannot be estimated, only said."""
    if all(p.lstrip("-").isdigit() for p in periods):
        at = np.array([int(p) for p in periods])
    else:
        at = np.array(periods, dtype="datetime64[D]").astype(np.int64)
    steps = np.diff(at)
    if not len(steps) or not np.median(steps) > 0:
        return []
    step = float(np.median(steps))
    # Months and quarters differ by a few days; a gap is at least half a step more.
    wide = np.flatnonzero(steps > 1.5 * step)
    if not len(wide):
        return []
    lost = int(np.round(steps[wide] / step).sum()) - len(wide)
    return [f"{lost} periods are missing in every geography (first after {periods[int(wide[0])]})"]


def _complete(
    wide: pd.DataFrame, must_have: Sequence[str], test: tuple[str, str] | None, notes: list[str]
) -> pd.DataFrame:
    """Drop geographies with many blanks, periods that a treated geography lacks, and fill the few that remain."""
    own = [g for g in must_have if g in wide.columns]
    blank = wide[own].isna().any(axis=1) if own else pd.Series(False, index=wide.index)
    if blank.any():
        inside = [str(p) for p in wide.index[blank] if test is not None and _between(p, test)]
        if inside:
            raise Refusal(f"a treated geography has no KPI in the test period (first: {inside[0]})")
        if blank.mean() > 2 * MAX_MISSING:
            raise Refusal(f"a treated geography has no KPI in {int(blank.sum())} of {len(wide)} periods")
        wide = wide[~blank]
        notes.append(f"{int(blank.sum())} periods left out: a treated geography has no KPI there")
    share = wide.isna().mean()
    gone = [str(g) for g in wide.columns if share[g] > MAX_MISSING and g not in own]
    if gone:
        wide = wide.drop(columns=gone)
        notes.append(f"{len(gone)} geographies left out for blanks: {', '.join(gone[:10])}")
    if wide.shape[1] < 2:
        raise Refusal("fewer than two geographies have a complete KPI")
    holes = int(wide.isna().to_numpy().sum())
    if holes:
        # Two-way fit: the geography's level plus the movement that the other geographies share that period.
        level = wide.mean()
        move = wide.sub(level).div(level.abs().clip(lower=1e-12)).median(axis=1)
        fill = pd.DataFrame(
            level.to_numpy() + np.outer(move.to_numpy(), level.abs().to_numpy()), wide.index, wide.columns
        )
        wide = wide.fillna(fill)
        notes.append(
            f"{holes} blank cells filled from the geography's level and the period's common movement"
        )
    return wide


def _between(period: object, test: tuple[str, str]) -> bool:
    if isinstance(period, (int, np.integer)):
        return int(test[0]) <= int(period) <= int(test[1])
    return test[0] <= str(period) <= test[1]


def parse_periods(
    dates: pd.Series, date_format: str | None = None
) -> NDArray[np.object_] | NDArray[np.int64]:
    """ISO date texts, or whole numbers where the column counts periods.

    Numbers of eight digits are dates (20260131). Slashed dates are read only where one order of day and month
    fits every row; otherwise the format must be named.

    Raises:
        InputError: a blank or unreadable date, or an ambiguous order of day and month.
    """
    text = dates.astype(str).str.strip()
    if date_format is not None:
        return _iso(pd.to_datetime(text, format=date_format, errors="coerce"), text)
    digits = text.str.fullmatch(r"\d+(\.0)?")
    if digits.all():
        numbers = text.str.replace(".0", "", regex=False)
        if (numbers.str.len() == 8).all():
            return _iso(pd.to_datetime(numbers, format="%Y%m%d", errors="coerce"), text)
        return np.asarray(numbers.astype("int64").to_numpy(), dtype=np.int64)
    iso = pd.to_datetime(text.str.slice(0, 10), format="%Y-%m-%d", errors="coerce")
    if iso.notna().any():
        return _iso(iso, text)
    fits = []
    for candidate in ("%m/%d/%Y", "%d/%m/%Y", "%m/%d/%y", "%d/%m/%y", "%Y/%m/%d", "%d.%m.%Y", "%d-%m-%Y"):
        parsed = pd.to_datetime(text, format=candidate, errors="coerce")
        if parsed.notna().all():
            fits.append((candidate, parsed))
    if not fits:
        return _iso(iso, text)
    if len(fits) > 1:
        raise InputError(
            f"dates such as {text.iloc[0]!r} can be read as {fits[0][0]} or {fits[1][0]}: name it with --date-format"
        )
    return _iso(fits[0][1], text)


def _iso(parsed: pd.Series, text: pd.Series) -> NDArray[np.object_]:
    if parsed.isna().any():
        at = int(np.flatnonzero(parsed.isna())[0])
        raise InputError(
            f"{text.iloc[at]!r} on line {at + 2} is not a date (expected YYYY-MM-DD, or --date-format)"
        )
    return np.asarray(parsed.dt.strftime("%Y-%m-%d").to_numpy(dtype=object))


def find_geos(asked: str, geos: Sequence[str]) -> list[str]:
    """Geographies named in a comma-separated list; a name may itself contain a comma; letter case may differ.

    Raises:
        InputError: a name is not in the panel (the nearest one is shown), or is named twice.
    """
    parts = [p.strip() for p in asked.split(",")]
    lower: dict[str, list[str]] = {}
    for geo in geos:
        lower.setdefault(geo.lower(), []).append(geo)
    found: list[str] = []
    at = 0
    while at < len(parts):
        for size in range(min(4, len(parts) - at), 0, -1):
            joined = [", ".join(parts[at : at + size]), ",".join(parts[at : at + size])]
            hits = [n for n in joined if n in geos] or [
                lower[n.lower()][0] for n in joined if len(lower.get(n.lower(), [])) == 1
            ]
            if hits:
                found.append(hits[0])
                at += size
                break
        else:
            raise InputError(_not_found(parts[at], geos))
    twice = [n for n in found if found.count(n) > 1]
    if twice:
        raise InputError(f"--treated names {twice[0]!r} twice")
    return found


def _not_found(name: str, geos: Sequence[str]) -> str:
    from difflib import get_close_matches

    if not name:
        return "--treated has an empty name"
    near = get_close_matches(name, list(geos), n=1)
    hint = (
        f"; did you mean {near[0]!r}?" if near else f" (it has {len(geos)}, e.g. {', '.join(list(geos)[:5])})"
    )
    return f"no geography {name!r} in the panel{hint}"
