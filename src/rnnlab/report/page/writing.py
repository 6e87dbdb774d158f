"""Makes a page of a model: what is rounded, measured, stored and left out."""

import zlib
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from rnnlab import __version__
from rnnlab.cells import CELLS, short_name
from rnnlab.errors import UsageError
from rnnlab.files import make_folder, write_atomically
from rnnlab.lm.model_folder import weights_of
from rnnlab.lm.ngram_mixture import NGramMixture
from rnnlab.lm.stored_network import StoredNetwork
from rnnlab.lm.text_model import TextModel
from rnnlab.report.page.golden import TOLERANCE, golden
from rnnlab.report.page.held_out import HeldOut, held_out
from rnnlab.report.page.packed_ngrams import PackedOrder, first_orders, packed_orders
from rnnlab.report.page.page_tokenizers import page_tokenizer
from rnnlab.report.page.rendering import HERE, About, rendered, size_in_page
from rnnlab.report.page.stored_weights import StoredWeights, stored_weights

MOST_NGRAMS = 1_500_000
"""Bytes of the page that an n-gram model may take; of a larger one the longest are left out."""

LARGEST = 30_000_000
"""Bytes of weights in the largest page."""

FIRST_TEXT = "The "
"""What the page reads when it is opened, or what is left of it under the text rule."""


def write_page(
    model: TextModel, network: StoredNetwork, output: Path, *, weights: str, name: str
) -> list[str]:
    """Write a model as a page, and return what is left out.

    weights: one of WEIGHTS. name: what the page is called.

    Raises UsageError for a cell or a tokenizer that a page lacks, for a model that is too large,
    and for weights that cannot be rounded.
    """
    if network.settings.cell not in CELLS:
        raise UsageError(
            f"a page has no cell {short_name(network.settings.cell)!r}; it has {', '.join(CELLS)}"
        )
    tokenizer = page_tokenizer(model.tokenizer)
    stored = stored_weights(network.arrays, weights)
    if (size := size_in_page(stored.content)) > LARGEST:
        smaller = "" if weights == "int8" else "; --weights int8 takes half of it"
        raise UsageError(
            f"the weights would take {size / 1e6:,.0f} MB of the page, more than "
            f"{LARGEST / 1e6:,.0f} MB{smaller}"
        )
    rounded = replace(network, arrays=stored.arrays)
    packed = [] if model.mixture is None else packed_orders(model.mixture.table)
    sizes = accumulate(size_in_page(order.content) for order in packed)
    kept = packed[: sum(size <= MOST_NGRAMS for size in sizes)]
    mixture = None if model.mixture is None else first_orders(model.mixture, len(kept))
    here = replace(model, network=rounded, mixture=mixture)
    measured = held_out(model, here, weights)
    wanted = golden(rounded, mixture)
    described = _described(model, network, stored) | {
        "tokenizer": tokenizer,
        "golden": {"ids": wanted.ids.tolist(), "tolerance": TOLERANCE},
    }
    parts = {
        "weights": stored.content,
        "kernel": (HERE / "kernel.wasm").read_bytes(),
        "golden": wanted.logits.tobytes(),
    }
    if mixture is not None and wanted.mixed is not None:
        ngrams = b"".join(order.content for order in kept)
        described["ngram"] = {
            "orders": [order.about() for order in kept],
            "gate": np.asarray(mixture.gate).tolist(),
            "checksum": zlib.crc32(ngrams),
        }
        parts |= {"ngram": ngrams, "golden-mixed": wanted.mixed.tobytes()}
    left_out = list(measured.left_out)
    if len(kept) < len(packed):
        left_out.append(_left_out(packed, len(kept), measured))
    about = _about(here, measured, left_out, weights, name)
    page = rendered(about, described, parts)
    make_folder(output.absolute().parent)
    write_atomically(output, page.encode())
    return left_out


def _described(model: TextModel, network: StoredNetwork, stored: StoredWeights) -> dict[str, Any]:
    """Return what the page's program needs to know of a network."""
    settings = network.settings
    is_one_hot = settings.input == "one-hot"
    return {
        "cell": settings.cell,
        "H": settings.hidden_size,
        "L": settings.num_layers,
        "V": network.vocabulary_size,
        "E": 0 if is_one_hot else settings.embedding_size,
        "oneHot": is_one_hot,
        "tied": settings.tie_weights and not is_one_hot,
        "start": network.start,
        "startIds": model.tokenizer.start_ids().tolist(),
        "unknown": model.tokenizer.unknown_id,
        "rule": model.preprocessing,
        "documents": model.of_documents,
        "tensors": stored.tensors,
        "checksum": zlib.crc32(stored.content),
        "ngram": None,
    }


def _left_out(packed: list[PackedOrder], kept: int, measured: HeldOut) -> str:
    """Say which n-grams are not on the page, and what that costs."""
    size = sum(size_in_page(order.content) for order in packed)
    which = f"n-grams longer than {kept} of" if kept else "n-gram model,"
    worth = "not measured"
    if measured.longer_ngrams is not None:
        worth = f"{measured.longer_ngrams:.3f} bits per character of the held-out text"
    return (
        f"the {which} order {len(packed)}: all would take {size / 1e6:.1f} MB of the page, more "
        f"than {MOST_NGRAMS / 1e6:.1f} MB; what they are worth: {worth}"
    )


def _about(
    here: TextModel, measured: HeldOut, left_out: list[str], weights: str, name: str
) -> About:
    network, settings = here.network, here.network.settings
    count = sum(array.size for array in weights_of(network).values())
    layers = f"{settings.num_layers} layers of " if settings.num_layers > 1 else ""
    summary = (
        f"A language model: {layers}{settings.cell.upper()} with {settings.hidden_size:,} units, "
        f"{count:,} weights in {weights}, {network.vocabulary_size:,} tokens "
        f"({here.tokenizer.kind})."
    )
    first = here.prepared(FIRST_TEXT) if network.start is None else ""
    if here.tokenizer.unknown_parts(first):
        first = ""
    return About(
        name, summary, measured, _about_ngrams(here.mixture, measured, left_out), first,
        settings.hidden_size, settings.num_layers, network.vocabulary_size,
        f"Made by rnnlab {__version__}.",
    )  # fmt: skip


def _about_ngrams(mixture: NGramMixture | None, measured: HeldOut, left_out: list[str]) -> str:
    said = []
    if mixture is not None:
        joins = (
            f"An n-gram model of order {len(mixture.table.orders)} joins the network on this page"
        )
        worth = measured.ngrams
        said.append(
            f"{joins}."
            if worth is None
            else f"{joins}: it is worth {worth:.3f} bits per character."
        )
    if len(left_out) > len(measured.left_out):
        said.append(f"Left out: {left_out[-1]}.")
    return " ".join(said)
