"""Forecasts, feeds, runs, alerts and gifting of the fixture."""

from __future__ import annotations

from datetime import date, timedelta
from zlib import crc32

import numpy as np
import pandas as pd

from tests.dashboard.fixture_world import END, RETAILERS, common


def forecast_of(
    rng: np.random.Generator, brand: str, places: list[str], share: np.ndarray, products: int, size: float
) -> dict[str, pd.DataFrame]:
    future = pd.date_range(END + timedelta(days=1), periods=13, freq="7D")
    rows, risk, tests = [], [], []
    for place, part in zip(places, share, strict=True):
        for retailer, weight in zip(RETAILERS, (0.5, 0.3, 0.2), strict=True):
            base = 210_000 * min(size, 3) * part * weight
            for horizon, week in enumerate(future, start=1):
                p50 = base * (1 + 0.02 * horizon) * rng.lognormal(0, 0.03)
                spread = 0.08 + 0.01 * horizon
                rows.append(
                    {
                        "dma_id": place,
                        "retailer_id": retailer,
                        "product_id": "all",
                        "level": "dma_retailer",
                        "week_start_date": week,
                        "horizon_week": horizon,
                        "model": "champion",
                        "p10_units": p50 * (1 - spread),
                        "p50_units": p50,
                        "p90_units": p50 * (1 + spread),
                        "mean_units": p50 * 1.01,
                        "is_reconciled": True,
                        "forecast_flag": "",
                    }
                )
            tests.append(
                {
                    "dma_id": place,
                    "retailer_id": retailer,
                    "product_id": "all",
                    "model": "champion",
                    "cutoff_date": END - timedelta(days=91),
                    "wape": 0.09 + 0.05 * rng.random(),
                    "mase": 0.7,
                    "pinball": 0.04,
                    "coverage80": 0.8,
                    "is_champion": True,
                }
            )
            tests.append(
                {**tests[-1], "model": "seasonal_naive", "wape": 0.19, "mase": 1.0, "is_champion": False}
            )
            for product in range(products):
                probability = float(rng.beta(0.5, 3))
                risk.append(
                    {
                        "dma_id": "000" if retailer == "amazon" else place,
                        "retailer_id": retailer,
                        "product_id": f"P{product + 1}",
                        "week_start_date": future[0],
                        "on_hand_units": base / products * 2,
                        "weeks_of_supply": 6 * (1 - probability),
                        "probability_stockout": probability,
                        "probability_overstock": max(0.0, 0.3 - probability),
                        "lost_units": base / products * probability * 0.2,
                        "lost_sales_usd": base / products * probability * 0.2 * 25,
                        "suggested_order_units": base / products * probability if probability > 0.4 else 0.0,
                        "suggestion": "order" if probability > 0.4 else "hold",
                    }
                )
    leaf = pd.DataFrame(rows)
    number = {"p10_units": "sum", "p50_units": "sum", "p90_units": "sum", "mean_units": "sum"}
    fixed = {"product_id": "all", "model": "champion", "is_reconciled": True, "forecast_flag": ""}
    by = ["week_start_date", "horizon_week"]
    retailer = (
        leaf.groupby(["retailer_id", *by], as_index=False)
        .agg(number)
        .assign(dma_id="000", level="retailer", **fixed)
    )
    nation = (
        leaf.groupby(by, as_index=False)
        .agg(number)
        .assign(dma_id="000", retailer_id="all", level="nation", **fixed)
    )
    for total in (retailer, nation):  # the band of a sum is narrower than the sum of the bands
        total["p10_units"] = (total.p10_units + total.p50_units) / 2
        total["p90_units"] = (total.p90_units + total.p50_units) / 2
    rows = [*rows, *retailer.to_dict("records"), *nation.to_dict("records")]
    risk_frame = pd.DataFrame(risk).drop_duplicates(
        ["dma_id", "retailer_id", "product_id", "week_start_date"]
    )
    return {
        "fct_demand_forecast_week": common(pd.DataFrame(rows), brand, "forecast"),
        "fct_forecast_backtest": common(pd.DataFrame(tests), brand, "forecast"),
        "fct_stock_risk_week": common(risk_frame, brand, "forecast"),
    }


def operations_of(
    rng: np.random.Generator, brand: str, failed: tuple[str, ...], version: int, days: pd.DatetimeIndex
) -> dict[str, pd.DataFrame]:
    finished = pd.Timestamp(END) + pd.Timedelta(days=1, hours=5)
    jobs = (
        "mmm",
        "budget",
        "elasticity",
        "mediation",
        "attribution",
        "geolift",
        "frequency",
        "forecast",
        "segments",
    )
    runs = [
        {
            "run_id": f"run-{job}-{brand}",
            "job": job,
            "unit": "all",
            "brand_id": brand,
            "status": "succeeded",
            "message": "",
            "as_of_date": END,
            "window_start": days[0],
            "window_end": END,
            "code_version": "0.1.0+fixture",
            "feature_hash": f"{i:064x}",
            "seed": 7,
            "started_at": finished - pd.Timedelta(seconds=40),
            "finished_at": finished,
            "cpu_seconds": 12.5,
            "peak_mb": 210.0,
            "metrics_json": "{}",
            "recorded_seq": i,
        }
        for i, job in enumerate(jobs)
    ]
    for i, job in enumerate(failed):
        runs.append(
            {
                **runs[0],
                "run_id": f"run-{job}-failed",
                "job": job,
                "status": "failed",
                "message": "solver did not converge",
                "recorded_seq": 100 + i,
                "finished_at": finished + pd.Timedelta(hours=1),
            }
        )
    feeds = (
        "google_ads_geo",
        "meta_ads",
        "amazon_ads_sp",
        "walmart_store_sales",
        "target_sales",
        "email_events",
    )
    loads = []
    for feed in feeds:
        for i in range(6):
            bad = 3 if (feed == "meta_ads" and i == 2) else 0
            loads.append(
                {
                    "ledger_id": f"{brand}-{feed}-{i}",
                    "brand_id": brand,
                    "feed": feed,
                    "file_name": f"{feed}_2026090{i + 1}.csv.gz",
                    "sha256": f"{crc32((feed + str(i)).encode()):064x}",
                    "size_bytes": 12_000,
                    "delivered_at": finished - pd.Timedelta(days=7 * (5 - i), hours=2),
                    "loaded_at": finished - pd.Timedelta(days=7 * (5 - i)),
                    "load_run_id": f"ingest-{i}",
                    "outcome": "QF" if (feed == "target_sales" and i == 1) else "QR" if bad else "LOAD",
                    "reason": "missing_column" if (feed == "target_sales" and i == 1) else "",
                    "rows_file": 1000,
                    "rows_loaded": 0 if (feed == "target_sales" and i == 1) else 1000 - bad,
                    "rows_quarantined": 1000 if (feed == "target_sales" and i == 1) else bad,
                    "rows_declared": 0,
                    "money_file": 5000.0,
                    "money_loaded": 5000.0,
                    "money_quarantined": 0.0,
                    "first_date": END - timedelta(days=7 * (5 - i) + 6),
                    "last_date": END - timedelta(days=7 * (5 - i)),
                    "contract_version": "1",
                    "superseded_rows": 0,
                }
            )
    quarantine = [
        {
            "brand_id": brand,
            "feed": "meta_ads",
            "sha256": "a" * 64,
            "file_name": "meta_ads_20260903.csv.gz",
            "line_number": 10 + i,
            "reason": "bad_number",
            "field_name": "spend",
            "stage": "intake",
            "row_text": '=HYPERLINK("http://example.invalid") <b>x</b>',
            "delivered_at": finished,
            "load_run_id": "ingest-2",
            "released_by": None,
        }
        for i in range(3)
    ]
    alerts = [
        {
            "alert_id": f"{brand}-a1",
            "brand_id": brand,
            "rule": "spend_spike",
            "kind": "statistical",
            "severity": "critical",
            "status": "open",
            "entity": "meta_retargeting",
            "metric": "spend_usd",
            "observed": 98_000.0,
            "expected": 33_000.0,
            "low": 27_000.0,
            "high": 41_000.0,
            "period_start": END,
            "period_end": END,
            "owner": "paid-social",
            "action": "Check the daily cap of Meta retargeting and pause the burst campaign.",
            "expected_value_usd": 65_000.0,
            "message": "Spend was 3.0 times its usual Saturday level.",
            "first_seen_at": finished,
            "last_seen_at": finished,
            "times_seen": 1,
            "acknowledged_by": None,
            "acknowledged_at": None,
            "run_id": "alerts-1",
        },
        {
            "alert_id": f"{brand}-a2",
            "brand_id": brand,
            "rule": "stock_risk",
            "kind": "recommendation",
            "severity": "warning",
            "status": "acknowledged",
            "entity": "walmart 803 P2",
            "metric": "probability_stockout",
            "observed": 0.83,
            "expected": 0.2,
            "low": None,
            "high": 0.6,
            "period_start": END,
            "period_end": END,
            "owner": "supply",
            "action": "Order 4,200 units.",
            "expected_value_usd": 48_000.0,
            "message": "83 % chance to run out next week.",
            "first_seen_at": finished,
            "last_seen_at": finished,
            "times_seen": 2,
            "acknowledged_by": "dana",
            "acknowledged_at": finished,
            "run_id": "alerts-1",
        },
    ]
    quality = [
        {
            "finding_id": f"{brand}-{i}",
            "brand_id": brand,
            "check_name": check,
            "subject": feed,
            "severity": "warning",
            "detail": detail,
            "rows_affected": n,
            "money_affected_usd": money,
            "first_date": days[0],
            "last_date": END,
        }
        for i, (check, feed, n, money, detail) in enumerate(
            (
                (
                    "campaign_tactic_contradiction",
                    "facebook_campaign",
                    480,
                    1200.5,
                    "campaign name names another tactic; the tactic column wins",
                ),
                (
                    "new_customers_exceed_new_orders",
                    "business_daily",
                    22,
                    None,
                    "more new customers than new orders on a day",
                ),
            )
        )
    ]
    return {
        "dim_model_run": pd.DataFrame(runs),
        "fct_feed_load": pd.DataFrame(loads),
        "fct_quarantine": pd.DataFrame(quarantine),
        "fct_alert": pd.DataFrame(alerts),
        "fct_data_quality": pd.DataFrame(quality),
    }


def gifting_of(rng: np.random.Generator, brand: str) -> dict[str, pd.DataFrame]:
    clients = [f"{300 + i}" for i in range(12)]
    rows = []
    for i in range(240):
        gifts = int(rng.integers(1, 90))
        rows.append(
            {
                "brand_id": brand,
                "order_id": f"{11110 + i}",
                "month_start_date": date(2018 + i % 3, 1 + i % 12, 1),
                "client_id": clients[i % 12],
                "service_id": str(1 + i % 3),
                "gift_id": str(11 + i % 5),
                "channel_id": "gifting",
                "total_gifts": gifts,
                "gift_cost_usd": 40.0,
                "total_amount_usd": gifts * 40.0,
                "fee_usd": gifts * 8.0,
                "variable_cost_usd": gifts * 12.0,
                "total_revenue_usd": gifts * 48.0,
            }
        )
    return {
        "dim_gift_client": pd.DataFrame(
            {
                "brand_id": brand,
                "client_id": clients,
                "client_name": [f"Client {c}" for c in clients],
                "sector": ["Health Care", "Industrials"] * 6,
                "city": "X",
                "state_code": ["DE", "IL", "NY"] * 4,
            }
        ),
        "dim_gift_service": pd.DataFrame(
            {
                "brand_id": brand,
                "service_id": ["1", "2", "3"],
                "service_name": ["Swag Select", "One to One Gifting", "Measurement and Tracking"],
            }
        ),
        "fct_gift_order": pd.DataFrame(rows),
        "fct_gift_engagement": pd.DataFrame(
            [
                {
                    "engagement_id": f"{brand}-{i}",
                    "brand_id": brand,
                    "client_id": clients[i % 12],
                    "service_id": str(1 + i % 3),
                    "channel_id": "gifting",
                    "total_gifts": 10 + i % 40,
                    "total_amount_usd": 400.0 + i,
                    "successful": None,
                    "unsuccessful": None,
                }
                for i in range(200)
            ]
        ),
        "fct_gift_expenditure": pd.DataFrame(
            [
                {
                    "expenditure_id": f"{brand}-{i}",
                    "brand_id": brand,
                    "recipient_id": str(8000 + i % 40),
                    "client_id": clients[i % 12],
                    "gift_id": str(11 + i % 5),
                    "channel_id": "gifting",
                    "quantity": 1 + i % 9,
                    "price_usd": 20.0 + i % 80,
                    "amount_usd": (1 + i % 9) * (20.0 + i % 80),
                    "status": ("Accepted", "Rejected", "InProgress")[i % 3],
                    "is_converted": (True, False, None)[i % 3],
                }
                for i in range(300)
            ]
        ),
    }
