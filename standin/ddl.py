"""Distribution, sort keys and encodings: cut out of CREATE TABLE text, kept as data.

Works on tokens, because the column list must reach PostgreSQL as it was written.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from standin.dialect import tokens, words
from standin.gate import NotOnRedshift, check_encoding

_TYPE_TWO_WORDS = {("DOUBLE", "PRECISION"): "double", ("CHARACTER", "VARYING"): "varchar"}
_TYPE_ALIASES = {"int": "integer", "int4": "integer", "int8": "bigint", "int2": "smallint", "bool": "boolean", "float8": "double",
                 "float": "double", "float4": "real", "text": "varchar", "character": "char", "bpchar": "char", "nvarchar": "varchar"}  # fmt: skip
_STYLES = {"auto", "even", "all", "key"}


@dataclass
class TableAttributes:
    """What the DDL said about storage. ``temporary`` tables keep no record."""

    relation: str
    temporary: bool = False
    diststyle: str | None = None
    distkey: str | None = None
    sortstyle: str | None = None
    sortkeys: list[str] = field(default_factory=list)
    encodings: dict[str, str] = field(default_factory=dict)
    like: str | None = None

    @property
    def recorded(self) -> dict[str, object]:
        """The attributes as the JSON document the server keeps."""
        kept = ("diststyle", "distkey", "sortstyle", "sortkeys", "encodings")
        return {k: getattr(self, k) for k in kept} | ({"like": self.like} if self.like else {})

    @property
    def any(self) -> bool:
        """Is there something to record?"""
        return bool(self.diststyle or self.distkey or self.sortkeys or self.encodings or self.like)


class _Reader:
    """One pass over the tokens of a CREATE TABLE statement."""

    def __init__(self, sql: str) -> None:
        self.sql = sql
        self.tokens = tokens(sql)
        self.words = words(self.tokens)
        self.cuts: list[tuple[int, int, str]] = []

    def word(self, at: int) -> str:
        return self.words[at] if at < len(self.words) else ""

    def cut(self, first: int, last: int, replacement: str = "") -> None:
        self.cuts.append((self.tokens[first].start, self.tokens[last].end + 1, replacement))

    def closing(self, at: int) -> int:
        """Index of the parenthesis that closes the one at ``at``."""
        depth = 0
        for i in range(at, len(self.words)):
            depth += (self.words[i] == "(") - (self.words[i] == ")")
            if depth == 0:
                return i
        raise NotOnRedshift("unbalanced parentheses")

    def key_columns(self, at: int) -> tuple[list[str], int]:
        """Columns in parentheses after the keyword at ``at``, and the index of the last token used."""
        if self.word(at + 1) == "(":
            end = self.closing(at + 1)
            return [t.text.lower() for t in self.tokens[at + 2 : end] if t.text != ","], end
        return [], at + 1 if self.word(at + 1) == "AUTO" else at

    def read(self) -> TableAttributes | None:
        if self.word(0) != "CREATE" or "TABLE" not in self.words[:4]:
            return None
        at = self.words.index("TABLE") + 1
        if self.words[at : at + 3] == ["IF", "NOT", "EXISTS"]:
            at += 3
        end = at
        while self.word(end + 1) == ".":
            end += 2
        name = self.sql[self.tokens[at].start : self.tokens[end].end + 1].lower()
        found = TableAttributes(name, temporary=bool({"TEMP", "TEMPORARY"} & set(self.words[:4])))
        depth, column, at = 0, None, end + 1
        while at < len(self.words):
            word = self.words[at]
            if depth == 0 and word == "AS":
                break
            if word == "(":
                depth += 1
                column = at + 1 if depth == 1 else column
            elif word == ")":
                depth -= 1
            elif word == "," and depth == 1:
                column = at + 1
            elif depth <= 1:
                at = self._attribute(at, depth, column, found)
            at += 1
        return found

    def _column_type(self, column: int) -> str:
        pair = (self.word(column + 1), self.word(column + 2))
        kind = _TYPE_TWO_WORDS.get(pair, pair[0].lower())
        return _TYPE_ALIASES.get(kind, kind)

    def _attribute(self, at: int, depth: int, column: int | None, found: TableAttributes) -> int:
        word = self.words[at]
        if word == "LIKE" and depth == 1 and column == at:  # the new table takes over the other's storage
            last = at + 1
            while self.word(last + 1) == ".":
                last += 2
            found.like = self.sql[self.tokens[at + 1].start : self.tokens[last].end + 1].lower()
            return last
        name = self.tokens[column].text.lower() if column is not None and depth == 1 else None
        if word == "ENCODE" and column is not None and name:
            encoding = self.word(at + 1).lower()
            check_encoding(name, self._column_type(column), encoding)
            found.encodings[name] = encoding
            self.cut(at, at + 1)
            return at + 1
        if word in ("ENCODE", "BACKUP") and depth == 0:  # ENCODE AUTO, BACKUP YES | NO
            self.cut(at, at + 1)
            return at + 1
        if word == "DISTSTYLE":
            found.diststyle = self.word(at + 1).lower()
            if found.diststyle not in _STYLES:
                raise NotOnRedshift(f"DISTSTYLE {found.diststyle}")
            self.cut(at, at + 1)
            return at + 1
        if word in ("DISTKEY", "SORTKEY"):
            columns, last = self.key_columns(at)
            columns = columns or ([name] if name else [])
            first = at
            if word == "DISTKEY":
                found.distkey, found.diststyle = (columns or [None])[0], "key"
            else:
                found.sortkeys = columns
                if self.word(at - 1) in ("COMPOUND", "INTERLEAVED"):
                    found.sortstyle, first = self.word(at - 1).lower(), at - 1
            self.cut(first, last)
            return last
        if word == "IDENTITY" and self.word(at + 1) == "(":
            last = self.closing(at + 1)
            self.cut(at, last, "IDENTITY" if self.word(at - 1) == "AS" else "GENERATED ALWAYS AS IDENTITY")
            return last
        return at

    def text(self) -> str:
        sql = self.sql
        for start, end, replacement in sorted(self.cuts, reverse=True):
            sql = sql[:start] + replacement + sql[end:]
        return sql


def split_attributes(sql: str) -> tuple[str, TableAttributes | None]:
    """``sql`` without Redshift's table attributes, and what they were (None when it creates no table)."""
    reader = _Reader(sql)
    found = reader.read()
    return (reader.text(), found) if found else (sql, None)
