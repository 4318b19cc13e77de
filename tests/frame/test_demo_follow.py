"""What the demo shows of a chain that runs, asked of an API that plays it step by step."""

from __future__ import annotations

import time
from typing import Any

import pytest

from demo import __main__ as demo
from demo.airflow_api import AirflowApi


class Playing(AirflowApi):
    """An API on which each run needs two looks to end; ``idle``: the ledger had nothing new."""

    def __init__(self, idle: bool) -> None:
        super().__init__(port=0)
        self.idle = idle
        self.looks = dict.fromkeys(demo.CHAIN, 0)
        self.asked: list[str] = []

    def runs(self, dag: str) -> list[dict[str, Any]]:
        self.asked.append(dag)
        position = demo.CHAIN.index(dag)
        if position and (self.idle or self.looks[demo.CHAIN[position - 1]] < 2):
            return []
        self.looks[dag] += 1
        return [{"dag_run_id": f"{dag} 1", "state": "success" if self.looks[dag] > 1 else "running"}]

    def tasks(self, dag: str, run_id: str) -> list[dict[str, Any]]:
        ended = self.looks[dag] > 1
        names = ["first", "announce" if dag == "ingest" else "last"]
        last = "skipped" if self.idle else "success"
        states = ["success", (last if ended else "queued")]
        return [
            {"task_id": n, "state": s, "map_index": -1, "try_number": 1, "duration": 1.0, "end_date": str(i)}
            for i, (n, s) in enumerate(zip(names, states, strict=True))
        ]


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)


def test_each_task_is_shown_once_and_ended_runs_are_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    api = Playing(idle=False)
    assert demo.follow(api, "ingest 1", 0.0, timeout=5) == "success"
    shown = [line.split("]")[1].split()[:2] for line in capsys.readouterr().out.splitlines()]
    assert shown == [
        [dag, task] for dag in demo.CHAIN for task in ("first", "announce" if dag == "ingest" else "last")
    ]
    first_of_last = api.asked.index(demo.CHAIN[-1], len(demo.CHAIN) - 1)
    assert "ingest" not in api.asked[first_of_last:]


def test_nothing_new_ends_after_the_first(capsys: pytest.CaptureFixture[str]) -> None:
    assert demo.follow(Playing(idle=True), "ingest 1", 0.0, timeout=5) == "success"
    assert "nothing new" in capsys.readouterr().out
