"""Speed and memory of attribution on 5 million journeys and their touch events, against published figures of peers.

    python benchmarks/attribution_speed.py [--journeys 5000000] [--folder DIR with the data of an earlier run]

Each measurement runs in a process of its own (CPU seconds of the process, peak resident memory). The journeys come
from a known chain of ten channels, so the exact removal effects are known and the error shown is sampling error.
Peers (measured on the same kind of machine, two shared cores; loading into pandas not counted): ChannelAttribution
2.1 CPU s at 2.3 % error or 25.7 at 0.4 %; the Polars package 7.4 CPU s and 3.6 GB aggregated, 47 to 49 CPU s and
11 GB from raw paths or touches, Markov only.
"""

# ruff: noqa: E402
from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from modeling.attribution import markov, rules, shapley
from modeling.attribution.models import shares_of
from modeling.attribution.paths import Paths

CHANNELS = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa")
RESULTS = Path(__file__).parent / "results" / "attribution_speed.json"
HALF_LIFE = 7.0
DAYS = 30


def known_chain(seed: int = 5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Start (C,), moves (C, C) and exits (C, 2: conversion, null) of the chain that journeys are drawn from."""
    rng = np.random.default_rng(seed)
    count = len(CHANNELS)
    start = rng.dirichlet(np.full(count, 1.5))
    stay = 0.638  # mean length about 2.76 touches
    moves = rng.dirichlet(np.full(count, 0.8), size=count) * stay
    won = rng.uniform(0.05, 0.30, count) * (1 - stay)
    return start, moves, np.column_stack([won, 1 - stay - won])


def make_events(folder: Path, journeys: int) -> None:
    """Touch events (journey, seconds, channel) in the order of their time, and the outcome of each journey."""
    start, moves, exits = known_chain()
    rng = np.random.default_rng(1)
    count = len(CHANNELS)
    steps = np.cumsum(np.column_stack([moves, exits]), axis=1)
    here = rng.choice(count, p=start, size=journeys)
    active = np.arange(journeys)
    clock = rng.uniform(0, (DAYS - 1) * 86_400, journeys)
    won = np.zeros(journeys, dtype=bool)
    parts = []
    while len(active):
        parts.append((active.copy(), clock[active].copy(), here[active].copy()))
        draw = rng.random(len(active))
        following = (draw[:, None] > steps[here[active]]).sum(axis=1)
        won[active] = following == count
        going = following < count
        active, following = active[going], following[going]
        here[active] = following
        clock[active] += rng.exponential(20_000, len(active))
    journey, seconds, channel = (np.concatenate([p[k] for p in parts]) for k in range(3))
    order = np.argsort(seconds, kind="stable")
    names = pa.DictionaryArray.from_arrays(pa.array(channel[order].astype(np.int8)), pa.array(CHANNELS))
    table = pa.table({"journey": journey[order].astype(np.int64), "ts": seconds[order], "channel": names})
    pq.write_table(table, folder / "events.parquet", row_group_size=400_000)
    last = np.zeros(journeys)
    np.maximum.at(last, journey, seconds)
    pq.write_table(
        pa.table({"journey": np.arange(journeys), "won": won, "ended": last}), folder / "journeys.parquet"
    )
    connection = duckdb.connect()
    connection.execute(
        f"""copy (
            select path, sum(won::int)::double as conversions, sum((not won)::int)::double as nulls
            from (select journey, string_agg(channel, ' > ' order by ts) as path
                  from '{folder}/events.parquet' group by journey)
            join '{folder}/journeys.parquet' using (journey) group by path
        ) to '{folder}/paths.parquet'"""
    )


def _connect() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("set threads = 2")
    connection.execute("set preserve_insertion_order = false")
    connection.execute("set enable_progress_bar = false")
    return connection


def _chain_of(moves: pd.DataFrame) -> markov.Chain:
    return markov.chain_from_table(moves.assign(value_usd=0.0), CHANNELS)


def aggregated(folder: Path) -> np.ndarray:
    """Markov shares from distinct weighted paths: transitions counted in SQL, removal effects solved here."""
    counted = (
        _connect()
        .execute(
            f"""with paths as (
                select string_split(path, ' > ') as touches, conversions, nulls from '{folder}/paths.parquet'
            ),
            steps as (
                select unnest(list_prepend('(start)', touches)) as channel_from,
                       unnest(list_append(touches, '(end)')) as channel_to, conversions, nulls
                from paths
            )
            select channel_from, channel_to, sum(conversions) as won, sum(nulls) as lost from steps group by all"""
        )
        .df()
    )
    # A few dozen rows: what ends a journey is a conversion or not, everything else is a step of both kinds.
    ends = counted["channel_to"] == "(end)"
    moves = pd.concat(
        [
            counted[~ends].assign(journeys=counted["won"] + counted["lost"]),
            counted[ends].assign(channel_to=markov.CONVERSION, journeys=counted["won"]),
            counted[ends].assign(channel_to=markov.NULL, journeys=counted["lost"]),
        ]
    )
    return shares_of(markov.removal_effects(_chain_of(moves), len(CHANNELS)))


def _packed(folder: Path) -> np.ndarray:
    """Journey, millisecond, channel and outcome of every touch in one sortable integer each, sorted.

    One integer sorts several times faster than three columns, in SQL as here.
    """
    names = "[" + ", ".join(f"'{c}'" for c in CHANNELS) + "]"
    packed = (
        _connect()
        .sql(
            f"""select (e.journey << 37) | ((e.ts * 1000)::bigint << 5)
                       | (list_position({names}, e.channel) << 1) | won::bigint as p
                from '{folder}/events.parquet' as e join '{folder}/journeys.parquet' using (journey)"""
        )
        .fetchnumpy()["p"]
    )
    found = np.asarray(packed, dtype=np.int64)
    found.sort()
    return found


def _converted_paths(packed: np.ndarray) -> Paths:
    """Converted journeys, each a path of its own with its touch times."""
    packed = packed[(packed & 1) == 1]
    journey = packed >> 37
    starts = np.flatnonzero(np.diff(journey, prepend=-1))
    lengths = np.diff(np.append(starts, len(packed)))
    days = ((packed >> 5) & 0xFFFFFFFF) / 86_400_000.0
    last = days[starts + lengths - 1]
    ones = np.ones(len(starts))
    return Paths(
        CHANNELS,
        ((packed >> 1) & 15) - 1,
        np.append(starts, len(packed)).astype(np.int64),
        ones,
        ones,
        np.zeros(len(starts)),
        np.repeat(last, lengths) - days,
    )


def _first_order_chain(packed: np.ndarray) -> markov.Chain:
    """Transition counts of all journeys from the sorted touches."""
    from scipy import sparse

    count = len(CHANNELS)
    code = (((packed >> 1) & 15) - 1).astype(np.int16)
    new = np.flatnonzero(np.diff(packed >> 37, prepend=-1))
    pair = code[:-1] * count + code[1:]
    counts = np.bincount(pair, minlength=count * count) - np.bincount(
        pair[new[1:] - 1], minlength=count * count
    )
    last = np.append(new[1:], len(packed)) - 1
    won = packed[last] & 1
    return markov.Chain(
        np.arange(count)[:, None],
        np.bincount(code[new], minlength=count).astype(np.float64),
        sparse.csr_array(counts.reshape(count, count).astype(np.float64)),
        np.bincount(code[last], weights=won, minlength=count),
        np.bincount(code[last], weights=1 - won, minlength=count),
        np.zeros(count),
    )


def events(folder: Path) -> np.ndarray:
    """All seven models from touch events; returns the Markov shares."""
    packed = _packed(folder)
    effect = shares_of(markov.removal_effects(_first_order_chain(packed), len(CHANNELS)))
    paths = _converted_paths(packed)
    del packed
    total = float(len(paths.conversions))
    credit = {
        rule: np.bincount(
            paths.codes, weights=rules.touch_shares(paths, rule, half_life=HALF_LIFE), minlength=10
        )
        for rule in rules.RULES
    }
    credit["shapley"] = shapley.equal_division(paths).T @ paths.conversions
    credit["markov"] = effect * total
    totals = {model: float(value.sum()) for model, value in credit.items()}
    if max(abs(t - total) for t in totals.values()) > 1e-3:
        raise SystemExit(f"models do not conserve conversions: {totals}")
    return effect


def one_more_day(folder: Path) -> np.ndarray:
    """The last day added to the transition counts of the days before: only journeys that it touches are read.

    One pass over these journeys counts both what they gave before the day and what they give with it; the
    difference is added. The counts of a new build over all days must equal the counts so updated.
    """
    connection = _connect()
    end = (DAYS - 1) * 86_400.0
    cut = end - 86_400.0
    names = "[" + ", ".join(f"'{c}'" for c in CHANNELS) + "]"
    connection.execute(
        f"""create table events as
            select journey, ts, list_position({names}, channel)::utinyint as code from '{folder}/events.parquet'
            where ts < {end} order by ts"""
    )
    connection.execute(f"create table outcome as select journey, won from '{folder}/journeys.parquet'")

    def counts(table: str, until: float) -> str:
        return f"""select code, case when next_ts < {until} then next_code end as next_code, is_first,
                          won and next_ts is null as won, count(*) as n
                   from {table} where ts < {until} group by all"""

    # Journey, millisecond and channel in one integer: one key sorts several times faster than a partition and an order.
    steps = """select p >> 37 as journey, ((p >> 5) & 4294967295) / 1000.0 as ts, p & 31 as code,
                      case when lead(p) over w >> 37 = p >> 37 then ((lead(p) over w >> 5) & 4294967295) / 1000.0 end as next_ts,
                      case when lead(p) over w >> 37 = p >> 37 then lead(p) over w & 31 end as next_code,
                      coalesce(lag(p) over w >> 37 <> p >> 37, true) as is_first
               from (select (journey << 37) | ((ts * 1000)::bigint << 5) | code as p from {0}) window w as (order by p)"""
    whole = f"(select s.*, won from ({steps.format('events')}) as s join outcome using (journey))"
    connection.execute(f"create table counted as {counts(whole, cut)}")
    began, cpu = time.perf_counter(), time.process_time()
    connection.execute(
        f"""create temp table touched as
            with mine as (select distinct journey from events where ts >= {cut}),
            seen as (select journey, ts, code from events semi join mine using (journey))
            select code, next_code, is_first, won, ts < {cut} as was_there, coalesce(next_ts < {cut}, false) as had_next, count(*) as n
            from ({steps.format("seen")}) as s
            join (select journey, won from outcome semi join mine using (journey)) using (journey) group by all"""
    )
    connection.execute(
        """create table updated as
            select code, next_code, is_first, won, sum(n) as n from (
                select * from counted
                union all select code, next_code, is_first, won and next_code is null, n from touched
                union all select code, case when had_next then next_code end, is_first, won and next_code is null, -n
                          from touched where was_there
            ) group by all having sum(n) <> 0"""
    )
    spent = (time.perf_counter() - began, time.process_time() - cpu)
    connection.execute(f"create table rebuilt as {counts(whole, end)}")
    row = connection.execute(
        """select (select sum(n)::bigint from touched), (select count(*) from updated),
                  (select count(*) from (from updated except all from rebuilt))
                  + (select count(*) from (from rebuilt except all from updated))"""
    ).fetchone()
    assert row is not None
    if row[2]:
        raise SystemExit(f"{row[2]} updated counts differ from a new build")
    print(
        json.dumps({"delta_wall": spent[0], "delta_cpu": spent[1], "touches_read": row[0], "counts": row[1]})
    )
    return np.empty(0)


def truth() -> np.ndarray:
    """Exact shares of the chain itself."""
    start, moves, exits = known_chain()
    from scipy import sparse

    count = len(CHANNELS)
    visits = np.linalg.solve(np.eye(count) - moves.T, start)
    chain = markov.Chain(
        np.arange(count)[:, None],
        start,
        sparse.csr_array(moves * visits[:, None]),
        exits[:, 0] * visits,
        exits[:, 1] * visits,
        np.zeros(count),
    )
    return shares_of(markov.removal_effects(chain, count))


def measure(task: str, folder: Path) -> dict[str, float]:
    """Run one task in a child process; its CPU seconds and peak memory beyond importing the libraries."""
    command = [sys.executable, __file__, "--task", task, "--folder", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def _peak_mb() -> float:
    """Peak resident memory since this program was started (ru_maxrss would include the parent's at the fork)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return float(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run_task(task: str, folder: Path) -> None:
    """Child side of :func:`measure`."""
    cpu, wall = time.process_time(), time.perf_counter()
    share = {"aggregated": aggregated, "events": events, "one_more_day": one_more_day}[task](folder)
    found = {
        "cpu_seconds": time.process_time() - cpu,
        "wall_seconds": time.perf_counter() - wall,
        "peak_mb": _peak_mb(),
    }
    if len(share):
        error = np.abs(share / truth() - 1)
        found |= {"mean_error_pct": 100 * float(error.mean()), "max_error_pct": 100 * float(error.max())}
    print(json.dumps(found))


def main() -> None:
    """Make the data, measure each task, print a table and write benchmarks/results/attribution_speed.json."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--journeys", type=int, default=5_000_000)
    parser.add_argument("--task")
    parser.add_argument("--folder", type=Path)
    args = parser.parse_args()
    if args.task:
        run_task(args.task, args.folder)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = args.folder or Path(name)
        if not (folder / "paths.parquet").is_file():
            make_events(folder, args.journeys)
        rows = pq.read_metadata(folder / "events.parquet").num_rows
        distinct = pq.read_metadata(folder / "paths.parquet").num_rows
        print(f"{args.journeys:,} journeys, {rows:,} touch events, {distinct:,} distinct paths")
        table: dict[str, object] = {"journeys": args.journeys, "events": rows, "distinct_paths": distinct}
        for task in ("aggregated", "events"):
            table[task] = measure(task, folder)
            print(f"{task:14s}", {k: round(v, 3) for k, v in table[task].items()})  # type: ignore[attr-defined]
        child = [sys.executable, __file__, "--task", "one_more_day", "--folder", str(folder)]
        lines = subprocess.run(child, capture_output=True, text=True, check=True).stdout.strip().splitlines()
        table["one_more_day"] = json.loads(lines[0])
        print(f"{'one_more_day':14s}", table["one_more_day"])
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(table, indent=2) + "\n")


if __name__ == "__main__":
    main()
