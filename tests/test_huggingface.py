"""Exported models in transformers: logits, writing, training, and the way back.

tests/transformers-4.sh runs these tests with transformers 4.57.
"""

import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from command_line import Cli, made_up_text
from refusal import check
from small_networks import KINDS, our_logits, small_network, some_ids, text_model
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, set_seed
from transformers.utils import logging

import rnnlab
import rnnlab.huggingface
from rnnlab.config import ModelSettings
from rnnlab.data.samples import start_of_samples
from rnnlab.data.tokenizer import (
    BpeTokenizer,
    ByteTokenizer,
    CharTokenizer,
    LabelledTokenizer,
    Tokenizer,
    WordTokenizer,
)
from rnnlab.errors import UsageError
from rnnlab.interop.exporting import export_to
from rnnlab.lm.stored_network import StoredNetwork, parameter_shapes
from rnnlab.lm.text_model import TextModel

logging.disable_progress_bar()
TEXT = made_up_text(60)
TOKENIZERS = {
    "char": CharTokenizer.train(TEXT),
    "byte": ByteTokenizer(),
    "word": WordTokenizer.train(TEXT, 1),
    "bpe": BpeTokenizer.train(TEXT, 300),
}


def model_of(tokenizer: Tokenizer, *, of_samples: bool = False, **settings: Any) -> TextModel:
    """Return a model with random weights, large enough that each token depends on those before."""
    start = start_of_samples(tokenizer) if of_samples else None
    kind = {"hidden_size": 16, "embedding_size": 8, **settings}
    rng, checked = np.random.default_rng(1), ModelSettings.from_dict(kind)
    arrays = {
        name: rng.normal(0, 1.5, shape).astype(np.float32)
        for name, shape in parameter_shapes(checked, tokenizer.size)
    }
    network = StoredNetwork(checked, tokenizer.size, start, arrays)
    model = text_model(network, data={"unit": "lines"} if of_samples else {})
    model.tokenizer = tokenizer
    return model


def exported(model: TextModel, folder: Path) -> tuple[Any, Any]:
    export_to(model, folder, "huggingface")
    return AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)


def shown(text: str) -> str:
    """Return a text without the first bytes of a character, which ours holds back."""
    return text.rstrip("\ufffd")


def logits_of(model: Any, ids: np.ndarray, **inputs: Any) -> np.ndarray:
    with torch.no_grad():
        found: np.ndarray = model(torch.from_numpy(ids.T), **inputs).logits.numpy()
    return found.swapaxes(0, 1)


@pytest.mark.parametrize("number", range(len(KINDS)))
def test_logits_are_ours_and_survive_saving(number: int, tmp_path: Path) -> None:
    network, ids = small_network(**KINDS[number]), some_ids()
    export_to(text_model(network), tmp_path / "m", "huggingface")
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "m")
    assert np.abs(logits_of(model, ids) - our_logits(network, ids)).max() < 1e-5
    tied = bool(KINDS[number].get("tie_weights"))
    assert (model.output.weight is getattr(model.embedding, "weight", None)) == tied
    model.save_pretrained(tmp_path / "again")
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "again")
    assert np.array_equal(logits_of(again, ids), logits_of(model, ids))


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_a_text_in_parts_and_padding_change_nothing(cell: str, tmp_path: Path) -> None:
    network, ids = small_network(cell=cell, num_layers=2, hidden_size=6, start=3), some_ids(12)
    ids[3, 0] = ids[7, 2] = 3  # samples begin here
    model, _ = exported(text_model(network), tmp_path / "m")
    wanted, state, parts = our_logits(network, ids), None, []
    for part in np.split(ids, [1, 4, 9]):
        with torch.no_grad():
            found = model(torch.from_numpy(part.T), state=state, use_cache=True)
        state = found.state
        parts.append(found.logits.numpy().swapaxes(0, 1))
    assert np.abs(np.concatenate(parts) - wanted).max() < 1e-5
    padded, mask = np.full((17, 3), network.vocabulary_size), np.zeros((3, 17), np.int64)
    for row, before in enumerate((5, 0, 3)):
        padded[before : before + 12, row], mask[row, before : before + 12] = ids[:, row], 1
    given = torch.from_numpy(mask)
    whole = logits_of(model, padded, attention_mask=given)
    with torch.no_grad():
        state = model(torch.from_numpy(padded[:4].T), attention_mask=given[:, :4]).state
    rest = logits_of(model, padded[4:], attention_mask=given, state=state)
    for row, before in enumerate((5, 0, 3)):
        text = slice(before, before + 12)
        assert np.abs(whole[text, row] - wanted[:, row]).max() < 1e-5
        assert np.abs(rest[: text.stop - 4, row] - whole[4 : text.stop, row])[1:].max() < 1e-5


@pytest.mark.parametrize("name", TOKENIZERS)
def test_greedy_writing_is_ours_alone_and_in_a_batch(name: str, tmp_path: Path) -> None:
    ours = model_of(TOKENIZERS[name], num_layers=2)
    model, tokenizer = exported(ours, tmp_path / "m")
    prefixes = ["The cat sees", "The", "The dog loses the"]
    wanted = [shown(ours.generate(prefix, length=12, temperature=0)) for prefix in prefixes]
    assert len({text[-6:] for text in wanted}) > 1
    steps = []
    model.register_forward_pre_hook(
        lambda module, args, given: steps.append(given["input_ids"].shape[1]), with_kwargs=True
    )
    for prefix, text in zip(prefixes, wanted, strict=True):
        ids = tokenizer(prefix, return_tensors="pt")
        written = model.generate(**ids, max_new_tokens=12, do_sample=False)[0]
        assert shown(tokenizer.decode(written)) == text
        assert steps == [ids.input_ids.shape[1], *[1] * 11]  # the prefix is read once
        steps.clear()
    batch = tokenizer(prefixes, return_tensors="pt", padding=True)
    written = model.generate(**batch, max_new_tokens=12, do_sample=False)
    assert [*map(shown, tokenizer.batch_decode(written, skip_special_tokens=True))] == wanted


def test_sampling_and_beams(tmp_path: Path) -> None:
    model, tokenizer = exported(model_of(TOKENIZERS["char"]), tmp_path / "m")
    ids = tokenizer(["The cat", "The"], return_tensors="pt", padding=True)

    def write(**how: Any) -> list[list[int]]:
        set_seed(3)
        written: list[list[int]] = model.generate(**ids, max_new_tokens=30, **how).tolist()
        return written

    drawn = write(do_sample=True, temperature=3.0)
    assert drawn == write(do_sample=True, temperature=3.0, use_cache=False)
    assert drawn != write(do_sample=True, temperature=3.0, top_k=2)
    unknown, padding = 0, tokenizer.pad_token_id
    assert not {unknown, padding} & set(itertools.chain(*(row[-30:] for row in drawn)))
    beams = write(num_beams=4, do_sample=False)
    assert beams == write(num_beams=4, do_sample=False, use_cache=False)
    assert beams != write(do_sample=False)


def test_a_sample_begins_and_ends_with_its_mark(tmp_path: Path) -> None:
    tokenizer = LabelledTokenizer(TOKENIZERS["char"], {"cat": 2, "dog": 1})
    ours = model_of(tokenizer, of_samples=True)
    model, theirs = exported(ours, tmp_path / "m")
    ids = theirs("dog\tThe", return_tensors="pt")
    written = theirs.decode(model.generate(**ids, max_new_tokens=40, do_sample=False)[0])
    text = ours.generate("The", label="dog", length=40, temperature=0)
    assert written.removeprefix("\ndog\t") == text[: text.find("\n") + 1 or None]
    assert model.generation_config.eos_token_id == start_of_samples(tokenizer)


def test_the_loss_is_what_we_measure_and_can_be_trained(cli: Cli, tmp_path: Path) -> None:
    ours = model_of(TOKENIZERS["char"], tie_weights=True, hidden_size=8)
    model, tokenizer = exported(ours, tmp_path / "m")
    ids = tokenizer(TEXT[:200], return_tensors="pt")
    assert model(**ids, labels=ids.input_ids).loss.item() == pytest.approx(
        ours.score(TEXT[:200]).nats / 199, rel=1e-5
    )
    labels = ids.input_ids.clone()
    labels[:, :100] = -100
    assert model(**ids, labels=labels).loss.item() == pytest.approx(
        ours.score(TEXT[:200]).target_nats[99:].mean(), rel=1e-5
    )
    optimizer = torch.optim.SGD(model.train().parameters(), lr=0.05)
    for _ in range(3):
        optimizer.zero_grad()
        loss = model(**ids, labels=ids.input_ids).loss
        loss.backward()
        optimizer.step()
    model.eval().save_pretrained(tmp_path / "tuned")
    tokenizer.save_pretrained(tmp_path / "tuned")
    done = cli("import", str(tmp_path / "tuned"), "--output", str(tmp_path / "back"))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        f"found     1 x lstm 8, embedding of 8, {ours.tokenizer.size} tokens\n"
        "note      embedding and output share their weights\n"
        f"saved     {tmp_path}/back; measure it with rnnlab evaluate {tmp_path}/back --text FILE\n"
    )
    nats = rnnlab.load(tmp_path / "back", engine="textbook").score(TEXT[:200]).nats
    with torch.no_grad():
        tuned = model(**ids, labels=ids.input_ids).loss.item()
    assert tuned < loss.item()
    assert nats / 199 == pytest.approx(tuned, rel=1e-5)


def test_new_models_have_the_weights_of_torch() -> None:
    config = AutoConfig.for_model("rnnlab", cell="gru", hidden_size=400, vocab_size=30)
    model = AutoModelForCausalLM.from_config(config)
    bound = 1 / 20
    for parameter in (model.recurrent.weight_hh_l0, model.output.weight):
        assert bound * 0.99 < parameter.abs().max() <= bound
        assert parameter.mean().abs() < bound / 50
    assert model.embedding.weight.std().item() == pytest.approx(1, abs=0.05)
    assert isinstance(model.embedding, nn.Embedding)


def test_configurations_that_are_refused(trained: tuple[Path, str]) -> None:
    with pytest.raises(UsageError, match=r"has no cell 'mgu'; it has rnn, rnn-relu, gru, lstm"):
        AutoConfig.for_model("rnnlab", cell="mgu")
    model = next((trained[0] / "checkpoint").iterdir())
    with pytest.raises(UsageError, match="this is a model folder of rnnlab; write one for tran"):
        AutoConfig.from_pretrained(model)


def test_without_transformers_one_sentence_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['transformers'] = None\n"
        "import rnnlab, rnnlab.errors\n"
        "try:\n    import rnnlab.huggingface\n"
        "except rnnlab.errors.UnavailableError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == (
        "rnnlab.huggingface needs the package transformers; install it with pip install "
        "'rnnlab[huggingface]'\n"
    ), done.stderr


def test_what_the_command_says_and_writes(
    cli: Cli, trained: tuple[Path, str], tmp_path: Path
) -> None:
    folder = tmp_path / "pets"
    done = cli("export", str(trained[0]), "--to", "huggingface", "--output", str(folder))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"exported  {folder}\nleft out  nothing\n"
    assert sorted(file.name for file in folder.iterdir()) == [
        "config.json", "generation_config.json", "model.safetensors", "tokenizer.json",
        "tokenizer_config.json",
    ]  # fmt: skip
    config = json.loads((folder / "config.json").read_text())
    assert (config["model_type"], config["left_out"]) == ("rnnlab", [])
    done = cli("import", str(folder), "--vocabulary", "v.json", "--output", str(tmp_path / "back"))
    check(done, 2, f"{folder} is a folder, which says itself what its tokens are; leave "
          "vocabulary, unknown, nonlinearity and preprocessing out")  # fmt: skip
    assert not (tmp_path / "back").exists()
