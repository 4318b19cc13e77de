"""Stock at risk: what stock on hand meets what demand, by simulation of the forecast."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from modeling.forecast.panel import Array

DRAWS = 400
#: Weeks of demand that an order placed now has to cover: the wait for it and the week until the next order.
COVER_WEEKS = 4
#: Stock for more weeks than this is too much.
MAX_WEEKS = 12
SERVICE = 0.9


@dataclass(frozen=True)
class Risk:
    """Per key and week (K, H), and per key (K,).

    ``stockout``: probability that demand up to the week exceeds the stock; ``overstock``: probability that what
    is left then lasts more than ``MAX_WEEKS`` at the forecast's pace; ``lost``: expected unmet units in the week;
    ``supply``: weeks the stock lasts at the forecast's pace; ``order``: units that bring the chance of meeting the
    next ``COVER_WEEKS`` weeks to ``SERVICE``.
    """

    stockout: Array
    overstock: Array
    lost: Array
    supply: Array
    order: Array


def assess(on_hand: Array, inbound: Array, quantiles: Array, *, persistence: float, seed: int) -> Risk:
    """Risk if nothing is delivered beyond ``inbound``.

    Args:
        on_hand: (K,) units, backorders count as none.
        inbound: (K,) units on order, expected within the cover weeks.
        quantiles: (3, K, H) P10, P50, P90 of weekly demand.
        persistence: correlation of a key's forecast errors between weeks, 0..1.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    _, keys, horizon = quantiles.shape
    low, mid, high = quantiles
    stock = np.maximum(on_hand, 0.0)
    arrival = np.minimum(np.arange(1, horizon + 1) / COVER_WEEKS, 1.0)
    supply_path = stock[:, None] + np.maximum(inbound, 0.0)[:, None] * arrival[None, :]
    stockout, overstock, unmet = (np.zeros((keys, horizon)) for _ in range(3))
    order = np.zeros(keys)
    cover = min(COVER_WEEKS, horizon)
    pace = np.maximum(mid.mean(axis=1), 1e-9)
    share = float(np.clip(persistence, 0.0, 0.98))
    z = np.sqrt(share) * rng.standard_normal((DRAWS, 1)) + np.sqrt(1 - share) * rng.standard_normal(
        (DRAWS, horizon)
    )
    below, above = (mid - low) / 1.2816, (high - mid) / 1.2816
    for lo in range(0, keys, 500):
        at = slice(lo, min(lo + 500, keys))
        draw = mid[at, None] + np.where(z > 0, above[at, None] * z, below[at, None] * z)
        total = np.cumsum(np.maximum(draw, 0.0), axis=2)
        short = total - supply_path[at, None]
        stockout[at] = (short > 0).mean(axis=1)
        overstock[at] = (-short > MAX_WEEKS * pace[at, None, None]).mean(axis=1)
        unmet[at] = np.maximum(short, 0.0).mean(axis=1)
        need = np.quantile(total[:, :, cover - 1], SERVICE, axis=1)
        order[at] = np.maximum(need - supply_path[at, cover - 1], 0.0)
    lost = np.maximum(np.diff(unmet, axis=1, prepend=0.0), 0.0)
    return Risk(stockout, overstock, lost, stock / pace, np.ceil(order))


def persistence(errors: Array) -> float:
    """Mean correlation of standardised errors between two steps of one origin: errors (O, S, H), NaN = unknown."""
    seen = np.isfinite(errors)
    total = np.where(seen, np.abs(np.nan_to_num(errors)), 0.0).sum(axis=(0, 2), keepdims=True)
    size = total / np.maximum(seen.sum(axis=(0, 2), keepdims=True), 1)
    score = errors / np.maximum(size, 1e-12)
    ok = np.isfinite(score).all(axis=2)
    rows = score[ok]
    if len(rows) < 10 or rows.shape[1] < 2:
        return 0.5
    corr = np.asarray(np.corrcoef(np.clip(rows, -4, 4), rowvar=False))
    steps = corr.shape[0]
    return float(np.clip((corr.sum() - steps) / (steps * (steps - 1)), 0.0, 0.95))


def suggest(table: pd.DataFrame) -> pd.DataFrame:
    """Orders and transfers in words.

    Within a retailer and product, stock for more than ``MAX_WEEKS`` in one DMA is offered to DMAs that need an
    order, largest need first, before anything is ordered.

    Args:
        table: one row per dma_id, retailer_id, product_id with on_hand_units, weeks_of_supply, pace, order_units.

    Returns:
        The table with suggested_order_units and suggestion.
    """
    need = table["order_units"].to_numpy(dtype=float).copy()
    pace, supply = table["pace"].to_numpy(dtype=float), table["weeks_of_supply"].to_numpy(dtype=float)
    spare = np.floor(np.maximum(table["on_hand_units"].to_numpy(dtype=float) - MAX_WEEKS * pace, 0.0))
    dma = [str(v) for v in table["dma_id"]]
    words = [""] * len(table)
    given = np.zeros(len(table))
    groups: dict[tuple[str, str], list[int]] = {}
    for i, key in enumerate(zip(table["retailer_id"], table["product_id"], strict=True)):
        groups.setdefault((str(key[0]), str(key[1])), []).append(i)
    for members in groups.values():
        donors = sorted((i for i in members if spare[i] >= 1), key=lambda i: (-spare[i], dma[i]))
        for i in sorted(members, key=lambda i: (-need[i], dma[i])):
            parts: list[str] = []
            while need[i] >= 1 and donors and len(parts) < 3:
                donor = donors[0]
                moved = float(np.floor(min(need[i], spare[donor])))
                parts.append(f"transfer {moved:.0f} from {dma[donor]}")
                spare[donor] -= moved
                given[donor] += moved
                need[i] -= moved
                if spare[donor] < 1:
                    donors.pop(0)
            need[i] = float(np.ceil(need[i]))
            if need[i] >= 1:
                parts.append(f"order {need[i]:.0f}")
            words[i] = ", ".join(parts) or ("pause orders" if supply[i] > MAX_WEEKS else "hold")
    words = [f"send out {given[i]:.0f}" if given[i] else word for i, word in enumerate(words)]
    return table.assign(suggested_order_units=need, suggestion=words)
