"""The pages, in reading order: what happened, what caused it, what to do, and what it rests on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dashboard.context import Context
from dashboard.views import (
    budget,
    channels,
    demand,
    executive,
    gifting,
    impact,
    incrementality,
    quality,
    segments,
)


@dataclass(frozen=True)
class View:
    """A page: its place in the address, its title and icon, and which filters it listens to."""

    path: str
    title: str
    icon: str
    uses: frozenset[str]
    render: Callable[[Context], None]


ALL = frozenset({"period", "channel", "retailer", "dma"})
VIEWS: tuple[View, ...] = (
    View("executive", "Executive summary", ":material/dashboard:", ALL, executive.render),
    View(
        "channels",
        "Channels",
        ":material/campaign:",
        frozenset({"period", "channel", "dma"}),
        channels.render,
    ),
    View(
        "incrementality",
        "Incrementality",
        ":material/science:",
        frozenset({"channel"}),
        incrementality.render,
    ),
    View("budget", "Budget", ":material/account_balance_wallet:", frozenset({"channel"}), budget.render),
    View(
        "demand", "Demand", ":material/inventory_2:", frozenset({"period", "retailer", "dma"}), demand.render
    ),
    View("impact", "Business impact", ":material/trending_up:", ALL, impact.render),
    View("segments", "Segments", ":material/group:", frozenset({"channel"}), segments.render),
    View("quality", "Data quality and lineage", ":material/fact_check:", frozenset(), quality.render),
    View("gifting", "B2B gifting", ":material/redeem:", frozenset(), gifting.render),
)
