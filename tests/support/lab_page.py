"""The lab in a real browser."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import axe_playwright_python
from browser import DESK
from playwright.sync_api import Browser, Page
from served import Served

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")


@contextmanager
def lab(
    browser: Browser, server: Served, route: str = "", *, expected: tuple[str, ...] = (),
    **settings: Any,
) -> Iterator[Page]:  # fmt: skip
    """The page at a route such as "write?model=pets"; it asks no other host and logs nothing.

    expected: parts of messages that may be logged, such as those of a status that is meant.
    """
    context = browser.new_context(**{"viewport": {"width": DESK, "height": 900}, **settings})
    context.grant_permissions([])
    page = context.new_page()
    complaints, others = list[str](), list[str]()
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "request",
        lambda request: (
            None
            if request.url.startswith((server.url, "data:", "blob:"))
            else others.append(request.url)
        ),
    )
    try:
        page.goto(f"{server.url}/#/{route}")
        page.locator("main h1").first.wait_for()
        yield page
        unexpected = [one for one in complaints if not any(part in one for part in expected)]
        assert (unexpected, others) == ([], [])
    finally:
        context.close()


def violations(page: Page) -> list[str]:
    """What axe finds against the rules of accessibility: each rule, and the elements."""
    page.evaluate(AXE)  # not a script tag, which the content policy refuses
    rules = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]
    found = page.evaluate("rules => axe.run(document, {runOnly: rules})", rules)
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
