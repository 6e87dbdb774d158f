"""Reading, writing and training through the model's forward pass, for engines that only run layers.

An engine may bring a `Reader` and a `TrainingStep` of its own. For every other engine the two
classes here do the same work, so that nothing else depends on what an engine brings.

Legend: T time steps, B batch, V vocabulary size.
"""

import sys
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from rnnlab.cells import State
from rnnlab.engines import TrainingStep
from rnnlab.engines.engine import Ids, check_not_empty
from rnnlab.lm.compute import Compute
from rnnlab.lm.model import LanguageModel, ModelState, detached, evaluating
from rnnlab.lm.ngram_mixture import NGramMixture
from rnnlab.lm.optimizers import clip_gradients
from rnnlab.lm.sampling import choose_tokens
from rnnlab.lm.step_rules import StepRules


def make_training_step(model: LanguageModel, compute: Compute) -> TrainingStep:
    """Return the engine's own training step, or an `FallbackTrainingStep`."""
    own = compute.engine.training_step(model.network(), compute.precision)
    return own or FallbackTrainingStep(model, compute)


class FallbackReader:
    """See `Reader`. Dropout is off during a call; between calls the caller's torch modes hold."""

    num_steps = sys.maxsize

    def __init__(
        self,
        model: LanguageModel,
        compute: Compute,
        batch_size: int,
        mixture: NGramMixture | None = None,
        rules: StepRules | None = None,
    ) -> None:
        self.model, self.compute, self.batch_size = model, compute, batch_size
        self.mixture, self.rules = mixture, rules
        self.reset()

    def reset(self) -> None:
        """See `Reader.reset`."""
        self.carried = self.model.zero_state(self.batch_size)
        self.read = np.empty((0, self.batch_size), np.int64)
        """The last ids, as many as an n-gram model needs."""

    def state(self) -> bytes:
        """See `Reader.state`."""
        parts = [part.float().cpu().numpy() for layer in self.carried for part in layer]
        return b"".join(part.tobytes() for part in parts) + self.read.tobytes()

    def restore(self, state: bytes) -> None:
        """See `Reader.restore`."""
        zeros, begin, found = self.model.zero_state(self.batch_size), 0, list[State]()
        count = zeros[0][0].numel()
        size, row = len(zeros) * len(zeros[0]) * 4 * count, self.read.itemsize * self.batch_size
        if len(state) < size or (len(state) - size) % row:
            raise ValueError(f"the state has {size} bytes and {row} a token, not {len(state)}")
        for layer in zeros:
            parts = list[Tensor]()
            for zero in layer:
                own = np.frombuffer(state, np.float32, count, begin).reshape(zero.shape)
                parts.append(torch.from_numpy(own.copy()).to(zero))
                begin += own.nbytes
            found.append(tuple(parts))
        self.carried = tuple(found)
        self.read = np.frombuffer(state, np.int64, offset=size).reshape(-1, self.batch_size)

    def predict(self, ids: Ids) -> NDArray[np.float32]:
        """See `Reader.predict`."""
        found: NDArray[np.float32] = self.logits(ids).float().cpu().numpy()
        return found

    def score(self, ids: Ids, targets: Ids) -> NDArray[np.float32]:
        """See `Reader.score`."""
        expected = torch.from_numpy(targets).to(self.compute.device).flatten()
        logits = self.logits(ids).float().flatten(0, 1)
        losses = F.cross_entropy(logits, expected, reduction="none")
        return losses.cpu().numpy().reshape(targets.shape)

    def write(
        self, ids: Ids, known: NDArray[np.bool_], uniforms: NDArray[np.float64], **choice: Any
    ) -> bool:
        """See `Reader.write`; raises DivergenceError instead of returning False.

        Tokens after the end of what `rules` have ended become `known`.
        """
        check_not_empty((len(ids) - 1, *ids.shape[1:]))
        is_known, numbers = known.tolist(), uniforms.tolist()  # lists: quicker to go through
        position, last = 0, len(ids) - 1
        while position < last:
            begin, position = position, position + 1
            while position < last and all(is_known[position]):  # only read: one call
                position += 1
            logits = self.logits(ids[begin:position], last=1)[-1]  # (B, V)
            rows = [row for row, fixed in enumerate(is_known[position]) if not fixed]
            if self.rules:
                known[position, self.rules.ended(rows)] = True
                rows = [row for row in rows if not known[position, row]]
            if rows:
                own = [numbers[position][row] for row in rows]
                now = self.rules.choice(rows) if self.rules else {}
                chosen = choose_tokens(logits[rows].float().cpu().numpy(), own, **choice, **now)
                ids[position, rows] = chosen
                if self.rules:
                    self.rules.note(rows, chosen)
        return True

    def logits(self, ids: Ids, last: int = 0) -> Tensor:
        """Read ids (T, B) and carry the state on; return logits (T, B, V).

        last: only those of so many time steps at the end are needed.
        """
        tokens = torch.from_numpy(ids).to(self.compute.device)
        with torch.inference_mode(), evaluating(self.model), self.compute.autocast():
            logits: Tensor
            logits, self.carried = self.model(tokens, self.carried, self.compute.engine)
        if self.mixture is None:
            return logits
        read = np.concatenate([self.read, ids])
        self.read = read[len(read) - min(len(read), self.mixture.table.reach) :]
        return self.mixture.joined(logits[-last:].float(), read)


class FallbackTrainingStep:
    """See `TrainingStep`."""

    def __init__(self, model: LanguageModel, compute: Compute) -> None:
        self.model, self.compute = model, compute

    def __call__(
        self, ids: Ids, targets: Ids, state: ModelState, clip_norm: float
    ) -> tuple[float, float, ModelState]:
        """See `TrainingStep.__call__`."""
        loss, state = self.loss(ids, targets, state)
        self.model.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        norm = clip_gradients(self.model.parameters(), clip_norm)
        return loss.item(), norm, detached(state)

    def loss(self, ids: Ids, targets: Ids, state: ModelState) -> tuple[Tensor, ModelState]:
        """Return the mean cross entropy in nats over a batch (T, B), and the state after it."""
        tokens, expected = (torch.from_numpy(x).to(self.compute.device) for x in (ids, targets))
        with self.compute.autocast():
            logits, state = self.model(tokens, state, self.compute.engine)  # (T, B, V)
        return F.cross_entropy(logits.float().flatten(0, 1), expected.flatten()), state
