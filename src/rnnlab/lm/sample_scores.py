"""How likely a model finds samples: lines or documents, each a text of its own.

For the tokens x_1 .. x_n of a sample, between a start and an end that are both the line break,

    nats = Σ_t -ln p(x_t | start x_1 .. x_(t-1)) - ln p(end | start x_1 .. x_n)

A model of samples has learned this. A model of a running text reads each line as if the text began
with it, after a line break.

Bits per character are the length of a code for the sample and its end: nats, and the spelling of
unknown tokens (`rnnlab.data.spelling`), divided by the characters, of which the end is one.

Legend: N samples, M targets of all of them.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rnnlab.data.labelled_tokenizer import LABELS, labels_of
from rnnlab.data.preprocessing import preprocess
from rnnlab.data.samples import SEPARATOR, start_of_samples, within
from rnnlab.data.tokenizer import Ids, Tokenizer
from rnnlab.errors import UsageError
from rnnlab.lm.compute import Compute
from rnnlab.lm.evaluate import Floats, target_nats
from rnnlab.lm.ngram_mixture import NGramMixture
from rnnlab.lm.ngram_table import NGramTable
from rnnlab.lm.sampling import not_finite
from rnnlab.lm.stored_network import StoredNetwork

if TYPE_CHECKING:
    from rnnlab.lm.model import LanguageModel


@dataclass(frozen=True, repr=False)
class SampleScores:
    """How likely each of N samples is."""

    nats: Floats  # (N,)
    spelling_nats: Floats  # (N,)
    characters: Ids  # (N,) without the end
    unknown_characters: Ids  # (N,)
    token_nats: Floats  # (M,) of all samples, each with its end
    token_places: Ids  # (M,) the character of its sample at which each token begins
    borders: Ids  # (N + 1,) where the targets of each sample begin, and where the last ones end

    @property
    def bits_per_character(self) -> Floats:
        """See the module, (N,)."""
        nats = self.nats + self.spelling_nats
        found: Floats = nats / np.log(2) / (self.characters + 1)
        return found

    @property
    def worst(self) -> Ids:
        """The numbers of the most surprising targets, one of each sample, (N,)."""
        owner = np.repeat(np.arange(len(self)), np.diff(self.borders))
        order = np.lexsort((-self.token_nats, owner))
        return order[self.borders[:-1]]

    def targets(self, sample: int) -> slice:
        """Return which targets are those of a sample."""
        return slice(*self.borders[sample : sample + 2].tolist())

    def __len__(self) -> int:
        return len(self.nats)

    def __repr__(self) -> str:
        figures = self.bits_per_character
        about = f", {figures.mean():.3f} bits/character on average" if len(self) else ""
        return f"SampleScores({len(self):,} samples{about})"


class SampleScorer:
    """Scores samples with a model; makes what it needs for that once."""

    def __init__(
        self,
        network: LanguageModel | StoredNetwork,
        mixture: NGramMixture | None,
        tokenizer: Tokenizer,
        rule: str,
        compute: Compute,
        of_documents: bool = False,
    ) -> None:
        """Take the parts of a `TextModel`; of_documents: samples may have line breaks.

        Raises UsageError if the tokenizer does not know the line break.
        """
        self.tokenizer, self.rule, self.compute = tokenizer, rule, compute
        self.start = start_of_samples(tokenizer)
        self.network, self.mixture = network, mixture
        self.of_documents = of_documents
        if network.start is None:
            self.network = copy.copy(network)  # with the same weights
            self.network.start = self.start
            if mixture is not None:
                table = mixture.table
                table = NGramTable(table.orders, table.vocabulary_size, self.start)
                self.mixture = NGramMixture(table, mixture.gate)

    def score(self, samples: Sequence[str], first: int = 1) -> SampleScores:
        """Score samples (N,) under the model's text rule; first: the number of the first in errors.

        Raises UsageError for a line with a line break, or for a sample without a label if the
        model has labels; DivergenceError if the model's output is NaN.
        """
        if labels_of(self.tokenizer) and not all(map(LABELS.match, samples)):
            raise UsageError(
                "the samples of this model have labels; rnnlab classify reads samples without one"
            )
        prepared = [self.prepared(sample) for sample in samples]
        if odd := [i for i, sample in enumerate(prepared, first) if SEPARATOR in sample]:
            raise UsageError(f"sample {odd[0]} has a line break; a sample is one line")
        text = SEPARATOR + "".join(sample + SEPARATOR for sample in prepared)
        ids, nothing = self.tokenizer.encode(text), np.empty(0)
        nats = nothing
        if prepared:
            nats = target_nats(self.network, self.compute, ids, "carried", mixture=self.mixture)
        if np.isnan(nats).any():
            raise not_finite()
        borders = np.flatnonzero(ids == self.start)
        lengths = np.array([len(sample) for sample in prepared], np.int64)
        begins = np.concatenate([[0], (lengths + 1).cumsum()])[: len(prepared)] + 1
        owner = np.repeat(np.arange(len(prepared)), np.diff(borders))
        spelling, unknown = np.zeros(len(prepared)), np.zeros(len(prepared), np.int64)
        for i in self._with_unknown_tokens(ids, owner):
            charges = self.tokenizer.charges(prepared[i])
            spelling[i], unknown[i] = charges.spelling_nats, charges.unknown_characters
        return SampleScores(
            nats=np.add.reduceat(nats, borders[:-1]) if prepared else nothing,
            spelling_nats=spelling,
            characters=lengths,
            unknown_characters=unknown,
            token_nats=nats,
            token_places=self.tokenizer.ends(text)[:-1] - begins[owner],
            borders=borders,
        )

    def prepared(self, sample: str) -> str:
        """Return a sample as the model reads it, with the character of its label if it has one."""
        label = sample[:1] if LABELS.match(sample) else ""
        text = preprocess(sample[len(label) :].rstrip(), self.rule).rstrip()
        return label + (within(text) if self.of_documents else text)

    def _with_unknown_tokens(self, ids: Ids, owner: Ids) -> Iterator[int]:
        if self.tokenizer.unknown_id is not None:
            yield from np.unique(owner[ids[1:] == self.tokenizer.unknown_id]).tolist()
