"""A stand-in for dbt's namespace of cross-database macros while sqlfluff renders a model."""

from collections.abc import Callable


def __getattr__(name: str) -> Callable[..., str]:
    if name.startswith("__"):
        raise AttributeError(name)
    types = {
        "type_string": "varchar",
        "type_float": "double",
        "type_int": "integer",
        "type_bigint": "bigint",
        "type_timestamp": "timestamp",
    }

    def render(*arguments: object, **options: object) -> str:
        return types.get(name, f"{name}({arguments[0] if arguments else '1'})")

    return render
