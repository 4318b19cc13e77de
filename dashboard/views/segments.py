"""Who the customers are, how each group answers to each channel, and how they move."""

from __future__ import annotations

import streamlit as st

from dashboard import answers, charts, ui
from dashboard import format as fmt
from dashboard.context import Context
from dashboard.ui import Card, Column


def render(page: Context) -> None:
    page.model_state("segments", "segment_response")
    if not page.ready("Segments", "dim_segment"):
        return
    rows = answers.segments(page.snap, page.brand)
    ui.cards(
        [
            Card(
                f"segment.{r.segment_id}",
                str(r.segment_name),
                int(r.customers),
                fmt.count,
                fmt.percent(r.share) + " of customers",
            )
            for r in rows.head(8).itertuples()
        ]
    )
    ui.table(
        rows,
        [
            Column("segment_name", "Segment", fmt.text, False),
            Column("description", "Who they are", fmt.text, False, True),
            Column("customers", "Customers", fmt.whole),
            Column("share", "Share", fmt.percent),
        ],
        "Customer segments",
        key="segment",
    )
    ui.download(rows, "segments")
    st.header("Response to media")
    if page.ready("Segment response", "fct_segment_response"):
        _response(page)
    st.header("Movement between segments")
    _movement(page)


def _response(page: Context) -> None:
    rows = answers.segment_response(page.snap, page.filters)
    if rows.empty:
        ui.state(
            "empty",
            "No response estimates for these channels",
            "Only channels with a customer key can be read by segment.",
        )
        return
    rows = rows.assign(
        interval=[fmt.interval(a, b) for a, b in zip(rows.effect_p05, rows.effect_p95, strict=True)],
        supported=["yes" if s else "not supported" for s in rows.is_supported.astype(bool)],
    )
    names = list(dict.fromkeys(rows.channel_name))
    known = [n for n in names if rows[(rows.channel_name == n) & rows.effect.notna()].size]
    chosen = st.selectbox(
        "Channel", names, index=names.index(known[0]) if known else 0, key="response_channel"
    )
    part = rows[rows.channel_name == chosen]
    ui.chart(
        part,
        charts.intervals(
            "segment",
            "effect",
            "effect_p05",
            "effect_p95",
            "Effect",
            part.sort_values("effect", ascending=False).segment.tolist(),
            reference=0.0,
        ),
        f"Effect of {chosen} on each segment with its 90 % interval; dashed line at no effect.",
    )
    ui.table(
        part,
        [
            Column("segment", "Segment", fmt.text, False),
            Column("effect", "Effect", fmt.ratio),
            Column("interval", "90 % interval", fmt.text, False),
            Column("supported", "Supported by data", fmt.text, False),
            Column("note", "Note", fmt.text, False, True),
        ],
        f"Relative change of purchases under {chosen}, by segment",
        key="response",
    )
    ui.download(rows.drop(columns=["interval", "supported"]), "segment-response")


def _movement(page: Context) -> None:
    snap = page.snap
    need = ("month_start_date", "from_segment_id", "to_segment_id", "customers")
    if not snap.has("fct_segment_migration", *need):
        ui.state("empty", "No movement yet", "At least two months of segments are needed.")
        return
    rows = snap.frame(
        "with m as (select * from marts.fct_segment_migration where brand_id = ?), "
        "n as (select distinct segment_id, segment_name from marts.dim_segment) "
        "select coalesce(a.segment_name, 'no segment') as from_segment, coalesce(b.segment_name, 'no segment') as to_segment, "
        "sum(customers) as customers from m left join n a on a.segment_id = m.from_segment_id left join n b on b.segment_id = m.to_segment_id "
        "where month_start_date = (select max(month_start_date) from m) group by 1, 2 order by 1, 2",
        [page.brand],
    )
    if rows.empty:
        ui.state("empty", "No movement yet", "At least two months of segments are needed.")
        return
    spec = {
        "height": {"step": 36},
        "encoding": {
            "y": {"field": "from_segment", "type": "nominal", "title": "From"},
            "x": {
                "field": "to_segment",
                "type": "nominal",
                "title": "To",
                "axis": {"labelAngle": 0, "labelLimit": 90},
            },
        },
        "layer": [
            {
                "mark": "rect",
                "encoding": {
                    "color": {
                        "field": "customers",
                        "type": "quantitative",
                        "scale": {"scheme": "blues"},
                        "legend": None,
                    }
                },
            },
            {
                "mark": {"type": "text"},
                "encoding": {
                    "text": {"field": "customers", "type": "quantitative", "format": ",.0f"},
                    "color": {
                        "condition": {
                            "test": f"datum.customers > {float(rows.customers.max()) * 0.55}",
                            "value": "white",
                        },
                        "value": "black",
                    },
                },
            },
        ],
    }
    ui.chart(
        rows.astype({"customers": float}),
        spec,
        "Customers who moved from one segment (row) to another (column) in the newest month.",
    )
