"""What Amazon Redshift refuses, refused here with its words or with the portable form to use.

Source of each entry: the AWS database developer guide (unsupported functions, leader-node-only functions, window
functions, WITH, MERGE, PERCENTILE_CONT, UNLOAD, encodings) and the adapter's known errors. A refusal list proves
only that nothing *on the list* gets through.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sqlglot import exp

from standin.dialect import tokens, words


class NotOnRedshift(Exception):
    """The statement would fail on Amazon Redshift; the text says why."""


def _names(words: str, advice: str) -> dict[str, str]:
    return {word.upper(): advice for word in words.split()}


FUNCTIONS: dict[str, str] = {
    **_names("string_agg group_concat", "leader-node only; use LISTAGG"),
    **_names("generate_series generate_subscripts", "leader-node only; use dbt.date_spine or a number table"),
    **_names("array_agg string_to_array current_schema current_schemas isfinite getbit get_byte set_bit set_byte"
             " to_ascii has_database_privilege has_schema_privilege has_table_privilege", "leader-node only"),
    **_names("now age format", "leader-node only; use GETDATE() or DATEDIFF"),
    **_names("unnest clock_timestamp transaction_timestamp make_date make_interval make_timestamp width_bucket mode"
             " gen_random_uuid uuid to_json to_jsonb jsonb_build_object json_build_object json_agg jsonb_agg row_to_json"
             " regexp_matches regexp_split_to_table regexp_split_to_array every xml_agg corr covar_pop covar_samp"
             " regr_slope regr_intercept regr_avgx regr_avgy regr_count regr_r2 regr_sxx regr_sxy regr_syy"
             " justify_days justify_hours justify_interval pg_sleep div setseed bit_length overlay convert_from"
             " convert_to encode quote_nullable current_query array_append array_length array_to_string cardinality"
             " to_tsvector to_tsquery bool_xor starts_with concat_ws", "not supported on Redshift"),
    **_names("list epoch epoch_ms strftime strptime try_strptime arg_max arg_min max_by min_by range read_csv"
             " read_parquet quantile_cont quantile json_extract_string json_extract string_split list_aggregate"
             " current_localtimestamp hash countif count_if struct_pack list_value array_slice date_sub"
             " regexp_extract str_split xxhash64 isodow", "DuckDB only"),
    **_names("date_diff", "use DATEDIFF"),
    **_names("date_add", "use DATEADD"),
    **_names("if iff", "use CASE"),
    **_names("ifnull", "use NVL or COALESCE"),
}  # fmt: skip

NODES: dict[type[exp.Expression], str] = {
    exp.Filter: "aggregate FILTER (WHERE ...); use SUM(CASE ...)",
    exp.Lateral: "LATERAL join",
    exp.JSONExtract: "-> JSON operator; use JSON_EXTRACT_PATH_TEXT",
    exp.JSONExtractScalar: "->> JSON operator; use JSON_EXTRACT_PATH_TEXT",
    exp.OnConflict: "INSERT ... ON CONFLICT; use delete and insert",
    exp.Index: "CREATE INDEX",
    exp.Returning: "RETURNING",
    exp.NullSafeEQ: "IS NOT DISTINCT FROM; use the dbt.equals pattern",
    exp.NullSafeNEQ: "IS DISTINCT FROM; use the dbt.equals pattern",
    exp.GroupConcat: "STRING_AGG is leader-node only; use LISTAGG",
    exp.TryCast: "TRY_CAST; guard with a regular expression in CASE",
    exp.TableSample: "TABLESAMPLE",
    exp.Fetch: "FETCH FIRST; use LIMIT",
    exp.CheckColumnConstraint: "CHECK constraint",
    exp.Pivot: "PIVOT is legal on Redshift but absent in this stand-in; use conditional aggregates",
    exp.Array: "array literal; use SUPER",
}

TYPES = {"JSONB", "JSON", "UUID", "HUGEINT", "UBIGINT", "STRUCT", "LIST", "MAP", "INET", "BYTEA", "SERIAL", "BIGSERIAL",
         "BLOB", "ARRAY", "UINT", "USMALLINT", "UTINYINT", "TINYINT", "INT128", "UINT128"}  # fmt: skip
# sqlglot reads these words as standard types and would hide them; Redshift does not know them.
TYPE_WORDS = {"DOUBLE", "STRING", "TINYINT", "HUGEINT", "UINTEGER", "UBIGINT", "DATETIME", "BLOB", "INT1"}

AGGREGATES = {"SUM", "AVG", "COUNT", "MIN", "MAX", "STDDEV", "STDDEV_SAMP", "STDDEV_POP", "VARIANCE", "VAR_SAMP", "VAR_POP",
              "FIRST_VALUE", "LAST_VALUE", "NTH_VALUE"}  # fmt: skip
RANKING = {"LAG", "LEAD", "ROW_NUMBER", "RANK", "DENSE_RANK", "NTILE", "PERCENT_RANK", "CUME_DIST"}
USER_TABLE_ONLY = {"LISTAGG", "MEDIAN", "PERCENTILE_CONT", "PERCENTILE_DISC"}
CLOCK_WORDS = {"CURRENT_TIMESTAMP", "CURRENT_TIME", "LOCALTIME", "LOCALTIMESTAMP"}
DATE_PARTS_ABSENT = {"ISODOW", "ISOYEAR", "JULIAN"}

_ENCODINGS_OF = {
    "az64": {"smallint", "integer", "bigint", "decimal", "numeric", "date", "timestamp", "timestamptz"},
    "text255": {"varchar"},
    "text32k": {"varchar"},
    "delta": {"smallint", "integer", "bigint", "date", "timestamp", "decimal", "numeric"},
    "delta32k": {"integer", "bigint", "date", "timestamp", "decimal", "numeric"},
    "mostly8": {"smallint", "integer", "bigint", "decimal", "numeric"},
    "mostly16": {"integer", "bigint", "decimal", "numeric"},
    "mostly32": {"bigint", "decimal", "numeric"},
    "bytedict": {
        "smallint",
        "integer",
        "bigint",
        "decimal",
        "numeric",
        "real",
        "double",
        "date",
        "timestamp",
        "varchar",
        "char",
    },
    "lzo": {
        "smallint",
        "integer",
        "bigint",
        "decimal",
        "numeric",
        "date",
        "timestamp",
        "timestamptz",
        "varchar",
        "char",
        "super",
    },
}


def check_encoding(column: str, type_name: str, encoding: str) -> None:
    """Refuse a compression encoding that the column's type cannot have."""
    if encoding in ("raw", "zstd", "runlength", "auto"):
        return
    allowed = _ENCODINGS_OF.get(encoding)
    if allowed is None or type_name.lower() not in allowed:
        raise NotOnRedshift(
            f'invalid encoding type "{encoding}" specified for column "{column}" of type {type_name}'
        )


def check_words(sql: str) -> None:
    """Refusals that only the text shows, because the parser normalises the word away."""
    text = words(tokens(sql))
    casts: list[bool] = []
    for at, word in enumerate(text):
        before = text[at - 1] if at else ""
        if word == "(":
            casts.append(before in ("CAST", "TRY_CAST"))
        elif word == ")":
            if casts:
                casts.pop()
        elif word == "==" or word == "//":
            raise NotOnRedshift(f"operator {word}")
        elif word in TYPE_WORDS and (before == "::" or (before == "AS" and casts and casts[-1])):
            if word != "DOUBLE" or text[at + 1 : at + 2] != ["PRECISION"]:
                raise NotOnRedshift(f'type "{word.lower()}" does not exist')
        elif word == "MATERIALIZED" and before == "AS":
            raise NotOnRedshift("WITH ... AS MATERIALIZED")


def _function(node: exp.Expression | None) -> str | None:
    if isinstance(node, exp.IgnoreNulls | exp.RespectNulls):
        node = node.this
    return node.name.upper() if isinstance(node, exp.Anonymous) else None


def _function_rules(node: exp.Anonymous) -> Iterator[str]:
    name = node.name.upper()
    if name in FUNCTIONS:
        yield f"function {node.name}(): {FUNCTIONS[name]}"
    if name == "LOG" and len(node.expressions) > 1:
        yield "LOG() takes one argument"
    if name in ("DATE_PART", "DATE_TRUNC", "DATEDIFF", "DATEADD") and node.expressions:
        part = node.expressions[0].name.upper()
        if part in DATE_PARTS_ABSENT:
            yield f"date part {part}"


def _window_rules(node: exp.Window) -> Iterator[str]:
    name = _function(node.this)
    ordered, frame = node.args.get("order"), node.args.get("spec")
    if name in ("LAG", "LEAD") and isinstance(node.this, exp.Anonymous) and len(node.this.expressions) > 2:
        yield f"{name}() takes no default (third) argument; use COALESCE"
    if name in RANKING and frame:
        yield f"{name}() takes no frame clause"
    if frame and not ordered:
        yield "frame clause without ORDER BY"
    if name in AGGREGATES and ordered and not frame:
        yield f"{name}() OVER (... ORDER BY) needs an explicit frame (ROWS ...)"


def _with_rules(node: exp.With, outermost: set[int]) -> Iterator[str]:
    if not node.args.get("recursive"):
        return
    if id(node.parent) not in outermost:
        yield "Recursive CTE in subquery are not supported."
    for cte in node.expressions:
        itself = any(table.name == cte.alias for table in cte.find_all(exp.Table))
        if itself and not cte.args["alias"].columns:
            yield "recursive CTE without a column list"


def _merge_rules(node: exp.Merge) -> Iterator[str]:
    branches = list(node.find_all(exp.When))
    if node.this.alias or not isinstance(node.args["using"], exp.Table):
        yield "MERGE: the target takes no alias and the source must be a table"
    if any(b.args.get("condition") or b.args.get("source") for b in branches):
        yield "MERGE: WHEN ... AND <condition> or BY SOURCE"
    if len(branches) != 2:
        yield "MERGE needs exactly one WHEN MATCHED and one WHEN NOT MATCHED"


def _column_rules(node: exp.Column) -> Iterator[str]:
    if not node.table and not node.this.args.get("quoted") and node.name.upper() in CLOCK_WORDS:
        yield f"{node.name.upper()} is leader-node only; use dbt.current_timestamp() or GETDATE()"


def _type_rules(node: exp.DataType) -> Iterator[str]:
    name = node.this.name if hasattr(node.this, "name") else str(node.this)
    if name in TYPES:
        yield f"data type {name}" + ("; use SUPER" if name in ("ARRAY", "JSON", "JSONB") else "")


def _extract_rules(node: exp.Extract) -> Iterator[str]:
    if node.name.upper() in DATE_PARTS_ABSENT:
        yield f"date part {node.name.upper()}"


def _sort_based_rules(select: exp.Select) -> Iterator[str]:
    orders = set()
    for node in select.find_all(exp.WithinGroup, exp.Anonymous):
        if node.find_ancestor(exp.Select) is not select or isinstance(node.parent, exp.Window):
            continue
        if isinstance(node, exp.WithinGroup):
            orders.add(", ".join(o.this.sql().lower() for o in node.expression.expressions))
        elif node.name.upper() == "MEDIAN" and node.expressions:
            orders.add(node.expressions[0].sql().lower())
    if len(orders) > 1:
        yield "within group ORDER BY clauses for aggregate functions must be the same"


def _user_table_rules(tree: exp.Expression) -> Iterator[str]:
    """LISTAGG and its like need a user table, which a view definition or a unit test's literals are not."""
    if isinstance(tree, exp.Create) and tree.kind != "TABLE":
        return
    if not {name.name.upper() for name in tree.find_all(exp.Anonymous)} & USER_TABLE_ONLY:
        return
    source = tree.expression if isinstance(tree, exp.Create) else tree
    ctes = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    if source is not None and not any(t.db or t.name.lower() not in ctes for t in source.find_all(exp.Table)):
        yield (
            "One or more of the used functions must be applied on at least one user created tables. "
            "Examples of user table only functions are LISTAGG, MEDIAN, PERCENTILE_CONT, etc"
        )


_RULES: dict[type[exp.Expression], Callable[..., Iterator[str]]] = {
    exp.Anonymous: _function_rules,
    exp.Window: _window_rules,
    exp.Merge: _merge_rules,
    exp.Column: _column_rules,
    exp.DataType: _type_rules,
    exp.Extract: _extract_rules,
    exp.Select: _sort_based_rules,
}


def check(tree: exp.Expression) -> None:
    """Raise NotOnRedshift for the first construct of ``tree`` that Redshift refuses."""
    top = tree.expression if isinstance(tree, exp.Create | exp.Insert) else tree
    while isinstance(top, exp.Subquery | exp.Paren):
        top = top.this
    outermost = {id(tree), id(top)}
    for found in _refusals(tree, outermost):
        raise NotOnRedshift(found)


def _refusals(tree: exp.Expression, outermost: set[int]) -> Iterator[str]:
    yield from _user_table_rules(tree)
    for node in tree.walk():
        if type(node) in NODES:
            yield NODES[type(node)]
        if isinstance(node, exp.With):
            yield from _with_rules(node, outermost)
        if isinstance(node, exp.Values) and not isinstance(node.parent, exp.Insert):
            yield "VALUES outside INSERT; use SELECT ... UNION ALL"
        if isinstance(node, exp.Except | exp.Intersect) and node.args.get("distinct") is False:
            yield "EXCEPT ALL / INTERSECT ALL"
        if isinstance(node, exp.Distinct) and node.args.get("on"):
            yield "SELECT DISTINCT ON; use QUALIFY ROW_NUMBER() ... = 1"
        if isinstance(node, exp.CurrentTimestamp) and not node.args.get("sysdate"):
            yield "CURRENT_TIMESTAMP is leader-node only; use dbt.current_timestamp() or GETDATE()"
        if isinstance(node, exp.WindowSpec) and str(node.args.get("kind")).upper() == "RANGE":
            yield "RANGE window frame; Redshift has ROWS only"
        rule = _RULES.get(type(node))
        if rule:
            yield from rule(node)


def check_unload_query(tree: exp.Expression) -> None:
    """UNLOAD takes no LIMIT in its outermost SELECT."""
    if tree.args.get("limit"):
        raise NotOnRedshift(
            "Limit clause is not supported in the outer SELECT of UNLOAD; wrap it in a subquery"
        )
