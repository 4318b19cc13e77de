"""Every answer to "did it work", side by side: claims, attribution, the mix model, and experiments."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard import answers, charts, ui
from dashboard import format as fmt
from dashboard.context import Context, section
from dashboard.ui import Column

VERDICTS = {
    "over_credited": "▼ over-credited",
    "under_credited": "▲ under-credited",
    "consistent": "= consistent",
    "undetermined": "? undetermined",
}


KINDS = {"go_dark": "went dark", "heavy_up": "spent more", "holdout": "held out"}


def verdict(value: object) -> str:
    """A verdict in words and with a mark, so that it does not rest on colour."""
    return VERDICTS.get(str(value), fmt.words(value))


def render(page: Context) -> None:
    """Evidence per channel, hypotheses, experiments, and the way of social through search."""
    page.model_state("mmm", "attribution", "geolift", "mediation")
    st.header("Claimed and caused, channel by channel")
    if page.ready("Evidence", "fct_channel_evidence"):
        _evidence(page)
    st.header("Hypotheses")
    if page.ready("Hypotheses", "fct_hypothesis"):
        _hypotheses(page)
    st.header("Experiments")
    if page.ready("Lift tests", "fct_geo_lift"):
        _experiments(page)
    _mediation(page)


def _evidence(page: Context) -> None:
    rows = answers.evidence(page.snap, page.filters)
    if rows.empty:
        ui.state("empty", "No evidence for these channels", "Choose other channels.")
        return
    found = {answers.SOURCE_NAMES.get(s, s) for s in rows.source}
    offered = [n for n in answers.SOURCE_NAMES.values() if n in found] + sorted(
        found - set(answers.SOURCE_NAMES.values())
    )
    wanted = [n for n in ("Platform claim", "Last touch", "MMM", "Lift test") if n in offered]
    shown = st.multiselect("Answers to compare", offered, default=wanted, key="answers") or wanted
    _answers(page, tuple(n for n in offered if n in shown))
    ui.download(rows, "channel-evidence")


@section
def _answers(page: Context, shown: tuple[str, ...]) -> None:
    rows = answers.evidence(page.snap, page.filters)
    rows = rows.assign(answer=[answers.SOURCE_NAMES.get(s, s) for s in rows.source])
    order = rows[rows.source == "mmm"].sort_values("roas", ascending=False).channel_name.tolist()
    order += [n for n in rows.channel_name.dropna().unique() if n not in order]
    part = rows.loc[rows.answer.isin(shown), ["channel_name", "answer", "roas", "roas_low", "roas_high"]]
    ui.chart(
        part,
        charts.sources(
            "channel_name",
            "roas",
            "answer",
            "roas_low",
            "roas_high",
            "Sales per dollar (logarithmic)",
            order,
            list(shown),
        ),
        f"Sales per dollar of each channel by {', '.join(shown)}; lines are intervals.",
        "Sales per media dollar by each method; dashed: one dollar back. Only the mix model and lift tests measure what media caused",
    )
    ui.table(
        _side_by_side(
            rows.sort_values(
                "channel_name", key=lambda n: n.map({c: i for i, c in enumerate(order)}), kind="stable"
            )
        ),
        [
            Column("channel_name", "Channel", fmt.text, False),
            Column("claim", "Claim", fmt.ratio, under="window"),
            Column("last_touch", "Last touch", fmt.ratio),
            Column("mmm", "MMM", fmt.ratio, under="mmm_interval"),
            Column("lift", "Lift test", fmt.ratio, under="lift_interval"),
            Column("verdict", "Verdict on the credit", verdict, False),
            Column("verdict_probability", "Probability", fmt.chance),
        ],
        "Return per dollar by channel: claimed (with its window), attributed, and caused; intervals are 90 % (model) and 95 % (test)",
        key="evidence",
    )


def _side_by_side(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per channel out of the long mart; nothing is computed, only laid out."""
    out = []
    for _, part in rows.groupby("channel_id", sort=False):
        cell = {r.source: r for r in part.itertuples()}
        get = lambda source, name: getattr(cell.get(source), name, None)  # noqa: B023, E731
        first = part.iloc[0]
        out.append(
            {
                "channel_name": first.channel_name,
                "claim": get("platform_claim", "roas"),
                "last_touch": get("last_touch", "roas"),
                "mmm": get("mmm", "roas"),
                "mmm_interval": fmt.interval(get("mmm", "roas_low"), get("mmm", "roas_high")),
                "lift": get("lift", "roas"),
                "lift_interval": fmt.interval(get("lift", "roas_low"), get("lift", "roas_high")),
                "verdict": first.verdict,
                "verdict_probability": first.verdict_probability,
                "window": get("platform_claim", "attribution_window"),
            }
        )
    return pd.DataFrame(out)


@section
def _hypotheses(page: Context) -> None:
    rows = answers.hypotheses(page.snap, page.brand)
    rows = rows.assign(interval=fmt.between(rows, "ci_low", "ci_high"))
    ui.table(
        rows,
        [
            Column("statement", "Hypothesis", fmt.text, False, True),
            Column("verdict", "Verdict", fmt.words, False),
            Column("probability", "Probability", fmt.chance),
            Column("estimate", "Estimate", fmt.ratio, under="interval"),
            Column("unit", "Of what", fmt.text, False, True),
        ],
        "The five working hypotheses: supported, not supported, or undetermined",
        key="hypothesis",
    )
    if page.snap.has("fct_hypothesis", "query_sql"):
        with st.expander("The SQL behind each verdict"):
            for row in rows.itertuples():
                st.markdown(f"**{row.hypothesis_id}.**")
                st.code(str(row.query_sql), language="sql")


def _experiments(page: Context) -> None:
    rows = answers.lifts(page.snap, page.filters)
    if rows.empty:
        ui.state(
            "empty",
            "No experiment on these channels",
            "The next best test is the channel with the widest interval above.",
        )
        return
    _lifts(page)
    if not page.snap.has("fct_geo_lift_series"):
        return
    ids = list(dict.fromkeys(rows.experiment_id))
    chosen = st.selectbox("Experiment", ids, key="experiment") if len(ids) > 1 else ids[0]
    _series(page, chosen)


@section
def _lifts(page: Context) -> None:
    rows = answers.lifts(page.snap, page.filters)
    rows = rows.assign(
        window=[
            f"{fmt.day(a)} to {fmt.day(b)}" for a, b in zip(rows.window_start, rows.window_end, strict=True)
        ],
        lift=[f"{fmt.ratio(v)} %" for v in rows.lift_pct],
        lift_interval=[i + " %" for i in fmt.between(rows, "lift_ci_low", "lift_ci_high")],
        iroas_interval=fmt.between(rows, "iroas_ci_low", "iroas_ci_high"),
        kind=[KINDS.get(str(k), fmt.words(k)) for k in rows.kind] if "kind" in rows else "",
    )
    columns = [
        Column("experiment_id", "Experiment", fmt.text, False, under="window"),
        Column("channel_name", "Channel", fmt.text, False, under="kind"),
        Column("method", "Method", fmt.words, False),
        Column("lift", "Change in sales", fmt.text, False, under="lift_interval"),
        Column("incremental_revenue_usd", "In dollars", fmt.money),
        Column("iroas", "Sales per dollar", fmt.ratio, under="iroas_interval"),
        Column("p_value", "p", fmt.p_value),
    ]
    primary = rows[rows.is_primary.astype(bool)] if "is_primary" in rows and rows.is_primary.any() else rows
    ui.table(
        primary, columns, "Geographic experiments by their primary method; intervals are 95 %", key="lift"
    )
    others = rows.drop(primary.index)
    if len(others):
        with st.expander("The same experiments by other methods"):
            ui.table(others, columns, "Comparison methods", key="lift_other")


@section
def _series(page: Context, experiment: str) -> None:
    series = answers.lift_series(page.snap, page.brand, experiment)
    window = answers.lifts(page.snap, page.filters).query("experiment_id == @experiment").head(1)
    if series.empty or window.empty:
        return
    first, last = pd.Timestamp(window.window_start.iloc[0]), pd.Timestamp(window.window_end.iloc[0])
    # A quarter before the test shows how well the counterfactual fitted; years of it would hide the test.
    day = pd.to_datetime(series.date_day)
    series = series[(day >= first - pd.Timedelta(weeks=13)) & (day <= last + pd.Timedelta(weeks=4))]
    shade = {
        "data": {"values": [{"a": first.isoformat(), "b": last.isoformat()}]},
        "mark": {"type": "rect", "color": charts.GREY, "opacity": 0.13},
        "encoding": {"x": {"field": "a", "type": "temporal"}, "x2": {"field": "b"}},
    }
    ui.chart(
        series,
        charts.band(
            charts.dates("date_day"),
            "counterfactual",
            "low",
            "high",
            "Sales in treated places",
            second=("observed", "Observed", "Expected without the change"),
            marks=(shade,),
            zero=False,
        ),
        f"Experiment {experiment}: observed sales and what they would have been, with interval; the test is shaded.",
        f"{experiment}: observed in treated places, and what they would have sold otherwise (band: 95 %); the test is shaded",
    )


@section
def _mediation(page: Context) -> None:
    st.header("How social works through search")
    if not page.ready("Mediation", "fct_mediation"):
        return
    rows = answers.mediation(page.snap, page.filters)
    if rows.empty:
        ui.state(
            "empty", "No mediation result for these channels", "Only social and video channels are tested."
        )
        return
    ui.table(
        rows.assign(
            share=fmt.between(rows, "share_p05", "share_p95", fmt.percent),
            direct=fmt.between(rows, "direct_p05", "direct_p95", fmt.money),
            indirect=fmt.between(rows, "indirect_p05", "indirect_p95", fmt.money),
        ),
        [
            Column("channel_name", "Channel", fmt.text, False),
            Column("direct_effect", "Directly", fmt.money, under="direct"),
            Column("through", "Mediator", fmt.text, False),
            Column("indirect_effect", "By way of it", fmt.money, under="indirect"),
            Column("share_mediated", "Share", fmt.percent, under="share"),
            Column("verdict", "Verdict", fmt.words, False),
        ],
        "Sales that a channel causes directly and by way of brand search, USD over the data's whole span, with 90 % intervals",
        key="mediation",
    )
    ui.note(
        "Reads as cause only if nothing unmeasured moves both social and search after price, season and demand are held fixed."
    )
