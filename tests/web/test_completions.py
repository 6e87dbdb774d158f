"""POST /v1/completions as clients speak it; log probabilities against plain loops."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import openai
import pytest
import torch
from served import Served
from small_networks import our_logits

import rnnlab

NAMES = ["pets", "more/letters", "more/bytes", "more/bpe", "more/names", "more/documents"]
PROMPTS = {
    "pets": "The cat sees the dog.\nThe b",
    "more/letters": "The Time, the TRAVELLER",
    "more/bytes": "Zoë sees 猫",
    "more/bpe": "The cat finds the ring",
    "more/names": "fade",
    "more/documents": "fade\nbead",
}


def log_probabilities(path: Path, ids: list[int]) -> np.ndarray[Any, Any]:
    """ln p (N - 1, V) after each of ids, read token by token by the equations as written."""
    model = rnnlab.load(path)
    logits = our_logits(model.network, np.array(ids)[:, None])[:, 0]
    if model.mixture is not None:
        parts = [torch.from_numpy(logits)[:, None], np.array(ids)[:, None]]
        logits = model.mixture.joined(*parts).numpy()[:, 0]
    logits = logits.astype(np.float64)
    found: np.ndarray[Any, Any] = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    return found[:-1]


def ids_of(server: Served, name: str, text: str) -> list[int]:
    status, content, _ = server.ask("/tokenize", {"model": name, "prompt": text})
    assert status == 200
    return list(content["tokens"])


@pytest.mark.parametrize("name", NAMES)
def test_prompts_have_the_log_probabilities_of_a_plain_loop(
    server: Served, shelf: Path, name: str
) -> None:
    """As lm-evaluation-harness asks, for text and for ids: one entry for each token and one for
    the token written, the first null; the likeliest with the identical number."""
    ids = ids_of(server, name, PROMPTS[name])
    expected = log_probabilities(shelf / name, ids)
    asked = {"model": name, "max_tokens": 1, "temperature": 0, "logprobs": 1, "echo": True}
    for prompt in (PROMPTS[name], ids, [ids, PROMPTS[name]]):
        for choice in server.complete(prompt=prompt, seed=1234, **asked)["choices"]:
            found = choice["logprobs"]
            assert {len(column) for column in found.values()} == {len(ids) + 1}
            assert found["token_logprobs"][0] is found["top_logprobs"][0] is None
            own = np.array(found["token_logprobs"][1:-1])
            assert own == pytest.approx(expected[range(len(ids) - 1), ids[1:]], abs=2e-5)
            for place, top in enumerate(found["top_logprobs"][1:-1]):
                assert max(top.values()) == pytest.approx(expected[place].max(), abs=2e-5)
                token, number = found["tokens"][place + 1], found["token_logprobs"][place + 1]
                assert top[token] == number
                if expected[place].argmax() == ids[place + 1]:
                    assert top == {token: number}
            written = found["top_logprobs"][-1]
            assert written == {found["tokens"][-1]: found["token_logprobs"][-1]}


@pytest.mark.parametrize("name", ["pets", "more/letters", "more/bytes", "more/bpe"])
def test_log_probabilities_are_those_of_rnnlab_s_own_score(
    server: Served, shelf: Path, name: str
) -> None:
    own = rnnlab.load(shelf / name).score(PROMPTS[name])
    (choice,) = server.complete(
        model=name, prompt=PROMPTS[name], max_tokens=0, echo=True, logprobs=0
    )["choices"]
    found = choice["logprobs"]["token_logprobs"][1:]
    assert -np.array(found) == pytest.approx(own.target_nats, abs=2e-5)


def test_all_tokens_together_have_a_probability_of_1(server: Served) -> None:
    asked = {"model": "more/bpe", "prompt": "The", "max_tokens": 2, "logprobs": 1000}
    for top in server.complete(**asked)["choices"][0]["logprobs"]["top_logprobs"]:
        assert len(top) == 300
        assert sum(np.exp(list(top.values()))) == pytest.approx(1)


@pytest.mark.parametrize("name", NAMES)
def test_it_writes_what_rnnlab_generate_writes(server: Served, shelf: Path, name: str) -> None:
    asked = {"temperature": 0.7, "top_p": 0.9, "seed": 5, "top_k": 7}
    found = server.complete(model=name, prompt=PROMPTS[name], max_tokens=40, echo=True, **asked)[
        "choices"
    ][0]
    assert found["text"] == rnnlab.load(shelf / name).generate(PROMPTS[name], length=40, **asked)
    greedy = server.complete(model=name, prompt=PROMPTS[name], max_tokens=9, temperature=0, seed=3)
    model = rnnlab.load(shelf / name)
    text = model.generate(PROMPTS[name], length=9, temperature=0)
    assert text == model.read_prefix(PROMPTS[name])[0] + greedy["choices"][0]["text"]


def test_several_prompts_have_n_continuations_each(server: Served, shelf: Path) -> None:
    """Those of one batch, in which each text draws from a stream of its own."""
    prompts = ["The cat", "A", "The bird finds"]
    found = server.complete(model="pets", prompt=prompts, n=2, max_tokens=12, seed=3, logprobs=0)
    assert [choice["index"] for choice in found["choices"]] == [*range(6)]
    twice = [prompt for prompt in prompts for _ in range(2)]
    texts = rnnlab.load(shelf / "pets").generate(twice, length=12, temperature=1.0, seed=3)
    assert [
        prompt + choice["text"] for prompt, choice in zip(twice, found["choices"], strict=True)
    ] == texts
    assert found["usage"] == {
        "prompt_tokens": 22, "completion_tokens": 72, "total_tokens": 94
    }  # fmt: skip
    assert {len(choice["logprobs"]["tokens"]) for choice in found["choices"]} == {12}


def test_a_stop_text_ends_one_text_before_it(server: Served) -> None:
    asked: dict[str, Any] = {"model": "pets", "prompt": ["The cat", "The dog"], "seed": 1}
    whole = server.complete(**asked, max_tokens=60)["choices"]
    cut = server.complete(**asked, max_tokens=60, stop=["e", "qq"], logprobs=0)["choices"]
    for before, after in zip(whole, cut, strict=True):
        text, found, _ = before["text"].partition("e")
        assert found
        assert (after["text"], after["finish_reason"]) == (text, "stop")
        assert "".join(after["logprobs"]["tokens"]) == text
        assert before["finish_reason"] == "length"


def test_offsets_say_where_each_token_begins(server: Served) -> None:
    for name in NAMES[:4]:
        (choice,) = server.complete(
            model=name, prompt=PROMPTS[name], max_tokens=20, echo=True, logprobs=0, seed=1
        )["choices"]
        offsets = choice["logprobs"]["text_offset"]
        assert offsets == sorted(offsets)
        assert offsets[0] == 0
        before = ""
        for token, begin in zip(choice["logprobs"]["tokens"], offsets, strict=True):
            if "bytes:" not in before + token:  # a character that is never complete is U+FFFD
                assert choice["text"][begin:].startswith(token)
            before = token


def test_unknown_characters_are_reported_and_an_empty_prompt_is_explained(server: Served) -> None:
    found = server.complete(model="pets", prompt=["The ☃", ""], max_tokens=1)["rnnlab"]
    assert found["unknown"] == [{"☃": 1}, {}]
    assert found["notices"] == [
        "prefix 'The ☃': '☃' not in the vocabulary, read as <unk>",
        "empty prefix: the model starts after '\\n'",
    ]
    assert found["context"] == "carried: each prompt is read from a state of zeros"
    assert found["text_rule"] == "none"
    letters = server.complete(model="more/letters", prompt="The!", max_tokens=0, echo=True)
    assert letters["choices"][0]["text"] == "the"
    assert letters["rnnlab"]["text_rule"] == "letters"


def test_without_a_seed_texts_differ_and_with_one_they_do_not(server: Served) -> None:
    def texts(**more: Any) -> set[str]:
        asked = {"model": "pets", "prompt": "The", "max_tokens": 50, **more}
        return {server.complete(**asked)["choices"][0]["text"] for _ in range(3)}

    assert len(texts()) == 3
    assert len(texts(seed=-4)) == 1


def test_a_bias_is_added_to_logits(server: Served, shelf: Path) -> None:
    """What is written is as likely as the plain loop says with the bias."""
    name = "more/letters"
    ids, tokenizer = ids_of(server, name, "the"), rnnlab.load(shelf / name).tokenizer
    expected = log_probabilities(shelf / name, [*ids, 0])[-1]
    bias = {1: -3.0, 5: 2.5, 9: -100.0}
    expected[[*bias]] += [*bias.values()]
    expected[0] = -np.inf  # <unk> is never written
    p = np.exp(expected) / np.exp(expected).sum()
    asked = {"model": name, "prompt": "the", "max_tokens": 1, "n": 128, "logprobs": 1}
    counts = np.zeros(len(p))
    for seed in range(8):
        for choice in server.complete(**asked, logit_bias=bias, seed=seed)["choices"]:
            counts[tokenizer.encode(choice["text"])] += 1
    deviation = np.abs(counts / counts.sum() - p)
    assert (deviation < 5 * np.sqrt(p / counts.sum()) + 1e-9).all()
    assert not counts[9]
    best = server.complete(model=name, prompt="the", max_tokens=1, temperature=0, logit_bias=bias)
    assert best["choices"][0]["text"] == tokenizer.decode([int(p.argmax())])


def events(server: Served, **body: Any) -> list[str]:
    connection = server.connect()
    body = {"stream": True, **body}
    connection.request(
        "POST", "/v1/completions", json.dumps(body), {"content-type": "application/json"}
    )
    with connection.getresponse() as answer:
        assert answer.status == 200
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        text = answer.read().decode()
    connection.close()
    assert text.endswith("\n\n")
    found = text.removesuffix("\n\n").split("\n\n")
    assert all(event.startswith("data: ") and "\n" not in event for event in found)
    return [event.removeprefix("data: ") for event in found]


def test_a_stream_is_the_whole_answer_in_pieces(server: Served) -> None:
    asked: dict[str, Any] = {
        "model": "pets", "prompt": ["The cat", "A ☃"], "max_tokens": 700, "seed": 2, "n": 2,
        "logprobs": 2, "echo": True, "stop": "zz",
    }  # fmt: skip
    whole = server.complete(**asked)
    *parts, done = events(server, **asked, stream_options={"include_usage": True})
    assert done == "[DONE]"
    chunks = [json.loads(part) for part in parts]
    assert chunks.pop()["usage"] == whole["usage"]
    assert len(chunks) > 8
    assert chunks[0]["rnnlab"] == whole["rnnlab"]
    assert len({chunk["id"] for chunk in chunks}) == 1
    for number, choice in enumerate(whole["choices"]):
        own = [c for chunk in chunks for c in chunk["choices"] if c["index"] == number]
        assert "".join(part["text"] for part in own) == choice["text"]
        assert [part["finish_reason"] for part in own if part["finish_reason"]] == ["length"]
        for column, values in choice["logprobs"].items():
            assert [v for part in own for v in part["logprobs"][column]] == values


@pytest.mark.parametrize("length", [0, 300])
def test_a_long_prompt_ends_once_and_with_its_last_log_probability(
    server: Served, length: int
) -> None:
    """It is scored in several parts."""
    asked: dict[str, Any] = {
        "model": "pets", "prompt": PROMPTS["pets"] * 30, "max_tokens": length, "seed": 1,
        "logprobs": 1, "echo": True,
    }  # fmt: skip
    whole = server.complete(**asked)
    *parts, _ = events(server, **asked, stream_options={"include_usage": True})
    chunks = [json.loads(part) for part in parts]
    assert chunks.pop()["usage"] == whole["usage"]
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    assert len(choices) > 2
    assert [c["finish_reason"] for c in choices] == [None] * (len(choices) - 1) + ["length"]
    (choice,) = whole["choices"]
    for column, values in choice["logprobs"].items():
        assert [v for part in choices for v in part["logprobs"][column]] == values


def test_the_client_of_openai_completes_streams_and_reads_errors(server: Served) -> None:
    client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0)
    assert "pets" in [model.id for model in client.models.list()]
    assert client.models.retrieve("more/bpe").owned_by == "rnnlab"
    asked: Any = {"model": "pets", "prompt": "The cat", "max_tokens": 30, "seed": 7}
    whole = client.completions.create(**asked, logprobs=3, top_p=0.9, user="me")
    assert whole.usage
    assert whole.usage.completion_tokens == 30
    assert whole.choices[0].finish_reason == "length"
    logprobs = whole.choices[0].logprobs
    assert logprobs
    assert logprobs.tokens
    assert "".join(logprobs.tokens) == whole.choices[0].text
    stream = client.completions.create(**asked, top_p=0.9, stream=True)
    assert "".join(chunk.choices[0].text for chunk in stream) == whole.choices[0].text
    with pytest.raises(openai.NotFoundError, match="unknown model 'pet'; did you mean 'pets'"):
        client.completions.create(model="pet", prompt="")
    with pytest.raises(openai.BadRequestError, match="suffix is not possible") as refused:
        client.completions.create(**asked, suffix="end")
    assert (refused.value.param, refused.value.code) == ("suffix", "invalid_request")


@pytest.mark.parametrize(
    ("change", "message", "parameter"),
    [
        ({"promt": "a"}, "unknown key 'promt'; did you mean 'prompt'?", "promt"),
        ({"prompt": {}}, "prompt: must be a text, a list of texts, a list of ids, or a list of "
         "lists of ids", "prompt"),
        ({"prompt": [1, "a"]}, "prompt: must be a text, a list of texts, a list of ids, or a list "
         "of lists of ids", "prompt"),
        ({"prompt": [True]}, "prompt: must be a text, a list of texts, a list of ids, or a list of "
         "lists of ids", "prompt"),
        ({"prompt": [[]]}, "prompt: a list of ids must have at least one", "prompt"),
        ({"prompt": [0, 10**30]}, "prompt: token ids are 0 to", "prompt"),
        ({"prompt": [-1]}, "prompt: token ids are 0 to", "prompt"),
        ({"prompt": "\ud800"}, "prompt: has half of a surrogate pair, which is not text", "prompt"),
        ({"max_tokens": -1}, "max_tokens must be greater than or equal to 0, not -1", "max_tokens"),
        ({"max_tokens": "9"}, "max_tokens must be a whole number, not '9'", "max_tokens"),
        ({"max_tokens": 10**6}, "max_tokens must be less than or equal to 100000, not 1000000",
         "max_tokens"),
        ({"temperature": -1}, "temperature must be greater than or equal to 0, not -1",
         "temperature"),
        ({"temperature": float("nan")}, "temperature must be a finite number, not nan",
         "temperature"),
        ({"top_p": 2}, "top_p must be less than or equal to 1, not 2", "top_p"),
        ({"n": 0}, "n must be greater than or equal to 1, not 0", "n"),
        ({"stop": [""]}, "stop 1 is empty", "stop"),
        ({"echo": 1}, "echo must be true or false, not 1", "echo"),
        ({"best_of": 2}, "best_of must be 1, not 2; see n and logprobs", "best_of"),
        ({"logit_bias": {"3": 101}}, "logit_bias must be -100 to 100, not 101 of token 3",
         "logit_bias"),
        ({"logit_bias": {"-1": 1}}, "logit_bias: token ids are 0 to", "logit_bias"),
        ({"logit_bias": {"a": 1}}, "a whole number, not 'a'", "logit_bias"),
        ({"presence_penalty": 1}, "presence_penalty must be 0; repetition_penalty does the same by "
         "a factor", "presence_penalty"),
        ({"stream_options": {"usage": True}}, "unknown key 'usage'", None),
        ({"label": "x"}, "label = 'x' needs a model of labelled samples", "label"),
        ({"model": ""}, "model is missing (choices: more/bpe, ", "model"),
    ],
    ids=lambda value: str(value)[:25],
)  # fmt: skip
def test_what_is_wrong_is_said(
    server: Served, change: dict[str, Any], message: str, parameter: str | None
) -> None:
    body = {"model": "pets", "prompt": "The", "max_tokens": 3, **change}
    status, words, found, code = server.refused("/v1/completions", body)
    assert (status, code) == (400, "invalid_request")
    assert message in words
    assert parameter in (None, found)


@pytest.mark.parametrize("stream", [False, True])
def test_too_much_at_once_is_refused(server: Served, stream: bool) -> None:
    asked = {"model": "pets", "stream": stream}
    status, message, _, _ = server.refused(
        "/v1/completions", {**asked, "prompt": ["a"] * 20, "n": 10}
    )
    assert (status, message) == (413, "20 prompts times n = 10 are more than 128 texts")
    status, message, _, _ = server.refused(
        "/v1/completions", {**asked, "prompt": "a", "n": 100, "max_tokens": 90_000}
    )
    assert status == 413
    assert message.endswith("prompts and continuations, are more than 4,000,000 tokens")
    asked |= {"prompt": "a", "n": 40, "max_tokens": 90_000, "logprobs": 1_000}
    status, message, _, _ = server.refused("/v1/completions", asked)
    assert status == 413
    assert message.endswith("log probabilities, are more than 4,000,000 tokens")
