"""The new-feed command: what it writes, what it refuses; its way through the warehouse is shown in tests/dbt/test_new_feed.py."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ingest.contracts import ContractError
from ingest.newfeed import create
from tests.ingest.helpers import ROOT

SAMPLE = 'Day,Campaign,Cost,Region\n2026-01-05,Winter,"$1,100.25",north\n2026-01-06,Winter,90.50,north\n'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for part in ("seeds", "tests", "models/intermediate/media"):
        shutil.copytree(ROOT / "dbt" / part, tmp_path / "dbt" / part)
    (tmp_path / "sample.csv").write_text(SAMPLE)
    return tmp_path


def state(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def make(project: Path, channel: str, **more: str) -> list[Path]:
    return create(
        "acme_ads", project / "sample.csv", partner="Acme", channel=channel, types={}, root=project, **more
    )


def test_a_channel_that_is_there_gets_a_rule_and_no_row(project: Path) -> None:
    before = state(project)
    written = make(project, "tiktok")
    changed = {path for path, data in state(project).items() if before.get(path) != data}
    assert changed == set(written)
    assert not {"channels.csv", "adstock.csv"} & {path.name for path in changed}
    rules = (project / "dbt/seeds/campaign_rules.csv").read_text()
    assert rules.splitlines()[-1] == "acme_ads,10,campaign_name,%,tiktok,none"
    model = (project / "dbt/models/staging/acme_ads/stg_acme_ads__media_daily.sql").read_text()
    assert "cast(campaign_name as varchar(64)) as campaign_id" in model and "'000'" in model
    union = (project / "dbt/models/intermediate/media/int_media_union.sql").read_text()
    assert union.count("'stg_acme_ads__media_daily', unclaimed)") == 1


def test_a_new_channel_gets_its_rows(project: Path) -> None:
    make(project, "acme", channel_group="social")
    assert "\nacme,Acme,social,false,false,true,acme_ads," in (project / "dbt/seeds/channels.csv").read_text()
    assert "\nacme,geometric," in (project / "dbt/seeds/adstock.csv").read_text()


@pytest.mark.parametrize(
    ("channel", "sample", "said"),
    [
        ("acme", SAMPLE, "--channel-group"),
        ("Acme!", SAMPLE, "plain lower-case"),
        ("tiktok", SAMPLE.replace("Cost", "Price paid"), "amount_spent"),
        ("tiktok", "Day,Cost\n", "at least one row"),
    ],
)
def test_what_has_no_place_is_refused_and_nothing_written(
    project: Path, channel: str, sample: str, said: str
) -> None:
    (project / "sample.csv").write_text(sample)
    before = state(project)
    with pytest.raises(ContractError, match=said):
        make(project, channel)
    assert state(project) == before


def test_a_list_that_moved_is_named(project: Path) -> None:
    path = project / "dbt/models/intermediate/media/int_media_union.sql"
    path.write_text(path.read_text().replace("{% set feeds = [", "{% set all_feeds = ["))
    with pytest.raises(ContractError, match="no list of feeds; add by hand"):
        make(project, "tiktok")
