"""Connections to Redshift, and when a failed transaction may be tried again."""

from __future__ import annotations

import logging
import os
import random
import time
from collections.abc import Callable
from typing import Any, TypeVar

from settings import Redshift

log = logging.getLogger(__name__)
T = TypeVar("T")
ATTEMPTS = 5
#: Error texts of a transaction that lost a race, not of a wrong statement: Redshift's 1023, and snapshot isolation's.
_RACES = ("1023", "serializable isolation violation", "could not serialize access", "deadlock detected")


def connect(redshift: Redshift, *, attempts: int = ATTEMPTS) -> Any:
    """A connection, autocommit off: redshift_connector's, or the Data API's where REDSHIFT_SECRET_ARN is set.

    A refused or dropped connection is tried again.
    """
    if secret := os.environ.get("REDSHIFT_SECRET_ARN"):
        from sql.dataapi import DataApiConnection

        return DataApiConnection(os.environ.get("REDSHIFT_WORKGROUP", ""), redshift.database, secret)
    import redshift_connector

    def opened() -> Any:
        return redshift_connector.connect(
            host=redshift.host,
            port=redshift.port,
            database=redshift.database,
            user=redshift.user,
            password=redshift.password,
            ssl=redshift.ssl,
            sslmode=redshift.sslmode,
            timeout=None,
        )

    return retrying(opened, attempts=attempts)


def is_transient(error: BaseException) -> bool:
    """May the same transaction succeed if it is run again from its start?

    True for a lost connection and for Redshift's serialisation error; False for every error of the statement itself.
    """
    import redshift_connector

    from sql.dataapi import DataApiError

    if isinstance(error, DataApiError):
        return error.lost or any(mark in str(error).lower() for mark in _RACES)
    first = error.args[0] if error.args else ""
    if isinstance(error, redshift_connector.Error) and isinstance(
        first, dict
    ):  # the server said what is wrong
        said = " ".join(str(first.get(k, "")) for k in ("M", "D")).lower()
        return any(mark in said for mark in _RACES)
    return isinstance(error, redshift_connector.InterfaceError | ConnectionError | TimeoutError)


def retrying(action: Callable[[], T], *, attempts: int = ATTEMPTS, pause: float = 0.2) -> T:
    """Run ``action`` until it succeeds, at most ``attempts`` times, pausing longer each time with jitter.

    Only transient errors are tried again; ``action`` must be a whole transaction, safe to repeat because a commit whose
    answer was lost may have happened.
    """
    for attempt in range(1, attempts + 1):
        try:
            return action()
        except Exception as error:
            if attempt == attempts or not is_transient(error):
                raise
            wait = pause * 2 ** (attempt - 1) * (0.5 + random.random())
            log.warning(
                "transient warehouse error (attempt %d of %d, again in %.1f s): %s",
                attempt,
                attempts,
                wait,
                error,
            )
            time.sleep(wait)
    raise AssertionError("unreachable")


def close_quietly(connection: Any) -> None:
    """Close a connection that may be lost already: the server rolls back by itself."""
    try:
        connection.close()
    except Exception as lost:
        log.debug("closing a lost connection: %s", lost)


def is_warehouse_error(error: BaseException) -> bool:
    """Whether the server or the way to it said no."""
    import redshift_connector

    from sql.dataapi import DataApiError

    return isinstance(error, redshift_connector.Error | DataApiError)


def error_text(error: BaseException) -> str:
    """The server's message of a redshift_connector error, in one line."""
    first = error.args[0] if error.args else error
    text = str(first.get("M") if isinstance(first, dict) else first)
    return " ".join(text.split())
