"""From the caller's table to a checked panel: dates, geographies, gaps, duplicates, numbers, lift tests.

Everything here refuses with one line that names the column and the first offending row; nothing is repaired in
silence. What is repaired by a declared rule (blank tail rows, missing spend of zero weeks) is a warning.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from modeling.columns import numeric_column
from modeling.errors import InputError, Refusal
from modeling.files import require_columns
from modeling.mmm.panel import LiftTest, Mediator, Panel
from modeling.mmm.spec_file import MixSpec
from modeling.mmm.transforms import Array

_MIN_PERIODS = 30
_ROWS_PER_PARAMETER = 2.0


def parse_dates(values: pd.Series, column: str, date_format: str | None) -> tuple[pd.Series, str | None]:
    """Dates of a column and a warning if the order of day and month had to be inferred.

    ISO dates are read as such. Otherwise `date_format` decides; without it, day-first and month-first are both
    tried, and the answer must be the only one that gives an evenly spaced series.

    Raises:
        InputError: a date that cannot be read, or an order that the data do not settle.
    """
    if pd.api.types.is_datetime64_any_dtype(values):
        stamp = pd.to_datetime(values)
        return (stamp.dt.tz_localize(None) if stamp.dt.tz is not None else stamp).dt.normalize(), None
    text = values.astype("string").str.strip()
    if date_format is not None:
        parsed = pd.to_datetime(text, format=date_format, errors="coerce")
        if parsed.isna().any():
            at = int(np.flatnonzero(parsed.isna().to_numpy())[0])
            raise InputError(
                f"date column {column!r}: {text.iloc[at]!r} on line {at + 2} is not {date_format}"
            )
        return parsed.dt.normalize(), None
    iso = pd.to_datetime(text.str.slice(0, 10), format="%Y-%m-%d", errors="coerce")
    if iso.notna().all():
        return iso, None
    fits: list[tuple[str, pd.Series]] = []
    for fmt in ("%d/%m/%Y", "%m/%d/%Y", "%d/%m/%y", "%m/%d/%y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%Y%m%d"):
        parsed = pd.to_datetime(text, format=fmt, errors="coerce")
        if parsed.notna().all():
            steps = np.diff(np.sort(parsed.unique()))
            if len(steps) == 0 or (steps == steps[0]).all():
                fits.append((fmt, parsed))
    if len(fits) == 1:
        return fits[0][1], f"dates read as {fits[0][0]}, the only order that gives evenly spaced periods"
    if len(fits) > 1:
        raise InputError(
            f"date column {column!r}: day and month cannot be told apart; set date_format in the spec"
        )
    bad = text[iso.isna()]
    raise InputError(
        f"date column {column!r}: {bad.iloc[0]!r} on line {int(bad.index[0]) + 2} is not an ISO date, and no usual "
        "format gives evenly spaced periods; set date_format in the spec"
    )


def _drop_blank_rows(data: pd.DataFrame, spec: MixSpec) -> tuple[pd.DataFrame, list[str]]:
    needed = [spec.date, spec.kpi]
    blank = np.ones(len(data), dtype=bool)
    for column in needed:
        blank &= (
            data[column].isna() | (data[column].astype("string").str.strip() == "").fillna(False)
        ).to_numpy()
    if not blank.any():
        return data, []
    return data[~blank], [f"{int(blank.sum())} rows without date and {spec.kpi} were left out"]


def load_panel(data: pd.DataFrame, spec: MixSpec, lifts: pd.DataFrame | None = None) -> Panel:
    """Build the panel that `spec` describes from `data`.

    Raises:
        InputError: a missing column, unreadable cell, duplicate key, gap, or negative spend.
        Refusal: too few rows for the number of unknowns, or collinear controls.
    """
    wanted = [spec.date, spec.kpi]
    for ch in spec.channels:
        wanted += [c for c in (ch.spend, ch.exposure, ch.reach, ch.frequency) if c]
    wanted += [c for c in (spec.geo, spec.population, spec.revenue_per_kpi) if c]
    channel_names = [c.name for c in spec.channels]
    mediator_columns = [m for m, _ in spec.mediators if m not in channel_names]
    wanted += [*spec.controls, *mediator_columns]
    require_columns(data, list(dict.fromkeys(wanted)))
    data, warnings = _drop_blank_rows(data, spec)
    if data.empty:
        raise InputError("data: no row has a date and an outcome")
    dates, note = parse_dates(data[spec.date], spec.date, spec.date_format)
    if note:
        warnings.append(note)
    if dates.isna().any():
        raise InputError(
            f"date column {spec.date!r} is blank on line {int(data.index[dates.isna().to_numpy()][0]) + 2}"
        )
    if spec.geo is None:
        geo = pd.Series("all", index=data.index)
    else:
        geo = data[spec.geo].astype("string").str.strip()
        if (geo.isna() | (geo == "")).any():
            raise InputError(f"geo column {spec.geo!r} has blank cells")
    key = pd.DataFrame({"geo": geo.astype(str).to_numpy(), "date": dates.to_numpy()}, index=data.index)
    key, more = _check_duplicates(key, spec)
    warnings += more
    period = _check_regular(key)

    index = pd.MultiIndex.from_frame(key)
    geos = tuple(sorted(key["geo"].unique()))
    stamps = pd.DatetimeIndex(sorted(key["date"].unique()))
    g, t = len(geos), len(stamps)
    order = index.get_indexer(pd.MultiIndex.from_product([geos, stamps]))

    def matrix(column: str, what: str, *, blank_is: float | None = None, non_negative: bool = False) -> Array:
        values = (
            numeric_column(data.reset_index(drop=True), column, what=what).to_numpy()[order].reshape(g, t)
        )
        missing = np.isnan(values)
        if missing.any():
            if blank_is is None:
                i, k = np.argwhere(missing)[0]
                raise InputError(
                    f"{what} column {column!r} is blank in {int(missing.sum())} rows (first: {stamps[k].date()}"
                    + (f", {geos[i]})" if spec.geo else ")")
                )
            values = np.where(missing, blank_is, values)
            warnings.append(f"{int(missing.sum())} blank cells of {column!r} were read as {blank_is:g}")
        if non_negative and (values < 0).any():
            i, k = np.argwhere(values < 0)[0]
            raise InputError(
                f"{what} column {column!r} is negative at {stamps[k].date()}"
                + (f", {geos[i]}" if spec.geo else "")
            )
        return values

    kpi = matrix(spec.kpi, "outcome")
    if float(np.ptp(kpi)) == 0.0:
        raise Refusal(f"the outcome {spec.kpi!r} never changes: nothing can be learned")
    if kpi.sum() <= 0:
        raise Refusal(f"the outcome {spec.kpi!r} sums to nothing or less")
    spends, exposures = [], []
    variants: dict[int, tuple[Array, ...]] = {}
    for c, ch in enumerate(spec.channels):
        spend = matrix(ch.spend, f"channel {ch.name}: spend", blank_is=0.0, non_negative=True)
        spends.append(spend)
        if ch.exposure:
            exposures.append(
                matrix(ch.exposure, f"channel {ch.name}: exposure", blank_is=0.0, non_negative=True)
            )
        elif ch.reach and ch.frequency:
            reach = matrix(ch.reach, f"channel {ch.name}: reach", blank_is=0.0, non_negative=True)
            often = matrix(ch.frequency, f"channel {ch.name}: frequency", blank_is=0.0, non_negative=True)
            exposures.append(reach * often)
            typical = float(often[often > 0].mean()) if (often > 0).any() else 1.0
            variants[c] = (reach * often / (often + typical), reach * (often > 0))
        else:
            exposures.append(spend)
    size, size_source = np.ones(g), "one"
    if g > 1:
        size, size_source = _sizes(
            kpi, matrix(spec.population, "population") if spec.population else None, spec
        )
    money = matrix(spec.revenue_per_kpi, "revenue per kpi") if spec.revenue_per_kpi else np.ones((g, t))
    if (money <= 0).any():
        raise InputError(f"revenue_per_kpi column {spec.revenue_per_kpi!r} must be positive")
    controls = [matrix(c, "control") for c in spec.controls]
    mediators = []
    for name, through in spec.mediators:
        if name in channel_names:
            warnings.append(
                f"mediator {name!r} is itself a channel: the other channels' returns are direct effects beside it"
            )
            values = exposures[channel_names.index(name)]
        else:
            values = matrix(name, "mediator")
        causes = tuple(channel_names.index(x) for x in through if x != name)
        mediators.append(Mediator(name, causes, values))
    panel = Panel(
        dates=stamps,
        geos=geos,
        channels=tuple(channel_names),
        kpi=kpi,
        spend=np.stack(spends),
        exposure=np.stack(exposures),
        size=size,
        money_per_kpi=money,
        controls=np.stack(controls) if controls else np.zeros((0, g, t)),
        control_names=spec.controls,
        demand_proxies=spec.demand_proxies,
        exposure_variants=variants,
        mediators=tuple(mediators),
        periods_per_week=period,
        size_source=size_source,
    )
    check_adequacy(panel)
    tests, more = lift_tests(panel, lifts) if lifts is not None else ((), [])
    return _with(panel, lift_tests=tests, warnings=(*warnings, *more))


def _with(panel: Panel, **changes: object) -> Panel:
    from dataclasses import replace

    return replace(panel, **changes)  # type: ignore[arg-type]


def _check_duplicates(key: pd.DataFrame, spec: MixSpec) -> tuple[pd.DataFrame, list[str]]:
    """Refuse repeated keys, or split a geography whose every period repeats, if the spec asks for it."""
    repeated = key.duplicated(keep=False)
    if not repeated.any():
        return key, []
    extra = int(key.duplicated().sum())
    names = sorted(key.loc[repeated, "geo"].unique())
    first = key[repeated].iloc[0]
    if spec.geo is None:
        raise InputError(
            f"{extra} repeated dates (first: {pd.Timestamp(first['date']).date()}); name the geo column?"
        )
    counts = key.groupby(["geo", "date"]).size().unstack(fill_value=0)
    whole = [n for n in names if counts.loc[n].nunique() == 1]
    if not spec.split_duplicate_geos or whole != names:
        hint = (
            "; it looks like several geographies under one label: set split_duplicate_geos: true to number them"
            if whole == names
            else ""
        )
        raise InputError(
            f"{extra} rows repeat a (geo, date) key, in geo {', '.join(map(repr, names[:5]))} "
            f"(first: {pd.Timestamp(first['date']).date()}){hint}"
        )
    key = key.copy()
    number = key.groupby(["geo", "date"]).cumcount() + 1
    split = key["geo"].isin(names)
    key.loc[split, "geo"] = key.loc[split, "geo"] + "_" + number[split].astype(str)
    return key, [
        f"geo {', '.join(names)} split by order of appearance into {int(counts.loc[names[0]].max())} parts"
    ]


def _check_regular(key: pd.DataFrame) -> int:
    """7 for daily data, 1 for weekly; refuse gaps and other spacings."""
    stamps = pd.DatetimeIndex(sorted(key["date"].unique()))
    if len(stamps) < 2:
        raise Refusal(f"{len(stamps)} period of data: a mix model needs at least {_MIN_PERIODS}")
    days = np.diff(stamps.to_numpy()).astype("timedelta64[D]").astype(int)
    step = int(np.bincount(days).argmax())
    if step not in (1, 7):
        raise InputError(f"periods are {step} days apart: the data must be weekly or daily")
    if (days != step).any():
        at = int(np.flatnonzero(days != step)[0])
        raise InputError(f"gap in the dates: {stamps[at].date()} is followed by {stamps[at + 1].date()}")
    counts = key.groupby("geo")["date"].nunique()
    short = counts[counts != len(stamps)]
    if not short.empty:
        raise InputError(
            f"geo {short.index[0]!r} has {int(short.iloc[0])} of {len(stamps)} periods: every geo needs every period"
        )
    return 7 if step == 1 else 1


def _sizes(kpi: Array, population: Array | None, spec: MixSpec) -> tuple[Array, str]:
    if population is not None:
        if (population <= 0).any():
            raise InputError(f"population column {spec.population!r} must be positive")
        size = population.mean(axis=1)
        return size / size.mean(), "population"
    size = np.abs(kpi).mean(axis=1)
    if (size <= 0).any():
        raise Refusal("a geography never has any outcome: leave it out, or give a population column")
    return size / size.mean(), "mean outcome"


def check_adequacy(panel: Panel) -> None:
    """Refuse too few rows, or controls that are collinear with each other and the constant.

    Raises:
        Refusal: with counts, or with the names of the collinear columns.
    """
    g, t, c = panel.shape
    season = 10 if t >= 90 * panel.periods_per_week else 6
    unknowns = c + len(panel.control_names) + len(panel.mediators) + 2 + season + (g - 1)
    need = max(_MIN_PERIODS * panel.periods_per_week, int(np.ceil(_ROWS_PER_PARAMETER * unknowns / g)))
    if t < need:
        raise Refusal(
            f"{t} periods x {g} geographies are too few for {c} channels and {unknowns} unknowns: "
            f"at least {need} periods are needed"
        )
    if not panel.control_names:
        return
    names, kept = [], []
    basis = [np.ones(g * t) / np.sqrt(g * t)]
    for k, name in enumerate(panel.control_names):
        x = panel.controls[k].ravel()
        sd = float(x.std())
        if sd <= 1e-12 * max(1.0, float(np.abs(x).max())):
            raise Refusal(f"the control {name!r} never changes: leave it out")
        z = (x - x.mean()) / sd
        z = z / np.linalg.norm(z)
        left = z - np.stack(basis, axis=1) @ (np.stack(basis) @ z)
        if np.linalg.norm(left) < 1e-5:
            names.append(name)
        else:
            basis.append(left / np.linalg.norm(left))
            kept.append(name)
    if names:
        raise Refusal(
            f"the controls are collinear: {', '.join(map(repr, names))} is a combination of the constant and "
            f"{', '.join(map(repr, kept[-4:]))} (leave one dummy of each set out)"
        )


def lift_tests(panel: Panel, lifts: pd.DataFrame) -> tuple[tuple[LiftTest, ...], list[str]]:
    """Experiments as positions in the panel.

    Raises:
        InputError: unknown channel or geo, dates outside the panel, a standard error that is not positive.
    """
    require_columns(
        lifts, ["channel", "date_from", "date_to", "incremental_kpi", "std_error"], what="lift tests"
    )
    out, warnings = [], []
    step = 7 if panel.periods_per_week == 1 else 1
    ends = panel.dates + pd.Timedelta(days=step - 1)
    for row, record in enumerate(lifts.to_dict("records")):
        where = f"lift tests line {row + 2}"
        name = str(record["channel"]).strip()
        if name not in panel.channels:
            raise InputError(f"{where}: unknown channel {name!r}")
        try:
            first, last = pd.Timestamp(record["date_from"]), pd.Timestamp(record["date_to"])
            effect, error = float(record["incremental_kpi"]), float(record["std_error"])
        except (TypeError, ValueError) as problem:
            raise InputError(f"{where}: {problem}") from problem
        if pd.isna(first) or pd.isna(last) or last < first:
            raise InputError(f"{where}: date_to must not be before date_from")
        if not np.isfinite(effect) or not np.isfinite(error) or error <= 0:
            raise InputError(f"{where}: incremental_kpi must be a number and std_error a positive one")
        inside = np.flatnonzero((ends >= first) & (panel.dates <= last))
        if len(inside) == 0:
            raise InputError(f"{where}: {first.date()} to {last.date()} is outside the data")
        if first < panel.dates[0] or last > ends[-1]:
            raise InputError(f"{where}: {first.date()} to {last.date()} reaches beyond the data")
        text = record.get("geos")
        geos: tuple[int, ...]
        if text is None or pd.isna(text) or str(text).strip() == "":
            geos = tuple(range(len(panel.geos)))
        else:
            asked = [x.strip() for x in str(text).split(";") if x.strip()]
            unknown = [x for x in asked if x not in panel.geos]
            if unknown:
                raise InputError(f"{where}: unknown geo {unknown[0]!r}")
            geos = tuple(sorted(panel.geos.index(x) for x in set(asked)))
        c = panel.channels.index(name)
        window = panel.exposure[c][np.ix_(geos, range(int(inside[0]), int(inside[-1]) + 1))]
        if window.sum() <= 0:
            warnings.append(f"{where}: {name} has no exposure in the test's window, so the test says nothing")
            continue
        out.append(
            LiftTest(
                c,
                int(inside[0]),
                int(inside[-1]),
                geos,
                effect,
                error,
                f"{name} {first.date()}..{last.date()}",
            )
        )
    return tuple(out), warnings
