"""A channel that nobody knew: one command, its file in the landing zone, and its spend in every mart that carries spend.

The same build is searched for planted identifiers: dbt's artefacts and logs, the warehouse, the served copy.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from tests.dbt import world
from tests.dbt.conftest import BIN, ROOT
from tests.ingest.canary import canaries, found, needles, plant, texts

pytestmark = pytest.mark.slow  # a whole dbt project parsed and built: two minutes
PARTS = ("ingest", "dbt", "modeling", "serving", "sql", "settings.py")
REACHED = ("@stg_acme_ads__media_daily", "+path:models/marts/customer", "path:seeds")
PEOPLE = canaries(1000)


class Project:
    """A copy of the project with a warehouse of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home = folder, folder / "project"
        for part in PARTS:
            source, target = ROOT / part, self.home / part
            target.parent.mkdir(parents=True, exist_ok=True)
            ignored = shutil.ignore_patterns("__pycache__", "logs")
            shutil.copytree(source, target, ignore=ignored) if source.is_dir() else shutil.copy(
                source, target
            )
        (self.home / "pyproject.toml").touch()
        self.warehouse, self.serving, self.said = folder / "wh.duckdb", folder / "serving.duckdb", ""
        self.env = {
            **os.environ, "WAREHOUSE_TARGET": "duckdb", "WAREHOUSE_PATH": str(self.warehouse), "PYTHONPATH": str(self.home), "SERVING_PATH": str(self.serving),
            "LANDING_URI": str(folder / "landing"), "PII_HASH_KEY": "0123456789abcdef0123456789abcdef",
            "RUNS_DIR": str(folder / "runs"), "OMP_NUM_THREADS": "1", "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        }  # fmt: skip

    def run(self, *command: str | Path) -> str:
        done = subprocess.run(
            [str(word) for word in command],
            cwd=self.home,
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
        self.said += done.stdout + done.stderr
        return done.stdout

    def dbt(self, *words: str) -> str:
        return self.run(
            BIN / "dbt", "--no-version-check", "--no-use-colors", *words, "--project-dir", "dbt", "--profiles-dir", "dbt",
            "--target-path", self.folder / "target", "--log-path", self.folder / "logs",
        )  # fmt: skip


def partner_file(path: Path) -> Decimal:
    """Three weeks in two markets, in the partner's own words; what it cost in all."""
    rows, total = (
        [["Day", "Campaign ID", "Campaign Name", "DMA", "Impressions", "Clicks", "Cost", "Placement"]],
        Decimal(0),
    )
    for offset in range(21):
        for market, base in (("501", "1,100.25"), ("803", "90.50")):
            day = (world.SUNDAY + timedelta(days=offset)).isoformat()
            rows.append([day, "77", "Acme Winter", market, "1000", "10", f"${base}", "feed"])
            total += Decimal(base.replace(",", ""))
    with path.open("w", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows(rows)
    return total


@pytest.fixture(scope="module")
def added(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Project, Decimal, list[Path]]]:
    """The project after the one command, its file loaded and everything built that the feed reaches."""
    project = Project(tmp_path_factory.mktemp("new_feed"))
    before = {path: path.read_bytes() for path in project.home.rglob("*") if path.is_file()}
    sample = project.folder / "acme.csv"
    total = partner_file(sample)
    project.run(
        BIN / "python", "-m", "ingest", "new-feed", "acme_ads", "--sample", sample, "--partner", "Acme Ads",
        "--channel", "acme", "--channel-name", "Acme Social", "--channel-group", "social",
    )  # fmt: skip
    changed = [
        path for path in project.home.rglob("*") if path.is_file() and before.get(path) != path.read_bytes()
    ]
    delivery = project.folder / "landing" / "brand=alpha" / "acme_ads" / "acme__20260126T060000Z.csv"
    delivery.parent.mkdir(parents=True)
    shutil.copy(sample, delivery)
    for module in ("ingest", "modeling"):
        project.run(BIN / "python", "-m", module, "init")
    plant(project.folder / "landing" / "brand=canary", PEOPLE)
    project.run(BIN / "python", "-m", "ingest", "run")
    with duckdb.connect(str(project.warehouse)) as connection:
        world.fill(connection, "alpha")
    project.dbt("build", "--select", *REACHED, "--exclude-resource-type", "test", "unit_test")
    project.dbt("test", "--select", "media_spend_equals_staging")
    project.run(BIN / "python", "-m", "serving", "publish")
    yield (
        project,
        total,
        [path.relative_to(project.home) for path in changed if "__pycache__" not in path.parts],
    )


def test_the_command_writes_all_there_is_to_write(added: tuple[Project, Decimal, list[Path]]) -> None:
    assert sorted(map(str, added[2])) == [
        "dbt/models/intermediate/media/int_campaign_name.sql",
        "dbt/models/intermediate/media/int_media_day.sql",
        "dbt/models/intermediate/media/int_media_union.sql",
        "dbt/models/staging/acme_ads/_acme_ads__sources.yml",
        "dbt/models/staging/acme_ads/stg_acme_ads__media_daily.sql",
        "dbt/seeds/adstock.csv",
        "dbt/seeds/campaign_rules.csv",
        "dbt/seeds/channels.csv",
        "dbt/tests/media_spend_equals_staging.sql",
        "ingest/contracts/acme_ads.yml",
        "tests/ingest/samples/acme_ads.csv",
    ]


Added = tuple[Project, Decimal, list[Path]]
ACME = "where brand_id = 'alpha' and channel_id = 'acme'"
GROUPS = """
    select m.brand_id, m.dma_id, m.week_start_date,
        sum(case when c.channel_group = 'social' then m.adstock_spend_usd else 0 end) as social,
        sum(case when m.channel_id = 'acme' then m.adstock_spend_usd else 0 end) as acme
    from marts.fct_media_adstock_week as m join marts.dim_channel as c using (channel_id) group by all
"""
#: Relations that hold a channel's spend as such, to the cent.
TO_THE_CENT = {
    "marts.fct_media_daily", "marts.fct_media_week", "marts.fct_media_adstock_week", "features.feat_mmm_media_week"
}  # fmt: skip
#: Relations that hold it carried over, over a group of channels or over all of them: each has a question below.
SUMMED = {
    "marts.fct_kpi_daily": f"select sum(k.spend_usd) = (select sum(spend_usd) from marts.fct_media_daily where brand_id = 'alpha') "
    f"and sum(k.spend_usd) > (select sum(spend_usd) from marts.fct_media_daily {ACME}) "
    "from marts.fct_kpi_daily as k where k.brand_id = 'alpha'",
    "features.feat_segment_pressure_week": "select abs(sum(pressure_usd_per_home * tv_homes) - (select sum(adstock_spend_usd) from "
    f"marts.fct_media_adstock_week {ACME})) < 0.01 and count(*) > 0 from features.feat_segment_pressure_week {ACME}",
    "features.feat_forecast_media_week": f"select count(*) > 0 and max(abs(f.social_usd - g.social)) < 0.01 from ({GROUPS}) as g "
    "join features.feat_forecast_media_week as f using (brand_id, dma_id, week_start_date) where g.acme > 0 and not f.is_future",
    "features.feat_geo_cluster_week": f"select count(*) > 0 and max(abs(f.social_usd_per_home * f.tv_homes - g.social)) < 0.01 from ({GROUPS}) "
    "as g join features.feat_geo_cluster_week as f using (brand_id, dma_id, week_start_date) where g.acme > 0",
}
#: Relations that read media and hold no spend of a channel without an experiment, a reach report or a fitted model of it.
WITHOUT = {
    "marts.dim_campaign", "marts.fct_data_quality", "marts.fct_channel_evidence", "features.feat_frequency_spend",
    "features.feat_geo_lift_panel", "features.feat_mmm_week",
}  # fmt: skip


def rows(project: Project, sql: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(project.warehouse), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def test_every_relation_downstream_is_known(added: Added) -> None:
    """A new mart over media must be given a question here, or a reason for having none."""
    manifest = json.loads((added[0].folder / "target" / "manifest.json").read_text())
    reached, todo = set(), ["model.warehouse.stg_acme_ads__media_daily"]
    while todo:
        fresh = set(manifest["child_map"].get(todo.pop(), ())) - reached
        reached |= fresh
        todo += fresh
    nodes = [manifest["nodes"][key] for key in reached if key.startswith("model.")]
    built = {f"{n['schema']}.{n['name']}" for n in nodes if n["schema"] in ("marts", "features")}
    assert built == TO_THE_CENT | set(SUMMED) | WITHOUT


@pytest.mark.parametrize("relation", sorted(TO_THE_CENT))
def test_spend_arrives_to_the_cent(added: Added, relation: str) -> None:
    project, total, _ = added
    ((found_there,),) = rows(project, f"select sum(spend_usd) from {relation} {ACME}")
    assert Decimal(str(found_there)).quantize(Decimal("0.01")) == total


@pytest.mark.parametrize("relation", sorted(SUMMED))
def test_spend_is_in_the_sums(added: Added, relation: str) -> None:
    assert rows(added[0], SUMMED[relation]) == [(True,)]


def test_the_channel_and_its_campaign_have_names(added: Added) -> None:
    assert rows(
        added[0], "select channel_name, channel_group from marts.dim_channel where channel_id = 'acme'"
    ) == [("Acme Social", "social")]
    assert rows(added[0], f"select campaign_name from marts.dim_campaign {ACME}") == [("Acme Winter",)]


def test_the_served_copy_has_it_too(added: Added) -> None:
    with duckdb.connect(str(added[0].serving), read_only=True) as connection:
        assert connection.execute(f"select sum(spend_usd) from marts.fct_media_week {ACME}").fetchall() == [
            (added[1],)
        ]


def test_no_planted_identifier_behind_the_intake(added: Added) -> None:
    """dbt's target folder and logs, what was printed, the warehouse and the served copy, as bytes and decompressed."""
    project, words = added[0], needles(PEOPLE)
    assert rows(project, "select count(*) > 900 from raw.crm_customers where brand_id = 'canary'") == [
        (True,)
    ]
    assert rows(
        project, "select sum(spend_usd) > 0 from marts.fct_media_daily where brand_id = 'canary'"
    ) == [(True,)]
    assert found(project.said.encode(), words) == []
    places = [path for path in project.folder.rglob("*") if path.is_file()]
    places = [path for path in places if not path.is_relative_to(project.folder / "landing")]
    assert {"manifest.json", "dbt.log", "wh.duckdb", "serving.duckdb"} <= {path.name for path in places}
    for path in places:
        assert found(path.read_bytes(), words) == [], path.name
    for file in (project.warehouse, project.serving):
        for table, text in texts(file):
            assert found(text, words) == [], (file.name, table)


def test_a_later_delivery_reaches_the_daily_mart_too(added: Added) -> None:
    """The mart is built by day: the new feed must be among those whose days it watches."""
    project, total, _ = added
    later = project.folder / "landing" / "brand=alpha" / "acme_ads" / "acme__20260202T060000Z.csv"
    day = (world.SUNDAY + timedelta(days=21)).isoformat()
    later.write_text(
        "Day,Campaign ID,Campaign Name,DMA,Impressions,Clicks,Cost,Placement\n"
        f"{day},77,Acme Winter,501,1000,10,$12.34,feed\n"
    )
    project.run(BIN / "python", "-m", "ingest", "run")
    project.dbt("build", "--select", "+fct_media_daily", "--exclude-resource-type", "test", "unit_test")
    project.dbt("test", "--select", "media_spend_equals_staging")
    assert rows(project, f"select sum(spend_usd) from marts.fct_media_daily {ACME}") == [
        (total + Decimal("12.34"),)
    ]
