"""Sampling settings that depend on what was written: against a plain loop, in every engine."""

import numpy as np
import pytest
import torch

from rnnlab.config import GenerationSettings
from rnnlab.engines import ENGINES
from rnnlab.lm.compute import Compute
from rnnlab.lm.generate import generate_ids
from rnnlab.lm.ngram_mixture import NGramMixture
from rnnlab.lm.ngram_table import NGramTable
from rnnlab.lm.sampling import draw_uniforms

PREFIXES = [np.array([1, 2, 2]), np.array([5]), np.array([3, 4, 0, 1, 6])]
LENGTH = 12


def plain_loop(model, mixture, prefix, stream, temperature, min_p, penalty, forbidden):
    ids, uniforms = prefix.tolist(), draw_uniforms(4, stream, LENGTH)
    for step in range(LENGTH):
        with torch.no_grad():
            logits, _ = model(torch.tensor(ids)[:, None], model.zero_state(1), ENGINES["textbook"])
        if mixture is not None:
            logits = mixture.joined(logits[-1:], np.array(ids)[:, None])
        p = np.exp(logits[-1, 0].double().numpy())
        p[forbidden] = 0
        p /= p.sum()
        for token in {*ids[len(prefix) :]}:
            p[token] **= penalty
        if not temperature:
            ids.append(int(p.argmax()))
            continue
        p = (p / p.max()) ** (1 / temperature)
        p[p < min_p] = 0
        order = np.argsort(-p, kind="stable")
        at = np.searchsorted(np.cumsum(p[order]), uniforms[step] * p.sum(), side="right")
        ids.append(int(order[at]))
    return ids[len(prefix) :]


@pytest.mark.parametrize("engine", ["builtin", "native"])
@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize(
    ("temperature", "min_p", "penalty"),
    [(0.9, 0.3, 1.0), (1.5, 0.0, 2.0), (0.7, 0.1, 0.5), (0, 0.0, 1.7)],
)
def test_texts_are_those_of_a_plain_loop(make_model, engine, mixed, temperature, min_p, penalty):
    model, mixture = make_model(7, init="normal", init_std=0.8), None
    if mixed:
        table = NGramTable.count(np.arange(400) ** 2 % 11 % 7, 7, 3)
        mixture = NGramMixture(table, np.array([[0.6, 0.7], [0.05, -0.08]]))
    wanted = GenerationSettings(
        length=LENGTH, temperature=temperature, min_p=min_p, repetition_penalty=penalty,
        seed=4 if temperature else 0,
    )  # fmt: skip
    steps = list(generate_ids(model, Compute(ENGINES[engine]), PREFIXES, wanted, 0, mixture, 2))
    for row, prefix in enumerate(PREFIXES):
        found = [step[row] for step in steps if step[row] is not None]
        assert found == plain_loop(
            model, mixture, prefix, row + 2, temperature, min_p, penalty, forbidden=0
        )
