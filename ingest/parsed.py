"""What became of the rows of one file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ingest.values import literal

PENDING = "careful"  # mark of a row in the first part whose fate stands in the second


@dataclass
class Parsed:
    """One parsed file.

    ``rows`` is Parquet: the declared columns, ``_line``, ``_extra``, ``_reason``, ``_field``, ``_row``. Rows with a
    ``_reason`` are quarantined or declared; the others are good. Rows that the canonical query did not understand
    are read by the careful one into ``careful_rows`` ('' = there were none). Money is in the feed's currency.
    """

    feed: str
    rows: str
    careful_rows: str = ""
    rows_file: int = 0
    rows_good: int = 0
    rows_bad: int = 0
    rows_declared: int = 0
    money_good: str = "0"
    money_bad: str = "0"
    first_date: str | None = None
    last_date: str | None = None
    warnings: list[tuple[str, str, int]] = field(default_factory=list)
    partitions: list[tuple[str, int]] = field(default_factory=list)
    suppressed: int = 0
    rewritten: bool = False  # the rows were written again, so that some may be refused

    @property
    def relation(self) -> str:
        """SQL of all rows."""
        first = f"read_parquet({literal(self.rows)})"
        if not self.careful_rows:
            return first
        return (
            f"(select * from {first} where _reason is null "
            f"union all by name select * from read_parquet({literal(self.careful_rows)}))"
        )

    @property
    def paths(self) -> list[str]:
        """The files that hold the rows."""
        return [self.rows, *filter(None, [self.careful_rows])]

    def rewrite(self, path: str) -> None:
        """Take ``path`` for the rows from now on."""
        self.remove()
        self.rows, self.careful_rows, self.rewritten = path, "", True

    def remove(self) -> None:
        """Delete the rows."""
        for path in self.paths:
            Path(path).unlink(missing_ok=True)
