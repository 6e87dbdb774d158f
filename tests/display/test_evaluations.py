"""Tables of evaluations: one per text, with the model's context rules and the baselines."""

import io
import json
import math
from pathlib import Path
from typing import Any

import pytest

from rnnlab.cli import run_command
from rnnlab.display.evaluations import mixture_notes, print_evaluations
from rnnlab.display.plain_console import PlainConsole
from rnnlab.display.work import WorkDisplay


def record(**changes: Any) -> dict[str, Any]:
    return {
        "corpus": "pets", "split": "test", "context": "carried", "tokens": 119, "characters": 120,
        "unknown_tokens": 0, "unknown_characters": 0, "spelling_nats": 0.0,
        "nats_per_token": 1.5, "bits_per_character": 2.164, "perplexity": 4.4817,
        "checkpoint": "best",
        "baselines": {
            "ngram": {"order": 5, "smoothing": "absolute", "bits_per_character": 1.9,
                      "nats_per_character": 1.317, "perplexity": 3.732},
        },
    } | changes  # fmt: skip


def shown(*records: dict[str, Any], width: int = 120) -> str:
    out = io.StringIO()
    print_evaluations(PlainConsole(file=out, width=width, highlight=False), records)
    return out.getvalue()


def test_one_table_per_text_with_all_context_rules_and_baselines() -> None:
    text = shown(record(), record(context="windows:64"), record(split="validation"))
    assert text.count("120 characters, weights: best") == 2
    assert "this model, carried" in text
    assert "this model, windows:64" in text
    assert text.count("5-gram, absolute") == 2
    assert "1.900" in text


def test_a_lead_stands_next_to_the_baselines_that_have_one() -> None:
    ppmd = {"order": 6, "bits_per_character": 2.2, "nats_per_character": 1.5, "perplexity": 4.5}
    baselines = {
        **record()["baselines"],
        "ppmd": ppmd,
        "ppmd-restarted": {**ppmd, "piece_characters": 2000},
        "xz": {"bits_per_character": 2.5, "nats_per_character": 1.7, "perplexity": 5.6},
    }
    leads = {
        "ngram": {"bits_per_character": -0.264, "low": -0.314, "high": -0.214},
        "ppmd": {"bits_per_character": 0.036, "low": -0.004, "high": 0.076},
    }
    text = shown(record(baselines=baselines, leads=leads), record(context="windows:64"))
    lines = {line.strip().split("  ")[0]: line.rstrip() for line in text.splitlines()}
    assert lines["5-gram, absolute"].endswith("-0.264 ± 0.050")
    assert lines["PPMd, learning on"].endswith("+0.036 ± 0.040")
    assert lines["PPMd, restarted"].endswith("2.200")
    assert lines["xz"].endswith("2.500")
    assert "this model, carried, is ahead" in text
    assert "lead ±" not in shown(record())


def test_what_a_short_text_lacks_is_said() -> None:
    uniform = {"uniform": {"bits_per_character": 5.0}}
    words = " ".join(shown(record(characters=2, baselines=uniform)).split())
    assert (
        "2 characters are too few to say how far chance moves these figures: a lead is given from "
        "1,000 on. Left out, because the text is too short: PPMd, learning on (from 100 characters "
        "on), xz (from 1,000 characters on), bzip2 (from 1,000 characters on)."
    ) in words
    for long in (record(characters=1000), record(characters=2, baselines={})):
        assert "too few" not in shown(long)
        assert "Left out" not in shown(record(characters=2, baselines={}))


def test_an_interrupted_evaluation_prints_what_it_has_measured(
    trained: tuple[Path, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C comes while the second of four figures is measured."""

    def interrupt(_: WorkDisplay, purpose: str, share: float) -> None:
        if purpose.startswith("validation, windows"):
            raise KeyboardInterrupt

    monkeypatch.setattr(WorkDisplay, "measuring", interrupt)
    for options in ([], ["--json"]):
        with pytest.raises(KeyboardInterrupt):
            run_command(["evaluate", str(trained[0]), *options])
        printed, errors = capsys.readouterr()
        assert errors == "rnnlab: note: interrupted; measured until then:\n"
        if options:
            (found,) = json.loads(printed)["evaluations"]
            assert (found["split"], found["context"]) == ("validation", "carried")
        else:
            assert "this model, carried" in printed
            assert "this model, windows" not in printed


def test_a_title_is_one_line_however_long_the_name() -> None:
    """In a file, too, where a line may be wider than the table and the console."""
    name = "/a/folder/with a rather long name/and [another] one/" * 3 + "text.txt"
    lines = shown(record(corpus=name), width=80).splitlines()
    assert lines[0].rstrip() == f"{name}, test: 120 characters, weights: best"


def test_a_table_fits_a_terminal_of_80_columns() -> None:
    ngram = {"order": 7, "smoothing": "modified Kneser-Ney", "bits_per_character": 2.077,
             "nats_per_character": 1.4395, "perplexity": 4.219}  # fmt: skip
    leads = {"ngram": {"bits_per_character": -0.264, "low": -0.314, "high": -0.214}}
    text = shown(record(context="windows:256", baselines={"ngram": ngram}, leads=leads), width=80)
    (line,) = [line for line in text.splitlines() if "Kneser-Ney" in line]
    shown_as = " ".join(line.split())
    assert shown_as == "7-gram, Kneser-Ney 2.077 -0.264 ± 0.050"


def test_only_bits_per_character_are_shown_for_baselines() -> None:
    """The model's nats are those of its targets; a baseline's code is for every character."""
    text = shown(record(), record(tokens=60, split="validation"))
    assert "1.3170" not in text
    assert "3.732" not in text


def test_infinite_perplexity_and_unknown_tokens() -> None:
    unknown = {"unknown_tokens": 7, "unknown_characters": 30, "spelling_nats": 60 * math.log(2)}
    text = shown(record(perplexity=None, corpus="p\x1b[2Jets", **unknown))
    assert "infinite" in text
    assert "<unk> stands for 25.0% of the characters" in text
    assert "0.500 of the bits/character" in text
    assert "\x1b" not in text


def test_a_model_that_is_worse_than_a_part_of_it_is_noted() -> None:
    parts = {"network": {"bits_per_character": 1.602}, "ngram": {"bits_per_character": 1.823}}
    record = {"split": "test", "context": "carried", "bits_per_character": 1.647, "parts": parts}
    assert mixture_notes([record, record | {"context": "windows:256"}]) == [
        "test: the network alone is better by 0.045 bits/character; another --ngram-order, or 0, "
        "may be better"
    ]
    assert mixture_notes([record | {"bits_per_character": 1.6}]) == []
    assert mixture_notes([record | {"bits_per_character": 1.6024}]) == []
    assert mixture_notes([{"split": "test", "context": "carried", "bits_per_character": 2.0}]) == []
