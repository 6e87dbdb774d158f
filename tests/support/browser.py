"""A real browser, to test how a page behaves."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import axe_playwright_python
from playwright.sync_api import Browser, Page, sync_playwright

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
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=ARGUMENTS
        )
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def opened(browser: Browser, file: Path, **settings: Any) -> Iterator[Page]:
    """The page, which may log no messages and request nothing but itself."""
    context = browser.new_context(**settings)
    page = context.new_page()
    complaints: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(file.as_uri())
    yield page
    assert complaints == []
    assert [url for url in requests if not url.startswith("data:")] == [file.as_uri()]
    context.close()


def violations(page: Page, part: str = "html", without: Sequence[str] = ()) -> list[str]:
    """What axe finds against the rules of accessibility: each rule, and the elements.

    part: the element to look at; rules about whole pages need all of it. without: rules that are
    left out, such as color-contrast, which takes most of the time.
    """
    if not page.evaluate("'axe' in window"):  # as an init script, before the page was opened
        page.evaluate(AXE)  # not a script tag, which a content policy may refuse
    options = {
        "runOnly": RULES, "resultTypes": ["violations"], "preload": False,
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
