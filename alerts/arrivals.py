"""Rules on what arrives: places nobody knows, late feeds, refused rows, empty shelves. Pure functions, no clock."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from alerts.checks import Finding, over, panel

REFUSED = ("QF", "ABORT", "NOOP", "WAIT")


def unmapped(frame: pd.DataFrame, window: int = 7) -> list[Finding]:
    """Jumps of the share of spend or sales that lands on no known place.

    Args:
        frame: date_day, entity, unmapped (amount on the unmapped member), total.
    """
    found: list[Finding] = []
    for entity, index, s in panel(frame, "entity", ["unmapped", "total"]):
        share = over(s["unmapped"], s["total"])
        for d in range(len(index) - 1, max(83, len(index) - window - 1), -1):
            past = share[max(0, d - 91) : d]
            past = past[np.isfinite(past)]
            if len(past) < 28 or not np.isfinite(share[d]):
                continue
            middle = float(np.median(past))
            spread = 1.4826 * float(np.median(np.abs(past - middle)))
            limit = max(middle + 0.05, middle + 8 * spread, 1.25 * float(np.sort(past)[-3]))
            if share[d] > limit:
                day = index[d].date()
                found.append(
                    Finding(
                        "unmapped_jump",
                        entity,
                        "unmapped_share",
                        float(share[d]),
                        middle,
                        0.0,
                        limit,
                        day,
                        day,
                        float(s["unmapped"][d] - middle * s["total"][d]),
                        f"{share[d]:.0%} has no known place; {middle:.0%} is usual.",
                    )
                )
                break
    return found


def deliveries(frame: pd.DataFrame) -> list[Finding]:
    """Late feeds and jumps of refused rows, from the ledger of files.

    Args:
        frame: feed, outcome, rows_file, rows_quarantined, money_quarantined, delivered_at, last_date; one row a file.
    """
    found: list[Finding] = []
    if frame.empty:
        return found
    frame = frame.assign(
        delivered_at=pd.to_datetime(frame["delivered_at"]), last_date=pd.to_datetime(frame["last_date"])
    )
    now = frame["delivered_at"].max()
    newest = frame.loc[~frame["outcome"].isin(REFUSED), "last_date"].max()
    for feed, part in frame.sort_values("delivered_at").groupby("feed", sort=True):
        found += _late(str(feed), part[~part["outcome"].isin(REFUSED)], now, newest)
        found += _refused(str(feed), part[~part["outcome"].isin(["NOOP", "WAIT"])])
    return found


def _late(feed: str, part: pd.DataFrame, now: datetime, newest: datetime) -> list[Finding]:
    """A feed is late when its next period should have come: usual step, usual delay, and the spread of that delay.

    The period must have happened as far as the other feeds tell: where every feed ends on the same day, a delivery of
    slower partners days later does not make the quick ones late. (Data that stop altogether are the freshness
    notice's business.)
    """
    part = part[part["last_date"].notna()]
    first = part.groupby("last_date")["delivered_at"].min().sort_index()
    first = first[first.index.to_series().cummax() == first.index.to_series()]
    # Backfills arrive long after their dates and say nothing about the usual rhythm.
    recent = first.tail(13)
    if len(recent) < 4:
        return []
    step = float(np.median(np.diff(recent.index.to_numpy()).astype("timedelta64[D]").astype(float)))
    delays = (recent.to_numpy() - recent.index.to_numpy()).astype("timedelta64[s]").astype(float) / 86400
    usual = float(np.median(delays))
    spread = min(float(np.max(np.abs(delays[-8:] - usual))), step / 2)
    due = first.index[-1] + timedelta(days=step + usual + spread + 0.25)
    if step <= 0 or now <= due or newest < first.index[-1] + timedelta(days=step):
        return []
    behind = (pd.Timestamp(now) - due).total_seconds() / 86400
    last = first.index[-1].date()
    return [
        Finding(
            "feed_late",
            feed,
            "days_late",
            behind,
            0.0,
            0.0,
            0.0,
            last,
            now.date(),
            None,
            f"Nothing after {last.isoformat()}; a new file usually comes every {step:.0f} day{'s' if step != 1 else ''}.",
        )
    ]


def _refused(feed: str, part: pd.DataFrame) -> list[Finding]:
    """The newest delivery day's share of refused rows against the feed's own past."""
    if part.empty:
        return []
    days = (
        part.assign(day=part["delivered_at"].dt.date)
        .groupby("day")[["rows_file", "rows_quarantined", "money_quarantined"]]
        .sum()
    )
    rows = days["rows_file"].astype(float)
    share = (days["rows_quarantined"].astype(float) / rows.where(rows > 0)).dropna()
    if len(share) < 5:
        return []
    now, past = float(share.iloc[-1]), share.iloc[:-1].tail(26).to_numpy()
    limit = max(0.01, 5 * float(np.median(past)), 1.5 * float(np.sort(past)[-2]))
    if now <= limit:
        return []
    day = share.index[-1]
    money = float(days["money_quarantined"].astype(float).fillna(0.0).iloc[-1])
    return [
        Finding(
            "quarantine_jump",
            feed,
            "refused_share",
            now,
            float(np.median(past)),
            0.0,
            limit,
            day,
            day,
            abs(money) or None,
            f"{now:.1%} of the newest rows were refused; {np.median(past):.2%} is usual.",
        )
    ]


def stock(frame: pd.DataFrame) -> list[Finding]:
    """Falls of the in-stock rate per retailer: week_start_date, retailer_id, in_stock_rate (0..1)."""
    found: list[Finding] = []
    for retailer, part in (
        frame.dropna(subset=["in_stock_rate"])
        .sort_values("week_start_date")
        .groupby("retailer_id", sort=True)
    ):
        rates = part["in_stock_rate"].to_numpy(dtype=float)
        if len(rates) < 14:
            continue
        past = rates[-53:-1]
        middle = float(np.median(past))
        spread = 1.4826 * float(np.median(np.abs(past - middle)))
        limit = min(middle - 0.1, middle - 6 * spread, float(np.sort(past)[2]) - 0.02)
        if rates[-1] < limit:
            week = pd.Timestamp(part["week_start_date"].iloc[-1]).date()
            found.append(
                Finding(
                    "stock_drop",
                    str(retailer),
                    "in_stock_rate",
                    float(rates[-1]),
                    middle,
                    limit,
                    1.0,
                    week,
                    week + timedelta(days=6),
                    None,
                    f"In-stock rate is {rates[-1]:.0%}; {middle:.0%} is usual.",
                )
            )
    return found
