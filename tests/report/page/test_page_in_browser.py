"""The page in a real browser with the network off: it computes and writes what rnnlab does."""

import base64
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import DESK, PHONE
from given_page import KERNELS, given, rounded
from playwright.sync_api import Browser, Page, expect
from probed_model import build
from small_networks import KINDS, V, our_logits, small_network, text_model

import rnnlab
from rnnlab.data.samples import within
from rnnlab.data.tokenizer import (
    BpeTokenizer,
    ByteTokenizer,
    CharTokenizer,
    Tokenizer,
    WordTokenizer,
)
from rnnlab.lm.text_model import TextModel

TEXT = "The cat sees the dog.\nThe dog finds the bird.\n"
WORDS = (
    "It's 3.14 o’clock, don't   go (now)!?  naïve Ё-моё 北京大学。ひらがな カタカナ สวัสดีครับ "
    "한국어를 שלום a_b 1,000.5 e.g. x=1\r\n\t…🙂👍🏽 ends "
    "日本.abc:de カ.ナ A.B.C. \u202f12\u202f000 अनुच्छेद ភាសា မြန်မာ ລາວ #tag 5%-10% ‘quoted’ "
)
SOME = [kind for number, kind in enumerate(KINDS) if number % 3 == (number // 3) % 3]
"""Each cell with 1, 2 and 3 layers, each time with another input."""


@pytest.fixture(scope="session")
def pets(trained: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a trained run."""
    file = tmp_path_factory.mktemp("page") / "pets.html"
    assert rnnlab.export_model(trained[0], file).left_out == ()
    return file


def exported(model: TextModel, folder: Path, **settings: Any) -> Path:
    file = folder / "page.html"
    rnnlab.export_model(model, file, **settings)
    return file


def green(page: Page) -> bool:
    return page.locator("#check").get_attribute("class") == "check green"


@pytest.mark.parametrize("kind", SOME, ids=str)
def test_logits_of_every_cell(browser: Browser, tmp_path: Path, kind: dict[str, Any]) -> None:
    network = small_network(**kind)
    file = exported(text_model(network), tmp_path)
    ids = np.random.default_rng(5).integers(0, V, 12)
    wanted = our_logits(rounded(text_model(network)).network, ids[:, None])[:, 0]
    for kernel in KERNELS if kind["num_layers"] == 2 else ["WebAssembly"]:
        with given(browser, file, KERNELS[kernel]) as page:
            assert page.evaluate("rnnlab.kernel") == kernel
            found = page.evaluate("ids => rnnlab.logits(ids)", ids.tolist())
            assert np.abs(np.array(found) - wanted).max() < 1e-5 * max(1, np.abs(wanted).max())
            assert green(page), page.locator("#check").inner_text()
            page.fill("#text", "abc")
            page.focus("#coloured")
            assert page.locator("#layer option").count() == kind["num_layers"]
            parts = {"rnn": "h", "rnn-relu": "h", "gru": "rznh", "lstm": "ifgoch"}[kind["cell"]]
            assert page.locator("#gates b").all_inner_texts() == list(parts)


@pytest.mark.parametrize("weights", ["float16", "int8"])
def test_greedy_text_is_that_of_rnnlab_generate(
    browser: Browser, cli: Any, trained: tuple[Path, str], pets: Path, tmp_path: Path, weights: str
) -> None:
    rounded(rnnlab.load(trained[0]), weights).save(tmp_path / "rounded")
    flags = "--prefix", "The bird", "--length", "500", "--temperature", "0"
    wanted = cli("generate", str(tmp_path / "rounded"), *flags).stdout.removesuffix("\n")
    file = pets if weights == "float16" else tmp_path / "int8.html"
    if weights == "int8":
        done = cli("export", str(trained[0]), "--output", str(file), "--weights", weights)
        assert done.returncode == 0, done.stderr
        assert file.stat().st_size < pets.stat().st_size
    for script in KERNELS.values():
        with given(browser, file, script) as page:
            written = page.evaluate("rnnlab.write('The bird', 500)")
            assert written == wanted
            assert len(written) == 508
            if weights == "float16":
                page.fill("#text", "The bird")
                page.fill("#temperature", "0")
                page.fill("#length", "500")
                page.click("#write")
                page.locator("#status", has_text="500 tokens written").wait_for()
                assert page.input_value("#text") == wanted
                assert page.locator("#coloured").inner_text() == wanted


def of_documents() -> TextModel:
    model = build(with_ngrams=True, start=7)
    model.tokenizer = CharTokenizer("abcde\v\n")
    model.about = {"data": {"unit": "documents"}}
    return model


def of_bytes(tokenizer: Tokenizer) -> TextModel:
    """A model that begins characters of several bytes, and may not finish them."""
    from rnnlab.config import ModelSettings
    from rnnlab.lm.model import LanguageModel

    model = build(hidden_size=7)
    sizes = ModelSettings(hidden_size=7, embedding_size=5, cell="gru")
    model.network, model.tokenizer = LanguageModel(sizes, tokenizer.size, 3), tokenizer
    for parameter in model.network.parameters():
        parameter.data.mul_(4)
    return model


@pytest.mark.parametrize(
    "model",
    [
        build(with_ngrams=True),
        build(with_ngrams=True, start=2, cell="gru", num_layers=2),
        of_documents(),
        build(cell="rnn", input="one-hot"),
        of_bytes(ByteTokenizer()),
        of_bytes(BpeTokenizer.train("Der Bär, naïve “cats” and dogs. It's 12 o'clock.\n" * 9, 300)),
        of_bytes(WordTokenizer.train(WORDS, 1)),
    ],
    ids=["n-grams", "n-grams of samples", "documents", "one-hot", "bytes", "bpe", "words"],
)
def test_what_joins_the_network_writes_the_same(
    browser: Browser, tmp_path: Path, model: TextModel
) -> None:
    file = exported(model, tmp_path)
    same = rounded(model)
    with given(browser, file) as page:
        assert green(page), page.locator("#check").inner_text()
        for prefix in ("ab", "", "d\nc é “x”"):
            written = page.evaluate("text => rnnlab.write(text, 120)", prefix)
            wanted = same.generate(prefix, length=120, temperature=0)
            # A decoder may hold back what could still become a character.
            assert written.rstrip("\ufffd") == wanted.rstrip("\ufffd")
        text = "The Bär’s 123  cats…\r\n\n\tit's 🙂 a\u0301b\u2028x"
        text += WORDS if model.tokenizer.kind == "word" else ""
        ids = model.tokenizer.encode(within(text) if model.of_documents else text).tolist()
        assert page.evaluate("text => rnnlab.ids(text)", text) == ids


def test_draws_follow_temperature_top_k_and_seed(browser: Browser, pets: Path) -> None:
    with given(browser, pets) as page:
        write = "settings => rnnlab.write('The ', 60, settings)"
        greedy = page.evaluate(write, {})
        assert page.evaluate(write, {"temperature": 3, "topK": 1}) == greedy
        assert page.evaluate(write, {"temperature": 0.001, "seed": 5}) == greedy
        texts = {page.evaluate(write, {"temperature": 1, "seed": seed % 3}) for seed in range(6)}
        assert len(texts) == 3


def test_text_is_coloured_by_the_surprise_that_rnnlab_finds(
    browser: Browser, trained: tuple[Path, str], pets: Path
) -> None:
    nats = rounded(rnnlab.load(trained[0])).score(TEXT).target_nats
    with given(browser, pets) as page:
        page.fill("#text", TEXT)
        pieces = page.locator("#coloured [role=option]")
        expect(pieces).to_have_count(len(TEXT))
        labels = pieces.evaluate_all("all => all.map(e => e.getAttribute('aria-label'))")
        bits = [float(re.findall(r"([\d.]+) bits", label)[0]) for label in labels[1:]]
        assert labels[0] == "T, not expected"
        assert labels[3].startswith("space, ")
        assert bits == pytest.approx(nats / math.log(2), abs=0.051)
        mean = float(page.locator("#surprise").inner_text().split()[0])
        assert mean == pytest.approx(nats.mean() / math.log(2), abs=0.006)
        # What was changed is read again, and nothing else is taken over.
        page.fill("#text", TEXT[:10] + "x" + TEXT[11:])
        expect(pieces.nth(10)).to_have_text("<unk>")
        expect(page.locator("#notice")).to_have_text("Not in the vocabulary, read as <unk>: “x”")
        page.fill("#text", TEXT)
        expect(pieces.nth(10)).to_have_text(TEXT[10])
        expect(pieces).to_have_count(len(TEXT))
        again = pieces.evaluate_all("all => all.map(e => e.getAttribute('aria-label'))")
        assert again == labels


def test_by_keyboard_alone(browser: Browser, pets: Path) -> None:
    with given(browser, pets, viewport={"width": DESK, "height": 900}) as page:
        page.focus("#text")
        page.keyboard.press("Control+End")
        page.keyboard.type("dog")
        names = []
        for _ in range(7):
            page.keyboard.press("Tab")
            names.append(page.evaluate("document.activeElement.id"))
        assert names == ["write", "clear", "temperature", "top-k", "seed", "length", "coloured"]
        page.focus("#length")
        page.keyboard.press("Control+A")
        page.keyboard.type("40")
        page.focus("#write")
        page.keyboard.press("Enter")
        page.locator("#status", has_text="40 tokens written").wait_for()
        assert page.evaluate("document.activeElement.id") == "write"
        assert page.locator("#coloured span").count() == len("The dog") + 40
        assert page.input_value("#text").startswith("The dog")
        page.focus("#coloured")
        page.keyboard.press("Home")
        assert "“T”: the first character" in page.locator("#chosen-text").inner_text()
        page.keyboard.press("ArrowRight")
        assert page.locator("#chosen-text").inner_text().startswith("“h”: ")
        assert page.get_attribute("#coloured", "aria-activedescendant") == "piece-1"
        shares = page.locator("#expected span").all_inner_texts()
        assert len(shares) == 8
        assert page.get_by_role("img").count() == 6
        page.keyboard.press("End")
        assert page.get_attribute("#coloured", "aria-activedescendant") == "piece-46"


def test_gates_of_the_chosen_character(
    browser: Browser, trained: tuple[Path, str], pets: Path
) -> None:
    import torch

    model = rounded(rnnlab.load(trained[0], engine="textbook"))
    network, ids = model.model, torch.from_numpy(model.tokenizer.encode("The c"))[:, None]
    cell, weights = network.recurrent.cell, next(iter(network.recurrent.weights()))
    (state,) = network.zero_state(1)
    assert network.embedding is not None
    with torch.no_grad():
        for token in ids:
            x = network.embedding(token)
            gates = cell.activations(x, state, weights)
            state = cell.update(gates, state)
    h, c = state
    with given(browser, pets) as page:
        page.fill("#text", "The cat")
        page.locator("#coloured span", has_text="c").first.click()
        page.fill("#unit", "3")
        wanted = [*gates, c, h]
        found = page.locator("#unit-values").inner_text().replace("−", "-")
        assert [part.split()[0] for part in found.split(", ")] == ["i", "f", "g", "o", "c", "h"]
        numbers = [float(part.split()[1]) for part in found.split(", ")]
        assert numbers == pytest.approx([float(part[0, 3]) for part in wanted], abs=0.0051)
        page.fill("#unit", "32")
        assert page.locator("#unit-values").inner_text() == "There are units 0 to 31."


def test_the_alternatives_are_shown_at_the_pointer(browser: Browser, pets: Path) -> None:
    with given(browser, pets) as page:
        page.locator("#coloured span").nth(2).hover()
        card = page.get_by_role("tooltip")
        assert re.match(r"“e”: [\d.]+ bits, probability", card.inner_text())
        assert card.locator("li").count() == 5
        page.locator("h1").hover()
        assert card.is_hidden()


def test_writing_can_be_stopped(browser: Browser, pets: Path) -> None:
    with given(browser, pets, KERNELS["plain JavaScript"]) as page:
        page.fill("#length", "20000")
        page.click("#write")
        page.locator("#coloured span").first.wait_for()  # it writes
        page.click("#stop")
        page.locator("#status", has_text="tokens written").wait_for()
        assert page.locator("#coloured span").count() < 20_000
        assert page.is_enabled("#write")
        assert page.is_disabled("#stop")
        page.click("#clear")
        assert page.input_value("#text") == ""
        page.locator("#surprise", has_text="Type something above").wait_for()


def test_what_was_given_stays_as_it_was_given(browser: Browser, pets: Path) -> None:
    """The model reads <unk> where it does not know a character."""
    with given(browser, pets) as page:
        page.fill("#text", "Ω The")
        page.fill("#length", "10")
        for _ in range(2):
            page.click("#write")
            page.locator("#status", has_text="10 tokens written").wait_for()
        assert page.input_value("#text").startswith("Ω The")
        assert len(page.input_value("#text")) == len("Ω The") + 20


def test_settings_change_while_it_writes_and_keep_the_focus(browser: Browser, pets: Path) -> None:
    with given(browser, pets, KERNELS["plain JavaScript"]) as page:
        page.fill("#temperature", "2")
        page.fill("#length", "20000")
        page.click("#write")
        page.focus("#temperature")
        page.fill("#temperature", "0")
        assert page.locator("#temperature-value").inner_text() == "0.00"
        before = page.locator("#coloured span").count()
        expect(page.locator("#coloured span").nth(before + 700)).to_be_attached()
        page.evaluate("document.getElementById('stop').click()")
        page.locator("#status", has_text="tokens written").wait_for()
        assert page.evaluate("document.activeElement.id") == "temperature"
        assert page.evaluate("scrollY") == 0
        last = page.input_value("#text")[-200:]
        assert page.evaluate("text => rnnlab.write(text, 100)", last[:100]) == last


def changed(file: Path, target: Path, element: str) -> Path:
    """The page with one bit of what an element stores turned."""
    page = file.read_text(encoding="utf-8")
    begin = page.index(f'id="{element}">') + len(f'id="{element}">')
    end = page.index("</script>", begin)
    content = bytearray(base64.b64decode(page[begin:end]))
    content[len(content) // 2] ^= 1
    target.write_text(
        page[:begin] + base64.b64encode(bytes(content)).decode() + page[end:], encoding="utf-8"
    )
    return target


def test_the_self_check_turns_red_for_one_wrong_byte(
    browser: Browser, pets: Path, tmp_path: Path
) -> None:
    with given(browser, pets) as page:
        check = page.locator("#check")
        assert green(page)
        assert re.fullmatch(
            r"Self-check passed: logits as rnnlab computes them, largest difference "
            r"[\d.]+\xa0·\xa010⁻[⁴⁵⁶⁷⁸] \(WebAssembly\)\.",
            check.inner_text(),
        )
    with given(browser, changed(pets, tmp_path / "one.html", "weights")) as page:
        assert page.get_attribute("#check", "class") == "check red"
        text = page.locator("#check").inner_text()
        assert text.startswith("Self-check failed: what it stores is not what was exported")
        assert text.endswith("Do not trust what this page writes.")


def test_a_page_that_cannot_start_says_so(browser: Browser, pets: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.html"
    broken.write_text(pets.read_text(encoding="utf-8").replace('id="weights">', 'id="weights">é'))
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.goto(broken.as_uri())
    page.locator("#check.red").wait_for()
    assert page.locator("#check").inner_text().startswith("This page could not start: ")
    assert page.is_disabled("#write")
    context.close()


def test_the_page_never_scrolls_sideways(browser: Browser, pets: Path) -> None:
    with given(browser, pets) as page:
        page.fill("#text", "The cat " + "a" * 300)
        page.locator("#inside").wait_for()
        for width in (PHONE, 700, DESK, 2560):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") == width


def test_the_dark_scheme_changes_page_and_pictures(browser: Browser, pets: Path) -> None:
    with given(browser, pets, color_scheme="light") as page:
        page.locator("#gates canvas").first.wait_for()

        def colours() -> list[Any]:
            pixels = "e => [...e.getContext('2d').getImageData(0, 0, 5, 5).data]"
            style = "e => getComputedStyle(e).backgroundColor"
            return [
                page.locator("html").evaluate(style),
                page.locator("#write").evaluate(style),
                page.locator("#gates canvas").first.evaluate(pixels),
            ]

        light = colours()
        page.emulate_media(color_scheme="dark")
        assert all(a != b for a, b in zip(light, colours(), strict=True))
