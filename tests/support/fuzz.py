"""Give arbitrary input to everything that reads files: only rnnlab's own errors may be raised.

    pip install atheris
    python tests/support/fuzz.py TARGET [SECONDS]

TARGET: settings, tokenizers, model, state or corpus.

Coverage-guided, with libFuzzer by atheris. It stops at the first failure and prints its input. Each
earlier finding is a test in `tests/`.
"""

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import atheris

with atheris.instrument_imports(include=["rnnlab"]):
    import torch
    from command_line import made_up_text

    from rnnlab.config import DataSettings, ModelSettings, Settings
    from rnnlab.data.dataset import load_dataset
    from rnnlab.data.tokenizer import CharTokenizer, tokenizer_from_json, train_tokenizer
    from rnnlab.errors import RnnlabError
    from rnnlab.experiments.plan import read_plan
    from rnnlab.files import sealed
    from rnnlab.lm.model import LanguageModel
    from rnnlab.lm.model_folder import load_network, save_model
    from rnnlab.lm.tensor_file import arrays_of, read_tensors, write_arrays
    from rnnlab.runs.files import state_files
    from rnnlab.runs.run import Run
    from rnnlab.runs.state_saver import newest_state
    from rnnlab.runs.training import train

FOLDER = Path(tempfile.mkdtemp(prefix="rnnlab-fuzz-"))
Provider = Any  # atheris.FuzzedDataProvider, which has no types


def settings(data: bytes) -> None:
    """A TOML file as settings of a run, and as an experiment."""
    file = FOLDER / "experiment.toml"
    file.write_bytes(data)
    for read in (Settings.from_toml, read_plan):
        try:
            read(file)
        except RnnlabError as error:
            assert str(error).startswith(str(file))  # noqa: PT017


def tokenizers(data: bytes) -> None:
    """Decoding inverts encoding; a tokenizer that was saved and read is the same."""
    draw = atheris.FuzzedDataProvider(data)
    kind = draw.PickValueInList(["char", "byte", "word", "bpe"])
    # Training text is read as UTF-8; JSON would join two surrogates into one character.
    learned = draw.ConsumeUnicodeNoSurrogates(draw.ConsumeIntInRange(0, 200))
    text = draw.ConsumeUnicode(400)
    if kind == "bpe" and not learned.strip():
        return
    tokenizer = train_tokenizer(DataSettings(tokenizer=kind, bpe_size=300), learned)
    ids = tokenizer.encode(text)
    assert ids.size == 0 or (ids.min() >= 0 and ids.max() < tokenizer.size)
    again = tokenizer_from_json(json.loads(json.dumps(tokenizer.to_json())))
    assert (again.encode(text) == ids).all(), (kind, learned, text)
    clean = text.encode("utf-8", "replace").decode() == text
    if clean and (kind in ("byte", "bpe") or not tokenizer.unknown_parts(text)):
        assert tokenizer.decode(ids) == text, (kind, learned, text)
    assert "".join(map(tokenizer.stream(), ids)) in ("", tokenizer.decode(ids)) or kind != "char"


MODEL = FOLDER / "model"
SOUND: dict[str, bytes] = {}


def model(data: bytes) -> None:
    """A model folder of which one file has other bytes, or other values under a valid seal."""
    if not SOUND:
        tokenizer = CharTokenizer.train("abc")
        save_model(MODEL, LanguageModel(ModelSettings(hidden_size=2, embedding_size=2), 4),
                   tokenizer, {"data": {}})  # fmt: skip
        SOUND.update({file.name: file.read_bytes() for file in MODEL.iterdir()})
    for name, content in SOUND.items():
        (MODEL / name).write_bytes(content)
    draw = atheris.FuzzedDataProvider(data)
    name = draw.PickValueInList(sorted(SOUND))
    if name.endswith(".json") and draw.ConsumeBool():
        content = changed(json.loads(SOUND[name]), draw)
        content = sealed(content) if isinstance(content, dict) else content
        (MODEL / name).write_text(json.dumps(content))
    else:
        (MODEL / name).write_bytes(spoiled(SOUND[name], draw))
    try:
        load_network(MODEL)
    except RnnlabError as error:
        assert str(MODEL) in str(error)  # noqa: PT017


RUN = FOLDER / "run"


def state(data: bytes) -> None:
    """A training state with other bytes, or other facts and tensors under a valid checksum."""
    if not SOUND:
        text = FOLDER / "text.txt"
        text.write_text(made_up_text(40))
        asked = Settings().with_changes(
            corpus=str(text), hidden_size=4, embedding_size=2, batch_size=2, num_steps=5,
            max_tokens=30, num_evaluations=0, sample_length=0, threads=1,
        )  # fmt: skip
        train(asked, RUN)
        for file in state_files(RUN):
            SOUND[str(file)] = file.read_bytes()
    draw = atheris.FuzzedDataProvider(data)
    for name, content in SOUND.items():
        Path(name).write_bytes(content)
    for file in state_files(RUN):
        if str(file) not in SOUND:
            file.unlink()
    newest, *others = state_files(RUN)
    for other in others:
        other.unlink()
    if draw.ConsumeBool():
        tensors, facts = read_tensors(newest)
        if draw.ConsumeBool():
            facts = changed(facts, draw)
        else:
            name = draw.PickValueInList(sorted(tensors))
            shape = [draw.ConsumeIntInRange(0, 4) for _ in range(draw.ConsumeIntInRange(0, 3))]
            kinds = [torch.float32, torch.uint8, torch.int64, torch.bfloat16]
            tensors[name] = torch.zeros(shape, dtype=draw.PickValueInList(kinds))
        write_arrays(newest, arrays_of(tensors), facts)
    else:
        newest.write_bytes(spoiled(SOUND[str(newest)], draw))
    try:
        newest_state(RUN)
        train(Run.open(RUN).settings, RUN, resume=True)
    except RnnlabError:
        pass


def corpus(data: bytes) -> None:
    """Any bytes as a text, under any settings."""
    draw = atheris.FuzzedDataProvider(data)
    asked = {
        "tokenizer": draw.PickValueInList(["char", "byte", "word", "bpe"]),
        "preprocessing": draw.PickValueInList(["none", "lower", "letters"]),
        "errors": draw.PickValueInList(["strict", "replace"]),
        "vocabulary": draw.PickValueInList(["train", "text"]),
        "corpus_limit": draw.ConsumeIntInRange(0, 50),
        "canaries": draw.ConsumeIntInRange(0, 3),
        "min_frequency": draw.ConsumeIntInRange(1, 3),
        "bpe_size": 260,
    }
    file = FOLDER / "text.txt"
    file.write_bytes(draw.ConsumeBytes(2000))
    try:
        dataset = load_dataset(DataSettings(corpus=str(file), **asked))
    except RnnlabError:
        return
    for part in dataset.splits.values():
        assert part.all_ids.max() < dataset.tokenizer.size


def spoiled(content: bytes, draw: Provider) -> bytes:
    """Put other bytes at a place, or cut there."""
    at = draw.ConsumeIntInRange(0, len(content))
    if draw.ConsumeBool():
        return content[:at]
    new = draw.ConsumeBytes(50)
    return content[:at] + new + content[at + draw.ConsumeIntInRange(0, 50) :]


def changed(content: Any, draw: Provider) -> Any:
    """Change a value somewhere in nested JSON to any other, or take it away."""
    if isinstance(content, dict) and content and draw.ConsumeIntInRange(0, 9):
        key = draw.PickValueInList(sorted(content))
        if draw.ConsumeIntInRange(0, 9) == 0:
            return {name: value for name, value in content.items() if name != key}
        return {**content, key: changed(content[key], draw)}
    return draw.PickValueInList(
        [None, True, -1, 0, 3, 2**70, 0.5, 1e300, "", "lstm", draw.ConsumeUnicode(9), [], [1], {}]
    )


TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target for target in (settings, tokenizers, model, state, corpus)
}

if __name__ == "__main__":
    name, seconds = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "1200"
    corpus_of_inputs = FOLDER / "inputs"
    corpus_of_inputs.mkdir()
    if name == "settings":
        for number, file in enumerate(Path(__file__).parents[2].rglob("*.toml")):
            if ".venv" not in file.parts:
                (corpus_of_inputs / str(number)).write_bytes(file.read_bytes())
    options = [f"-max_total_time={seconds}", "-timeout=60", "-rss_limit_mb=4096", "-max_len=4096"]
    atheris.Setup([sys.argv[0], *options, str(corpus_of_inputs)], TARGETS[name])
    atheris.Fuzz()
