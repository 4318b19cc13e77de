"""A stand-in for dbt's ``adapter`` while sqlfluff renders a model: linting needs a shape, not an engine."""

from collections.abc import Callable


def dispatch(name: str, package: str = "") -> Callable[..., str]:
    """The macro ``name`` as a function call over its first argument."""

    def render(*arguments: object, **options: object) -> str:
        return f"{name}({arguments[0] if arguments else ''})"

    return render
