"""What the simulated world is made of: channels, products, retailers, segments, scenarios.

Every number here is a choice of this project, not a fact about a real brand. Amounts are US dollars, decays are
per week, response times are in weeks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta

WORLD_END = date(2026, 10, 24)  # a Saturday: the last complete Sunday..Saturday week
DEFAULT_WEEKS = 116
MIN_WEEKS = 16
LAUNCH_WEEKS = 12
LAUNCH_BUDGET_CENTS = 3_500_000_000  # 35,000,000.00 USD
EMAIL_COST_MICROS = 20_000  # 0.02 USD per delivered mail, fully loaded
COUPON_FEE_CENTS = 12  # handling fee of one redemption
BASELINE_WEEKLY_USD = 6_000_000.0


@dataclass(frozen=True)
class Channel:
    """One paid channel: money, carryover, saturation and the return it is calibrated to.

    ``history_usd`` is mean spend per week before the launch; ``launch_usd`` is spend over the 12 launch weeks.
    ``kind`` of carryover: geometric, or delayed (weight ``decay**((lag-peak)**2)``, Jin et al. 2017).
    ``hill`` and ``half`` shape saturation: contribution grows with ``z**hill / (z**hill + half**hill)``, where
    ``z`` is carried-over spend per home relative to its launch mean. ``roi`` is the return in the launch.
    ``chase`` is the power with which spend follows demand that no feed shows.
    """

    name: str
    history_usd: float
    launch_usd: float
    roi: float
    kind: str = "geometric"
    decay: float = 0.3
    peak: int = 0
    hill: float = 1.0
    half: float = 2.0
    chase: float = 0.0
    flighted: float = 1.0  # share of history weeks that are on air
    geo_on: float = 1.0  # share of DMAs bought in one history flight
    retailer: str = ""  # a retail-media channel sells on one retailer only
    cpm: float = 10.0
    knee: int = 0  # exposures per person and week beyond which nothing more is gained


CHANNELS: tuple[Channel, ...] = (
    Channel(
        "youtube", 85_000, 5_000_000, 1.7, "delayed", 0.60, 1, 1.3, 1.6, 0.0, 0.62, 0.65, cpm=11.0, knee=6
    ),
    Channel(
        "hulu", 70_000, 4_000_000, 1.2, "geometric", 0.55, 0, 1.0, 2.0, 0.0, 0.55, 0.60, cpm=27.0, knee=5
    ),
    Channel(
        "ctv_other", 80_000, 4_500_000, 2.0, "geometric", 0.60, 0, 1.2, 2.2, 0.0, 0.60, 0.60, cpm=24.0, knee=7
    ),
    Channel(
        "instagram_reels",
        80_000,
        4_200_000,
        1.1,
        "geometric",
        0.40,
        0,
        1.0,
        1.8,
        0.0,
        0.55,
        0.65,
        cpm=9.0,
        knee=5,
    ),
    Channel(
        "meta_retargeting", 75_000, 3_600_000, 0.4, "geometric", 0.10, 0, 1.0, 1.0, 2.2, cpm=13.0, knee=4
    ),
    Channel("search_brand", 55_000, 2_600_000, 1.2, "geometric", 0.05, 0, 1.0, 4.0, 1.6, cpm=220.0),
    Channel(
        "search_nonbrand", 60_000, 2_600_000, 1.5, "geometric", 0.15, 0, 1.0, 1.8, 0.4, 0.85, 0.80, cpm=90.0
    ),
    Channel(
        "amazon_ads",
        90_000,
        3_600_000,
        1.4,
        "geometric",
        0.20,
        0,
        1.0,
        1.6,
        0.7,
        0.90,
        retailer="amazon",
        cpm=30.0,
    ),
    Channel(
        "walmart_connect",
        60_000,
        2_500_000,
        1.1,
        "geometric",
        0.25,
        0,
        1.0,
        1.5,
        0.5,
        0.85,
        retailer="walmart",
        cpm=26.0,
    ),
    Channel(
        "roundel",
        45_000,
        1_900_000,
        0.9,
        "geometric",
        0.25,
        0,
        1.0,
        1.4,
        0.5,
        0.85,
        retailer="target",
        cpm=28.0,
    ),
    Channel("email", 0, 0, 3.0, "geometric", 0.20, 0, 1.0, 2.5, cpm=20.0),
    Channel("coupon", 0, 0, 1.3, "geometric", 0.15, 0, 1.0, 2.5),
)
CHANNEL_NAMES: tuple[str, ...] = tuple(c.name for c in CHANNELS)
GEO_CHANNELS = CHANNEL_NAMES[:7]
NATIONAL_CHANNELS = CHANNEL_NAMES[7:10]
CRM_CHANNELS = CHANNEL_NAMES[10:]
SOCIAL = "instagram_reels"
MEDIATOR = "search_brand"
RETAILERS: tuple[str, ...] = ("amazon", "walmart", "target")
RETAILER_SHARE = (0.42, 0.38, 0.20)


@dataclass(frozen=True)
class Product:
    """One item with the id each retailer knows it by; an empty id means the retailer does not list it."""

    product_id: str
    line_name: str
    variant: str
    upc: str
    asin: str
    tcin: str
    wm_item_nbr: str
    dpci: str
    size_ounces: float
    pack_count: int
    list_price_usd: float
    cogs_usd: float
    weight: float


PRODUCTS: tuple[Product, ...] = (
    Product(
        "SP-PODS-42",
        "Swift Pods",
        "Fresh 42",
        "012345001420",
        "B0SWPOD042",
        "88410421",
        "0551234042",
        "003-01-0421",
        30.2,
        42,
        12.97,
        5.10,
        0.28,
    ),
    Product(
        "SP-PODS-81",
        "Swift Pods",
        "Fresh 81",
        "012345000812",
        "B0SWPOD081",
        "88410812",
        "0551234081",
        "003-01-0812",
        58.3,
        81,
        22.97,
        9.20,
        0.24,
    ),
    Product(
        "SP-FREE-42",
        "Swift Pods",
        "Free & Clear 42",
        "012345002427",
        "B0SWFRE042",
        "88420423",
        "",
        "003-01-0423",
        30.2,
        42,
        13.47,
        5.30,
        0.15,
    ),
    Product(
        "SP-FREE-81",
        "Swift Pods",
        "Free & Clear 81",
        "012345002816",
        "B0SWFRE081",
        "",
        "0551235081",
        "",
        58.3,
        81,
        23.97,
        9.60,
        0.13,
    ),
    Product(
        "SP-OXI-60",
        "Swift Oxi",
        "Oxi Boost 60",
        "012345003608",
        "B0SWOXI060",
        "88430605",
        "0551236060",
        "003-02-0605",
        44.0,
        60,
        19.47,
        8.10,
        0.12,
    ),
    Product(
        "SP-TRIAL-16",
        "Swift Pods",
        "Trial 16",
        "012345009167",
        "B0SWTRY016",
        "",
        "",
        "",
        11.5,
        16,
        5.97,
        2.60,
        0.08,
    ),
)

SEGMENTS: tuple[str, ...] = ("loyal_stockers", "deal_seekers", "digital_first", "occasional", "lapsing")
SEGMENT_SHARE = (0.18, 0.24, 0.20, 0.26, 0.12)
SEGMENT_RATE = (0.18, 0.14, 0.12, 0.05, 0.02)  # purchases with a coupon, per customer and week
SEGMENT_BASKET = (34.0, 21.0, 27.0, 18.0, 16.0)
# Relative lift of a segment's purchases at the channel's launch-mean pressure.
SEGMENT_LIFT: dict[str, tuple[float, ...]] = {
    "youtube": (0.04, 0.06, 0.16, 0.10, 0.02),
    "hulu": (0.03, 0.05, 0.10, 0.08, 0.02),
    "ctv_other": (0.10, 0.06, 0.06, 0.14, 0.04),
    "instagram_reels": (0.01, 0.06, 0.20, 0.06, 0.01),
    "meta_retargeting": (0.01, 0.04, 0.02, 0.01, 0.00),
    "search_brand": (0.03, 0.03, 0.03, 0.03, 0.03),
    "search_nonbrand": (0.01, 0.08, 0.06, 0.05, 0.02),
    "email": (0.12, 0.20, 0.08, 0.04, 0.02),
}


@dataclass(frozen=True)
class Scenario:
    """Switches of the world. Defaults are the demo."""

    name: str = "default"
    media_on: bool = True  # False: no channel sells anything (A/A)
    faults: bool = True  # plant transport and row faults
    stockout_factor: float = 1.0
    mediated_share: float = 0.30  # of social's total effect that runs through brand search
    social_drive: float = 0.8  # extra brand searches at launch-mean social pressure
    chase: dict[str, float] = field(default_factory=dict)  # overrides of Channel.chase
    roi: dict[str, float] = field(default_factory=dict)  # overrides of Channel.roi
    confounded: bool = False  # budgets follow demand, no geo rotation, promotions when demand is high
    retargeting_touch: float = 1.0  # how much more often retargeting is seen just before a purchase


SCENARIOS: dict[str, Scenario] = {
    s.name: s
    for s in (
        Scenario(),
        Scenario("clean", faults=False),
        Scenario("no_effect", media_on=False),
        Scenario(
            "retargeting_bias",
            chase={"meta_retargeting": 3.5},
            roi={"meta_retargeting": 0.05},
            retargeting_touch=2.0,
        ),
        Scenario("stockouts", stockout_factor=6.0),
        Scenario("strong_mediation", mediated_share=0.6, social_drive=2.5),
        Scenario("confounded", confounded=True),
    )
}


@dataclass(frozen=True)
class Options:
    """One request: seed, weeks of data in all, scale of the row-heavy feeds, and the scenario."""

    seed: int = 7
    weeks: int = DEFAULT_WEEKS
    scale: float = 1.0
    scenario: Scenario = field(default_factory=Scenario)
    brand_id: str = "swiftpod"

    @property
    def first_day(self) -> date:
        """The Sunday on which the data begin; the end is fixed, so fewer weeks start later."""
        return WORLD_END - timedelta(days=7 * self.weeks - 1)

    @property
    def launch_day(self) -> date:
        """The Sunday on which the launch begins."""
        return WORLD_END - timedelta(days=7 * LAUNCH_WEEKS - 1)

    @property
    def history_weeks(self) -> int:
        """Weeks before the launch."""
        return self.weeks - LAUNCH_WEEKS
