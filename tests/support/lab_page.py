"""The lab in a real browser."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from browser import DESK
from browser import overflows as overflows  # for those who look at the lab
from browser import violations as violations
from playwright.sync_api import Browser, Page
from served import Served


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
