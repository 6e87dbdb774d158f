"""The page of probes: complete, escaped, and readable in a real browser."""

import json

import numpy as np
import pytest
from browser import DESK, PHONE, opened
from probed_model import TEXT, build

from rnnlab.probes.portrait import run_probes
from rnnlab.probes.reading import Reading
from rnnlab.probes.subject import Subject
from rnnlab.probes.unit_values import unit_values
from rnnlab.report.probe_page import CAPTIONS, Probed, probe_page
from rnnlab.report.probe_pictures import SHOWN_TOKENS

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
    assert probe_page([probed, probed]).count("<svg") == 16
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
