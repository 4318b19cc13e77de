"""Vega-Lite specifications. Plain dictionaries: nothing to validate at page time, nothing fetched.

Colours are from the Okabe-Ito set, which readers with any common colour-vision deficiency can tell apart; a
group is also always named in words. Everything is drawn on the page's own background in either theme.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

GROUP_COLOURS = {
    "video": "#0072B2",
    "social": "#CC79A7",
    "search": "#E69F00",
    "rmn": "#009E73",
    "crm": "#56B4E9",
    "baseline": "#8A94A3",
    "control": "#B8A26B",
}
GROUP_NAMES = {
    "video": "Video",
    "social": "Social",
    "search": "Search",
    "rmn": "Retail media",
    "crm": "Email and coupons",
    "baseline": "Baseline",
    "control": "Price, promotions",
}
#: The blue is a shade lighter than the set's, so that a thin line stands out on a dark page as well.
BLUE, ORANGE, GREY, GREEN, PINK = "#1F83C6", "#D55E00", "#8A94A3", "#009E73", "#CC79A7"
Spec = dict[str, Any]


Row = dict[str, str]
#: As many legend entries to a line as the chart is wide enough for.
LEGEND_COLUMNS = {"expr": "width < 290 ? 2 : width < 560 ? 3 : 8"}


def legend(columns: Any = None) -> Spec:
    return {
        "orient": "top",
        "direction": "horizontal",
        "columns": columns or LEGEND_COLUMNS,
        "labelLimit": 170,
        "title": None,
        "offset": 8,
        "symbolOpacity": 1,
    }


def dates(field: str) -> Spec:
    """A time axis with few, short labels."""
    axis = {"format": "%-d %b", "labelOverlap": True, "tickCount": 6, "grid": False}
    return {"field": field, "type": "temporal", "title": None, "axis": axis}


def number(field: str, title: str | None = None, form: str = "~s", **more: Any) -> Spec:
    """A quantitative axis."""
    axis = {"format": form, "tickCount": 5}
    return {"field": field, "type": "quantitative", "title": title, "axis": axis, **more}


def rows(field: str, order: list[str], limit: int = 240) -> Spec:
    """Names down the side, every one of them shown."""
    axis = {"labelLimit": limit, "labelOverlap": False, "ticks": False, "domain": False}
    return {"field": field, "type": "nominal", "title": None, "sort": order, "axis": axis}


def tips(*fields: tuple[str, str, str]) -> list[Spec]:
    """Tooltip rows from (field, title, format); an empty format means text, ``date`` a day."""
    kinds = {"": {"type": "nominal"}, "date": {"type": "temporal", "format": "%-d %b %Y"}}
    return [
        {"field": f, "title": t, **kinds.get(form, {"type": "quantitative", "format": form})}
        for f, t, form in fields
    ]


def choice(field: str, colours: dict[str, str], columns: Any = None) -> Spec:
    """Colour by name, in the order given."""
    scale = {"domain": list(colours), "range": list(colours.values())}
    return {"field": field, "type": "nominal", "title": None, "scale": scale, "legend": legend(columns)}


def colour(field: str, groups: list[str]) -> Spec:
    """Colour by channel group, with a legend of only the groups that are there."""
    return choice(field, {GROUP_NAMES[g]: GROUP_COLOURS[g] for g in GROUP_NAMES if GROUP_NAMES[g] in groups})


def line(x: str, y: str, title: str, *, form: str = "~s", height: int = 220, zero: bool = True) -> Spec:
    """A line over dates."""
    return {
        "height": height,
        "mark": {"type": "line", "strokeWidth": 2, "color": BLUE},
        "encoding": {
            "x": dates(x),
            "y": number(y, title, form, scale={"zero": zero}),
            "tooltip": tips((x, "Date", "date"), (y, title, ",.4~r")),
        },
    }


def stacked(x: str, y: str, series: Spec, title: str, height: int = 290) -> Spec:
    """Areas that add up, parted by a thin line of the background."""
    return {
        "height": height,
        "mark": {"type": "area", "opacity": 0.85, "line": False, "stroke": "white", "strokeWidth": 0.5},
        "encoding": {
            "x": dates(x),
            "y": number(y, title, stack="zero"),
            "color": {**series, "legend": {**series["legend"], "symbolStrokeWidth": 0}},
            "tooltip": tips((x, "Week of", "date"), (series["field"], "Part", ""), (y, title, ",.0f")),
        },
    }


def bars(
    label: str,
    value: str,
    title: str,
    order: list[str],
    *,
    fill: Spec | None = None,
    form: str = "~s",
    row: int = 26,
) -> Spec:
    """Horizontal bars in a given order."""
    return {
        "height": row * max(1, len(order)) + (90 if fill else 55),
        "mark": {
            "type": "bar",
            "height": {"band": 0.68},
            "cornerRadiusEnd": 2,
            **({} if fill else {"color": BLUE}),
        },
        "encoding": {
            "y": rows(label, order),
            "x": number(value, title, form),
            **({"color": fill} if fill else {}),
            "tooltip": tips((label, "", ""), (value, title, ",.4~r")),
        },
    }


def intervals(
    label: str,
    value: str,
    low: str,
    high: str,
    title: str,
    order: list[str],
    *,
    fill: Spec | None = None,
    reference: float | None = None,
    row: int = 28,
    form: str = "~g",
) -> Spec:
    """A dot with its interval for each row; an optional line at the break-even value."""
    y, tint = rows(label, order), fill or {"value": BLUE}
    layers: list[Spec] = [
        {
            "mark": {"type": "rule", "strokeWidth": 4, "opacity": 0.6, "strokeCap": "round"},
            "encoding": {"y": y, "x": number(low, title, form), "x2": {"field": high}, "color": tint},
        },
        {
            "mark": {"type": "point", "filled": True, "size": 90, "opacity": 1},
            "encoding": {
                "y": y,
                "x": number(value, title, form),
                "color": tint,
                "tooltip": tips(
                    (label, "", ""), (value, title, ",.3~r"), (low, "from", ",.3~r"), (high, "to", ",.3~r")
                ),
            },
        },
    ]
    if reference is not None:
        at = {"values": [{"at": reference}]}
        mark = {"type": "rule", "strokeDash": [4, 4], "color": GREY, "strokeWidth": 1.5}
        layers.insert(
            0, {"data": at, "mark": mark, "encoding": {"x": {"field": "at", "type": "quantitative"}}}
        )
    return {"height": row * max(1, len(order)) + (110 if (fill or {}).get("legend") else 60), "layer": layers}


#: How each answer to "did it work" looks: claims warm and angular, measured causes blue and green.
ANSWERS = {
    "Platform claim": (ORANGE, "square"),
    "Last touch": ("#E69F00", "triangle-down"),
    "First touch": ("#B8A26B", "triangle-up"),
    "Linear": ("#8A94A3", "cross"),
    "Time decay": ("#999999", "triangle-right"),
    "Position based": ("#6C7786", "triangle-left"),
    "Markov": (PINK, "triangle-up"),
    "Shapley": ("#A06CB8", "cross"),
    "MMM": (BLUE, "circle"),
    "Lift test": (GREEN, "diamond"),
}


def sources(
    label: str, value: str, source: str, low: str, high: str, title: str, order: list[str], names: list[str]
) -> Spec:
    """Several answers to one question on one row, told apart by shape and colour; intervals where they exist.

    The scale is a signed logarithm: one channel with next to no spend must not press all others into a line.
    """
    looks = [ANSWERS.get(n, (GREY, "circle")) for n in names]
    key = {**legend(), "symbolSize": 90}
    tint, form = (
        {
            "field": source,
            "type": "nominal",
            "scale": {"domain": names, "range": [look[i] for look in looks]},
            "legend": key,
        }
        for i in (0, 1)
    )
    y = rows(label, order, 150)
    y["axis"]["grid"] = True
    ticks = {
        "values": [-3, -1, 0, 1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000],
        "labelOverlap": True,
        "format": "~r",
    }
    spread = {"scale": {"type": "symlog", "constant": 1, "nice": False, "padding": 12}, "axis": ticks}
    return {
        "height": 34 * max(1, len(order)) + 110,
        "layer": [
            {
                "data": {"values": [{"at": 1}]},
                "mark": {"type": "rule", "strokeDash": [4, 4], "color": GREY, "strokeWidth": 1.5},
                "encoding": {"x": {"field": "at", "type": "quantitative"}},
            },
            {
                "mark": {"type": "rule", "strokeWidth": 4, "opacity": 0.6, "strokeCap": "round"},
                "encoding": {
                    "y": y,
                    "x": {"field": low, "type": "quantitative", "title": title, **spread},
                    "x2": {"field": high},
                    "color": tint,
                },
            },
            {
                "mark": {"type": "point", "filled": True, "size": 100, "opacity": 0.95},
                "encoding": {
                    "y": y,
                    "x": {"field": value, "type": "quantitative", "title": title, **spread},
                    "color": tint,
                    "shape": form,
                    "tooltip": tips(
                        (label, "", ""),
                        (source, "", ""),
                        (value, title, ",.3~r"),
                        (low, "from", ",.3~r"),
                        (high, "to", ",.3~r"),
                    ),
                },
            },
        ],
    }


def band(
    x: Spec,
    value: str,
    low: str,
    high: str,
    title: str,
    *,
    second: tuple[str, str, str] | None = None,
    dashed: str = "",
    marks: tuple[Spec, ...] = (),
    height: int = 270,
    zero: bool = True,
) -> Spec:
    """A line inside its interval over an axis.

    Args:
        second: another line (field, its name, the first line's name), as what was observed beside what was expected.
        dashed: a field that says which part of the line lies beyond what was observed.
        marks: layers to draw underneath.
    """
    kind = "date" if x["type"] == "temporal" else ",.0f"
    y = number(value, title, scale={"zero": zero})
    stroke: Spec = {"color": {"value": BLUE}}
    if second:
        stroke = {"color": {"datum": second[2], **choice("", {second[2]: BLUE, second[1]: ORANGE})}}
        del stroke["color"]["field"]
    if dashed:
        stroke["strokeDash"] = {
            "field": dashed,
            "type": "nominal",
            "legend": legend(),
            "scale": {
                "domain": ["Within observed spend", "Beyond observed spend"],
                "range": [[1, 0], [4, 4]],
            },
        }
    layers = [
        *marks,
        {
            "mark": {"type": "area", "opacity": 0.2, "color": BLUE},
            "encoding": {"x": x, "y": {**y, "field": low}, "y2": {"field": high}},
        },
        {
            "mark": {"type": "line", "strokeWidth": 2},
            "encoding": {
                "x": x,
                "y": y,
                **stroke,
                "tooltip": tips(
                    (x["field"], "At", kind),
                    (value, title, ",.3s"),
                    (low, "from", ",.3s"),
                    (high, "to", ",.3s"),
                ),
            },
        },
    ]
    if second:
        layers.append(
            {
                "mark": {"type": "line", "strokeWidth": 2},
                "encoding": {
                    "x": x,
                    "y": {**y, "field": second[0]},
                    "color": {**stroke["color"], "datum": second[1]},
                },
            }
        )
    return {"height": height, "layer": layers}


@cache
def states() -> Spec:
    """Borders of the lower forty-eight states (simplified to about 5 km), only to orient the eye."""
    return json.loads((Path(__file__).parent / "states.json").read_text())


def place_map(size: str, shade: str, name: str, size_title: str, shade_title: str, height: int = 460) -> Spec:
    """Places as circles at their coordinates: area shows volume, shade shows risk. Needs no tile server."""
    return {
        "height": height,
        "projection": {"type": "albersUsa"},
        "layer": [
            {
                "data": {"values": [states()]},
                "mark": {
                    "type": "geoshape",
                    "filled": False,
                    "stroke": GREY,
                    "strokeOpacity": 0.5,
                    "strokeWidth": 0.7,
                },
            },
            {
                "mark": {"type": "circle", "opacity": 0.9, "stroke": GREY, "strokeWidth": 0.6},
                "encoding": {
                    "longitude": {"field": "longitude", "type": "quantitative"},
                    "latitude": {"field": "latitude", "type": "quantitative"},
                    "size": {
                        "field": size,
                        "type": "quantitative",
                        "scale": {"range": [20, 1100]},
                        "legend": None,
                    },
                    "color": {
                        "field": shade,
                        "type": "quantitative",
                        "title": shade_title,
                        "scale": {
                            "range": ["#F7E3B0", "#EE9B4A", "#C4501B", "#6B1F00"],
                            "nice": False,
                            "zero": True,
                        },
                        "legend": {
                            "orient": "bottom",
                            "format": ".0%",
                            "gradientLength": 220,
                            "titleLimit": 320,
                            "tickCount": 4,
                        },
                    },
                    "tooltip": tips(
                        (name, "Place", ""), (size, size_title, ",.0f"), (shade, shade_title, ".1%")
                    ),
                },
            },
        ],
    }
