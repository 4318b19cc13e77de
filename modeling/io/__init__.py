"""The models' only door to a warehouse: feature marts out as Parquet, run outputs in, in one transaction.

Estimators never import this package; :mod:`modeling.runner_cli` does.
"""

from __future__ import annotations

from contextlib import AbstractContextManager

from modeling.io.base import COMMON_COLUMNS, RUN_TABLES, Warehouse, WarehouseBusy
from settings import Settings

__all__ = ["COMMON_COLUMNS", "RUN_TABLES", "Warehouse", "WarehouseBusy", "open_warehouse"]


def open_warehouse(settings: Settings) -> AbstractContextManager[Warehouse]:
    """Open the warehouse that the settings name, for reading features and recording runs.

    Raises:
        WarehouseBusy: DuckDB's file stayed locked by another process (named by its id) for the whole wait.
    """
    if settings.warehouse_target == "redshift":
        from modeling.io.redshift import RedshiftWarehouse

        assert settings.redshift is not None  # noqa: S101 - load_settings guarantees it
        return RedshiftWarehouse(settings.redshift)
    from modeling.io.duckdb import DuckDBWarehouse

    return DuckDBWarehouse(settings.warehouse_path)
