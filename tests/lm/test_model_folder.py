"""The model folder: what goes in comes out to the bit; damage is named, never loaded."""

import io
import json
import pickle
import resource
import struct
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnlab.config import ModelSettings
from rnnlab.data.tokenizer import BpeTokenizer, ByteTokenizer, CharTokenizer, WordTokenizer
from rnnlab.errors import ModelFolderError, UsageError
from rnnlab.files import sealed, write_json
from rnnlab.lm.model import LanguageModel
from rnnlab.lm.model_folder import find_model, load_network, save_model

TEXT = "über the sea,\nthe naïve 🙂 sea\n" * 3
TOKENIZERS = {
    "char": CharTokenizer.train(TEXT),
    "byte": ByteTokenizer(),
    "word": WordTokenizer.train(TEXT, 1),
    "bpe": BpeTokenizer.train(TEXT, 270),
}
CHAR = TOKENIZERS["char"]
FILES = {"config.json", "model.safetensors", "tokenizer.json"}


@pytest.fixture
def folder(make_model, tmp_path):
    """A sound folder of a small LSTM over characters."""
    save_model(tmp_path / "model", make_model(CHAR.size), CHAR, {"note": "für später"})
    return tmp_path / "model"


@pytest.fixture(scope="module")
def damaged(tmp_path_factory):
    """A folder whose weight file hypothesis may spoil, and that file's sound content."""
    folder = tmp_path_factory.mktemp("model")
    model = LanguageModel(ModelSettings(hidden_size=4, embedding_size=3), CHAR.size)
    save_model(folder, model, CHAR, {})
    return folder, (folder / "model.safetensors").read_bytes()


def refusal(folder):
    with pytest.raises(ModelFolderError) as caught:
        load_network(folder)
    return str(caught.value)


@pytest.mark.parametrize("cell", ["rnn", "rnn-relu", "gru", "lstm"])
@pytest.mark.parametrize("kind", TOKENIZERS)
@pytest.mark.parametrize("tied", [False, True], ids=["untied", "tied"])
def test_round_trip_keeps_every_bit(make_model, tmp_path, cell, kind, tied):
    tokenizer = TOKENIZERS[kind]
    options = {"embedding_size": 8, "tie_weights": True} if tied else {"num_layers": 2}
    model = make_model(tokenizer.size, cell=cell, dropout=0.25, **options)
    save_model(tmp_path, model, tokenizer, {"data": {"preprocessing": "lower"}})
    torch.manual_seed(99)
    stored, again, config = load_network(tmp_path)
    loaded = stored.module()
    assert loaded.settings == model.settings
    assert list(loaded.state_dict()) == list(model.state_dict())
    for found, wanted in zip(loaded.parameters(), model.parameters(), strict=True):
        assert torch.equal(found, wanted)
        assert found.requires_grad
    assert (loaded.output.weight is getattr(loaded.embedding, "weight", None)) is tied
    text = "The naïve 🙂 owl\n"
    assert again.kind == kind
    assert again.size == tokenizer.size
    np.testing.assert_array_equal(again.encode(text), tokenizer.encode(text))
    assert config["data"] == {"preprocessing": "lower"}


def test_folder_holds_json_and_raw_numbers_alone(folder):
    assert {path.name for path in folder.iterdir()} == FILES
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert (config["format"], config["vocabulary_size"]) == (1, CHAR.size)
    assert config["note"] == "für später"
    content = (folder / "model.safetensors").read_bytes()
    (size,) = struct.unpack("<Q", content[:8])
    header, data = json.loads(content[8 : 8 + size]), content[8 + size :]
    del header["__metadata__"]
    model = load_network(folder)[0].module()
    assert header.keys() == dict(model.named_parameters()).keys()
    for name, parameter in model.named_parameters():
        start, end = header[name]["data_offsets"]
        assert header[name]["dtype"] == "F32"
        stored = np.frombuffer(data[start:end], "<f4").reshape(header[name]["shape"])
        np.testing.assert_array_equal(stored, parameter.detach().numpy())
    assert sum(p.numel() for p in model.parameters()) * 4 == len(data)


def test_saving_again_replaces_the_weights_and_leaves_nothing_else(folder, make_model):
    other = make_model(CHAR.size, seed=5)
    save_model(folder, other, CHAR, {})
    assert torch.equal(load_network(folder)[0].module().output.weight, other.output.weight)
    assert {path.name for path in folder.iterdir()} == FILES


@settings(deadline=None, max_examples=60)
@given(share=st.floats(0, 1, exclude_max=True))
def test_weight_file_cut_anywhere_is_refused(damaged, share):
    folder, sound = damaged
    file = folder / "model.safetensors"
    file.write_bytes(sound[: int(share * len(sound))])
    assert refusal(folder).startswith(f"{file}: damaged, not a safetensors file: ")


@settings(deadline=None, max_examples=150)
@given(position=st.integers(0, 700), bit=st.integers(0, 7))
def test_bit_flipped_in_the_header_is_refused_or_harmless(damaged, position, bit):
    folder, sound = damaged
    content = bytearray(sound)
    content[position % (8 + struct.unpack("<Q", sound[:8])[0])] ^= 1 << bit
    (folder / "model.safetensors").write_bytes(sound)
    expected, _, _ = load_network(folder)
    (folder / "model.safetensors").write_bytes(content)
    with suppress(ModelFolderError):
        found, _, _ = load_network(folder)
        np.testing.assert_equal(found.arrays, expected.arrays)


def with_tensors(**replaced):
    def change(folder):
        file = folder / "model.safetensors"
        tensors = safetensors.torch.load(file.read_bytes()) | replaced
        kept = {name: tensor for name, tensor in tensors.items() if tensor is not None}
        file.write_bytes(safetensors.torch.save(kept))

    return change


def with_json(name, **replaced):
    def change(folder):
        content = json.loads((folder / name).read_bytes()) | replaced
        write_json(folder / name, sealed(content))

    return change


def with_bytes(name, content):
    return lambda folder: (folder / name).write_bytes(content)


def without(name):
    return lambda folder: (folder / name).unlink()


SMALL = {"hidden_size": 9, "embedding_size": 5}


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            with_json("config.json", model=SMALL),
            "{0}/model.safetensors: recurrent.weight_ih_l0 is (32, 5) F32, "
            "config.json says (36, 5) F32",
        ),
        (
            with_tensors(**{"output.bias": torch.zeros(3)}),
            "{0}/model.safetensors: output.bias is (3,) F32, "
            f"config.json says ({CHAR.size},) F32",
        ),
        (
            with_tensors(**{"output.bias": torch.zeros(CHAR.size, dtype=torch.float64)}),
            f"{{0}}/model.safetensors: output.bias is ({CHAR.size},) F64, "
            f"config.json says ({CHAR.size},) F32",
        ),
        (
            with_tensors(**{"output.bias": None, "more": torch.zeros(1)}),
            "{0}/model.safetensors: the parameters are not those of config.json: "
            "['more', 'output.bias']",
        ),
        (without("config.json"), "{0}/config.json: cannot be read: No such file or directory"),
        (
            without("tokenizer.json"),
            "{0}/tokenizer.json: cannot be read: No such file or directory",
        ),
        (
            without("model.safetensors"),
            "{0}/model.safetensors: cannot be read: No such file or directory",
        ),
        (with_bytes("config.json", b"[1]"), "{0}/config.json: damaged, must hold a JSON object"),
        (
            with_json("config.json", format=2),
            "{0}/config.json: format 2 is not known; this version of rnnlab reads format 1",
        ),
        (
            with_json("tokenizer.json", type="morse"),
            "{0}/tokenizer.json: not a tokenizer: unknown tokenizer type 'morse'",
        ),
        (
            with_bytes("tokenizer.json", b"{}"),
            "{0}/tokenizer.json: not a tokenizer: 'type' is missing",
        ),
        (
            with_json("tokenizer.json", characters={"a": 1}),
            "{0}/tokenizer.json: not a tokenizer: characters must be text",
        ),
        (
            with_json("tokenizer.json", type="word", words=[1]),
            "{0}/tokenizer.json: not a tokenizer: words must all be text",
        ),
        (
            with_json("tokenizer.json", type="word", words="ab"),
            "{0}/tokenizer.json: not a tokenizer: words must be a list",
        ),
        (
            with_json("tokenizer.json", characters="abc"),
            f"{{0}}: tokenizer.json has 4 tokens, config.json says {CHAR.size}",
        ),
    ],
)
def test_damage_is_refused_by_file_and_fault(folder, damage, message):
    load_network(folder)
    damage(folder)
    assert refusal(folder) == message.format(folder)


@pytest.mark.parametrize(
    ("damage", "start"),
    [
        (with_bytes("config.json", b'{"format": 1'), "{0}/config.json: damaged, not JSON: "),
        (with_bytes("config.json", b"\xff\xfe"), "{0}/config.json: damaged, not JSON: "),
        (with_bytes("tokenizer.json", b'{"\xff"}'), "{0}/tokenizer.json: damaged, not JSON: "),
        (
            with_bytes("model.safetensors", b""),
            "{0}/model.safetensors: damaged, not a safetensors ",
        ),
        (
            with_json("config.json", model={"hidden_sise": 8}),
            "{0}/config.json: no model settings: unknown key 'hidden_sise'; did you mean ",
        ),
        (with_json("config.json", model=3), "{0}/config.json: no model settings: must be "),
        (
            with_json("config.json", model={"cell": "gro"}),
            "{0}/config.json: no model settings: cell must be 'rnn', 'rnn-relu', 'gru', 'lstm' or ",
        ),
    ],
)
def test_damage_that_a_library_finds_is_refused_with_its_words(folder, damage, start):
    damage(folder)
    message = refusal(folder)
    assert message.startswith(start.format(folder))
    assert len(message) > len(start.format(folder))


def touch(*files):
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


def test_find_model_takes_a_model_folder_as_it_is(tmp_path):
    touch(tmp_path / "config.json", tmp_path / "checkpoint" / "best" / "config.json")
    assert find_model(tmp_path) == (tmp_path, "")


@pytest.mark.parametrize(
    ("present", "asked", "found"),
    [
        (["best", "last"], "best", "best"),
        (["best", "last"], "last", "last"),
        (["last"], "best", "last"),
        (["last"], "last", "last"),
    ],
)
def test_find_model_takes_the_checkpoint_asked_for_or_the_last(tmp_path, present, asked, found):
    touch(*(tmp_path / "checkpoint" / name / "config.json" for name in present))
    assert find_model(tmp_path, asked) == (tmp_path / "checkpoint" / found, found)


def test_find_model_never_gives_best_for_last(tmp_path):
    touch(tmp_path / "config.toml", tmp_path / "checkpoint" / "best" / "config.json")
    with pytest.raises(UsageError, match="has no checkpoint yet"):
        find_model(tmp_path, "last")


@pytest.mark.parametrize(
    ("files", "path", "reason"),
    [
        ([], "", "is not a run directory"),
        (["config.toml"], "", "has no checkpoint yet"),
        ([], "nowhere", "does not exist"),
    ],
)
def test_find_model_says_what_is_missing(tmp_path, files, path, reason):
    touch(*(tmp_path / name for name in files))
    with pytest.raises(UsageError) as caught:
        find_model(tmp_path / path)
    assert str(caught.value) == (
        f"model {str(tmp_path / path)!r} {reason}; give a run directory or a model folder"
    )


class Malice:
    """Makes a file when it is unpickled."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return Path.touch, (self.file,)


def torch_save(value):
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


def torch_load(content):
    return torch.load(io.BytesIO(content), weights_only=False)


@pytest.mark.parametrize("name", sorted(FILES))
@pytest.mark.parametrize(
    ("save", "load"),
    [(pickle.dumps, pickle.loads), (torch_save, torch_load)],
    ids=["pickle", "torch"],
)
def test_a_malicious_pickle_is_refused_and_nothing_runs(folder, name, save, load, tmp_path):
    malice = Malice(tmp_path / "ran")
    (folder / name).write_bytes(save(malice))
    assert refusal(folder).startswith(f"{folder / name}: damaged, not ")
    assert not (tmp_path / "ran").exists()
    load((folder / name).read_bytes())
    assert (tmp_path / "ran").exists()  # where pickles are read


@pytest.mark.parametrize(
    "model",
    [
        {"hidden_size": 65536, "num_layers": 64},
        {"hidden_size": 65536, "embedding_size": 65536},
        {"hidden_size": 65536, "init": "orthogonal"},
    ],
)
def test_an_absurd_size_is_refused_before_memory_is_taken(folder, model):
    """The first of these models has eight terabytes of weights."""
    with_json("config.json", model=model)(folder)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    message = refusal(folder)
    assert message.startswith(f"{folder / 'model.safetensors'}: ")
    assert "config.json" in message
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KiB


def test_one_wrong_bit_in_the_weights_is_found(folder):
    file = folder / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)
    assert refusal(folder) == f"{file}: damaged, its checksum does not match"


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json"])
def test_another_number_in_a_sealed_file_is_found(folder, name):
    content = json.loads((folder / name).read_bytes())
    content["note"] = "changed"
    write_json(folder / name, content)
    assert refusal(folder) == f"{folder / name}: damaged, its checksum does not match"
