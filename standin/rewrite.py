"""One Redshift statement to PostgreSQL text: refuse, translate, or pass unchanged."""

from __future__ import annotations

import json
import re
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import sqlglot
from sqlglot import exp

from standin import commands, gate, storage
from standin.ddl import TableAttributes, split_attributes
from standin.dialect import parse, quote, to_postgres, tokens, words

SPOOL = Path(tempfile.gettempdir())
_COMMENTS = re.compile(r"^(\s*(/\*.*?\*/|--[^\n]*(\n|$)))+", re.S)
_PASSED = re.compile(
    r"(begin|start\s+transaction|commit|rollback|end|abort|deallocate|close|fetch|declare|set|reset|show|vacuum|analyze"
    r"|comment|drop|lock|truncate|call|create\s+schema|create\s+role|create\s+group|alter)\b",
    re.I,
)
_METADATA = re.compile(
    r"\b(pg_catalog|information_schema|svv_\w+|sys_\w+|stl_\w+|stv_\w+|pg_namespace|pg_proc|pg_class|pg_views?|pg_tables|pg_table_def"
    r"|pg_get_\w+|pg_terminate_backend|pg_backend_pid|pg_last_copy_count|has_\w+_privilege|pg_user|current_schema)\b",
    re.I,
)
_LATE_BINDING = re.compile(
    r"create\s+(?:or\s+replace\s+)?view\s+(\S+)\s+as\s+(.*?)\s*with\s+no\s+schema\s+binding$", re.I | re.S
)
_BOUND_INSERT = re.compile(r"insert\s+into\s+[\w\".#]+\s*(\([^)]*\)\s*)?values\s*\(\s*\$1", re.I)
_APPROXIMATE = re.compile(r"\bapproximate\s+(count|percentile_disc)\b", re.I)
_UNITS = {"YEAR", "YEARS", "Y", "YR", "QUARTER", "QUARTERS", "QTR", "MONTH", "MONTHS", "MON", "WEEK", "WEEKS", "W", "DAY", "DAYS",
          "D", "HOUR", "HOURS", "H", "HR", "MINUTE", "MINUTES", "MIN", "MI", "SECOND", "SECONDS", "S", "SEC", "MILLISECOND", "MS",
          "DOW", "DOY", "EPOCH", "DAYOFWEEK", "DW", "DAYOFYEAR"}  # fmt: skip
_RENAMED = {"AVG": "rs_avg", "POWER": "rs_power", "POW": "rs_power", "EXP": "rs_exp", "LN": "rs_ln", "SQRT": "rs_sqrt",
            "LOG": "rs_log", "NVL": "COALESCE"}  # fmt: skip


@dataclass
class Rewritten:
    """PostgreSQL text, the rules that changed it, and the file transfer that goes with it (COPY, UNLOAD)."""

    sql: str
    rules: list[str] = field(default_factory=list)
    transfer: storage.Copy | storage.Unload | None = None


def split_statements(sql: str) -> list[str]:
    """The statements of a script, without their semicolons."""
    listed = tokens(sql)
    cuts = [t.start for t, word in zip(listed, words(listed), strict=True) if word == ";"] + [len(sql)]
    parts, start = [], 0
    for cut in cuts:
        parts.append(sql[start:cut].strip())
        start = cut + 1
    return [part for part in parts if part]


def rewrite(sql: str, spool: Path = SPOOL) -> Rewritten:
    """Translate one statement. ``spool`` is the folder COPY and UNLOAD exchange files in.

    Raises NotOnRedshift when Redshift would refuse it, ValueError when a COPY or UNLOAD is malformed.
    """
    body = _COMMENTS.sub("", sql).strip().rstrip(";").strip()
    if not body:
        return Rewritten(sql)
    if re.match(r"copy\s", body, re.I):
        copy = storage.parse_copy(_temporary_names(body), spool)
        return Rewritten(copy.statement, ["copy from s3"], copy)
    if re.match(r"unload\s*\(", body, re.I):
        return _unload(body, spool)
    if translated := commands.translate(body):
        return Rewritten(translated[0], [translated[1]])
    if _PASSED.match(body):
        renamed = _temporary_names(body)
        return Rewritten(renamed, ["#temporary table"]) if renamed != body else Rewritten(sql)
    if _BOUND_INSERT.match(body):
        return Rewritten(_temporary_names(sql), ["bound insert"])
    if _METADATA.search(body) and re.match(r"(select|with)\b", body, re.I):
        return Rewritten(sql, ["metadata query"])
    return _query(sql, body)


def _unload(body: str, spool: Path) -> Rewritten:
    unload = storage.parse_unload(body, spool)
    gate.check_unload_query(parse(unload.query))
    unload.rewritten_query = rewrite(unload.query).sql
    return Rewritten(unload.statement, ["unload to s3"], unload)


def _query(original: str, body: str) -> Rewritten:
    rules: list[str] = []
    gate.check_words(body)
    if (renamed := _temporary_names(body)) != body:
        body = renamed
        rules.append("#temporary table")
    view = None
    if m := _LATE_BINDING.match(body):
        view, body = m[1].lower(), m[2]
        rules.append("late-binding view")
    if (exact := _APPROXIMATE.sub(r"\1", body)) != body:
        body = exact
        rules.append("approximate")
    body, attributes = split_attributes(body)
    if attributes and attributes.any:
        rules.append("table attributes")
    try:
        tree = parse(body)
    except sqlglot.errors.ParseError as problem:
        # PostgreSQL decides; the log keeps the mark, and a test asserts that dbt never causes one.
        return Rewritten(body, [*rules, "UNPARSED: " + str(problem).split("\n")[0][:100]])
    gate.check(tree)
    if isinstance(tree, exp.Create):
        _drop_unenforced_keys(tree, rules)
    tree = tree.transform(lambda node: _node(node, rules))
    if isinstance(tree, exp.Create):
        _byte_lengths(tree, rules)
    if tree.find(exp.Qualify):
        rules.append("qualify")
    made_from_query = (
        isinstance(tree, exp.Create) and tree.kind == "TABLE" and isinstance(tree.expression, exp.Query)
    )
    if made_from_query:
        rules.append("create table as")
    if not rules:
        return Rewritten(original)
    text = to_postgres(tree)
    if view:
        text = _do(f"rs_create_late_binding_view({quote(view)}, {_dollar(text)})")
    elif attributes and (made_from_query or (attributes.any and not attributes.temporary)):
        text = _create_table(text, attributes)
    return Rewritten(text, rules)


def _create_table(text: str, attributes: TableAttributes) -> str:
    kept = attributes.any and not attributes.temporary
    recorded = quote(json.dumps(attributes.recorded) if kept else None)
    return _do(f"rs_create_table({_dollar(text)}, {quote(attributes.relation)}, {recorded}::jsonb)")


def _do(call: str) -> str:
    return f"do $standin$ begin perform pg_catalog.{call}; end $standin$"


def _dollar(text: str) -> str:
    return f"$rewritten${text}$rewritten$"


def _temporary_names(sql: str) -> str:
    """``#name`` is a temporary table on Redshift."""
    if "#" not in sql:
        return sql
    parts = re.split(r"('(?:[^']|'')*')", sql)
    for i in range(0, len(parts), 2):
        parts[i] = re.sub(r'(?<![\w"#])#([A-Za-z_]\w*)', r'"#\1"', parts[i])
    return re.sub(r'^create\s+table\s+(?="#)', "create temp table ", "".join(parts), flags=re.I)


def _note(rules: list[str], rule: str) -> None:
    if rule not in rules:
        rules.append(rule)


def _drop_unenforced_keys(tree: exp.Create, rules: list[str]) -> None:
    """Primary, foreign and unique keys are information only on Redshift."""
    for node in list(tree.find_all(exp.PrimaryKey, exp.ForeignKey, exp.UniqueColumnConstraint)):
        held = isinstance(node.parent, exp.ColumnConstraint | exp.Constraint)
        (node.parent if held else node).pop()
        _note(rules, "key not enforced")
    for constraint in list(tree.find_all(exp.ColumnConstraint)):
        if isinstance(constraint.args.get("kind"), exp.PrimaryKeyColumnConstraint | exp.Reference):
            constraint.pop()
            _note(rules, "key not enforced")


def _byte_lengths(tree: exp.Create, rules: list[str]) -> None:
    """VARCHAR(n) counts bytes on Redshift, characters on PostgreSQL."""
    for column in list(tree.find_all(exp.ColumnDef)):
        kind = column.args.get("kind")
        if not kind or kind.this != exp.DataType.Type.VARCHAR or not kind.expressions:
            continue
        size = kind.expressions[0].name
        if size.upper() == "MAX":
            size = "65535"
            kind.set("expressions", [exp.DataTypeParam(this=exp.Literal.number(65535))])
        if int(size) > 65535:
            raise gate.NotOnRedshift(f"VARCHAR({size}): the longest is 65535 bytes")
        bound = parse(f'octet_length("{column.name}") <= {size}')
        column.append("constraints", exp.ColumnConstraint(kind=exp.CheckColumnConstraint(this=bound)))
        _note(rules, "varchar counts bytes")


def _node(node: exp.Expression, rules: list[str]) -> exp.Expression:
    if isinstance(node, exp.Identifier):
        if node.args.get("quoted") and node.this != node.this.lower():
            _note(rules, "quoted name folded to lower case")
            node.set("this", node.this.lower())
        return node
    if isinstance(node, exp.CurrentTimestamp):
        _note(rules, "sysdate")
        return exp.Anonymous(this="getdate")
    if isinstance(node, exp.DataType):
        return _data_type(node, rules)
    if isinstance(node, exp.WithinGroup) and _called(node.this) == "LISTAGG":
        return _listagg(node.this, node.expression, rules)
    if isinstance(node, exp.Window):
        return _window(node, rules)
    if (
        isinstance(node, exp.Extract)
        and node.name.upper() != "EPOCH"
        and not isinstance(node.parent, exp.Cast)
    ):
        _note(rules, "extract gives an integer")
        return exp.cast(node.copy(), "int")
    if isinstance(node, exp.DecodeCase):
        return _decode(node, rules)
    if isinstance(node, exp.Anonymous):
        return _call(node, rules)
    return node


def _decode(node: exp.DecodeCase, rules: list[str]) -> exp.Case:
    """DECODE(x, key, value, ..., default): a NULL key matches NULL."""
    _note(rules, "decode")
    subject, *pairs = node.expressions
    default = pairs.pop() if len(pairs) % 2 else None
    cases = [
        exp.If(this=exp.NullSafeEQ(this=subject.copy(), expression=key), true=value)
        for key, value in zip(pairs[::2], pairs[1::2], strict=True)
    ]
    return exp.Case(ifs=cases, default=default)


def _called(node: exp.Expression | None) -> str:
    return node.name.upper() if isinstance(node, exp.Anonymous) else ""


def _data_type(node: exp.DataType, rules: list[str]) -> exp.DataType:
    if node.this == exp.DataType.Type.SUPER:
        _note(rules, "super is jsonb")
        return exp.DataType.build("jsonb", dialect="postgres")
    text = node.this in (exp.DataType.Type.TEXT, exp.DataType.Type.VARCHAR)
    if text and not node.expressions and isinstance(node.parent, exp.ColumnDef):
        _note(rules, "varchar without length is varchar(256)")
        return exp.DataType.build("varchar(256)", dialect="postgres")
    return node


def _window(node: exp.Window, rules: list[str]) -> exp.Expression:
    inner = node.this
    if isinstance(inner, exp.WithinGroup) and _called(inner.this) == "PERCENTILE_CONT":
        _note(rules, "percentile_cont over a window")
        key = inner.expression.expressions[0].this
        node.set(
            "this", exp.Anonymous(this="rs_percentile_cont", expressions=[inner.this.expressions[0], key])
        )
    elif _called(inner) == "RATIO_TO_REPORT":
        _note(rules, "ratio_to_report")
        value = inner.expressions[0]
        total = node.copy()
        total.set("this", exp.Anonymous(this="sum", expressions=[value.copy()]))
        return exp.Paren(this=parse(f"({to_postgres(value)})::float / nullif({to_postgres(total)}, 0)"))
    return node


def _call(node: exp.Anonymous, rules: list[str]) -> exp.Expression:
    name, arguments = node.name.upper(), node.expressions
    if name in ("DATEADD", "DATEDIFF", "DATE_PART", "DATE_TRUNC") and arguments:
        unit = arguments[0]
        if isinstance(unit, exp.Column) and not unit.table and unit.name.upper() in _UNITS:
            _note(rules, f"{name.lower()} with a bare unit")
            unit.replace(exp.Literal.string(unit.name.lower()))
    elif name in _RENAMED:
        _note(rules, f"{name.lower()} by Redshift's rules")
        node.set("this", _RENAMED[name])
    elif name == "NVL2":
        _note(rules, "nvl2")
        known = exp.Is(this=arguments[0], expression=exp.Null()).not_()
        return exp.Case(ifs=[exp.If(this=known, true=arguments[1])], default=arguments[2])
    elif name == "REGEXP_REPLACE" and len(arguments) <= 3:
        _note(rules, "regexp_replace replaces all")
        empty = [exp.Literal.string("")] if len(arguments) == 2 else []
        node.set("expressions", [*arguments, *empty, exp.Literal.string("g")])
    elif name == "LISTAGG" and not isinstance(node.parent, exp.WithinGroup):
        return _listagg(node, None, rules)
    return node


def _listagg(call: exp.Anonymous, order: exp.Expression | None, rules: list[str]) -> exp.Expression:
    _note(rules, "listagg")
    arguments = list(call.expressions)
    distinct = isinstance(arguments[0], exp.Distinct)
    if distinct:
        arguments = [*arguments[0].expressions, *arguments[1:]]
    value, separator = arguments[0], to_postgres(arguments[1]) if len(arguments) > 1 else "''"
    if order:
        for item in order.find_all(
            exp.Ordered
        ):  # with DISTINCT, PostgreSQL wants the argument repeated exactly
            if item.this.sql() == value.sql():
                item.set("this", exp.cast(exp.Paren(this=value.copy()), "text"))
    by = " " + to_postgres(order) if order else ""
    text = (
        f"select string_agg({'distinct ' if distinct else ''}({to_postgres(value)})::text, {separator}{by})"
    )
    return sqlglot.parse_one(text, read="postgres").selects[0]
