"""The page Inside as a person uses it, with numbers from the probes themselves."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import made_up_text
from lab_page import lab, overflows, violations
from playwright.sync_api import Browser, Locator, Page, expect
from served import Served

import rnnlab
from rnnlab.probes.holding import held_model, means
from rnnlab.probes.reading import Reading
from rnnlab.probes.steps import steps
from rnnlab.probes.traces import trace

TEXT = made_up_text(3, seed=11)


expect.set_options(timeout=30_000)  # a busy machine


@pytest.fixture(scope="module")
def pets(shelf: Path) -> Any:
    return rnnlab.load(shelf / "pets")


@pytest.fixture(scope="module", autouse=True)
def awake(server: Served) -> None:
    """The first request that needs torch loads it, which takes long on a busy machine."""
    server.ask("/api/v1/probe?model=pets")


@pytest.fixture
def page(browser: Browser, server: Served) -> Iterator[Page]:
    with lab(browser, server, "inside?model=pets") as own:
        paste(own, TEXT)
        yield own


def paste(page: Page, text: str) -> None:
    page.get_by_label("A text of your own").check()
    page.get_by_role("textbox", name="Text", exact=True).fill(text)
    expect(letters(page)).to_have_count(len(text))


def letters(page: Page) -> Locator:
    return page.locator("#inside-text [role=option]")


def choose(page: Page, **fields: str) -> None:
    for label, value in fields.items():
        page.get_by_label(label).select_option(value)


def set_unit(page: Page, unit: int) -> None:
    page.get_by_label(re.compile("^Unit, of")).fill(str(unit))
    expect(page.locator(".about-unit b")).to_have_text(f"Unit {unit}")
    expect(page.locator("#inside-text")).to_have_attribute(
        "aria-label", f"Text, coloured by unit {unit}"
    )


def colours(page: Page) -> list[float]:
    """Return the signed strength of the colour of each letter."""
    return page.evaluate(
        """() => [...document.querySelectorAll("#inside-text [role=option]")].map((span) =>
          Number(span.style.getPropertyValue("--a"))
          * (span.style.getPropertyValue("--sign") === "var(--below)" ? -1 : 1))"""
    )


def map_place(page: Page, token: int, row: int) -> dict[str, float]:
    canvas = page.locator(".heat canvas")
    cell, tall = (float(canvas.get_attribute(f"data-{name}") or 0) for name in ("cell", "row"))
    return {"x": (token + 0.5) * cell, "y": (row + 0.5) * tall}


def brush(page: Page, first: int, last: int, row: int = 2) -> None:
    page.locator(".heat canvas").scroll_into_view_if_needed()
    box = page.locator(".heat canvas").bounding_box()
    assert box
    begin, end = (map_place(page, token, row) for token in (first, last))
    page.mouse.move(box["x"] + begin["x"], box["y"] + begin["y"])
    page.mouse.down()
    page.mouse.move(box["x"] + end["x"], box["y"] + end["y"], steps=3)
    page.mouse.up()


def number(text: str) -> float:
    return float(text.replace("−", "-"))


def test_the_text_is_coloured_by_the_unit_that_is_chosen(page: Page, pets: Any) -> None:
    values = trace(Reading.of(pets, TEXT))
    set_unit(page, 3)
    np.testing.assert_allclose(colours(page), values["h"][:, 0, 3], atol=2e-3)
    set_unit(page, 7)
    np.testing.assert_allclose(colours(page), values["h"][:, 0, 7], atol=2e-3)
    choose(page, Quantity="c")
    expect(page.locator(".heat")).to_have_attribute("aria-label", re.compile("^c of 16 units"))
    cells = values["c"][:, 0]
    np.testing.assert_allclose(colours(page), cells[:, 7] / np.abs(cells).max(), atol=2e-3)
    expect(letters(page).nth(4)).to_have_attribute("aria-label", re.compile(r"^\w+|space, c "))


def test_each_value_has_its_pixel_in_the_heat_map(page: Page, pets: Any) -> None:
    values = trace(Reading.of(pets, TEXT))["h"][:, 0]
    for token, unit in ((0, 0), (5, 3), (17, 15), (30, 8)):
        place = map_place(page, token, unit)
        found = page.evaluate(
            """({ x, y }) => {
              const canvas = document.querySelector(".heat canvas"), scale = devicePixelRatio;
              const copy = document.createElement("canvas").getContext("2d");
              copy.drawImage(canvas, -Math.floor(x * scale + 2), -Math.floor(y * scale));
              const style = getComputedStyle(document.documentElement);
              const colours = ["--paper", "--series-2", "--series-1"];
              return [[...copy.getImageData(0, 0, 1, 1).data].slice(0, 3),
                colours.map((name) => style.getPropertyValue(name).trim())];
            }""",
            place,
        )
        pixel, hexes = found
        paper, above, below = (np.array([int(h[k : k + 2], 16) for k in (1, 3, 5)]) for h in hexes)
        value = values[token, unit]
        expected = paper + abs(value) * ((above if value > 0 else below) - paper)
        np.testing.assert_allclose(pixel, expected, atol=2)


def test_a_click_in_the_heat_map_chooses_unit_and_token(page: Page, pets: Any) -> None:
    values = trace(Reading.of(pets, TEXT))["h"][:, 0]
    page.locator(".heat canvas").click(position=map_place(page, 12, 5))  # type: ignore[arg-type]
    expect(page.locator(".about-unit b")).to_have_text("Unit 5")
    expect(letters(page).nth(12)).to_have_attribute("aria-selected", "true")
    said = page.locator(".heat-says b").inner_text()
    assert number(said.removeprefix("h = ")) == pytest.approx(values[12, 5], abs=1e-3)


def test_units_by_how_long_they_keep_what_they_have(page: Page, shelf: Path, pets: Any) -> None:
    choose(page, **{"Units ordered by": "timescales"})
    expect(page.locator(".finding li").first).to_contain_text("Half of the units keep")
    text = page.evaluate("JSON.parse(localStorage['rnnlab:inside']).text")
    assert text == TEXT
    found = rnnlab.probe(shelf / "pets", what="timescales")["timescales"]
    expected = np.argsort(-found.tau[0]).tolist()  # type: ignore[attr-defined]
    page.locator(".heat canvas").click(position=map_place(page, 3, 0))  # type: ignore[arg-type]
    seen = []
    page.locator(".heat").focus()
    for _ in range(4):
        seen.append(int(page.locator(".about-unit b").inner_text().removeprefix("Unit ")))
        page.keyboard.press("ArrowDown")
    assert seen == expected[:4]
    expect(page.locator(".about-unit")).to_contain_text("keeps what it has for")


@pytest.mark.parametrize(
    ("kind", "words"),
    [("ablation", "held at its mean it costs"), ("following", "; r = ")],
)
def test_units_in_other_orders(browser: Browser, server: Served, kind: str, words: str) -> None:
    """Of a model without held-out text they are those of the text that is shown."""
    with lab(browser, server, "inside?model=more/bytes") as page:
        paste(page, made_up_text(100, seed=4)[:2_300])
        choose(page, **{"Units ordered by": kind})
        expect(page.locator(".about-unit")).to_contain_text(words, timeout=60_000)
        expect(page.locator(".finding li").first).to_be_visible()


def test_units_by_their_value_at_the_chosen_token(page: Page, pets: Any) -> None:
    values = trace(Reading.of(pets, TEXT))["h"][:, 0]
    choose(page, **{"Units ordered by": "value"})
    for token in (5, 9):
        letters(page).nth(token).click()
        page.locator(".heat canvas").click(position=map_place(page, token, 0))  # type: ignore[arg-type]
        expect(page.locator(".about-unit b")).to_have_text(f"Unit {values[token].argmax()}")


def test_a_brushed_range_finds_its_places(page: Page, server: Served) -> None:
    brush(page, 10, 12)
    page.get_by_label(re.compile("^On above")).fill("0.1")
    expect(page.get_by_label("From token")).to_have_value("10")
    expect(page.get_by_label("to token")).to_have_value("12")
    _, expected, _ = server.ask(
        "/api/v1/probe/matches",
        {"model": "pets", "text": TEXT, "begin": 10, "end": 13, "threshold": 0.1},
    )
    chips = page.get_by_role("group", name="Units that are on").get_by_role("button")
    expect(chips).to_have_text([str(unit) for unit in expected["units"]])
    page.get_by_role("button", name="Find the places").click()
    answer = page.locator(".answer")
    expect(answer).to_contain_text(f"{expected['count']} places in the test split")
    expect(answer).to_contain_text(f"by chance {expected['expected']:.1f} would")
    expect(answer).to_contain_text(f"p = {expected['p']:.3f}")
    rows = page.locator(".places tbody tr")
    expect(rows).to_have_count(len(expected["places"]))
    first = rows.first.locator("td").all_inner_texts()
    place = expected["places"][0]
    assert first[0] == str(place["begin"])
    shown = [place[name].replace("\n", "⏎") for name in ("left", "match", "right")]
    assert first[1:] == shown
    # Without one of the units the search is another one.
    chips.first.click()
    expect(answer).to_have_count(0)
    expect(chips.first).to_have_attribute("aria-pressed", "false")


def test_a_unit_that_is_out_of_range_is_said(page: Page) -> None:
    field = page.get_by_label("Unit, of")
    before = field.input_value()
    field.fill("99999")
    said = page.locator("small.fault")
    expect(said).to_have_text(
        re.compile(rf"A whole number from 0 to \d+, not 99999; it stays {before}\.")
    )
    expect(field).to_have_attribute("aria-describedby", said.get_attribute("id") or "")
    field.blur()
    expect(field).to_have_value(before)
    expect(said).to_be_visible()
    field.fill("1")
    expect(said).to_have_count(0)


def test_units_that_are_off_change_the_text(page: Page, pets: Any) -> None:
    letters(page).nth(20).click()
    for unit in (2, 9):
        set_unit(page, unit)
        page.get_by_role("button", name=f"Switch unit {unit} off").click()
    average = means(Reading.of(pets, TEXT))
    model = held_model(pets, {(0, unit): float(average[0, unit]) for unit in (2, 9)})
    said = page.locator("section", has_text="Units switched off").get_by_role("status").first
    with_them, without = (own.score(TEXT).bits_per_character for own in (pets, model))
    expect(said).to_contain_text(
        re.compile(rf"{without:.3f} bits per character without\s+them, {with_them:.3f} with all")
    )
    prefix = TEXT[:21]
    texts = [own.generate(prefix, length=200, temperature=0) for own in (pets, model)]
    whole, held = page.locator(".written").nth(0), page.locator(".written").nth(1)
    expect(whole).to_have_text(texts[0])
    expect(held).to_have_text(texts[1])
    same = next((k for k, (a, b) in enumerate(zip(*texts, strict=False)) if a != b), None)
    if same is None:
        expect(page.get_by_text("Both texts are the same.")).to_be_visible()
    else:
        expect(whole.locator("mark")).to_have_text(texts[0][same:])
        expect(held.locator("mark")).to_have_text(texts[1][same:])
    page.get_by_label("Temperature").fill("1")
    page.get_by_label("Temperature").press("Enter")
    page.get_by_label("Seed").fill("5")
    page.get_by_label("Seed").press("Enter")
    drawn = [own.generate(prefix, length=200, temperature=1, seed=5) for own in (pets, model)]
    expect(whole).to_have_text(drawn[0])
    expect(held).to_have_text(drawn[1])
    page.get_by_role("button", name="Switch unit 2 on again").click()
    expect(page.get_by_role("list", name="Units that are off").get_by_role("button")).to_have_count(
        2
    )
    page.get_by_role("button", name="All on again").click()
    expect(page.locator(".written")).to_have_count(0)


def test_stepping_shows_the_numbers_of_the_equations(page: Page, pets: Any) -> None:
    set_unit(page, 6)
    letters(page).nth(8).click()
    found = steps(Reading.of(pets, TEXT), 0, 0, 12)
    values = trace(Reading.of(pets, TEXT))
    section = page.get_by_role("region", name="Step by step")
    for token, press in ((8, ""), (9, "Next character"), (10, "ArrowRight"), (9, "ArrowLeft")):
        if "Arrow" in press:
            page.keyboard.press(press)
        elif press:
            section.get_by_role("button", name=press).click()
        expect(section.get_by_role("status")).to_contain_text(f"token {token} of {len(TEXT)}")
        lines = section.locator(".equation")
        expect(lines).to_have_count(6)
        numbers = [
            [number(own) for own in line.locator(".number").all_inner_texts()]
            for line in lines.all()
        ]
        gates, before = found.gates[token, :, 6], found.before[token, :, 6]
        for gate in range(4):
            sums = found.from_input[token, gate, 6], found.from_hidden[token, gate, 6]  # type: ignore[index]
            np.testing.assert_allclose(numbers[gate], [gates[gate], *sums], atol=6e-4)
        i, f, g, o = gates
        h, c = (values[name][token, 0, 6] for name in "hc")
        np.testing.assert_allclose(numbers[4], [c, f, before[1], i, g], atol=6e-4)
        np.testing.assert_allclose(numbers[5], [h, o, c], atol=6e-4)


def test_a_reload_keeps_everything(page: Page) -> None:
    set_unit(page, 4)
    choose(page, Quantity="o")
    brush(page, 6, 8)
    page.get_by_label(re.compile("^On above")).fill("0.2")
    page.get_by_role("button", name="Find the places").click()
    page.get_by_role("button", name="Switch unit").first.click()
    answer = page.locator(".answer").inner_text()
    expect(page.locator(".written")).to_have_count(2)
    state = page.get_by_label(re.compile("^Unit, of")).input_value()
    page.reload()
    expect(page.get_by_role("textbox", name="Text", exact=True)).to_have_value(TEXT)
    expect(page.get_by_label("Quantity")).to_have_value("o")
    expect(page.get_by_label(re.compile("^Unit, of"))).to_have_value(state)
    expect(page.get_by_label("From token")).to_have_value("6")
    expect(page.locator(".answer")).to_have_text(answer)
    expect(page.locator(".written")).to_have_count(2)


def test_the_keyboard_suffices(page: Page) -> None:
    page.get_by_label(re.compile("^Unit, of")).focus()
    for _ in range(4):  # order, whole, text, map
        page.keyboard.press("Tab")
    expect(page.locator(".heat")).to_be_focused()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "Shift+ArrowRight", "Shift+ArrowRight"):
        page.keyboard.press(key)
    expect(page.locator(".about-unit b")).to_have_text("Unit 1")
    expect(letters(page).nth(4)).to_have_attribute("aria-selected", "true")
    expect(page.get_by_label("From token")).to_have_value("2")
    expect(page.get_by_label("to token")).to_have_value("4")
    expect(page.locator(".said[role=status]")).to_contain_text("tokens 2 to 4 are marked")
    page.keyboard.press("End")
    expect(letters(page).last).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Escape")
    expect(page.get_by_label("From token")).to_have_value("")


def test_a_part_of_the_held_out_text(page: Page, server: Served) -> None:
    page.get_by_label("The validation split").check()
    page.get_by_label("Characters", exact=True).fill("120")
    page.get_by_label("Characters", exact=True).press("Enter")
    expect(letters(page)).to_have_count(120)
    before = page.locator("#inside-text").inner_text()
    page.get_by_role("button", name="Next part").click()
    expect(page.get_by_label(re.compile("^From character"))).to_have_value("120")
    expect(page.locator("#inside-text")).not_to_have_text(before)
    page.get_by_role("button", name="Part before").click()
    expect(page.locator("#inside-text")).to_have_text(before, use_inner_text=True)


def test_a_model_without_its_text_says_why(browser: Browser, server: Served) -> None:
    with lab(browser, server, "inside?model=more/letters") as page:
        expect(page.locator("main")).to_contain_text("The model's own text is not available")
        page.get_by_role("textbox", name="Text", exact=True).fill("The Cat")
        expect(letters(page)).to_have_count(7)
        assert letters(page).first.inner_text() == "t"


def test_what_goes_wrong_is_said(browser: Browser, server: Served) -> None:
    with lab(browser, server, "inside?model=gone", expected=("404",)) as page:
        expect(page.get_by_role("alert")).to_contain_text("unknown model 'gone'")


@pytest.mark.parametrize(("scheme", "width"), [("light", 390), ("dark", 1280)])
def test_it_is_open_to_all(browser: Browser, server: Served, scheme: str, width: int) -> None:
    settings: dict[str, Any] = {
        "viewport": {"width": width, "height": 900}, "color_scheme": scheme
    }  # fmt: skip
    with lab(browser, server, "inside?model=pets", **settings) as page:
        paste(page, TEXT)
        brush(page, 3, 4)
        page.get_by_label(re.compile("^On above")).fill("0.1")
        page.get_by_role("button", name="Find the places").click()
        page.get_by_role("button", name="Switch unit").first.click()
        expect(page.locator(".written")).to_have_count(2)
        expect(page.locator(".answer")).to_be_visible()
        assert violations(page) == []
        assert overflows(page) == 0
