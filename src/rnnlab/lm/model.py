"""The language model: it owns the parameters, and engines compute with them.

Legend: T time steps, B batch, I input size, H hidden size, V vocabulary size, L layers.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from rnnlab.cells import Cell, State, Weights, find_cell, short_name
from rnnlab.config import ModelSettings
from rnnlab.engines import Dropouts, Engine, Network
from rnnlab.lm.compute import CPU
from rnnlab.lm.initializers import initialize
from rnnlab.lm.random_streams import RandomStreams

ModelState = tuple[State, ...]
"""One state for each layer; each part (B, H)."""


class RecurrentLayers(nn.Module):
    """L layers of one cell. nn.RNN, nn.GRU and nn.LSTM load its state_dict, and it loads theirs."""

    def __init__(self, cell: Cell, input_size: int, hidden_size: int, num_layers: int) -> None:
        super().__init__()
        self.cell = cell
        self.num_layers = num_layers
        self.hidden_size = hidden_size
        for layer in range(num_layers):
            shapes = cell.weight_shapes(hidden_size if layer else input_size, hidden_size)
            for name, shape in shapes.items():
                self.register_parameter(f"{name}_l{layer}", nn.Parameter(torch.empty(shape)))

    def weights(self) -> Iterator[Weights]:
        """Yield the weights of each layer, from the first to the last."""
        names = self.cell.weight_names
        for layer in range(self.num_layers):
            yield self.cell.weights(getattr(self, f"{name}_l{layer}") for name in names)

    def extra_repr(self) -> str:
        """Return cell and sizes, for repr."""
        name = short_name(self.cell.name)
        return f"{name}, hidden_size={self.hidden_size}, num_layers={self.num_layers}"


class _WithoutValues:
    """A module of torch that draws no values for its parameters when it is made."""

    def reset_parameters(self) -> None:
        """Draw nothing."""


class _Embedding(_WithoutValues, nn.Embedding):
    pass


class _Output(_WithoutValues, nn.Linear):
    pass


class LanguageModel(nn.Module):
    """Predicts the next token from all tokens before it.

    embedding or one-hot -> L recurrent layers -> dropout -> output layer -> logits (T, B, V).

    weight_dropout drops single recurrent weights for a whole batch (DropConnect, as in AWD-LSTM:
    Merity, Keskar and Socher 2018, arXiv:1708.02182, section 2).

    seed: of the initial weights and of dropout; None: torch's default generators give them.
    start: the id of the token with which a sample begins: before it the state is zero.
    """

    def __init__(
        self,
        settings: ModelSettings,
        vocabulary_size: int,
        seed: int | None = None,
        start: int | None = None,
    ) -> None:
        super().__init__()
        self.random = RandomStreams(seed)
        self.settings = settings
        self.vocabulary_size = vocabulary_size
        self.start = start
        one_hot = settings.input == "one-hot"
        width = vocabulary_size if one_hot else settings.embedding_size
        # Without values yet: the modules' own would come from torch's default generator. torch's
        # skip_init is not used: it imports torch._dynamo, which takes as long as to import torch.
        self.embedding: nn.Embedding | None = (
            None if one_hot else _Embedding(vocabulary_size, width)
        )
        self.recurrent = RecurrentLayers(
            find_cell(settings.cell), width, settings.hidden_size, settings.num_layers
        )
        self.output: nn.Linear = _Output(settings.hidden_size, vocabulary_size)
        initialize(
            settings, self.embedding, self.recurrent.named_parameters(), self.output, self.random
        )
        if settings.tie_weights and self.embedding is not None:
            self.output.weight = self.embedding.weight

    def zero_state(self, batch_size: int) -> ModelState:
        """Return a state of zeros, with the model's device and type."""
        zeros = self.output.weight.new_zeros(batch_size, self.recurrent.hidden_size)
        parts = tuple(zeros for _ in self.recurrent.cell.state_names)
        return tuple(parts for _ in range(self.recurrent.num_layers))

    def features(self, ids: Tensor, state: ModelState, engine: Engine) -> tuple[Tensor, ModelState]:
        """Run ids (T, B) through all but the output layer: features (T, B, H), last state."""
        settings, last = self.settings, list[State]()
        values = ids  # (T, B)
        resets = None if self.start is None else ids == self.start
        if self.embedding is not None:
            values = self._dropped(self.embedding(ids), settings.input_dropout)
        for weights, initial in zip(self.recurrent.weights(), state, strict=True):
            if settings.weight_dropout:
                weight_hh = self._dropped(weights.weight_hh, settings.weight_dropout)
                weights = weights._replace(weight_hh=weight_hh)
            if last:
                values = self._dropped(values, settings.layer_dropout)
            values, final = engine.run(self.recurrent.cell, weights, values, initial, resets)
            last.append(final)
        return self._dropped(values, settings.dropout), tuple(last)

    def _dropped(self, x: Tensor, p: float) -> Tensor:
        """Apply dropout to x in training."""
        return dropout(x, p, self.training, self.random)

    def forward(self, ids: Tensor, state: ModelState, engine: Engine) -> tuple[Tensor, ModelState]:
        """Map ids (T, B) and a state to logits (T, B, V) and the next state."""
        values, last = self.features(ids, state, engine)
        return self.output(values), last

    def network(self) -> Network:
        """Return the parameters in the form in which engines take a whole model."""
        settings = self.settings
        return Network(
            self.recurrent.cell,
            None if self.embedding is None else self.embedding.weight,
            tuple(self.recurrent.weights()),
            self.output.weight,
            self.output.bias,
            Dropouts(
                settings.input_dropout, settings.layer_dropout, settings.weight_dropout,
                settings.dropout,
            ),
            self.random.on(CPU), start=self.start,
        )  # fmt: skip

    @property
    def recurrent_share(self) -> float:
        """Share of the recurrent layers in the weights that every token is multiplied with."""
        recurrent = sum(p.numel() for p in self.recurrent.parameters())
        return recurrent / (recurrent + self.output.weight.numel())

    def num_parameters(self) -> int:
        """Count the learned numbers; tied weights count once."""
        return sum(parameter.numel() for parameter in self.parameters())

    def __repr__(self) -> str:
        """Return layers, shapes and parameter counts as a small table."""
        rows = [
            (name, " x ".join(map(str, parameter.shape)), f"{parameter.numel():,}")
            for name, parameter in self.named_parameters()
        ]
        rows.append(("all parameters", "", f"{self.num_parameters():,}"))
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        lines = [f"{n:<{widths[0]}}  {s:<{widths[1]}}  {c:>{widths[2]}}" for n, s, c in rows]
        title = f"LanguageModel: {short_name(self.settings.cell)}, {self.settings.input} input"
        return "\n".join([title, *(f"  {line}" for line in lines)])


def detached(state: ModelState) -> ModelState:
    """Return the same values, cut from the graph: no gradient flows back through them."""
    return tuple(tuple(part.detach() for part in layer) for layer in state)


@contextmanager
def evaluating(model: LanguageModel) -> Iterator[None]:
    """Switch dropout off inside the block."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)


def dropout(x: Tensor, p: float, training: bool, random: RandomStreams | None = None) -> Tensor:
    """Zero each element with probability p and scale the others by 1 / (1 - p), in training only.

    random: gives the random numbers; None: torch's default generator.

    Source: Srivastava et al. 2014, JMLR 15, section 10 (there the scaling is done at test time).
    The result has x's shape and at least float32.

    On a CPU torch's own dropout draws the elements one by one and takes four times as long: a third
    of the training time of a model with dropout everywhere.
    """
    if not training or p == 0:
        return x
    generator = random.on(x.device) if random else None
    kept = torch.rand(x.shape, generator=generator, device=x.device).ge_(p)  # 1 or 0
    return x * kept.mul_(1 / (1 - p))
