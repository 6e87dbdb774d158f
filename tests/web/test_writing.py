"""/api/v1/write: what rnnlab generates and how likely it finds it, token by token."""

import http.client
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from command_line import made_up_text
from served import JSON, Served, random_model, serving

import rnnlab
from rnnlab.data.tokenizer import CharTokenizer, LabelledTokenizer, WordTokenizer

TEXT = "The cat sees the dog.\nThe bird loses the ☃.\n"
Events = list[dict[str, Any]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models of words and of labelled samples."""
    root = tmp_path_factory.mktemp("more") / "models"
    random_model(root / "words", WordTokenizer.train(made_up_text(50), 1))
    labelled = LabelledTokenizer(CharTokenizer("\nabcdef"), {"good": 3, "bad": 2})
    random_model(root / "labelled", labelled, 1, unit="lines")
    return root


@pytest.fixture(scope="module")
def more(folder: Path) -> Iterator[Served]:
    with serving(str(folder)) as own:
        yield own


def opened(server: Served, **body: Any) -> tuple[http.client.HTTPConnection, Any]:
    connection = server.connect()
    connection.request("POST", "/api/v1/write", json.dumps(body), JSON)
    answer = connection.getresponse()
    assert (answer.status, answer.headers["content-type"]) == (
        200, "text/event-stream; charset=utf-8"
    )  # fmt: skip
    return connection, answer


def events(answer: Any) -> Iterator[dict[str, Any]]:
    for line in answer:
        if line != b"\n":
            assert line.startswith(b"data: ")
            yield json.loads(line[6:])


def write(server: Served, **body: Any) -> tuple[dict[str, Any], Events, dict[str, Any]]:
    """The first event, all tokens, and the last event."""
    connection, answer = opened(server, **body)
    found = list(events(answer))
    connection.close()
    middle = found[1:-1]
    assert all(set(event) == {"tokens"} and event["tokens"] for event in middle)
    return found[0], [token for event in middle for token in event["tokens"]], found[-1]


def text_of(tokens: Events) -> str:
    return "".join(token["text"] for token in tokens)


def exact(model: Any, ids: list[int]) -> np.ndarray:
    """p (N, V) of what follows each id, by the equations as written, in double precision."""
    network = model.model.double()
    with torch.no_grad():
        logits, _ = network(
            torch.tensor(ids)[:, None], network.zero_state(1), rnnlab.engines.ENGINES["textbook"]
        )
    return np.asarray(logits[:, 0].softmax(-1))


@pytest.mark.parametrize(
    "settings",
    [
        {"temperature": 0},
        {"seed": 3},
        {"temperature": 1.7, "top_k": 4, "top_p": 0.8, "seed": 5},
        {"min_p": 0.1, "seed": 6},
        {"repetition_penalty": 1.5},
    ],
    ids=str,
)
def test_it_writes_what_the_library_generates(
    server: Served, shelf: Path, settings: dict[str, Any]
) -> None:
    for name, prefix in (
        ("pets", "The cat ☃"), ("pets", ""), ("more/letters", "The Cat!"), ("more/bytes", "häß"),
        ("more/bpe", "The cat"), ("more/names", "fa"),
    ):  # fmt: skip
        wanted = rnnlab.load(shelf / name).generate(prefix, length=60, **settings)
        first, tokens, last = write(
            server, model=name, text=prefix, length=60, settings=settings, alternatives=3
        )
        assert text_of(tokens) == wanted, name
        assert (first["model"], first["text"], last["end"]) == (
            name, wanted[: len(first["text"])], "length"
        )  # fmt: skip
        assert len(tokens) == len(first["ids"]) + 60


def test_a_document_ends_where_it_ends(server: Served, shelf: Path) -> None:
    model, ends = rnnlab.load(shelf / "more/documents"), set()
    for seed in range(8):
        settings = {"seed": seed, "temperature": 2.0}
        _, tokens, last = write(
            server, model="more/documents", text="a\nb", length=3, settings=settings
        )
        assert text_of(tokens) == model.generate("a\nb", length=3, **settings)
        ends.add(last["end"])
        assert (len(tokens) < 4 + 3) == (last["end"] == "document")
    assert ends == {"document", "length"}


def test_words_and_labels_are_written_as_the_library_does(more: Served, folder: Path) -> None:
    words = rnnlab.load(folder / "words")
    first, tokens, _ = write(more, model="words", text="The cat zzz", length=20)
    assert text_of(tokens) == words.generate("The cat zzz", length=20)
    assert (first["unknown"], first["unknown_id"]) == ({" zzz": 1}, 0)
    assert [t["text"] for t in tokens[:3]] == ["The", " cat", " zzz"]
    labelled = rnnlab.load(folder / "labelled")
    for text in "", "fad":
        first, tokens, _ = write(more, model="labelled", text=text, label="bad", length=50)
        assert first["before"] == 2
        assert text_of(tokens) == labelled.generate(text, label="bad", length=50)
    first, tokens, _ = write(more, model="labelled", length=50)
    assert text_of(tokens) == labelled.generate("", length=50)
    assert more.refused("/api/v1/write", {"model": "labelled", "text": "fad"})[1].startswith(
        "prefix 'fad' needs a label, which this model reads first (label: good, bad"
    )


@pytest.mark.parametrize("name", ["pets", "more/bytes", "more/bpe", "more/names"])
def test_bits_are_those_of_score(server: Served, shelf: Path, name: str) -> None:
    model, text = rnnlab.load(shelf / name), "fad\nbead" if name == "more/names" else TEXT
    first, tokens, last = write(server, model=name, text=text)
    score = model.score(f"{text}\n" if name == "more/names" else text)
    bits = [token["bits"] for token in tokens]
    assert bits[0] is None
    nats = np.array(bits[1:]) * np.log(2)
    assert nats == pytest.approx(score.target_nats[: len(nats)], abs=1e-6)
    assert len(nats) >= len(score.target_nats) - 1
    assert (text_of(tokens), last["end"], last["read"]) == (text, "length", len(first["ids"]))


def test_alternatives_are_the_likeliest_with_their_probabilities(
    server: Served, shelf: Path
) -> None:
    model, text = rnnlab.load(shelf / "more/bytes"), "The cät"
    ids = [*text.encode()]
    body = {"model": "more/bytes", "text": text, "length": 5, "settings": {"temperature": 0}}
    _, tokens, last = write(server, **body, alternatives=256)
    written = [token["id"] for token in tokens]
    p = exact(model, written)
    assert written[: len(ids)] == ids
    assert (tokens[0]["alternatives"], tokens[0]["entropy"]) == ([], None)
    for place, told in enumerate([*tokens[1:], last["next"]]):
        numbers, texts, found = zip(*told["alternatives"], strict=True)
        assert list(found) == sorted(found, reverse=True)
        assert np.array(found) == pytest.approx(p[place][list(numbers)], abs=1e-6)
        assert (sum(found), len(set(numbers))) == (pytest.approx(1, abs=1e-6), 256)
        assert told["entropy"] == pytest.approx(-(p[place] @ np.log2(p[place])), abs=1e-5)
        assert texts[numbers.index(0xC3)] == "bytes:\\xc3"
    for token in tokens[len(ids) :]:
        assert token["id"] == token["alternatives"][0][0]  # the argmax, at temperature 0
    _, few, last = write(server, **body, alternatives=3)
    assert [t["alternatives"] for t in few] == [t["alternatives"][:3] for t in tokens]
    _, none, last = write(server, **body, alternatives=0)
    assert last["next"]["alternatives"] == none[-1]["alternatives"] == []


def test_a_character_of_several_bytes_is_written_when_it_is_whole(server: Served) -> None:
    euro = [*"a€".encode()]
    first, tokens, _ = write(server, model="more/bytes", text="a€")
    assert [t["text"] for t in tokens] == ["a", "", "", "€"]
    # Bytes that go on a character: what is between is told by the tokens that follow.
    _, begun, _ = write(server, model="more/bytes", ids=euro[:2], length=1)
    assert len(begun) == 1
    assert first["ids"] == euro


def test_what_was_read_is_not_read_again(server: Served, shelf: Path) -> None:
    settings = {"seed": 11, "temperature": 1.0}
    first, tokens, last = write(
        server, model="pets", text="The cat", length=5000, settings=settings, alternatives=2
    )
    ids = [token["id"] for token in tokens]
    assert last["read"] <= len(first["ids"])
    assert len(ids) == 5007
    for place in (5006, 2500, 8):
        other = next(a[0] for a in tokens[place]["alternatives"] if a[0] != ids[place])
        body = {"model": "pets", "length": 9, "settings": settings, "position": place - 6}
        _, again, last = write(server, **body, ids=[*ids[:place], other])
        assert last["read"] == 1
        # The same numbers as in a text that is read whole by another server.
        text = text_of(tokens[:place]) + next(
            a[1] for a in tokens[place]["alternatives"] if a[0] == other
        )
        score = rnnlab.load(shelf / "pets").score(text + text_of(again))
        nats = np.array([token["bits"] for token in again]) * np.log(2)
        assert nats == pytest.approx(score.target_nats[-9:], abs=1e-6)
    # The text goes on as if it had been written at once.
    _, again, last = write(
        server, model="pets", ids=ids[:4000], position=3993, length=300, settings=settings,
    )  # fmt: skip
    assert ([t["id"] for t in again], last["read"]) == (ids[4000:4300], 1)


def test_a_penalty_knows_what_was_written_before(server: Served) -> None:
    body = {"model": "pets", "settings": {"repetition_penalty": 3.0, "seed": 2}, "alternatives": 0}
    _, whole, _ = write(server, **body, text="The", length=40)
    ids = [token["id"] for token in whole]
    _, rest, _ = write(server, **body, ids=ids[:20], position=17, length=23)
    assert [token["id"] for token in rest] == ids[20:]


def test_units_are_switched_off(server: Served) -> None:
    held = [{"layer": 0, "unit": unit, "value": 0.9} for unit in range(10)]
    body = {"model": "pets", "length": 40}
    _, whole, _ = write(server, **body, text="The cat")
    for _ in range(2):  # the second time from the states that are kept
        _, tokens, _ = write(server, **body, text="The cat", held=held)
        generated = {"model": "pets", "prefix": "The cat", "settings": {"length": 40}}
        _, wanted, _ = server.ask("/api/v1/generate", {**generated, "held": held})
        assert [text_of(tokens)] == wanted["texts"] != [text_of(whole)]
    _, again, _ = write(server, **body, text="The cat")
    assert again == whole


def test_only_what_is_new_of_a_text_is_told(server: Served) -> None:
    first, tokens, _ = write(server, model="pets", text="The cat sees the dog.")
    ids = first["ids"]
    assert (first["same"], len(tokens)) == (0, len(ids))
    first, new, last = write(server, model="pets", text="The cat sees a dog.", ids=ids)
    assert (first["same"], text_of(new), last["read"]) == (13, "a dog.", 7)
    _, whole, _ = write(server, model="pets", text="The cat sees a dog.")
    assert new == whole[13:]
    first, new, last = write(server, model="pets", text="The cat", ids=ids)
    assert (first["same"], new, last["read"]) == (7, [], 1)
    assert last["next"] == {key: tokens[7][key] for key in ("entropy", "alternatives")}


def test_the_first_event_says_how_the_text_was_read(server: Served) -> None:
    first, _, _ = write(server, model="more/letters", text="The ☃ Cat")
    assert first["text_rule"] == "letters"
    assert first["text"] == "the cat"
    assert first["notices"] == []
    first, _, _ = write(server, model="pets", text="A ☃!")
    assert first["notices"] == ["prefix 'A ☃!': 'A', '☃', '!' not in the vocabulary, read as <unk>"]
    assert first["context"] == "carried: each prompt is read from a state of zeros"
    assert first["unknown"] == {"A": 1, "☃": 1, "!": 1}
    first, tokens, _ = write(server, model="pets")
    assert first["notices"] == ["empty prefix: the model starts after '\\n'"]
    assert (first["before"], [token["text"] for token in tokens]) == (1, [""])


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({"ids": [99]}, 400, "ids: token ids are 0 to 22, not 99"),
        ({"ids": [1], "position": 2}, 400, "position must be at most the number of ids, not 2"),
        ({"length": 100_001}, 400, "length must be less than or equal to 100000, not "
         "100001"),
        ({"settings": {"stop": "x"}}, 400, "settings: unknown key 'stop' (choices: temperature, "
         "top_k, top_p, min_p, repetition_penalty, seed)"),
        ({"settings": {"temperature": -1}}, 400, "temperature must be greater than or "
         "equal to 0, not -1"),
        ({"settings": {"temperature": 0, "seed": 1}}, 400, "temperature = 0 excludes seed: it "
         "always takes the most likely token"),
        ({"length": 100_000, "alternatives": 100, "model": "more/bytes"}, 413, "1 texts of up to "
         "100,001 tokens, prompts and continuations, times 100 log probabilities, are more than "
         "4,000,000 tokens"),
        ({"model": "more/bytes", "text": "x" * 100_001}, 413, "a text may have 100,000 tokens "
         "here, not 100,001"),
        ({"model": "no"}, 404, None),
        ({"texts": "x"}, 400, None),
    ],
    ids=lambda value: str(value)[:40],
)  # fmt: skip
def test_wrong_requests_are_refused_before_anything_is_sent(
    server: Served, body: dict[str, Any], status: int, message: str | None
) -> None:
    found = server.refused("/api/v1/write", {"model": "pets", **body})
    assert found[0] == status
    assert message in (None, found[1])


def test_text_comes_as_it_is_written_and_stops_when_the_client_leaves(server: Served) -> None:
    connection, answer = opened(server, model="pets", text="The", length=100_000, alternatives=5)
    told = events(answer)
    assert "text" in next(told)
    assert text_of(next(told)["tokens"]).startswith("The")
    begun = time.monotonic()
    tokens = sum(len(next(told)["tokens"]) for _ in range(10))
    assert 0 < tokens < 20_000
    connection.close()
    assert time.monotonic() - begun < 10
    threads = Path(f"/proc/{server.process.pid}/task")
    deadline = time.monotonic() + 10
    busy = [*threads.iterdir()]
    while time.monotonic() < deadline and len(busy) == len([*threads.iterdir()]):
        time.sleep(0.05)
    assert len([*threads.iterdir()]) < len(busy)
