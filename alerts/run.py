"""One run: look, compare with what is known, write events, tell people."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

from alerts import advice, arrivals, checks, drift, ledger, routing
from alerts.checks import Finding
from alerts.store import Store

LOG = logging.getLogger("alerts")
HISTORY_DAYS = 7 * 40
WINDOW_DAYS = 7


def look(store: Store, as_of: date) -> list[Finding]:
    """All findings over the marts as they are now."""
    since = as_of - timedelta(days=HISTORY_DAYS)
    found = checks.media(store.media(since, as_of), WINDOW_DAYS)
    found += checks.sales(store.sales(since, as_of), WINDOW_DAYS, store.holidays(since, as_of))
    found += arrivals.unmapped(store.unmapped(since, as_of), WINDOW_DAYS)
    if store.has("fct_feed_load"):
        found += arrivals.deliveries(store.deliveries())
    if store.has("fct_inventory_week"):
        found += arrivals.stock(store.stock())
    for row in store.failed_runs().drop_duplicates("job").itertuples():
        found.append(
            Finding(
                "model_failed",
                str(row.job),
                "status",
                None,
                None,
                None,
                None,
                as_of,
                as_of,
                None,
                str(row.message or "The run failed."),
            )
        )
    if store.has("fct_forecast_drift"):
        found += drift.findings(drift.read(store))
    if store.has("fct_stock_risk_week", "dim_dma"):
        found += advice.stock_risk(store.stock_risk(), as_of)
    if store.has("fct_wasted_spend"):
        found += advice.wasted_spend(store.wasted(advice.CERTAIN), as_of)
    if store.has("fct_channel_evidence"):
        found += advice.over_credited(store.over_credited(), as_of)
    if store.has("fct_budget_scenario"):
        found += advice.better_plan(*store.better_plan(), as_of)
    return found


def run(store: Store, env: Mapping[str, str] | None = None) -> dict[str, int]:
    """Look and write events; returns how many of each kind were written. Without any data it does nothing."""
    as_of = store.as_of()
    if as_of is None:
        LOG.info("no media or sales yet: nothing to look at")
        return {}
    now = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    run_id = ledger.hashed("alerts", store.brand_id, as_of)[:32]
    events = store.events()
    new = ledger.advance(events, look(store, as_of), store.brand_id, run_id, as_of, now)
    store.append(new)
    counts: dict[str, int] = {}
    for event in new:
        counts[event["event"]] = counts.get(event["event"], 0) + 1
    told = _tell(store, run_id, now, env)
    if told:
        counts["notified"] = told
    return counts


def _tell(store: Store, run_id: str, now: datetime, env: Mapping[str, str] | None) -> int:
    """Send each open alert once to each configured channel."""
    alerts = [a for a in ledger.current(store.events()).values() if a["status"] == "open" and "rule" in a]
    due = {name: [a for a in alerts if name not in a["notified"]] for name in routing.channels(env)}
    sent = routing.deliver(due, env)
    told = [
        ledger.notified(alert, name, store.brand_id, run_id, now)
        for name, part in sent.items()
        for alert in part
    ]
    store.append(told)
    return len(told)
