"""``python -m simulator score --truth DIR/truth --warehouse FILE``: published marts held against the truth.

One table: question, item, estimate, interval, truth, and whether the interval holds the truth. A mart that is not
there yet gives one line that says so. The warehouse is opened read-only; the truth is read from files.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment


@dataclass(frozen=True)
class Line:
    """One comparison. ``covered`` is None where there is no interval or no truth to cover."""

    question: str
    item: str
    estimate: float | None
    low: float | None
    high: float | None
    truth: float | None
    covered: bool | None
    note: str = ""


def _line(
    question: str, item: str, values: tuple[object, object, object], truth: float | None, note: str = ""
) -> Line:
    estimate, low, high = (None if v is None or pd.isna(v) else float(v) for v in values)  # type: ignore[call-overload, arg-type]
    covered = None
    if truth is not None and low is not None and high is not None:
        covered = bool(min(low, high) <= truth <= max(low, high))
    return Line(question, item, estimate, low, high, truth, covered, note)


class Marts:
    """Read-only access to the published marts, by name."""

    def __init__(self, path: Path, brand: str) -> None:
        """Open ``path``; raises ``duckdb.Error`` when it is not a DuckDB file."""
        self.connection = duckdb.connect(str(path), read_only=True)
        self.brand = brand
        found = self.connection.execute(
            "select table_name from information_schema.tables where table_schema = 'marts'"
        )
        self.names = {row[0] for row in found.fetchall()}

    def read(self, mart: str) -> pd.DataFrame:
        """All rows of the brand; empty where the mart is missing."""
        if mart not in self.names:
            return pd.DataFrame()
        frame: pd.DataFrame = self.connection.execute(
            f'select * from marts."{mart}" where brand_id = ?', [self.brand]
        ).df()
        return frame


def _truth(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(folder / f"{name}.csv", dtype={"dma_id": str})


def _window(frame: pd.DataFrame, start: object, end: object) -> pd.DataFrame:
    week = pd.to_datetime(frame["week_start_date"])
    return frame[(week >= pd.Timestamp(start)) & (week <= pd.Timestamp(end))]  # type: ignore[arg-type]


def score_roi(marts: Marts, truth: Path) -> list[Line]:
    """Return on spend by channel and window.

    The truth of a channel's own response is compared: in the launch what the launch weeks' spend caused in them,
    elsewhere contribution over spend in the same weeks. The note gives the total of a channel that works through
    another one as well.
    """
    frame = marts.read("fct_channel_roi")
    if frame.empty:
        return [_missing("roi", "fct_channel_roi")]
    weekly = _truth(truth, "channel_week")
    whole = _truth(truth, "channel").set_index("channel").to_dict("index")
    out = []
    for row in frame.sort_values(["window_name", "channel_id"]).to_dict("records"):
        known = whole.get(row["channel_id"])
        if known is None:
            continue
        inside = _window(
            weekly[weekly["channel"] == row["channel_id"]], row["window_start"], row["window_end"]
        )
        spend = float(inside["spend_usd"].sum())
        own = float(inside["contribution_usd"].sum()) / spend if spend else 0.0
        total = float(inside["total_effect_usd"].sum()) / spend if spend else 0.0
        if row["window_name"] == "launch":
            own, total = float(known["launch_roi_direct"]), float(known["launch_roi"])
        note = "" if row.get("is_supported", True) else "not supported"
        if abs(total - own) > 0.005:
            note = f"{note} with what it drives: {total:.2f}".strip()
        values = (row["roi"], row["roi_p05"], row["roi_p95"])
        out.append(_line(f"roi {row['window_name']}", row["channel_id"], values, own, note))
    return out


def score_lift(marts: Marts, truth: Path) -> list[Line]:
    """Incremental revenue of each geo test: negative for a holdout, whose treated places lost sales."""
    frame = marts.read("fct_geo_lift")
    if frame.empty:
        return [_missing("lift", "fct_geo_lift")]
    known = _truth(truth, "lift").set_index("experiment_id").to_dict("index")
    out = []
    for row in frame.sort_values(["experiment_id", "method"]).to_dict("records"):
        real = known.get(row["experiment_id"])
        if real is None:
            continue
        item = f"{row['experiment_id']} {row['method']}"
        values = (row["incremental_revenue_usd"], row["incremental_p025_usd"], row["incremental_p975_usd"])
        out.append(_line("lift usd", item, values, float(real["incremental_revenue"])))
        percent = (row["lift_pct"], row["lift_ci_low"], row["lift_ci_high"])
        out.append(_line("lift %", item, percent, float(real["lift_pct"])))
        back = (row["iroas"], row["iroas_ci_low"], row["iroas_ci_high"])
        out.append(_line("lift iroas", item, back, float(real["iroas"])))
    return out


def score_forecast(marts: Marts, truth: Path) -> list[Line]:
    """WAPE of the champions in the backtest; and against true demand, stock-outs undone, where a forecast week has happened."""
    frame = marts.read("fct_forecast_backtest")
    if frame.empty:
        return [_missing("forecast wape", "fct_forecast_backtest")]
    nation = frame["dma_id"] == "000"
    frame["level"] = np.select(
        [frame["product_id"] != "all", nation & (frame["retailer_id"] == "all"), nation],
        ["product", "nation", "retailer"],
        "dma x retailer",
    )
    out = []
    for (level, model), part in frame[frame["is_champion"].astype(bool)].groupby(["level", "model"]):
        note = f"{part['dma_id'].nunique()} DMAs, coverage80 {part['coverage80'].mean():.2f}"
        out.append(_line("forecast wape", f"{level}: {model}", (part["wape"].mean(), None, None), None, note))
    ahead = marts.read("fct_demand_forecast_week")
    real = _truth(truth, "demand_dma_week")
    if not ahead.empty:
        ahead = ahead[ahead["product_id"] == "all"].copy()
        ahead["week_start_date"] = pd.to_datetime(ahead["week_start_date"]).dt.strftime("%Y-%m-%d")
        both = ahead.merge(real, on=["week_start_date", "dma_id", "retailer_id"])
        if len(both):
            wape = (both["mean_units"] - both["demand_units"]).abs().sum() / both["demand_units"].sum()
            out.append(
                _line("forecast wape", "against true demand", (wape, None, None), None, f"{len(both)} cells")
            )
    return out


def score_attribution(marts: Marts, truth: Path) -> list[Line]:
    """Share of media credit per model: distance from the true shares, and what retargeting and brand search get."""
    frame = marts.read("fct_attribution_credit_week")
    if frame.empty:
        return [_missing("attribution", "fct_attribution_credit_week")]
    known = _truth(truth, "attribution").set_index("channel")["true_share_of_media"]
    out = []
    for model, part in frame[frame["channel_id"].isin(known.index)].groupby("model"):
        credit = part.groupby("channel_id")["credited_conversions"].sum().reindex(known.index).fillna(0.0)
        share = credit / max(credit.sum(), 1e-12)
        distance = 0.5 * (share - known).abs().sum()
        out.append(_line("attribution", f"{model}: misplaced share", (distance, None, None), 0.0))
        for channel in ("meta_retargeting", "search_brand"):
            out.append(
                _line(
                    "attribution", f"{model}: {channel}", (share[channel], None, None), float(known[channel])
                )
            )
    return out


def score_elasticity(marts: Marts, truth: Path) -> list[Line]:
    """Price elasticity and promotion lift (percent) by scope."""
    frame = marts.read("fct_price_elasticity")
    if frame.empty:
        return [_missing("elasticity", "fct_price_elasticity")]
    known = _truth(truth, "elasticity").set_index(["scope", "scope_id"])
    out = []
    for row in frame.sort_values(["scope", "scope_id"]).to_dict("records"):
        matches = known.loc[known.index.get_level_values("scope") == row["scope"]]
        key = (row["scope"], row["scope_id"])
        real = known.loc[key] if key in known.index else matches.iloc[0] if len(matches) == 1 else None
        if real is not None:
            item = f"{row['scope']} {row['scope_id']}"
            out.append(
                _line(
                    "price elasticity",
                    item,
                    (row["estimate"], row["ci_low"], row["ci_high"]),
                    float(real["price_elasticity"]),
                )
            )
            lift = (row["promo_lift_pct"], row["promo_lift_ci_low"], row["promo_lift_ci_high"])
            out.append(_line("promo lift %", item, lift, float(real["promo_lift_pct"])))
    return out


def score_frequency(marts: Marts, truth: Path) -> list[Line]:
    """Frequency knee per channel and the money spent beyond it in the launch."""
    frame = marts.read("fct_frequency_waste")
    if frame.empty:
        return [_missing("frequency", "fct_frequency_waste")]
    known = _truth(truth, "frequency").set_index("channel").to_dict("index")
    out = []
    for channel, part in frame[frame["channel_id"].isin(list(known))].groupby("channel_id"):
        real, name = known[channel], str(channel)
        national = part[part["dma_id"] == "000"]
        rows = national if len(national) else part
        first = rows.iloc[0]
        knee = (first["knee_frequency"], first["knee_p05"], first["knee_p95"])
        out.append(_line("frequency knee", name, knee, float(real["knee_frequency"])))
        waste = (rows["waste_usd"].sum(), rows["waste_p05_usd"].sum(), rows["waste_p95_usd"].sum())
        out.append(_line("frequency waste usd", name, waste, float(real["launch_waste_usd"])))
    return out


def score_mediation(marts: Marts, truth: Path) -> list[Line]:
    """Share of social's effect that runs through brand search."""
    frame = marts.read("fct_mediation")
    if frame.empty:
        return [_missing("mediation", "fct_mediation")]
    known = _truth(truth, "mediation")
    real = float(known.loc[known["window_name"] == "history", "share_mediated"].iloc[0])
    out = []
    for row in frame.sort_values(["mediator", "channel_id"]).to_dict("records"):
        is_social = (
            row["channel_id"] == known["channel"].iloc[0] and row["mediator"] == known["mediator"].iloc[0]
        )
        value = (row["share_mediated"], row["share_p05"], row["share_p95"])
        out.append(
            _line(
                "mediated share",
                f"{row['channel_id']} via {row['mediator']}",
                value,
                real if is_social else 0.0,
                str(row["verdict"]),
            )
        )
    return out


def score_segments(marts: Marts, truth: Path) -> list[Line]:
    """Effects by segment and channel that the model stands behind, under the best matching of segments.

    Segments found have no names, so each is held against the true segment that its effects are nearest to in standard
    errors, no true one twice while there are enough (the note names it): this flatters, and a found segment that
    mixes true ones can only miss. A channel without a true effect by segment has effect 0.
    """
    frame = marts.read("fct_segment_response")
    if frame.empty:
        return [_missing("segment response", "fct_segment_response")]
    known = _truth(truth, "segment_response").pivot(index="segment", columns="channel", values="effect")
    supported = frame[frame["is_supported"].astype(bool)].sort_values(["segment_id", "channel_id"])
    parts = [rows.to_dict("records") for _, rows in supported.groupby("segment_id")]
    real = {str(name): known.loc[name].to_dict() for name in known.index}
    distance = np.array([[_distance(part, effects) for effects in real.values()] for part in parts])
    out = []
    for part, match in zip(parts, _matching(distance), strict=True):
        name = list(real)[match]
        for row in part:
            values = (row["effect"], row["effect_p05"], row["effect_p95"])
            item = f"segment {row['segment_id']} {row['channel_id']}"
            effect = float(real[name].get(row["channel_id"], 0.0))
            out.append(_line("segment response", item, values, effect, f"as {name}"))
    none = f"of {len(frame)} effects the model stands behind none"
    return out or [_line("segment response", "supported effects", (0.0, None, None), None, none)]


def _distance(found: list[dict[Any, Any]], effects: dict[Any, Any]) -> float:
    """Sum of squared distances in standard errors, each at most 5, so that one wild effect does not choose the match."""
    total = 0.0
    for row in found:
        # the interval holds 90 %: 3.29 standard errors wide
        error = max(float(row["effect_p95"]) - float(row["effect_p05"]), 1e-9) / 3.29
        total += min(abs(float(row["effect"]) - float(effects.get(row["channel_id"], 0.0))) / error, 5.0) ** 2
    return total


def _matching(distance: np.ndarray) -> list[int]:
    """Column of each row with the smallest sum; rows beyond the number of columns take their nearest one."""
    rows, columns = linear_sum_assignment(distance) if distance.size else ((), ())
    chosen = dict(zip(rows, columns, strict=True))
    return [int(chosen.get(i, row.argmin())) for i, row in enumerate(distance)]


def _missing(question: str, mart: str) -> Line:
    return Line(question, "-", None, None, None, None, None, f"{mart} has no rows yet")


PARTS: tuple[Callable[[Marts, Path], list[Line]], ...] = (
    score_roi,
    score_lift,
    score_forecast,
    score_attribution,
    score_elasticity,
    score_frequency,
    score_mediation,
    score_segments,
)


def score(truth: Path, warehouse: Path, brand: str = "swiftpod") -> list[Line]:
    """All comparisons. Raises ``FileNotFoundError`` for a missing folder or file."""
    if not (truth / "channel_week.csv").is_file():
        raise FileNotFoundError(f"no truth in {truth} (channel_week.csv is missing)")
    if not warehouse.is_file():
        raise FileNotFoundError(f"no warehouse at {warehouse}")
    marts = Marts(warehouse, brand)
    try:
        return [line for part in PARTS for line in part(marts, truth)]
    finally:
        marts.connection.close()


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3f}"


def render(lines: list[Line]) -> str:
    """The table as text, and how many intervals hold the truth."""
    head = ("question", "item", "estimate", "low", "high", "truth", "covered", "note")
    body = [
        (x.question, x.item, _number(x.estimate), _number(x.low), _number(x.high), _number(x.truth), "-" if x.covered is None else "yes" if x.covered else "NO", x.note)
        for x in lines
    ]  # fmt: skip
    width = [max(len(row[k]) for row in [head, *body]) for k in range(len(head))]
    rows = [
        "  ".join(cell.ljust(w) for cell, w in zip(row, width, strict=True)).rstrip() for row in [head, *body]
    ]
    judged = [x.covered for x in lines if x.covered is not None]
    rows.append(f"{sum(judged)} of {len(judged)} intervals hold the truth")
    return "\n".join(rows)


def main(argv: list[str]) -> int:
    """Command line of ``score``; a missing input gives one line and exit code 2."""
    parser = argparse.ArgumentParser(prog="python -m simulator score", description=__doc__)
    parser.add_argument("--truth", type=Path, required=True)
    parser.add_argument("--warehouse", type=Path, required=True)
    parser.add_argument("--brand", default="swiftpod")
    parser.add_argument("--format", choices=("table", "json"), default="table")
    given = parser.parse_args(argv)
    try:
        lines = score(given.truth, given.warehouse, given.brand)
    except (FileNotFoundError, duckdb.Error) as error:
        print(f"simulator score: {str(error).splitlines()[0]}", file=sys.stderr)
        return 2
    print(json.dumps([asdict(x) for x in lines], indent=1) if given.format == "json" else render(lines))
    return 0
