"""Vega-Lite specifications. Plain dictionaries: nothing to validate at page time, nothing fetched.

Colours are from the Okabe-Ito set, which readers with any common colour-vision deficiency can tell apart; a
group is also always named in words.
"""

from __future__ import annotations

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
    "control": "Price, promotion, weather",
}
BLUE, ORANGE, GREY, GREEN, PINK = "#0072B2", "#D55E00", "#8A94A3", "#009E73", "#CC79A7"
Spec = dict[str, Any]


def group_scale() -> Spec:
    return {"domain": list(GROUP_NAMES.values()), "range": [GROUP_COLOURS[g] for g in GROUP_NAMES]}


def colour(field: str, groups: list[str], title: str = "") -> Spec:
    """Colour by channel group, with a legend of only the groups that are there."""
    here = [g for g in GROUP_NAMES if GROUP_NAMES[g] in groups]
    return {
        "field": field,
        "type": "nominal",
        "title": title or None,
        "scale": {"domain": [GROUP_NAMES[g] for g in here], "range": [GROUP_COLOURS[g] for g in here]},
        "legend": {"orient": "top", "direction": "horizontal", "columns": 2, "labelLimit": 160},
    }


def line(
    x: str,
    y: str,
    title: str,
    *,
    series: Spec | None = None,
    form: str = "~s",
    height: int = 240,
    zero: bool = True,
) -> Spec:
    """A line over dates."""
    encoding: Spec = {
        "x": {
            "field": x,
            "type": "temporal",
            "title": None,
            "axis": {"format": "%-d %b", "labelOverlap": True, "tickCount": 6},
        },
        "y": {
            "field": y,
            "type": "quantitative",
            "title": title,
            "axis": {"format": form},
            "scale": {"zero": zero},
        },
        "tooltip": [
            {"field": x, "type": "temporal", "title": "Date", "format": "%-d %b %Y"},
            *([{"field": series["field"], "type": "nominal"}] if series else []),
            {"field": y, "type": "quantitative", "title": title, "format": ",.4~r"},
        ],
    }
    if series:
        encoding["color"] = series
    return {
        "height": height,
        "mark": {"type": "line", "strokeWidth": 2, **({} if series else {"color": BLUE})},
        "encoding": encoding,
    }


def stacked(x: str, y: str, series: Spec, title: str, height: int = 320) -> Spec:
    """Areas that add up."""
    return {
        "height": height,
        "mark": {"type": "area", "opacity": 0.9},
        "encoding": {
            "x": {
                "field": x,
                "type": "temporal",
                "title": None,
                "axis": {"format": "%-d %b", "labelOverlap": True, "tickCount": 6},
            },
            "y": {
                "field": y,
                "type": "quantitative",
                "title": title,
                "axis": {"format": "~s"},
                "stack": "zero",
            },
            "color": series,
            "tooltip": [
                {"field": x, "type": "temporal", "title": "Week of"},
                {"field": series["field"], "type": "nominal", "title": "Part"},
                {"field": y, "type": "quantitative", "title": title, "format": ",.0f"},
            ],
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
    row: int = 24,
) -> Spec:
    """Horizontal bars in a given order."""
    return {
        "height": row * max(1, len(order)) + (85 if fill else 55),
        "mark": {"type": "bar", "height": {"band": 0.72}, **({} if fill else {"color": BLUE})},
        "encoding": {
            "y": {
                "field": label,
                "type": "nominal",
                "title": None,
                "sort": order,
                "axis": {"labelLimit": 230},
            },
            "x": {
                "field": value,
                "type": "quantitative",
                "title": title,
                "axis": {"format": form, "tickCount": 5},
            },
            **({"color": fill} if fill else {}),
            "tooltip": [
                {"field": label, "type": "nominal"},
                {"field": value, "type": "quantitative", "title": title, "format": ",.4~r"},
            ],
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
    y = {"field": label, "type": "nominal", "title": None, "sort": order, "axis": {"labelLimit": 230}}
    tint = {"color": fill} if fill else {"color": {"value": BLUE}}
    layers: list[Spec] = [
        {
            "mark": {"type": "rule", "strokeWidth": 3, "opacity": 0.55},
            "encoding": {
                "y": y,
                "x": {
                    "field": low,
                    "type": "quantitative",
                    "title": title,
                    "axis": {"format": form, "tickCount": 5},
                },
                "x2": {"field": high},
                **tint,
            },
        },
        {
            "mark": {"type": "point", "filled": True, "size": 85, "opacity": 1},
            "encoding": {
                "y": y,
                "x": {"field": value, "type": "quantitative"},
                **tint,
                "tooltip": [{"field": label, "type": "nominal"}]
                + [
                    {"field": f, "type": "quantitative", "title": n, "format": ",.4~r"}
                    for f, n in ((value, title), (low, "from"), (high, "to"))
                ],
            },
        },
    ]
    if reference is not None:
        layers.insert(
            0,
            {
                "data": {"values": [{"at": reference}]},
                "mark": {"type": "rule", "strokeDash": [4, 4], "color": GREY},
                "encoding": {"x": {"field": "at", "type": "quantitative"}},
            },
        )
    return {"height": row * max(1, len(order)) + (85 if fill else 55), "layer": layers}


def sources(
    label: str, value: str, source: str, low: str, high: str, title: str, order: list[str], names: list[str]
) -> Spec:
    """Several answers to one question on one row, told apart by shape and colour; intervals where they exist."""
    shapes = [
        "circle",
        "square",
        "diamond",
        "triangle-up",
        "cross",
        "triangle-down",
        "triangle-right",
        "triangle-left",
        "stroke",
        "wedge",
    ]
    tints = [ORANGE, "#E69F00", "#8A94A3", PINK, "#56B4E9", "#B8A26B", "#999999", "#666666", BLUE, GREEN]
    fixed = {
        "Platform claim": (ORANGE, "square"),
        "Last touch": ("#E69F00", "triangle-down"),
        "MMM": (BLUE, "circle"),
        "Lift test": (GREEN, "diamond"),
    }
    pairs = [fixed.get(n, (tints[i % len(tints)], shapes[i % len(shapes)])) for i, n in enumerate(names)]
    legend = {"orient": "top", "columns": 2, "symbolSize": 90, "title": None}
    y = {
        "field": label,
        "type": "nominal",
        "title": None,
        "sort": order,
        "axis": {"labelLimit": 130, "grid": True},
    }
    tint = {
        "field": source,
        "type": "nominal",
        "scale": {"domain": names, "range": [p[0] for p in pairs]},
        "legend": legend,
    }
    form = {
        "field": source,
        "type": "nominal",
        "scale": {"domain": names, "range": [p[1] for p in pairs]},
        "legend": legend,
    }
    # one channel with next to no spend must not press all others into a line; signed logarithms keep every answer
    spread = {"type": "symlog", "constant": 1}
    return {
        "height": 34 * max(1, len(order)) + 150,
        "layer": [
            {
                "mark": {"type": "rule", "strokeWidth": 3, "opacity": 0.5},
                "encoding": {
                    "y": y,
                    "x": {"field": low, "type": "quantitative", "scale": spread},
                    "x2": {"field": high},
                    "color": tint,
                },
            },
            {
                "mark": {"type": "point", "filled": True, "size": 95, "opacity": 0.95},
                "encoding": {
                    "y": y,
                    "x": {
                        "field": value,
                        "type": "quantitative",
                        "title": title,
                        "scale": spread,
                        "axis": {"values": [-10, -3, -1, 0, 1, 2, 3, 5, 10, 30, 100, 300, 1000]},
                    },
                    "color": tint,
                    "shape": form,
                    "tooltip": [{"field": label, "type": "nominal"}, {"field": source, "type": "nominal"}]
                    + [
                        {"field": f, "type": "quantitative", "title": n, "format": ",.4~r"}
                        for f, n in ((value, title), (low, "from"), (high, "to"))
                    ],
                },
            },
        ],
    }


def band(
    x: str,
    value: str,
    low: str,
    high: str,
    title: str,
    *,
    second: str = "",
    height: int = 260,
    temporal: bool = True,
    form: str = "~s",
    x_title: str = "",
    observed: str = "",
) -> Spec:
    """A line inside its interval; optionally a second line (what was observed), or a dashed unobserved part."""
    axis: Spec = (
        {
            "field": x,
            "type": "temporal",
            "title": None,
            "axis": {"format": "%-d %b", "labelOverlap": True, "tickCount": 6},
        }
        if temporal
        else {"field": x, "type": "quantitative", "title": x_title, "axis": {"format": form, "tickCount": 5}}
    )
    layers: list[Spec] = [
        {
            "mark": {"type": "area", "opacity": 0.22, "color": BLUE},
            "encoding": {
                "x": axis,
                "y": {
                    "field": low,
                    "type": "quantitative",
                    "title": title,
                    "axis": {"format": form},
                    "scale": {"zero": not second},
                },
                "y2": {"field": high},
            },
        },
        {
            "mark": {"type": "line", "color": BLUE, "strokeWidth": 2},
            "encoding": {
                "x": axis,
                "y": {"field": value, "type": "quantitative"},
                **(
                    {
                        "strokeDash": {
                            "field": observed,
                            "type": "nominal",
                            "legend": {"orient": "top", "title": None},
                            "scale": {
                                "domain": ["Within observed spend", "Beyond observed spend"],
                                "range": [[1, 0], [4, 4]],
                            },
                        }
                    }
                    if observed
                    else {}
                ),
                "tooltip": [{"field": x, "type": "temporal" if temporal else "quantitative"}]
                + [
                    {"field": f, "type": "quantitative", "title": n, "format": ",.4~r"}
                    for f, n in ((value, title), (low, "from"), (high, "to"))
                ],
            },
        },
    ]
    if second:
        layers.append(
            {
                "mark": {"type": "line", "color": ORANGE, "strokeWidth": 2},
                "encoding": {"x": axis, "y": {"field": second, "type": "quantitative"}},
            }
        )
    return {"height": height, "layer": layers}


# A coarse outline of the lower forty-eight states (about forty points drawn by hand), only to orient the eye.
OUTLINE = [
    (-124.7, 48.4),
    (-123.1, 48.9),
    (-95.2, 49.0),
    (-94.6, 48.7),
    (-89.6, 48.0),
    (-84.8, 46.8),
    (-83.5, 46.0),
    (-82.4, 43.0),
    (-83.1, 42.0),
    (-79.0, 42.8),
    (-79.1, 43.4),
    (-76.5, 43.9),
    (-75.0, 45.0),
    (-71.5, 45.0),
    (-70.3, 46.2),
    (-69.2, 47.4),
    (-68.0, 47.2),
    (-67.0, 44.8),
    (-70.0, 43.8),
    (-70.8, 42.6),
    (-70.0, 41.7),
    (-73.7, 40.9),
    (-74.0, 39.7),
    (-75.5, 38.0),
    (-75.9, 36.6),
    (-75.6, 35.3),
    (-77.9, 33.9),
    (-81.1, 31.7),
    (-80.1, 26.9),
    (-80.6, 25.2),
    (-81.8, 26.1),
    (-82.8, 28.0),
    (-84.0, 30.0),
    (-85.3, 29.7),
    (-88.9, 30.4),
    (-90.2, 29.1),
    (-93.8, 29.7),
    (-97.2, 27.7),
    (-97.2, 26.0),
    (-99.5, 27.5),
    (-101.4, 29.8),
    (-103.2, 29.0),
    (-106.5, 31.8),
    (-108.2, 31.8),
    (-111.1, 31.3),
    (-114.8, 32.5),
    (-117.1, 32.5),
    (-118.5, 34.0),
    (-120.6, 34.6),
    (-122.5, 37.6),
    (-124.3, 40.4),
    (-124.1, 44.0),
    (-124.0, 46.3),
    (-124.7, 48.4),
]


def place_map(size: str, shade: str, name: str, size_title: str, shade_title: str, height: int = 380) -> Spec:
    """Places as circles at their coordinates: area shows volume, shade shows risk. Needs no tile server."""
    outline = {
        "type": "Feature",
        "geometry": {"type": "LineString", "coordinates": [list(p) for p in OUTLINE]},
    }
    return {
        "height": height,
        "projection": {"type": "albersUsa"},
        "layer": [
            {
                "data": {"values": [outline]},
                "mark": {
                    "type": "geoshape",
                    "filled": False,
                    "stroke": GREY,
                    "strokeOpacity": 0.55,
                    "strokeWidth": 1,
                },
            },
            {
                "mark": {"type": "circle", "opacity": 0.85, "stroke": GREY, "strokeWidth": 0.6},
                "encoding": {
                    "longitude": {"field": "longitude", "type": "quantitative"},
                    "latitude": {"field": "latitude", "type": "quantitative"},
                    "size": {
                        "field": size,
                        "type": "quantitative",
                        "title": size_title,
                        "scale": {"range": [25, 900]},
                        "legend": None,
                    },
                    "color": {
                        "field": shade,
                        "type": "quantitative",
                        "title": shade_title,
                        "scale": {"scheme": "cividis", "domain": [0, 1]},
                        "legend": {"orient": "bottom", "format": ".0%", "gradientLength": 160},
                    },
                    "tooltip": [
                        {"field": name, "type": "nominal", "title": "Place"},
                        {"field": size, "type": "quantitative", "title": size_title, "format": ",.0f"},
                        {"field": shade, "type": "quantitative", "title": shade_title, "format": ".0%"},
                    ],
                },
            },
        ],
    }
