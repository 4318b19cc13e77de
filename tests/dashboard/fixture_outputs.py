"""What the models would have written, over the fixture's media and sales."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd

from tests.dashboard.fixture_operations import forecast_of
from tests.dashboard.fixture_world import CLAIM, END, ROI, WINDOW, common


def outputs_of(
    rng: np.random.Generator,
    brand: str,
    start: date,
    weeks: int,
    places: list[str],
    share: np.ndarray,
    media: pd.DataFrame,
    size: float,
) -> dict[str, pd.DataFrame]:
    out: dict[str, pd.DataFrame] = {}
    sundays = pd.date_range(start, periods=weeks, freq="7D")
    national = media.groupby(["week_start_date", "channel_id"], as_index=False).spend_usd.sum()
    national["revenue_usd"] = national.spend_usd * national.channel_id.map(ROI)
    contribution = national.rename(columns={"channel_id": "component"}).assign(
        component_kind="channel", dma_id="000"
    )
    baseline = pd.DataFrame(
        {
            "week_start_date": sundays,
            "component": "baseline",
            "component_kind": "baseline",
            "dma_id": "000",
            "revenue_usd": 2_800_000 * min(size, 3) * (1 + 0.1 * rng.standard_normal(weeks)),
        }
    )
    both = pd.concat([contribution.drop(columns="spend_usd"), baseline], ignore_index=True)
    both["revenue_p05_usd"], both["revenue_p95_usd"] = both.revenue_usd * 0.75, both.revenue_usd * 1.3
    out["fct_mmm_contribution_week"] = common(both, brand, "mmm")
    launch = pd.Timestamp(END - timedelta(days=83))
    rows = []
    for name, frame in (("history", national), ("launch", national[national.week_start_date >= launch])):
        for channel, spend in frame.groupby("channel_id").spend_usd.sum().items():
            roi = ROI[channel]
            rows.append(
                {
                    "channel_id": channel,
                    "window_name": name,
                    "window_start": frame.week_start_date.min(),
                    "window_end": END,
                    "spend_usd": spend,
                    "contribution_usd": spend * roi,
                    "contribution_p05_usd": spend * roi * 0.7,
                    "contribution_p95_usd": spend * roi * 1.35,
                    "roi": roi,
                    "roi_p05": roi * 0.7,
                    "roi_p95": roi * 1.35,
                    "marginal_roi": roi * 0.7,
                    "marginal_roi_p05": roi * 0.4,
                    "marginal_roi_p95": roi * 1.1,
                    "is_supported": channel != "roundel",
                    "note": "interval includes zero" if channel == "roundel" else "",
                }
            )
    roi = pd.DataFrame(rows)
    out["fct_channel_roi"] = common(roi, brand, "mmm")
    recent = national.groupby("channel_id").spend_usd.mean()
    curve, scenario = [], []
    for channel, spend in recent.items():
        for step in np.linspace(0, 2, 21):
            level = spend * step
            gain = ROI[channel] * spend * 1.6 * level / (level + 0.6 * spend) if level else 0.0
            curve.append(
                {
                    "channel_id": channel,
                    "spend_per_week_usd": level,
                    "incremental_revenue_usd": gain,
                    "p05_usd": gain * 0.7,
                    "p95_usd": gain * 1.35,
                    "is_observed": bool(step <= 1.4),
                }
            )
    budget = recent * 13
    total = budget.sum()
    better = budget * (0.6 + 0.25 * pd.Series(ROI))
    better *= total / better.sum()
    moved = budget.copy()
    moved["meta_retargeting"] -= 500_000 * size
    moved["ctv_other"] += 500_000 * size
    for name, plan in (
        ("current", budget),
        ("optimal", better),
        ("plus_10pct", budget * 1.1),
        ("minus_10pct", budget * 0.9),
        ("move_5m", moved),
    ):
        caused = {channel: spend * ROI[channel] * 0.9 for channel, spend in plan.items()}
        if name != "current":  # the mart holds the change against today's plan
            caused = {c: value - budget[c] * ROI[c] * 0.9 for c, value in caused.items()}
        plan_rows = [*plan.items(), ("all", plan.sum())]
        caused["all"] = sum(caused.values())
        for channel, spend in plan_rows:
            gain = caused[channel]
            now = budget.sum() if channel == "all" else budget[channel]
            scenario.append(
                {
                    "scenario": name,
                    "channel_id": channel,
                    "spend_usd": round(spend, 4),
                    "spend_change_usd": round(spend - now, 4),
                    "incremental_revenue_usd": gain,
                    "p05_usd": gain - 0.25 * abs(gain),
                    "p95_usd": gain + 0.3 * abs(gain),
                    "probability_of_gain": {
                        "current": 0.5,
                        "optimal": 0.97,
                        "plus_10pct": 0.99,
                        "minus_10pct": 0.02,
                        "move_5m": 0.94,
                    }[name],
                    "is_extrapolated": bool(spend > now * 1.4),
                    "horizon_weeks": 13,
                }
            )
    out["fct_response_curve"] = common(pd.DataFrame(curve), brand, "mmm")
    out["fct_budget_scenario"] = common(pd.DataFrame(scenario), brand, "budget")
    out["fct_wasted_spend"] = common(
        pd.DataFrame(
            [
                {
                    "channel_id": c,
                    "dma_id": p,
                    "spend_usd": 60_000.0 * size * w,
                    "marginal_roi": m,
                    "marginal_roi_p05": m * 0.5,
                    "marginal_roi_p95": m * 1.6,
                    "probability_wasted": 0.96 if m < 0.5 else 0.7,
                    "wasted_spend_usd": 60_000.0 * size * w * (1 - m),
                }
                for c, m in (("meta_retargeting", 0.3), ("search_brand", 0.6))
                for p, w in zip(places, share, strict=True)
            ]
        ),
        brand,
        "budget",
    )
    out["fct_price_elasticity"] = common(
        pd.DataFrame(
            [
                {
                    "scope": "brand",
                    "scope_id": brand,
                    "estimate": -1.71,
                    "ci_low": -1.95,
                    "ci_high": -1.47,
                    "promo_lift_pct": 14.2,
                    "promo_lift_ci_low": 10.1,
                    "promo_lift_ci_high": 18.4,
                    "interaction": -0.2,
                    "interaction_ci_low": -0.4,
                    "interaction_ci_high": 0.01,
                    "std_error_kind": "cluster",
                    "observations": 4000,
                }
            ]
        ),
        brand,
        "elasticity",
    )
    out["fct_mediation"] = common(
        pd.DataFrame(
            [
                {
                    "mediator": "search_brand",
                    "channel_id": "instagram_reels",
                    "direct_effect": 1.2,
                    "direct_p05": 0.8,
                    "direct_p95": 1.6,
                    "indirect_effect": 0.4,
                    "indirect_p05": 0.1,
                    "indirect_p95": 0.7,
                    "share_mediated": 0.25,
                    "share_p05": 0.08,
                    "share_p95": 0.42,
                    "verdict": "supported",
                }
            ]
        ),
        brand,
        "mediation",
    )
    out["fct_model_diagnostic"] = common(
        pd.DataFrame(
            [
                {"metric": "durbin_watson", "value": 1.91, "threshold": 1.5, "is_flagged": False},
                {"metric": "holdout_wape", "value": 0.081, "threshold": 0.15, "is_flagged": False},
                {"metric": "max_vif", "value": 12.4, "threshold": 10.0, "is_flagged": True},
            ]
        ),
        brand,
        "mmm",
    )
    evidence = []
    launch_spend = roi[roi.window_name == "launch"].set_index("channel_id").spend_usd
    for channel, spend in launch_spend.items():
        verdict = (
            "over_credited"
            if CLAIM[channel] > 2.2 * ROI[channel]
            else "under_credited"
            if CLAIM[channel] < 0.7 * ROI[channel]
            else "consistent"
        )
        for source, value, low, high, causal in (
            ("platform_claim", CLAIM[channel], None, None, False),
            ("last_touch", CLAIM[channel] * 0.6, None, None, False),
            ("markov", (CLAIM[channel] + ROI[channel]) / 2, None, None, False),
            ("shapley", (CLAIM[channel] + 1.2 * ROI[channel]) / 2.2, None, None, False),
            ("mmm", ROI[channel], ROI[channel] * 0.7, ROI[channel] * 1.35, True),
            *((("lift", 2.5, 1.8, 3.3, True),) if channel == "ctv_other" else ()),
        ):
            evidence.append(
                {
                    "channel_id": channel,
                    "source": source,
                    "value_usd": value * spend,
                    "spend_usd": spend,
                    "roas": value,
                    "roas_low": low,
                    "roas_high": high,
                    "is_incremental": causal,
                    "window_start": launch,
                    "window_end": END,
                    "attribution_window": WINDOW[channel] if source == "platform_claim" else None,
                    "verdict": verdict,
                    "verdict_probability": 0.97 if verdict != "consistent" else 0.8,
                }
            )
    out["fct_channel_evidence"] = common(pd.DataFrame(evidence), brand, "mmm")
    credit = []
    for model in ("first_touch", "last_touch", "linear", "markov", "shapley"):
        for channel, spend in launch_spend.items():
            factor = {"last_touch": CLAIM[channel] * 0.6, "first_touch": ROI[channel] * 0.8}.get(
                model, ROI[channel]
            )
            for week in sundays[-12:]:
                credit.append(
                    {
                        "model": model,
                        "week_start_date": week,
                        "week_id": week.year * 100 + week.week,
                        "dma_id": "000",
                        "channel_id": channel,
                        "credited_conversions": spend * factor / 12 / 28,
                        "credited_value_usd": spend * factor / 12,
                        "model_version": "v1",
                        "first_touch_share": 0.3,
                        "last_touch_share": 0.4,
                        "assist_share": 0.3,
                        "vt_eligible": True,
                    }
                )
    out["fct_attribution_credit_week"] = common(pd.DataFrame(credit), brand, "attribution")
    out["fct_geo_lift"] = common(
        pd.DataFrame(
            [
                {
                    "experiment_id": "ctv-2026-q3",
                    "channel_id": "ctv_other",
                    "kind": "heavy_up",
                    "method": m,
                    "is_primary": f == 1.0,
                    "window_start": date(2026, 8, 30),
                    "window_end": date(2026, 9, 26),
                    "att": 152.0 * f,
                    "incremental_revenue_usd": 410_000.0 * f,
                    "incremental_p025_usd": 290_000.0 * f,
                    "incremental_p975_usd": 540_000.0 * f,
                    "lift_pct": 5.6 * f,
                    "lift_ci_low": 3.9 * f,
                    "lift_ci_high": 7.2 * f,
                    "p_value": 0.004,
                    "spend_usd": 164_000.0,
                    "iroas": 2.5 * f,
                    "iroas_ci_low": 1.77 * f,
                    "iroas_ci_high": 3.29 * f,
                    "pre_period_fit": 0.987,
                    "note": "",
                }
                for m, f in (("synthetic_control", 1.0), ("did", 0.94))
            ]
        ),
        brand,
        "geolift",
    )
    test_days = pd.date_range(END - timedelta(days=83), END - timedelta(days=28))
    counter = 90_000 + 4000 * np.sin(np.arange(len(test_days)) * 2 * np.pi / 7)
    lift = np.where(test_days >= pd.Timestamp(2026, 8, 30), 1.056, 1.0)
    out["fct_geo_lift_series"] = common(
        pd.DataFrame(
            {
                "experiment_id": "ctv-2026-q3",
                "date_day": test_days,
                "observed": counter * lift * rng.normal(1, 0.01, len(test_days)),
                "counterfactual": counter,
                "low": counter * 0.97,
                "high": counter * 1.03,
            }
        ),
        brand,
        "geolift",
    )
    out["fct_frequency_waste"] = common(
        pd.DataFrame(
            [
                {
                    "channel_id": c,
                    "dma_id": p,
                    "knee_frequency": 5.5,
                    "knee_p05": 4.6,
                    "knee_p95": 6.4,
                    "spend_usd": 50_000.0 * w,
                    "waste_usd": 7_000.0 * w,
                    "waste_p05_usd": 4_000.0 * w,
                    "waste_p95_usd": 9_500.0 * w,
                }
                for c in ("youtube", "meta_retargeting")
                for p, w in zip(places, share, strict=True)
            ]
        ),
        brand,
        "frequency",
    )
    statements = [
        "CTV and YouTube are under-credited by last touch",
        "Retargeting is over-credited by the platform",
        "Social works partly through brand search",
        "Spend above the frequency knee is wasted",
        "Retail media is mostly demand capture",
    ]
    out["fct_hypothesis"] = common(
        pd.DataFrame(
            [
                {
                    "hypothesis_id": i + 1,
                    "statement": s,
                    "estimate": e,
                    "ci_low": lo,
                    "ci_high": hi,
                    "unit": u,
                    "verdict": v,
                    "probability": p,
                    "evidence": "fct_channel_evidence",
                    "query_sql": "select 1",
                }
                for i, (s, e, lo, hi, u, v, p) in enumerate(
                    zip(
                        statements,
                        (1.6, 4.1, 0.25, 0.14, 0.4),
                        (0.9, 2.7, 0.08, 0.08, -0.2),
                        (2.3, 5.9, 0.42, 0.19, 1.1),
                        ("ROAS difference", "ROAS difference", "share", "share", "ROAS difference"),
                        ("supported", "supported", "supported", "supported", "undetermined"),
                        (0.98, 0.99, 0.97, 0.99, 0.71),
                        strict=True,
                    )
                )
            ]
        ),
        brand,
        "hypothesis",
    )
    out.update(forecast_of(rng, brand, places, share, products=4, size=size))
    segments = ["s1", "s2", "s3", "s4"]
    out["fct_segment_response"] = common(
        pd.DataFrame(
            [
                {
                    "segment_id": s,
                    "channel_id": c,
                    "effect": 0.02 * (i + 1) * ROI[c],
                    "effect_p05": 0.01 * (i + 1) * ROI[c],
                    "effect_p95": 0.035 * (i + 1) * ROI[c],
                    "is_supported": not (s == "s4" and c == "coupon"),
                    "note": "",
                }
                for i, s in enumerate(segments)
                for c in ("email", "coupon", "instagram_reels")
            ]
        ),
        brand,
        "segments",
    )
    out["fct_segment_migration"] = common(
        pd.DataFrame(
            [
                {
                    "month_start_date": date(2026, 9, 1),
                    "from_segment_id": a,
                    "to_segment_id": b,
                    "customers": 900 if a == b else 60,
                }
                for a in segments
                for b in segments
            ]
        ),
        brand,
        "segments",
    )
    return out
