"""The event ledger, the routes, and whole runs on a warehouse."""

from __future__ import annotations

import http.server
import json
import socketserver
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from alerts import ledger, routing
from alerts.__main__ import main
from alerts.checks import Finding
from tests.dashboard.fixture_marts import build

DAY = date(2026, 10, 24)
NOW = datetime(2026, 10, 25, 6)
SPIKE = Finding(
    "spend_spike",
    "youtube",
    "spend_usd",
    9.0,
    3.0,
    2.0,
    4.0,
    DAY,
    DAY,
    6.0,
    "Spend was 3.0 times its usual level.",
)


def events_of(*steps: tuple[list[Finding], date]) -> list[dict[str, object]]:
    events: list[dict[str, object]] = []
    for findings, as_of in steps:
        new = ledger.advance(events, findings, "swiftpod", "r", as_of, NOW)
        events += [{**e, "event_seq": len(events) + i} for i, e in enumerate(new, 1)]
    return events


def test_one_incident_is_one_alert_however_often_it_is_seen() -> None:
    later = replace(SPIKE, period_end=DAY + timedelta(days=1), observed=11.0)
    events = events_of(([SPIKE], DAY), ([SPIKE], DAY), ([later], DAY + timedelta(days=1)))
    assert [e["event"] for e in events] == ["raised", "repeated"]
    (alert,) = ledger.current(events).values()
    assert alert["observed"] == 11.0 and alert["opened_on"] == DAY and alert["status"] == "open"


def test_an_incident_that_ends_is_resolved_and_a_new_one_is_new() -> None:
    again = replace(SPIKE, period_start=DAY + timedelta(days=60), period_end=DAY + timedelta(days=60))
    events = events_of(
        ([SPIKE], DAY), ([], DAY), ([], DAY + timedelta(days=9)), ([again], DAY + timedelta(days=60))
    )
    assert [e["event"] for e in events] == ["raised", "resolved", "raised"]
    assert len({e["alert_id"] for e in events}) == 2


def test_an_incident_that_comes_back_is_raised_and_told_again() -> None:
    """Resolved on one day's data and found again on the next, with the same first day: open, unacknowledged, untold."""
    events = events_of(([SPIKE], DAY))
    raised = next(iter(ledger.current(events).values()))
    told = ledger.notified(raised, "log", "swiftpod", "r", NOW)
    taken = ledger.acknowledge(events, str(raised["alert_id"]), "dana", "on it", NOW)
    events += [{**told, "event_seq": 2}, {**taken, "event_seq": 3}]
    steps: list[tuple[list[Finding], int]] = [([], 1), ([SPIKE], 2), ([SPIKE], 2), ([], 1)]
    for findings, days in steps:
        new = ledger.advance(events, findings, "swiftpod", "r", DAY + timedelta(days=days), NOW)
        events += [{**e, "event_seq": len(events) + i} for i, e in enumerate(new, 1)]
    assert [e["event"] for e in events] == ["raised", "notified", "acknowledged", "resolved", "raised"]
    ((alert_id, alert),) = ledger.current(events).items()
    assert alert_id == raised["alert_id"] and alert["status"] == "open" and alert["notified"] == set()
    again = ledger.notified(alert, "log", "swiftpod", "r", NOW)
    assert again["event_id"] != told["event_id"], (
        "the ledger would drop a second telling under the first's id"
    )
    assert len({e["event_id"] for e in events}) == len(events)


def test_an_acknowledgement_stays_while_the_incident_lasts() -> None:
    events = events_of(([SPIKE], DAY))
    event = ledger.acknowledge(events, str(events[0]["alert_id"])[:10], "dana", "on it", NOW)
    events.append({**event, "event_seq": 9})
    assert [a["status"] for a in ledger.current(events).values()] == ["acknowledged"]
    for wrong in ("", "zz"):
        with pytest.raises(LookupError):
            ledger.acknowledge(events, wrong, "dana", "", NOW)


def test_every_rule_has_an_owner_an_action_and_a_known_kind() -> None:
    for name, rule in ledger.rules().items():
        assert (
            rule["owner"] and rule["action"] and rule["kind"] in {"statistical", "rule", "recommendation"}
        ), name
        assert rule["severity"] in {"critical", "warning", "info"}


class Receivers:
    """A webhook and a mail server on this machine that keep what they get."""

    def __init__(self) -> None:
        self.posts: list[dict[str, str]] = []
        self.mails: list[str] = []
        self.status = 200
        outer = self

        class Hook(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.posts.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(outer.status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        class Mail(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.wfile.write(b"220 test\r\n")
                while line := self.rfile.readline():
                    word = line[:4].upper()
                    if word == b"DATA":
                        self.wfile.write(b"354 go\r\n")
                        body = b""
                        while not body.endswith(b"\r\n.\r\n"):
                            body += self.rfile.readline()
                        outer.mails.append(body.decode())
                        self.wfile.write(b"250 ok\r\n")
                    elif word == b"QUIT":
                        self.wfile.write(b"221 bye\r\n")
                        return
                    else:
                        self.wfile.write(b"250 ok\r\n")

        self.servers = [
            http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook),
            socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mail),
        ]
        for server in self.servers:
            threading.Thread(target=server.serve_forever, daemon=True).start()
        self.web, self.smtp = (s.server_address[1] for s in self.servers)

    def close(self) -> None:
        for server in self.servers:
            server.shutdown()
            server.server_close()


@pytest.fixture
def receivers() -> Iterator[Receivers]:
    found = Receivers()
    yield found
    found.close()


ALERT = {"alert_id": "a" * 64, "severity": "critical", "entity": "youtube\r\nBcc: x@evil", "message": "<!channel> up & away", "action": "Check.", "expected_value_usd": 12_345.0,
         "owner": "media"}  # fmt: skip


def test_slack_and_mail_arrive_and_cannot_be_forged(receivers: Receivers) -> None:
    env = {
        "ALERTS_SLACK_WEBHOOK": f"http://127.0.0.1:{receivers.web}/x",
        "ALERTS_SMTP_URL": f"smtp://127.0.0.1:{receivers.smtp}?to=a@x.test,b@x.test&from=c@x.test",
    }
    sent = routing.deliver({name: [ALERT] for name in ("log", "slack", "smtp")}, env)
    assert set(sent) == {"log", "slack", "smtp"}
    assert (
        "&lt;!channel&gt; up &amp; away" in receivers.posts[0]["text"]
        and "12,345 USD" in receivers.posts[0]["text"]
    )
    head, _, body = receivers.mails[0].partition("\r\n\r\n")
    assert "To: a@x.test, b@x.test" in head and "Bcc" not in head and "youtube" in body


@pytest.mark.parametrize("form", ["uri", "json"])
def test_airflow_connections_in_their_environment_form(receivers: Receivers, form: str) -> None:
    if form == "uri":
        env = {
            "AIRFLOW_CONN_ALERTS_SLACK": f"http://127.0.0.1:{receivers.web}/x",
            "AIRFLOW_CONN_ALERTS_SMTP": f"smtp://127.0.0.1:{receivers.smtp}?to=a@x.test",
        }
    else:
        env = {
            "AIRFLOW_CONN_ALERTS_SLACK": json.dumps(
                {
                    "conn_type": "slackwebhook",
                    "host": f"http://127.0.0.1:{receivers.web}",
                    "password": "T0/B0",
                }
            ),
            "AIRFLOW_CONN_ALERTS_SMTP": json.dumps(
                {
                    "conn_type": "smtp",
                    "host": "127.0.0.1",
                    "port": receivers.smtp,
                    "extra": {"to": "a@x.test"},
                }
            ),
        }
    assert set(routing.deliver({"slack": [ALERT], "smtp": [ALERT]}, env)) == {"slack", "smtp"}
    assert len(receivers.posts) == len(receivers.mails) == 1


def test_a_dead_receiver_is_logged_and_a_bad_address_left_out(
    receivers: Receivers, caplog: pytest.LogCaptureFixture
) -> None:
    receivers.status = 500
    env = {
        "ALERTS_SLACK_WEBHOOK": f"http://127.0.0.1:{receivers.web}/x",
        "ALERTS_SMTP_URL": "smtp://127.0.0.1:1?to=a@x.test",
    }
    assert routing.deliver({"slack": [ALERT], "smtp": [ALERT]}, env) == {}
    assert "slack could not be told" in caplog.text and "smtp could not be told" in caplog.text
    assert set(
        routing.channels({"ALERTS_SLACK_WEBHOOK": "file:///etc/passwd", "ALERTS_SMTP_URL": "smtp://h?to="})
    ) == {"log"}


@pytest.fixture
def warehouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A warehouse whose marts are the fixture's, with one overspend planted on the last day."""
    serving = build(tmp_path / "s.duckdb", weeks=40, dmas=3, products=1, brands=("swiftpod",))
    path = tmp_path / "wh.duckdb"
    with duckdb.connect(str(path)) as db:
        db.execute(f"attach '{serving}' as s (read_only)")
        db.execute("create schema marts")
        for (table,) in db.execute(
            "select table_name from duckdb_tables() where database_name = 's'"
        ).fetchall():
            if table != "fct_alert":
                db.execute(f"create table marts.{table} as select * from s.marts.{table}")
        db.execute(
            "update marts.fct_media_daily set spend_usd = spend_usd * 3.4, impressions = impressions * 2 where channel_id = 'hulu' and date_day = date '2026-10-24'"
        )
    monkeypatch.setenv("WAREHOUSE_PATH", str(path))
    for name in (
        "ALERTS_SLACK_WEBHOOK",
        "ALERTS_SMTP_URL",
        "AIRFLOW_CONN_ALERTS_SLACK",
        "AIRFLOW_CONN_ALERTS_SMTP",
    ):
        monkeypatch.delenv(name, raising=False)
    return path


def rows(path: Path, sql: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(path), read_only=True) as db:
        return db.execute(sql).fetchall()


def test_a_run_finds_tells_once_and_repeats_nothing(
    warehouse: Path, receivers: Receivers, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ALERTS_SLACK_WEBHOOK", f"http://127.0.0.1:{receivers.web}/x")
    receivers.status = 500
    assert main(["run"]) == 0
    found = rows(
        warehouse,
        "select alert_id, owner, expected_value_usd, entity from runs.alert where rule = 'spend_spike' and event = 'raised'",
    )
    assert [r[3] for r in found] == ["hulu"] and found[0][1] == "media" and float(found[0][2]) > 0
    receivers.status = 200
    assert main(["run"]) == 0, "a channel that failed is told by the next run"
    before = rows(warehouse, "select count(*) from runs.alert")
    told = len(receivers.posts)
    assert main(["run"]) == 0
    assert rows(warehouse, "select count(*) from runs.alert") == before and len(receivers.posts) == told, (
        "nothing new, nothing told twice"
    )
    assert main(["ack", str(found[0][0])[:12], "--by", "dana", "--note", "budget was raised on purpose"]) == 0
    assert main(["list"]) == 0
    assert "acknowledged" in capsys.readouterr().out


def test_requests_that_cannot_be_carried_out(
    warehouse: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["ack", "nothing", "--by", "dana"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    monkeypatch.setenv("WAREHOUSE_TARGET", "oracle")
    assert main(["run"]) == 2 and "WAREHOUSE_TARGET" in capsys.readouterr().err


def test_an_empty_warehouse_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAREHOUSE_PATH", str(tmp_path / "empty.duckdb"))
    assert main(["run"]) == 0
