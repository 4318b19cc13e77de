"""Two rounds of the job, their forecasts kept: the marts that hold past forecasts against sales fill, and drift shows."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import duckdb
import jinja2
import pandas as pd
import pytest

from modeling.forecast import job
from tests.forecast.test_job import features

MARTS = Path(__file__).resolve().parents[2] / "dbt" / "models" / "marts" / "outputs" / "forecast"
WEEKS, LATER = 66, 4


def _select(name: str) -> str:
    """The mart's SQL with its sources and refs as plain table names."""
    template = jinja2.Template((MARTS / f"{name}.sql").read_text())
    return template.render(source=lambda _, table: table, ref=lambda table: table, var=lambda _, value: value)


@cache
def _rounds() -> tuple[list[dict[str, object]], pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Runs, their forecasts and backtests, and what was sold, after two rounds four weeks apart."""
    runs: list[dict[str, object]] = []
    forecasts, backtests = [], []
    for k, weeks in enumerate((WEEKS, WEEKS + LATER)):
        world = features(weeks)
        sold = world["feat_forecast_product_week"]
        as_of = pd.to_datetime(sold["week_start_date"]).max() + pd.Timedelta(days=6)
        known = {"run_id": f"run{k}", "as_of_date": as_of}
        runs.append({**known, "job": "forecast", "unit": "target", "status": "succeeded", "recorded_seq": k})
        outputs = job.fit(world, "target", seed=1, upstream={}).outputs
        forecasts.append(outputs["demand_forecast_week"].assign(**known))
        backtests.append(outputs["forecast_backtest"].assign(**known))
    return runs, pd.concat(forecasts), pd.concat(backtests), sold


def _marts(sales_factor: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Accuracy and drift after both rounds; sales since the first times a factor."""
    runs, forecasts, backtests, sold = _rounds()
    sold = sold.assign(is_complete=True, is_stockout=False)
    newer = pd.to_datetime(sold["week_start_date"]) > runs[0]["as_of_date"]
    assert newer.any()
    sold.loc[newer, "units_sold"] = sold.loc[newer, "units_sold"] * sales_factor
    with duckdb.connect() as db:
        for table, frame in (
            ("model_run", pd.DataFrame(runs)),
            ("demand_forecast_week", forecasts),
            ("forecast_backtest", backtests),
            ("fct_pos_week", sold),
        ):
            frame = frame.assign(brand_id="b")
            db.register("frame", frame)
            db.execute(f"create table {table} as select * from frame")
            db.unregister("frame")
        db.execute(f"create table fct_forecast_accuracy_week as {_select('fct_forecast_accuracy_week')}")
        return db.sql("from fct_forecast_accuracy_week").df(), db.sql(_select("fct_forecast_drift")).df()


@pytest.mark.parametrize(("sales_factor", "drifting"), [(1.0, False), (3.0, True)])
def test_a_second_round_scores_the_first(sales_factor: float, drifting: bool) -> None:
    accuracy, drift = _marts(sales_factor)
    assert set(accuracy["run_id"]) == {"run0"} and set(accuracy["horizon_week"]) == {1, 2, 3, 4}
    assert len(accuracy) == LATER * accuracy["dma_id"].nunique() and accuracy["dma_id"].nunique() == 3
    error = (accuracy["sold_units"] - accuracy["p50_units"]).abs()
    assert (error - accuracy["absolute_error_units"]).abs().max() < 1e-9
    assert set(drift["retailer_id"]) == {"target"} and drift["week_start_date"].nunique() == LATER
    assert bool(drift.sort_values("week_start_date")["is_drifting"].iloc[-1]) is drifting
