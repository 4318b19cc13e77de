"""Tell people: the log always, a Slack webhook and e-mail where configured.

Configured by ``ALERTS_SLACK_WEBHOOK`` and ``ALERTS_SMTP_URL`` (``smtp://user:password@host:587?to=a@x,b@x&from=c@x&tls=1``),
or by the Airflow connections ``alerts_slack`` and ``alerts_smtp`` in their environment form
(``AIRFLOW_CONN_ALERTS_SLACK``, ``AIRFLOW_CONN_ALERTS_SMTP``; URI or JSON). A channel that fails is tried again by the
next run; it never fails the run.
"""

from __future__ import annotations

import json
import logging
import os
import smtplib
import ssl
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from email.message import EmailMessage
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

LOG = logging.getLogger("alerts")
TIMEOUT_SECONDS = 10
Alert = Mapping[str, Any]
Send = Callable[[Sequence[Alert]], None]


def text(alert: Alert) -> str:
    """One alert in plain text; control characters removed, so that a name cannot forge a header or a line."""
    worth = (
        ""
        if alert.get("expected_value_usd") is None
        else f" Worth about {alert['expected_value_usd']:,.0f} USD."
    )
    line = f"[{alert['severity']}] {alert['entity']}: {alert['message']} {alert['action']}{worth} Owner: {alert['owner']}. Id {str(alert['alert_id'])[:12]}."
    return "".join(c if c.isprintable() else " " for c in line)


def to_log(alerts: Sequence[Alert]) -> None:
    for alert in alerts:
        LOG.warning("%s", text(alert))


def slack(url: str) -> Send:
    """Post to an incoming webhook (http or https only). Markup characters are escaped as Slack asks."""
    if urlsplit(url).scheme not in ("http", "https"):
        raise ValueError("alerts_slack: an http or https address is needed")

    def send(alerts: Sequence[Alert]) -> None:
        lines = [text(a).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") for a in alerts]
        body = json.dumps(
            {
                "text": f"{len(alerts)} new alert{'s' if len(alerts) != 1 else ''}\n"
                + "\n".join(f"• {line}" for line in lines)
            }
        ).encode()
        request = urllib.request.Request(  # noqa: S310 - the scheme is checked above
            url, data=body, headers={"Content-Type": "application/json"}, method="POST"
        )
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
            if answer.status >= 300:
                raise OSError(f"webhook answered {answer.status}")

    return send


def email(url: str) -> Send:
    """Send one message by SMTP; STARTTLS with ``tls=1``, implicit TLS with the scheme ``smtps``."""
    parts, query = urlsplit(url), parse_qs(urlsplit(url).query)
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise ValueError("alerts_smtp: smtp://host:port?to=... is needed")
    to = [t for t in query.get("to", [""])[0].split(",") if t]
    sender = query.get("from", ["alerts@localhost"])[0]
    if not to or any(c in "".join([*to, sender]) for c in "\r\n"):
        raise ValueError("alerts_smtp: to=name@host is needed")

    def send(alerts: Sequence[Alert]) -> None:
        message = EmailMessage()
        message["Subject"] = f"{len(alerts)} new marketing alert{'s' if len(alerts) != 1 else ''}"
        message["From"], message["To"] = sender, ", ".join(to)
        message.set_content("\n\n".join(text(a) for a in alerts))
        secure = parts.scheme == "smtps"
        kind = smtplib.SMTP_SSL if secure else smtplib.SMTP
        extra = {"context": ssl.create_default_context()} if secure else {}
        with kind(
            parts.hostname, parts.port or (465 if secure else 25), timeout=TIMEOUT_SECONDS, **extra
        ) as server:  # type: ignore[arg-type]
            if query.get("tls", ["0"])[0] == "1":
                server.starttls(context=ssl.create_default_context())
            if parts.username:
                server.login(unquote(parts.username), unquote(parts.password or ""))
            server.send_message(message)

    return send


def _connection(env: Mapping[str, str], name: str, own: str) -> str:
    """Address of a channel: our own variable, or Airflow's connection in its environment form."""
    if env.get(own):
        return env[own]
    value = env.get(f"AIRFLOW_CONN_{name.upper()}", "")
    if not value.startswith("{"):
        return value
    fields = json.loads(value)
    extra = fields.get("extra") or {}
    extra = json.loads(extra) if isinstance(extra, str) else extra
    if name == "alerts_slack":
        host, secret = str(fields.get("host") or ""), str(fields.get("password") or "")
        address = extra.get("webhook") or (f"{host.rstrip('/')}/{secret.lstrip('/')}" if secret else host)
        return address if "://" in address or not address else f"https://{address}"
    login = f"{fields['login']}:{fields.get('password', '')}@" if fields.get("login") else ""
    query = "&".join(f"{k}={v}" for k, v in extra.items())
    return f"smtp://{login}{fields.get('host', '')}:{fields.get('port') or 25}?{query}"


def channels(env: Mapping[str, str] | None = None) -> dict[str, Send]:
    """The configured channels by name; a wrong address is logged and left out."""
    env = os.environ if env is None else env
    out: dict[str, Send] = {"log": to_log}
    for name, own, make in (("slack", "ALERTS_SLACK_WEBHOOK", slack), ("smtp", "ALERTS_SMTP_URL", email)):
        try:
            address = _connection(env, f"alerts_{name}", own)
            if address:
                out[name] = make(address)
        except (ValueError, KeyError) as error:
            LOG.error("%s is not configured: %s", name, error)
    return out


def deliver(
    due: Mapping[str, Sequence[Alert]], env: Mapping[str, str] | None = None
) -> dict[str, list[Alert]]:
    """Send what is due by channel name; returns what really went out."""
    sent: dict[str, list[Alert]] = {}
    for name, send in channels(env).items():
        alerts = list(due.get(name, ()))
        if not alerts:
            continue
        try:
            send(alerts)
            sent[name] = alerts
        except (OSError, smtplib.SMTPException, ValueError) as error:
            LOG.error("%s could not be told: %s", name, type(error).__name__)
    return sent
