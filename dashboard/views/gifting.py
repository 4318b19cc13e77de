"""B2B gifting: a second kind of business in the same warehouse, with its own filters."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard import charts, ui
from dashboard import format as fmt
from dashboard.context import Context
from dashboard.ui import Card, Column


def render(page: Context) -> None:
    if not page.ready("Gift orders", "fct_gift_order"):
        return
    snap, brand = page.snap, page.brand
    clients = (
        snap.frame(
            "select distinct o.client_id, coalesce(c.client_name, o.client_id) as name from marts.fct_gift_order o left join marts.dim_gift_client c "
            "on c.brand_id = o.brand_id and c.client_id = o.client_id where o.brand_id = ? order by 2",
            [brand],
        )
        if snap.has("dim_gift_client")
        else snap.frame(
            "select distinct client_id, client_id as name from marts.fct_gift_order where brand_id = ? order by 2",
            [brand],
        )
    )
    services = snap.frame(
        "select distinct coalesce(service_name, service_id) as name from marts.fct_gift_order where brand_id = ? order by 1",
        [brand],
    )
    years = snap.frame(
        "select distinct order_year as y from marts.fct_gift_order where brand_id = ? and order_year is not null order by 1",
        [brand],
    )
    names = dict(zip(clients.client_id.astype(str), clients.name.astype(str), strict=True))
    one, two, three = st.columns(3)
    with one:
        client = st.multiselect(
            "Client",
            list(names),
            format_func=lambda i: names.get(i, i),
            key="client",
            bind="query-params",
            placeholder="All",
        )
    with two:
        service = st.multiselect(
            "Channel",
            services.name.astype(str).tolist(),
            key="service",
            bind="query-params",
            placeholder="All",
        )
    with three:
        year = st.multiselect(
            "Year",
            [str(int(y)) for y in years.y],
            key="year",
            bind="query-params",
            placeholder="All",
            disabled=years.empty,
            help="The source carries no dates." if years.empty else None,
        )
    where, values = predicate(brand, client, service, year)
    total = snap.frame(
        "select count(*) as orders, sum(total_gifts) as gifts, sum(total_amount_usd) as amount_usd, sum(total_revenue_usd) as revenue_usd, "
        f"sum(total_amount_usd) / nullif(sum(total_gifts), 0) as amount_per_gift_usd from marts.fct_gift_order where {where}",
        values,
    ).iloc[0]
    ui.cards(
        [
            Card("gift.orders", "Orders", int(total.orders), fmt.whole),
            Card("gift.gifts", "Gifts", total.gifts, fmt.count),
            Card("gift.amount_usd", "Amount", total.amount_usd, fmt.money),
            Card(
                "gift.revenue_usd",
                "Revenue",
                total.revenue_usd,
                fmt.money,
                "" if not fmt.missing(total.revenue_usd) else "Not in the source",
            ),
            Card("gift.amount_per_gift_usd", "Amount per gift", total.amount_per_gift_usd, fmt.money_exact),
        ]
    )
    if not int(total.orders):
        ui.state("empty", "No gift orders in this view", "Choose other clients, channels or years.")
        return
    rows = snap.frame(
        "select coalesce(service_name, service_id) as service, count(*) as orders, sum(total_gifts) as gifts, sum(total_amount_usd) as amount_usd "
        f"from marts.fct_gift_order where {where} group by 1 order by amount_usd desc",
        values,
    ).astype({"amount_usd": float, "gifts": float})
    st.header("By channel")
    ui.chart(
        rows,
        charts.bars("service", "amount_usd", "Amount, USD", rows.service.tolist(), row=34),
        "Amount by gifting channel.",
    )
    top = snap.frame(
        "select client_id, count(*) as orders, sum(total_gifts) as gifts, sum(total_amount_usd) as amount_usd "
        f"from marts.fct_gift_order where {where} group by 1 order by amount_usd desc, 1",
        values,
    )
    top = top.assign(name=top.client_id.astype(str).map(names).fillna(top.client_id.astype(str)))
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
    if snap.has("fct_gift_expenditure", "status", "is_converted", "quantity"):
        st.header("What became of the gifts")
        _fate(page, client)


def predicate(brand: str, client: list[str], service: list[str], year: list[str]) -> tuple[str, list[object]]:
    """The three filters as a bound predicate over fct_gift_order."""
    parts, values = ["brand_id = ?"], [brand]
    for column, chosen in (
        ("client_id", client),
        ("coalesce(service_name, service_id)", service),
        ("order_year", [int(y) for y in year]),
    ):
        if chosen:
            parts.append(f"{column} in ({', '.join('?' * len(chosen))})")
            values += chosen
    return " and ".join(parts), values


def _fate(page: Context, client: list[str]) -> None:
    where, values = predicate(page.brand, client, [], [])
    rows: pd.DataFrame = page.snap.frame(
        f"select status, is_converted, count(*) as gifts, sum(quantity) as quantity, sum(quantity * price_usd) as value_usd "
        f"from marts.fct_gift_expenditure where {where} group by 1, 2 order by 1, 2",
        values,
    )
    ui.table(
        rows,
        [
            Column("status", "Gift was", fmt.text, False),
            Column("is_converted", "Led to a deal", fmt.text, False),
            Column("gifts", "Gifts", fmt.whole),
            Column("quantity", "Pieces", fmt.whole),
            Column("value_usd", "Value", fmt.money),
        ],
        "Gifts sent to recipients, by answer and outcome",
        key="fate",
    )
