"""The warehouse job on a small world: coherent at every level, a row for every series, refusal when too short."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from modeling.errors import Refusal
from modeling.forecast import job, spec
from modeling.forecast.candidates import BATCHED, YARDSTICKS


def features(weeks: int = 70) -> dict[str, pd.DataFrame]:
    rng = np.random.default_rng(0)
    dates = pd.date_range("2024-08-04", periods=weeks, freq="7D")
    sales, stock = [], []
    for retailer in ("target", "walmart"):
        for dma in ("501", "502", "503"):
            for product in ("p1", "p2"):
                mean = 50 * (1 + (dma == "501")) * (1 + (product == "p1"))
                begin = weeks - 2 if (retailer, dma, product) == ("target", "503", "p2") else 0
                units = rng.poisson(mean, weeks).astype(float)
                cut = rng.random(weeks) < 0.03
                units[cut] = 0
                sales.append(
                    pd.DataFrame(
                        {
                            "brand_id": "b",
                            "retailer_id": retailer,
                            "dma_id": dma,
                            "product_id": product,
                            "week_start_date": dates,
                            "units_sold": units,
                            "is_censored": cut,
                        }
                    )[begin:]
                )
                stock.append(("b", retailer, dma, product, dates[-1], 3.0 * mean, None, 10.0))
    media = [
        ("b", dma, week, k >= weeks, *rng.gamma(2, 100, 7))
        for dma in ("501", "502", "503")
        for k, week in enumerate(pd.date_range("2024-08-04", periods=weeks + 13, freq="7D"))
    ]
    promo = [
        ("b", "target", "p1", dates[5], 0.2, 7),
        ("b", "target", "p1", dates[-1] + pd.Timedelta(days=14), 0.2, 7),
    ]
    return {
        "feat_forecast_product_week": pd.concat(sales, ignore_index=True),
        "feat_forecast_promotion_week": pd.DataFrame(
            promo, columns=list(spec.INPUTS["feat_forecast_promotion_week"])
        ),
        "feat_forecast_media_week": pd.DataFrame(
            media, columns=list(spec.INPUTS["feat_forecast_media_week"])
        ),
        "feat_forecast_stock": pd.DataFrame(stock, columns=list(spec.INPUTS["feat_forecast_stock"])),
    }


def test_levels_add_up_and_no_series_is_missing() -> None:
    world = features()
    assert job.units(world) == ["target", "walmart", "nation"]
    result = job.fit(world, "target", seed=1, upstream={})
    for table, columns in spec.OUTPUTS.items():
        assert set(result.outputs[table].columns) == set(columns)
    table = result.outputs["demand_forecast_week"]
    by = table.groupby(["level", "week_start_date"])["mean_units"].sum().unstack(0)
    assert np.allclose(by["product"], by["dma_retailer"], rtol=1e-9)
    assert np.allclose(by["retailer"], by["dma_retailer"], rtol=1e-9)
    products = table[table["level"] == "product"]
    assert len(products) == 6 * job.HORIZON and (table["mean_units"] >= 0).all()
    assert set(products.loc[products["dma_id"] + products["product_id"] == "503p2", "forecast_flag"]) == {
        "no_history"
    }
    assert (table["p10_units"] <= table["p50_units"]).all() and (
        table["p50_units"] <= table["p90_units"]
    ).all()
    risk = result.outputs["stock_risk_week"]
    assert (
        len(risk) == 6 * job.HORIZON
        and (np.diff(risk["probability_stockout"].to_numpy()[: job.HORIZON]) >= 0).all()
    )
    again = job.fit(world, "target", seed=1, upstream={})
    pd.testing.assert_frame_equal(table, again.outputs["demand_forecast_week"])


def test_too_short_is_refused_in_one_line() -> None:
    with pytest.raises(Refusal, match="too short: 20 weeks"):
        job.fit(features(20), "target", seed=1, upstream={})


def test_when_every_model_breaks_yardsticks_stand_in_and_the_mart_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(_: object) -> np.ndarray:
        raise RuntimeError("no convergence")

    for name in BATCHED:
        if name not in YARDSTICKS:
            monkeypatch.setitem(BATCHED, name, broken)
    result = job.fit(features(), "walmart", seed=1, upstream={})
    table = result.outputs["demand_forecast_week"]
    top = table[table["level"] == "dma_retailer"]
    assert set(top["forecast_flag"]) == {"yardstick_only"} and len(top) == 3 * job.HORIZON
    assert np.isfinite(table[["p10_units", "p50_units", "p90_units", "mean_units"]]).all().all()
    assert (top["mean_units"] > 0).all()
    assert any("no convergence" in note for note in result.metrics["notes"])  # type: ignore[union-attr]


def test_two_rounds_are_two_kept_forecasts_and_media_ahead_is_assumed() -> None:
    first, second = features(69), features(70)
    dates = [
        pd.to_datetime(
            job.fit(world, "target", seed=1, upstream={}).outputs["demand_forecast_week"]["week_start_date"]
        )
        for world in (first, second)
    ]
    assert dates[1].min() - dates[0].min() == pd.Timedelta(days=7)
    panel = job._panel(
        ["a"],
        pd.date_range("2024-08-04", periods=40, freq="7D"),
        np.ones((1, 27)),
        np.arange(80.0).reshape(1, 40, 2),
        ["plan", "media"],
        assumed=(1,),
    )
    seen = panel.until(20, 4)
    assert np.allclose(seen.exog[0, 20:, 0], [40, 42, 44, 46]) and np.allclose(seen.exog[0, 20:, 1], 36)


def test_sums_of_media_in_another_order_give_the_same_forecast() -> None:
    world, other = features(), features()
    media = other["feat_forecast_media_week"]
    spends = media.select_dtypes("float64").columns
    assert len(spends) == 7
    media[spends] = np.nextafter(media[spends], np.inf)
    one, two = (job.fit(w, "nation", seed=1, upstream={}).outputs for w in (world, other))
    for table, frame in one.items():
        pd.testing.assert_frame_equal(frame, two[table], check_exact=True)
