"""What every page starts from: the pinned version, the reader's filters, and how fresh the data are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import answers, queries, ui
from dashboard import format as fmt
from dashboard.filters import DEFAULT_PERIOD, PERIODS, Filters, known, period
from dashboard.reader import Snapshot
from dashboard.renewal import stale_hours

JOB_NAMES = {
    "mmm": "market mix model",
    "budget": "budget plan",
    "elasticity": "price elasticity",
    "mediation": "mediation",
    "attribution": "attribution",
    "geolift": "lift tests",
    "frequency": "frequency",
    "forecast": "demand forecast",
    "segments": "segments",
    "segment_response": "segment response",
}


@dataclass(frozen=True)
class Context:
    """One page run: everything on the page comes from ``snap`` and respects ``filters``."""

    snap: Snapshot
    filters: Filters
    first: date
    last: date
    names: dict[str, str]

    @property
    def brand(self) -> str:
        return self.filters.brand_id

    def key(self) -> tuple[Any, ...]:
        """What everything drawn from this context depends on: the version of the marts and the reader's filters."""
        return (self.snap.version.token, *astuple(self.filters))

    def ready(self, what: str, *tables: str) -> bool:
        """Whether these marts are there and hold rows of this brand; otherwise says so on the page."""
        gone = [t for t in tables if not self.snap.has(t)]
        if gone:
            ui.state(
                "empty",
                f"{what}: not in this version",
                f"The published copy does not hold {', '.join(gone)} yet. It appears after the next full run.",
            )
            return False
        for table in tables:
            where, values = (
                ("brand_id = ?", [self.brand]) if self.snap.has(table, "brand_id") else ("true", [])
            )
            if not self.snap.value(
                f"select count(*) from (select 1 from marts.{table} where {where} limit 1)", values
            ):
                ui.state(
                    "empty", f"{what}: nothing to show yet", f"{table} holds no rows for brand {self.brand}."
                )
                return False
        return True

    def model_state(self, *jobs: str) -> None:
        """Says so when a page's model failed or refused, or when what is served is older than the data."""
        if not self.snap.has("dim_model_run", "job", "status", "recorded_seq", "as_of_date"):
            return
        rows = answers.newest_runs(self.snap, self.brand)
        rows = rows[rows.job.isin(jobs)]
        for row in rows.itertuples():
            name = JOB_NAMES.get(row.job, row.job)
            if row.status in ("failed", "refused"):
                served = (
                    "The answers below are from the last good run, " + fmt.day(row.served_as_of) + "."
                    if not fmt.missing(row.served_run_id)
                    else "There is no earlier good run to show."
                )
                verb = "failed" if row.status == "failed" else "declined to answer"
                ui.state(
                    "failed", f"The newest {name} run {verb}", f"Reason: {fmt.text(row.message)}. {served}"
                )
            elif not fmt.missing(row.served_as_of) and pd.Timestamp(
                row.served_as_of
            ).date() < self.last - timedelta(days=7):
                ui.state(
                    "stale",
                    f"The {name} is older than the data",
                    f"Fitted on data to {fmt.day(row.served_as_of)}; the data go to {fmt.day(self.last)}.",
                )


#: Drawn parts kept per function: views times pages of a few versions, some 20 to 100 kB each.
KEPT = 200


def section(draw: Callable[..., None]) -> Callable[..., None]:
    """A part of a page without widgets, drawn once per version, view and arguments, then sent again as it was.

    Many readers look at the same few views; what they see cannot change until the next publish.
    """
    return st.cache_resource(
        draw, show_spinner=False, max_entries=KEPT, hash_funcs={Context: lambda context: context.key()}
    )


def sidebar(snap: Snapshot, brand_id: str, uses: frozenset[str]) -> Context | None:
    """Filters in the sidebar, kept in the address so that a view can be shared. ``None`` without any data."""
    dates = queries.span(snap, brand_id)
    if dates is None:
        return None
    first, last = dates
    offered = queries.options(snap, brand_id)
    names = {i: name for kind in offered.values() for i, name in kind.items()}
    with st.sidebar:
        chosen_period: str | None = DEFAULT_PERIOD
        if "period" in uses:
            chosen_period = st.selectbox(
                "Period",
                list(PERIODS),
                index=list(PERIODS).index(DEFAULT_PERIOD),
                format_func=lambda p: PERIODS[p][0],
                key="period",
                bind="query-params",
            )
        picked: dict[str, tuple[str, ...]] = {}
        for kind, label in (("channel", "Channels"), ("retailer", "Retailers"), ("dma", "Places (DMA)")):
            picked[kind] = ()
            if kind in uses:
                ids = list(offered[kind])
                chosen = st.multiselect(
                    label,
                    ids,
                    format_func=lambda i: names.get(i, i),
                    key=kind,
                    bind="query-params",
                    placeholder="All",
                )
                picked[kind] = known(chosen, ids)
        if not uses:
            st.caption("No filter in this bar narrows this page.")
        start, end = period(chosen_period or DEFAULT_PERIOD, first, last)
    filters = Filters(brand_id, start, end, picked["channel"], picked["retailer"], picked["dma"])
    return Context(snap, filters, first, last, names)


def freshness(context: Context, dated: bool) -> None:
    """One line under the title: data to when, published when, which version; a notice when publishing stopped."""
    version = context.snap.version
    f = context.filters
    span = f"{fmt.day(f.start)} to {fmt.day(f.end)}, whole weeks (Sunday to Saturday). " if dated else ""
    st.caption(
        f"{span}Data complete to {fmt.day(context.last)}; "
        f"published {fmt.moment(version.published_at)}, {version.label}."
    )
    hours = stale_hours()
    if version.published_at is not None:
        age = datetime.now(UTC) - pd.Timestamp(version.published_at).to_pydatetime().replace(tzinfo=UTC)
        if age > timedelta(hours=hours):
            ui.state(
                "stale",
                "No new version has been published lately",
                f"The last publish was {age.days} days ago; a new one is expected every {hours} hours. "
                "Figures are right for their date, but newer days are missing.",
            )
