"""The page of the API: every route of /openapi.json, and lines for the shell that work."""

import shutil
import subprocess

import pytest
from browser import PHONE
from lab_page import lab, overflows, violations
from playwright.sync_api import Browser, Page, expect
from served import Served


def routes(page: Page) -> list[str]:
    """Method and path of each route that is shown."""
    expect(page.locator("details.route").first).to_be_visible()
    return page.locator("details.route").evaluate_all(
        """all => all.map((one) =>
          ["b", "summary code"].map((part) => one.querySelector(part).innerText).join(" "))"""
    )


def test_every_route_is_shown_with_every_key(browser: Browser, server: Served) -> None:
    _, document, _ = server.ask("/openapi.json")
    wanted = {
        f"{method.upper()} {path}": operation
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }
    with lab(browser, server, "api") as page:
        shown = routes(page)
        assert sorted(shown) == sorted(wanted)
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        codes = page.locator("details.route").evaluate_all(
            """all => all.map((one) => [...one.querySelectorAll("tbody tr")].map((row) =>
              row.querySelector("code").innerText))"""
        )
        for name, listed in zip(shown, codes, strict=True):
            operation = wanted[name]
            body = operation.get("requestBody", {"content": {"application/json": {"schema": {}}}})
            schema = body["content"]["application/json"]["schema"]
            keys = [parameter["name"] for parameter in operation.get("parameters", [])]
            keys += schema.get("properties", {})
            assert listed == keys, name
        row = page.locator("tr", has=page.locator("code", has_text="max_tokens")).first
        assert row.locator("td").all_inner_texts() == [
            "whole number, 0 to 100,000", "16", "tokens to write after a prompt"
        ]  # fmt: skip
        assert violations(page) == []


def test_a_route_is_found_and_opened_by_keyboard(browser: Browser, server: Served) -> None:
    with lab(browser, server, "api") as page:
        page.get_by_role("searchbox").focus()
        page.keyboard.type("tokenize")
        expect(page.locator("details.route summary code").first).to_have_text("/tokenize")
        assert routes(page)[:2] == ["POST /tokenize", "POST /detokenize"]
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.locator("details.route[open] pre")).to_contain_text("/tokenize")
        page.reload()
        expect(page.get_by_role("searchbox")).to_have_value("tokenize")


@pytest.mark.parametrize(
    "route",
    ["/v1/completions", "/v1/models/{name}", "/tokenize", "/detokenize", "/tokenizer_info",
     "/api/v1/generate", "/api/v1/score", "/api/v1/experiments"],
)  # fmt: skip
def test_its_lines_for_the_shell_work(browser: Browser, server: Served, route: str) -> None:
    if not shutil.which("curl"):
        pytest.skip("curl is not there")
    with lab(browser, server, "api") as page:
        routes(page)
        one = page.locator("details.route").filter(
            has=page.locator("summary code").get_by_text(route, exact=True)
        )
        one.locator("summary").click()
        line = one.locator("pre").inner_text()
    done = subprocess.run(
        ["sh", "-c", f"{line} --silent --fail --output /dev/null --write-out '%{{http_code}}'"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "200"), line


def test_a_line_is_copied(browser: Browser, server: Served) -> None:
    with lab(browser, server, "api") as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        routes(page)
        one = page.locator("details.route").first
        one.locator("summary").click()
        one.get_by_role("button", name="Copy").click()
        expect(one.get_by_role("status")).to_have_text("Copied.")
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied == one.locator("pre").inner_text()


def test_it_fits_a_phone(browser: Browser, server: Served) -> None:
    with lab(browser, server, "api", viewport={"width": PHONE, "height": 800}) as page:
        routes(page)
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert overflows(page) == 0
