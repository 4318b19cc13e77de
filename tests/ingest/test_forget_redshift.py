"""Erasure on the Redshift-dialect stand-in: gone from raw and history, kept away from a redelivery."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest import run as intake
from ingest.contracts import load_contracts
from ingest.forget import forget
from ingest.pii import Hasher
from settings import load_settings
from tests.faults.catalogue import good
from tests.ingest.helpers import place

pytestmark = pytest.mark.redshift
CONTRACTS = load_contracts()


def test_forgotten_people_stay_away_on_redshift(environment: dict[str, str], tmp_path: Path) -> None:
    landing, contract = tmp_path / "landing", CONTRACTS["crm_customers"]
    settings = load_settings(
        {**environment, "LANDING_URI": str(landing), "WAREHOUSE_PATH": str(tmp_path / "data" / "w.duckdb"),
         "SERVING_PATH": str(tmp_path / "data" / "s.duckdb")}
    )  # fmt: skip
    place(landing / "crm_customers" / "c__20261001T000000Z.csv", good(contract))
    intake.run(settings, CONTRACTS)
    erased = forget(settings, CONTRACTS, ["PERSON3@example.org", "per5"])
    assert (erased.landing_rows, erased.warehouse_rows) == (2, 2)
    assert intake.run(settings, CONTRACTS) == []
    place(
        landing / "crm_customers" / "again__20261101T000000Z.csv",
        good(contract) + b"per99,x@example.org,,A,B,10001,2026-09-06,2,walmart\n",
    )
    intake.run(settings, CONTRACTS)
    gone = {Hasher(settings.pii_hash_key())("email", f"person{i}@example.org") for i in (3, 5)}
    with intake.opened(settings, CONTRACTS, read_only=True) as opened:
        rows = opened.query(
            "select email_hash from raw.crm_customers union all select email_hash from raw_history.crm_customers"
        )
        line = opened.query(
            "select reason from intake.ledger where file_name = 'again__20261101T000000Z.csv'"
        )
    assert len(rows) >= 39 and not gone & {row["email_hash"] for row in rows}
    assert "suppressed" in line[0]["reason"]
