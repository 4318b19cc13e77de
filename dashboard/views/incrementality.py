"""Every answer to "did it work", side by side: claims, attribution, the mix model, and experiments."""

from __future__ import annotations

import streamlit as st

from dashboard import answers, charts, ui
from dashboard import format as fmt
from dashboard.context import Context
from dashboard.ui import Column

VERDICTS = {
    "over_credited": "▼ over-credited",
    "under_credited": "▲ under-credited",
    "consistent": "= consistent",
    "undetermined": "? undetermined",
}


def verdict(value: object) -> str:
    """A verdict in words and with a mark, so that it does not rest on colour."""
    return VERDICTS.get(str(value), fmt.words(value))


def render(page: Context) -> None:
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
    st.header("How social works through search")
    if page.ready("Mediation", "fct_mediation"):
        _mediation(page)


def _evidence(page: Context) -> None:
    rows = answers.evidence(page.snap, page.filters)
    if rows.empty:
        ui.state("empty", "No evidence for these channels", "Choose other channels.")
        return
    rows = rows.assign(answer=rows.source.map(answers.SOURCE_NAMES).fillna(rows.source))
    offered = [n for n in answers.SOURCE_NAMES.values() if n in set(rows.answer)] + sorted(
        set(rows.answer) - set(answers.SOURCE_NAMES.values())
    )
    wanted = [n for n in ("Platform claim", "Last touch", "Markov", "MMM", "Lift test") if n in offered]
    shown = st.multiselect("Answers to compare", offered, default=wanted, key="answers") or wanted
    order = rows[rows.source == "mmm"].sort_values("roas", ascending=False).channel_name.tolist()
    order += [n for n in rows.channel_name.dropna().unique() if n not in order]
    part = rows[rows.answer.isin(shown)]
    ui.chart(
        part,
        charts.sources(
            "channel_name",
            "roas",
            "answer",
            "roas_low",
            "roas_high",
            "Sales per dollar",
            order,
            [n for n in offered if n in shown],
        ),
        f"Sales per dollar of each channel by {', '.join(shown)}; lines are intervals.",
        "Sales per media dollar by each method. Only the mix model and lift tests measure what media caused; lines are their intervals.",
    )
    wide = _side_by_side(rows)
    ui.table(
        wide,
        [
            Column("channel_name", "Channel", fmt.text, False),
            Column("claim", "Claim", fmt.ratio),
            Column("last_touch", "Last touch", fmt.ratio),
            Column("mmm", "MMM", fmt.ratio),
            Column("mmm_interval", "MMM interval", fmt.text, False),
            Column("lift", "Lift test", fmt.ratio),
            Column("lift_interval", "Lift interval", fmt.text, False),
            Column("verdict", "Verdict on the credit", verdict, False),
            Column("verdict_probability", "Probability", fmt.percent),
            Column("window", "Claim counted within", fmt.text, False),
        ],
        "Return per dollar by channel: claimed, attributed, and caused; intervals are 90 % (model) and 95 % (test)",
        key="evidence",
    )
    ui.download(rows.drop(columns=["answer"]), "channel-evidence")


def _side_by_side(rows):  # type: ignore[no-untyped-def]
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
    return type(rows)(out)


def _hypotheses(page: Context) -> None:
    rows = answers.hypotheses(page.snap, page.brand)
    rows = rows.assign(interval=[fmt.interval(a, b) for a, b in zip(rows.ci_low, rows.ci_high, strict=True)])
    ui.table(
        rows,
        [
            Column("statement", "Hypothesis", fmt.text, False, True),
            Column("estimate", "Estimate", fmt.ratio),
            Column("interval", "Interval", fmt.text, False),
            Column("unit", "Unit", fmt.text, False),
            Column("verdict", "Verdict", fmt.words, False),
            Column("probability", "Probability", fmt.percent),
            Column("evidence", "Rests on", fmt.text, False, True),
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
    rows = rows.assign(
        window=[
            f"{fmt.day(a)} to {fmt.day(b)}" for a, b in zip(rows.window_start, rows.window_end, strict=True)
        ],
        lift=[f"{fmt.ratio(v)} %" for v in rows.lift_pct],
        lift_interval=[
            fmt.interval(a, b) + " %" for a, b in zip(rows.lift_ci_low, rows.lift_ci_high, strict=True)
        ],
        iroas_interval=[
            fmt.interval(a, b) for a, b in zip(rows.iroas_ci_low, rows.iroas_ci_high, strict=True)
        ],
    )
    ui.table(
        rows,
        [
            Column("experiment_id", "Experiment", fmt.text, False),
            Column("channel_name", "Channel", fmt.text, False),
            Column("method", "Method", fmt.words, False),
            Column("window", "Window", fmt.text, False),
            Column("lift", "Lift", fmt.text, False),
            Column("lift_interval", "95 % interval", fmt.text, False),
            Column("incremental_revenue_usd", "Caused sales", fmt.money),
            Column("iroas", "Per dollar", fmt.ratio),
            Column("iroas_interval", "95 % interval", fmt.text, False),
            Column("p_value", "p", lambda v: fmt.MISSING if fmt.missing(v) else f"{v:.3f}"),
            Column("note", "Note", fmt.text, False, True),
        ],
        "Geographic experiments",
        key="lift",
    )
    if not page.snap.has("fct_geo_lift_series"):
        return
    ids = list(dict.fromkeys(rows.experiment_id))
    chosen = st.selectbox("Experiment", ids, key="experiment") if len(ids) > 1 else ids[0]
    series = answers.lift_series(page.snap, page.brand, chosen)
    if len(series):
        series = series.astype(dict.fromkeys(("observed", "counterfactual", "low", "high"), float))
        ui.chart(
            series,
            charts.band(
                "date_day", "counterfactual", "low", "high", "Sales in treated places", second="observed"
            ),
            f"Experiment {chosen}: observed sales (orange) and what they would have been (blue, with interval).",
            "Orange: observed in treated places. Blue with band: what they would have sold without the campaign.",
        )


def _mediation(page: Context) -> None:
    where, values = page.filters.where("channel_id", time=None)
    rows = page.snap.frame(
        "select c.channel_name, coalesce(d.channel_name, m.mediator) as through, m.* from "
        f"(select * from marts.fct_mediation where {where}) m left join marts.dim_channel c using (channel_id) "
        "left join marts.dim_channel d on d.channel_id = m.mediator order by m.mediator, m.channel_id",
        values,
    )
    if rows.empty:
        ui.state(
            "empty", "No mediation result for these channels", "Only social and video channels are tested."
        )
        return
    rows = rows.assign(
        share=[fmt.interval(a, b, fmt.percent) for a, b in zip(rows.share_p05, rows.share_p95, strict=True)]
    )
    ui.table(
        rows,
        [
            Column("channel_name", "Channel", fmt.text, False),
            Column("through", "Through", fmt.text, False),
            Column("direct_effect", "Direct", fmt.ratio),
            Column("indirect_effect", "Through it", fmt.ratio),
            Column("share_mediated", "Share", fmt.percent),
            Column("share", "90 % interval", fmt.text, False),
            Column("verdict", "Verdict", fmt.words, False),
        ],
        "Effect per dollar, direct and by way of brand search",
        key="mediation",
    )
    ui.note(
        "Reads as cause only if nothing unmeasured moves both social and search after price, season and demand are held fixed."
    )
