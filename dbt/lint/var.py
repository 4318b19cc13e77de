"""A stand-in for dbt's ``var`` while sqlfluff renders a model: a number, so that arithmetic on it works."""

import sys
import types


class _Var(types.ModuleType):
    def __call__(self, name: str, default: object = None) -> object:
        return 30 if default is None else default


sys.modules[__name__].__class__ = _Var
