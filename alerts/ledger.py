"""From findings to alert events: one alert per incident, however many runs see it.

Events are append-only: raised, repeated (seen again on newer data), resolved (not seen on newer data), acknowledged,
notified (told to one channel). The same findings on the same data give no new event. What is seen again after it was
resolved is raised again under its id: open, unacknowledged, told anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from alerts.checks import Finding

#: Findings on the same rule and entity that start within this many days of the open alert's end belong to it.
SAME_INCIDENT = timedelta(days=14)
FIELDS = (
    "alert_id",
    "rule",
    "kind",
    "severity",
    "entity",
    "metric",
    "observed",
    "expected",
    "low",
    "high",
    "period_start",
    "period_end",
    "owner",
    "action",
    "expected_value_usd",
    "message",
    "opened_on",
)
Event = dict[str, Any]


@cache
def rules() -> dict[str, dict[str, str]]:
    """The registry of rules: kind, severity, owner, action."""
    loaded: dict[str, dict[str, str]] = yaml.safe_load(
        (Path(__file__).parent / "rules.yml").read_text(encoding="utf-8")
    )
    return loaded


def hashed(*parts: object) -> str:
    return hashlib.sha256("|".join(str(p) for p in parts).encode()).hexdigest()


def _event(
    kind: str,
    alert: Mapping[str, Any],
    brand_id: str,
    run_id: str,
    as_of: date,
    at: datetime,
    actor: str,
    note: str = "",
) -> Event:
    return {
        "event_id": hashed(
            alert["alert_id"],
            kind,
            as_of
            if kind in ("raised", "repeated", "resolved")
            else f"{actor}|{note}|{alert.get('raised_as_of')}",
        ),
        "event": kind,
        "event_at": at,
        "as_of_date": as_of,
        "brand_id": brand_id,
        "run_id": run_id,
        "actor": actor,
        "note": note,
        **{name: alert.get(name) for name in FIELDS},
    }


def current(events: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """State of each alert from its events in order: the newest figures, its status, and who has been told."""
    alerts: dict[str, dict[str, Any]] = {}
    for event in sorted(events, key=lambda e: e["event_seq"]):
        alert = alerts.setdefault(
            event["alert_id"], {"status": "open", "notified": set(), "last_as_of": event["as_of_date"]}
        )
        if event["event"] in ("raised", "repeated"):
            if event["event"] == "raised":  # anew, or back after it was resolved: to be told (again)
                alert.update(status="open", notified=set(), raised_as_of=event["as_of_date"])
            alert.update({name: event[name] for name in FIELDS})
            alert["last_as_of"] = event["as_of_date"]
        elif event["event"] == "acknowledged":
            alert["status"] = "acknowledged"
        elif event["event"] == "resolved":
            alert.update(status="resolved", resolved_as_of=event["as_of_date"])
        elif event["event"] == "notified":
            alert["notified"].add(event["note"])
    return alerts


def advance(
    events: Sequence[Mapping[str, Any]],
    findings: Sequence[Finding],
    brand_id: str,
    run_id: str,
    as_of: date,
    at: datetime,
) -> list[Event]:
    """New events of a run over data as of ``as_of``."""
    alerts = current(events)
    live = {(a["rule"], a["entity"]): a for a in alerts.values() if a["status"] != "resolved" and "rule" in a}
    new: list[Event] = []
    seen: set[str] = set()
    for finding in findings:
        known = live.get((finding.rule, finding.entity))
        if known is not None and finding.period_start > known["period_end"] + SAME_INCIDENT:
            known = None
        rule = rules()[finding.rule]
        opened = known["opened_on"] if known else finding.period_start
        alert = {
            "alert_id": known["alert_id"]
            if known
            else hashed(brand_id, finding.rule, finding.entity, finding.period_start),
            "rule": finding.rule,
            "kind": rule["kind"],
            "severity": rule["severity"],
            "entity": finding.entity,
            "metric": finding.metric,
            "observed": finding.observed,
            "expected": finding.expected,
            "low": finding.low,
            "high": finding.high,
            "period_start": finding.period_start,
            "period_end": finding.period_end,
            "owner": rule["owner"],
            "action": rule["action"].format(entity=finding.entity, **finding.values),
            "expected_value_usd": finding.worth_usd,
            "message": finding.message,
            "opened_on": opened,
        }
        seen.add(alert["alert_id"])
        before = alerts.get(alert["alert_id"], {})
        back = before.get("status") == "resolved" and as_of >= before["resolved_as_of"]
        if known is None and (not before or back):
            new.append(_event("raised", alert, brand_id, run_id, as_of, at, "alerts"))
        elif known is not None and as_of > known["last_as_of"]:
            new.append(_event("repeated", alert, brand_id, run_id, as_of, at, "alerts"))
    for alert in live.values():
        if alert["alert_id"] not in seen and as_of > alert["last_as_of"]:
            new.append(_event("resolved", alert, brand_id, run_id, as_of, at, "alerts"))
    return new


def acknowledge(
    events: Sequence[Mapping[str, Any]], alert_id: str, by: str, note: str, at: datetime
) -> Event:
    """The event of a person taking an alert on. A unique beginning of the id is enough.

    Raises:
        LookupError: no such alert, several that begin so, or one that is resolved.
    """
    alerts = current(events)
    found = [i for i in alerts if i.startswith(alert_id)] if alert_id else []
    if len(found) != 1:
        raise LookupError(
            f"{'no alert' if not found else str(len(found)) + ' alerts'} with an id that begins {alert_id!r}"
        )
    alert = alerts[found[0]]
    if alert["status"] == "resolved":
        raise LookupError(f"alert {found[0][:12]} is already resolved")
    source = next(e for e in events if e["alert_id"] == found[0])
    return _event(
        "acknowledged", alert, source["brand_id"], source["run_id"], alert["last_as_of"], at, by, note
    )


def notified(alert: Mapping[str, Any], channel: str, brand_id: str, run_id: str, at: datetime) -> Event:
    """The event of an alert having been told to one channel."""
    return _event("notified", alert, brand_id, run_id, alert["last_as_of"], at, "alerts", channel)
