"""The two ways in which a model says no."""

from __future__ import annotations


class InputError(ValueError):
    """The caller's file or options cannot be used. The message is one clear line; the CLI exits with code 2."""


class Refusal(ValueError):
    """The data are readable but cannot support an answer. The message says why, in one line.

    On the command line this is exit code 2; in the warehouse it is a run with status ``refused``.
    """
