"""What a page says of its model, what it leaves out, and what it refuses."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from command_line import Cli
from given_page import rounded
from probed_model import build
from refusal import check
from small_networks import small_network, text_model

import rnnlab
from rnnlab.data.tokenizer import CharTokenizer, LabelledTokenizer, RunsOfLettersTokenizer
from rnnlab.errors import UsageError
from rnnlab.report.page import writing
from rnnlab.report.page.packed_ngrams import first_orders, packed_orders
from rnnlab.report.page.rendering import size_in_page


def described(file: Path) -> dict[str, Any]:
    """What the page's program knows of its model."""
    page = file.read_text(encoding="utf-8")
    found = re.search(r'id="model">(.*?)</script>', page, re.DOTALL)
    assert found
    content: dict[str, Any] = json.loads(found[1])
    return content


def table(file: Path) -> list[tuple[str, float, float]]:
    """The held-out figures on a page."""
    rows = r'<th scope="row">(.*?)</th><td>(.*?)</td><td>(.*?)</td>'
    page = file.read_text(encoding="utf-8")
    return [(name, float(bits), float(ppl)) for name, bits, ppl in re.findall(rows, page)]


def test_a_page_at_the_command_line(cli: Cli, trained: tuple[Path, str], tmp_path: Path) -> None:
    file = tmp_path / "new" / "pets.html"
    done = cli("export", str(trained[0]), "--to", "page", "--output", str(file))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (f"exported  {file}, 0.1 MB; open it in a browser\nleft out  nothing\n")
    page = file.read_text(encoding="utf-8")
    assert "http" not in page.replace("http-equiv", "")
    assert "eval(" not in page
    assert not re.search(r"<link(?! rel=\"icon\" href=\"data:,\")|<img|\ssrc=|\son\w+=", page)


@pytest.mark.parametrize("weights", ["float16", "int8"])
def test_held_out_figures_are_those_of_the_rounded_weights(
    trained: tuple[Path, str], tmp_path: Path, weights: str
) -> None:
    file, model = tmp_path / "page.html", rnnlab.load(trained[0])
    rnnlab.export_model(model, file, weights=weights)
    wanted = []
    for each in (model, rounded(model, weights)):
        (record,), _ = rnnlab.evaluate(each, splits="test", contexts="carried", baselines=False)
        wanted.append((record.bits_per_character, record.perplexity))
    (before, *first), (after, *second) = table(file)
    assert before == "as trained, float32"
    assert after == f"on this page, {weights}"
    assert first == pytest.approx(wanted[0], abs=5.1e-5)
    assert second == pytest.approx(wanted[1], abs=5.1e-5)
    assert wanted[0] != wanted[1]


def test_an_ngram_model_that_fits_is_on_the_page(of_names: Path, tmp_path: Path) -> None:
    file = tmp_path / "names.html"
    assert rnnlab.export_model(of_names, file).left_out == ()
    about = described(file)
    assert len(about["ngram"]["orders"]) == 3
    assert about["rule"] == "lower"
    assert about["start"] == rnnlab.load(of_names).network.start
    assert [name for name, *_ in table(file)] == [
        "as trained, float32, n-grams up to 3", "on this page, float16, n-grams up to 3",
    ]  # fmt: skip


def test_ngrams_that_do_not_fit_are_left_out_and_their_worth_said(
    of_names: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = rnnlab.load(of_names)
    assert model.mixture is not None
    sizes = [size_in_page(order.content) for order in packed_orders(model.mixture.table)]
    (whole,), _ = rnnlab.evaluate(model, splits="test", contexts="carried", baselines=False)
    for kept in (0, 2):
        monkeypatch.setattr(writing, "MOST_NGRAMS", sum(sizes[:kept]) + 1)
        file = tmp_path / f"{kept}.html"
        (said,) = rnnlab.export_model(model, file).left_out
        which = "n-grams longer than 2 of" if kept else "n-gram model,"
        found = re.fullmatch(
            rf"the {which} order 3: all would take 0\.0 MB of the page, more than 0\.0 MB; what "
            r"they are worth: (-?\d\.\d{3}) bits per character of the held-out text", said,
        )  # fmt: skip
        assert found
        assert f"Left out: {said}." in file.read_text(encoding="utf-8")
        shorter = replace(model, mixture=first_orders(model.mixture, kept))
        (record,), _ = rnnlab.evaluate(shorter, splits="test", contexts="carried", baselines=False)
        worth = record.bits_per_character - whole.bits_per_character
        assert float(found[1]) == pytest.approx(worth, abs=6e-4)
        names, bits, _ = zip(*table(file), strict=True)
        here = f"n-grams up to {kept}" if kept else "network alone"
        assert names == (
            "as trained, float32, n-grams up to 3", f"as trained, {here}",
            f"on this page, float16, {here}",
        )  # fmt: skip
        assert bits[1] == pytest.approx(record.bits_per_character, abs=5.1e-5)
        assert len((described(file)["ngram"] or {"orders": []})["orders"]) == kept


def test_a_model_without_its_text_says_that_nothing_was_measured(tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    model = build()
    assert rnnlab.export_model(model, file).left_out == (
        "held-out figures: the model does not say which text it was trained on: its config.json "
        "has no corpus in data, or no corpus_sha256",
    )
    said = "Not measured: the held-out text was not at hand when this page was made."
    assert said in file.read_text(encoding="utf-8")
    assert table(file) == []


def test_no_folder_of_this_machine_is_on_the_page(
    trained: tuple[Path, str], tmp_path: Path
) -> None:
    """Whoever gives a page away gives nothing else."""
    model = rnnlab.load(trained[0])
    rnnlab.export_model(model, tmp_path / "with.html")
    model.about["data"] = {**model.about["data"], "corpus": [str(tmp_path / "gone.txt")]}
    (said,) = rnnlab.export_model(model, tmp_path / "without.html").left_out
    assert said.startswith("held-out figures: ")
    assert "gone.txt" in said
    for name in ("with", "without"):
        page = (tmp_path / f"{name}.html").read_text(encoding="utf-8")
        assert str(trained[0].parent) not in page
        assert "gone" not in page
        assert str(tmp_path.parent) not in page


def test_names_and_texts_are_escaped(trained: tuple[Path, str], tmp_path: Path) -> None:
    odd = tmp_path / "<b>&\"odd'"
    odd.symlink_to(trained[0], target_is_directory=True)
    file = tmp_path / "page.html"
    rnnlab.export_model(odd, file)
    page = file.read_text(encoding="utf-8")
    assert "<b>&" not in page
    assert "&lt;b&gt;&amp;&#34;odd&#39;" in page
    model = text_model(small_network(hidden_size=6))
    model.tokenizer = CharTokenizer("</script>\ud800é\u2028")
    rnnlab.export_model(model, tmp_path / "tokens.html")
    assert described(tmp_path / "tokens.html")["tokenizer"]["characters"][8] == ">"


def peephole() -> Any:
    network: Any = small_network(cell="lstm", hidden_size=6)
    network.settings = network.settings.model_copy(update={"cell": "peephole"})
    return text_model(network)


def of_old_words() -> Any:
    model = text_model(small_network(hidden_size=6))
    model.tokenizer = RunsOfLettersTokenizer(list("abcdefghijkl"))
    return model


def of_labels() -> Any:
    model = text_model(small_network(hidden_size=6))
    model.tokenizer = LabelledTokenizer(CharTokenizer("abcdefghij"), {"cat": 1, "dog": 2})
    return model


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (peephole, "a page has no cell 'peephole'; it has rnn, rnn-relu, gru, lstm"),
        (of_labels, "a page cannot read labels; its tokenizers are char, byte, bpe, word"),
        (
            of_old_words,
            "a page cannot read words that an early version has cut; its tokenizers are char, "
            "byte, bpe, word",
        ),
    ],
)
def test_what_a_page_lacks(made: Callable[[], Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        rnnlab.export_model(made(), tmp_path / "page.html")
    assert str(caught.value) == words
    assert not list(tmp_path.iterdir())


def test_a_model_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "LARGEST", 1_000_000)
    model = text_model(small_network(hidden_size=600))
    with pytest.raises(UsageError) as caught:
        rnnlab.export_model(model, tmp_path / "page.html")
    assert str(caught.value) == (
        "the weights would take 4 MB of the page, more than 1 MB; --weights int8 takes half of it"
    )
    with pytest.raises(UsageError, match=r"would take 2 MB of the page, more than 1 MB$"):
        rnnlab.export_model(model, tmp_path / "page.html", weights="int8")
    assert not list(tmp_path.iterdir())


def test_bad_options(cli: Cli, trained: tuple[Path, str], tmp_path: Path) -> None:
    there = tmp_path / "there.html"
    there.write_text("mine")
    run, run_flags = str(trained[0]), ("--output", str(tmp_path / "new.html"))
    check(
        cli("export", run, "--output", str(there)), 2,
        f"output {there} exists; choose another name, or delete it first",
    )  # fmt: skip
    check(
        cli("export", run, "--to", "torch", *run_flags, "--weights", "int8"), 2,
        "weights 'int8' are for a page; torch has float32",
    )  # fmt: skip
    check(
        cli("export", str(tmp_path), *run_flags), 2,
        f"model '{tmp_path}' is not a run directory; give a run directory or a model folder",
    )  # fmt: skip
    with pytest.raises(UsageError, match=r"unknown weights 'int4'; did you mean 'int8'\?"):
        rnnlab.export_model(run, tmp_path / "new.html", weights="int4")
    assert there.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [there]
