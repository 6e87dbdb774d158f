"""/api/v1/baselines: what `rnnlab evaluate` measures; nobody has to wait for it."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import made_up_text
from served import JSON, Served

import rnnlab

TEXT = made_up_text(60, seed=7) + "A fish ☃.\n"


@pytest.mark.parametrize("context", ["carried", "windows:20"])
def test_baselines_are_those_of_the_command(
    server: Served, shelf: Path, tmp_path: Path, context: str
) -> None:
    file = tmp_path / "other.txt"
    file.write_text(TEXT, encoding="utf-8")
    body = {"model": "pets", "text": TEXT, "context": context}
    status, found, _ = server.ask("/api/v1/baselines", body)
    assert status == 200
    (own,), notices = rnnlab.evaluate(shelf / "pets", [file], contexts=[context])
    assert found["bits_per_character"] == pytest.approx(own.bits_per_character, rel=1e-6)
    baselines = {one["name"]: one for one in found["baselines"]}
    assert list(baselines) == list(own.baselines)
    assert {"uniform", "unigram", "ngram", "ppmd", "xz", "bzip2"} < set(baselines)
    for name, one in own.baselines.items():
        assert baselines[name]["bits_per_character"] == one["bits_per_character"]
        if name in own.leads:
            assert baselines[name]["lead"] == pytest.approx(own.leads[name], abs=1e-6)
    assert baselines["ngram"]["title"].endswith("-gram, Kneser-Ney")
    assert [part["title"] for part in found["parts"]] == ["its network alone", "its n-gram alone"]
    assert found["unknown_characters"] == own.unknown_characters > 0
    assert found["notices"] == [notice.replace(f"{file}: ", "the text: ") for notice in notices]


def test_a_text_of_the_training_text_is_said(server: Served, text_file: Path) -> None:
    body = {"model": "pets", "text": text_file.read_text(encoding="utf-8")[:20_000]}
    _, found, _ = server.ask("/api/v1/baselines", body)
    told = "the text: much of it stands in the model's training text"
    assert [notice for notice in found["notices"] if notice.startswith(told)]


def test_what_is_left_out_is_said(server: Served) -> None:
    _, found, _ = server.ask("/api/v1/baselines", {"model": "pets", "text": TEXT[:50]})
    assert found["left_out"] == {"PPMd, learning on": 100, "xz": 1000, "bzip2": 1000}
    _, found, _ = server.ask("/api/v1/baselines", {"model": "more/bytes", "text": TEXT})
    assert (found["baselines"], found["left_out"]) == ([], {})
    assert found["notices"] == [
        "baselines left out, the training text is not available: the model does not say which text "
        "it was trained on: its config.json has no corpus in data, or no corpus_sha256"
    ]


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({}, 400, "text is missing"),
        ({"text": ""}, 400, "text"),
        ({"text": "a"}, 422, "a text of 1 tokens has nothing to predict; it needs 2"),
        ({"text": "ab", "context": "windows:0"}, 400, "context: a context rule is 'carried'"),
        ({"text": "ab", "model": "sly"}, 422, "model.safetensors of sly is a link to somewhere"),
        ({"text": "ab", "model": "--help"}, 404, "unknown model '--help'"),
    ],
)
def test_what_is_wrong_is_said(
    server: Served, body: dict[str, Any], status: int, message: str
) -> None:
    found = server.refused("/api/v1/baselines", {"model": "pets", **body})
    assert found[0] == status
    assert message in found[1]


def until(is_true: Callable[[], bool]) -> None:
    ends = time.monotonic() + 20
    while not is_true():
        assert time.monotonic() < ends
        time.sleep(0.02)


def test_others_go_on_meanwhile_and_its_process_ends_when_its_client_leaves(server: Served) -> None:
    pid = server.process.pid

    def children() -> list[str]:
        return [
            number
            for task in Path(f"/proc/{pid}/task").iterdir()
            for number in (task / "children").read_text().split()
        ]

    assert children() == []
    connection = server.connect()
    body = {"model": "pets", "text": made_up_text(100_000)}
    connection.request("POST", "/api/v1/baselines", json.dumps(body), JSON)
    until(lambda: children() != [])
    began = time.perf_counter()
    server.complete(model="pets", prompt="The ", max_tokens=5)
    assert time.perf_counter() - began < 1.0  # measuring takes longer than that to load
    connection.close()
    until(lambda: children() == [])
