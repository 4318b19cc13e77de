"""The report as PDF, printed by a headless Chromium where one is installed. There is no other engine: without a
browser the report is HTML only, and a browser's own print dialogue gives the same pages."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SECONDS = 90


def browser() -> str | None:
    """Path of an installed Chromium or Chrome; ``None`` where there is none."""
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


def write(html: Path, out: Path) -> bool:
    """Print ``html`` to ``out``; false, with an older file left in place, where no browser can do it.

    The page holds no script and asks for nothing outside itself; the browser gets a profile of its own and no network.
    """
    engine = browser()
    if engine is None:
        return False
    with tempfile.TemporaryDirectory(prefix="report-pdf-") as folder:
        made = Path(folder) / "report.pdf"
        command = [
            engine,
            "--headless=new",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--no-pdf-header-footer",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            f"--user-data-dir={folder}/profile",
            f"--print-to-pdf={made}",
            html.resolve().as_uri(),
        ]
        if os.geteuid() == 0:  # Chromium refuses its sandbox to root, as in most containers
            command.insert(1, "--no-sandbox")
        try:
            subprocess.run(
                command, check=True, timeout=SECONDS, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            temporary = out.with_name(f".{out.name}.{os.getpid()}")
            shutil.copyfile(made, temporary)
        except (OSError, subprocess.SubprocessError):
            return False
        os.replace(temporary, out)
    return True
