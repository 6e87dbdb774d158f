"""The list of models, and tokens as lm-evaluation-harness and vLLM's clients ask for them."""

from pathlib import Path
from typing import Any

import pytest
from served import Served, serving

import rnnlab
from rnnlab.lm.model_folder import save_model

NAMES = ["more/bpe", "more/bytes", "more/documents", "more/letters", "more/names", "pets"]


def test_models_are_those_of_the_folder_without_links(server: Served, shelf: Path) -> None:
    status, content, _ = server.ask("/v1/models")
    assert (status, content["object"]) == (200, "list")
    assert [entry["id"] for entry in content["data"]] == NAMES
    weights = shelf / "pets/checkpoint/best/model.safetensors"
    assert content["data"][-1] == {
        "id": "pets", "object": "model", "created": int(weights.stat().st_mtime),
        "owned_by": "rnnlab",
    }  # fmt: skip


def test_a_model_states_its_rules(server: Served) -> None:
    for name, rule, unknown in (
        ("more/letters", "letters", "read as <unk>, and reported"),
        ("more%2Fbytes", "none", None),
    ):
        status, content, _ = server.ask(f"/v1/models/{name}")
        assert status == 200
        about = content["rnnlab"]
        assert about["context"] == "carried: each prompt is read from a state of zeros"
        assert (about["text_rule"], about["unknown"]) == (rule, unknown)
        assert about["log_probabilities"] == "of the model itself, before temperature"
        assert about["settings"]["hidden_size"] == 12


@pytest.mark.parametrize("name", NAMES)
def test_tokens_are_the_model_s_own(server: Served, shelf: Path, name: str) -> None:
    model, text = rnnlab.load(shelf / name), "bad\nfaçade"
    read = model.read_prefix(text)[1].tolist()
    asked = {"model": name, "prompt": text}
    _, content, _ = server.ask("/tokenize", asked | {"return_token_strs": True})
    assert content["tokens"] == read
    assert content["count"] == len(read) == len(content["token_strs"])
    assert content["unknown"] == ({"ç": 1} if model.tokenizer.unknown_id == 0 else {}) or (
        name == "more/letters"
    )
    start = model.network.start
    _, bare, _ = server.ask("/tokenize", asked | {"add_special_tokens": False})
    assert bare["tokens"] == (read if start is None else read[1:])
    _, back, _ = server.ask("/detokenize", {"model": name, "tokens": bare["tokens"]})
    shown = model.tokenizer.decode(bare["tokens"]).replace("\v", "\n")
    assert back["prompt"] == back["content"] == shown
    # As clients of llama.cpp ask:
    _, other, _ = server.ask("/tokenize", {"model": name, "content": text, "add_special": False})
    assert other["tokens"] == bare["tokens"]


@pytest.mark.parametrize("name", NAMES)
def test_the_end_token_is_one_id_whatever_the_text_rule(server: Served, name: str) -> None:
    _, about, _ = server.ask(f"/tokenizer_info?model={name}")
    assert about["eos_token"] == about["bos_token"]
    asked = {"model": name, "prompt": about["eos_token"], "add_special_tokens": False}
    _, content, _ = server.ask("/tokenize", asked)
    (only,) = content["tokens"]
    _, back, _ = server.ask("/detokenize", {"model": name, "tokens": [only]})
    assert back["prompt"] == about["eos_token"]
    assert about["model_max_length"] > 1_000_000


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("/v1/models/pet", None, 404, "unknown model 'pet'; did you mean 'pets'?"),
        ("/v1/models/", None, 400, "model is missing (choices: more/bpe, more/bytes, "),
        ("/tokenizer_info?model=no", None, 404, "unknown model 'no' (choices: "),
        ("/detokenize", {"model": "more/names", "tokens": [8]}, 400,
         "tokens: token ids are 0 to 7, not 8"),
        ("/detokenize", {"model": "more/names", "tokens": [-1]}, 400,
         "tokens: token ids are 0 to 7, not -1"),
        ("/detokenize", {"model": "more/names", "tokens": [2**70]}, 400,
         "tokens: token ids are 0 to 7, not 1180591620717411303424"),
        ("/detokenize", {"model": "more/names"}, 400, "tokens is missing"),
        ("/tokenize", {"model": "pets", "prompt": "\udc80"}, 400, "prompt: '\\udc80' holds bytes"),
        ("/v1/nothing", None, 404, "there is no GET /v1/nothing"),
        ("/v1/models", {}, 405, "POST /v1/models is not possible"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(
    server: Served, path: str, body: Any, status: int, message: str
) -> None:
    found, words, _, _ = server.refused(path, body)
    assert (found, words[: len(message)]) == (status, message)


def test_openapi_needs_no_page_of_another_host(server: Served) -> None:
    status, content, _ = server.ask("/openapi.json")
    assert (status, content["info"]["title"]) == (200, "rnnlab")
    assert [server.ask(path)[0] for path in ("/docs", "/redoc")] == [404, 404]


def test_an_n_gram_model_is_told_of_once_it_has_joined(
    server: Served, shelf: Path, tmp_path: Path
) -> None:
    assert server.ask("/v1/models/pets")[1]["rnnlab"]["ngram_order"] == 3
    whole = rnnlab.load(shelf / "pets")
    # As while a run is trained whose settings ask for one:
    save_model(tmp_path / "pets", whole.network, whole.tokenizer, whole.about)
    with serving(str(tmp_path)) as other:
        about = other.ask("/v1/models/pets")[1]["rnnlab"]
    assert (about["ngram_order"], about["settings"]["ngram_order"]) == (0, 3)
