"""The made-up business behind the fixture: its channels, places and how strongly each works."""

from __future__ import annotations

from datetime import date

import pandas as pd

END = date(2026, 10, 24)
GEO = {
    "youtube": 42_000,
    "hulu": 30_000,
    "ctv_other": 36_000,
    "instagram_reels": 24_000,
    "meta_retargeting": 33_000,
    "search_nonbrand": 18_000,
    "search_brand": 15_000,
}
NATIONAL = {"amazon_ads": 28_000, "walmart_connect": 17_000, "roundel": 11_000}
CRM = {"email": 900, "coupon": 2_600}
GROUP = {
    "youtube": "video",
    "hulu": "video",
    "ctv_other": "video",
    "instagram_reels": "social",
    "meta_retargeting": "social",
    "search_brand": "search",
    "search_nonbrand": "search",
    "amazon_ads": "rmn",
    "walmart_connect": "rmn",
    "roundel": "rmn",
    "email": "crm",
    "coupon": "crm",
}
NAMES = {
    "youtube": "YouTube",
    "hulu": "Hulu",
    "ctv_other": "Other CTV",
    "instagram_reels": "Instagram Reels",
    "meta_retargeting": "Meta retargeting",
    "search_brand": "Search, brand",
    "search_nonbrand": "Search, non-brand",
    "amazon_ads": "Amazon Ads",
    "walmart_connect": "Walmart Connect",
    "roundel": "Roundel",
    "email": "Email",
    "coupon": "Digital coupons",
}
ROI = {
    "youtube": 2.4,
    "hulu": 1.9,
    "ctv_other": 2.7,
    "instagram_reels": 1.6,
    "meta_retargeting": 0.5,
    "search_brand": 0.7,
    "search_nonbrand": 1.5,
    "amazon_ads": 1.2,
    "walmart_connect": 1.1,
    "roundel": 0.9,
    "email": 5.2,
    "coupon": 1.8,
}
CLAIM = {
    "youtube": 1.1,
    "hulu": 0.8,
    "ctv_other": 1.0,
    "instagram_reels": 2.1,
    "meta_retargeting": 7.9,
    "search_brand": 8.4,
    "search_nonbrand": 3.1,
    "amazon_ads": 4.0,
    "walmart_connect": 3.2,
    "roundel": 2.6,
    "email": 9.5,
    "coupon": 3.0,
}
WINDOW = {
    "meta_retargeting": "7d click / 1d view",
    "instagram_reels": "7d click / 1d view",
    "amazon_ads": "14d click",
    "walmart_connect": "14d click",
    "roundel": "14d click",
    "youtube": "30d click / 3d view",
    "search_brand": "30d click",
    "search_nonbrand": "30d click",
    "hulu": "none",
    "ctv_other": "14d click",
    "email": "none",
    "coupon": "redemption",
}
DMAS = [
    "501",
    "803",
    "602",
    "504",
    "623",
    "807",
    "506",
    "524",
    "618",
    "511",
    "753",
    "819",
    "539",
    "505",
    "613",
    "528",
    "751",
    "534",
    "510",
    "862",
    "609",
    "820",
    "517",
    "508",
    "560",
    "512",
    "527",
    "825",
    "659",
    "533",
    "616",
    "535",
    "770",
    "617",
    "515",
    "641",
    "563",
    "567",
    "548",
    "839",
    "544",
    "630",
    "635",
    "518",
    "650",
    "790",
    "566",
    "640",
    "521",
    "561",
    "693",
    "571",
    "671",
    "556",
    "557",
    "529",
    "514",
    "501",
][:57]
RETAILERS = {"amazon": "Amazon", "walmart": "Walmart", "target": "Target"}


def common(frame: pd.DataFrame, brand: str, job: str) -> pd.DataFrame:
    frame.insert(0, "brand_id", brand)
    return frame.assign(run_id=f"run-{job}-{brand}", as_of_date=END)
