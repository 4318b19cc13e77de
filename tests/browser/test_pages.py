"""Each page and each filter in a real browser: drawn, within the screen, reachable by keyboard, quiet, on its own."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from tests.browser.conftest import ARTIFACTS
from tests.dashboard.pages import PAGES

pytestmark = pytest.mark.browser
WAIT = 60_000


def visit(
    browser: Any, address: str, page: str, *, width: int = 1280, theme: str = "light", query: str = ""
) -> tuple[Any, list[str], list[str]]:
    """Open a page and wait until it is drawn; returns it with what it asked of other hosts and what it complained of."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme)
    tab = context.new_page()
    outside: list[str] = []
    errors: list[str] = []
    tab.on(
        "request",
        lambda r: (
            outside.append(r.url)
            if not r.url.startswith((address, address.replace("http", "ws"), "data:", "blob:"))
            else None
        ),
    )
    tab.on("pageerror", lambda e: errors.append(str(e)))
    tab.goto(f"{address}/{'' if page == 'executive' else page}{query}")
    settle(tab)
    return tab, outside, errors


def settle(tab: Any) -> None:
    tab.wait_for_selector("h1", timeout=WAIT)
    tab.wait_for_selector(
        "[data-testid=stMain] .stHtml, [data-testid=stMain] [data-testid=stHtml]",
        timeout=WAIT,
        state="attached",
    )
    tab.wait_for_function(
        "() => !document.querySelector('[data-testid=stStatusWidget]') && !document.querySelector('[data-testid=stSkeleton]')",
        timeout=WAIT,
    )
    tab.wait_for_timeout(900)


def shoot(tab: Any, name: str, width: int) -> None:
    height = tab.evaluate("() => document.querySelector('[data-testid=stMain]').scrollHeight")
    tab.set_viewport_size({"width": width, "height": min(int(height) + 40, 8000)})
    tab.wait_for_timeout(900)
    tab.screenshot(path=str(ARTIFACTS / f"{name}.png"))
    tab.set_viewport_size({"width": width, "height": 900})


@pytest.mark.parametrize("theme, width", [("light", 1280), ("dark", 1280), ("light", 390), ("dark", 390)])
@pytest.mark.parametrize("page", PAGES)
def test_page(chromium: Any, address: str, page: str, theme: str, width: int) -> None:
    tab, outside, errors = visit(chromium, address, page, width=width, theme=theme)
    shoot(tab, f"{page}-{theme}-{width}", width)
    inner, outer = tab.evaluate(
        "() => { const m = document.querySelector('[data-testid=stMain]'); return [m.scrollWidth, m.clientWidth]; }"
    )
    assert inner <= outer, f"{page} overflows at {width} px"
    assert not outside, "a page asks no other host"
    assert not errors
    text = tab.inner_text("[data-testid=stMain]")
    assert "could not be drawn" not in text and "Traceback" not in text and len(text) > 300
    background = tab.evaluate(
        "() => getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor"
    )
    assert (sum(int(c) for c in background[4:-1].split(",")[:3]) < 200) == (theme == "dark")
    blind = tab.evaluate("() => [...document.querySelectorAll('img')].filter(i => !i.alt).length")
    charts = tab.evaluate(
        "() => [...document.querySelectorAll('[data-testid=stVegaLiteChart]')].filter(c => !c.getAttribute('aria-label') && !c.querySelector('[aria-label]')).length"
    )
    assert blind == 0 and charts == 0, "every picture has words"
    tab.context.close()


#: Page, what the address says (in the words of the widgets), words that must then be on the page.
FILTERS = [
    ("executive", {"period": "Last 4 weeks"}, "27 Sep 2026 to 24 Oct 2026"), ("executive", {"channel": ["YouTube", "Hulu"], "retailer": "Walmart", "dma": "New York"}, "Media spend"),
    ("channels", {"measure": "CTR"}, "CTR by week"), ("channels", {"measure": "ROAS as claimed", "channel": "YouTube"}, "ROAS as claimed by week"),
    ("channels", {"level": "Place", "open": "Hulu"}, "Place level"), ("channels", {"level": "Tactic", "period": "All weeks"}, "Tactic level"),
    ("incrementality", {"channel": "Other CTV"}, "ctv-2026-q3"), ("budget", {"plan": "Move $5M"}, "Move $5M, by channel"),
    ("budget", {"from": "Search, brand", "to": "YouTube", "share": "10"}, "From Search, brand to YouTube"), ("budget", {"curve": "Hulu"}, "Response curve of Hulu"),
    ("demand", {"retailer": "Target", "horizon": "8"}, "next 8 weeks"), ("demand", {"dma": "Los Angeles"}, "Los Angeles"),
    ("impact", {"period": "Last 13 weeks", "channel": "Meta retargeting"}, "26 Jul 2026 to 24 Oct 2026"), ("segments", {"channel": "Email"}, "Effect of Email"),
    ("quality", {"mart": "Channel ROI (fct_channel_roi)"}, "The run that wrote fct_channel_roi"), ("gifting", {"client": "Client 301", "service": "One to One Gifting", "year": "2019"}, "The 1 largest of 1 clients"),
]  # fmt: skip


@pytest.mark.parametrize("page, query, words", FILTERS)
def test_filter_in_the_address(
    chromium: Any, address: str, serving: Any, page: str, query: str, words: str
) -> None:
    tab, _, errors = visit(chromium, address, page, query="?" + urlencode(query, doseq=True))
    tab.wait_for_function("words => document.body.innerText.includes(words)", arg=words, timeout=WAIT)
    assert not errors and "could not be drawn" not in tab.inner_text("body")
    tab.context.close()


def test_a_filter_changes_the_figures_and_the_address(chromium: Any, address: str) -> None:
    tab, _, _ = visit(chromium, address, "executive")
    read = "() => document.querySelector('[data-figure=spend_usd]').value"
    before = tab.evaluate(read)
    tab.get_by_label("Period", exact=True).click()
    tab.get_by_role("option", name="Last 4 weeks").click()
    tab.wait_for_function(f"before => ({read})() !== before", arg=before, timeout=WAIT)
    assert "period=Last+4+weeks" in tab.url
    tab.get_by_role("link", name="Channels").click()
    tab.wait_for_function("() => document.querySelector('h1')?.innerText === 'Channels'", timeout=WAIT)
    settle(tab)
    assert "period=Last+4+weeks" in tab.url, "a view keeps its filters from page to page"
    tab.context.close()


def test_keyboard_reaches_navigation_filters_and_tables(chromium: Any, address: str) -> None:
    tab, _, _ = visit(chromium, address, "channels")
    reached = set()
    for _ in range(60):
        tab.keyboard.press("Tab")
        reached.add(
            tab.evaluate(
                "() => { const e = document.activeElement; return e.tagName + (e.getAttribute('role') ? ':' + e.getAttribute('role') : '') + (e.className.includes && e.className.includes('ml-scroll') ? ':table' : ''); }"
            )
        )
    assert any(r.startswith("A") for r in reached), "links"
    assert any("INPUT" in r for r in reached), "filters"
    assert any(r.endswith(":table") for r in reached), "scrolling tables"
    assert any("BUTTON" in r for r in reached), "downloads"
    tab.context.close()


def test_a_download_is_escaped(chromium: Any, address: str) -> None:
    tab, _, _ = visit(chromium, address, "quality")
    buttons = tab.get_by_role("button", name="Download as CSV")
    with tab.expect_download(timeout=WAIT) as waiting:
        buttons.first.click()
    text = waiting.value.path().read_text(encoding="utf-8-sig")
    assert "'=HYPERLINK" in text and "\n=" not in text and ",=" not in text
    tab.context.close()


HOSTILE = [
    "?period=%27%3B%20drop%20table%20x",
    "?channel=%3Cscript%3Ealert(1)%3C/script%3E",
    "?share=99999",
    "?share=NaN",
    "?mart=../../etc/passwd",
    "?dma=" + "9" * 3000,
    "?plan=%00",
    "?from=a&to=a",
]


@pytest.mark.parametrize("query", HOSTILE)
def test_hostile_addresses_change_nothing(chromium: Any, address: str, query: str) -> None:
    for page in ("executive", "budget"):
        tab, outside, errors = visit(chromium, address, page, query=query)
        text = tab.inner_text("body")
        assert "could not be drawn" not in text and "root:" not in text and not outside and not errors
        tab.context.close()


def test_server_gives_nothing_away(address: str) -> None:
    import urllib.error
    import urllib.request

    for path in (
        "/.env",
        "/../settings.py",
        "/app/static/../../settings.py",
        "/media/../../etc/passwd",
        "/_stcore/../../../etc/passwd",
        "/component/x/../../../../etc/passwd",
        "/static/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    ):
        try:
            with urllib.request.urlopen(address + path, timeout=10) as answer:
                body = answer.read().decode("utf-8", "replace")
        except urllib.error.HTTPError as error:
            body = error.read().decode("utf-8", "replace")
        assert "root:x:" not in body and "load_settings" not in body
    request = urllib.request.Request(address + "/_stcore/upload_file/x/y", data=b"x", method="PUT")
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(request, timeout=10)
