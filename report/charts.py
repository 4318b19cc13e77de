"""Inline SVG charts: no script, no font and no request, so that the page prints and travels as one file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import copysign, floor, log1p, log10

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#8A94A3"


@dataclass(frozen=True)
class Mark:
    """One value with an optional interval; ``shape`` is dot, square or diamond."""

    value: float
    low: float | None = None
    high: float | None = None
    colour: str = BLUE
    shape: str = "dot"
    name: str = ""


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers that cover a range."""
    if high <= low:
        high = low + 1
    raw = (high - low) / about
    size = 10 ** floor(log10(raw))
    step = next(s * size for s in (1, 2, 2.5, 5, 10) if s * size >= raw)
    first = floor(low / step) * step
    out = [first]
    while out[-1] < high - 1e-9 * step:
        out.append(out[-1] + step)
    return [round(t, 10) for t in out]


def _number(value: float) -> str:
    size = abs(value)
    for limit, unit in ((1e9, "B"), (1e6, "M"), (1e3, "K")):
        if size >= limit:
            return f"{value / limit:.3g}{unit}"
    return f"{value:.3g}"


def _symbol(mark: Mark, x: float, y: float) -> str:
    if mark.shape == "square":
        return f'<rect x="{x - 4.5:.1f}" y="{y - 4.5:.1f}" width="9" height="9" fill="{mark.colour}"/>'
    if mark.shape == "diamond":
        return f'<path d="M{x:.1f} {y - 6:.1f}l6 6l-6 6l-6-6z" fill="{mark.colour}"/>'
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{mark.colour}"/>'


ROUND = (-30, -10, -3, -1, 0, 1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)


def rows(
    items: Sequence[tuple[str, Sequence[Mark]]],
    title: str,
    unit: str,
    reference: float | None = None,
    *,
    logarithmic: bool = False,
) -> str:
    """A row per label with one or more marks on a shared axis; a signed logarithm where one row dwarfs the others."""
    values = [v for _, marks in items for m in marks for v in (m.value, m.low, m.high) if v is not None]
    bottom, top = min([0.0, *values]), max([0.0, *values])
    if logarithmic:
        inside = [i for i, t in enumerate(ROUND) if bottom <= t <= top]
        scale = [float(t) for t in ROUND[max(0, inside[0] - 1) : inside[-1] + 2]]
    else:
        scale = ticks(bottom, top)
    left, width, step = 190, 760, 30
    height = step * len(items) + 64
    legend = {(m.name, m.colour, m.shape) for _, marks in items for m in marks if m.name}

    def spread(value: float) -> float:
        return copysign(log1p(abs(value)), value) if logarithmic else value

    def at(value: float) -> float:
        share = (spread(value) - spread(scale[0])) / (spread(scale[-1]) - spread(scale[0]))
        return left + share * (width - left - 30)

    body = []
    for tick in scale:
        body.append(
            f'<line x1="{at(tick):.1f}" x2="{at(tick):.1f}" y1="26" y2="{height - 38}" stroke="#DDE2E8"/>'
            f'<text x="{at(tick):.1f}" y="{height - 22}" text-anchor="middle">{escape(_number(tick))}</text>'
        )
    if reference is not None:
        body.append(
            f'<line x1="{at(reference):.1f}" x2="{at(reference):.1f}" y1="26" y2="{height - 38}" stroke="{GREY}" stroke-dasharray="5 4"/>'
        )
    for number, (label, marks) in enumerate(items):
        y = 40 + step * number
        body.append(f'<text x="{left - 10}" y="{y + 4}" text-anchor="end">{escape(label)}</text>')
        for mark in marks:
            if mark.low is not None and mark.high is not None:
                body.append(
                    f'<line x1="{at(mark.low):.1f}" x2="{at(mark.high):.1f}" y1="{y}" y2="{y}" stroke="{mark.colour}" stroke-width="3" opacity=".5"/>'
                )
            body.append(_symbol(mark, at(mark.value), y))
    x = float(left)
    for name, colour, shape in sorted(legend):
        body.append(
            _symbol(Mark(0, colour=colour, shape=shape), x, 10)
            + f'<text x="{x + 10:.0f}" y="14">{escape(name)}</text>'
        )
        x += 30 + 7.2 * len(name)
    body.append(
        f'<text x="{(left + width) / 2:.0f}" y="{height - 4}" text-anchor="middle">{escape(unit)}</text>'
    )
    return _svg(width, height, title, body)


def band(
    points: Sequence[tuple[str, float, float, float]],
    title: str,
    unit: str,
    second: Sequence[float] | None = None,
) -> str:
    """A line with its band over labelled steps; optionally a second line over the same steps."""
    values = [v for _, *rest in points for v in rest] + list(second or ())
    low = min(values) if second else min([0.0, *values])
    scale = ticks(low, max(values))
    left, width, height = 64, 760, 280

    def x(i: int) -> float:
        return left + i / max(1, len(points) - 1) * (width - left - 20)

    def y(value: float) -> float:
        return height - 40 - (value - scale[0]) / (scale[-1] - scale[0]) * (height - 60)

    body = [
        f'<line x1="{left}" x2="{width - 20}" y1="{y(t):.1f}" y2="{y(t):.1f}" stroke="#DDE2E8"/><text x="{left - 8}" y="{y(t) + 4:.1f}" text-anchor="end">{escape(_number(t))}</text>'
        for t in scale
    ]
    upper = " ".join(f"{x(i):.1f},{y(p[3]):.1f}" for i, p in enumerate(points))
    lower = " ".join(f"{x(i):.1f},{y(p[2]):.1f}" for i, p in reversed(list(enumerate(points))))
    body.append(f'<polygon points="{upper} {lower}" fill="{BLUE}" opacity=".2"/>')
    body.append(
        f'<polyline points="{" ".join(f"{x(i):.1f},{y(p[1]):.1f}" for i, p in enumerate(points))}" fill="none" stroke="{BLUE}" stroke-width="2.2"/>'
    )
    if second:
        body.append(
            f'<polyline points="{" ".join(f"{x(i):.1f},{y(v):.1f}" for i, v in enumerate(second))}" fill="none" stroke="{ORANGE}" stroke-width="2.2"/>'
        )
    every = max(1, len(points) // 6)
    body += [
        f'<text x="{x(i):.1f}" y="{height - 20}" text-anchor="middle">{escape(p[0])}</text>'
        for i, p in enumerate(points)
        if i % every == 0
    ]
    body.append(f'<text x="{left}" y="12">{escape(unit)}</text>')
    return _svg(width, height, title, body)


def _svg(width: int, height: int, title: str, body: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title, quote=True)}"><title>{escape(title)}</title>'
        f'<g font-size="12.5" fill="#2A3442" font-family="system-ui,sans-serif">{"".join(body)}</g></svg>'
    )
