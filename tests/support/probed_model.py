"""Small models of characters with a text to read, for tests of probes."""

import numpy as np

from rnnlab.config import ComputeSettings, ModelSettings
from rnnlab.data.tokenizer import CharTokenizer
from rnnlab.lm.compute import Compute
from rnnlab.lm.model import LanguageModel
from rnnlab.lm.ngram_mixture import NGramMixture
from rnnlab.lm.ngram_table import NGramTable
from rnnlab.lm.text_model import TextModel

ALPHABET = "abcde \n"
TEXT = "".join(np.random.default_rng(1).choice(list(ALPHABET), 1_200))


def build(
    seed: int = 3,
    *,
    start: int | None = None,
    with_ngrams: bool = False,
    engine: str = "auto",
    **settings: object,
) -> TextModel:
    """Return an untrained model with large weights, so that what it reads matters."""
    tokenizer = CharTokenizer.train(ALPHABET, 0)
    sizes = ModelSettings(**{"hidden_size": 9, "embedding_size": 5} | settings)  # type: ignore[arg-type]
    model = LanguageModel(sizes, tokenizer.size, seed, start)
    for parameter in model.parameters():
        parameter.data.mul_(2)
    compute = Compute.choose(ComputeSettings(device="cpu", engine=engine), sizes.cell)
    mixture = None
    if with_ngrams:
        ids = tokenizer.encode(TEXT[::-1])
        gate = np.array([[0.7, 0.4], [0.1, -0.1]])
        mixture = NGramMixture(NGramTable.count(ids, tokenizer.size, 4, start), gate)
    return TextModel(model, tokenizer, "none", compute, {"data": {}}, mixture=mixture)
