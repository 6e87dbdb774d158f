"""Learning curves for papers: sizes, fonts, what tells lines apart, and that nothing is cut off."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_up_contenders import made_up_contender
from matplotlib import image

from rnnlab.comparison.comparison import Comparison, compared
from rnnlab.errors import UsageError
from rnnlab.report.comparison_plot import comparison_figure, save_curves


def of_models(count: int, name: str = "model {}") -> Comparison:
    return compared(
        [made_up_contender(name.format(n), 2 + n / 10, draw=n, hidden_size=8 + n)
         for n in range(count)]
    )  # fmt: skip


def of_seeds() -> Comparison:
    return compared(
        [made_up_contender(f"{cell}-{seed}", 2.0, cell=cell, seed=seed, draw=10 * len(cell) + seed)
         for cell in ("lstm", "gru") for seed in range(3)]
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["png", "pdf", "svg"])
def test_files_of_one_column_and_of_two(tmp_path: Path, kind: str) -> None:
    one, wide = save_curves(of_models(3), tmp_path, [kind], "tokens")
    assert [one.name, wide.name] == [f"curves.{kind}", f"curves-wide.{kind}"]
    sizes = []
    for file in (one, wide):
        if kind == "png":
            sizes.append(image.imread(file).shape[1] / 300)
        else:
            content = file.read_bytes().decode("latin-1")
            found = re.search(r'MediaBox \[ 0 0 ([\d.]+)|width="([\d.]+)pt"', content)
            assert found
            sizes.append(float(found[1] or found[2]) / 72)
    assert sizes == pytest.approx([3.4, 7.0], abs=0.01)
    again = tmp_path / "again"
    again.mkdir()
    assert save_curves(of_models(3), again, [kind], "tokens")[0].read_bytes() == one.read_bytes()


def test_a_pdf_embeds_its_font_as_letters(tmp_path: Path) -> None:
    content = save_curves(of_models(2), tmp_path, ["pdf"], "epochs")[0].read_bytes()
    assert b"/FontFile2" in content  # TrueType, embedded
    assert b"/Type3" not in content


def test_lines_are_told_apart_without_colour_and_with_it_if_they_are_many(tmp_path: Path) -> None:
    def strokes(count: int) -> set[tuple[str, str]]:
        file = save_curves(of_models(count), tmp_path, ["svg"], "tokens")[0]
        styles = re.findall(r'style="fill: none; ([^"]*stroke: [^"]*)"', file.read_text())
        found = [(re.search(r"stroke: (#\w+)", s), re.search(r"dasharray: ([\d., ]+)", s))
                 for s in styles]  # fmt: skip
        return {(colour[1], dashes[1] if dashes else "") for colour, dashes in found if colour}

    plain = strokes(1)
    assert len({dashes for _, dashes in strokes(6) - plain}) == 5
    assert len({colour for colour, _ in strokes(6) - plain}) == 5
    assert len(strokes(14) - plain) == 13
    lines = comparison_figure(of_models(6)).axes[0].lines
    assert len({line.get_marker() for line in lines}) == 6


@pytest.mark.parametrize(
    ("count", "name"), [(2, "a"), (8, "model {}"), (3, "a long name of a run, number {}")]
)
@pytest.mark.parametrize("suffix", ["", "-wide"])
def test_nothing_reaches_over_the_edge(count: int, name: str, suffix: str) -> None:
    figure = comparison_figure(of_models(count, name + "{}" * ("{}" not in name)), suffix=suffix)
    figure.draw_without_rendering()
    box = figure.bbox
    parts = [*figure.axes[0].texts, *figure.legends, figure.axes[0].xaxis.label,
             *figure.axes[0].get_xticklabels(), figure.axes[0].yaxis.label]  # fmt: skip
    for part in parts:
        extent = part.get_window_extent()
        assert extent.x0 >= box.x0 - 1
        assert extent.x1 <= box.x1 + 1
        assert extent.y0 >= box.y0 - 1


def test_a_group_is_drawn_as_its_mean_in_a_band_of_its_t_interval() -> None:
    found = of_seeds()
    axes = comparison_figure(found, "epochs").axes[0]
    assert [line.get_label() for line in axes.lines] == ["lstm (3 seeds)", "gru (3 seeds)"]
    for line, band, group in zip(axes.lines, axes.collections, found.groups, strict=True):
        curves = [[p.bits_per_character for p in m.curve] for m in group.members]
        assert line.get_ydata()[-1] == pytest.approx(np.mean([curve[-1] for curve in curves]))
        assert line.get_xdata()[-1] == pytest.approx(group.members[0].curve[-1].epochs)
        ends = [curve[-1] for curve in curves]
        half = 4.302652729911275 * np.std(ends, ddof=1) / np.sqrt(3)  # t of 2 degrees of freedom
        last = [y for x, y in band.get_paths()[0].vertices
                if x == pytest.approx(group.members[0].curve[-1].epochs)]  # fmt: skip
        assert [min(last), max(last)] == pytest.approx([np.mean(ends) - half, np.mean(ends) + half])


@pytest.mark.parametrize("across", ["tokens", "seconds", "epochs"])
def test_what_the_curves_are_drawn_over(across: str) -> None:
    found = of_models(2)
    axes = comparison_figure(found, across).axes[0]
    point = found.groups[0].members[0].curve[-1]
    assert axes.lines[0].get_xdata()[-1] == getattr(point, across)


def test_curves_of_other_texts_are_not_drawn() -> None:
    one, other = made_up_contender("a"), made_up_contender("b", cell="gru")
    other = replace(other, validation="windows:256: another text")
    found = compared([one, other])
    assert any(note.startswith("Learning curves are left out") for note in found.notes)
    with pytest.raises(UsageError, match="no learning curves: the runs have none that can be"):
        comparison_figure(found)
