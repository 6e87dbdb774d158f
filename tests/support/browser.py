"""A real browser, to test how a page behaves."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import axe_playwright_python
from playwright.sync_api import Browser, Error, Page, sync_playwright

DESK, PHONE = 1280, 390
AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
RULES = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]

ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run", "--disable-quic",
]  # fmt: skip


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the system's Chromium, or the one that playwright installed, without a window."""
    found = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


EMPTY = Path(__file__).with_name("empty.html").as_uri()
WAITING: dict[Any, list[Page]] = {}
"""Pages that a test has left, by their settings."""


@contextmanager
def clean_page(
    browser: Browser, rest: str = EMPTY, *, viewport: Any = None, color_scheme: Any = "light",
    script: str = "", **settings: Any,
) -> Iterator[Page]:  # fmt: skip
    """A page of a browser that has seen nothing yet: with storage, cookies and rights of its own.

    To make one takes a processor for a second. So it is made empty after the test and used again,
    unless the test fails or what it shows has gone. rest: an address without scripts, where it
    waits; what is stored of its origin is forgotten. script: run before those of each document.
    """
    key = (browser, rest.partition(":")[0], script, *sorted(settings.items()))
    waiting = WAITING.setdefault(key, [])
    if waiting:
        page = waiting.pop()
    else:
        page = browser.new_context(**settings).new_page()
        if script:
            page.add_init_script(script)
    page.set_viewport_size(viewport or {"width": DESK, "height": 720})
    page.emulate_media(media="null", color_scheme=color_scheme)
    is_clean = False
    try:
        yield page
        is_clean = emptied(page, rest)
    finally:
        if is_clean:
            waiting.append(page)
        else:
            page.context.close()


def emptied(page: Page, rest: str) -> bool:
    """Make a page forget what it has seen; returns whether it could."""
    page.unroute_all()
    try:
        page.goto(rest)
    except Error:  # of a server that has ended
        return False
    page.evaluate("localStorage.clear(), sessionStorage.clear()")
    page.mouse.move(0, 0)
    page.context.clear_cookies()
    page.context.clear_permissions()
    return True


@contextmanager
def heard(page: Page) -> Iterator[tuple[list[str], list[str]]]:
    """Two lists that grow: what the page complains of, and the addresses that it asks for."""
    complaints, addresses = list[str](), list[str]()
    listeners: dict[Any, Any] = {
        "console": lambda said: complaints.append(f"{said.text} {said.location['url']}"),
        "pageerror": lambda error: complaints.append(str(error)),
        "request": lambda request: addresses.append(request.url),
    }
    for event, listener in listeners.items():
        page.on(event, listener)
    try:
        yield complaints, addresses
    finally:
        for event, listener in listeners.items():
            page.remove_listener(event, listener)


@contextmanager
def opened(browser: Browser, file: Path, **settings: Any) -> Iterator[Page]:
    """The page, which may log no messages and request nothing but itself; settings: as above."""
    with clean_page(browser, **settings) as page, heard(page) as (complaints, addresses):
        page.goto(file.as_uri())
        yield page
        assert not complaints, complaints
        others = [url for url in addresses if not url.startswith("data:")]
        assert others == [file.as_uri()], others


def violations(
    page: Page, part: str = "html", without: Sequence[str] = (), only: Sequence[str] = ()
) -> list[str]:
    """What axe finds against the rules of accessibility: each rule, and the elements.

    part: the element to look at; rules about whole pages need all of it. without: rules that are
    left out, such as color-contrast, which takes most of the time. only: the rules, if not all.
    """
    if not page.evaluate("'axe' in window"):  # as an init script, before the page was opened
        page.evaluate(AXE)  # not a script tag, which a content policy may refuse
    options = {
        "runOnly": [*(only or RULES)], "resultTypes": ["violations"], "preload": False,
        "rules": {rule: {"enabled": False} for rule in without},
    }  # fmt: skip
    found = page.evaluate("([part, options]) => axe.run(part, options)", [part, options])
    return [
        f"{rule['id']}: {node['html'][:120]} ({node['failureSummary']})"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]


def overflows(page: Page) -> int:
    """By how many pixels the page is wider than its window."""
    return int(
        page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    )
