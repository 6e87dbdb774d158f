"""The inside of networks over HTTP, against the probes themselves."""

import http.client
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import made_up_text
from served import Served

import rnnlab
from rnnlab.probes.holding import held_model, means
from rnnlab.probes.matches import chosen_units, matches
from rnnlab.probes.reading import Reading
from rnnlab.probes.steps import steps
from rnnlab.probes.subject import held_out_texts
from rnnlab.probes.traces import trace
from rnnlab.web.packing import unpacked

TEXT = made_up_text(4, seed=5)


def arrays(server: Served, path: str = "", **body: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return header and arrays of a binary answer."""
    connection = server.connect()
    connection.request(
        "POST", f"/api/v1/probe{path}", json.dumps(body), {"content-type": "application/json"}
    )
    with connection.getresponse() as answer:
        content = answer.read()
    connection.close()
    assert answer.status == 200, content
    assert answer.headers["content-type"] == "application/octet-stream"
    return unpacked(content)


@pytest.fixture(scope="module")
def pets(shelf: Path) -> Any:
    return rnnlab.load(shelf / "pets")


@pytest.mark.parametrize("quantity", ["i", "f", "g", "o", "h", "c"])
def test_traces_are_those_of_the_probe(server: Served, pets: Any, quantity: str) -> None:
    header, found = arrays(server, model="pets", text=TEXT, quantity=quantity)
    reading = Reading.of(pets, TEXT)
    expected = trace(reading)[quantity][:, 0]
    assert found["values"].dtype == np.float16
    np.testing.assert_allclose(found["values"], expected, rtol=2**-11, atol=1e-6)
    assert header["tokens"] == reading.tokens
    assert header["arrays"][0]["axes"] == ["token", "unit"]
    assert (header["cell"], header["hidden_size"], header["layers"]) == ("lstm", 16, 1)
    ranges = {own["name"]: own["range"] for own in header["quantities"]}
    assert ranges == {
        "i": [0, 1], "f": [0, 1], "g": [-1, 1], "o": [0, 1], "h": [-1, 1], "c": None
    }  # fmt: skip


def test_a_part_of_a_held_out_split_is_read(server: Served, pets: Any) -> None:
    texts = held_out_texts(pets)
    status, about, _ = server.ask("/api/v1/probe?model=pets")
    assert status == 200
    assert about["splits"] == {split: len(text) for split, text in texts.items()}
    assert (about["left_out"], about["cell"]) == ("", "lstm")
    header, found = arrays(server, model="pets", split="validation", offset=40, characters=90)
    part = texts["validation"][40:130]
    assert "".join(header["tokens"]) == part
    assert (header["split"], header["offset"]) == ("validation", 40)
    expected = trace(Reading.of(pets, part, is_prepared=True))["h"][:, 0]
    np.testing.assert_allclose(found["values"], expected, rtol=2**-11, atol=1e-6)
    last = list(texts)[-1]
    assert arrays(server, model="pets", characters=50)[0]["split"] == last


def test_a_model_without_its_text_says_so_and_reads_another(server: Served) -> None:
    _, about, _ = server.ask("/api/v1/probe?model=more/letters")
    assert about["splits"] == {}
    assert about["left_out"].startswith("the model's own text is not available: ")
    header, _ = arrays(server, model="more/letters", text="The CAT, it sees")
    assert "".join(header["tokens"]) == "the cat it sees"
    status, message, *_ = server.refused("/api/v1/probe", {"model": "more/letters"})
    assert status == 422
    assert message == about["left_out"]


@pytest.mark.parametrize("what", ["timescales", "saturation", "surprise", "ablation"])
def test_probes_by_name_are_those_of_the_library(
    server: Served, shelf: Path, pets: Any, what: str
) -> None:
    text = made_up_text(12, seed=8)
    header, found = arrays(server, model="pets", text=text, what=what)
    expected = rnnlab.probe(shelf / "pets", text, what=what)[what]
    assert header["probe"] == what
    assert header["finding"] == expected.sentences()
    assert set(found) == set(expected.arrays())
    for name, own in expected.arrays().items():
        with np.errstate(over="ignore"):
            limited = own.astype(np.float16) if own.dtype.kind == "f" else own
        np.testing.assert_allclose(found[name], limited, rtol=2e-3, atol=1e-4)


def test_progress_is_told_and_the_answer_is_kept(server: Served) -> None:
    body = {"model": "pets", "text": made_up_text(60, seed=9), "what": "ablation"}
    connection = server.connect()
    headers = {"content-type": "application/json"}
    connection.request("POST", "/api/v1/probe", json.dumps({**body, "progress": True}), headers)
    answer = connection.getresponse()
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = answer.read().decode().split("\n\n")
    connection.close()
    assert events[-2:] == ["data: [DONE]", ""]
    shares = [json.loads(event.removeprefix("data: "))["share"] for event in events[:-2]]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    began = time.perf_counter()
    header, _ = arrays(server, **body)
    assert time.perf_counter() - began < 0.5  # nothing is computed again
    assert header["probe"] == "ablation"


def test_a_fault_after_the_beginning_is_an_event(server: Served) -> None:
    connection = server.connect()
    body = {"model": "pets", "text": "The cat.", "what": "ablation", "progress": True}
    connection.request(
        "POST", "/api/v1/probe", json.dumps(body), {"content-type": "application/json"}
    )
    events = connection.getresponse().read().decode()
    connection.close()
    assert "a text of 8 tokens is too short for an ablation; it needs 17" in events
    assert events.endswith("data: [DONE]\n\n")


def test_whoever_leaves_ends_the_work(server: Served) -> None:
    def asked(seed: int) -> http.client.HTTPConnection:
        connection = server.connect()
        text = made_up_text(750, seed)
        body = {"model": "pets", "text": text, "what": "ablation", "progress": True}
        connection.request(
            "POST", "/api/v1/probe", json.dumps(body), {"content-type": "application/json"}
        )
        return connection

    def seconds(seed: int) -> float:
        began = time.perf_counter()
        connection = asked(seed)
        assert connection.getresponse().read().endswith(b"data: [DONE]\n\n")
        connection.close()
        return time.perf_counter() - began

    server.ask("/api/v1/probe?model=pets")  # it imports what it needs
    whole = seconds(1)
    kept = min(seconds(1) for _ in range(3))
    assert kept < whole / 4
    left = asked(2)
    time.sleep(whole / 8)
    left.close()
    time.sleep(1.5 * whole)
    assert seconds(2) > 3 * kept  # it was not computed to its end
    assert seconds(1) < whole / 4


def test_steps_have_every_number_of_the_layer(server: Served, pets: Any) -> None:
    header, found = arrays(server, "/steps", model="pets", text=TEXT, first=7, count=5)
    expected = steps(Reading.of(pets, TEXT), 0, 7, 5)
    assert header["gate_names"] == ["i", "f", "g", "o"]
    assert header["part_names"] == ["h", "c"]
    for name, own in expected.arrays().items():
        assert found[name].dtype == np.float32
        np.testing.assert_allclose(found[name], own, atol=1e-6)
    traced = arrays(server, model="pets", text=TEXT, quantity="c")[1]["values"]
    np.testing.assert_allclose(found["after"][:, 1], traced[7:12], rtol=2**-11, atol=1e-5)
    one, few = arrays(server, "/steps", model="pets", text=TEXT, first=7, count=5, units=[3, 11])
    assert one["units"] == [3, 11]
    np.testing.assert_array_equal(few["gates"], found["gates"][..., [3, 11]])


def test_places_are_those_of_the_search(server: Served, pets: Any) -> None:
    asked = {"begin": 10, "end": 13, "threshold": 0.1}
    status, found, _ = server.ask("/api/v1/probe/matches", {"model": "pets", "text": TEXT, **asked})
    assert status == 200
    own = trace(Reading.of(pets, TEXT))["h"][:, 0].astype(np.float16)
    texts = held_out_texts(pets)
    text = texts[list(texts)[-1]][:20_000]
    searched = Reading.of(pets, text, is_prepared=True)
    everywhere = trace(searched)["h"][:, 0].astype(np.float16)
    chosen = chosen_units(own, 10, 13, 0.1)
    assert len(chosen.units) >= 2
    expected = matches(everywhere, chosen, 0.1)
    assert tuple(found["units"]) == chosen.units
    assert found["finding"] == expected.sentences()
    assert found["count"] == len(expected.begins) > 0
    assert found["expected"] == pytest.approx(expected.by_chance.mean())
    assert found["p"] == expected.p
    assert found["searched"] == f"the {list(texts)[-1]} split"
    for place, begin, end in zip(found["places"], expected.begins, expected.ends, strict=False):
        assert (place["begin"], place["end"]) == (begin, end)
        assert place["match"] == text[begin:end]
        assert text[:begin].endswith(place["left"])
        assert text[end:].startswith(place["right"])


def test_the_chosen_tokens_are_not_found_again(server: Served) -> None:
    """Of a part of the split that is searched they are left out, wherever the part begins."""
    last = list(server.ask("/api/v1/probe?model=pets")[1]["splits"])[-1]
    body = {"model": "pets", "split": last, "offset": 30, "threshold": 0.05}
    asked = {**body, "begin": 100, "end": 103, "least": 2}
    _, found, _ = server.ask("/api/v1/probe/matches", asked)
    assert found["count"] > 0
    assert all(place["end"] <= 130 or place["begin"] >= 133 for place in found["places"])
    _, few, _ = server.ask("/api/v1/probe/matches", {**asked, "units": found["units"][:2]})
    assert few["units"] == found["units"][:2]


def test_a_text_is_searched_itself_if_nothing_was_held_out(server: Served) -> None:
    body = {"model": "more/bytes", "text": TEXT, "begin": 3, "end": 5, "threshold": 0.05}
    status, found, _ = server.ask("/api/v1/probe/matches", body)
    assert status == 200
    assert found["searched"] == "the given text"
    assert found["tokens"] == len(TEXT)
    assert all(place["end"] <= 3 or place["begin"] >= 5 for place in found["places"])


def test_what_a_text_costs_with_units_switched_off(server: Served, pets: Any) -> None:
    held = [{"unit": 2}, {"unit": 5, "value": 1.25}]
    header, found = arrays(server, "/held", model="pets", text=TEXT, held=held)
    average = float(means(Reading.of(pets, TEXT))[0, 2])
    assert header["held"] == [
        {"layer": 0, "unit": 2, "value": pytest.approx(average, abs=1e-6)},
        {"layer": 0, "unit": 5, "value": 1.25},
    ]
    model = held_model(pets, {(0, 2): average, (0, 5): 1.25})
    for name, own in (("", pets), ("_held", model)):
        score = own.score(TEXT)
        assert header[f"bits_per_character{name}"] == pytest.approx(score.bits_per_character, 1e-5)
        bits = found["held_bits" if name else "whole_bits"]
        np.testing.assert_allclose(bits, score.target_nats / np.log(2), rtol=2e-3, atol=1e-3)
    body = {"model": "pets", "prefix": "The ", "settings": {"length": 40, "temperature": 0}}
    _, with_them, _ = server.ask("/api/v1/generate", body)
    _, without, _ = server.ask("/api/v1/generate", {**body, "held": header["held"]})
    assert with_them["texts"] == [pets.generate("The ", length=40, temperature=0)]
    assert without["texts"] == [model.generate("The ", length=40, temperature=0)]


REFUSALS = [
    ("", {"quantity": "q"}, 400, "unknown quantity 'q' (choices: i, f, g, o, h, c)"),
    ("", {"layer": 1}, 400, "layer must be 0 to 0, not 1"),
    ("", {"what": "traced"}, 400, "unknown probe 'traced'; did you mean 'traces'? (choices: "
     "traces, surprise, following, ablation, timescales, reach, saturation, decoding, "
     "memorisation, exposure)"),
    ("", {"text": "a"}, 422, "a text of 1 tokens is too short for a probe; it needs 2"),
    ("", {"split": "test", "text": TEXT}, 400, "give a text or a part of a split, not both"),
    ("", {"text": "ab" * 10_001}, 413, "a text of 20,002 tokens is too long; it may have 20,000"),
    ("/steps", {"first": 10_000}, 400, None),
    ("/steps", {"units": [16]}, 400, "units must be 0 to 15, not 16"),
    ("/matches", {"begin": 5, "end": 5}, 400, None),
    ("/matches", {"begin": 1, "end": 3, "threshold": 5}, 400, "units: none is on at all of these "
     "tokens; choose fewer tokens or a lower threshold"),
    ("/matches", {"begin": 1, "end": 3, "threshold": 0, "both_sides": True, "units": [99]}, 400,
     "units: 99 is not on at all of the chosen tokens"),
    ("/held", {"held": []}, 400, None),
    ("/held", {"held": [{"unit": 16}]}, 400, "unit 16 of layer 0 does not exist (layers 0 to 0; "
     "units 0 to 15)"),
    ("/held", {"held": [{"unit": 1}, {"unit": 1}]}, 400, "held: a unit is given twice"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "body", "status", "message"), REFUSALS)
def test_what_is_not_possible_is_one_sentence(
    server: Served, path: str, body: dict[str, Any], status: int, message: str | None
) -> None:
    given = {"model": "pets", "text": TEXT, **body}
    found, words, *_ = server.refused(f"/api/v1/probe{path}", given)
    assert found == status
    assert message in (None, words)


def test_a_part_that_does_not_exist(server: Served) -> None:
    _, message, parameter, _ = server.refused("/api/v1/probe", {"model": "pets", "split": "train"})
    assert message == "unknown split 'train' (choices: validation, test)"
    _, message, parameter, _ = server.refused(
        "/api/v1/probe", {"model": "pets", "split": "test", "offset": 10**6}
    )
    assert message.startswith("offset must be 0 to ")
    assert parameter == "offset"
