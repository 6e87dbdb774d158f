"""The untrained twin: a network with the settings and the seed of a trained one, before training.

What a probe finds in it as well, training has not taught.
"""

from dataclasses import replace

from rnnlab.lm.model import LanguageModel
from rnnlab.lm.text_model import TextModel

DEFAULT_SEED = 0
"""Of a model folder, which does not say with which seed it was trained."""


def untrained_twin(model: TextModel, seed: int = DEFAULT_SEED) -> TextModel:
    """Return a model with the same sizes, tokenizer and engine, whose weights are initial ones.

    No n-gram model joins it. seed: of the run, so that these are the weights it began with.
    """
    trained = model.model
    network = LanguageModel(trained.settings, trained.vocabulary_size, seed, trained.start)
    return replace(model, network=network.to(model.compute.device), mixture=None)
