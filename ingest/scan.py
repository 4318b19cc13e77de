"""Facts about decoded text, counted without parsing it.

The scanner counts physical lines in blocks of bytes. It shares no code with the parsers, so that its counts can
contradict theirs: rows loaded, quarantined and declared must add up to what it saw.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

_BLANK = re.compile(rb"\n(?=\r?\n)")
LONG_LINE = 2_000_000
Positions = np.ndarray[Any, np.dtype[np.int64]]
STEP = 65_535  # bytes; a longer text does not fit a VARCHAR of Redshift


@dataclass
class Facts:
    """Counts over one decoded file."""

    size: int = 0
    newlines: int = 0
    carriage_returns: int = 0
    crlf: int = 0
    blank_lines: int = 0
    quotes: int = 0
    quoted_newlines: int = 0
    nul: int = 0
    ascii: bool = True
    valid_utf8: bool = True
    longest_gap: int = 0
    ends_with_newline: bool = False
    head: bytes = b""
    first_blank: int = -1  # byte offset of the first blank line
    footer_lines: int = 0  # lines of a footer block that was cut off

    def cut(self, tail: bytes) -> None:
        """Take the counts of ``tail``, the end of the text from its first blank line on, out of these facts."""
        self.footer_lines = sum(1 for line in tail.splitlines() if line)
        self.size -= len(tail)
        self.newlines -= tail.count(b"\n")
        self.carriage_returns -= tail.count(b"\r")
        self.crlf -= tail.count(b"\r\n")
        self.blank_lines = 0
        self.ends_with_newline = True

    @property
    def lines(self) -> int:
        """Physical lines that are not blank (LF or CRLF files)."""
        last = 0 if self.ends_with_newline or self.size == 0 else 1
        return self.newlines + last - self.blank_lines

    @property
    def plain(self) -> bool:
        """Every physical line is one record, whatever the quoting: the engine's reader may be used."""
        return (
            self.valid_utf8
            and self.nul == 0
            and self.quoted_newlines == 0
            and self.quotes % 2 == 0
            and self.blank_lines == 0
            and self.longest_gap < LONG_LINE
            and self.carriage_returns in (0, self.newlines)
            and self.crlf == self.carriage_returns
        )


class Scanner:
    """Feed it the decoded bytes in order, then call :meth:`finish`."""

    def __init__(self, head_size: int = 1 << 20, *, quoting: bool = True) -> None:
        self.facts = Facts()
        self._quoting = quoting
        self._head: list[bytes] = []
        self._head_left = head_size
        self._tail = b"\n"  # a newline before the first byte: a leading blank line counts as blank
        self._parity = 0
        self._gap = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("strict")

    def feed(self, block: bytes) -> None:
        """Count one block."""
        if not block:
            return
        facts = self.facts
        facts.size += len(block)
        if self._head_left > 0:
            self._head.append(block[: self._head_left])
            self._head_left -= len(block)
        ends = np.flatnonzero(np.frombuffer(block, dtype=np.uint8) == 10)
        facts.newlines += len(ends)
        gaps = np.diff(ends)
        shortest, edge = int(gaps.min(initial=STEP)), self._tail + block[:2]
        if b"\r" in block or b"\r" in edge:
            facts.carriage_returns += block.count(b"\r")
            facts.crlf += block.count(b"\r\n") + (self._tail[-1:] == b"\r" and block[:1] == b"\n")
            if shortest <= 2 or b"\n\r\n" in edge or b"\n\n" in edge:
                self._blank(block)
        elif shortest == 1 or b"\n\n" in edge:
            self._blank(block)
        self._gaps(block, ends, gaps)
        if b"\0" in block:
            facts.nul += block.count(b"\0")
        self._encoding(block)
        quotes = block.count(b'"') if self._quoting and b'"' in block else 0
        if quotes:
            facts.quoted_newlines += self._quoted_newlines(block, ends) if len(ends) else 0
        elif self._parity:
            facts.quoted_newlines += len(ends)
        self._parity ^= quotes & 1
        facts.quotes += quotes
        self._tail = (self._tail + block[-2:])[-2:]

    def _blank(self, block: bytes) -> None:
        """Blank lines that end inside this block (their newline is not in the carried tail)."""
        seam, carried, facts = self._tail + block, len(self._tail), self.facts
        for match in _BLANK.finditer(seam):
            if seam.index(b"\n", match.end()) >= carried:
                facts.blank_lines += 1
                if facts.first_blank < 0:
                    facts.first_blank = facts.size - len(block) - carried + match.end()

    def _gaps(self, block: bytes, ends: Positions, gaps: Positions) -> None:
        """Length of the longest line."""
        facts = self.facts
        if len(ends) == 0:
            self._gap += len(block)
            facts.longest_gap = max(facts.longest_gap, self._gap)
            return
        first, inner = self._gap + int(ends[0]), int(gaps.max(initial=1)) - 1
        self._gap = len(block) - int(ends[-1]) - 1
        facts.longest_gap = max(facts.longest_gap, first, inner, self._gap)

    def _encoding(self, block: bytes) -> None:
        facts = self.facts
        if not facts.valid_utf8:
            return
        if block.isascii() and facts.ascii:
            return
        facts.ascii = False
        try:
            self._decoder.decode(block)
        except UnicodeDecodeError:
            facts.valid_utf8 = False

    def _quoted_newlines(self, block: bytes, newlines: Positions) -> int:
        quotes = np.flatnonzero(np.frombuffer(block, dtype=np.uint8) == 34)
        before = np.searchsorted(quotes, newlines) + self._parity
        return int(np.count_nonzero(before & 1))

    def finish(self) -> Facts:
        """Close the counts."""
        facts = self.facts
        if facts.valid_utf8 and not facts.ascii:
            try:
                self._decoder.decode(b"", final=True)
            except UnicodeDecodeError:
                facts.valid_utf8 = False
        facts.ends_with_newline = facts.size > 0 and self._tail[-1:] == b"\n"
        facts.head = b"".join(self._head)
        return facts
