"""Row-by-row reading of delimited text that is not plain, and of JSON: the careful way beside the fast one.

The engine's reader gets only files in which every physical line is one well-formed record. All others come here:
quoted line breaks, mixed line ends, blank lines, ragged rows, bad encoding, NUL bytes, over-long lines, footers
after a blank line. Each record keeps its physical line number, and each record that cannot be read says why.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, TypeVar

import pyarrow as pa

from ingest.contracts import Contract
from ingest.header import Layout
from ingest.outcomes import Refused
from ingest.scan import LONG_LINE

BATCH = 20_000
HARD_LINE = 256 << 20
csv.field_size_limit(HARD_LINE)


@dataclass
class Tally:
    """What the tokenizer itself has counted; compared with the scanner's physical lines."""

    records: int = 0
    lines: int = 0  # non-blank physical lines that belong to records, header and footer included
    footer: int = 0
    truncated: bool = False
    refusal: Refused | None = None  # raised while the engine was pulling rows; the engine would only quote it
    multi_line: bool = False


class Lines:
    """Physical lines of a stream (LF, CRLF or CR), numbered from one."""

    def __init__(self, stream: IO[bytes]) -> None:
        stream.seek(0)
        text = io.TextIOWrapper(stream, encoding="utf-8", errors="surrogateescape", newline="")
        self._text = text
        self.number = 0
        self.blank = 0
        self.taken: list[str] = []

    def __iter__(self) -> Lines:
        return self

    def __next__(self) -> str:
        line = self._text.readline(HARD_LINE)
        if not line:
            raise StopIteration
        if len(line) >= HARD_LINE:
            raise Refused("line_too_long", f"a line of more than {HARD_LINE} characters")
        self.number += 1
        self.taken.append(line)
        return line

    def release(self) -> None:
        """Give the underlying stream back, open."""
        self._text.detach()


def _blank(line: str) -> bool:
    return not line.strip("\r\n")


def _clean(cell: str) -> tuple[str | None, str]:
    """Cell text for Arrow and the structural fault in it, if any."""
    if not cell:
        return None, ""
    try:
        cell.encode("utf-8")
    except UnicodeEncodeError:
        return cell.encode("utf-8", "surrogateescape").decode("utf-8", "replace"), "invalid_encoding"
    return cell, ""


def records(
    stream: IO[bytes], contract: Contract, layout: Layout, tally: Tally
) -> Iterator[tuple[int, list[str], str]]:
    """Records with their first physical line, cells and structural fault ('' = none).

    Raises:
        Refused: ``unterminated_quote`` when a quoted cell swallows whole lines of a broken record.
    """
    lines = Lines(stream)
    for _ in range(layout.header_line):
        next(lines, "")
    tally.lines += sum(not _blank(line) for line in lines.taken)
    width, footer_after = len(layout.names), contract.footer_block
    reader = csv.reader(lines, delimiter=contract.delimiter, strict=True)
    in_footer = False
    while True:
        lines.taken.clear()
        start = lines.number + 1
        fault, cells = "", []
        try:
            cells = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            fault = "line_too_long" if "field larger" in str(error) else "malformed_quote"
        taken = [line for line in lines.taken if not _blank(line)]
        if not taken:
            in_footer = in_footer or (footer_after and tally.records > 0)
            continue
        tally.lines += len(taken)
        tally.records += 1
        in_footer = in_footer and (len(cells) != width or width == 1)  # rows of full width are rows again
        if in_footer:
            tally.footer += 1
            continue
        if not fault and len(cells) != width:
            if len(cells) > width and not any(cells[width:]):
                cells = cells[:width]
            else:
                fault = "ragged_row"
        if fault and len(taken) > 1:
            raise Refused("unterminated_quote", f"a quote opened on line {start} swallows the lines after it")
        tally.multi_line = tally.multi_line or len(taken) > 1
        last = lines.taken[-1]
        if fault and not last.endswith(("\n", "\r")):
            fault, tally.truncated = "truncated_row", True
        if sum(map(len, taken)) > LONG_LINE:
            fault, cells = "line_too_long", []
        yield start, cells, fault
    lines.release()


T = TypeVar("T")


def remembered(rows: Iterator[T], tally: Tally) -> Iterator[T]:
    """The same rows; a refusal on the way is kept in the tally before it is raised."""
    try:
        yield from rows
    except Refused as error:
        tally.refusal = error
        raise


def csv_batches(
    stream: IO[bytes], contract: Contract, layout: Layout, tally: Tally
) -> Iterator[pa.RecordBatch]:
    """Arrow batches of (_rec, _line, _err, _raw, c0, c1, …), every cell as text.

    ``_raw`` holds the joined cells of a record that could not be matched with the header.
    """
    width = len(layout.names)
    schema = csv_schema(width)
    rows: list[tuple[object, ...]] = []
    found = remembered(records(stream, contract, layout, tally), tally)
    for number, (line, cells, structural) in enumerate(found, 1):
        fault, out = structural, []
        for cell in cells:
            text, bad = _clean(cell)
            out.append(text)
            fault = fault or bad
        raw = None
        if fault:
            raw = contract.delimiter.join(text or "" for text in out)[:4000] if out else None
            out = (out + [None] * width)[:width] if fault == "invalid_encoding" else [None] * width
        rows.append((number, line, fault or None, raw, *out))
        if len(rows) >= BATCH:
            yield _batch(rows, schema)
            rows = []
    if rows:
        yield _batch(rows, schema)


def csv_schema(width: int) -> pa.Schema:
    """Arrow schema of :func:`csv_batches`."""
    return pa.schema(
        [("_rec", pa.int64()), ("_line", pa.int64()), ("_err", pa.string()), ("_raw", pa.string())]
        + [(f"c{i}", pa.string()) for i in range(width)]
    )


JSON_SCHEMA = pa.schema(
    [
        ("_rec", pa.int64()),
        ("_line", pa.int64()),
        ("_err", pa.string()),
        ("_raw", pa.string()),
        ("j", pa.string()),
    ]
)


def _batch(rows: list[tuple[object, ...]], schema: pa.Schema) -> pa.RecordBatch:
    columns = list(zip(*rows, strict=True))
    return pa.record_batch(
        [pa.array(column, type=item.type) for column, item in zip(columns, schema, strict=True)],
        schema=schema,
    )


def _json_rows(texts: Iterator[tuple[int, str, str]]) -> Iterator[pa.RecordBatch]:
    rows: list[tuple[object, ...]] = []
    for number, (line, text, fault) in enumerate(texts, 1):
        raw = text[:4000] if fault else None
        if raw is not None:
            raw = raw.encode("utf-8", "replace").decode("utf-8")
        rows.append((number, line, fault or None, raw, None if fault else text))
        if len(rows) >= BATCH:
            yield _batch(rows, JSON_SCHEMA)
            rows = []
    if rows:
        yield _batch(rows, JSON_SCHEMA)


def _ndjson(stream: IO[bytes], tally: Tally) -> Iterator[tuple[int, str, str]]:
    lines = Lines(stream)
    for line in lines:
        lines.taken.clear()
        if not line.strip():
            tally.lines += not _blank(line)
            continue
        tally.records += 1
        tally.lines += 1
        text, fault = line.strip(), ""
        if len(text) > LONG_LINE:
            text, fault = "", "line_too_long"
        elif _clean(text)[1]:
            fault = "invalid_encoding"
        elif "\0" in text:
            fault = "nul_byte"
        elif not (text.startswith("{") and text.endswith("}")):
            fault = "malformed_json"
            if not line.endswith("\n"):
                fault, tally.truncated = "truncated_row", True
        yield lines.number, text, fault
    lines.release()


def ndjson_batches(stream: IO[bytes], tally: Tally) -> Iterator[pa.RecordBatch]:
    """Arrow batches of one JSON object per line."""
    return _json_rows(remembered(_ndjson(stream, tally), tally))


def array_texts(text: str) -> Iterator[tuple[int, str]]:
    """Source text of each element of one JSON array, with the line on which it starts.

    Raises:
        Refused: not an array, or cut off in the middle.
    """
    decoder = json.JSONDecoder()
    line, counted, before = 1, 0, 0
    length = len(text)

    def skip(index: int) -> int:
        while index < length and text[index] in " \t\r\n":
            index += 1
        return index

    position = skip(0)
    if text[position : position + 1] != "[":
        raise Refused("error_page", "a JSON document that is not an array of rows")
    position = skip(position + 1)
    if text[position : position + 1] == "]":
        _after(text, position)
        return
    while True:
        try:
            _, end = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            raise Refused("malformed_json", f"element {counted + 1} of the array cannot be read") from None
        line += text.count("\n", before, position)
        before = position
        counted += 1
        yield line, text[position:end]
        position = skip(end)
        mark = text[position : position + 1]
        if mark == "]":
            _after(text, position)
            return
        if mark != ",":
            raise Refused("json_truncated", f"the array ends after element {counted}")
        position = skip(position + 1)


def _after(text: str, position: int) -> None:
    if text[position + 1 :].strip():
        raise Refused("malformed_json", "text after the end of the array")


def _array(stream: IO[bytes], tally: Tally) -> Iterator[tuple[int, str, str]]:
    stream.seek(0)
    raw = stream.read()
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused("invalid_encoding", "the document is not UTF-8") from None
    for line, element in array_texts(text):
        tally.records += 1
        fault = "" if element.startswith("{") else "malformed_json"
        if "\0" in element:
            fault = "nul_byte"
        yield line, element.replace("\n", " ").replace("\r", " "), fault


def array_batches(stream: IO[bytes], tally: Tally) -> Iterator[pa.RecordBatch]:
    """Arrow batches of the elements of one JSON array."""
    return _json_rows(remembered(_array(stream, tally), tally))
