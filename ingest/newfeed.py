"""A new feed in minutes: a contract, a staging model, a golden sample and the registry rows from one command."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import yaml

from ingest.contracts import CONTRACT_DIR, TYPES, ContractError, load_contracts, normal_header, parse_contract
from ingest.newfeed_registry import additions

ROOT = Path(__file__).resolve().parents[1]
# Canonical columns of the media vocabulary: what a staging model of an advertising channel hands on.
MEDIA = {
    "date_day": ("date", ("date", "day", "report_date")),
    "campaign_id": ("text", ("campaign_id",)),
    "campaign_name": ("text", ("campaign_name", "campaign")),
    "dma_code": ("text", ("dma_code", "dma")),
    "impressions": ("integer", ("impressions", "impression")),
    "clicks": ("integer", ("clicks", "click")),
    "spend": ("decimal", ("spend", "cost", "amount_spent")),
}


def draft(
    feed: str, headers: list[str], types: dict[str, str], *, partner: str, family: str
) -> dict[str, Any]:
    """Contract document for a delimited daily feed. Types that nobody declared are text: nothing is guessed.

    Raises:
        ContractError: a type is unknown or a header is empty.
    """
    fields: dict[str, dict[str, Any]] = {}
    for header in headers:
        normal = normal_header(header)
        if not normal or not normal[0].isalpha():
            raise ContractError(f"{feed}: header {header!r} cannot become a column name")
        name = next((canonical for canonical, (_, names) in MEDIA.items() if normal in names), normal)
        kind = types.get(header) or types.get(name) or MEDIA.get(name, ("text",))[0]
        if kind not in TYPES:
            raise ContractError(f"{feed}: type {kind!r} (allowed: {', '.join(TYPES)})")
        entry: dict[str, Any] = {"type": kind}
        if header != name:
            entry["header"] = header
        if name in ("date_day", "spend", "campaign_id"):
            entry["required"] = True
        if name == "campaign_name":
            entry["free_text"] = True
        fields[name] = entry
    document: dict[str, Any] = {
        "feed": feed,
        "partner": partner,
        "family": family,
        "version": 1,
        "format": "csv",
        "mode": "replace",
        "key": [n for n in ("date_day", "campaign_id", "campaign_name", "dma_code") if n in fields],
        "cadence": "daily",
        "restatement_days": 30,
        "timezone": "UTC",
        "footer": {"rule": "standard"},
        "numbers": {"locale": "us", "currency": "USD"},
        "fields": fields,
    }
    if "date_day" in fields:
        document |= {"partition": ["date_day"], "event_date": "date_day"}
    if "spend" in fields:
        document["money"] = {"field": "spend", "unit_usd": "1"}
    return document


def staging_sql(document: dict[str, Any]) -> str:
    """Staging view of an advertising channel in the shared media vocabulary."""
    fields, whole = document["fields"], f"'{document['feed']}'"  # without campaigns the feed is one

    def take(name: str, fallback: str, cast: str) -> str:
        return f"    cast({name if name in fields else fallback} as {cast}) as {name if name != 'spend' else 'spend_usd'}"

    lines = [
        "    brand_id",
        take("date_day", "null", "date"),
        f"    cast('{document['feed']}' as varchar(64)) as platform",
        take("campaign_id", "campaign_name" if "campaign_name" in fields else whole, "varchar(64)"),
        take("campaign_name", "campaign_id" if "campaign_id" in fields else whole, "varchar(256)"),
        take("dma_code", "'000'", "varchar(8)"),
        take("impressions", "null", "bigint"),
        take("clicks", "null", "bigint"),
        take("spend", "null", "decimal(18, 4)"),
        "    _delivered_at",
        "    _file_id",
        "    _line",
    ]
    return (
        "select\n"
        + ",\n".join(lines)
        + f"\nfrom {{{{ source('{document['feed']}', '{document['feed']}') }}}}\n"
    )


def create(
    feed: str,
    sample: Path,
    *,
    partner: str,
    channel: str,
    types: dict[str, str],
    channel_name: str = "",
    channel_group: str = "",
    root: Path = ROOT,
) -> list[Path]:
    """Write the contract, the staging model with its YAML and the golden sample; enter the feed in the registries.

    Args:
        feed: plain lower-case name.
        sample: a delimited file of the partner with a header and a few rows.
        partner: who sends it.
        channel: channel id of the registry that its spend belongs to.
        types: declared types by header; the media vocabulary brings its own.
        channel_name, channel_group: of a channel that the registry does not have yet.
        root: the project.

    Returns:
        The files written or extended.

    Raises:
        ContractError: the feed exists, the sample has no usable header, or its spend has no place to go.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", feed):
        raise ContractError(f"new-feed: {feed!r} is not a plain lower-case name")
    contracts = root / CONTRACT_DIR.relative_to(ROOT)
    if feed in load_contracts() or (contracts / f"{feed}.yml").exists():
        raise ContractError(f"new-feed: {feed} has a contract already")
    with sample.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.reader(stream))[:6]
    if len(rows) < 2:
        raise ContractError(f"new-feed: {sample.name} needs a header and at least one row")
    document = draft(feed, rows[0], types, partner=partner, family=feed)
    parse_contract(document, f"{feed}.yml")
    missing = {"date_day", "spend"} - set(document["fields"])
    if missing:
        known = "; ".join(f"{name}: {', '.join(MEDIA[name][1])}" for name in sorted(missing))
        raise ContractError(f"new-feed: {sample.name} has no column that is known as {known}")
    staging = root / "dbt" / "models" / "staging" / feed
    samples = root / "tests" / "ingest" / "samples"
    model = f"stg_{feed}__media_daily"
    description = {
        "sources": [
            {
                "name": feed,
                "schema": "raw",
                "description": f"{partner}, as loaded by the feed contract.",
                "tables": [
                    {
                        "name": feed,
                        "description": f"{partner}'s file. One row per {', '.join(document['key'])}; newest delivery only.",
                        "config": {
                            "loaded_at_field": "_delivered_at",
                            "freshness": {"warn_after": {"count": 3, "period": "day"}},
                        },
                    }
                ],
            }
        ]
    }
    out = {
        contracts / f"{feed}.yml": f"# {partner}: the only place that knows this partner file's shape.\n"
        + yaml.safe_dump(document, sort_keys=False, allow_unicode=True),
        staging / f"{model}.sql": staging_sql(document),
        staging / f"_{feed}__sources.yml": yaml.safe_dump(description, sort_keys=False),
        **additions(root / "dbt", document, model, channel, name=channel_name, group=channel_group),
    }
    for path, text in out.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    golden = samples / f"{feed}.csv"
    golden.parent.mkdir(parents=True, exist_ok=True)
    with golden.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows(rows)
    return [*out, golden]
