"""Landing zones: what lies there, whose it is, and when it was delivered. Local folders; S3 in ``landing_s3``.

``<landing>/[brand=<brand>/]<feed>/[folders/]<file>``. The feed is the nearest folder that names a contract; in a
pack's folder (several small feeds of one partner) it is the file's own name.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from ingest.contracts import Contract
from ingest.outcomes import Failed
from ingest.pii import mask_text
from settings import SettingsError

_STAMP = re.compile(r"__(\d{8}T\d{6})Z(?=\.|$)")
_WINDOW = re.compile(r"_(\d{8})_(\d{8})(?=__|\.|$)")
_UNFINISHED = (".tmp", ".part", ".partial", ".filepart", ".crdownload", ".inprogress", ".uploading", "~")
MANIFEST = ".manifest.json"
_SIDECAR = (".done", MANIFEST, ".md5", ".sha256", "_success")
_UNSAFE = frozenset(
    [*range(0x20), 0x7F, *range(0x80, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F]
)
MAX_NAME = 255


@dataclass(frozen=True)
class Item:
    """One file in the landing zone, as listed. ``fingerprint`` changes whenever its content may have changed."""

    uri: str
    path: str
    name: str
    brand: str
    feed: str
    size: int
    fingerprint: str
    mtime: float
    delivered: str
    window: tuple[str, str] | None
    etag: str = ""
    version: str = ""
    manifest: tuple[tuple[str, str], ...] = ()  # what the partner's manifest promises: rows, bytes, sha256
    problem: str = ""  # a reason of the ledger when the name or place alone settles the file

    @property
    def source_key(self) -> str:
        """Identity of the place; a digest, because names are data and may hold anything."""
        return hashlib.sha256(f"{self.brand}|{self.uri}".encode("utf-8", "surrogateescape")).hexdigest()

    @property
    def shown_name(self) -> str:
        """File name as the ledger stores it: printable, without personal data, at most 300 characters."""
        return shown(self.name)

    @property
    def shown_uri(self) -> str:
        return shown(self.uri, 900)

    def message(self) -> dict[str, Any]:
        """Plain dictionary for the parser process."""
        return asdict(self)


def shown(text: str, limit: int = 300) -> str:
    """Text of a name that is safe to store and to print."""
    text = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    safe = "".join(c if ord(c) not in _UNSAFE else f"\\u{ord(c):04x}" for c in text)
    return (mask_text(safe) or "")[:limit]


def delivered_at(name: str, mtime: float) -> str:
    """Delivery time: the stamp in the name; the file's own time without one. ISO text, UTC, seconds."""
    match = _STAMP.search(name)
    if match:
        try:
            return datetime.strptime(match[1], "%Y%m%dT%H%M%S").strftime("%Y-%m-%d %H:%M:%S")
        except ValueError:
            pass
    moment = datetime.fromtimestamp(max(0.0, min(mtime, 4_102_444_800.0)), tz=UTC)
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def window(name: str) -> tuple[str, str] | None:
    """First and last day that the name states, as ISO dates."""
    match = _WINDOW.search(name)
    if not match:
        return None
    try:
        low, high = (datetime.strptime(part, "%Y%m%d").date() for part in match.groups())
    except ValueError:
        return None
    return (low.isoformat(), high.isoformat()) if low <= high else None


def name_problem(relative: str, name: str) -> str:
    """Why a name alone refuses a file; names are data and are never used as paths."""
    if len(name) > MAX_NAME or len(name.encode("utf-8", "surrogateescape")) > 1000:
        return "bad_file_name"
    if any(ord(char) in _UNSAFE for char in relative):
        return "bad_file_name"
    if any(0xDC80 <= ord(char) <= 0xDCFF for char in relative):
        return "bad_file_name"
    if ".." in PurePosixPath(relative).parts or "\\" in name or relative.startswith("/"):
        return "path_traversal"
    return ""


def stem(name: str) -> str:
    """File name without endings, stamps and windows, in the form in which names are compared."""
    base = _STAMP.sub("", name)
    base = re.sub(r"(\.[A-Za-z0-9]{1,8}){1,2}$", "", base)
    base = _WINDOW.sub("", base)
    base = re.sub(r"[ _-]*\(\d+\)$|_\d{8}$|_\d{4}-\d{2}-\d{2}$", "", base)
    return re.sub(r"[^a-z0-9]+", "_", unicodedata.normalize("NFKC", base).lower()).strip("_")


class Router:
    """Finds the feed of a file from its folders and, in packs, from its name."""

    def __init__(self, contracts: Mapping[str, Contract], default_brand: str) -> None:
        self.contracts = contracts
        self.default_brand = default_brand
        self.packs: dict[str, dict[str, str]] = {}
        self.names: dict[str, str] = {}
        for contract in contracts.values():
            for name in (contract.feed, *contract.file_names):
                key = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
                self.names.setdefault(key, contract.feed)
                if contract.pack:
                    self.packs.setdefault(contract.pack, {})[key] = contract.feed

    def brand(self, parts: tuple[str, ...]) -> str:
        """Brand of a path: its ``brand=`` folder, or the default brand."""
        for part in parts[:-1]:
            if part.startswith("brand=") and re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,62}", part[6:]):
                return part[6:]
        return self.default_brand

    def feed(self, parts: tuple[str, ...]) -> tuple[str, str]:
        """(feed, '') or ('', reason)."""
        own = stem(parts[-1])
        for folder in reversed(parts[:-1]):
            if folder in self.contracts:
                stray = self.names.get(own, folder)
                same_pack = self.contracts[stray].pack == self.contracts[folder].pack
                return (folder, "") if stray == folder or not same_pack else (folder, "wrong_feed")
            if folder in self.packs:
                pack = self.packs[folder]
                if own in pack or folder in pack:
                    return pack.get(own) or pack[folder], ""
                return "", "unknown_feed"
        folders = [part for part in parts[:-1] if not part.startswith("brand=")]
        if own in self.names and not (folders and folders[-1] in self.names):
            return self.names[own], ""
        return "", "unknown_feed"


def unfinished(name: str) -> bool:
    """Whether the name says that the upload is not complete."""
    return name.lower().endswith(_UNFINISHED)


def sidecar(name: str) -> bool:
    """Files about files: markers and manifests, never deliveries."""
    return name.lower().endswith(_SIDECAR) or name.startswith(".")


def fingerprint(info: os.stat_result) -> str:
    """Mark of a local file that no writer can keep the same: the change time cannot be set back."""
    return f"{info.st_size}:{info.st_mtime_ns}:{info.st_ctime_ns}:{info.st_ino}"


def manifest_of(text: bytes) -> tuple[tuple[str, str], ...]:
    """Promises of a manifest: ``{"rows": 10, "bytes": 512, "sha256": "…"}``; an unreadable one promises nothing."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return ()
    if not isinstance(document, dict):
        return ()
    return tuple((key, str(document[key]).lower()) for key in ("rows", "bytes", "sha256") if key in document)


def read_manifest(path: str) -> tuple[tuple[str, str], ...]:
    """Promises of the manifest file beside a delivery."""
    try:
        with open(path, "rb") as stream:
            return manifest_of(stream.read(1 << 16))
    except OSError:
        return ()


class LocalLanding:
    """A folder on this machine."""

    def __init__(self, root: str, router: Router) -> None:
        self.root = Path(root)
        self.router = router

    def items(self, feeds: Iterable[str] | None = None) -> Iterator[Item]:
        """Every delivery under the root, in name order; ``feeds`` keeps those of the named feeds.

        Raises:
            SettingsError: the root is no folder.
            Failed: after the last delivery, when a folder may not be read.
        """
        if not self.root.is_dir():
            raise SettingsError(
                f"LANDING_URI: {str(self.root)!r} is no folder (allowed: a folder, or s3://bucket/prefix)"
            )
        wanted, denied = None if feeds is None else set(feeds), list[str]()
        found = sorted(self._walk(str(self.root), denied), key=lambda entry: entry[0])
        manifests = {path: info for path, name, info in found if name.lower().endswith(MANIFEST)}
        for path, name, info in found:
            if sidecar(name):
                continue
            relative = os.path.relpath(path, self.root)
            parts = PurePosixPath(relative).parts
            feed, problem = self.router.feed(parts)
            if wanted is not None and feed not in wanted:
                continue
            problem = name_problem(relative, name) or problem
            mark = fingerprint(info)
            promised: tuple[tuple[str, str], ...] = ()
            if path + MANIFEST in manifests:
                promised = read_manifest(path + MANIFEST)
                mark += "+" + fingerprint(manifests[path + MANIFEST])
            yield Item(
                uri=relative,
                path=path,
                name=name,
                brand=self.router.brand(parts),
                feed=feed,
                size=info.st_size,
                fingerprint=mark,
                mtime=info.st_mtime,
                delivered=delivered_at(name, info.st_mtime),
                window=window(name),
                manifest=promised,
                problem="partial_name" if unfinished(name) else problem,
            )
        if denied:
            where = shown(os.path.relpath(denied[0], self.root))
            raise Failed("permission_denied", f"the folder {where} may not be read ({len(denied)} in all)")

    def read(self, item: Item) -> bytes | None:
        """All bytes of a delivery; None for a link."""
        return None if os.path.islink(item.path) else Path(item.path).read_bytes()

    def rewrite(self, item: Item, data: bytes | None) -> Item:
        """Put other bytes in a delivery's place, with its times (None: remove it); the item as it is listed now."""
        if data is None:
            Path(item.path).unlink(missing_ok=True)
            return item
        info = os.stat(item.path)
        fresh = Path(item.path + ".tmp")
        fresh.write_bytes(data)
        os.utime(fresh, ns=(info.st_atime_ns, info.st_mtime_ns))
        os.replace(fresh, item.path)
        return replace(item, fingerprint=fingerprint(os.stat(item.path)), size=len(data))

    def _walk(self, folder: str, denied: list[str]) -> Iterator[tuple[str, str, os.stat_result]]:
        try:
            entries = list(os.scandir(folder))
        except FileNotFoundError:
            return
        except PermissionError:
            denied.append(folder)
            return
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if not entry.name.startswith("."):
                    yield from self._walk(entry.path, denied)
            elif not entry.name.startswith("."):
                try:
                    yield entry.path, entry.name, entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                except PermissionError:  # listed, but nothing in the folder may be looked at
                    denied.append(folder)
                    return
