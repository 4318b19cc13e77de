"""Every fault of the catalogue as code: good files made from the contracts, and what happens to them in the field.

A case is one brand's landing folder: files delivered in one or two rounds, and for the last file the outcome word,
the reason and the counts that the ledger must show.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta

from ingest.contracts import Contract, Field, load_contracts

ROWS = 40
FIRST = date(2026, 9, 6)  # a Sunday
STAMP = "20261030T060000Z"


@dataclass
class Case:
    fault: int
    label: str
    feed: str
    rounds: list[list[tuple[str, bytes]]]
    outcome: str
    reason: str = (
        ""  # the ledger's reason starts with or contains this word; '' = must be empty unless any_reason
    )
    loaded: int | None = None
    quarantined: int | None = None
    declared: int | None = None
    any_reason: bool = False
    target: str = ""  # name of the file that is judged; the last one otherwise
    same_rows: bool = False  # the raw rows must equal those of the good file
    manifest: dict[str, bytes] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.target or self.rounds[-1][-1][0]


def value(item: Field, contract: Contract, index: int) -> str:
    """A good value; dates step by day (by week in weekly feeds), keys never repeat."""
    week = contract.week_starts == "sunday"
    alone = all(contract.fields[k].type == "date" for k in contract.key) and bool(contract.key)
    day = FIRST + timedelta(days=(index if alone else index // 10) * (7 if week else 1))
    if item.type == "date":
        if item.name in ("end_date", "interval_end", "date_stop") and item.name != contract.event_date:
            day = day + timedelta(days=6 if week else 0)
        return day.strftime(item.format or "%Y-%m-%d")
    if item.type == "timestamp":
        return f"{day.isoformat()} 10:{index % 60:02d}:00"
    if item.type == "boolean":
        return "YN"[index % 2]
    if item.type == "integer":
        return str(
            {"clicks": 3, "frequency_group": 1 + index % 10, "new_orders": 4, "new_customers": 2}.get(
                item.name, 100 + index
            )
        )
    if item.type == "decimal":
        return f"{10 + index}.25"
    if item.type == "json":
        return "[]"
    if item.role == "currency":
        return "USD"
    if item.name == "tactic":
        return "brand"
    if item.name == "campaign_name":
        return f"Brand line {index}"
    if item.pii == "email":
        return f"person{index}@example.org"
    if item.pii == "phone":
        return f"+1212555{index:04d}"
    if item.name in contract.partition and item.name not in ("channel",):
        return "1000001"
    return f"{item.name[:3]}{index}"


def sources(contract: Contract) -> list[tuple[str, Field]]:
    """(partner header, field) in declared order."""
    out: list[tuple[str, Field]] = []
    for item in contract.fields.values():
        for head in item.parts or item.sources[:1]:
            out.append((head, item))
    return out


def good_rows(contract: Contract, count: int = ROWS, shift: int = 0) -> list[list[str]]:
    return [[value(item, contract, i + shift) for _, item in sources(contract)] for i in range(count)]


def quote(cell: str, delimiter: str) -> str:
    if any(c in cell for c in (delimiter, '"', "\n", "\r")):
        return '"' + cell.replace('"', '""') + '"'
    return cell


def render(
    contract: Contract, rows: list[list[str]], header: list[str] | None = None, end: str = "\n"
) -> bytes:
    heads = header if header is not None else [h for h, _ in sources(contract)]
    if contract.format == "csv":
        lines = [heads] if contract.has_header else []
        text = "".join(
            contract.delimiter.join(quote(c, contract.delimiter) for c in line) + end
            for line in [*lines, *rows]
        )
        return text.encode()
    objects = []
    for row in rows:
        entry: dict[str, object] = {}
        for head, cell in zip(heads, row, strict=False):
            spot = entry
            *path, last = head.split(".")
            for part in path:
                spot = spot.setdefault(part, {})  # type: ignore[assignment]
            spot[last] = cell
        objects.append(entry)
    if contract.format == "ndjson":
        return "".join(json.dumps(o) + "\n" for o in objects).encode()
    return json.dumps(objects).encode()


def ending(contract: Contract) -> str:
    return {"csv": "csv", "ndjson": "ndjson", "json": "json"}[contract.format]


def filename(contract: Contract, extra: str = "", stamp: str = STAMP, end: str = "") -> str:
    return f"{contract.feed}{extra}__{stamp}.{end or ending(contract)}"


def column(
    contract: Contract, *, kinds: tuple[str, ...], required: bool | None = None, key: bool | None = None
) -> int | None:
    """Index of the first source column with such a type, neither hash nor partition."""
    for index, (_, item) in enumerate(sources(contract)):
        if item.type in kinds and not item.pii and not item.role and not item.parts:
            if required is not None and item.required != required:
                continue
            if key is not None and (item.name in contract.key) != key:
                continue
            return index
    return None


Maker = Callable[[Contract], Case | list[Case] | None]
MAKERS: list[tuple[int, Maker]] = []


def fault(number: int) -> Callable[[Maker], Maker]:
    def add(maker: Maker) -> Maker:
        MAKERS.append((number, maker))
        return maker

    return add


def one(
    number: int, label: str, c: Contract, data: bytes, outcome: str, reason: str = "", **more: object
) -> Case:
    end = str(more.pop("end", ""))
    return Case(number, label, c.feed, [[(filename(c, end=end), data)]], outcome, reason, **more)  # type: ignore[arg-type]


def edited(c: Contract, index: int, text: str, rows: tuple[int, ...] = (5,), total: int = ROWS) -> bytes:
    body = good_rows(c, total)
    for r in rows:
        body[r][index] = text
    return render(c, body)


def text_csv(c: Contract) -> bool:
    return c.format == "csv"


def headed(c: Contract) -> bool:
    return c.format == "csv" and c.has_header


def good(c: Contract) -> bytes:
    return render(c, good_rows(c))


# --- A. file and transport -----------------------------------------------------------------------------------


@fault(1)
def _empty(c: Contract) -> Case:
    return one(1, "zero bytes", c, b"", "QF", "empty_file")


@fault(2)
def _header_only(c: Contract) -> Case | None:
    if c.format == "ndjson" or not (c.has_header or c.format == "json"):
        return None
    return one(2, "header only", c, render(c, []), "LOAD", "no_rows", loaded=0)


@fault(3)
def _newlines(c: Contract) -> Case:
    return one(3, "only newlines", c, b"\n\n\r\n\n", "QF", "empty_file")


@fault(4)
def _cut(c: Contract) -> Case | None:
    data = good(c)
    if c.format == "json":
        return one(4, "cut", c, data[:-20], "QF", "malformed_json")
    last = data[:-1].rindex(b"\n") + 1
    if len(sources(c)) < 3:
        return None
    end = last + (data[last:].index(c.delimiter.encode()) + 2 if c.format == "csv" else 20)
    cut = data[:end]
    return one(4, "cut in a row", c, cut, "QR", "truncated_row", loaded=ROWS - 1, quarantined=1)


@fault(5)
def _rows_missing(c: Contract) -> Case:
    case = one(5, "manifest says more rows", c, good(c), "QF", "row_count_mismatch")
    case.manifest[case.name + ".manifest.json"] = json.dumps({"rows": ROWS + 3}).encode()
    return case


@fault(6)
def _partial(c: Contract) -> list[Case]:
    data = good(c)
    cases = [
        one(6, f"partial {end}", c, data, "WAIT", "partial_name", end=f"{ending(c)}.{end}")
        for end in ("tmp", "part", "filepart")
    ]
    small = one(6, "smaller than its manifest", c, data, "WAIT", "incomplete")
    small.manifest[small.name + ".manifest.json"] = json.dumps({"bytes": len(data) + 100}).encode()
    return [*cases[:1], small] if c.feed not in ("google_ads_campaign", "meta_ads") else [*cases, small]


def zipped(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


@fault(7)
def _gz_cut(c: Contract) -> Case:
    data = zipped(good(c))
    return one(7, "gzip cut", c, data[: len(data) // 2], "QF", "gzip_truncated", end=ending(c) + ".gz")


@fault(8)
def _gz_bad(c: Contract) -> Case:
    data = bytearray(zipped(good(c)))
    middle = len(data) // 2
    data[middle : middle + 24] = bytes((b * 7 + 13) % 256 for b in range(24))
    return one(8, "gzip corrupt", c, bytes(data), "QF", "gzip_", end=ending(c) + ".gz")


@fault(9)
def _gz_crc(c: Contract) -> Case:
    data = bytearray(zipped(good(c)))
    data[-8:-4] = struct.pack("<I", 12345)
    return one(9, "gzip checksum", c, bytes(data), "QF", "gzip_crc", end=ending(c) + ".gz")


@fault(10)
def _magic(c: Contract) -> list[Case]:
    return [
        one(10, "text named .gz", c, good(c), "QF", "magic_mismatch", end=ending(c) + ".gz"),
        one(10, "gzip without .gz", c, zipped(good(c)), "QF", "magic_mismatch"),
    ]


@fault(11)
def _bomb(c: Contract) -> Case | None:
    if c.feed not in ("google_ads_campaign", "meta_ads", "crm_customers", "amazon_ads_sp"):
        return None
    return one(
        11,
        "1,000:1 bomb",
        c,
        zipped(good(c) + b"0" * 30_000_000),
        "QF",
        "decompression_ratio",
        end=ending(c) + ".gz",
    )


@fault(12)
def _archive(c: Contract) -> list[Case]:
    zip_file, tar_file = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(zip_file, "w") as archive:
        archive.writestr("../../x.csv", good(c))
    with tarfile.open(fileobj=tar_file, mode="w") as tape:
        info = tarfile.TarInfo("/etc/x")
        info.size = 3
        tape.addfile(info, io.BytesIO(b"abc"))
    return [
        one(12, "zip slip", c, zip_file.getvalue(), "QF", "path_traversal"),
        one(12, "absolute tar", c, tar_file.getvalue(), "QF", "path_traversal"),
    ]


@fault(13)
def _names(c: Contract) -> list[Case]:
    bad = ["new\nline", "rtl\u202egnp", "tab\there"]
    if c.feed not in ("google_ads_campaign", "roundel", "meta_ads"):
        bad = bad[:1]
    return [
        Case(13, f"name {n!r}", c.feed, [[(f"{n}.{ending(c)}", good(c))]], "QF", "bad_file_name") for n in bad
    ]


@fault(14)
def _hostile_name(c: Contract) -> list[Case]:
    names = ["x'; drop table raw.t; --", "{{ 7 * 7 }}{% raw %}", "$(reboot) `id` ; rm"]
    keep = names if c.feed in ("google_ads_campaign", "roundel") else names[:1]
    return [
        Case(14, f"name {n!r}", c.feed, [[(f"{n}__{STAMP}.{ending(c)}", good(c))]], "LOAD", loaded=ROWS)
        for n in keep
    ]


@fault(15)
def _again(c: Contract) -> Case:
    name = filename(c)
    return Case(
        15,
        "same file again",
        c.feed,
        [[(name, good(c))], [(name, good(c))]],
        "NOOP",
        "same_content",
        loaded=0,
    )


@fault(16)
def _same_name(c: Contract) -> Case:
    name = filename(c)
    return Case(
        16,
        "same name, new content",
        c.feed,
        [[(name, good(c))], [(name, edited(c, *_number(c)))]],
        "REPLACE",
        any_reason=True,
        loaded=ROWS,
    )


def _number(c: Contract) -> tuple[int, str]:
    index = column(c, kinds=("integer", "decimal"), key=False)
    if index is None:
        index = column(c, kinds=("text",), key=False)
    if index is None:
        raise LookupError
    return index, "7"


@fault(17)
def _other_name(c: Contract) -> Case:
    return Case(
        17,
        "other name, same content",
        c.feed,
        [[(filename(c), good(c)), (filename(c, "_copy", "20261031T060000Z"), good(c))]],
        "NOOP",
        "same_content",
        loaded=0,
    )


@fault(18)
def _late(c: Contract) -> Case | None:
    if c.mode == "replace" and not c.event_date:
        return None
    old = render(c, good_rows(c, 10, 0))
    new = render(c, good_rows(c, 10, 20))
    first, second = filename(c, "_new"), filename(c, "_old", "20261001T060000Z")
    return Case(18, "old file arrives late", c.feed, [[(first, new)], [(second, old)]], "LOAD", loaded=10)


@fault(20)
def _page(c: Contract) -> list[Case]:
    pages = {
        "html": b"<!DOCTYPE html><html><body>503 Service Unavailable</body></html>\n",
        "xml": b'<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code></Error>\n',
        "json": b'{"error": {"code": 401, "message": "token expired"}}\n',
    }
    return [one(20, f"{kind} page", c, page, "QF", "error_page") for kind, page in pages.items()]


@fault(21)
def _stray(c: Contract) -> Case | None:
    if not headed(c):
        return None
    other = "weather" if c.feed != "weather" else "store_locations"
    data = good(load_contracts()[other])
    return Case(21, "another feed's file", c.feed, [[(f"export__{STAMP}.csv", data)]], "QF", "wrong_feed")


@fault(25)
def _future(c: Contract) -> list[Case]:
    cases = [
        Case(
            25,
            "stamped in the future",
            c.feed,
            [[(filename(c, stamp="20991030T060000Z"), good(c))]],
            "WARN",
            "future_delivery",
            loaded=ROWS,
        )
    ]
    index = next(
        (i for i, (_, f) in enumerate(sources(c)) if f.type == "date" and f.required and not f.future), None
    )
    if index is not None:
        fmt = sources(c)[index][1].format or "%Y-%m-%d"
        text = date(2026, 12, 6).strftime(fmt)
        cases.append(
            one(
                25,
                "row from the future",
                c,
                edited(c, index, text),
                "QR",
                "future_date",
                loaded=ROWS - 1,
                quarantined=1,
            )
        )
    return cases


# --- B. encoding and structure -------------------------------------------------------------------------------


@fault(26)
def _bom(c: Contract) -> Case:
    return one(26, "byte order mark", c, b"\xef\xbb\xbf" + good(c), "LOAD", loaded=ROWS, same_rows=True)


@fault(27)
def _utf16(c: Contract) -> list[Case]:
    text = good(c).decode()
    return [
        one(27, "UTF-16 LE", c, b"\xff\xfe" + text.encode("utf-16-le"), "LOAD", loaded=ROWS, same_rows=True),
        one(27, "UTF-16 BE", c, b"\xfe\xff" + text.encode("utf-16-be"), "LOAD", loaded=ROWS, same_rows=True),
        one(27, "UTF-16 without mark", c, text.encode("utf-16-le"), "QF", "invalid_encoding"),
    ]


def _free_text(c: Contract) -> int | None:
    for index, (_, item) in enumerate(sources(c)):
        if (
            item.type == "text"
            and item.name not in c.key
            and item.name not in c.partition
            and not item.role
            and not item.pii
        ):
            return index
    return None


@fault(28)
def _latin(c: Contract) -> Case | None:
    index = _free_text(c)
    if index is None or c.format == "json":
        return None
    data = (
        edited(c, index, "Caf\u00e9 MARK")
        .replace(b"\\u00e9", "\u00e9".encode())
        .replace("\u00e9".encode(), b"\xe9")
    )
    return one(28, "Latin-1 byte", c, data, "QR", "invalid_encoding", loaded=ROWS - 1, quarantined=1)


@fault(29)
def _surrogate(c: Contract) -> Case | None:
    index = _free_text(c)
    if index is None or c.format == "json":
        return None
    data = edited(c, index, "MARKX").replace(b"MARKX", b"\xed\xa0\x80\xff")
    return one(29, "lone surrogate", c, data, "QR", "invalid_encoding", loaded=ROWS - 1, quarantined=1)


@fault(30)
def _nul(c: Contract) -> Case | None:
    index = _free_text(c)
    if index is None:
        return None
    data = edited(c, index, "MARKX").replace(b"MARKX", b"a\x00b" if c.format == "csv" else b"a\\u0000b")
    return one(30, "NUL in a field", c, data, "QR", "nul_byte", loaded=ROWS - 1, quarantined=1)


@fault(31)
def _invisible(c: Contract) -> list[Case]:
    index = next(
        (
            i
            for i, (_, f) in enumerate(sources(c))
            if f.type == "text" and f.name in c.key and not f.free_text and not f.pii
        ),
        None,
    )
    if index is None:
        return []
    cases = []
    for label, text in (
        ("zero width", "a\u200bb1"),
        ("full width", "\uff11\uff12\uff13"),
        ("no-break space", "ab\u00a0"),
        ("override", "a\u202eb"),
    ):
        data = edited(c, index, text)
        cases.append(one(31, label, c, data, "WARN", "id_normalised", loaded=ROWS))
    return cases if c.feed in ("google_ads_campaign", "meta_ads") else cases[:2]


@fault(32)
def _line_ends(c: Contract) -> list[Case]:
    if not text_csv(c):
        return []
    return [
        one(32, "CRLF", c, render(c, good_rows(c), end="\r\n"), "LOAD", loaded=ROWS, same_rows=True),
        one(32, "CR only", c, render(c, good_rows(c), end="\r"), "LOAD", loaded=ROWS, same_rows=True),
    ]


@fault(33)
def _mixed(c: Contract) -> Case | None:
    if not text_csv(c):
        return None
    lines = good(c).split(b"\n")[:-1]
    data = b"".join(line + (b"\r\n" if i % 3 else b"\n") for i, line in enumerate(lines))
    return one(33, "mixed line ends", c, data, "LOAD", loaded=ROWS, same_rows=True)


@fault(34)
def _inner_newline(c: Contract) -> list[Case]:
    index = _free_text(c)
    if index is None or not text_csv(c):
        return []
    return [
        one(34, "line break in quotes", c, edited(c, index, "two\nlines"), "LOAD", loaded=ROWS),
        one(34, "CRLF in quotes", c, edited(c, index, "two\r\nlines"), "LOAD", loaded=ROWS),
    ]


@fault(35)
def _inner_quote(c: Contract) -> Case | None:
    index = _free_text(c)
    if index is None or not text_csv(c):
        return None
    data = edited(c, index, "MARKX").replace(b"MARKX", b'5" pods')
    return one(35, "unescaped quote", c, data, "LOAD", loaded=ROWS)


@fault(36)
def _backslash(c: Contract) -> Case | None:
    index = _free_text(c)
    if index is None or not text_csv(c):
        return None
    data = edited(c, index, "MARKX").replace(b"MARKX", b'"say \\"hi\\" now"')
    return one(36, "backslash quotes", c, data, "QR", "malformed_quote", loaded=ROWS - 1, quarantined=1)


@fault(37)
def _open_quote(c: Contract) -> Case | None:
    index = _free_text(c)
    if index is None or not text_csv(c):
        return None
    return one(
        37,
        "quote never closed",
        c,
        edited(c, index, "MARKX").replace(b"MARKX", b'"open'),
        "QF",
        "unterminated_quote",
    )


@fault(38)
def _delimiter(c: Contract) -> list[Case]:
    if not text_csv(c) or len(sources(c)) < 2:
        return []
    cases = []
    for name, mark in (("semicolon", ";"), ("tab", "\t"), ("bar", "|"), ("comma", ",")):
        if mark != c.delimiter:
            rows = [[h for h, _ in sources(c)]] * c.has_header + good_rows(c)
            data = "".join(mark.join(row) + "\n" for row in rows).encode()
            cases.append(one(38, name, c, data, "QF", "wrong_delimiter"))
    return cases if c.feed in ("google_ads_campaign", "roundel", "alyce_client") else cases[:1]


@fault(39)
def _ragged(c: Contract) -> list[Case]:
    if not text_csv(c) or len(sources(c)) < 2:
        return []
    long, short = good(c).split(b"\n"), good(c).split(b"\n")
    long[7] += c.delimiter.encode() + b"extra"
    short[7] = short[7][: short[7].rindex(c.delimiter.encode())]
    return [
        one(39, "a cell too many", c, b"\n".join(long), "QR", "ragged_row", loaded=ROWS - 1, quarantined=1),
        one(39, "a cell too few", c, b"\n".join(short), "QR", "ragged_row", loaded=ROWS - 1, quarantined=1),
    ]


@fault(40)
def _trailing(c: Contract) -> list[Case]:
    if not headed(c):
        return []
    mark, lines = c.delimiter.encode(), good(c).split(b"\n")
    everywhere = b"\n".join(line + mark if line else line for line in lines)
    rows_only = b"\n".join([lines[0], *[line + mark if line else line for line in lines[1:]]])
    return [
        one(40, "delimiter at line end", c, everywhere, "LOAD", loaded=ROWS, same_rows=True),
        one(40, "delimiter at row end", c, rows_only, "LOAD", loaded=ROWS, same_rows=True),
        one(40, "CR rows", c, rows_only.replace(b"\n", b"\r"), "LOAD", loaded=ROWS, same_rows=True),
    ]


@fault(41)
def _blank(c: Contract) -> Case | None:
    if c.format == "json":
        return None
    lines = good(c).split(b"\n")
    data = b"\n".join([*lines[:4], b"", *lines[4:9], b"", b"", *lines[9:], b"", b""])
    return one(41, "blank lines", c, data, "LOAD", loaded=ROWS, same_rows=True)


@fault(42)
def _preamble(c: Contract) -> Case | None:
    if not headed(c) or len(sources(c)) < 3:
        return None
    return one(42, "preamble", c, b"Report: weekly performance\nAccount: 1\n\n" + good(c), "QF", "preamble")


@fault(43)
def _total(c: Contract) -> list[Case]:
    if not headed(c):
        return []
    heads = sources(c)
    cells = ["Total"] + [
        ("440.00" if f.type == "decimal" else "440" if f.type == "integer" else "") for _, f in heads[1:]
    ]
    cases = []
    if heads[0][1].type in ("date", "integer", "timestamp") or any(
        f.required and f.type != "integer" and f.type != "decimal" for _, f in heads[1:]
    ):
        cases.append(
            one(
                43,
                "total row",
                c,
                good(c) + c.delimiter.join(cells).encode() + b"\n",
                "LOAD",
                loaded=ROWS,
                declared=1,
                same_rows=True,
            )
        )
    if len(heads) > 2:
        tail = b"Report Time:" + c.delimiter.encode() + b"2026/10/30 01:00\n"
        cases.append(
            one(43, "report footer", c, good(c) + tail, "LOAD", loaded=ROWS, declared=1, same_rows=True)
        )
    return cases


@fault(44)
def _header_again(c: Contract) -> Case | None:
    if not headed(c):
        return None
    lines = good(c).split(b"\n")
    return one(
        44,
        "header again",
        c,
        b"\n".join([*lines[:10], lines[0], *lines[10:]]),
        "LOAD",
        loaded=ROWS,
        declared=1,
        same_rows=True,
    )


@fault(45)
def _no_header(c: Contract) -> Case | None:
    if not headed(c):
        return None
    return one(45, "no header", c, good(c).split(b"\n", 1)[1], "QF", "missing_header")


@fault(46)
def _header_twice(c: Contract) -> Case | None:
    if not headed(c):
        return None
    heads = [h for h, _ in sources(c)]
    rows = [[*row, row[-1]] for row in good_rows(c)]
    return one(46, "a name twice", c, render(c, rows, [*heads, heads[-1]]), "QF", "duplicate_header")


@fault(47)
def _spelling(c: Contract) -> list[Case]:
    if not headed(c):
        return []
    heads = [h for h, _ in sources(c)]
    cases = [
        one(
            47,
            "upper case",
            c,
            render(c, good_rows(c), [h.upper() for h in heads]),
            "LOAD",
            loaded=ROWS,
            same_rows=True,
        ),
        one(
            47,
            "blanks",
            c,
            render(c, good_rows(c), [f"  {h} " for h in heads]),
            "LOAD",
            loaded=ROWS,
            same_rows=True,
        ),
    ]
    alias = [f.sources[-1] if len(f.sources) > 1 else h for h, f in sources(c)]
    if alias != heads:
        cases.append(
            one(47, "synonyms", c, render(c, good_rows(c), alias), "LOAD", loaded=ROWS, same_rows=True)
        )
    return cases


@fault(48)
def _order(c: Contract) -> Case | None:
    if (c.format == "csv" and not c.has_header) or len(sources(c)) < 2:
        return None
    order = list(range(len(sources(c))))
    random.Random(c.feed).shuffle(order)
    heads = [h for h, _ in sources(c)]
    rows = [[row[i] for i in order] for row in good_rows(c)]
    return one(
        48,
        "columns reordered",
        c,
        render(c, rows, [heads[i] for i in order]),
        "LOAD",
        loaded=ROWS,
        same_rows=True,
    )


@fault(49)
def _added(c: Contract) -> Case | None:
    if c.format == "csv" and not c.has_header:
        return None
    heads = [*[h for h, _ in sources(c)], "brand_new_metric"]
    return one(
        49,
        "column added",
        c,
        render(c, [[*row, "5"] for row in good_rows(c)], heads),
        "LOAD",
        "schema_drift",
        loaded=ROWS,
    )


def _without(c: Contract, index: int) -> bytes:
    heads = [h for h, _ in sources(c)]
    return render(
        c, [row[:index] + row[index + 1 :] for row in good_rows(c)], heads[:index] + heads[index + 1 :]
    )


@fault(50)
def _removed(c: Contract) -> list[Case]:
    if c.format == "csv" and not c.has_header:
        return []
    index = next((i for i, (_, f) in enumerate(sources(c)) if f.required and f.default is None), None)
    if index is None or len(sources(c)) < 3:
        return []
    heads = [h for h, _ in sources(c)]
    heads[index] = "something_else"
    return [
        one(50, "required column gone", c, _without(c, index), "QF", "missing_column"),
        one(50, "required column renamed", c, render(c, good_rows(c), heads), "QF", "missing_column"),
    ]


@fault(51)
def _optional_gone(c: Contract) -> Case | None:
    if c.format == "csv" and not c.has_header:
        return None
    index = next(
        (
            i
            for i, (_, f) in enumerate(sources(c))
            if not f.required and not f.parts and f.default is None and f.name not in c.key
        ),
        None,
    )
    if index is None:
        return None
    return one(
        51, "optional column gone", c, _without(c, index), "LOAD", "optional_column_missing", loaded=ROWS
    )


@fault(52)
def _type_change(c: Contract) -> list[Case]:
    index = column(c, kinds=("integer",))
    if index is None:
        return []
    return [
        one(52, "one cell", c, edited(c, index, "12,3"), "QR", "bad_number", loaded=ROWS - 1, quarantined=1),
        one(52, "every cell", c, edited(c, index, "12,3", tuple(range(ROWS))), "QF", "type_changed"),
    ]


@fault(53)
def _huge(c: Contract) -> Case | None:
    index = _free_text(c)
    if index is None or c.feed not in (
        "google_ads_campaign",
        "roundel",
        "clickstream",
        "meta_ads",
        "crm_customers",
    ):
        return None
    return one(
        53,
        "3 MB field",
        c,
        edited(c, index, "x" * 3_000_000),
        "QR",
        "line_too_long",
        loaded=ROWS - 1,
        quarantined=1,
    )


@fault(54)
def _wide(c: Contract) -> Case | None:
    if not headed(c):
        return None
    heads = [h for h, _ in sources(c)] + [f"c{i}" for i in range(5000)]
    return one(
        54,
        "5,000 columns",
        c,
        render(c, [row + ["1"] * 5000 for row in good_rows(c, 2)], heads),
        "QF",
        "too_many_columns",
    )


@fault(55)
def _binary(c: Contract) -> list[Case]:
    book = io.BytesIO()
    with zipfile.ZipFile(book, "w") as archive:
        archive.writestr("[Content_Types].xml", "<x/>")
        archive.writestr("xl/workbook.xml", "<x/>")
    return [
        one(55, "spreadsheet", c, book.getvalue(), "QF", "magic_mismatch"),
        one(55, "parquet", c, b"PAR1" + os.urandom(64) + b"PAR1", "QF", "magic_mismatch"),
    ]


# --- C. values -----------------------------------------------------------------------------------------------


def _money(c: Contract) -> int | None:
    return column(c, kinds=("decimal",))


@fault(56)
def _currency(c: Contract) -> list[Case]:
    index = _money(c)
    if index is None:
        return []
    return [
        one(56, "$ sign", c, edited(c, index, "$15.50"), "LOAD", loaded=ROWS),
        one(56, "USD word", c, edited(c, index, "USD 15.50"), "LOAD", loaded=ROWS),
        one(
            56,
            "euro among dollars",
            c,
            edited(c, index, "\u20ac6"),
            "QR",
            "currency_mismatch",
            loaded=ROWS - 1,
            quarantined=1,
        ),
    ]


@fault(57)
def _thousands(c: Contract) -> list[Case]:
    index = _money(c)
    if index is None:
        return []
    return [
        one(57, "thousands", c, edited(c, index, "1,015.50"), "LOAD", loaded=ROWS),
        one(
            57,
            "Indian grouping undeclared",
            c,
            edited(c, index, "1,00,000"),
            "QR",
            "bad_number",
            loaded=ROWS - 1,
            quarantined=1,
        ),
    ]


@fault(58)
def _comma(c: Contract) -> list[Case]:
    index = _money(c)
    if index is None:
        return []
    return [
        one(
            58,
            "decimal comma once",
            c,
            edited(c, index, "15,50"),
            "QR",
            "bad_number",
            loaded=ROWS - 1,
            quarantined=1,
        ),
        one(
            58,
            "decimal comma everywhere",
            c,
            edited(c, index, "15,50", tuple(range(ROWS))),
            "QF",
            "type_changed",
        ),
    ]


def _amount(c: Contract) -> int | None:
    """A money or unit column whose sign a declared check watches."""
    watched = " ".join(check.when for check in c.checks if check.code == "is_adjustment")
    for index, (_, item) in enumerate(sources(c)):
        if item.type == "decimal" and f"{item.name} < 0" in watched:
            return index
    return None


@fault(59)
def _brackets(c: Contract) -> list[Case]:
    index = _amount(c)
    if index is None:
        return []
    return [
        one(59, "brackets", c, edited(c, index, "(15.50)"), "LOAD", "is_adjustment", loaded=ROWS),
        one(59, "minus behind", c, edited(c, index, "15.50-"), "LOAD", "is_adjustment", loaded=ROWS),
    ]


@fault(60)
def _negative(c: Contract) -> Case | None:
    index = _amount(c)
    return (
        None
        if index is None
        else one(60, "credit", c, edited(c, index, "-5.25"), "LOAD", "is_adjustment", loaded=ROWS)
    )


@fault(61)
def _not_finite(c: Contract) -> list[Case]:
    index = column(c, kinds=("decimal", "integer"))
    if index is None:
        return []
    return [
        one(61, t, c, edited(c, index, t), "QR", "not_finite", loaded=ROWS - 1, quarantined=1)
        for t in ("NaN", "inf", "-Infinity")
    ]


@fault(62)
def _no_value(c: Contract) -> list[Case]:
    cases = []
    optional = column(c, kinds=("integer", "decimal"), required=False)
    required = column(c, kinds=("integer", "decimal"), required=True)
    for token in ("N/A", "--", "null", "#N/A", ""):
        if optional is not None:
            cases.append(one(62, f"optional {token!r}", c, edited(c, optional, token), "LOAD", loaded=ROWS))
        if required is not None:
            cases.append(
                one(
                    62,
                    f"required {token!r}",
                    c,
                    edited(c, required, token),
                    "QR",
                    "required_empty",
                    loaded=ROWS - 1,
                    quarantined=1,
                )
            )
    return cases if c.feed in ("google_ads_campaign", "meta_ads", "roundel") else cases[:2]


@fault(63)
def _range(c: Contract) -> list[Case]:
    index = column(c, kinds=("integer",))
    if index is None:
        return []
    return [
        one(
            63,
            "overflow",
            c,
            edited(c, index, "99999999999999999999"),
            "QR",
            "out_of_range",
            loaded=ROWS - 1,
            quarantined=1,
        ),
        one(63, "1e30", c, edited(c, index, "1e30"), "QR", "out_of_range", loaded=ROWS - 1, quarantined=1),
        one(63, "1.5e1", c, edited(c, index, "1.5e1"), "LOAD", loaded=ROWS, any_reason=True),
        one(
            63,
            "5.5 in a count",
            c,
            edited(c, index, "5.5"),
            "QR",
            "not_an_integer",
            loaded=ROWS - 1,
            quarantined=1,
        ),
        one(
            63,
            "0x1F in a count",
            c,
            edited(c, index, "0x1F"),
            "QR",
            "bad_number",
            loaded=ROWS - 1,
            quarantined=1,
        ),
        one(
            63,
            "1_0 in a count",
            c,
            edited(c, index, "1_0"),
            "QR",
            "bad_number",
            loaded=ROWS - 1,
            quarantined=1,
        ),
    ]


def _day(c: Contract) -> int | None:
    return next((i for i, (_, f) in enumerate(sources(c)) if f.type == "date" and f.required), None)


@fault(64)
def _no_day(c: Contract) -> list[Case]:
    index = _day(c)
    if index is None:
        return []
    fmt = sources(c)[index][1].format or "%Y-%m-%d"

    def spelled(year: str, month: str, day: str) -> str:
        return fmt.replace("%Y", year).replace("%y", year[2:]).replace("%m", month).replace("%d", day)

    cases = [
        one(
            64,
            "Feb 30",
            c,
            edited(c, index, spelled("2026", "02", "30")),
            "QR",
            "impossible_date",
            loaded=ROWS - 1,
            quarantined=1,
        )
    ]
    if "%Y" in fmt:
        cases += [
            one(
                64,
                "0000-00-00",
                c,
                edited(c, index, spelled("0000", "00", "00")),
                "QR",
                "impossible_date",
                loaded=ROWS - 1,
                quarantined=1,
            ),
            one(
                64,
                "1899",
                c,
                edited(c, index, spelled("1899", "12", "30")),
                "QR",
                "date_out_of_range",
                loaded=ROWS - 1,
                quarantined=1,
            ),
        ]
    return cases


@fault(65)
def _format(c: Contract) -> list[Case]:
    index = _day(c)
    if index is None:
        return []
    item = sources(c)[index][1]
    body = good_rows(c)
    mixed = good_rows(c)
    for i, row in enumerate(body):
        day = date(2026, 9, 6) + timedelta(days=i)
        row[index] = day.strftime("%d.%m.%Y")
        mixed[i][index] = day.strftime(["%d.%m.%Y", "%b %d, %Y", "%Y%m%d", item.format or "%Y-%m-%d"][i % 4])
    return [
        one(65, "another format", c, render(c, body), "QF", "type_changed"),
        one(65, "four formats", c, render(c, mixed), "QF", "type_changed"),
    ]


@fault(65)
def _swapped(c: Contract) -> Case | None:
    index = _day(c)
    if index is None or sources(c)[index][1].format != "%m/%d/%Y" or c.mode != "replace":
        return None
    body = good_rows(c)
    for i, row in enumerate(body):
        row[index] = (date(2026, 9, 1) + timedelta(days=i % 12)).strftime("%d/%m/%Y")
        for j, (_, f) in enumerate(sources(c)):
            if f.name in c.key and f.type == "text" and f.name not in c.partition:
                row[j] = f"k{i}"
    return Case(
        65,
        "day first in a month-first feed",
        c.feed,
        [[(filename(c, "_20260901_20260912"), render(c, body))]],
        "QF",
        "date_format_contradiction",
    )


@fault(66)
def _serial(c: Contract) -> Case | None:
    index = _day(c)
    return (
        None
        if index is None
        else one(
            66,
            "Excel serial",
            c,
            edited(c, index, "46272"),
            "QR",
            "excel_serial_date",
            loaded=ROWS - 1,
            quarantined=1,
        )
    )


@fault(68)
def _contradiction(c: Contract) -> list[Case]:
    cases = []
    names = [f.name for _, f in sources(c)]
    codes = {check.code for check in c.checks}
    if "clicks_over_impressions" in codes:
        cases.append(
            one(
                68,
                "more clicks than impressions",
                c,
                edited(c, names.index("clicks"), "9999"),
                "WARN",
                "clicks_over_impressions",
                loaded=ROWS,
            )
        )
    if "spend_without_impressions" in codes:
        body = good_rows(c)
        body[5][names.index("impressions")] = "0"
        if "clicks" in names:
            body[5][names.index("clicks")] = "0"
        cases.append(
            one(
                68,
                "spend without impressions",
                c,
                render(c, body),
                "WARN",
                "spend_without_impressions",
                loaded=ROWS,
            )
        )
    return cases


@fault(69)
def _repeated(c: Contract) -> list[Case]:
    if not c.key or c.duplicates != "quarantine":
        return []
    rows = good_rows(c)
    cases = [
        one(
            69, "row twice", c, render(c, [*rows, rows[3]]), "QR", "duplicate_row", loaded=ROWS, quarantined=1
        )
    ]
    try:
        index, text = _number(c)
    except LookupError:
        return cases
    other = list(rows[3])
    other[index] = text
    cases.append(one(69, "key twice, other values", c, render(c, [*rows, other]), "QF", "duplicate_key"))
    return cases


@fault(72)
def _hostile_text(c: Contract) -> list[Case]:
    index = _free_text(c)
    if index is None:
        return []
    texts = ["'); drop table raw.x; --", "{{ ref('x') }}", "<script>alert(1)</script>"]
    return [
        one(72, t, c, edited(c, index, t), "LOAD", loaded=ROWS, any_reason=True)
        for t in (texts if c.feed == "roundel" else texts[:1])
    ]


@fault(73)
def _formula(c: Contract) -> list[Case]:
    index = _free_text(c)
    if index is None:
        return []
    return [
        one(73, t, c, edited(c, index, t), "LOAD", loaded=ROWS, any_reason=True)
        for t in ("=cmd|' /C calc'!A0", "@SUM(1)")
    ]


@fault(74)
def _identifier(c: Contract) -> Case | None:
    index = _free_text(c)
    return (
        None
        if index is None
        else one(
            74,
            "e-mail in a name",
            c,
            edited(c, index, "for jane.doe@example.com"),
            "LOAD",
            loaded=ROWS,
            any_reason=True,
        )
    )


# --- D. time and delivery ------------------------------------------------------------------------------------


@fault(75)
def _restated(c: Contract) -> Case | None:
    try:
        newer = edited(c, *_number(c))
    except LookupError:
        return None
    return Case(
        75,
        "restated",
        c.feed,
        [[(filename(c, "_a"), good(c))], [(filename(c, "_b", "20261031T060000Z"), newer)]],
        "REPLACE",
        "partition_replaced",
        loaded=ROWS,
    )


@fault(75)
def _taken_back(c: Contract) -> Case | None:
    try:
        newer = edited(c, *_number(c))
    except LookupError:
        return None
    return Case(
        75,
        "restatement taken back",
        c.feed,
        [
            [(filename(c, "_a"), good(c))],
            [(filename(c, "_b", "20261031T060000Z"), newer)],
            [(filename(c, "_c", "20261101T060000Z"), good(c))],
        ],
        "REPLACE",
        "content_returned",
        loaded=ROWS,
        same_rows=True,
    )


@fault(75)
def _old_copy_late(c: Contract) -> Case | None:
    try:
        newer = edited(c, *_number(c))
    except LookupError:
        return None
    return Case(
        75,
        "older content again under an older stamp",
        c.feed,
        [
            [(filename(c, "_a", "20261029T060000Z"), newer)],
            [(filename(c, "_b"), good(c))],
            [(filename(c, "_c", "20261028T060000Z"), newer)],
        ],
        "NOOP",
        "same_content",
        loaded=0,
        same_rows=True,
    )


@fault(77)
def _overlap(c: Contract) -> Case | None:
    if c.mode == "replace" and not c.event_date:
        return None
    newer = render(c, good_rows(c, 20, 10))
    return Case(
        77,
        "overlapping windows",
        c.feed,
        [[(filename(c, "_a"), good(c)), (filename(c, "_b", "20261031T060000Z"), newer)]],
        "REPLACE",
        "partition_replaced",
        loaded=20,
    )


def cases(feeds: list[str] | None = None) -> Iterator[Case]:
    """All cases of all feeds, in a fixed order."""
    contracts = load_contracts()
    for number, maker in MAKERS:
        for feed in sorted(contracts):
            contract = contracts[feed]
            if (feeds is not None and feed not in feeds) or contract.open_columns:
                continue
            try:
                made = maker(contract)
            except LookupError:
                continue
            for case in made if isinstance(made, list) else [made] if made else []:
                assert case.fault == number
                yield case
