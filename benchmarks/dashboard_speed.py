"""Page speed under load: ``python benchmarks/dashboard_speed.py [--serving FILE] [--sessions 20] [--steps 12] [--think 4]``.

A serving file with over a million mart rows (a made one, or the demo's), the real dashboard process, and that many
reader sessions over WebSocket at once, each opening pages and changing filters with a pause between, while new
versions are published (swapped in) under them. Every answer is checked: one version per page, no error. Time is from
the request to the end of the script run that the server reports, over the loopback address. Before and after, the same
sessions ask a one-line Streamlit page for as long: the floor below which Streamlit itself does not go on this machine
in this minute. The server's CPU time per request is shown too: it can be compared when other work shares the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlencode

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import duckdb  # noqa: E402
from streamlit.proto.BackMsg_pb2 import BackMsg  # noqa: E402
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg  # noqa: E402
from streamlit.util import calc_hash  # noqa: E402
from websockets.asyncio.client import connect  # noqa: E402

from tests.browser.conftest import free_port, start  # noqa: E402
from tests.dashboard.fixture_marts import build  # noqa: E402

PAGES = (
    "executive",
    "channels",
    "incrementality",
    "budget",
    "demand",
    "impact",
    "segments",
    "quality",
    "gifting",
)
PERIODS = ("Launch, last 12 weeks", "Last 4 weeks", "Last 13 weeks", "Last 52 weeks", "All weeks")
FLOOR = "import streamlit as st\nst.title('Hello')\nst.write('world')\n"
SPEND = re.compile(r'<data value="([^"]*)" data-figure="spend_usd">')
VERSION = re.compile(r"version (\d+)\.")


class Session:
    """One reader: a WebSocket of its own, as the browser opens it."""

    def __init__(self, socket: object) -> None:
        self.socket = socket
        self.errors = 0
        self.text = ""

    async def ask(self, page: str, query: str) -> float:
        """Run a page with an address; returns seconds until the server says that the run has ended."""
        message = BackMsg()
        message.rerun_script.page_script_hash = calc_hash("" if page == "executive" else page)
        message.rerun_script.page_name = page
        message.rerun_script.query_string = query
        began = time.perf_counter()
        await self.socket.send(message.SerializeToString())
        self.text = ""
        while True:
            data = await asyncio.wait_for(self.socket.recv(), 60)
            answer = ForwardMsg()
            answer.ParseFromString(data)
            kind = answer.WhichOneof("type")
            if kind == "delta":
                element = answer.delta.new_element
                self.text += element.html.body + element.markdown.body
                self.errors += (
                    element.WhichOneof("type") == "exception" or "could not be drawn" in element.html.body
                )
            elif kind == "script_finished":
                return time.perf_counter() - began


async def reader(
    number: int,
    address: str,
    steps: int,
    think: float,
    out: dict[str, list[float]],
    seen: dict[tuple[object, ...], set[str]],
    channels: list[str],
) -> int:
    rng = random.Random(number)
    url = address.replace("http", "ws") + "/_stcore/stream"
    async with connect(url, max_size=None, origin=address, subprotocols=["streamlit"]) as socket:
        session = Session(socket)
        await asyncio.sleep(rng.uniform(0, think))
        page = rng.choice(PAGES)
        for step in range(steps):
            if step % 4 == 0:
                page = rng.choice(PAGES)
            first = step % 4 == 0
            period, channel = rng.choice(PERIODS), rng.choice(channels)
            query = "" if first else urlencode({"period": period, "channel": channel})
            took = await session.ask(page, query)
            out["page" if first else "filter"].append(took)
            version, spend = VERSION.search(session.text), SPEND.search(session.text)
            if (
                version and spend and (query or step == 0)
            ):  # else the page keeps filters of the one before, or not
                seen.setdefault((int(version.group(1)), page, query), set()).add(spend.group(1))
            await asyncio.sleep(rng.expovariate(1 / think))
        return session.errors


async def publish(path: Path, versions: list[Path], every: float, stop: asyncio.Event) -> int:
    """Swap the prepared versions in, one after the other, as a publish does."""
    done = 0
    while not stop.is_set():
        await asyncio.sleep(every)
        source = versions[done % len(versions)]
        temporary = path.with_name("next.duckdb")
        await asyncio.to_thread(shutil.copy, source, temporary)
        os.replace(temporary, path)
        done += 1
    return done


async def load(
    address: str, path: Path, versions: list[Path], channels: list[str], args: argparse.Namespace
) -> dict[str, object]:
    out: dict[str, list[float]] = {"page": [], "filter": []}
    seen: dict[tuple[object, ...], set[str]] = {}
    stop = asyncio.Event()
    publisher = asyncio.create_task(publish(path, versions, args.publish_every, stop))
    errors = await asyncio.gather(
        *(reader(i, address, args.steps, args.think, out, seen, channels) for i in range(args.sessions))
    )
    stop.set()
    published = await publisher
    mixed = sum(len(values) > 1 for values in seen.values())
    result: dict[str, object] = {
        "sessions": args.sessions,
        "think_seconds": args.think,
        "publishes": published,
        "errors": sum(errors),
        "views_with_two_totals_in_one_version": mixed,
        "views_seen": len(seen),
        "versions_seen": len({key[0] for key in seen}),
    }
    return {**result, **{name: quantiles(values) for name, values in out.items()}}


def quantiles(values: list[float]) -> dict[str, float]:
    p50, p95, worst = np.percentile(values, [50, 95, 100])
    return {
        "requests": len(values),
        "p50_s": round(float(p50), 3),
        "p95_s": round(float(p95), 3),
        "max_s": round(float(worst), 3),
    }


async def floor(address: str, args: argparse.Namespace) -> dict[str, float]:
    """The same sessions and pauses on a page of two lines."""

    async def one(number: int) -> list[float]:
        rng = random.Random(number)
        url = address.replace("http", "ws") + "/_stcore/stream"
        async with connect(url, max_size=None, origin=address, subprotocols=["streamlit"]) as socket:
            session, took = Session(socket), []
            await asyncio.sleep(rng.uniform(0, args.think))
            for _ in range(max(3, args.steps // 2)):
                took.append(await session.ask("executive", ""))
                await asyncio.sleep(rng.expovariate(1 / args.think))
            return took

    return quantiles([t for part in await asyncio.gather(*map(one, range(args.sessions))) for t in part])


def measure_floor(folder: Path, args: argparse.Namespace) -> dict[str, float]:
    script, port = folder / "hello.py", free_port()
    script.write_text(FLOOR)
    process = start(folder / "none.duckdb", port, script=str(script))
    try:
        return asyncio.run(floor(f"http://127.0.0.1:{port}", args))
    finally:
        process.terminate()
        process.wait(20)


def prepare(folder: Path, args: argparse.Namespace) -> list[Path]:
    """Three versions of a serving file, which differ in their number and in one day's spend."""
    out = []
    for version in (1, 2, 3):
        path = folder / f"v{version}.duckdb"
        if args.serving is None:
            build(
                path, weeks=52, dmas=args.dmas, products=6, campaigns=3, version=version, brands=("swiftpod",)
            )
        else:
            shutil.copy(args.serving, path)
            with duckdb.connect(str(path)) as db:
                db.execute("update marts.fct_published_version set version = ?", [version])
                db.execute(
                    "update marts.fct_media_daily set spend_usd = spend_usd + ? where media_key = "
                    "(select max(media_key) from marts.fct_media_daily where date_day = (select max(date_day) from marts.fct_media_daily))",
                    [version],
                )
        out.append(path)
    return out


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def warm(address: str) -> None:
    """Each page once, as the container's health check would after a start."""
    async with connect(
        address.replace("http", "ws") + "/_stcore/stream",
        max_size=None,
        origin=address,
        subprotocols=["streamlit"],
    ) as socket:
        session = Session(socket)
        for page in PAGES:
            await session.ask(page, "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--serving", type=Path, help="a serving file to read instead of a made one")
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument(
        "--think", type=float, default=4.0, help="mean pause between a reader's requests, seconds"
    )
    parser.add_argument("--publish-every", type=float, default=15.0)
    parser.add_argument("--dmas", type=int, default=60)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        versions = prepare(folder, args)
        path = folder / "serving.duckdb"
        path.write_bytes(versions[0].read_bytes())
        with duckdb.connect(str(path), read_only=True) as db:
            rows = db.execute(
                "select sum(estimated_size) from duckdb_tables() where schema_name = 'marts'"
            ).fetchone()[0]
            channels = [
                r[0]
                for r in db.execute(
                    "select channel_name from marts.dim_channel where channel_group <> 'organic'"
                ).fetchall()
            ][:8]
        floors = [measure_floor(folder, args)]
        port = free_port()
        process = start(path, port, DASHBOARD_STALE_HOURS="80000")
        try:
            asyncio.run(warm(f"http://127.0.0.1:{port}"))
            before = cpu_seconds(process.pid)
            result = asyncio.run(load(f"http://127.0.0.1:{port}", path, versions, channels, args))
            asked = result["page"]["requests"] + result["filter"]["requests"]  # type: ignore[index]
            result["server_cpu_ms_per_request"] = round(1000 * (cpu_seconds(process.pid) - before) / asked, 1)
            result["machine_load_average"] = round(os.getloadavg()[0], 1)
        finally:
            process.terminate()
            process.wait(20)
        result["floor_before_and_after"] = [*floors, measure_floor(folder, args)]
    result = {"mart_rows": int(rows), **result}
    print(json.dumps(result, indent=2))
    target = ROOT / "benchmarks" / "results" / "dashboard_speed.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
