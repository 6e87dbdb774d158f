"""/api/v1: generate and score are what the library says."""

from pathlib import Path
from typing import Any

import pytest
from served import Served

import rnnlab

TEXT = "The cat sees the dog.\nThe bird loses the ☃.\n"


def test_it_generates_what_the_library_generates(server: Served, shelf: Path) -> None:
    settings = {"length": 30, "temperature": 0.6, "seed": 4, "matching": "The [a-z ]+\\.\\n"}
    body = {"model": "pets", "prefix": "The cat", "settings": settings}
    status, content, _ = server.ask("/api/v1/generate", body)
    assert status == 200
    model = rnnlab.load(shelf / "pets")
    assert content["texts"] == [model.generate("The cat", **settings)]
    _, content, _ = server.ask("/api/v1/generate", {"model": "pets", "prefix": ["The ☃", "The"]})
    assert content["texts"] == model.generate(["The ☃", "The"])
    assert content["notices"] == ["prefix 'The ☃': '☃' not in the vocabulary, read as <unk>"]
    beams = {"model": "pets", "prefix": "The", "settings": {"beam_width": 3, "length": 9}}
    assert server.ask("/api/v1/generate", beams)[1]["texts"] == [
        model.generate("The", beam_width=3, length=9)
    ]


def test_a_search_that_would_hold_up_the_others_is_refused(server: Served) -> None:
    body = {"model": "pets", "prefix": "The", "settings": {"beam_width": 100, "length": 400}}
    status, message, _, _ = server.refused("/api/v1/generate", body)
    assert (status, message) == (
        413, "100 beams of up to 403 tokens are more than 20,000 tokens: a search holds up all "
        "others until it ends",
    )  # fmt: skip


@pytest.mark.parametrize("context", ["carried", "windows:7"])
def test_it_scores_as_the_library_does(server: Served, shelf: Path, context: str) -> None:
    body = {"model": "pets", "text": TEXT, "context": context, "per_token": True}
    status, content, _ = server.ask("/api/v1/score", body)
    assert status == 200
    own = rnnlab.load(shelf / "pets").score(TEXT, context)
    assert content["bits_per_character"] == own.bits_per_character
    assert content["nats"] == own.nats
    assert content["target_nats"] == own.target_nats.tolist()
    assert content["ends"] == [*range(1, len(TEXT) + 1)]
    assert content["unknown"] == {"☃": 1}
    assert (content["context"], content["text_rule"]) == (context, "none")


def test_it_scores_samples_as_the_library_does(server: Served, shelf: Path) -> None:
    samples = ["fade", "bead", "xyz"]
    body = {"model": "more/names", "samples": samples, "per_token": True}
    _, content, _ = server.ask("/api/v1/score", body)
    own = rnnlab.load(shelf / "more/names").score(samples)
    found = content["samples"]
    assert [sample["bits_per_character"] for sample in found] == own.bits_per_character.tolist()
    assert [sample["unknown_characters"] for sample in found] == [0, 0, 3]
    assert [sample["target_nats"] for sample in found] == [
        own.token_nats[own.targets(n)].tolist() for n in range(3)
    ]


def test_many_samples_are_scored_in_several_turns(server: Served, shelf: Path) -> None:
    samples = [f"{'fade' * (n % 7)}{'abc'[n % 3]}" for n in range(1_000)]
    body = {"model": "more/names", "samples": samples}
    _, content, _ = server.ask("/api/v1/score", body)
    own = rnnlab.load(shelf / "more/names").score(samples)
    found = [sample["nats"] for sample in content["samples"]]
    assert found == pytest.approx(own.nats.tolist(), rel=1e-5)
    status, message, _, _ = server.refused("/api/v1/score", {**body, "samples": [*samples, "a\nb"]})
    assert (status, message) == (400, "sample 1001 has a line break; a sample is one line")


@pytest.mark.parametrize(
    ("route", "body", "message"),
    [
        ("score", {}, "give text or samples, one of them"),
        ("score", {"text": "a", "samples": ["b"]}, "give text or samples, one of them"),
        ("score", {"text": "a"}, "a text of 1 tokens has nothing to predict; it needs 2"),
        ("score", {"text": "abc", "context": "windows:0"},
         "context: a context rule is 'carried' or 'windows:N' with N >= 1, not 'windows:0'"),
        ("score", {"samples": ["a\nb"]}, "sample 1 has a line break; a sample is one line"),
        ("generate", {"settings": {"lenght": 3}}, "unknown key 'lenght'; did you mean 'length'?"),
        ("generate", {"settings": {"length": 10**9}}, "length must be at most 100,000, not 1,000,"),
        ("generate", {"settings": {"matching": "("}}, "matching"),
        ("generate", {"prefix": []}, "prefix"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(
    server: Served, route: str, body: dict[str, Any], message: str
) -> None:
    status, words, _, _ = server.refused(f"/api/v1/{route}", {"model": "pets", **body})
    assert status in (400, 422)
    assert message in words
