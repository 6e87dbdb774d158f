"""The page Write in a real browser: a person types, lets models write, and goes another way."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from browser import PHONE
from lab_page import lab, overflows, violations
from playwright.sync_api import Browser, Locator, Page, expect
from served import Served, serving

import rnnlab

TEXT = "The cat sees the "


@contextmanager
def writing(
    browser: Browser, server: Served, route: str = "write?model=pets", length: int = 60,
    **settings: Any,
) -> Iterator[Page]:  # fmt: skip
    with lab(browser, server, route, **settings) as page:
        page.get_by_role("combobox", name="Pace").select_option("as fast as it can")
        page.get_by_label("Length").fill(str(length))
        yield page


def box(page: Page, title: str = "Model") -> Locator:
    return page.get_by_label(f"Text, {title}", exact=True)


def read(page: Page, column: int = 0) -> str:
    """Wait until the text is read; return what is said of it."""
    said = page.locator(".bits").nth(column)
    expect(said).to_contain_text("bits per character")
    return said.inner_text()


def render(page: Page) -> None:
    """Wait until what was done last is shown: the status is not about what was before."""
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def write(page: Page, title: str = "Model") -> str:
    """Let the model write; return the text."""
    column = page.get_by_role("region", name=title, exact=True)
    column.get_by_role("button", name="Write", exact=True).click()
    render(page)
    expect(column.get_by_role("status")).to_contain_text("written")
    return box(page, title).input_value()


def piece(page: Page, number: int) -> Locator:
    """A piece of the coloured copy."""
    return page.locator(".mirror").first.locator("span").nth(number)


def letters(page: Page) -> list[tuple[str, float]]:
    """The pieces of the coloured copy, and how strong the colour of each is."""
    found: list[tuple[str, str]] = (
        page.locator(".mirror")
        .first.locator("span")
        .evaluate_all("all => all.map(one => [one.textContent, one.style.getPropertyValue('--a')])")
    )
    return [(text, float(strength)) for text, strength in found]


def put_caret(page: Page, place: int) -> None:
    box(page).evaluate("(area, at) => { area.focus(); area.setSelectionRange(at, at); }", place)


def branches(page: Page) -> list[str]:
    return excerpts(page).all_inner_texts()


def excerpts(page: Page) -> Locator:
    return page.locator(".branches").first.locator("button .excerpt")


def test_what_is_typed_has_the_colours_of_its_surprise(
    browser: Browser, server: Served, shelf: Path
) -> None:
    model = rnnlab.load(shelf / "pets")
    with writing(browser, server) as page:
        box(page).fill(TEXT)
        said, score = read(page), model.score(TEXT)
        bits = score.target_nats / 0.6931471805599453
        assert said.startswith(
            f"{bits.mean():.2f} bits per character over {len(TEXT) - 1} predicted characters"
        )
        found = letters(page)
        assert [text for text, _ in found] == [*TEXT]
        assert [a for _, a in found] == [
            pytest.approx(min(1, own / 10), abs=1e-3) for own in [0, *bits]
        ]
        box(page).press("End")
        box(page).type("☃ ")
        expect(page.locator(".notice")).to_have_text("Not in the vocabulary, read as <unk>: ☃")
        expect(page.locator(".mirror .unknown")).to_have_text(["☃"])
        expect(page.locator(".rules .note")).to_contain_text(
            "The text is read as it is. Read from a state of zeros, which is carried through "
            "all of the text."
        )
        expect(page.locator(".rules .note")).to_contain_text("with an n-gram part of order 3.")


def test_it_writes_what_rnnlab_generates_from_the_caret(
    browser: Browser, server: Served, shelf: Path
) -> None:
    model = rnnlab.load(shelf / "pets")
    with writing(browser, server) as page:
        page.get_by_label("Seed").fill("7")
        page.get_by_label("Temperature", exact=True).fill("1.1")
        page.get_by_label("Top-k").fill("9")
        page.get_by_label("Top-p", exact=True).fill("0.95")
        choice = {"seed": 7, "temperature": 1.1, "top_k": 9, "top_p": 0.95}
        box(page).fill(TEXT)
        read(page)
        assert write(page) == model.generate(TEXT, length=60, **choice)
        # Once more: as if all had been written at once.
        assert write(page) == model.generate(TEXT, length=120, **choice)
        expect(page.get_by_role("status")).to_have_text("60 tokens written.")
        put_caret(page, 7)
        assert write(page) == model.generate(TEXT[:7], length=60, **choice)
        page.get_by_label("Temperature", exact=True).fill("0")
        page.keyboard.press("Tab")
        put_caret(page, 4)
        assert write(page) == model.generate(TEXT[:4], length=60, temperature=0)


def test_pointing_shows_the_alternatives_and_a_click_goes_on_from_there(
    browser: Browser, server: Served, shelf: Path
) -> None:
    with writing(browser, server) as page:
        box(page).fill(TEXT)
        read(page)
        whole = write(page)
        piece(page, 30).hover(force=True)
        card = page.locator(".card")
        expect(card.locator("p")).to_contain_text("bits, probability")
        bars = card.locator(".expected li")
        shares = [float(re.sub("[<%]", "", one)) for one in bars.locator("span").all_inner_texts()]
        assert len(shares) == 10
        assert shares == sorted(shares, reverse=True)
        assert bars.locator("xpath=self::*[@class='came']").count() <= 1
        chosen = card.locator("li:not(.came) button").first
        letter = chosen.locator("b").inner_text().replace("␣", " ").replace("⏎", "\n")
        requests: list[str] = []
        page.on("request", lambda request: requests.append(request.post_data or ""))
        chosen.click()
        render(page)
        expect(page.get_by_role("status")).to_contain_text("written")
        found = box(page).input_value()
        assert found[:31] == whole[:30] + letter != whole[:31]
        assert len(found) == 31 + 60
        assert '"ids":[' in requests[0]  # it goes on from the saved state
        assert '"text"' not in requests[0]
        score = rnnlab.load(shelf / "pets").score(found)
        read(page)
        assert [a for _, a in letters(page)[1:]] == pytest.approx(
            [min(1, nats / 0.6931471805599453 / 10) for nats in score.target_nats], abs=1e-3
        )


def test_undo_redo_and_all_branches(browser: Browser, server: Served) -> None:
    with writing(browser, server, length=20) as page:
        box(page).fill(TEXT)
        read(page)
        one = write(page)
        put_caret(page, len(TEXT))
        page.get_by_label("Seed").fill("1")
        box(page).focus()
        put_caret(page, len(TEXT))
        other = write(page)
        assert other[: len(TEXT)] == TEXT
        assert one != other
        expect(excerpts(page).first).to_have_text("nothing")
        page.get_by_role("button", name="Undo").click()
        expect(box(page)).to_have_value(one)
        page.get_by_role("button", name="Undo").click()
        expect(box(page)).to_have_value(TEXT)
        box(page).focus()
        page.keyboard.press("Control+z")
        expect(box(page)).to_have_value("")
        for text in (TEXT, one, other, other):
            page.keyboard.press("Control+Shift+z")
            expect(box(page)).to_have_value(text)
        current = page.locator(".branches button[aria-current]")
        expect(current.locator("small")).to_contain_text("written by pets")
        expect(current.locator("small")).to_contain_text("bits per character")
        page.locator(".branches button").nth(1).click()
        expect(box(page)).to_have_value(TEXT)
        # What is typed now is another branch; nothing of the others is lost.
        box(page).press("End")
        box(page).type("dog")
        read(page)
        expect(excerpts(page)).to_have_count(5)
        assert len(set(page.locator(".branches li").evaluate_all(
            "all => all.map(one => one.style.getPropertyValue('--depth'))"
        ))) == 2  # fmt: skip


def test_a_reload_keeps_all(browser: Browser, server: Served) -> None:
    with writing(browser, server, length=30) as page:
        box(page).fill(TEXT)
        read(page)
        text = write(page)
        page.get_by_label("Seed").fill("5")
        page.get_by_label("Top-k").fill("4")
        page.get_by_label("A second model next to it").check()
        page.get_by_role("combobox", name="Second model").select_option("more/bytes")
        known = branches(page)
        page.reload()
        expect(box(page)).to_have_value(text)
        expect(page.get_by_label("Seed")).to_have_value("5")
        expect(page.get_by_label("Top-k")).to_have_value("4")
        second = page.get_by_role("combobox", name="Second model")
        expect(second).to_have_value("more/bytes")
        expect(excerpts(page)).to_have_text(known, use_inner_text=True)
        read(page)
        page.locator("main").get_by_role("button", name="Undo").first.click()
        expect(box(page)).to_have_value(TEXT)


def test_settings_act_while_it_writes(browser: Browser, server: Served) -> None:
    with writing(browser, server, length=20_000) as page:
        page.get_by_role("combobox", name="Pace").select_option("100 tokens a second")
        box(page).fill(TEXT)
        read(page)
        box(page).press("Control+Enter")
        expect(page.get_by_role("button", name="Stop")).to_be_visible()
        page.wait_for_function("() => document.querySelector('textarea').value.length > 40")
        page.get_by_label("Temperature", exact=True).fill("0")
        page.wait_for_timeout(700)
        before = len(box(page).input_value())
        page.wait_for_timeout(600)
        box(page).press("Escape")
        expect(page.get_by_role("button", name="Write", exact=True)).to_be_visible()
        text = box(page).input_value()
        assert len(TEXT) + 40 < before < len(text) < 400
        read(page)
        expect(page.get_by_role("region", name="At the caret")).to_contain_text("What comes next")
        # The likeliest token came everywhere since.
        put_caret(page, len(text) - 5)
        expect(page.locator(".side .expected li").first).to_have_class("came")
        page.wait_for_timeout(500)
        assert box(page).input_value() == text


def test_the_keyboard_alone_suffices(browser: Browser, server: Served) -> None:
    with writing(browser, server, length=20) as page:
        box(page).focus()
        page.keyboard.type(TEXT)
        page.keyboard.press("Control+Enter")
        expect(page.get_by_role("status")).to_have_text("20 tokens written.")
        text = box(page).input_value()
        for _ in range(10):
            page.keyboard.press("ArrowLeft")
        expect(page.locator(".side .came")).to_be_visible()
        page.keyboard.press("Tab")
        focused = page.evaluate("document.activeElement.getAttribute('aria-label')")
        assert focused.startswith("Go on with ")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        render(page)
        expect(page.get_by_role("status")).to_have_text("20 tokens written.")
        assert page.evaluate("document.activeElement.tagName") == "TEXTAREA"
        other = box(page).input_value()
        assert other[: len(text) - 10] == text[:-10]
        assert len(other) == len(text) - 10 + 1 + 20
        page.keyboard.press("Control+z")
        expect(box(page)).to_have_value(text)


def test_the_caret_is_where_it_was_put_just_before(browser: Browser, server: Served) -> None:
    with writing(browser, server, length=20) as page:
        box(page).fill(TEXT)
        read(page)
        # All before the browser tells of the new caret, as when keys come fast.
        page.evaluate(
            """() => {
                const area = document.querySelector("textarea");
                area.setSelectionRange(4, 4);
                area.blur();
            }"""
        )
        expect(page.locator(".side .came b")).to_have_text(TEXT[4])
        box(page).focus()
        box(page).evaluate(
            """(area) => {
                const [key, ctrlKey, bubbles] = ["Enter", true, true];
                area.setSelectionRange(7, 7);
                area.dispatchEvent(new KeyboardEvent("keydown", { key, ctrlKey, bubbles }));
            }"""
        )
        expect(page.get_by_role("status")).to_have_text("20 tokens written.")
        text = box(page).input_value()
        assert text.startswith(TEXT[:7])
        assert len(text) == 7 + 20


def test_reading_does_not_end_what_is_being_written(browser: Browser, server: Served) -> None:
    """A rest of the text may be noticed when the model already writes."""
    with writing(browser, server) as page:
        found = page.evaluate(
            """async (text) => {
                const { Pen } = await import("/page/pages/write_pen.js"), pen = new Pen(() => {});
                const options = () => ({ length: 40, pace: 0, settings: { seed: 1 } });
                const written = pen.write("pets", "", text, options, () => {});
                return [await pen.read("pets", "", text), await written, pen.count];
            }""",
            TEXT,
        )
        assert found == [False, True, 40]


def test_typing_goes_on_where_the_model_writes(browser: Browser, server: Served) -> None:
    with writing(browser, server, length=20_000) as page:
        page.get_by_role("combobox", name="Pace").select_option("20 tokens a second")
        box(page).fill(TEXT)
        read(page)
        box(page).press("Control+Enter")
        page.wait_for_function(
            f"() => document.querySelector('textarea').value.length > {len(TEXT)}"
        )
        page.keyboard.type("XY")
        expect(page.get_by_role("button", name="Write", exact=True)).to_be_visible()
        text = box(page).input_value()
        assert re.fullmatch(r"The cat sees the .+XY", text, re.DOTALL)
        page.wait_for_timeout(400)
        assert box(page).input_value() == text
        assert page.evaluate("document.querySelector('textarea').selectionStart") == len(text)


def test_two_models_next_to_each_other(browser: Browser, server: Served, shelf: Path) -> None:
    with writing(browser, server, length=25) as page:
        box(page).fill(TEXT)
        read(page)
        page.get_by_label("A second model next to it").check()
        page.get_by_role("combobox", name="Second model").select_option("more/bpe")
        expect(box(page, "Second model")).to_have_value(TEXT)
        said = read(page, 1)
        mean = [
            score.nats / 0.6931471805599453 / count
            for name in ("pets", "more/bpe")
            for score in [rnnlab.load(shelf / name).score(TEXT)]
            for count in [len(TEXT) - 1]
        ]
        assert re.search(r"bits per character over \d+ predicted characters", said)
        expect(page.locator(".bits").nth(1)).to_contain_text("than the first model")
        assert mean[1] > mean[0]
        signs = (
            page.locator(".mirror")
            .nth(1)
            .locator("span")
            .evaluate_all("all => all.map(one => one.style.getPropertyValue('--sign'))")
        )
        assert "var(--above)" in signs  # more surprising than to the first
        assert violations(page) == []
        # The text that the first has from now on is that of the second.
        box(page).press("End")
        box(page).type("dog")
        expect(box(page, "Second model")).to_have_value(f"{TEXT}dog")
        # Each writes on its own, from then on its own text.
        own = write(page, "Second model")
        assert own == rnnlab.load(shelf / "more/bpe").generate(f"{TEXT}dog", length=25)
        assert box(page).input_value() == f"{TEXT}dog"
        assert not page.get_by_label("Same text as the first").is_checked()
        page.get_by_label("Same text as the first").check()
        expect(box(page, "Second model")).to_have_value(f"{TEXT}dog")
        page.get_by_role("button", name="Write with both").click()
        for title, name in (("Model", "pets"), ("Second model", "more/bpe")):
            wanted = rnnlab.load(shelf / name).generate(f"{TEXT}dog", length=25)
            expect(box(page, title)).to_have_value(wanted)


def test_the_oldest_branches_are_forgotten_and_damage_is_survived(
    browser: Browser, server: Served
) -> None:
    tree = {
        "now": 250, "count": 251, "branches": {
            "0": {"from": None, "keep": 0, "text": "The ", "how": "typed"},
            **{
                str(number): {"from": 0, "keep": 4, "text": f"cat {number}", "how": "typed"}
                for number in range(1, 251)
            },
        },
    }  # fmt: skip
    with writing(browser, server) as page:
        for stored, text, count in (
            (json.dumps(tree), "The cat 250", 200), ('{"now": 3}', "", 1), ("{", "", 1)
        ):  # fmt: skip
            page.goto("about:blank")
            page.goto(f"{server.url}/#/score")
            page.locator("main h1").wait_for()
            page.evaluate("text => localStorage.setItem('rnnlab:write:a:tree', text)", stored)
            page.goto(f"{server.url}/#/write?model=pets")
            expect(box(page)).to_have_value(text)
            expect(page.locator(".branches h2")).to_have_text(f"Branches ({count})")
            box(page).press("End")
            box(page).type("x")
            expect(box(page)).to_have_value(f"{text}x")
            read(page) if text else None


def test_a_text_rule_is_followed_when_the_model_writes(
    browser: Browser, server: Served, shelf: Path
) -> None:
    with writing(browser, server, "write?model=more/letters") as page:
        box(page).fill("The Cat, sees!")
        read(page)
        assert "".join(text for text, a in letters(page) if a) == "he Cat,sees"
        expect(page.locator(".rules .note")).to_contain_text("Text rule: letters.")
        expect(box(page)).to_have_value("The Cat, sees!")
        wanted = rnnlab.load(shelf / "more/letters").generate("The Cat, sees!", length=60)
        assert write(page) == wanted
        assert wanted.startswith("the cat sees")


def test_characters_of_several_bytes(browser: Browser, server: Served, shelf: Path) -> None:
    with writing(browser, server, "write?model=more/bytes") as page:
        box(page).fill("€uro ☃")
        read(page)
        assert [text for text, _ in letters(page)] == [*"€uro ☃"]
        put_caret(page, 5)
        expect(page.locator(".side")).to_contain_text("alternatives to the first of its tokens")
        box(page).press("End")
        wanted = rnnlab.load(shelf / "more/bytes").generate("€uro ☃", length=60)
        assert write(page).replace("␍", "\r") == wanted


def test_a_model_that_has_gone_is_said(browser: Browser, server: Served) -> None:
    with lab(browser, server, "write?model=gone") as page:
        column = page.get_by_role("region", name="Model", exact=True)
        button = column.get_by_role("button", name="Write", exact=True)
        expect(column.locator(".fault")).to_have_text(
            "Nothing is written. There is no model of the name ‘gone’: choose one from the list."
        )
        expect(button).to_have_attribute("aria-disabled", "true")
        button.click(force=True)
        page.wait_for_timeout(300)
        assert page.get_by_role("alert").count() == 0
        column.get_by_role("combobox", name="Model").select_option("pets")
        expect(column.locator(".fault")).to_have_count(0)
        expect(button).to_have_attribute("aria-disabled", "false")


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("Temperature", "-1", "Temperature must be a number from 0 to 100, not -1."),
        ("Temperature", "1000", "Temperature must be a number from 0 to 100, not 1000."),
        ("Top-p", "0", "Top-p must be a number from 0.001 to 1, not 0."),
        ("Top-k", "1.5", "Top-k must be a whole number from 0 to 1,000,000, not 1.5."),
        (
            "Seed", "9007199254740993",
            "Seed must be a whole number from 0 to 9,007,199,254,740,991, not 9007199254740993.",
        ),
        ("Length", "0", "Length must be a whole number from 1 to 20,000, not 0."),
        ("Length", "", "Length must be a whole number from 1 to 20,000, not empty."),
    ],
)  # fmt: skip
def test_nothing_is_written_with_a_wrong_setting(
    browser: Browser, server: Served, name: str, value: str, rule: str
) -> None:
    with writing(browser, server, length=20) as page:
        field = page.get_by_role("spinbutton", name=name)
        column = page.locator(".column")
        right = field.input_value()
        box(page).fill(TEXT)
        read(page)
        field.fill(value)
        said = page.locator(".live").get_by_role("status")
        expect(said).to_have_text(rule)
        expect(field).to_have_attribute("aria-describedby", said.get_attribute("id") or "")
        expect(column.locator(".fault")).to_have_text(f"Nothing is written. {rule}")
        assert violations(page) == []
        box(page).press("Control+Enter")
        page.wait_for_timeout(300)
        expect(box(page)).to_have_value(TEXT)
        field.fill(right)
        expect(page.locator(".fault")).to_have_count(0)
        assert len(write(page)) == len(TEXT) + 20


def test_writing_waits_while_a_setting_is_wrong(browser: Browser, server: Served) -> None:
    with writing(browser, server, length=20_000) as page:
        page.get_by_role("combobox", name="Pace").select_option("20 tokens a second")
        box(page).fill(TEXT)
        read(page)
        box(page).press("Control+Enter")
        page.wait_for_function("() => document.querySelector('textarea').value.length > 20")
        page.get_by_label("Temperature", exact=True).fill("-1")
        expect(page.locator(".column .fault")).to_contain_text("Waiting. Temperature must be")
        page.wait_for_timeout(200)
        before = box(page).input_value()
        page.wait_for_timeout(400)
        assert box(page).input_value() == before
        page.get_by_label("Temperature", exact=True).fill("0.5")
        page.wait_for_function(
            "old => document.querySelector('textarea').value.length > old", arg=len(before)
        )


def test_a_server_that_comes_back_is_asked_again(browser: Browser, shelf: Path) -> None:
    expected = ("ERR_CONNECTION_REFUSED", "ERR_EMPTY_RESPONSE", "ERR_CONNECTION_RESET")
    with serving(str(shelf)) as first, writing(browser, first, expected=expected) as page:
        box(page).fill(f"{TEXT}\n" * 60)
        read(page)
        port = first.port
        first.ended()
        box(page).press("End")
        box(page).type("x")
        alert = page.get_by_role("alert")
        expect(alert).to_contain_text(
            "The server does not answer. Is rnnlab serve still running? It is asked again every "
            "few seconds."
        )
        page.locator(".rules").scroll_into_view_if_needed()
        expect(alert).to_be_in_viewport()
        with serving(str(shelf), port=port):
            expect(alert).to_have_count(0, timeout=30_000)
            read(page)


def test_what_begins_a_text_is_said_in_plain_words(browser: Browser, server: Served) -> None:
    with writing(browser, server, "write?model=pets") as page:
        expect(page.locator(".notice")).to_have_text(
            "Nothing typed yet: the model begins as after a line break."
        )
        assert box(page).evaluate("one => [one.spellcheck, one.getAttribute('spellcheck')]") == [
            False, "false",
        ]  # fmt: skip


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_keeps_the_rules_of_accessibility_on_a_phone_too(
    browser: Browser, server: Served, scheme: str
) -> None:
    with writing(browser, server, length=80, color_scheme=scheme) as page:
        box(page).fill(TEXT)
        read(page)
        write(page)
        put_caret(page, 20)
        piece(page, 30).hover(force=True)
        page.locator(".card").wait_for()
        assert violations(page) == []
        page.set_viewport_size({"width": PHONE, "height": 800})
        page.get_by_label("A second model next to it").check()
        read(page, 1)
        assert overflows(page) == 0
        assert violations(page) == []


def test_the_copy_breaks_its_lines_where_the_text_box_does(
    browser: Browser, server: Served
) -> None:
    words = "The cat sees the dog, and  the\tbird\tloses " * 9
    with writing(browser, server, viewport={"width": PHONE, "height": 800}) as page:
        for text in (
            words,
            "x" * 300,
            f"{words}\n",
            "\n\n\n",
            f"{'a' * 160}\n\n" * 3,
            "日本語 ☃ " * 40,
        ):
            box(page).fill(text)
            read(page) if text.strip() else page.wait_for_timeout(300)
            copy, own = page.evaluate(
                """() => {
                    const area = document.querySelector("textarea"), height = area.style.height;
                    area.style.height = "0px";
                    const own = area.scrollHeight;
                    area.style.height = height;
                    return [document.querySelector(".mirror").offsetHeight, own];
                }"""
            )
            least = page.locator(".sheet").first.evaluate(
                "one => parseFloat(getComputedStyle(one).minHeight)"
            )
            assert copy == max(own, least), text[:20]
