"""Dynamic evaluation: the model learns on while it reads, as compressors do.

After each segment s of the text, which is scored first,

    θ <- θ - η b g + λ (θ0 - θ) · min(R, 1/λ)    g = ∇L(s) / (√MS + ε)    R = √MS / mean(√MS)
    b = min(1, B / rms(g)),  rms over all weights

where L is the mean loss of the segment, θ0 are the trained weights, and MS is the mean, over
segments of the training text, of the squared gradient at θ0. Weights whose gradients are large in
training move in small steps, and are drawn back strongly. In text like the training text rms(g)
is about 1; where the model is far more surprised than in training, the paper's rule, which is
without b, takes a step so large that the model is lost.
The members of an ensemble learn on each by itself, and the mean of their logits is scored.
The n-gram model of a mixture learns on, too: now and then it is counted again, with the text that
has been read.

Source: Krause, Kahembwe, Murray and Renals, Dynamic evaluation of neural sequence models, 2018,
arXiv:1709.07432, section 4 (RMS with RMS global prior).

Legend: N tokens, T tokens of a segment, V vocabulary size.
"""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from rnnlab.data.tokenizer import Ids
from rnnlab.lm.compute import Compute
from rnnlab.lm.evaluate import Floats, ShareCallback, unwatched
from rnnlab.lm.joined_network import members_of
from rnnlab.lm.model import LanguageModel, detached
from rnnlab.lm.ngram_mixture import NGramMixture
from rnnlab.lm.ngram_table import NGramTable

SEGMENT = 20
"""T."""

RATE, BOUND, DECAY, EPSILON = 6e-4, 3.0, 1e-3, 1e-5
"""η, B, λ and ε; docs/how-to/ensembles.md has what other rates do."""

RECOUNT, MOST_RECOUNTS = 2_000, 25
"""The n-grams are counted again after so many tokens, or after this part of a longer text."""

STATISTICS_SEGMENTS = 500
"""Segments of the training text from which MS is estimated."""


@dataclass(frozen=True)
class Learning:
    """How a model learns on."""

    rate: float = RATE
    bound: float = BOUND
    decay: float = DECAY
    segment: int = SEGMENT
    recount: int = RECOUNT
    """0: the n-gram model does not learn on."""


def dynamic_nats(
    model: LanguageModel,
    compute: Compute,
    ids: Ids,
    train: Ids,
    mixture: NGramMixture | None = None,
    *,
    learning: Learning = Learning(),
    progress: ShareCallback = unwatched,
    documents: Sequence[int] = (),
) -> Floats:
    """Return -ln p (N-1,) of each target of `ids` (N,), with the state carried through the text.

    train: ids (M,) of training text. documents: see `target_nats`. The model is left as it is.
    """
    nats = np.empty(len(ids) - 1)
    borders = [0, *(at for at in documents if at < len(nats)), len(nats)]
    recount = max(learning.recount, len(nats) // MOST_RECOUNTS)
    counted = 0
    with compute.using_threads():
        networks = members_of(deepcopy(model).eval())
        members = [_Learner(each, compute, train, learning) for each in networks]
        for first, begin, end in _segments(borders, learning.segment):
            segment = ids[begin : end + 1]
            if begin == first:
                for member in members:
                    member.forget()
            logits = torch.stack([member.read(segment) for member in members]).mean(0)
            targets = torch.from_numpy(segment[1:]).to(logits.device)
            log_p = logits.log_softmax(1)
            if mixture is not None:
                known = ids[max(first, begin - mixture.table.reach) : end, None]
                log_p = mixture.joined(logits[:, None], known)[:, 0]
            nats[begin:end] = F.nll_loss(log_p, targets, reduction="none").cpu().numpy()
            if mixture is not None and learning.recount and end - counted >= recount:
                mixture, counted = _recounted(mixture, np.concatenate([train, ids[:end]])), end
            progress(end / len(nats))
    return nats


def _recounted(mixture: NGramMixture, ids: Ids) -> NGramMixture:
    """Return the mixture with the n-grams of other ids (M,), and the same gate."""
    known = mixture.table
    table = NGramTable.count(ids, known.vocabulary_size, len(known.orders), known.start)
    return NGramMixture(table, mixture.gate)


def _segments(borders: Sequence[int], size: int) -> Iterator[tuple[int, int, int]]:
    """Yield where the document, the segment and the next segment begin."""
    for first, last in pairwise(borders):
        for begin in range(first, last, size):
            yield first, begin, min(begin + size, last)


class _Learner:
    """A network that learns from each segment after it has read it."""

    def __init__(
        self, model: LanguageModel, compute: Compute, train: Ids, learning: Learning
    ) -> None:
        self.model, self.compute, self.learning = model, compute, learning
        self.state = model.zero_state(1)
        self.parameters = list(model.parameters())
        self.start = [p.detach().clone() for p in self.parameters]
        roots = [each.sqrt() for each in self._mean_squares(train, learning.segment)]
        self.count = sum(root.numel() for root in roots)
        mean = torch.stack([root.sum() for root in roots]).sum() / self.count
        self.roots = [root + EPSILON for root in roots]
        self.decays = [(learning.decay * root / mean).clamp(max=1) for root in roots]

    def read(self, ids: Ids) -> Tensor:
        """Return the logits (T, V) for all but the first of ids (T+1,), then learn from them."""
        logits, gradients = self._gradients(ids)
        with torch.no_grad():
            scaled = [g / root for g, root in zip(gradients, self.roots, strict=True)]
            square = torch.stack([each.square().sum() for each in scaled]).sum()
            rms = float(square / self.count) ** 0.5
            step = self.learning.rate * min(1.0, self.learning.bound / rms) if rms else 0.0
            for p, start, decay, each in zip(
                self.parameters, self.start, self.decays, scaled, strict=True
            ):
                p.lerp_(start, decay).sub_(each, alpha=step)
        return logits

    def forget(self) -> None:
        """Begin a document."""
        self.state = self.model.zero_state(1)

    def _forward(self, ids: Ids) -> Tensor:
        """Return logits (T, V) after ids (T,); the state is kept, without its gradient."""
        with self.compute.autocast():
            tokens = torch.from_numpy(ids)[:, None].to(self.compute.device)
            logits, state = self.model(tokens, self.state, self.compute.engine)
        self.state = detached(state)
        found: Tensor = logits[:, 0].float()
        return found

    def _gradients(self, ids: Ids) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return the logits (T, V) of ids (T+1,), and the gradients of the mean loss."""
        logits = self._forward(ids[:-1])
        targets = torch.from_numpy(ids[1:]).to(logits.device)
        loss = F.cross_entropy(logits, targets)
        return logits.detach(), torch.autograd.grad(loss, self.parameters)

    def _mean_squares(self, train: Ids, segment: int) -> list[Tensor]:
        """Return for each parameter the mean squared gradient over segments of the training text.

        The segments are spread evenly over the text; each is read after the one before it.
        """
        sums = [torch.zeros_like(p) for p in self.parameters]
        count = max(1, min(STATISTICS_SEGMENTS, (len(train) - 1) // (2 * segment)))
        starts = np.linspace(0, max(0, len(train) - 1 - 2 * segment), count, dtype=np.int64)
        for start in starts:
            self.forget()
            begin = start + segment
            end = min(begin + segment, len(train) - 1)
            if begin >= end:  # a very short text
                begin, end = 0, len(train) - 1
            else:
                with torch.no_grad():
                    self._forward(train[start:begin])
            _, gradients = self._gradients(train[begin : end + 1])
            for total, gradient in zip(sums, gradients, strict=True):
                total += gradient.square()
        self.forget()
        return [total / count for total in sums]
