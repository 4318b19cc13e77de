"""The dashboard: ``streamlit run dashboard/app.py``. Reads the published copy of the marts and nothing else."""

from __future__ import annotations

import gc
import logging
import sys
from pathlib import Path

import duckdb
import streamlit as st

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from dashboard import access, context, renewal, ui
from dashboard.reader import NoServingFile, Reader
from dashboard.views import VIEWS, View
from settings import Settings, SettingsError, load_settings

LOG = logging.getLogger("dashboard")


@st.cache_resource(show_spinner=False)
def reader_of(path: Path) -> Reader:
    gc.freeze()  # what was imported stays: no later collection need walk over it
    return Reader(path)


def render(view: View, settings: Settings) -> None:
    """One page run against one pinned version."""
    st.title(view.title)
    try:
        with reader_of(settings.serving_path).pin() as snap:
            page = context.sidebar(snap, settings.brand_id, view.uses)
            if page is None:
                ui.state(
                    "empty",
                    "There are no media or sales yet",
                    f"The published copy holds no rows for brand {settings.brand_id}. Load files, then run the pipeline.",
                )
                return
            context.freshness(page, "period" in view.uses)
            view.render(page)
    except NoServingFile as error:
        ui.state(
            "empty",
            "Nothing to show yet",
            f"{error} Run the pipeline once (make demo); this page then fills itself.",
        )
    except (KeyError, ValueError, AttributeError, duckdb.Error) as error:
        LOG.exception("page %s failed", view.path)
        ui.state(
            "failed",
            "This page could not be drawn",
            f"The published copy does not have the shape this page expects ({type(error).__name__}). The log has the details.",
        )


def signed_in() -> bool:
    """Whether this reader may see the pages; offers sign-in or explains the refusal otherwise."""
    mode = access.mode()
    if mode == "proxy" and access.proxy_user(dict(st.context.headers)) is None:
        ui.state("failed", "Not signed in", "Open this dashboard through your company's sign-in proxy.")
        return False
    if mode == "oidc" and not st.user.is_logged_in:
        ui.state("empty", "Sign in to see the figures", "Your organisation's account is needed.")
        st.button("Sign in", on_click=st.login)
        return False
    return True


def main() -> None:
    st.set_page_config(
        page_title="Marketing warehouse", page_icon=str(Path(__file__).parent / "icon.png"), layout="wide"
    )
    st.html(f"<style>{ui.STYLE}</style>")
    try:
        settings = load_settings()
        renewal.stale_hours()
        every = renewal.refresh_seconds()
        allowed = signed_in()
    except SettingsError as error:
        ui.state("failed", "The dashboard is not configured", str(error))
        return
    if not allowed:
        return

    def page(view: View) -> st.Page:
        return st.Page(
            lambda: render(view, settings),
            title=view.title,
            icon=view.icon,
            url_path=view.path,
            default=view is VIEWS[0],
        )

    renewal.remember(settings.serving_path)
    st.navigation([page(view) for view in VIEWS]).run()
    if every:
        st.fragment(renewal.renew, run_every=every)(settings.serving_path)


main()
