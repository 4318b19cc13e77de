"""Who the customers are, how each group answers to each channel, and how they move."""

from __future__ import annotations

import streamlit as st

from dashboard import answers, charts, ui
from dashboard import format as fmt
from dashboard.context import Context, section
from dashboard.ui import Card, Column


def render(page: Context) -> None:
    """Who the customers are, how each group answers to each channel, and how they move."""
    page.model_state("segments", "segment_response")
    if not page.ready("Segments", "dim_segment"):
        return
    _who(page)
    ui.download(answers.segments(page.snap, page.brand), "segments")
    st.header("Response to media")
    if page.ready("Segment response", "fct_segment_response"):
        _response(page)
    _movement(page)


@section
def _who(page: Context) -> None:
    rows = answers.segments(page.snap, page.brand)
    ui.cards(
        [
            Card(
                f"segment.{r.segment_id}",
                sentence(r.segment_name),
                int(r.customers),
                fmt.count,
                fmt.percent(r.share) + " of customers",
            )
            for r in rows.head(8).itertuples()
        ]
    )
    ui.table(
        rows.assign(name=rows.segment_name.map(sentence)),
        [
            Column("name", "Segment", fmt.text, False, True),
            Column("description", "Who they are", fmt.text, False, True),
            Column("customers", "Customers", fmt.whole),
            Column("share", "Share", fmt.percent),
            *(
                [Column("expected_value_52w_usd", "Worth in 52 weeks", fmt.money)]
                if "expected_value_52w_usd" in rows and rows.expected_value_52w_usd.notna().any()
                else []
            ),
        ],
        "Customer segments",
        key="segment",
    )


def sentence(name: object) -> str:
    """A segment's name as people write it."""
    shown = fmt.text(name)
    return shown[:1].upper() + shown[1:]


def _response(page: Context) -> None:
    rows = answers.segment_response(page.snap, page.filters)
    if rows.empty:
        ui.state(
            "empty",
            "No response estimates for these channels",
            "Only channels with a customer key or differences between places can be read by segment.",
        )
        return
    names = list(dict.fromkeys(rows.channel_name))
    known = [n for n in names if rows[(rows.channel_name == n) & rows.effect.notna()].size]
    chosen = st.selectbox(
        "Channel", names, index=names.index(known[0]) if known else 0, key="response_channel"
    )
    _channel(page, str(chosen or names[0]))
    ui.download(rows, "segment-response")


@section
def _channel(page: Context, chosen: str) -> None:
    rows = answers.segment_response(page.snap, page.filters)
    part = rows[rows.channel_name == chosen]
    part = part.assign(segment=part.segment.map(sentence)).sort_values("effect", ascending=False)
    notes = sorted({str(n) for n in part.note if not fmt.missing(n) and n != ""})
    if part.effect.notna().any():
        ui.chart(
            part[["segment", "effect", "effect_p05", "effect_p95"]],
            charts.intervals(
                "segment",
                "effect",
                "effect_p05",
                "effect_p95",
                "Relative change of purchases",
                part.segment.tolist(),
                reference=0.0,
                form="+.0%",
                row=34,
            ),
            f"Effect of {chosen} on each segment with its 90 % interval; dashed line at no effect.",
        )
        ui.table(
            part.assign(
                interval=fmt.between(part, "effect_p05", "effect_p95", fmt.change),
                supported=["yes" if s else "no" for s in part.is_supported.astype(bool)],
            ),
            [
                Column("segment", "Segment", fmt.text, False),
                Column("effect", "Change of purchases", fmt.change),
                Column("interval", "90 % interval", fmt.text, False),
                Column("supported", "Supported by data", fmt.text, False),
            ],
            f"Relative change of purchases under {chosen}, by segment",
            key="response",
        )
    else:
        ui.state(
            "empty",
            f"The data cannot say how segments answer to {chosen}",
            sentence("; ".join(notes) or "No estimate."),
        )
        return
    if notes:
        ui.note(sentence("; ".join(notes)) + ".")


@section
def _movement(page: Context) -> None:
    st.header("Movement between segments")
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
    rows = rows.assign(
        from_segment=rows.from_segment.map(sentence),
        to_segment=rows.to_segment.map(sentence),
        customers=rows.customers.astype(float),
    )
    total = rows.groupby("from_segment").customers.transform("sum")
    names = sorted(set(rows.from_segment) | set(rows.to_segment))
    columns = [Column("from_segment", "From", fmt.text, False, True)]
    wide = rows.assign(share=rows.customers / total).pivot(
        index="from_segment", columns="to_segment", values="share"
    )
    ui.table(
        wide.reset_index(),
        columns + [Column(n, f"To {n[:1].lower()}{n[1:]}", fmt.percent) for n in names if n in wide],
        "Where each segment's customers were a month later (newest month; each row adds up to 100 %)",
    )
