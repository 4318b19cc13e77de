"""sqlglot as a parser and printer only: functions keep their names, and their meaning sits in compat/*.sql.

sqlglot's own Redshift-to-PostgreSQL function mapping changes results (DATEDIFF through AGE, LISTAGG, AVG), so it
is switched off here; nothing else of this package may rely on a function being recognised.
"""

from __future__ import annotations

import re
from typing import ClassVar

import sqlglot
from sqlglot import exp, transforms
from sqlglot.dialects.postgres import Postgres
from sqlglot.dialects.redshift import Redshift
from sqlglot.tokens import TokenType

_PARAMETER = re.compile(r"\$(\d+)\b")
_PLACEHOLDER = re.compile(r"\brs_param_(\d+)\b")


class RedshiftText(Redshift):
    """Redshift's grammar without function knowledge."""

    class Parser(Redshift.Parser):
        FUNCTIONS: ClassVar[dict] = {}
        NO_PAREN_FUNCTIONS: ClassVar[dict] = {}


class PostgresText(Postgres):
    """PostgreSQL's printer; QUALIFY becomes a subquery."""

    class Generator(Postgres.Generator):
        TRANSFORMS: ClassVar[dict] = {
            **Postgres.Generator.TRANSFORMS,
            exp.Select: transforms.preprocess([transforms.eliminate_qualify]),
        }


def parse(sql: str) -> exp.Expression:
    """One statement as a tree; raises sqlglot.errors.ParseError."""
    # sqlglot reads "$1 ... $2" as one dollar-quoted string.
    return sqlglot.parse_one(_PARAMETER.sub(r"rs_param_\1", sql), read=RedshiftText)


def to_postgres(tree: exp.Expression) -> str:
    """PostgreSQL text of the tree, bind parameters restored."""
    return _PLACEHOLDER.sub(r"$\1", tree.sql(PostgresText, comments=False))


def tokens(sql: str) -> list:
    """Tokens with their positions in ``sql``."""
    return sqlglot.tokenize(_PARAMETER.sub(lambda m: "p" + m[1], sql), read="redshift")


def quote(text: str | None) -> str:
    """``text`` as a SQL literal."""
    return "null" if text is None else "'" + text.replace("'", "''") + "'"


def words(listed: list) -> list[str]:
    """Tokens in upper case for comparing; literals and quoted names become words that equal no keyword."""
    literal = (TokenType.STRING, TokenType.IDENTIFIER, TokenType.HEREDOC_STRING, TokenType.RAW_STRING)
    return [f"'{t.text}'" if t.token_type in literal else t.text.upper() for t in listed]
