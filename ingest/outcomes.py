"""The closed vocabulary of the ledger, and the ways in which a file is refused."""

from __future__ import annotations

LOAD, QR, QF, NOOP, WAIT, REPLACE, ABORT, WARN = (
    "LOAD",
    "QR",
    "QF",
    "NOOP",
    "WAIT",
    "REPLACE",
    "ABORT",
    "WARN",
)
OUTCOMES = (LOAD, QR, QF, NOOP, WAIT, REPLACE, ABORT, WARN)
# A file with one of these is settled; WAIT and ABORT are looked at again by the next run.
SETTLED = (LOAD, QR, QF, NOOP, REPLACE, WARN)
# A file with one of these brought rows (or an empty day); the same as an SQL list.
LOADED_WORDS = (LOAD, QR, REPLACE, WARN)
LOADED = f"('{LOAD}', '{QR}', '{REPLACE}', '{WARN}')"

# Warnings that make the file's outcome WARN. The others are kept beside LOAD as its reason.
FLAGGED = frozenset(
    {
        "clicks_over_impressions",
        "spend_without_impressions",
        "id_normalised",
        "future_delivery",
        "low_volume",
        "tactic_contradicts_name",
        "new_customers_over_new_orders",
        "new_orders_over_orders",
        "week_start_weekday",
        "week_end_weekday",
        "date_range_row",
        "date_outside_window",
    }
)


class Settled(Exception):
    """A file's fate is known before its rows are read.

    Attributes:
        outcome: a word of :data:`OUTCOMES`.
        reason: a short machine word.
        detail: one line for people; never a value of the file.
    """

    outcome = QF

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class Refused(Settled):
    """The whole file goes to quarantine; earlier data stays untouched."""

    outcome = QF


class NotYet(Settled):
    """The file is not complete; it is left alone and looked at again."""

    outcome = WAIT


class Failed(Settled):
    """Reading failed for a reason outside the file; a later run heals it."""

    outcome = ABORT


class Seen(Settled):
    """The content is known already."""

    outcome = NOOP
