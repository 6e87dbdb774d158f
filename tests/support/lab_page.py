"""The lab in a real browser."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from browser import DESK, clean_page, heard
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
    settings.setdefault("viewport", {"width": DESK, "height": 900})
    own = (server.url, "data:", "blob:")
    with (
        clean_page(browser, f"{server.url}/health", **settings) as page,
        heard(page) as (complaints, addresses),
    ):
        page.context.grant_permissions([])
        page.goto(f"{server.url}/#/{route}")
        page.locator("main h1").first.wait_for()
        yield page
        unexpected = [one for one in complaints if not any(part in one for part in expected)]
        assert not unexpected, unexpected
        others = [url for url in addresses if not url.startswith(own)]
        assert not others, others
