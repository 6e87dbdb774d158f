"""The likeliest text that is found by keeping the likeliest beginnings.

Legend: V vocabulary size, P prefix length.
"""

import numpy as np
import torch
from torch import Tensor

from rnnlab.config import GenerationSettings
from rnnlab.data.tokenizer import Ids
from rnnlab.lm.compute import Compute
from rnnlab.lm.model import LanguageModel, ModelState, evaluating
from rnnlab.lm.ngram_mixture import NGramMixture
from rnnlab.lm.sampling import IMPOSSIBLE, not_finite


def beam_search(
    model: LanguageModel,
    compute: Compute,
    prefix: Ids,
    settings: GenerationSettings,
    forbidden: int | None = None,
    mixture: NGramMixture | None = None,
) -> list[int]:
    """Return the continuation of `settings.length` tokens with the highest probability found.

    Keeps the `beam_width` likeliest texts of each length; all beams run as one batch.

    Raises DivergenceError if the model's output is NaN or infinite.
    """
    device = compute.device
    inputs = torch.from_numpy(prefix)[:, None]  # (P, 1)
    state = model.zero_state(1)
    scores = torch.zeros(1, dtype=torch.float64)  # (beams,) log probabilities
    texts = torch.empty(1, 0, dtype=torch.int64)  # (beams, written)
    read = prefix[:, None]  # (read, beams)
    with (
        compute.using_threads(), torch.inference_mode(), evaluating(model), compute.autocast()
    ):  # fmt: skip
        for _ in range(settings.length):
            logits, state = model(inputs.to(device), state, compute.engine)
            if mixture is not None:
                logits = mixture.joined(logits[-1:], read)
            steps = logits[-1].double().cpu().log_softmax(dim=1)  # (beams, V)
            if steps.isnan().any():
                raise not_finite()
            if forbidden is not None:
                steps[:, forbidden] = IMPOSSIBLE
            paths = (scores[:, None] + steps).flatten()
            possible = int(torch.isfinite(paths).sum())
            scores, best = paths.topk(min(settings.beam_width, possible))
            parents, tokens = best // model.vocabulary_size, best % model.vocabulary_size
            texts = torch.cat([texts[parents], tokens[:, None]], dim=1)
            state = _select(state, parents.to(device))
            inputs = tokens[None, :]
            read = np.concatenate([read[:, parents.numpy()], inputs.numpy()])
    return [int(token) for token in texts[0]]


def _select(state: ModelState, rows: Tensor) -> ModelState:
    return tuple(tuple(part[rows] for part in layer) for layer in state)
