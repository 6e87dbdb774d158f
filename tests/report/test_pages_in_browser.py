"""The page in a real browser: on a wide screen, on a phone, in the dark, on paper."""

from pathlib import Path
from typing import Any

import pytest
from browser import DESK, PHONE, opened
from playwright.sync_api import Browser


def size(width: int) -> dict[str, Any]:
    return {"viewport": {"width": width, "height": 800}}


@pytest.mark.parametrize("width", [PHONE, 700, DESK])
def test_the_page_never_scrolls_sideways(
    browser: Browser, written: tuple[Path, Path], width: int
) -> None:
    with opened(browser, written[0], **size(width)) as page:
        page.eval_on_selector_all("details", "all => all.forEach(d => d.open = true)")
        assert page.evaluate("document.documentElement.scrollWidth") == width
        wide = page.evaluate(
            """width => [...document.querySelectorAll('main *, header *')]
                .filter(e => !e.closest('.scroll, .command, svg'))
                .filter(e => e.getBoundingClientRect().right > width + 1)
                .map(e => e.outerHTML.slice(0, 80))""",
            width,
        )
        assert wide == []


def test_on_a_phone_the_table_scrolls_by_itself_and_keeps_its_names(
    browser: Browser, written: tuple[Path, Path]
) -> None:
    with opened(browser, written[0], **size(PHONE)) as page:
        box = page.locator(".scroll").first
        assert box.evaluate("e => e.scrollWidth > e.clientWidth")
        box.evaluate("e => e.scrollLeft = 200")
        name = page.locator(".outcomes th[scope=row]").first.bounding_box()
        assert name
        assert name["x"] >= 0
        assert name["width"] < PHONE / 2
        texts = page.locator(".plot").first.evaluate(
            "e => [...e.querySelectorAll('text')].map(t => t.getBoundingClientRect().height)"
        )
        assert min(texts) >= 9, "labels of plots can be read"


def test_the_dark_scheme_changes_the_page_and_its_plots(
    browser: Browser, written: tuple[Path, Path]
) -> None:
    def colours(scheme: Any) -> list[str]:
        with opened(browser, written[0], color_scheme=scheme, **size(DESK)) as page:
            return [
                page.locator(selector).first.evaluate(
                    "(e, name) => getComputedStyle(e)[name]", name
                )
                for selector, name in (
                    ("html", "backgroundColor"), ("h1", "color"), (".plot text", "fill"),
                    ('.plot path[style*="stroke: var(--series-1)"]', "stroke"),
                    (".supported .verdict", "color"),
                )
            ]  # fmt: skip

    light, dark = colours("light"), colours("dark")
    assert all(a != b for a, b in zip(light, dark, strict=True))
    assert luminance(light[0]) > 0.9
    assert luminance(dark[0]) < 0.02


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_lines_stand_out(
    browser: Browser, written: tuple[Path, Path], scheme: Any
) -> None:
    """WCAG 2.2: a contrast of 4.5 to 1 for text (1.4.3), 3 to 1 for lines of plots (1.4.11)."""
    with opened(browser, written[0], color_scheme=scheme, **size(DESK)) as page:
        colours = page.evaluate(
            """() => {
                const probe = document.body.appendChild(document.createElement('i'));
                const fonts = ['--text', '--table', '--code'];
                const names = [...document.styleSheets[0].cssRules[0].style]
                    .filter(n => n.startsWith('--') && !fonts.includes(n));
                return Object.fromEntries(names.map(n => {
                    probe.style.color = `var(${n})`;
                    return [n, getComputedStyle(probe).color];
                }));
            }"""
        )
    paper = luminance(colours["--paper"])
    for name, colour in colours.items():
        least = 3.0 if "series" in name else 0.0 if name in ("--paper", "--rule") else 4.5
        high, low = sorted((luminance(colour), paper), reverse=True)
        assert (high + 0.05) / (low + 0.05) >= least, name


def test_on_paper_it_is_light_complete_and_not_cut_off(
    browser: Browser, written: tuple[Path, Path]
) -> None:
    paper = {"viewport": {"width": 672, "height": 1000}}  # A4 within its margins
    with opened(browser, written[0], color_scheme="dark", **paper) as page:
        sentence = page.locator(".claims details li").first
        assert not sentence.is_visible()
        page.emulate_media(media="print", color_scheme="dark")
        assert sentence.is_visible(), "the numbers are printed"
        assert page.locator(".samples li").last.is_visible()
        assert not page.locator("nav").is_visible()
        background = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        assert background == "rgb(255, 255, 255)"
        assert page.evaluate("document.documentElement.scrollWidth") == 672
        assert page.locator(".scroll").first.evaluate("e => e.scrollWidth <= e.clientWidth")
        assert page.pdf().startswith(b"%PDF")


def test_landmarks_headings_and_names_are_there(
    browser: Browser, written: tuple[Path, Path]
) -> None:
    with opened(browser, written[0], **size(DESK)) as page:
        assert page.get_by_role("main").count() == 1
        assert page.get_by_role("navigation", name="Contents").count() == 1
        assert page.get_by_role("heading", level=1).count() == 1
        headings = page.get_by_role("heading", level=2).all_inner_texts()
        assert headings == [
            "Verdicts", "Outcomes", "Learning curves", "Speed against quality",
            "Gradient flow through time", "Samples", "Runs that did not finish", "Protocol",
        ]  # fmt: skip
        assert page.get_by_role("img").count() == page.locator("svg.plot").count() == 13
        assert page.get_by_role("rowheader").count() >= 17
        page.get_by_role("link", name="Protocol").click()
        assert page.url.endswith("#protocol")


def luminance(colour: str) -> float:
    """Relative luminance of `rgb(…)`, as WCAG defines it."""
    channels = [int(part) / 255 for part in colour.strip("rgb()").split(",")]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
