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

import numpy as np
import numpy.typing as npt
import pandas as pd

from modeling.elasticity.covariance import FEW_ENTITIES, Array
from modeling.elasticity.fits import diagnose, least_squares, poisson, quasi_differenced
from modeling.elasticity.panel import (
    Columns,
    drop_collinear,
    flags,
    in_order,
    numbers,
    time_controls,
    within,
)
from modeling.elasticity.result import ElasticityResult, Estimate, as_result
from modeling.errors import InputError, Refusal

__all__ = ["Columns", "ElasticityResult", "Estimate", "PriceElasticity"]

#: Least rows, and least rows per estimated coefficient, below which no estimate is given.
MIN_ROWS, MIN_ROWS_PER_TERM = 20, 3
#: Weeks after a promotion in which bought-ahead units may be missing.
DIP_PERIODS = 3


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
        panel, entity, period, dates = in_order(panel, names)
        units, price = numbers(panel, names.units), numbers(panel, names.price)
        if (price <= 0).any():
            raise InputError(f"{names.price}: {int((price <= 0).sum())} price(s) are not positive")
        if (units < 0).any():
            raise InputError(
                f"{names.units}: {int((units < 0).sum())} value(s) are negative; net them of returns first"
            )
        if units.max() <= 0:
            raise Refusal(f"{names.units}: nothing was sold")
        promo = flags(panel, names.promo) if names.promo else None
        notes: list[str] = []
        log_price = np.log(price)
        if np.std(within(log_price[:, None], [entity])[:, 0]) < 1e-4:
            raise Refusal(
                f"{names.price}: the price does not vary within an entity, so its effect cannot be seen"
            )
        terms: dict[str, Array] = {"price": log_price}
        if promo is not None and np.ptp(promo) > 0:
            self._promo_terms(terms, log_price, promo, entity, period, notes)
        elif promo is not None:
            notes.append(f"{names.promo} never changes, so no promotion lift is given")
        for control in names.controls:
            terms[f"control {control}"] = numbers(panel, control)
        effects, time_terms, time_note = time_controls(terms, entity, period, dates)
        terms.update(time_terms)
        notes.append(time_note)
        drop_collinear(terms, effects, notes)
        width, absorbed = len(terms), sum(int(e.max()) + 1 for e in effects)
        if len(panel) < MIN_ROWS_PER_TERM * (width + absorbed) and len(panel) < width + absorbed + 40:
            raise Refusal(f"{len(panel)} rows are too few for {width + absorbed} parameters")
        design = np.column_stack(list(terms.values()))
        instrument = numbers(panel, names.instrument) if names.instrument else None
        if (units == 0).any():
            if instrument is not None:
                raise Refusal(
                    "an instrument needs positive units in every row: drop or aggregate the rows with none"
                )
            coefficients, spread = poisson(design, units, entity, effects, period)
            method = "Poisson pseudo-maximum likelihood with entity effects (some units are zero)"
            first_stage = None
        else:
            few = len(effects) == 1 and entity.max() + 1 < FEW_ENTITIES
            if period is not None and few and instrument is None:
                coefficients, spread, residual, rho = quasi_differenced(design, np.log(units), entity, period)
                first_stage, method = None, f"log-log generalised least squares, AR(1) errors ({rho:.2f})"
            else:
                coefficients, spread, first_stage, residual = least_squares(
                    design, np.log(units), effects, entity, period, absorbed, instrument
                )
                method = "log-log least squares" if instrument is None else "log-log two-stage least squares"
        if first_stage is not None and first_stage < 10:
            notes.append(f"the instrument is weak (first-stage F {first_stage:.1f} is below 10)")
        if instrument is None:
            notes.append(
                "prices are taken as set without knowledge of the demand shock; name an instrument to relax this"
            )
        cut = terms["interaction"][terms["promo"] > 0] if "interaction" in terms else np.zeros(1)
        depth = float(cut.mean())
        diagnostics = {} if (units == 0).any() else diagnose(residual, entity, period)
        return as_result(
            list(terms), coefficients, spread, method, len(panel), int(entity.max()) + 1,
            0 if period is None else int(period.max()) + 1, first_stage, tuple(notes), diagnostics, depth,
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
        # the regular price is the one last asked off promotion (rows are in order), else the entity's typical one
        off = pd.Series(np.where(promo == 0, log_price, np.nan)).groupby(entity)
        regular = off.ffill() if period is not None else off.transform("median")
        regular = regular.fillna(off.transform("median"))
        regular = regular.fillna(pd.Series(log_price).groupby(entity).transform("median"))
        moved = promo * (log_price - regular.to_numpy(dtype=float))
        on = promo > 0
        if self.interaction and on.sum() >= 10 and np.std(moved[on]) > 0.01:
            terms["interaction"] = moved
        elif self.interaction:
            notes.append("price hardly varies within promotions, so price x promotion is not identified")
        if period is None:
            notes.append("without dates the dip after a promotion cannot be seen; the lift is gross")
            return
        # what is bought ahead grows with what was bought extra, so the dip follows the depth as well
        depth = "interaction" in terms
        follows = pd.DataFrame({"e": entity, "t": period, "promo": promo, "depth": moved})
        for lag in range(1, DIP_PERIODS + 1):
            earlier = follows.assign(t=follows["t"] + lag)
            past = follows[["e", "t"]].merge(earlier, on=["e", "t"], how="left").fillna(0.0)
            for name in ("promo", "depth") if depth else ("promo",):
                values = past[name].to_numpy(dtype=float)
                if np.ptp(values) > 0:
                    terms[f"{name} lag {lag}"] = values
