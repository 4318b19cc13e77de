"""Places of the world: the 210 DMAs of the registry seed, invented ZIP codes, stores."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

SEED_FILE = Path(__file__).resolve().parent.parent / "dbt" / "seeds" / "dma.csv"
ZIPS_PER_DMA = 4


@dataclass(frozen=True)
class Geography:
    """DMAs in code order: ids, names, first state, TV homes, and four invented ZIP codes each."""

    dma_id: np.ndarray  # (D,) str
    name: np.ndarray  # (D,) str
    state: np.ndarray  # (D,) str
    homes: np.ndarray  # (D,) float
    zips: np.ndarray  # (D, ZIPS_PER_DMA) str of five digits
    zone: np.ndarray  # (D,) int price zone 0..3

    @property
    def count(self) -> int:
        """Number of DMAs."""
        return len(self.dma_id)

    @property
    def share(self) -> np.ndarray:
        """Share of TV homes, sums to one."""
        return np.asarray(self.homes / self.homes.sum())


def load_geography(path: Path = SEED_FILE) -> Geography:
    """Read the DMA registry (columns dma_id, dma_name, state_list, tv_homes, is_place).

    ZIP codes are invented by a fixed rule, cover leading zeros, and belong to one DMA each; the real map is licensed.
    """
    with path.open(newline="", encoding="utf-8") as handle:
        rows = [r for r in csv.DictReader(handle) if r["is_place"].lower() == "true"]
    rows.sort(key=lambda r: r["dma_id"])
    count = len(rows)
    index = np.arange(count * ZIPS_PER_DMA)
    zips = np.array([f"{1001 + 113 * i:05d}" for i in index]).reshape(count, ZIPS_PER_DMA)
    return Geography(
        dma_id=np.array([r["dma_id"] for r in rows]),
        name=np.array([r["dma_name"] for r in rows]),
        state=np.array([(r["state_list"].split(";")[0] or "NY") for r in rows]),
        homes=np.array([float(r["tv_homes"] or 30_000) for r in rows]),
        zips=zips,
        zone=np.arange(count) % 4,
    )


def zip_map(geo: Geography) -> pd.DataFrame:
    """The demo's ZIP to DMA file: one row a ZIP."""
    return pd.DataFrame(
        {
            "map_id": "demo-2026",
            "zip_code": geo.zips.ravel(),
            "dma_code": np.repeat(geo.dma_id, ZIPS_PER_DMA),
            "dma_description": np.char.upper(np.repeat(geo.name, ZIPS_PER_DMA)),
            "weight": "1.0",
        }
    )


def stores_per_dma(scale: float) -> int:
    """Stores of each chain in each DMA: one at scale 1, growing with its square root, at most eight."""
    return int(min(8, max(1, round(scale**0.5))))


def store_table(geo: Geography, scale: float) -> pd.DataFrame:
    """Store locations of the two chains with stores (retailer_id, store_nbr, zip, city, state, dma index)."""
    per = stores_per_dma(scale)
    frames = []
    for retailer, first in (("walmart", 1001), ("target", 20001)):
        dma = np.repeat(np.arange(geo.count), per)
        k = np.tile(np.arange(per), geo.count)
        frames.append(
            pd.DataFrame(
                {
                    "retailer_id": retailer,
                    "store_nbr": [str(first + d * 20 + s) for d, s in zip(dma, k, strict=True)],
                    "zip": geo.zips[dma, k % ZIPS_PER_DMA],
                    "city": geo.name[dma],
                    "state": geo.state[dma],
                    "dma": dma,
                }
            )
        )
    return pd.concat(frames, ignore_index=True)
