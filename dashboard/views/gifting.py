"""B2B gifting: a second kind of business in the same warehouse, with its own filters."""

from __future__ import annotations

import streamlit as st

from dashboard import charts, ui
from dashboard import format as fmt
from dashboard.context import Context
from dashboard.ui import Card, Column

#: Where gift orders with dates, revenue and cost are missing, the pack's engagement table still has gifts and amounts.
TABLES = ("fct_gift_order", "fct_gift_engagement")


def render(page: Context) -> None:
    """Gifts and money by channel and client, and what became of the gifts."""
    snap, brand = page.snap, page.brand
    table = next(
        (
            t
            for t in TABLES
            if snap.has(t) and snap.value(f"select count(*) from marts.{t} where brand_id = ?", [brand])
        ),
        None,
    )
    if table is None or not snap.has("dim_gift_client") or not snap.has("dim_gift_service"):
        ui.state(
            "empty",
            "No gifting data yet",
            "This page fills itself when the B2B gifting feeds (clients, services, gifts, orders) are delivered to the landing zone.",
        )
        return
    clients = snap.frame(
        f"select distinct o.client_id as id, coalesce(c.client_name, o.client_id) as name from marts.{table} o left join marts.dim_gift_client c "
        "on c.brand_id = o.brand_id and c.client_id = o.client_id where o.brand_id = ? order by 2, 1",
        [brand],
    )
    services = snap.frame(
        f"select distinct o.service_id as id, coalesce(s.service_name, o.service_id) as name from marts.{table} o "
        "left join marts.dim_gift_service s on s.brand_id = o.brand_id and s.service_id = o.service_id where o.brand_id = ? order by 2, 1",
        [brand],
    )
    years = (
        snap.frame(
            f"select distinct year(month_start_date) as y from marts.{table} where brand_id = ? and month_start_date is not null order by 1",
            [brand],
        ).y.tolist()
        if snap.has(table, "month_start_date")
        else []
    )
    client, service, year = _choose(_names(clients), _names(services), [str(int(y)) for y in years])
    where, values = predicate(brand, client, service, year)
    _totals(page, table, where, values)
    if not snap.value(f"select count(*) from marts.{table} where {where}", values):
        ui.state("empty", "No gift orders in this view", "Choose other clients, channels or years.")
        return
    _breakdown(page, table, where, values, _names(clients), _names(services))
    if snap.has("fct_gift_expenditure", "status", "is_converted", "quantity", "amount_usd"):
        st.header("What became of the gifts")
        _fate(page, client)


def _names(frame) -> dict[str, str]:  # type: ignore[no-untyped-def]
    return dict(zip(frame.id.astype(str), frame.name.astype(str), strict=True))


def _choose(
    clients: dict[str, str], services: dict[str, str], years: list[str]
) -> tuple[list[str], list[str], list[str]]:
    one, two, three = st.columns(3)
    with one:
        client = st.multiselect(
            "Client",
            list(clients),
            format_func=lambda i: clients.get(i, i),
            key="client",
            bind="query-params",
            placeholder="All",
        )
    with two:
        service = st.multiselect(
            "Channel",
            list(services),
            format_func=lambda i: services.get(i, i),
            key="service",
            bind="query-params",
            placeholder="All",
        )
    with three:
        year = st.multiselect(
            "Year",
            years,
            key="year",
            bind="query-params",
            placeholder="All",
            disabled=not years,
            help=None if years else "The source carries no dates.",
        )
    return client, service, year


def predicate(brand: str, client: list[str], service: list[str], year: list[str]) -> tuple[str, list[object]]:
    """The three filters as a bound predicate."""
    parts: list[str] = ["brand_id = ?"]
    values: list[object] = [brand]
    for column, chosen in (
        ("client_id", client),
        ("service_id", service),
        ("year(month_start_date)", [int(y) for y in year]),
    ):
        if chosen:
            parts.append(f"{column} in ({', '.join('?' * len(chosen))})")
            values += chosen
    return " and ".join(parts), values


def _totals(page: Context, table: str, where: str, values: list[object]) -> None:
    money = (
        "sum(total_revenue_usd) as revenue_usd, sum(total_revenue_usd) - sum(total_amount_usd) as over_amount_usd"
        if page.snap.has(table, "total_revenue_usd")
        else "null::double as revenue_usd, null::double as over_amount_usd"
    )
    total = page.snap.frame(
        f"select count(*) as orders, sum(total_gifts) as gifts, sum(total_amount_usd) as amount_usd, {money}, "
        f"sum(total_amount_usd) / nullif(sum(total_gifts), 0) as amount_per_gift_usd from marts.{table} where {where}",
        values,
    ).iloc[0]
    absent = "" if not fmt.missing(total.revenue_usd) else "Not in the source"
    ui.cards(
        [
            Card("gift.orders", "Orders", int(total.orders), fmt.whole),
            Card("gift.gifts", "Gifts", total.gifts, fmt.count),
            Card("gift.amount_usd", "Amount", total.amount_usd, fmt.money),
            Card("gift.revenue_usd", "Revenue", total.revenue_usd, fmt.money, absent),
            Card("gift.amount_per_gift_usd", "Amount per gift", total.amount_per_gift_usd, fmt.money_exact),
        ]
    )


def _breakdown(
    page: Context,
    table: str,
    where: str,
    values: list[object],
    clients: dict[str, str],
    services: dict[str, str],
) -> None:
    rows = page.snap.frame(
        "select service_id, count(*) as orders, sum(total_gifts) as gifts, sum(total_amount_usd) as amount_usd "
        f"from marts.{table} where {where} group by 1 order by amount_usd desc, 1",
        values,
    )
    rows = rows.assign(
        service=rows.service_id.astype(str).map(services).fillna(rows.service_id.astype(str)),
        amount_usd=rows.amount_usd.astype(float),
    )
    st.header("By channel")
    ui.chart(
        rows,
        charts.bars("service", "amount_usd", "Amount, USD", rows.service.tolist(), row=34),
        "Amount by gifting channel.",
    )
    top = page.snap.frame(
        "select client_id, count(*) as orders, sum(total_gifts) as gifts, sum(total_amount_usd) as amount_usd "
        f"from marts.{table} where {where} group by 1 order by amount_usd desc, 1",
        values,
    )
    top = top.assign(name=top.client_id.astype(str).map(clients).fillna(top.client_id.astype(str)))
    st.header("By client")
    ui.table(
        top.head(20),
        [
            Column("name", "Client", fmt.text, False),
            Column("orders", "Orders", fmt.whole),
            Column("gifts", "Gifts", fmt.count),
            Column("amount_usd", "Amount", fmt.money),
        ],
        f"The {min(20, len(top))} largest of {len(top)} clients",
        key="client",
    )
    ui.download(top, "gift-clients")


def _fate(page: Context, client: list[str]) -> None:
    where, values = predicate(page.brand, client, [], [])
    rows = page.snap.frame(
        "select status, case when is_converted then 'yes' when not is_converted then 'no' else 'open' end as converted, count(*) as gifts, "
        f"sum(quantity) as quantity, sum(amount_usd) as value_usd from marts.fct_gift_expenditure where {where} group by 1, 2 order by 1, 2",
        values,
    )
    ui.table(
        rows,
        [
            Column("status", "Gift was", fmt.text, False),
            Column("converted", "Led to a deal", fmt.text, False),
            Column("gifts", "Gifts", fmt.whole),
            Column("quantity", "Pieces", fmt.whole),
            Column("value_usd", "Value", fmt.money),
        ],
        "Gifts sent to recipients, by answer and outcome (client filter only)",
        key="fate",
    )
