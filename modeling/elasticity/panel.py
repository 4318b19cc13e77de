"""From a caller's panel to checked columns in order, fixed effects absorbed, time controlled for."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from modeling.elasticity.covariance import Array
from modeling.errors import InputError, Refusal

#: Share of within-entity variance of price (and promotion) that must remain within periods for period effects.
ENOUGH_WITHIN_PERIODS = 0.15


@dataclass(frozen=True)
class Columns:
    """Names of the panel's columns."""

    units: str
    price: str
    promo: str | None = None
    entity: str | None = None
    date: str | None = None
    controls: tuple[str, ...] = ()
    instrument: str | None = None


def numbers(panel: pd.DataFrame, column: str) -> Array:
    values = pd.to_numeric(panel[column], errors="coerce").to_numpy(dtype=float)
    bad = ~np.isfinite(values)
    if bad.any():
        row = int(np.argmax(bad))
        raise InputError(
            f"{column}: {int(bad.sum())} value(s) are not numbers (first in data row {row + 1}: {str(panel[column].iloc[row])[:40]!r})"
        )
    return values


def flags(panel: pd.DataFrame, column: str) -> Array:
    values = panel[column]
    if values.dtype == object or str(values.dtype) in ("str", "string"):
        known = {
            "1": 1.0,
            "0": 0.0,
            "true": 1.0,
            "false": 0.0,
            "y": 1.0,
            "n": 0.0,
            "yes": 1.0,
            "no": 0.0,
            "": 0.0,
        }
        text = values.fillna("").astype(str).str.strip().str.lower()
        if text.isin(list(known)).all():
            return text.map(known).to_numpy(dtype=float)
    if values.dtype == bool:
        return values.to_numpy(dtype=float)
    return numbers(panel, column)


def in_order(
    panel: pd.DataFrame, names: Columns
) -> tuple[pd.DataFrame, npt.NDArray[np.int64], npt.NDArray[np.int64] | None, pd.DatetimeIndex | None]:
    """The panel by entity and date with integer labels; a key that repeats is refused."""
    frame = panel.copy()
    entity_of = frame[names.entity].astype(str) if names.entity else pd.Series("all", index=frame.index)
    dates: pd.DatetimeIndex | None = None
    period: npt.NDArray[np.int64] | None = None
    if names.date:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parsed = pd.to_datetime(frame[names.date], errors="coerce", format="ISO8601")
        if parsed.isna().any():
            numeric = pd.to_numeric(frame[names.date], errors="coerce")
            if numeric.isna().any():
                raise InputError(
                    f"{names.date}: {int(parsed.isna().sum())} value(s) are not ISO dates (YYYY-MM-DD)"
                )
            key = numeric
        else:
            key = parsed
            dates = pd.DatetimeIndex(parsed)
        if pd.DataFrame({"e": entity_of, "d": key}).duplicated().any():
            raise InputError(
                f"the key ({names.entity or 'whole panel'}, {names.date}) repeats: aggregate the rows or name the entity"
            )
        order = np.lexsort((key.to_numpy(), entity_of.to_numpy()))
        frame, entity_of, key = frame.iloc[order], entity_of.iloc[order], key.iloc[order]
        dates = None if dates is None else dates[order]
        period = np.unique(key.to_numpy(), return_inverse=True)[1].astype(np.int64)
    entity = np.unique(entity_of.to_numpy(dtype=str), return_inverse=True)[1].astype(np.int64)
    return frame.reset_index(drop=True), entity, period, dates


def within(values: Array, effects: list[npt.NDArray[np.int64]], weights: Array | None = None) -> Array:
    """Absorb fixed effects by alternating (weighted) demeaning; (rows, columns) in and out."""
    out = values.astype(float).copy()
    weight = np.ones(len(out)) if weights is None else weights
    sums = [np.bincount(e, weights=weight) for e in effects]
    for _ in range(1 if len(effects) == 1 else 200):
        change = 0.0
        for labels, total in zip(effects, sums, strict=True):
            for j in range(out.shape[1]):
                mean = np.bincount(labels, weights=weight * out[:, j], minlength=len(total)) / np.maximum(
                    total, 1e-300
                )
                out[:, j] -= mean[labels]
                change = max(change, float(np.abs(mean).max()))
        if change < 1e-10:
            break
    return out


def time_controls(
    terms: dict[str, Array],
    entity: npt.NDArray[np.int64],
    period: npt.NDArray[np.int64] | None,
    dates: pd.DatetimeIndex | None,
) -> tuple[list[npt.NDArray[np.int64]], dict[str, Array], str]:
    """How time is controlled for: period effects where price still varies within periods, else trend and season."""
    if period is None:
        return [entity], {}, "no dates: only entity effects"
    watched = np.column_stack([terms[t] for t in ("price", "promo") if t in terms])
    if entity.max() > 0:
        before = within(watched, [entity]).var(axis=0)
        after = within(watched, [entity, period]).var(axis=0)
        if (after >= ENOUGH_WITHIN_PERIODS * before).all():
            return [entity, period], {}, "entity and period effects"
    time = (period - period.mean()) / max(float(period.max()), 1.0)
    extra: dict[str, Array] = {"trend": time}
    if dates is not None and (dates.max() - dates.min()).days >= 300 and period.max() >= 40:
        angle = 2 * np.pi * dates.dayofyear.to_numpy() / 365.25
        for k in (1, 2):
            extra[f"sin {k}"], extra[f"cos {k}"] = np.sin(k * angle), np.cos(k * angle)
    return [entity], extra, "entity effects, trend" + (" and season" if len(extra) > 1 else "")


def drop_collinear(terms: dict[str, Array], effects: list[npt.NDArray[np.int64]], notes: list[str]) -> None:
    """Leave out terms that the others already span; the price itself must remain."""
    absorbed = within(np.column_stack(list(terms.values())), effects)
    kept: list[int] = []
    for j, name in enumerate(list(terms)):
        column = absorbed[:, j]
        scale = float(column @ column)
        raw = np.asarray(terms[name])
        base = absorbed[:, kept]
        left = column - base @ np.linalg.lstsq(base, column, rcond=None)[0] if kept else column
        if scale > 1e-10 * max(float(raw @ raw), 1e-300) and float(left @ left) > 1e-6 * scale:
            kept.append(j)
            continue
        if name == "price":
            raise Refusal("the price is determined by the fixed effects, so its effect cannot be seen")
        notes.append(f"{name} is a combination of the other terms and was left out")
        terms.pop(name)
