"""The report: one file that needs nothing, figures of the marts, truth only where it is given, hostile text inert."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import duckdb
import pytest

from dashboard import format as fmt
from report import pdf
from report.__main__ import main
from report.build import build as write
from report.charts import Mark, rows, ticks
from report.page import plain
from tests.dashboard.fixture_marts import build


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("report") / "serving.duckdb", weeks=16, dmas=4, products=2)


class Balanced(HTMLParser):
    """Fails on tags that do not close."""

    VOID = frozenset({"meta", "br", "line", "rect", "circle", "path", "polyline", "polygon"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open and self.open.pop() == tag


def test_the_report_stands_alone(serving: Path) -> None:
    text = write(serving, "swiftpod")
    assert not re.search(r"https?://|<script|<link|<img|url\(", text)
    assert (
        "Content-Security-Policy" in text
        and text.count("<svg") >= 4
        and text.count('role="img"') == text.count("<svg")
    )
    parser = Balanced()
    parser.feed(text)
    assert not parser.open
    assert not list(serving.parent.glob(".reading-*")), "the report leaves no links"


def test_a_file_system_without_links(serving: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError("no links here")

    whole = write(serving, "swiftpod")
    monkeypatch.setattr("os.link", refused)
    assert write(serving, "swiftpod") == whole
    assert not list(serving.parent.glob(".reading-*"))


def test_figures_are_those_of_the_marts(serving: Path) -> None:
    text = write(serving, "swiftpod")
    with duckdb.connect(str(serving), read_only=True) as db:
        for name, spend, roi, low, high in db.execute(
            "select channel_name, spend_usd, roi, roi_p05, roi_p95 from marts.fct_channel_roi join marts.dim_channel using (channel_id) "
            "where brand_id = 'swiftpod' and window_name = 'launch'"
        ).fetchall():
            row = re.search(rf"<tr><td>{re.escape(name)}</td>.*?</tr>", text).group()
            assert fmt.money(spend) in row and fmt.ratio(roi) in row and fmt.interval(low, high) in row
        gain, low, high = db.execute(
            "select incremental_revenue_usd, p05_usd, p95_usd from marts.fct_budget_scenario where brand_id = 'swiftpod' "
            "and scenario = 'move_5m' and channel_id = 'all'"
        ).fetchone()
    assert f"{fmt.money(gain)}</td><td class=i>{fmt.interval(low, high, fmt.money)}" in text


def test_truth_stands_beside_the_answers_only_when_it_is_given(serving: Path, tmp_path: Path) -> None:
    (tmp_path / "channel.csv").write_text(
        "channel,spend,incremental_revenue,roi,launch_roi\nyoutube,1,1,1.11,7.77\n"
    )
    assert "Truth" not in write(serving, "swiftpod")
    assert "7.77" in write(serving, "swiftpod", tmp_path)


def test_missing_marts_and_hostile_text(serving: Path, tmp_path: Path) -> None:
    path = tmp_path / "s.duckdb"
    path.write_bytes(serving.read_bytes())
    evil = "<script>alert(1)</script>"
    with duckdb.connect(str(path)) as db:
        db.execute("drop table marts.fct_geo_lift")
        db.execute("update marts.fct_hypothesis set statement = ?", [evil])
        db.execute("update marts.dim_channel set channel_name = ?", [evil])
    text = write(path, "swiftpod")
    assert "<script" not in text and "&lt;script&gt;" in text and "fct_geo_lift holds no rows" in text


def test_command(serving: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "deep" / "report.html"
    assert main(["--serving", str(serving), "--out", str(out)]) == 0 and out.stat().st_size > 10_000
    kept = out.read_text()
    assert main(["--serving", str(serving), "--out", str(tmp_path / "folder"), "--no-pdf"]) == 0
    assert (tmp_path / "folder" / "index.html").stat().st_size > 10_000, "a path without .html is a folder"
    assert main(["--serving", str(tmp_path / "none.duckdb"), "--out", str(out)]) == 2
    assert capsys.readouterr().err.count("\n") == 1 and out.read_text() == kept, "the old report stays"
    assert main(["--serving", str(serving), "--out", str(out), "--truth", str(tmp_path / "nowhere")]) == 2


def test_axis_ticks_cover_and_are_round() -> None:
    for low, high in ((0, 1), (0, 7.3), (-2, 9), (0, 1_234_567), (0.001, 0.0042), (5, 5)):
        found = ticks(low, high)
        assert found[0] <= low and found[-1] >= high and 3 <= len(found) <= 9
    assert "aria-label" in rows([("a", [Mark(1, 0.5, 2)])], "t", "u")


def test_a_pdf_where_a_browser_can_print_it(
    serving: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if pdf.browser() is None:
        pytest.skip("no Chromium to print with")
    assert main(["--serving", str(serving), "--out", str(tmp_path / "index.html")]) == 0
    printed = (tmp_path / "index.pdf").read_bytes()
    assert printed.startswith(b"%PDF") and len(printed) > 20_000
    assert "index.pdf" in capsys.readouterr().out


def test_without_a_browser_the_html_stands_alone(
    serving: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["--serving", str(serving), "--out", str(tmp_path / "index.html")]) == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["index.html"]
    assert "HTML only" in capsys.readouterr().out


def test_ids_read_as_names_and_no_certainty_is_false() -> None:
    told = plain(
        "meta_retargeting over-credited (p 1.00): 0.2; search_brand too",
        {"meta_retargeting": "Meta retargeting", "search_brand": "Brand search"},
    )
    assert told == "Meta retargeting over-credited (probability over 0.99): 0.2; Brand search too"
