"""The n-gram part of a model folder: ngram.safetensors."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from rnnlab.data.tokenizer import Tokenizer
from rnnlab.engines.engine import Successors
from rnnlab.errors import ModelFolderError
from rnnlab.files import CHECKSUM, sealed
from rnnlab.lm.ngram import discounts
from rnnlab.lm.ngram_mixture import NGramMixture
from rnnlab.lm.ngram_table import NGramTable
from rnnlab.lm.tensor_file import Arrays, Described, checksum, read_arrays, write_arrays

NGRAM = "ngram.safetensors"

PARTS = ("starts", "symbols", "counts")

MAX_NGRAMS = 2**26
"""The most k-grams of all orders together, 0.8 GB."""


def remove_ngram(folder: Path) -> None:
    """Remove the n-gram part of a model folder, if it has one."""
    (folder / NGRAM).unlink(missing_ok=True)


def write_ngram(folder: Path, mixture: NGramMixture, tokenizer: Tokenizer, weights: Arrays) -> None:
    """Replace the n-gram part of a model folder; `weights` are the network's."""
    arrays = {
        f"{part}_{k}": getattr(each, part)
        for k, each in enumerate(mixture.table.orders, start=1)
        for part in PARTS
    }
    arrays["gate"] = mixture.gate
    write_arrays(folder / NGRAM, arrays, _ties(tokenizer, weights))


def _ties(tokenizer: Tokenizer, weights: Arrays) -> dict[str, str]:
    """Return checksums of what the n-grams and the gate belong to."""
    return {
        "tokenizer": sealed(tokenizer.to_json())[CHECKSUM],
        "weights": checksum(weights, ""),
    }


def read_ngram(
    folder: Path,
    order: int,
    tokenizer: Tokenizer,
    weights: Arrays,
    start: int | None = None,
) -> NGramMixture:
    """Read what `write_ngram` wrote; `order` is the one in config.json, `start` as in `NGram`.

    Raises ModelFolderError, which names the file and what is wrong with it.
    """
    file, size = folder / NGRAM, tokenizer.size

    def check(tensors: Mapping[str, Described]) -> None:
        if fault := _fault(tensors, order, size):
            raise ModelFolderError(f"{file}: {fault}")

    arrays, facts = read_arrays(file, check)
    for name, tie in _ties(tokenizer, weights).items():
        if facts.get(name) != tie:
            raise ModelFolderError(f"{file}: belongs to another model, with other {name}")
    orders = list[Successors]()
    for k in range(1, order + 1):
        starts, symbols, counts = (arrays[f"{part}_{k}"] for part in PARTS)
        if not _is_sound(starts, symbols, counts, size):
            raise ModelFolderError(f"{file}: damaged, order {k} is not a table of successors")
        orders.append(Successors(starts, symbols, counts, discounts(counts)))
    if not np.isfinite(arrays["gate"]).all():
        raise ModelFolderError(f"{file}: damaged, the gate holds NaN or infinite numbers")
    return NGramMixture(NGramTable(orders, size, start), arrays["gate"])


def _fault(tensors: Mapping[str, Described], order: int, vocabulary_size: int) -> str:
    """Say what is wrong with names, shapes and types, or return ""."""
    names = {f"{part}_{k}" for k in range(1, order + 1) for part in PARTS} | {"gate"}
    if odd := sorted(names ^ tensors.keys()):
        return f"it does not have the n-grams of order {order} that config.json names: {odd[:3]}"
    total, contexts = 0, 1
    for k in range(1, order + 1):
        entries = tensors[f"symbols_{k}"].shape[:1] or (0,)
        total += entries[0]
        shapes = {"starts": (contexts + 1,), "symbols": entries, "counts": entries}
        for part, shape in shapes.items():
            found = tensors[f"{part}_{k}"]
            if found != Described(shape, "I32"):
                return f"{part}_{k} is {found}, it must be {Described(shape, 'I32')}"
        if not 0 < entries[0] <= contexts * vocabulary_size:
            return f"belongs to another model: {entries[0]:,} n-grams of order {k} are impossible"
        contexts = entries[0]
    if total > MAX_NGRAMS:
        return f"{total:,} n-grams are more than the {MAX_NGRAMS:,} that a model may have"
    wanted = Described((2, 2), "F64")
    return "" if tensors["gate"] == wanted else f"gate is {tensors['gate']}, it must be {wanted}"


def _is_sound(
    starts: np.ndarray, symbols: np.ndarray, counts: np.ndarray, vocabulary_size: int
) -> bool:
    """Whether rows are in order, and symbols ascend within each."""
    if starts[0] != 0 or starts[-1] != len(symbols) or (np.diff(starts) < 0).any():
        return False
    inner = np.ones(len(symbols), bool)
    inner[starts[:-1][np.diff(starts) > 0]] = False  # the first of each row
    return bool(
        (counts > 0).all()
        and symbols.min() >= 0
        and symbols.max() < vocabulary_size
        and (np.diff(symbols, prepend=-1) > 0)[inner].all()
    )
