"""Log-log demand with promotions: elasticity, promotion lift net of the dip after it, price x promotion.

    ln units = entity + (period | trend and season) + b ln price + g promo + d promo x ln(price / regular price)
               + lagged promotions + controls + error

``b`` is the elasticity of units at the regular price off promotion; revenue's is ``1 + b``. Entity effects take up
size, period effects take up whatever moves all entities together, unseen demand included; they are used where price
still varies within a period, and trend and Fourier terms otherwise. Zero units are kept: the model is then Poisson
pseudo-maximum likelihood (Santos Silva and Tenreyro 2006), which estimates the same coefficients without a logarithm
of zero. With an instrument the price is fitted by two-stage least squares.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from modeling.elasticity.covariance import FEW_ENTITIES, Covariance, covariance
from modeling.errors import InputError, Refusal

Array = npt.NDArray[np.floating[Any]]
LEVEL = 0.95
#: Least rows, and least rows per estimated coefficient, below which no estimate is given.
MIN_ROWS, MIN_ROWS_PER_TERM = 20, 3
#: Share of within-entity variance of price (and promotion) that must remain within periods for period effects.
ENOUGH_WITHIN_PERIODS = 0.15
#: Weeks after a promotion in which bought-ahead units may be missing.
DIP_PERIODS = 2


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval."""

    value: float
    low: float
    high: float

    def rounded(self) -> tuple[float, float, float]:
        return self.value, self.low, self.high


@dataclass(frozen=True)
class ElasticityResult:
    """What a fit found; ``None`` where the panel cannot identify it, with the reason in ``notes``."""

    elasticity: Estimate
    promo_lift_pct: Estimate | None
    promo_lift_net_pct: Estimate | None
    interaction: Estimate | None
    std_error_kind: str
    method: str
    observations: int
    entities: int
    periods: int
    first_stage_f: float | None = None
    notes: tuple[str, ...] = ()
    diagnostics: dict[str, Any] = field(default_factory=dict)


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


def _number(panel: pd.DataFrame, column: str) -> Array:
    values = pd.to_numeric(panel[column], errors="coerce").to_numpy(dtype=float)
    bad = ~np.isfinite(values)
    if bad.any():
        row = int(np.argmax(bad))
        raise InputError(
            f"{column}: {int(bad.sum())} value(s) are not numbers (first in data row {row + 1}: {str(panel[column].iloc[row])[:40]!r})"
        )
    return values


def _flag(panel: pd.DataFrame, column: str) -> Array:
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
    return _number(panel, column)


class PriceElasticity:
    """Estimates the model above. Results are attributes of :meth:`fit`'s return value; nothing happens in ``__init__``.

    Args:
        columns: which column is what.
        interaction: whether to estimate price x promotion where the panel can identify it.
    """

    def __init__(self, columns: Columns, *, interaction: bool = True) -> None:
        self.columns = columns
        self.interaction = interaction

    def fit(self, panel: pd.DataFrame) -> ElasticityResult:
        """Fit on a panel with one row per entity and period (any row order).

        Raises:
            InputError: a column cannot be read, prices are not positive, units are negative, or a key repeats.
            Refusal: too few rows, or a price that does not vary within entities.
        """
        names = self.columns
        if len(panel) < MIN_ROWS:
            raise Refusal(f"{len(panel)} rows cannot support an elasticity (at least {MIN_ROWS} are needed)")
        panel, entity, period, dates = _sorted(panel, names)
        units, price = _number(panel, names.units), _number(panel, names.price)
        if (price <= 0).any():
            raise InputError(f"{names.price}: {int((price <= 0).sum())} price(s) are not positive")
        if (units < 0).any():
            raise InputError(
                f"{names.units}: {int((units < 0).sum())} value(s) are negative; net them of returns first"
            )
        if units.max() <= 0:
            raise Refusal(f"{names.units}: nothing was sold")
        promo = _flag(panel, names.promo) if names.promo else None
        notes: list[str] = []
        log_price = np.log(price)
        if np.std(_within(log_price[:, None], [entity])[:, 0]) < 1e-4:
            raise Refusal(
                f"{names.price}: the price does not vary within an entity, so its effect cannot be seen"
            )
        terms: dict[str, Array] = {"price": log_price}
        if promo is not None and np.ptp(promo) > 0:
            self._promo_terms(terms, log_price, promo, entity, period, notes)
        elif promo is not None:
            notes.append(f"{names.promo} never changes, so no promotion lift is given")
        for control in names.controls:
            terms[f"control {control}"] = _number(panel, control)
        effects, time_terms, time_note = _time(terms, entity, period, dates)
        terms.update(time_terms)
        notes.append(time_note)
        _drop_collinear(terms, effects, notes)
        width, absorbed = len(terms), sum(int(e.max()) + 1 for e in effects)
        if len(panel) < MIN_ROWS_PER_TERM * (width + absorbed) and len(panel) < width + absorbed + 40:
            raise Refusal(f"{len(panel)} rows are too few for {width + absorbed} parameters")
        design = np.column_stack(list(terms.values()))
        instrument = _number(panel, names.instrument) if names.instrument else None
        if (units == 0).any():
            if instrument is not None:
                raise Refusal(
                    "an instrument needs positive units in every row: drop or aggregate the rows with none"
                )
            coefficients, spread = _poisson(design, units, entity, effects, period)
            method = "Poisson pseudo-maximum likelihood with entity effects (some units are zero)"
            first_stage = None
        else:
            few = len(effects) == 1 and entity.max() + 1 < FEW_ENTITIES
            if period is not None and few and instrument is None:
                coefficients, spread, residual, rho = _quasi_differenced(
                    design, np.log(units), entity, period
                )
                first_stage, method = None, f"log-log generalised least squares, AR(1) errors ({rho:.2f})"
            else:
                coefficients, spread, first_stage, residual = _least_squares(
                    design, np.log(units), effects, entity, period, absorbed, instrument
                )
                method = "log-log least squares" if instrument is None else "log-log two-stage least squares"
        if first_stage is not None and first_stage < 10:
            notes.append(f"the instrument is weak (first-stage F {first_stage:.1f} is below 10)")
        if instrument is None:
            notes.append(
                "prices are taken as set without knowledge of the demand shock; name an instrument to relax this"
            )
        diagnostics = {} if (units == 0).any() else _diagnostics(residual, entity, period)
        return _result(
            list(terms), coefficients, spread, method, len(panel), int(entity.max()) + 1,
            0 if period is None else int(period.max()) + 1, first_stage, tuple(notes), diagnostics,
        )  # fmt: skip

    def _promo_terms(
        self,
        terms: dict[str, Array],
        log_price: Array,
        promo: Array,
        entity: npt.NDArray[np.int64],
        period: npt.NDArray[np.int64] | None,
        notes: list[str],
    ) -> None:
        terms["promo"] = promo
        frame = pd.DataFrame({"e": entity, "lp": np.where(promo == 0, log_price, np.nan)})
        regular = (
            frame.groupby("e")["lp"]
            .transform("median")
            .fillna(pd.Series(log_price).groupby(entity).transform("median"))
        )
        moved = promo * (log_price - regular.to_numpy(dtype=float))
        on = promo > 0
        if self.interaction and on.sum() >= 10 and np.std(moved[on]) > 0.01:
            terms["interaction"] = moved
        elif self.interaction:
            notes.append("price hardly varies within promotions, so price x promotion is not identified")
        if period is None:
            notes.append("without dates the dip after a promotion cannot be seen; the lift is gross")
            return
        follows = pd.DataFrame({"e": entity, "t": period, "p": promo})
        for lag in range(1, DIP_PERIODS + 1):
            past = follows.assign(t=follows["t"] + lag).rename(columns={"p": "past"})
            merged = follows.merge(past, on=["e", "t"], how="left")["past"].fillna(0.0).to_numpy(dtype=float)
            if np.ptp(merged) > 0:
                terms[f"promo lag {lag}"] = merged


def _sorted(
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


def _within(values: Array, effects: list[npt.NDArray[np.int64]], weights: Array | None = None) -> Array:
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


def _time(
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
        before = _within(watched, [entity]).var(axis=0)
        after = _within(watched, [entity, period]).var(axis=0)
        if (after >= ENOUGH_WITHIN_PERIODS * before).all():
            return [entity, period], {}, "entity and period effects"
    time = (period - period.mean()) / max(float(period.max()), 1.0)
    extra: dict[str, Array] = {"trend": time}
    if dates is not None and (dates.max() - dates.min()).days >= 300 and period.max() >= 40:
        angle = 2 * np.pi * dates.dayofyear.to_numpy() / 365.25
        for k in (1, 2):
            extra[f"sin {k}"], extra[f"cos {k}"] = np.sin(k * angle), np.cos(k * angle)
    return [entity], extra, "entity effects, trend" + (" and season" if len(extra) > 1 else "")


def _drop_collinear(terms: dict[str, Array], effects: list[npt.NDArray[np.int64]], notes: list[str]) -> None:
    """Leave out terms that the others already span; the price itself must remain."""
    absorbed = _within(np.column_stack(list(terms.values())), effects)
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


def _least_squares(
    design: Array,
    outcome: Array,
    effects: list[npt.NDArray[np.int64]],
    entity: npt.NDArray[np.int64],
    period: npt.NDArray[np.int64] | None,
    absorbed: int,
    instrument: Array | None,
) -> tuple[Array, Covariance, float | None, Array]:
    x = _within(design, effects)
    y = _within(outcome[:, None], effects)[:, 0]
    first_stage = None
    fitted = x
    if instrument is not None:
        z = np.column_stack(
            [
                _within(
                    np.log(instrument)[:, None] if (instrument > 0).all() else instrument[:, None], effects
                ),
                x[:, 1:],
            ]
        )
        full = z @ np.linalg.lstsq(z, x[:, 0], rcond=None)[0]
        less = (
            z[:, 1:] @ np.linalg.lstsq(z[:, 1:], x[:, 0], rcond=None)[0]
            if z.shape[1] > 1
            else np.zeros(len(y))
        )
        rest = float(((x[:, 0] - full) ** 2).sum())
        first_stage = float(
            (((x[:, 0] - less) ** 2).sum() - rest) / (rest / max(len(y) - z.shape[1] - absorbed, 1))
        )
        fitted = x.copy()
        fitted[:, 0] = full
    coefficients = np.linalg.lstsq(fitted, y, rcond=None)[0]
    residuals = y - x @ coefficients
    return coefficients, covariance(fitted, residuals, entity, period, absorbed), first_stage, residuals


def _quasi_differenced(
    design: Array, outcome: Array, entity: npt.NDArray[np.int64], period: npt.NDArray[np.int64]
) -> tuple[Array, Covariance, Array, float]:
    """Prais and Winsten (1954), iterated: where no period effects take up slow drift, differencing does.

    Where periods are missing the next row starts afresh. The sandwich covariance stays, so that errors which are not
    AR(1) do not spoil the interval.
    """
    dummies = (entity[:, None] == np.arange(int(entity.max()) + 1)[None, :]).astype(float)
    x = np.column_stack([design, dummies])
    follows = np.concatenate([[False], (np.diff(entity) == 0) & (np.diff(period) == 1)])
    rho = 0.0
    for _ in range(50):
        scale = np.where(follows, 1.0, np.sqrt(1 - rho**2))[:, None]
        lagged = np.where(follows[:, None], np.roll(np.column_stack([outcome, x]), 1, axis=0), 0.0)
        changed = scale * np.column_stack([outcome, x]) - rho * lagged
        coefficients = np.linalg.lstsq(changed[:, 1:], changed[:, 0], rcond=None)[0]
        residual = outcome - x @ coefficients
        past, now = residual[np.flatnonzero(follows) - 1], residual[follows]
        updated = float(np.clip(past @ now / max(float(past @ past), 1e-300), 0.0, 0.98))
        if abs(updated - rho) < 1e-8:
            break
        rho = updated
    left = changed[:, 0] - changed[:, 1:] @ coefficients
    spread = covariance(changed[:, 1:], left, entity, period, 0)
    width = design.shape[1]
    return (
        coefficients[:width],
        Covariance(spread.matrix[:width, :width], spread.kind, spread.degrees),
        left,
        rho,
    )


def _poisson(
    design: Array,
    units: Array,
    entity: npt.NDArray[np.int64],
    effects: list[npt.NDArray[np.int64]],
    period: npt.NDArray[np.int64] | None,
) -> tuple[Array, Covariance]:
    """Iteratively reweighted least squares with absorbed effects.

    Entities that never sold say nothing about price (their effect is minus infinity) and get no weight.
    """
    alive = np.bincount(entity, weights=units)[entity] > 0
    mean: Array = np.where(units > 0, units, 0.5)
    coefficients: Array = np.zeros(design.shape[1])
    for _ in range(200):
        log_mean = np.log(mean)
        weight = np.where(alive, mean, 1e-12)
        working = log_mean + (units - mean) / mean
        x = _within(design, effects, weight)
        z = _within(working[:, None], effects, weight)[:, 0]
        root = np.sqrt(weight)
        updated = np.linalg.lstsq(x * root[:, None], z * root, rcond=None)[0]
        residual = z - x @ updated
        mean = np.clip(np.exp(np.clip(working - residual, -20, 25)), 1e-8, None)
        moved = float(np.abs(updated - coefficients).max())
        coefficients = updated
        if moved < 1e-9:
            break
    else:
        raise Refusal("the Poisson model did not converge")
    weight = np.where(alive, mean, 1e-12)
    x = _within(design, effects, weight)
    absorbed = sum(int(e.max()) + 1 for e in effects)
    return coefficients, covariance(x, np.where(alive, units - mean, 0.0), entity, period, absorbed, weight)


def _diagnostics(
    residual: Array, entity: npt.NDArray[np.int64], period: npt.NDArray[np.int64] | None
) -> dict[str, Any]:
    """Durbin-Watson within entities and the residuals' spread in logs."""
    found: dict[str, Any] = {"residual_sd_log": float(residual.std())}
    if period is not None:
        step = np.diff(residual)[np.diff(entity) == 0]
        found["durbin_watson"] = float((step**2).sum() / max(float((residual**2).sum()), 1e-300))
    return found


def _result(
    names: list[str],
    coefficients: Array,
    spread: Covariance,
    method: str,
    rows: int,
    entities: int,
    periods: int,
    first_stage: float | None,
    notes: tuple[str, ...],
    diagnostics: dict[str, Any],
) -> ElasticityResult:
    quantile = float(stats.t.ppf(0.5 + LEVEL / 2, spread.degrees))

    def of(name: str) -> Estimate | None:
        if name not in names:
            return None
        j = names.index(name)
        half = quantile * float(np.sqrt(max(spread.matrix[j, j], 0.0)))
        return Estimate(float(coefficients[j]), float(coefficients[j] - half), float(coefficients[j] + half))

    price, promo = of("price"), of("promo")
    assert price is not None  # noqa: S101 - a fit without a price is refused earlier
    gross = net = None
    if promo is not None:
        gross = Estimate(*(100 * float(np.expm1(v)) for v in promo.rounded()))
        lags = [names.index(n) for n in names if n.startswith("promo lag")]
        if lags:
            picked = [names.index("promo"), *lags]
            value = 100 * float(np.expm1(coefficients[picked]).sum())
            gradient = 100 * np.exp(coefficients[picked])
            half = quantile * float(
                np.sqrt(max(gradient @ spread.matrix[np.ix_(picked, picked)] @ gradient, 0.0))
            )
            net = Estimate(value, value - half, value + half)
    return ElasticityResult(
        price,
        gross,
        net,
        of("interaction"),
        spread.kind,
        method,
        rows,
        entities,
        periods,
        first_stage,
        notes,
        diagnostics,
    )
