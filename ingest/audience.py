"""Audience export: the platforms' own unkeyed SHA-256, made only here, only on request, never stored in the warehouse.

Meta wants telephone digits without a plus and keeps the dots of an address; Google wants E.164 with the plus and
takes the dots (and only the dots) out of gmail.com and googlemail.com addresses. Rules: Meta "Customer information parameters",
Google "Normalization and hashing" of the enhanced conversions guides.
"""

from __future__ import annotations

import csv
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from ingest.contracts import Contract
from ingest.header import resolve
from ingest.outcomes import Settled
from ingest.pii import Hasher, normal_email, normal_phone
from ingest.preflight import open_source, receive
from ingest.run import landing_zone, opened, work_folder
from ingest.tokens import Tally, records
from ingest.warehouse import WarehouseError
from settings import Settings

PLATFORMS = ("meta", "google")


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def email_hash(platform: str, text: str) -> str:
    """Hex SHA-256 of an address as the platform normalises it; '' when there is no address."""
    email = normal_email(text)
    local, at, domain = email.rpartition("@")
    if not at or not local or "." not in domain:
        return ""
    if platform == "google" and domain in ("gmail.com", "googlemail.com"):
        email = local.replace(".", "") + "@" + domain
    return _sha(email)


def phone_hash(platform: str, text: str) -> str:
    """Hex SHA-256 of a telephone number as the platform normalises it; '' when there are too few digits."""
    digits = normal_phone(text).lstrip("0")
    if not 8 <= len(digits) <= 15:
        return ""
    return _sha(("+" if platform == "google" else "") + digits)


def export(
    settings: Settings,
    contracts: Mapping[str, Contract],
    platform: str,
    out: Path,
    feed: str = "crm_customers",
) -> int:
    """Write one row of hashes per person of the landing zone's CRM files; forgotten people are left out.

    Returns:
        Rows written. The file is readable by its owner only.

    Raises:
        WarehouseError: unknown platform, or a landing zone that is not a local folder.
    """
    if platform not in PLATFORMS:
        raise WarehouseError(f"--platform: {platform!r} (allowed: {', '.join(PLATFORMS)})")
    if settings.landing_uri.startswith("s3://"):
        raise WarehouseError("export-audience reads a local landing zone")
    contract, hasher = contracts[feed], Hasher(settings.pii_hash_key())
    with opened(settings, contracts, read_only=True) as warehouse:
        forgotten = {h for hashes in warehouse.remember().suppressed.values() for h in hashes}
    people: dict[tuple[str, str], None] = {}
    with work_folder(settings) as folder:
        for item in landing_zone(settings, contracts).items([feed]):
            if item.problem:
                continue
            try:
                with open_source(item.path) as source:
                    received = receive(source, item.name, folder, encoding=contract.encoding, in_memory=True)
                try:
                    layout = resolve(contract, received.facts.head.decode("utf-8", "replace"), contracts)
                    spots = {
                        f.pii: layout.positions.get(f.name)
                        for f in contract.fields.values()
                        if f.pii in ("email", "phone")
                    }
                    key = layout.positions.get("person_key")
                    for _, cells, fault in records(received.stream, contract, layout, Tally()):
                        if fault:
                            continue
                        found = {kind: cells[at] if at is not None else "" for kind, at in spots.items()}
                        digests = {hasher(kind, text) for kind, text in found.items()}
                        if key is not None:
                            digests.add(hasher("id", cells[key]))
                        if digests & forgotten:
                            continue
                        row = (
                            email_hash(platform, found.get("email", "")),
                            phone_hash(platform, found.get("phone", "")),
                        )
                        if any(row):
                            people[row] = None
                finally:
                    received.close()
            except Settled:
                continue  # a refused file has no people to export
    handle = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.fchmod(handle, 0o600)  # a file that was there keeps its mode otherwise
    with os.fdopen(handle, "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["email_sha256", "phone_sha256"])
        writer.writerows(sorted(people))
    return len(people)
