"""Planted identifiers: a thousand people in every disguise, in files of every kind, and the search for them afterwards."""

from __future__ import annotations

import gzip
import html
import random
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote

import duckdb

from ingest.contracts import load_contracts
from tests.faults.catalogue import good_rows, render, sources
from tests.ingest.helpers import place

CONTRACTS = load_contracts()
Person = tuple[str, str, str]
_RUNS = re.compile(rb"[b-df-hj-np-tv-z]{9,}|[0-9][0-9-]{6,}")
DISGUISES = (
    str,
    str.upper,
    lambda t: f"  {t} ",
    lambda t: f"Inbox <{t}>",
    lambda t: f"mailto:{t}",
    lambda t: quote(t),
    lambda t: t.replace("@", " (at) "),
    lambda t: t.replace("@", "[at]").replace(".", " [dot] "),
    lambda t: html.escape(t).replace("@", "&#64;"),
    lambda t: t.replace("@", "\uff20"),
    lambda t: t[:4] + "\u200b" + t[4:],
)


def canaries(count: int) -> list[Person]:
    """(e-mail, telephone, family name), none of which occurs by chance."""
    draw = random.Random(7)
    out = []
    for number in range(count):
        word = "".join(draw.choice("bcdfghjklmnpqrstvwz") for _ in range(9))
        phone = f"{draw.randrange(212, 989)}{draw.randrange(212, 989)}{draw.randrange(1000, 9999)}"
        out.append((f"{word}{number}@canary-{word}.example", phone, f"Zz{word}"))
    return out


def plant(landing: Path, people: list[Person]) -> None:
    """Deliver the people: as customers in good, broken and cut files, in campaign names, number columns and file names."""
    crm = CONTRACTS["crm_customers"]
    heads = [h for h, _ in sources(crm)]
    lines = []
    for i, (email, phone, name) in enumerate(people):
        shown = DISGUISES[i % 5](email) if i % 5 != 3 else email
        text = f"({phone[:3]}) {phone[3:6]}-{phone[6:]}" if i % 2 else f"+1{phone}"
        lines.append(
            [
                f"p-{phone}",
                shown,
                text,
                name,
                name,
                "02134",
                "2025-01-01" if i % 20 else "2025-13-01",
                "2",
                "walmart",
            ]
        )
    body = render(crm, lines, heads) + f"{people[0][0]},{people[0][1]}\n".encode()
    place(landing / "crm_customers" / "c__20261030T060000Z.csv", body)
    place(
        landing / "crm_customers" / "z__20261030T070000Z.csv.gz",
        gzip.compress(render(crm, lines[:500], [*heads[:-1], "contact"])),
    )
    place(landing / "crm_customers" / "cut__20261030T070000Z.csv.gz", gzip.compress(body)[:9000])
    place(
        landing / "crm_customers" / "wide__20261030T080000Z.csv",
        body.replace(b"retailer\n", b"retailer\n").replace(b"person_id", b"person"),
    )
    for feed in ("google_ads_campaign", "roundel", "meta_ads"):
        contract = CONTRACTS[feed]
        rows = good_rows(contract, 300)
        spot = next(i for i, (_, f) in enumerate(sources(contract)) if f.free_text)
        for i, row in enumerate(rows):
            email, phone, _ = people[300 + i]
            row[spot] = (
                f"Retarget {DISGUISES[i % len(DISGUISES)](email)} {phone[:3]}-{phone[3:6]}-{phone[6:]}"
            )
            if i % 50 == 7:
                row[next(j for j, (_, f) in enumerate(sources(contract)) if f.type == "integer")] = (
                    f"call {people[i][0]}"
                )
        heads_of = [h for h, _ in sources(contract)]
        place(
            landing / feed / f"{feed}__20261030T060000Z.{contract.format}",
            render(contract, [[*r, people[i][0]] for i, r in enumerate(rows)], [*heads_of, "note"]),
        )
    place(landing / "weather" / f"{people[5][0]}__20261030T060000Z.csv", b"nothing\n1\n")


def needles(people: Iterable[Person]) -> set[bytes]:
    """What must not be found: of each person the word that the address and the name are made of, and the number two ways."""
    words = {
        word for _, phone, name in people for word in (name[2:].lower(), phone, f"{phone[3:6]}-{phone[6:]}")
    }
    return {word.encode() for word in words}


def found(data: bytes, words: set[bytes]) -> list[bytes]:
    """The needles that occur in the data, in any case; only runs that can hold one are searched."""
    runs = b" ".join(set(_RUNS.findall(data.lower())))
    return sorted(word for word in words if word in runs)


def texts(path: Path) -> Iterator[tuple[str, bytes]]:
    """All text of every table and view of a DuckDB file, decompressed: (table, lower-case bytes)."""
    with duckdb.connect(str(path), read_only=True) as connection:
        listed = connection.execute(
            "select table_schema, table_name, list(column_name) from information_schema.columns "
            "where data_type in ('VARCHAR', 'BLOB', 'JSON') or data_type like 'VARCHAR[%' group by 1, 2"
        ).fetchall()
        for schema, table, columns in listed:
            shown = ", ".join(f'cast("{name}" as varchar)' for name in columns)
            rows = connection.execute(
                f'select distinct lower(concat_ws(chr(10), {shown})) from "{schema}"."{table}"'
            ).fetchall()
            yield f"{schema}.{table}", "\n".join(text for (text,) in rows if text).encode()
