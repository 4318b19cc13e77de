"""The user's SPEC.yml: which column is what. Unknown keys and wrong types are refused by name."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from modeling.errors import InputError

_TOP = {
    "date",
    "date_format",
    "geo",
    "population",
    "kpi",
    "revenue_per_kpi",
    "channels",
    "controls",
    "demand_proxies",
    "mediators",
    "lift_tests",
    "horizon",
    "budget",
    "prior",
    "split_duplicate_geos",
    "compare_models",
    "form",
}
_CHANNEL = {"name", "spend", "exposure", "reach", "frequency", "demand_chasing"}


@dataclass(frozen=True)
class ChannelSpec:
    """Columns of one channel. `demand_chasing`: its budget is known to follow demand (None: judged by name)."""

    name: str
    spend: str
    exposure: str | None = None
    reach: str | None = None
    frequency: str | None = None
    demand_chasing: bool | None = None


@dataclass(frozen=True)
class MixSpec:
    """A checked specification. Shares and totals as in `budget:`; prior keys as in modeling.mmm.sampler.Prior."""

    date: str
    kpi: str
    channels: tuple[ChannelSpec, ...]
    geo: str | None = None
    date_format: str | None = None
    population: str | None = None
    revenue_per_kpi: str | None = None
    controls: tuple[str, ...] = ()
    demand_proxies: tuple[str, ...] = ()
    mediators: tuple[tuple[str, tuple[str, ...]], ...] = ()
    lift_tests: str | None = None
    horizon: int = 13
    total: float | None = None
    min_share: float = 0.5
    max_share: float = 1.5
    custom: dict[str, float] = field(default_factory=dict)
    margin: float | None = None
    by_geo: bool = False
    geo_bounds: dict[str, tuple[float, float]] = field(default_factory=dict)
    moves: tuple[tuple[str, str, float], ...] = ()
    prior: dict[str, float] = field(default_factory=dict)
    split_duplicate_geos: bool = False
    compare_models: bool = False
    form: str = "auto"


def _text(where: str, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)) or str(value).strip() == "":
        raise InputError(f"spec: {where} must name a column")
    return str(value).strip()


def _optional(where: str, value: Any) -> str | None:
    return None if value is None else _text(where, value)


def _number(where: str, value: Any, *, low: float | None = None) -> float:
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or value != value
        or abs(value) == float("inf")
    ):
        raise InputError(f"spec: {where} must be a number, not {value!r}")
    if low is not None and value < low:
        raise InputError(f"spec: {where} must be at least {low:g}, not {value:g}")
    return float(value)


def _mapping(where: str, value: Any, known: set[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InputError(f"spec: {where} must be a mapping (key: value)")
    unknown = sorted(str(k) for k in value if k not in known)
    if unknown:
        raise InputError(
            f"spec: unknown key {unknown[0]!r} in {where}; known keys: {', '.join(sorted(known))}"
        )
    return value


def _sequence(where: str, value: Any) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise InputError(f"spec: {where} must be a list")
    return value


def read_spec(path: str | Path) -> MixSpec:
    """Read and check SPEC.yml.

    Raises:
        InputError: missing file, invalid YAML, unknown key, missing or repeated name.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"spec: no file at {path}")
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"spec: {path.name} is not valid YAML ({str(error).splitlines()[0]})") from error
    if raw is None:
        raise InputError(f"spec: {path.name} is empty")
    return parse_spec(raw)


def parse_spec(raw: Any) -> MixSpec:
    """Check an already parsed specification; see :func:`read_spec`."""
    raw = _mapping("the specification", raw, _TOP)
    for key in ("date", "kpi", "channels"):
        if raw.get(key) is None:
            raise InputError(f"spec: {key!r} is missing")
    channels = []
    for i, item in enumerate(_sequence("channels", raw["channels"])):
        where = f"channels[{i + 1}]"
        entry = _mapping(where, item, _CHANNEL)
        chasing = entry.get("demand_chasing")
        if chasing is not None and not isinstance(chasing, bool):
            raise InputError(f"spec: {where}.demand_chasing must be true or false")
        if entry.get("name") is None or entry.get("spend") is None:
            raise InputError(f"spec: {where} needs a name and a spend column")
        reach, frequency = entry.get("reach"), entry.get("frequency")
        if (reach is None) != (frequency is None):
            raise InputError(f"spec: {where} needs both reach and frequency, or neither")
        channels.append(
            ChannelSpec(
                name=_text(f"{where}.name", entry["name"]),
                spend=_text(f"{where}.spend", entry["spend"]),
                exposure=_optional(f"{where}.exposure", entry.get("exposure")),
                reach=_optional(f"{where}.reach", reach),
                frequency=_optional(f"{where}.frequency", frequency),
                demand_chasing=chasing,
            )
        )
    if not channels:
        raise InputError("spec: channels is empty")
    controls = tuple(_text("controls", c) for c in _sequence("controls", raw.get("controls")))
    proxies = tuple(
        _text("demand_proxies", c) for c in _sequence("demand_proxies", raw.get("demand_proxies"))
    )
    for name in proxies:
        if name not in controls:
            raise InputError(f"spec: demand_proxies names {name!r}, which is not among the controls")
    mediators = []
    names = [c.name for c in channels]
    for i, item in enumerate(_sequence("mediators", raw.get("mediators"))):
        entry = _mapping(f"mediators[{i + 1}]", item, {"name", "channels"})
        if entry.get("name") is None:
            raise InputError(f"spec: mediators[{i + 1}] needs a name")
        through = tuple(
            _text("mediator channels", c) for c in _sequence("mediators.channels", entry.get("channels"))
        )
        unknown = [c for c in through if c not in names]
        if unknown or not through:
            raise InputError(
                f"spec: mediator {entry['name']!r} needs channels from: {', '.join(names)}"
                + (f" (unknown: {unknown[0]!r})" if unknown else "")
            )
        mediators.append((_text("mediator name", entry["name"]), through))
    reserved = {"baseline", "trend", "seasonality"}
    taken: set[str] = set()
    for name in [*names, *controls, *(m for m, _ in mediators if m not in names)]:
        if name in reserved:
            raise InputError(f"spec: the name {name!r} is kept for a component of the decomposition")
        if name in taken:
            raise InputError(f"spec: the name {name!r} is used twice")
        taken.add(name)
    budget = _mapping(
        "budget",
        raw.get("budget") or {},
        {"total", "min_share", "max_share", "custom", "moves", "margin", "by_geo", "geo_bounds"},
    )
    low = _number("budget.min_share", budget.get("min_share", 0.5), low=0.0)
    high = _number("budget.max_share", budget.get("max_share", 1.5), low=0.0)
    if low > 1.0 or high < 1.0:
        raise InputError("spec: budget.min_share must be at most 1 and budget.max_share at least 1")
    total = budget.get("total")
    custom = _mapping("budget.custom", budget.get("custom") or {}, set(names))
    moves = []
    for i, item in enumerate(_sequence("budget.moves", budget.get("moves"))):
        entry = _mapping(f"budget.moves[{i + 1}]", item, {"from", "to", "amount"})
        for key in ("from", "to"):
            if entry.get(key) not in names:
                raise InputError(f"spec: budget.moves[{i + 1}].{key} must be one of: {', '.join(names)}")
        moves.append(
            (
                str(entry["from"]),
                str(entry["to"]),
                _number("budget.moves.amount", entry.get("amount"), low=0.0),
            )
        )
    margin = budget.get("margin")
    if margin is not None and not 0 < _number("budget.margin", margin) <= 1:
        raise InputError(f"spec: budget.margin must be above 0 and at most 1, not {margin:g}")
    by_geo = budget.get("by_geo", False)
    if not isinstance(by_geo, bool):
        raise InputError("spec: budget.by_geo must be true or false")
    bounds = budget.get("geo_bounds") or {}
    if not isinstance(bounds, dict):
        raise InputError("spec: budget.geo_bounds must be a mapping (geo: [min share, max share])")
    geo_bounds = {}
    for name, pair in bounds.items():
        if not isinstance(pair, list) or len(pair) != 2:
            raise InputError(f"spec: budget.geo_bounds.{name} must be [min share, max share]")
        a, b = (_number(f"budget.geo_bounds.{name}", x, low=0.0) for x in pair)
        if a > b:
            raise InputError(f"spec: budget.geo_bounds.{name} has its minimum above its maximum")
        geo_bounds[str(name)] = (a, b)
    horizon = _number("horizon", raw.get("horizon", 13), low=1)
    if horizon != int(horizon) or horizon > 1000:
        raise InputError(f"spec: horizon must be a whole number of periods up to 1000, not {horizon:g}")
    prior = _mapping("prior", raw.get("prior") or {}, {"roi", "roi_log_sd", "support"})
    flags = {}
    for key in ("split_duplicate_geos", "compare_models"):
        flags[key] = raw.get(key, False)
        if not isinstance(flags[key], bool):
            raise InputError(f"spec: {key} must be true or false")
    form = raw.get("form", "auto")
    if form not in ("auto", "additive", "multiplicative"):
        raise InputError(f"spec: form must be auto, additive or multiplicative, not {form!r}")
    return MixSpec(
        form=form,
        date=_text("date", raw["date"]),
        kpi=_text("kpi", raw["kpi"]),
        channels=tuple(channels),
        geo=_optional("geo", raw.get("geo")),
        date_format=_optional("date_format", raw.get("date_format")),
        population=_optional("population", raw.get("population")),
        revenue_per_kpi=_optional("revenue_per_kpi", raw.get("revenue_per_kpi")),
        controls=controls,
        demand_proxies=proxies,
        mediators=tuple(mediators),
        lift_tests=_optional("lift_tests", raw.get("lift_tests")),
        horizon=int(horizon),
        total=None if total is None else _number("budget.total", total, low=0.01),
        min_share=low,
        max_share=high,
        margin=None if margin is None else float(margin),
        by_geo=by_geo or bool(geo_bounds),
        geo_bounds=geo_bounds,
        custom={k: _number(f"budget.custom.{k}", v, low=0.0) for k, v in custom.items()},
        moves=tuple(moves),
        prior={k: _number(f"prior.{k}", v, low=1e-6) for k, v in prior.items()},
        split_duplicate_geos=flags["split_duplicate_geos"],
        compare_models=flags["compare_models"],
    )
