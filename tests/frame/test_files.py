"""Reading the caller's tables and writing results whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from modeling.errors import InputError
from modeling.files import OutputDir, read_table, require_columns


def test_column_names_lose_blanks_and_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("\ufeff date , y\n2024-01-01,1\n".encode())
    assert list(read_table(path).columns) == ["date", "y"]


def test_utf16_is_read_by_its_mark(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a,b\n1,2\n", encoding="utf-16")
    assert read_table(path)["b"].tolist() == [2]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "empty"),
        (b"a,b\n", "no rows"),
        (b"a,a\n1,2\n", "more than once"),
        (b'a,b\n"1,2\n3', "cannot be read"),
    ],
)
def test_unusable_files_are_refused_in_one_line(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=why) as refused:
        read_table(path)
    assert "\n" not in str(refused.value)


def test_a_missing_file_and_missing_columns_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file at"):
        read_table(tmp_path / "none.csv")
    with pytest.raises(InputError, match="kpi"):
        require_columns(pd.DataFrame({"a": [1]}), ["a", "kpi"])


def test_results_appear_whole(tmp_path: Path) -> None:
    with OutputDir(tmp_path / "out") as out:
        out.csv("a.csv", pd.DataFrame({"x": [0.1 + 0.2]}))
        out.json("b.json", {"n": np.float64("nan"), "k": np.int64(3), "d": pd.Timestamp("2024-01-01")})
        assert not (tmp_path / "out").exists()
    assert (tmp_path / "out" / "a.csv").read_text() == "x\n0.3\n"
    assert json.loads((tmp_path / "out" / "b.json").read_text()) == {"n": None, "k": 3, "d": "2024-01-01"}


def test_an_error_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), OutputDir(tmp_path / "out") as out:
        out.csv("a.csv", pd.DataFrame({"x": [1]}))
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
