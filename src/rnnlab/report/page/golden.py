"""What the page checks itself by: logits of the equations as written, on made-up tokens.

Legend: T time steps, V vocabulary size.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rnnlab.engines.textbook import Textbook
from rnnlab.lm.ngram_mixture import NGramMixture
from rnnlab.lm.stored_network import StoredNetwork

MOST_STEPS, LEAST_STEPS, MOST_LOGITS = 64, 4, 16_384

TOLERANCE = 1e-4
"""The largest difference that float32 explains, as a share of the largest logit."""


class Golden(NamedTuple):
    """Tokens and what is expected after each."""

    ids: npt.NDArray[np.int64]  # (T,)
    logits: npt.NDArray[np.float32]  # (T, V), of the network
    mixed: npt.NDArray[np.float32] | None  # (T, V), ln p with the n-gram model


def golden(network: StoredNetwork, mixture: NGramMixture | None) -> Golden:
    """Compute what the page compares itself with; network: with the weights that the page has."""
    import torch

    V = network.vocabulary_size
    steps = max(LEAST_STEPS, min(MOST_STEPS, MOST_LOGITS // V))
    ids = np.random.default_rng(0).integers(0, V, steps)
    model = network.module().double().eval()
    with torch.no_grad():
        logits, _ = model(torch.from_numpy(ids)[:, None], model.zero_state(1), Textbook())
        mixed = None
        if mixture is not None:
            mixed = mixture.joined(logits, ids[:, None])[:, 0].numpy().astype("<f4")
    return Golden(ids, logits[:, 0].numpy().astype("<f4"), mixed)
