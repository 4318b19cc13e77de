"""What the engine does not check: the bytes of a file, before any parser sees them.

One pass reads the source once: SHA-256 of what was delivered, the container by its magic bytes, a full gzip decode
with CRC, caps on size and ratio, the encoding, and the counts of :mod:`ingest.scan`. The decoded text goes to a
work file named by no partner (or to memory, for feeds with personal data), unless the delivery is that text already.
"""

from __future__ import annotations

import codecs
import errno
import hashlib
import io
import os
import stat
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ingest.outcomes import Failed, NotYet, Refused
from ingest.scan import Facts, Scanner

BLOCK = 1 << 20
MAX_DECODED = int(os.environ.get("INGEST_MAX_DECODED_BYTES", 64 << 30))
MAX_RATIO = 100
RATIO_FROM = 4 << 20
OWN_FILES = "/proc/self/fd"
FOOTER_BYTES = 1 << 16
_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x1f\x8b", "gzip"),  # inside gzip; outside it is opened
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"PAR1", "parquet"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "xls"),
    (b"%PDF", "pdf"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"ORC", "orc"),
    (b"Obj\x01", "avro"),
    (b"SQLite format 3\x00", "sqlite"),
    (b"Rar!", "rar"),
    (b"\x89PNG", "image"),
    (b"\xff\xd8\xff", "image"),
    (b"GIF8", "image"),
    (b"\x7fELF", "program"),
)


@dataclass
class Received:
    """A file that passed the byte checks. ``path`` can be opened by the engine; ``stream`` by Python."""

    path: str
    stream: IO[bytes]
    sha256: str
    size: int
    facts: Facts
    warnings: list[tuple[str, str]]

    def close(self) -> None:
        """Forget the decoded text."""
        self.stream.close()
        if not self.path.startswith("/proc/") and self.path:
            Path(self.path).unlink(missing_ok=True)


def open_source(path: str) -> IO[bytes]:
    """Open a local landing file without following a link.

    Raises:
        Refused: a link or something that is not a file.
        Failed: it vanished, may not be read, or the disk says no.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise Failed("vanished", "the file was gone when it was opened") from None
    except PermissionError:
        raise Failed("permission_denied", "the file may not be read") from None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise Refused("path_traversal", "a symbolic link is not a delivery") from None
        raise Failed("read_error", os.strerror(error.errno or 0)) from None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise Refused("not_a_file", "neither a file nor a stream of bytes that ends")
    return os.fdopen(handle, "rb", buffering=0)


def _magic(head: bytes) -> str:
    for mark, kind in _MAGIC:
        if head.startswith(mark):
            return kind
    if head[257:262] == b"ustar":
        return "tar"
    return ""


def _member_names(kind: str, source: IO[bytes]) -> list[str]:
    """Names inside an archive, links marked by a leading slash; nothing is extracted."""
    import tarfile
    import zipfile

    try:
        source.seek(0)
        if kind == "zip":
            with zipfile.ZipFile(source) as archive:
                return [
                    ("/" if stat.S_ISLNK(item.external_attr >> 16) else "") + item.filename
                    for item in archive.infolist()[:10_000]
                ]
        with tarfile.open(fileobj=source, mode="r|*") as tape:
            return [
                ("/" if item.islnk() or item.issym() else "") + item.name
                for item, _ in zip(tape, range(10_000), strict=False)
            ]
    except Exception:  # a damaged archive has no names; it is refused either way
        return []


def _refuse_binary(kind: str, source: IO[bytes]) -> None:
    if kind in ("zip", "tar"):
        names = _member_names(kind, source)
        if any(
            n.startswith(("/", "\\")) or ".." in n.replace("\\", "/").split("/") or n[1:2] == ":"
            for n in names
        ):
            raise Refused("path_traversal", "an archive member points outside its folder")
        if any(n.startswith("xl/") or n == "[Content_Types].xml" for n in names):
            raise Refused("magic_mismatch", "a spreadsheet under a text name")
        raise Refused("magic_mismatch", f"a {kind} archive; archives are never unpacked")
    raise Refused("magic_mismatch", f"the bytes are {kind}")


def _gunzip(blocks: Iterator[bytes], counter: list[int]) -> Iterator[bytes]:
    """Decoded bytes of all gzip members, with CRC and length checked and the ratio capped."""
    decoder = zlib.decompressobj(31)
    produced = 0
    started = False
    for block in blocks:
        data = block
        while data:
            if decoder.eof:
                rest = data.lstrip(b"\0")
                if not rest:
                    break
                if not rest.startswith(b"\x1f\x8b"[: len(rest)]):
                    raise Refused("gzip_corrupt", "bytes after the end of the gzip stream")
                decoder, data = zlib.decompressobj(31), rest
            try:
                out = decoder.decompress(data, BLOCK)
            except zlib.error as error:
                text = str(error)
                if "incorrect data check" in text or "incorrect length check" in text:
                    raise Refused("gzip_crc", "the checksum at the end of the gzip stream is wrong") from None
                raise Refused("gzip_corrupt", "the gzip stream cannot be decoded") from None
            started = True
            produced += len(out)
            if produced > MAX_DECODED:
                raise Refused("size_cap", f"more than {MAX_DECODED} bytes after decompression")
            if produced > RATIO_FROM and produced > MAX_RATIO * counter[0]:
                raise Refused("decompression_ratio", f"more than {MAX_RATIO}:1")
            if out:
                yield out
            data = decoder.unused_data if decoder.eof else decoder.unconsumed_tail
            if not out and not data and not decoder.eof:
                break
    if not started or not decoder.eof:
        raise Refused("gzip_truncated", "the gzip stream ends too early")


def _blocks(source: IO[bytes], first: bytes, digest: hashlib._Hash, counter: list[int]) -> Iterator[bytes]:
    block = first
    while block:
        digest.update(block)
        counter[0] += len(block)
        yield block
        try:
            block = source.read(BLOCK)
        except OSError as error:
            raise Failed("read_error", os.strerror(error.errno or 0)) from None


def _decoded(blocks: Iterator[bytes], encoding: str, bom: int) -> Iterator[bytes]:
    """UTF-8 bytes without a byte order mark."""
    if encoding == "utf-8":
        skip = bom
        for block in blocks:
            yield block[skip:]
            skip = 0
        return
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    try:
        for block in blocks:
            text = decoder.decode(block)
            yield text.replace("\ufeff", "").encode("utf-8", "surrogatepass")
        yield decoder.decode(b"", final=True).encode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        raise Refused("invalid_encoding", f"not readable as {encoding}") from None


def encoding_of(head: bytes, declared: str) -> tuple[str, int]:
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8", 3
    if (
        head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE))
        and len(head) % 4 == 0
        and b"\0\0\0" in head[:8]
    ):
        return "utf-32", 0
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16", 0
    sample = head[:4096]
    if len(sample) >= 4 and sample.count(b"\0") > len(sample) // 4:
        raise Refused("invalid_encoding", "looks like UTF-16 without its byte order mark")
    return declared.lower().replace("utf8", "utf-8"), 0


def _is_text(first: bytes, declared: str) -> bool:
    """Whether the delivery itself is the decoded text, so that no copy is needed."""
    if first.startswith((b"\x1f\x8b", codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return False
    return declared.lower() in ("utf-8", "utf8")


def _peek(blocks: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """First bytes (at least 4 KiB when there are that many), and the whole stream again."""
    taken: list[bytes] = []
    for block in blocks:
        taken.append(block)
        if sum(map(len, taken)) >= 4096:
            break

    def again() -> Iterator[bytes]:
        yield from taken
        yield from blocks

    return b"".join(taken), again()


def _sink(folder: Path, in_memory: bool) -> tuple[str, IO[bytes]]:
    if in_memory:
        if hasattr(os, "memfd_create"):
            handle = os.memfd_create("intake")
            return f"/proc/self/fd/{handle}", os.fdopen(handle, "w+b")
        return "", tempfile.TemporaryFile(dir=folder)
    handle, path = tempfile.mkstemp(dir=folder, suffix=".txt")
    return path, os.fdopen(handle, "w+b")


def receive(
    source: IO[bytes],
    name: str,
    folder: Path,
    *,
    encoding: str = "utf-8",
    in_memory: bool = False,
    quoting: bool = True,
    footer_delimiter: bytes = b"",
) -> Received:
    """Read a delivered file once, from its first to its last byte.

    Args:
        source: the delivery, at its start.
        name: its file name (only the ending matters: ``.gz`` promises gzip).
        folder: where the decoded text may be written.
        encoding: what the contract declares; a byte order mark overrides it.
        in_memory: keep the decoded text off the disk.
        quoting: whether quotes may hold line breaks (delimited text).
        footer_delimiter: separator of cells when narrower lines after a blank line are a footer; else empty.

    Raises:
        Refused: the bytes are not what they claim to be.
        Failed: reading failed.
    """
    digest, counter = hashlib.sha256(), [0]
    try:
        first = source.read(BLOCK)
    except OSError as error:
        raise Failed("read_error", os.strerror(error.errno or 0)) from None
    raw = _blocks(source, first, digest, counter)
    if _is_text(first, encoding) and not footer_delimiter and os.path.exists(OWN_FILES):
        path = f"{OWN_FILES}/{source.fileno()}"  # by its handle: whatever happens to the name, the bytes are these
        sink: IO[bytes] | None = None
        kept: IO[bytes] = os.fdopen(os.dup(source.fileno()), "rb")
    else:
        path, kept = _sink(folder, in_memory)
        sink = kept
    received = Received(path, kept, "", 0, Facts(), [])
    try:
        _copy(raw, first, name, sink, received, source, encoding, Scanner(quoting=quoting))
    except OSError as error:
        received.close()
        raise Failed("work_disk", os.strerror(error.errno or 0)) from None
    except BaseException as error:
        received.close()
        if isinstance(error, Refused):  # the ledger names even a refused file by its whole content
            for _ in raw:
                pass
            error.sha256 = digest.hexdigest()  # type: ignore[attr-defined]
            error.size = counter[0]  # type: ignore[attr-defined]
        raise
    received.sha256, received.size = digest.hexdigest(), counter[0]
    if footer_delimiter:
        _cut_footer(received, footer_delimiter)
    return received


def _cut_footer(received: Received, delimiter: bytes) -> None:
    """End the decoded text at the first blank line after a row, if only a short plain footer follows."""
    facts, sink = received.facts, received.stream
    start = facts.first_blank
    if start < 0 or facts.size - start > FOOTER_BYTES or facts.quoted_newlines:
        return
    if facts.head[:start].count(b"\n") < 2:
        return
    sink.seek(start)
    tail = sink.read()
    width = facts.head.split(b"\n", 1)[0].count(delimiter)
    if b'"' in tail or not width or any(line.count(delimiter) == width for line in tail.splitlines()):
        return
    sink.truncate(start)
    facts.cut(tail)


def _copy(
    raw: Iterator[bytes], first: bytes, name: str, sink: IO[bytes] | None, received: Received, source: IO[bytes],
    declared: str, scanner: Scanner,
) -> None:  # fmt: skip
    if not first:
        raise Refused("empty_file", "no bytes")
    zipped, promised = first.startswith(b"\x1f\x8b"), name.lower().endswith((".gz", ".gzip"))
    if promised and not zipped:
        raise Refused("magic_mismatch", "named .gz, but the bytes are not gzip")
    if zipped and not promised:
        raise Refused("magic_mismatch", "gzip bytes under a name without .gz")
    counter_cell = _size_cell(raw)
    stream: Iterator[bytes] = _gunzip(counter_cell[1], counter_cell[0]) if zipped else counter_cell[1]
    head, stream = _peek(stream)
    kind = _magic(head)
    if kind:
        for _ in stream if not zipped else ():
            pass
        _refuse_binary(kind, source if not zipped else io.BytesIO(head))
    encoding, bom = encoding_of(head, declared)
    for block in _decoded(stream, encoding, bom):
        if scanner.facts.size + len(block) > MAX_DECODED:
            raise Refused("size_cap", f"more than {MAX_DECODED} bytes")
        scanner.feed(block)
        if sink is not None:
            sink.write(block)
    if sink is not None:
        sink.flush()
    received.facts = scanner.finish()
    if received.facts.size == 0:
        raise Refused("empty_file", "nothing inside")
    if not received.facts.head.strip(b"\r\n\t \0"):
        raise Refused("empty_file", "only blank lines")


def _size_cell(raw: Iterator[bytes]) -> tuple[list[int], Iterator[bytes]]:
    """Blocks, with a running count of the bytes handed on (the ratio's denominator)."""
    seen = [0]

    def counted() -> Iterator[bytes]:
        for block in raw:
            seen[0] += len(block)
            yield block

    return seen, counted()


def unchanged(path: str, before: os.stat_result, handle: int) -> None:
    """Raise unless the file under ``path`` is still the one that was opened and has not grown.

    Raises:
        NotYet: it grew or was written to while it was read.
        Failed: it was deleted or replaced while it was read.
    """
    after = os.fstat(handle)
    if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        raise NotYet("still_growing", "the file changed while it was read")
    try:
        there = os.stat(path, follow_symlinks=False)
    except OSError:
        raise Failed("vanished", "the file was removed while it was read") from None
    if (there.st_ino, there.st_dev) != (after.st_ino, after.st_dev):
        raise Failed("vanished", "the file was replaced while it was read")
