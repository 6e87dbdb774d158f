"""The page of probes: complete, escaped, and readable in a real browser."""

import json
import re

import numpy as np
import pytest
from browser import DESK, PHONE, opened
from probed_model import TEXT, build

from rnnlab.errors import UsageError
from rnnlab.probes.portrait import run_probes
from rnnlab.probes.reading import Reading
from rnnlab.probes.subject import Subject
from rnnlab.probes.unit_values import unit_values
from rnnlab.report.coloured_text import MOST_DIFFERENCE, SHOWN_TOKENS
from rnnlab.report.probe_page import CAPTIONS, Probed

NAMES = ("surprise", "timescales", "reach", "saturation", "ablation")


@pytest.fixture(scope="module")
def probed():
    model = build(with_ngrams=True)
    reading = Reading.of(model, TEXT)
    results, left_out = run_probes(Subject("a<b", "a text", reading), NAMES)
    results["units"] = unit_values(reading, [("c", 0, 1), ("h", 0, 2)])
    assert not left_out
    return Probed("a<b & c", "a text, 1,200 tokens", results, {"decoding": "it needs <more>"})


def test_the_page_has_every_finding_and_every_picture(probed):
    page = probed.to_html()
    assert "a&lt;b &amp; c" in page
    assert "a<b" not in page
    for name, result in probed.results.items():
        assert result.title in page
        assert CAPTIONS[name] in page
    assert page.count("<svg") == 1 + 2 + 4 + 1  # timescales, reach, gates, ablation
    assert "decoding is left out: it needs &lt;more&gt;" in page
    shown = page[page.index('class="letters warm"') :]
    assert shown[: shown.index("</p>")].count("<span") == min(len(TEXT), SHOWN_TOKENS)
    assert probed.compared_with(probed).to_html().count("<svg") == 16 + 3
    assert probed._repr_html_().startswith("<iframe srcdoc=")


def test_the_data_can_be_taken_out(probed, tmp_path):
    content = json.loads(probed.to_json())
    assert set(content["probes"]) == {*NAMES, "units"}
    bits = content["probes"]["surprise"]["bits"]
    assert bits["axes"] == ["target"]
    np.testing.assert_allclose(bits["values"], probed["surprise"].bits)
    probed.save_npz(tmp_path / "found.npz")
    with np.load(tmp_path / "found.npz") as arrays:
        np.testing.assert_array_equal(arrays["ablation.at_mean"], probed["ablation"].at_mean)
        for name, result in probed.results.items():
            for array, values in result.arrays().items():
                assert values.shape == arrays[f"{name}.{array}"].shape
                assert values.ndim == len(result.axes[array]), (name, array)


@pytest.mark.parametrize("width", [PHONE, DESK])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_shows_it_without_sideways_scrolling(browser, probed, tmp_path, width, scheme):
    file = tmp_path / "page.html"
    file.write_text(probed.to_html(), encoding="utf-8")
    viewport = {"width": width, "height": 900}
    with opened(browser, file, viewport=viewport, color_scheme=scheme) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator("svg.plot").count() == 8


@pytest.fixture(scope="module")
def compared(probed):
    other = Subject("c", "the same", Reading.of(build(4), TEXT))
    results, _ = run_probes(other, ("surprise", "timescales", "reach"))
    return probed.compared_with(Probed("c", "the same", results))


def test_two_networks_are_in_one_picture(compared):
    page = compared.to_html()
    both = page[: page.index("<h2>a&lt;b &amp; c</h2>")]
    assert both.count("<svg") == 3  # timescales, and two of reach
    (sentence,) = compared.sentences()
    assert sentence.replace("&", "&amp;").replace("<", "&lt;") in both
    assert "Blue: a&lt;b &amp; c expected it more. Orange: c did." in both
    letters = both[both.index('<p class="letters">') :]
    spans = re.findall(r'<span(?: class="(up|down)" style="--a:([\d.]+)"[^>]*)?>', letters)
    assert len(spans) == 1 + min(SHOWN_TOKENS, len(TEXT) - 1)
    difference = compared.comparison.difference[: len(spans) - 1]
    assert [way for way, _ in spans[1:]] == ["down" if d > 0 else "up" for d in difference]
    shares = np.minimum(1, np.abs(difference) / MOST_DIFFERENCE)
    np.testing.assert_allclose([float(a) for _, a in spans[1:]], shares, atol=0.006)
    assert page.count(">c</text>") == 0
    assert both.count(">━ a&lt;b &amp; c</text>") == both.count(">╍ c</text>") == 3


def test_two_networks_of_one_name_are_told_apart(probed):
    both = probed.compared_with(probed)
    assert both.names == ("a<b & c (1)", "a<b & c (2)")
    assert both.sentences()[0].startswith("Nothing found beyond chance: a<b & c (1) is 0.000 bits")
    content = json.loads(both.to_json())
    assert [one["name"] for one in content["networks"]] == ["a<b & c", "a<b & c"]
    assert content["comparison"]["lead"] == 0


def test_different_texts_are_not_compared_and_the_page_says_so(probed):
    results, _ = run_probes(Subject("d", "other", Reading.of(build(), TEXT[::-1])), ("surprise",))
    both = probed.compared_with(Probed("d", "other", results))
    assert both.comparison is None
    assert both.sentences() == []
    assert both.left_out["comparison"].startswith("a<b & c and d read different texts, from char")
    assert "comparison is left out: a&lt;b &amp; c and d read different texts" in both.to_html()
    without = Probed("e", "other", {})
    assert probed.compared_with(without).left_out == {}


@pytest.mark.parametrize(("kind", "begin"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?")])
def test_every_plot_is_a_file(probed, tmp_path, kind, begin):
    folder = tmp_path / "new" / "figures"
    files = probed.save_figures(folder, kind)
    assert sorted(file.name for file in files) == sorted(
        f"{name}.{kind}" for name in ("ablation", "reach-context", "reach-gradient", "saturation-f",
                                      "saturation-g", "saturation-i", "saturation-o", "timescales")
    )  # fmt: skip
    first = {file: file.read_bytes() for file in files}
    assert all(content.startswith(begin) for content in first.values())
    assert set(folder.iterdir()) == {*files}
    again = Probed("a", "", {"timescales": probed["timescales"]}).save_figures(tmp_path, kind)
    # The same plot becomes the same file.
    assert [first[folder / file.name] for file in again] == [again[0].read_bytes()]


def test_files_have_the_colours_and_the_words_of_the_page(probed, tmp_path):
    (file,) = (f for f in probed.save_figures(tmp_path, "svg") if f.stem == "ablation")
    svg = file.read_text(encoding="utf-8")
    assert "#0067a8" in svg  # blue by day
    assert not re.search("#0000[ae][0-9]", svg)
    words = re.findall("<!-- (.*?) -->", svg)
    assert {"cost of switching off [bits/character]", "variance of the memory", "● units",
            "× random directions"} <= {*words}  # fmt: skip


def test_files_of_two_networks(compared, tmp_path):
    files = compared.save_figures(tmp_path)
    both = {file.stem for file in files if file.stem.startswith("both")}
    assert both == {"both-timescales", "both-reach-gradient", "both-reach-context"}
    assert {file.stem[:2] for file in files} == {"1-", "2-", "bo"}
    arrays = compared.save_npz(tmp_path / "found.npz")
    assert [file.name for file in arrays] == ["found-1.npz", "found-2.npz", "found-both.npz"]
    with np.load(arrays[2]) as both_arrays:
        np.testing.assert_array_equal(both_arrays["difference"], compared.comparison.difference)


def test_what_cannot_be_written_is_one_sentence(probed, tmp_path):
    with pytest.raises(UsageError) as caught:
        probed.save_figures(tmp_path, "gif")
    assert str(caught.value) == "unknown figure format 'gif' (choices: png, pdf, svg)"
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"^figures cannot be written to \S+file: "):
        probed.save_figures(tmp_path / "file")


def test_colours_are_printed_and_no_plot_is_cut(browser, compared, tmp_path):
    file = tmp_path / "page.html"
    file.write_text(compared.to_html(), encoding="utf-8")
    with opened(browser, file, color_scheme="dark") as page:
        page.emulate_media(media="print")
        style = "(e, name) => getComputedStyle(e)[name]"
        letters = page.locator(".letters span.up").first
        assert letters.evaluate(style, "printColorAdjust") == "exact"
        assert page.locator("body").evaluate(style, "color") == "rgb(0, 0, 0)"
        for plots in page.locator("figure:has(svg)").all():
            assert plots.evaluate(style, "breakInside") == "avoid"
        assert page.pdf().startswith(b"%PDF")
