"""A few calls of Airflow's REST API: trigger a DAG, follow its runs and tasks."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from typing import Any


class AirflowApi:
    """Client of the local API server (loopback, everyone an admin)."""

    def __init__(self, port: int) -> None:
        self.base = f"http://127.0.0.1:{port}"
        self._token = ""

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """One call; signs in first, and again when the token has run out."""
        for attempt in (1, 2):
            if not self._token:
                self._token = str(self._send("GET", "/auth/token", None)["access_token"])
            try:
                return self._send(method, path, body)
            except urllib.error.HTTPError as error:
                if error.code != 401 or attempt == 2:
                    raise
                self._token = ""
        raise AssertionError("unreachable")

    def _send(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        request = urllib.request.Request(  # noqa: S310 - a fixed loopback address
            self.base + path,
            method=method,
            data=json.dumps(body).encode() if body is not None else None,
            headers={"Content-Type": "application/json"}
            | ({"Authorization": f"Bearer {self._token}"} if self._token else {}),
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return json.load(answer)

    def ensure_pool(self, name: str, slots: int, description: str) -> None:
        """Create the pool or set its size."""
        body = {"name": name, "slots": slots, "description": description, "include_deferred": False}
        try:
            self.call("POST", "/api/v2/pools", body)
        except urllib.error.HTTPError as error:
            if error.code != 409:
                raise
            self.call(
                "PATCH", f"/api/v2/pools/{name}", {"pool" if k == "name" else k: v for k, v in body.items()}
            )

    def dags(self) -> set[str]:
        """Ids of the DAGs that the DAG processor has read."""
        return {d["dag_id"] for d in self.call("GET", "/api/v2/dags?limit=100")["dags"]}

    def import_errors(self) -> list[str]:
        """DAG files that failed to import, with the last line of the reason."""
        found = self.call("GET", "/api/v2/importErrors")["import_errors"]
        return [f"{e['filename']}: {e['stack_trace'].strip().splitlines()[-1]}" for e in found]

    def trigger(self, dag_id: str) -> str:
        """Start a run; returns its id."""
        return str(self.call("POST", f"/api/v2/dags/{dag_id}/dagRuns", {"logical_date": None})["dag_run_id"])

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        """Runs of a DAG, newest first."""
        found = self.call("GET", f"/api/v2/dags/{dag_id}/dagRuns?order_by=-run_after&limit=20")
        return list(found["dag_runs"])

    def fail_interrupted(self, dag_id: str) -> list[str]:
        """End the runs that were under way when Airflow was killed, so that they do not hold back new ones."""
        left = [r["dag_run_id"] for r in self.runs(dag_id) if r["state"] in ("running", "queued")]
        for run_id in left:
            path = f"/api/v2/dags/{dag_id}/dagRuns/{urllib.parse.quote(run_id, safe='')}"
            self.call("PATCH", path, {"state": "failed", "note": "Airflow was killed while this ran"})
        return left

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Task instances of a run."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances?limit=200"
        return list(self.call("GET", path)["task_instances"])
