"""What a new advertising feed adds to the registries of the dbt project: seed rows, and its name in the lists of media feeds."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ingest.contracts import ContractError

MODELS = Path("models") / "intermediate" / "media"
SPEND_TEST = Path("tests") / "media_spend_equals_staging.sql"
# Carryover of a channel that nobody has measured yet; length in weeks.
CARRYOVER = (
    "geometric",
    "0.3",
    "0",
    "",
    "",
    "13",
    "starting value of a new channel; fitted decays are promoted here by review",
)


def _seed(dbt: Path, name: str) -> tuple[Path, list[dict[str, str]]]:
    path = dbt / "seeds" / f"{name}.csv"
    with path.open(encoding="utf-8", newline="") as stream:
        return path, list(csv.DictReader(stream))


def groups(dbt: Path) -> list[str]:
    """The groups that paid channels have."""
    return sorted({row["channel_group"] for row in _seed(dbt, "channels")[1] if row["is_paid"] == "true"})


def _with_row(path: Path, values: Sequence[str]) -> str:
    text = path.read_text(encoding="utf-8")
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(values)
    return text + ("" if text.endswith("\n") else "\n") + out.getvalue()


def _with_entry(path: Path, opening: str, closing: str, entry: str) -> str:
    """The file's text with one more line in its list of feeds.

    Raises:
        ContractError: the list is not where it was.
    """
    text = path.read_text(encoding="utf-8")
    match = re.search(
        rf"{re.escape('{% set feeds = ' + opening)}\n.*?(?=\n{re.escape(closing + ' %}')})", text, re.DOTALL
    )
    if match is None:
        raise ContractError(f"new-feed: {path.name} has no list of feeds; add by hand: {entry}")
    return f"{text[: match.end()]},\n    {entry}{text[match.end() :]}"


def additions(
    dbt: Path, document: Mapping[str, Any], model: str, channel: str, *, name: str = "", group: str = ""
) -> dict[Path, str]:
    """New texts of the project's files, so that the feed's spend reaches every mart of its channel.

    Args:
        dbt: the dbt project.
        document: the feed's contract.
        model: its staging model.
        channel: channel id; a new one gets rows in ``channels`` and ``adstock``.
        name, group: of a new channel.

    Returns:
        Path and whole new text of each file that changes.

    Raises:
        ContractError: the channel is new and its group is not given, or one of the lists is not found.
    """
    feed = document["feed"]
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,31}", channel):
        raise ContractError(
            f"new-feed: channel {channel!r} is not a plain lower-case name of at most 32 letters"
        )
    out: dict[Path, str] = {}
    path, rows = _seed(dbt, "channels")
    if channel not in {row["channel_id"] for row in rows}:
        if group not in groups(dbt):
            raise ContractError(
                f"new-feed: channel {channel!r} is not in {path.name}; --channel-group says what it is ({', '.join(groups(dbt))})"
            )
        shown = name or channel.replace("_", " ").capitalize()
        out[path] = _with_row(
            path, [channel, shown, group, "false", "false", "true", feed[:32], "", "none reported"]
        )
        path, rows = _seed(dbt, "adstock")
        if channel not in {row["channel_id"] for row in rows}:
            out[path] = _with_row(path, [channel, *CARRYOVER])
    path, rows = _seed(dbt, "campaign_rules")
    if feed not in {row["platform"] for row in rows}:
        out[path] = _with_row(path, [feed, "10", "campaign_name", "%", channel, "none"])
    place = (
        "dict({'dma_id': \"coalesce(dma.dma_id, '999')\"}, **unclaimed)"
        if "dma_code" in document["fields"]
        else "unclaimed"
    )
    for path, opening, closing, entry in (
        (dbt / MODELS / "int_media_union.sql", "[", "]", f"(\"'{feed}'\", '{model}', {place})"),
        (dbt / MODELS / "int_media_day.sql", "[", "]", f"'{model}'"),
        (
            dbt / MODELS / "int_campaign_name.sql",
            "[",
            "]",
            f"('{model}', 'campaign_id', 'campaign_name', 'null', 'null')",
        ),
        (dbt / SPEND_TEST, "{", "}", f"'{feed}': '{model}'"),
    ):
        out[path] = _with_entry(path, opening, closing, entry)
    return out
