"""The frame of the lab in a browser: its tabs, its token, its files."""

import gzip
import hashlib
import json
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from lab_page import lab, violations
from playwright.sync_api import Browser, expect
from served import Served, serving

from rnnlab.web.page_files import PAGE, page_paths

TABS = ["Runs", "Write", "Inside", "Score", "Experiments", "API"]
VENDOR = PAGE / "vendor"
VENDORED = json.loads((VENDOR / "vendored.json").read_text())


@pytest.mark.parametrize("file", sorted(PAGE.rglob("*.js")), ids=lambda file: file.stem)
def test_words_at_the_end_of_a_line_are_followed_by_a_space(file: Path) -> None:
    """htm leaves out white space with a line break, so templates write it as ${" "}."""
    text, inline = file.read_text(encoding="utf-8"), "(?:a|b|code|em|i)"
    assert not re.findall(rf"[\w.,:;)]\n\s*<{inline}[ >].*", text)
    assert not re.findall(rf".*</{inline}>\n\s*[\w(].*", text)


def test_every_tab_opens_by_keyboard_alone(browser: Browser, server: Served) -> None:
    with lab(browser, server, "api") as page:
        for tab in TABS:
            page.locator("nav a", has_text=tab).focus()
            page.keyboard.press("Enter")
            expect(page.locator("nav a[aria-current=page]")).to_have_text(tab)
            page.locator("main h1").wait_for()
            assert page.title() == f"{tab} · rnnlab"
            assert page.evaluate("document.activeElement.id") == "main"
        page.go_back()
        expect(page.locator("nav a[aria-current=page]")).to_have_text(TABS[-2])


def test_a_token_is_asked_for_once(browser: Browser, shelf: Path) -> None:
    token = "a-token-of-the-tests"
    with serving(str(shelf), "--token", token) as server:
        with lab(browser, server, "score", expected=("401",)) as page:
            expect(page.locator("h1")).to_have_text("Token")
            assert violations(page) == []
            page.get_by_label("Token").fill("wrong")
            page.keyboard.press("Enter")
            expect(page.get_by_role("alert")).to_have_text("This is not the token.")
            page.get_by_label("Token").fill(token)
            page.keyboard.press("Enter")
            expect(page.locator("h1")).to_have_text("Score")
            page.reload()
            expect(page.locator("h1")).to_have_text("Score")
        with lab(browser, server, expected=("401",)) as page:
            page.goto("about:blank")
            page.goto(f"{server.url}/#token={token}")
            expect(page.locator("h1")).to_have_text("Runs")
            assert token not in page.url


def test_a_server_that_has_gone_is_said(browser: Browser, shelf: Path) -> None:
    with serving(str(shelf)) as server, lab(browser, server, expected=("ERR_", "503")) as page:
        page.goto(f"{server.url}/#/write")
        page.locator("main h1").wait_for()
        server.ended()
        page.locator("nav a", has_text="Score").click()
        expect(page.get_by_role("alert")).to_be_visible()


def test_the_page_is_small_and_asked_for_again(server: Served) -> None:
    total = 0
    connection = server.connect()
    for path, file in page_paths().items():
        connection.request("GET", path, headers={"accept-encoding": "gzip"})
        with connection.getresponse() as answer:
            packed = answer.read()
            assert (answer.status, gzip.decompress(packed)) == (200, file.read_bytes()), path
            assert "unsafe" not in answer.headers["content-security-policy"]
            tag = answer.headers["etag"]
        total += len(packed)
        connection.request("GET", path, headers={"if-none-match": tag})
        with connection.getresponse() as answer:
            assert (answer.status, answer.read()) == (304, b"")
        connection.request("GET", path)
        with connection.getresponse() as answer:
            assert answer.read() == file.read_bytes()
    connection.close()
    assert total < 200_000


@pytest.mark.parametrize("tab", TABS)
def test_a_tab_loads_little(browser: Browser, server: Served, tab: str) -> None:
    with lab(browser, server, tab.lower()) as page:
        page.wait_for_timeout(300)
        files = page.evaluate(
            "performance.getEntriesByType('resource').filter(({name}) => name.includes('/page/'))"
            ".map(({decodedBodySize}) => decodedBodySize)"
        )
    assert len(files) > 10
    assert sum(files) < 200_000


def test_only_files_of_the_page_are_served(server: Served) -> None:
    for path in "/page/../page_files.py", "/page/%2e%2e/page_files.py", "/page/vendor/", "/page":
        assert server.ask(path)[0] == 404


def test_vendored_files_are_those_of_the_packages(tmp_path: Path) -> None:
    files = {file.name for file in VENDOR.iterdir()}
    licences = {name for about in VENDORED.values() for name in about["licences"]}
    assert files == {*VENDORED, *licences, "vendored.json"}
    for name, about in VENDORED.items():
        content = (VENDOR / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == about["sha256"]
        for licence in about["licences"]:
            assert len((VENDOR / licence).read_text()) > 1_000
    npm = shutil.which("npm")
    if not npm:  # the checksums were compared
        return
    for package in {(about["package"], about["version"]) for about in VENDORED.values()}:
        subprocess.run(
            [npm, "pack", "@".join(package)], cwd=tmp_path, check=True, capture_output=True
        )
        with tarfile.open(tmp_path / f"{'-'.join(package)}.tgz") as archive:
            for name, about in VENDORED.items():
                if (about["package"], about["version"]) == package:
                    stream = archive.extractfile(f"package/{about['file']}")
                    assert stream
                    assert stream.read() == (VENDOR / name).read_bytes()
