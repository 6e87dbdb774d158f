"""Which reader reads and writes with a model: the engine's own, or one by the model's forward pass.

An engine that brings a reader of its own reads and writes without torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rnnlab.engines import Reader
from rnnlab.lm.compute import Compute
from rnnlab.lm.ngram_mixture import NGramMixture
from rnnlab.lm.stored_network import StoredNetwork, as_module

if TYPE_CHECKING:
    from rnnlab.lm.model import LanguageModel
    from rnnlab.lm.step_rules import StepRules


def make_reader(
    model: LanguageModel | StoredNetwork,
    compute: Compute,
    batch_size: int,
    num_steps: int,
    mixture: NGramMixture | None = None,
    rules: StepRules | None = None,
) -> Reader:
    """Return the engine's own reader of B sequences, or a `FallbackReader`.

    mixture: an n-gram model that joins the network; all probabilities are those of both.
    rules: what decides step by step, which no engine's own reader can do.
    """
    if rules is None:
        network = model.network()
        if mixture is not None:
            network = network._replace(mixture=mixture.arrays)
        own = compute.engine.reader(network, batch_size, num_steps, compute.precision)
        if own is not None:
            return own
    from rnnlab.lm.fallback import FallbackReader

    return FallbackReader(as_module(model, compute.device), compute, batch_size, mixture, rules)
