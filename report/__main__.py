"""``python -m report [--serving FILE] [--out FILE.html] [--truth DIR] [--no-pdf]``: write the leadership report."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from dashboard.reader import NoServingFile
from report import pdf
from report.build import build
from settings import SettingsError, load_settings


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0; 2 for a request that cannot be carried out. The old report stays until the new one is whole."""
    parser = argparse.ArgumentParser(
        prog="python -m report", description="Write the leadership report from the published marts."
    )
    parser.add_argument("--serving", type=Path, help="the published copy (default: SERVING_PATH)")
    parser.add_argument(
        "--out", type=Path, help="an .html file or a folder (default: report/ beside the published copy)"
    )
    parser.add_argument(
        "--truth", type=Path, help="folder of a simulated world's truth, to stand beside the answers"
    )
    parser.add_argument(
        "--no-pdf", action="store_true", help="HTML only, even where a browser could print it"
    )
    args = parser.parse_args(argv)
    try:
        settings = load_settings()
        serving = args.serving or settings.serving_path
        out = args.out or settings.data_dir / "report" / "index.html"
        if out.suffix.lower() not in (".html", ".htm"):
            out = out / "index.html"
        if args.truth is not None and not args.truth.is_dir():
            raise NoServingFile(f"--truth: {args.truth} is not a folder")
        text = build(serving, settings.brand_id, args.truth)
        out.parent.mkdir(parents=True, exist_ok=True)
        temporary = out.with_name(f".{out.name}.{os.getpid()}")
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, out)
    except (NoServingFile, SettingsError, OSError) as error:
        print(f"report: {error}", file=sys.stderr)
        return 2
    print(f"report: {out}")
    if not args.no_pdf:
        printed = out.with_suffix(".pdf")
        print(
            f"report: {printed}"
            if pdf.write(out, printed)
            else "report: no Chromium to print a PDF with, HTML only"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
