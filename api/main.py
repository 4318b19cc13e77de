"""``uvicorn api.main:app``: the same numbers as the dashboard, for programs.

Every answer comes from one pinned version of the published copy and says which (``X-Data-Version``); the ETag
covers version, brand and request, so an unchanged answer costs a 304. Only GET exists.
"""

from __future__ import annotations

import hashlib
import logging
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

import duckdb
import pandas as pd
from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel

from api.limits import RateLimiter
from api.settings import ApiSettings, load_api_settings
from dashboard import answers, queries, whatif
from dashboard.filters import Filters, period
from dashboard.reader import NoServingFile, Reader, Snapshot

LOG = logging.getLogger("api")
MAX_PAGE = 1000


class Period(StrEnum):
    launch = "launch"
    w4 = "4w"
    w13 = "13w"
    w52 = "52w"
    all = "all"


class Level(StrEnum):
    channel = "channel"
    tactic = "tactic"
    campaign = "campaign"
    place = "place"


class Window(StrEnum):
    launch = "launch"
    history = "history"


class Problem(BaseModel):
    """What went wrong, in one plain line."""

    detail: str


class Page(BaseModel):
    """A page of rows; ``total`` counts all of them."""

    version: int | None
    as_of_date: date | None
    total: int
    limit: int
    offset: int
    rows: list[dict[str, Any]]


class One(BaseModel):
    """One record."""

    version: int | None
    as_of_date: date | None
    data: dict[str, Any]


class Health(BaseModel):
    status: str
    version: int | None = None
    as_of_date: date | None = None


_bearer = HTTPBearer(auto_error=False, description="A token from API_TOKENS")
ERRORS: dict[int | str, dict[str, Any]] = {
    304: {"description": "Unchanged since the ETag in If-None-Match"},
    401: {"model": Problem, "description": "No token, or an unknown one"},
    404: {"model": Problem, "description": "Not in the published version"},
    409: {"model": Problem, "description": "The published answers do not reach that far; the text says why"},
    422: {"model": Problem, "description": "A parameter cannot be used"},
    429: {"model": Problem, "description": "Too many requests; see Retry-After"},
    503: {"model": Problem, "description": "Nothing is published, or it cannot be read"},
}


class State:
    """What one process holds: settings, reader, limiter."""

    def __init__(self, settings: ApiSettings) -> None:
        self.settings = settings
        self.reader = Reader(settings.serving_path)
        self.limiter = RateLimiter(settings.rate_per_minute)
        self.strangers = RateLimiter(max(30, settings.rate_per_minute // 2))


@asynccontextmanager
async def _lifespan(application: FastAPI) -> AsyncIterator[None]:
    application.state.room = State(load_api_settings())
    yield
    application.state.room.reader.close()


app = FastAPI(
    title="Marketing warehouse API",
    version="1.0.0",
    lifespan=_lifespan,
    docs_url="/docs",
    redoc_url=None,
    description="Read-only access to the published marts. Send `Authorization: Bearer <token>`.",
)


@app.middleware("http")
async def _headers(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await call_next(request)
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["X-Frame-Options"] = "DENY"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "private, no-cache"
    if request.url.path != "/docs":
        response.headers["Content-Security-Policy"] = "default-src 'none'; frame-ancestors 'none'"
    return response


@app.exception_handler(RequestValidationError)
async def _invalid(_: Request, error: RequestValidationError) -> JSONResponse:
    first = error.errors()[0]
    where = ".".join(str(p) for p in first["loc"][1:]) or "request"
    return JSONResponse({"detail": f"{where}: {first['msg']}"}, status_code=422)


@app.exception_handler(NoServingFile)
async def _nothing(_: Request, error: NoServingFile) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, status_code=503)


@app.exception_handler(duckdb.Error)
async def _engine(_: Request, error: duckdb.Error) -> JSONResponse:
    LOG.error("query failed: %s", error)
    return JSONResponse(
        {"detail": "The published version does not have the expected shape."}, status_code=503
    )


class Reading:
    """One request's view: its brand and one pinned version."""

    def __init__(self, request: Request, response: Response, brand: str, snap: Snapshot) -> None:
        self.request, self.response, self.brand, self.snap = request, response, brand, snap

    def filters(self, name: Period, channel: list[str], retailer: list[str], dma: list[str]) -> Filters:
        dates = queries.span(self.snap, self.brand) if self.snap.has("fct_media_daily") else None
        if dates is None:
            raise HTTPException(404, "No media or sales for this brand.")
        start, end = period(name.value, *dates)
        return Filters(self.brand, start, end, tuple(channel), tuple(retailer), tuple(dma))

    def everything(
        self, channel: Sequence[str] = (), retailer: Sequence[str] = (), dma: Sequence[str] = ()
    ) -> Filters:
        return Filters(self.brand, date.min, date.max, tuple(channel), tuple(retailer), tuple(dma))

    def need(self, *tables: str) -> None:
        for table in tables:
            if not self.snap.has(table):
                raise HTTPException(404, f"{table} is not in the published version.")

    def page(self, rows: pd.DataFrame, limit: int, offset: int) -> Page:
        version = self.snap.version
        part = rows.iloc[offset : offset + limit]
        return Page(
            version=version.number,
            as_of_date=_date(version.as_of_date),
            total=len(rows),
            limit=limit,
            offset=offset,
            rows=records(part),
        )

    def one(self, data: dict[str, Any]) -> One:
        version = self.snap.version
        return One(
            version=version.number,
            as_of_date=_date(version.as_of_date),
            data={k: plain(v) for k, v in data.items()},
        )


def _date(value: Any) -> date | None:
    return None if value is None or pd.isna(value) else pd.Timestamp(value).date()


def plain(value: Any) -> Any:
    """A value as JSON has it: null for missing, numbers for decimals, ISO text for dates; never NaN."""
    if isinstance(value, (list, dict)):
        return value
    if value is None or value is pd.NaT or (isinstance(value, float) and not math.isfinite(value)):
        return None
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, pd.Timestamp):
        return value.date().isoformat() if value == value.normalize() else value.isoformat()
    if hasattr(value, "item"):
        return plain(value.item())
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return value if not pd.isna(value) else None


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    columns = [str(c) for c in frame.columns]
    return [
        dict(zip(columns, (plain(v) for v in row), strict=True))
        for row in frame.itertuples(index=False, name=None)
    ]


class Unchanged(Exception):
    """The reader already has this answer."""

    def __init__(self, etag: str) -> None:
        self.etag = etag


@app.exception_handler(Unchanged)
async def _unchanged(_: Request, answer: Unchanged) -> Response:
    return Response(status_code=304, headers={"ETag": answer.etag})


def signed_in(
    request: Request,
    response: Response,
    given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> str:
    """The caller's brand, after token check and rate limit."""
    room: State = request.app.state.room
    token = given.credentials if given and given.scheme.lower() == "bearer" else ""
    brand = room.settings.brand_of(token) if token else None
    limiter, key = (
        (room.limiter, hashlib.sha256(token.encode()).hexdigest())
        if brand
        else (room.strangers, request.client.host if request.client else "?")
    )
    allowed, left, wait = limiter.take(key)
    if not allowed:
        raise HTTPException(429, "Too many requests.", headers={"Retry-After": str(max(1, math.ceil(wait)))})
    if brand is None:
        raise HTTPException(401, "A valid bearer token is needed.", headers={"WWW-Authenticate": "Bearer"})
    response.headers["X-RateLimit-Remaining"] = str(left)
    return brand


def reading(
    request: Request, response: Response, brand: Annotated[str, Depends(signed_in)]
) -> Iterator[Reading]:
    """Pin the newest version for this request, and answer 304 when the caller has it already."""
    with request.app.state.room.reader.pin() as snap:
        version = snap.version
        seed = f"{version.token}|{version.content_hash}|{brand}|{request.url.path}|{sorted(request.query_params.multi_items())}"
        etag = f'"{hashlib.sha256(seed.encode("utf-8", "surrogatepass")).hexdigest()[:32]}"'
        held = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
        if etag in held:
            raise Unchanged(etag)
        response.headers["ETag"] = etag
        response.headers["X-Data-Version"] = str(version.number)
        yield Reading(request, response, brand, snap)


Ask = Annotated[Reading, Depends(reading)]
Identifiers = Annotated[
    list[Annotated[str, Query(max_length=80)]],
    Query(default_factory=list, max_length=250, description="May be repeated; empty means all"),
]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE)]
Offset = Annotated[int, Query(ge=0, le=10_000_000)]


@app.get("/health", tags=["service"], responses={503: {"model": Health}})
def health(request: Request, response: Response) -> Health:
    """Whether a published version can be read. Needs no token and tells nothing about the data."""
    try:
        with request.app.state.room.reader.pin() as snap:
            return Health(status="ok", version=snap.version.number, as_of_date=_date(snap.version.as_of_date))
    except NoServingFile:
        response.status_code = 503
        return Health(status="nothing published")


@app.get("/v1/kpis", tags=["figures"], responses=ERRORS)
def kpis(
    ask: Ask, channel: Identifiers, retailer: Identifiers, dma: Identifiers, period: Period = Period.launch
) -> One:
    """Key figures of a period: sales, units, spend and rates (ratios of sums; null on a zero denominator)."""
    ask.need("fct_media_daily", "fct_pos_daily")
    f = ask.filters(period, channel, retailer, dma)
    media, sales = (queries.totals(ask.snap, fact, f).to_dict() for fact in (queries.MEDIA, queries.SALES))
    data = {"period_start": f.start, "period_end": f.end, **sales, **media}
    if ask.snap.has("fct_business_daily"):
        shop = queries.totals(ask.snap, queries.SHOP, f)
        data |= {
            "new_customers": shop.new_customers,
            "margin": shop.margin,
            "order_value_usd": shop.order_value_usd,
        }
    return ask.one(data)


@app.get("/v1/channels", tags=["figures"], responses=ERRORS)
def channels(
    ask: Ask,
    channel: Identifiers,
    dma: Identifiers,
    period: Period = Period.launch,
    level: Level = Level.channel,
    limit: Limit = 100,
    offset: Offset = 0,
) -> Page:
    """Media by channel, tactic, campaign or place, with the window each platform counts its claims in."""
    ask.need("fct_media_daily", "dim_channel", "dim_dma")
    return ask.page(
        queries.drill(ask.snap, ask.filters(period, channel, [], dma), level.value), limit, offset
    )


@app.get("/v1/evidence", tags=["answers"], responses=ERRORS)
def evidence(ask: Ask, channel: Identifiers, limit: Limit = 500, offset: Offset = 0) -> Page:
    """Every answer about each channel side by side: platform claim, attribution, mix model, lift test."""
    ask.need("fct_channel_evidence", "dim_channel")
    return ask.page(answers.evidence(ask.snap, ask.everything(channel)), limit, offset)


@app.get("/v1/roi", tags=["answers"], responses=ERRORS)
def roi(
    ask: Ask, channel: Identifiers, window: Window = Window.launch, limit: Limit = 100, offset: Offset = 0
) -> Page:
    """Incremental and marginal return per channel with 90 % intervals."""
    ask.need("fct_channel_roi", "dim_channel")
    return ask.page(answers.roi(ask.snap, ask.everything(channel), window.value), limit, offset)


@app.get("/v1/hypotheses", tags=["answers"], responses=ERRORS)
def hypotheses(ask: Ask, limit: Limit = 100, offset: Offset = 0) -> Page:
    """The five working hypotheses with estimate, interval and verdict."""
    ask.need("fct_hypothesis")
    return ask.page(answers.hypotheses(ask.snap, ask.brand), limit, offset)


@app.get("/v1/forecast", tags=["demand"], responses=ERRORS)
def forecast(
    ask: Ask, retailer: Identifiers, dma: Identifiers, limit: Limit = 200, offset: Offset = 0
) -> Page:
    """Weekly units by place and retailer: P10, P50, P90 and mean."""
    ask.need("fct_demand_forecast_week")
    where, values = ask.everything([], retailer, dma).where("retailer_id", "dma_id", time=None)
    return ask.page(
        ask.snap.frame(
            f"select * exclude (brand_id) from marts.fct_demand_forecast_week where {where} "
            "order by level, dma_id, retailer_id, product_id, week_start_date",
            values,
        ),
        limit,
        offset,
    )


@app.get("/v1/stock-risk", tags=["demand"], responses=ERRORS)
def stock_risk(
    ask: Ask, retailer: Identifiers, dma: Identifiers, limit: Limit = 200, offset: Offset = 0
) -> Page:
    """Items by sales at risk: chance to run out or to pile up, and the suggested order."""
    ask.need("fct_stock_risk_week", "dim_dma", "dim_retailer")
    return ask.page(answers.stock_risk(ask.snap, ask.everything([], retailer, dma)), limit, offset)


@app.get("/v1/scenarios", tags=["budget"], responses=ERRORS)
def scenarios(ask: Ask, limit: Limit = 100, offset: Offset = 0) -> Page:
    """Every stored plan: budget, sales caused, change against today, chance of a gain."""
    ask.need("fct_budget_scenario")
    return ask.page(answers.scenarios(ask.snap, ask.brand), limit, offset)


@app.get("/v1/scenarios/{scenario}", tags=["budget"], responses=ERRORS)
def scenario(ask: Ask, scenario: str, limit: Limit = 100, offset: Offset = 0) -> Page:
    """One plan by channel, beside today's."""
    ask.need("fct_budget_scenario", "dim_channel")
    rows = answers.plan(ask.snap, ask.brand, scenario[:120])
    if rows.empty:
        raise HTTPException(404, "No such scenario.")
    return ask.page(rows, limit, offset)


@app.get("/v1/what-if", tags=["budget"], responses=ERRORS)
def what_if(
    ask: Ask,
    from_channel: Annotated[str, Query(max_length=80)],
    to_channel: Annotated[str, Query(max_length=80)],
    amount_per_week_usd: Annotated[float, Query(gt=0, le=1e9, allow_inf_nan=False)],
) -> One:
    """Move money between two channels along the stored response curves; interval and chance of a gain."""
    ask.need("fct_response_curve", "fct_budget_scenario", "dim_channel")
    curves, plans = answers.curves(ask.snap, ask.everything()), answers.every_plan(ask.snap, ask.brand)
    try:
        result = whatif.move(
            curves, whatif.start(plans), from_channel, to_channel, amount_per_week_usd, plans
        )
    except whatif.WhatIfError as error:
        raise HTTPException(409, str(error)) from error
    return ask.one({**vars(result), "method": whatif.METHOD})


@app.get("/v1/alerts", tags=["operations"], responses=ERRORS)
def alerts(ask: Ask, include_resolved: bool = False, limit: Limit = 100, offset: Offset = 0) -> Page:
    """Alerts with owner, recommended action and what it is worth."""
    ask.need("fct_alert")
    return ask.page(answers.alerts(ask.snap, ask.brand, open_only=not include_resolved), limit, offset)


@app.get("/v1/runs", tags=["operations"], responses=ERRORS)
def runs(ask: Ask, limit: Limit = 100, offset: Offset = 0) -> Page:
    """Model runs, newest first, with code version and input hash."""
    ask.need("dim_model_run")
    return ask.page(answers.runs(ask.snap, ask.brand), limit, offset)
