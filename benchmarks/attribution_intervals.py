"""Do the intervals of attribution hold the truth as often as they say? Shares and ROAS of all seven models.

    python benchmarks/attribution_intervals.py [--samples 40] [--seed 1]

Three worlds, each a known chain of 4, 7 or 10 channels from which journeys are drawn: few (2,000), usual (10,000) and
many rare channels. A conversion is worth what its retailer pays by declared rule (three retailers, spread 35 %). Truth
is what each model says of 300,000 journeys of the same chain (for Markov the chain itself); every sample is given to
the command's own bootstrap. Spend is known, so ROAS is credited value over spend: its interval is that of value.
Value has the observed total, so the truth of a sample is the true division of the value that was observed.

Prints coverage of the 95 % intervals by world and model and writes benchmarks/results/attribution_intervals.json.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import pandas as pd

from modeling.attribution.models import MODELS, Settings, attribute, bootstrap, interval_table
from modeling.attribution.paths import Paths

RESULTS = Path(__file__).parent / "results" / "attribution_intervals.json"
WORLDS = {"few": (4, 2_000, 1.5), "usual": (7, 10_000, 1.5), "rare": (10, 10_000, 0.4)}
RETAILER_VALUE = np.array([18.0, 27.0, 40.0])
TRUTH_JOURNEYS = 300_000
DRAWS = 200


class World:
    """A chain: where journeys start, how they go on, and whether they end in a conversion."""

    def __init__(self, rng: np.random.Generator, channels: int, evenness: float) -> None:
        self.start = rng.dirichlet(np.full(channels, evenness))
        stay = 0.62
        self.moves = rng.dirichlet(np.full(channels, evenness), size=channels) * stay
        won = rng.uniform(0.05, 0.30, channels) * (1 - stay)
        self.steps = np.cumsum(np.column_stack([self.moves, won, 1 - stay - won]), axis=1)
        self.taste = rng.dirichlet(np.ones(3) * 3, size=channels)

    def draw(self, rng: np.random.Generator, journeys: int) -> Paths:
        """Weighted paths of that many journeys."""
        channels = len(self.start)
        here = rng.choice(channels, p=self.start, size=journeys)
        touches, won, last = [[] for _ in range(journeys)], np.zeros(journeys, bool), here.copy()
        active = np.arange(journeys)
        while len(active):
            for journey, code in zip(active.tolist(), here[active].tolist(), strict=True):
                touches[journey].append(code)
            last[active] = here[active]
            following = (rng.random(len(active))[:, None] > self.steps[here[active]]).sum(axis=1)
            won[active] = following == channels
            going = following < channels
            active = active[going]
            here[active] = following[going]
        retailer = (rng.random(journeys)[:, None] > np.cumsum(self.taste[last], axis=1)).sum(axis=1)
        value = np.where(won, RETAILER_VALUE[np.minimum(retailer, 2)], 0.0)
        frame = pd.DataFrame({"path": [bytes(t) for t in touches], "won": won, "value": value})
        table = frame.groupby("path").agg(won=("won", "sum"), seen=("won", "size"), value=("value", "sum"))
        codes = np.concatenate([np.frombuffer(p, dtype=np.uint8) for p in table.index]).astype(np.int64)
        offsets = np.concatenate([[0], np.cumsum([len(p) for p in table.index])]).astype(np.int64)
        conversions = table["won"].to_numpy(float)
        return Paths(
            tuple(f"c{i}" for i in range(channels)),
            codes,
            offsets,
            conversions,
            table["value"].to_numpy(float),
            table["seen"].to_numpy(float) - conversions,
        )


def shares(paths: Paths) -> pd.DataFrame:
    """Share of conversions and of value by model and channel."""
    credits = attribute(paths, Settings()).credits.set_index(["model", "channel"])
    return credits / credits.groupby(level="model").transform("sum")


def main() -> None:
    """Run all worlds, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    started, rows = time.process_time(), []
    for number, (name, (channels, journeys, evenness)) in enumerate(WORLDS.items()):
        rng = np.random.default_rng([given.seed, number])
        world = World(rng, channels, evenness)
        truth = shares(world.draw(rng, TRUTH_JOURNEYS))
        for sample in range(given.samples):
            paths = world.draw(rng, journeys)
            credits = attribute(paths, Settings()).credits
            table = interval_table(
                bootstrap(paths, Settings(seed=sample), draws=DRAWS), credits, paths.channels
            )
            table = table.set_index(["model", "channel"])
            own = truth.loc[table.index]
            worth = own["value"] * float(paths.value.sum())
            rows.append(
                pd.DataFrame(
                    {
                        "world": name,
                        "share": (table["share_low"] <= own["conversions"])
                        & (own["conversions"] <= table["share_high"]),
                        "roas": (table["value_low"] <= worth) & (worth <= table["value_high"]),
                    }
                ).reset_index()
            )
    found = pd.concat(rows, ignore_index=True)
    by = found.groupby(["world", "model"])[["share", "roas"]].mean().round(4)
    print(by.unstack("world").reindex(list(MODELS)).to_string())
    overall = found[["share", "roas"]].mean().round(4).to_dict()
    result = {
        "samples_per_world": given.samples,
        "intervals": len(found),
        "level": 0.95,
        "coverage": overall,
        "by_model": found.groupby("model")[["share", "roas"]].mean().round(4).to_dict("index"),
        "by_world": found.groupby("world")[["share", "roas"]].mean().round(4).to_dict("index"),
        "cpu_seconds": round(time.process_time() - started, 1),
    }  # fmt: skip
    print(overall, result["cpu_seconds"], "CPU s")
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
