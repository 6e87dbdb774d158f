"""Networks that people would train instead, in plain torch, as opponents in quality.py.

All map ids (T, B), time first, and a state to logits (T, B, V) and the next state; the state None
is the one before a text. A Transformer has no state: it reads at most `block` tokens at once.

Legend: T time steps, B batch, V vocabulary size, D width, H hidden size.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rnnlab.bench.d2l_lstm import D2lLSTM

EMBEDDING_STD = 0.02
STD = 0.55
"""A linear layer's weights begin with STD / √D, which is GPT-2's 0.02 at its D of 768."""
CONVOLUTION = 4
"""Tokens that the convolution in front of a minGRU sees."""


@dataclass(frozen=True)
class Size:
    """The sizes of a network and its batches, and the peak learning rate for them."""

    layers: int
    width: int
    steps: int
    """T; for a Transformer also its block, the tokens that it reads at once."""
    batch: int
    rate: float
    heads: int = 4
    """Transformer only."""
    dropout: float = 0.0


class Network(nn.Module):
    """A network and how it reads."""

    block: int | None = None
    """The most tokens that are read at once; None: a state is carried."""

    def forward(self, ids: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Return the logits of what follows each id, and the next state."""
        raise NotImplementedError


class TorchLSTM(Network):
    """Embedding, nn.LSTM and a linear layer, all with torch's defaults."""

    def __init__(self, vocabulary_size: int, embedding_size: int = 64, hidden_size: int = 256):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary_size, embedding_size)
        self.lstm = nn.LSTM(embedding_size, hidden_size)
        self.output = nn.Linear(hidden_size, vocabulary_size)

    def forward(self, ids: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """See `Network`."""
        outputs, state = self.lstm(self.embedding(ids), state)
        return self.output(outputs), state


def d2l_as_torch(model: D2lLSTM) -> TorchLSTM:
    """Return the same function as d2l's LSTM with nn.LSTM's loop, which reads a text faster.

    nn.LSTM stacks the gates as i, f, g, o, with g the candidate; an embedding of the identity
    matrix makes one-hot rows.
    """
    V, H = model.vocabulary_size, model.hidden_size
    network = TorchLSTM(V, V, H)
    gates = ("i", "f", "c", "o")
    network.load_state_dict({
        "embedding.weight": torch.eye(V),
        "lstm.weight_ih_l0": torch.cat([getattr(model, f"W_x{gate}").T for gate in gates]),
        "lstm.weight_hh_l0": torch.cat([getattr(model, f"W_h{gate}").T for gate in gates]),
        "lstm.bias_ih_l0": torch.cat([getattr(model, f"b_{gate}") for gate in gates]),
        "lstm.bias_hh_l0": torch.zeros(4 * H),
        "output.weight": model.W_hq.T,
        "output.bias": model.b_q,
    })  # fmt: skip
    return network


class Transformer(Network):
    """A decoder with learned positions, pre-norm blocks, GELU and tied embeddings.

    Source: Radford et al. 2019 (GPT-2); sizes, initialization and the lack of biases as in nanoGPT.
    """

    def __init__(self, vocabulary_size: int, size: Size) -> None:
        super().__init__()
        self.block = size.steps
        self.embedding = nn.Embedding(vocabulary_size, size.width)
        self.positions = nn.Parameter(torch.randn(size.steps, size.width) * EMBEDDING_STD)
        self.dropout = nn.Dropout(size.dropout)
        self.layers = nn.ModuleList(TransformerLayer(size) for _ in range(size.layers))
        self.norm = nn.LayerNorm(size.width, bias=False)
        nn.init.normal_(self.embedding.weight, std=EMBEDDING_STD)

    def forward(self, ids: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """See `Network`."""
        x = self.embedding(ids.T) + self.positions[: len(ids)]  # (B, T, D)
        x = self.dropout(x)
        for layer in self.layers:
            x = layer(x)
        return F.linear(self.norm(x), self.embedding.weight).transpose(0, 1), None


class TransformerLayer(nn.Module):
    """x + attention(norm(x)), then x + MLP(norm(x)), the MLP of 4 D units."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        D = size.width
        self.heads, self.rate = size.heads, size.dropout
        self.norm1, self.norm2 = nn.LayerNorm(D, bias=False), nn.LayerNorm(D, bias=False)
        self.qkv = nn.Linear(D, 3 * D, bias=False)
        self.projection = nn.Linear(D, D, bias=False)
        self.up, self.down = nn.Linear(D, 4 * D, bias=False), nn.Linear(4 * D, D, bias=False)
        self.dropout = nn.Dropout(size.dropout)
        std = STD / math.sqrt(D)
        for linear in (self.qkv, self.up):
            nn.init.normal_(linear.weight, std=std)
        for linear in (self.projection, self.down):  # 2 L of them add up
            nn.init.normal_(linear.weight, std=std / math.sqrt(2 * size.layers))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, T, D) to (B, T, D)."""
        B, T, D = x.shape
        heads = self.qkv(self.norm1(x)).view(B, T, 3, self.heads, D // self.heads)
        q, k, v = heads.permute(2, 0, 3, 1, 4)  # each (B, heads, T, D / heads)
        rate = self.rate if self.training else 0.0
        mixed = F.scaled_dot_product_attention(q, k, v, dropout_p=rate, is_causal=True)
        x = x + self.dropout(self.projection(mixed.transpose(1, 2).reshape(B, T, D)))
        mlp: Tensor = self.dropout(self.down(F.gelu(self.up(self.norm2(x)))))
        return x + mlp


class MinGRU(Network):
    """Layers of a convolution over four tokens, a minGRU and an MLP, each with a residual.

    Source: Feng et al. 2024, arXiv:2410.01201, the recurrence of its section on minGRU, and the
    blocks of its language models.
    """

    def __init__(self, vocabulary_size: int, size: Size) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary_size, size.width)
        self.layers = nn.ModuleList(MinGRULayer(size.width) for _ in range(size.layers))
        self.norm = nn.RMSNorm(size.width)
        self.output = nn.Linear(size.width, vocabulary_size)
        nn.init.normal_(self.embedding.weight, std=EMBEDDING_STD)

    def forward(self, ids: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """See `Network`."""
        x, states = self.embedding(ids), []
        for layer, before in zip(self.layers, state or [None] * len(self.layers), strict=True):
            x, after = layer(x, before)
            states.append(after)
        return self.output(self.norm(x)), states


class MinGRULayer(nn.Module):
    """x + minGRU(convolution(norm(x))), then x + MLP(norm(x))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.RMSNorm(width), nn.RMSNorm(width)
        self.taps = nn.Parameter(torch.randn(CONVOLUTION, width) / math.sqrt(CONVOLUTION))
        self.gate, self.candidate = nn.Linear(width, width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Map (T, B, D) and a state to the same; the state is h and the last inputs."""
        y = self.norm1(x)
        h, inputs = state or (None, y.new_zeros(CONVOLUTION - 1, *y.shape[1:]))
        inputs = torch.cat([inputs.to(y.dtype), y])
        taps = (self.taps[k] * inputs[k : k + len(x)] for k in range(CONVOLUTION))
        y = sum(taps, y.new_zeros(()))
        hidden = min_gru(self.gate(y), self.candidate(y), h)
        x = x + hidden
        x = x + self.down(F.gelu(self.up(self.norm2(x))))
        return x, (hidden[-1], inputs[1 - CONVOLUTION :])


class Recurrence(torch.autograd.Function):
    """h_t = a_t h_{t-1} + b_t over T steps, one after another.

    On few cores this loop is several times as fast as the scan in log space. Backward, with dh_t
    the whole gradient of h_t: dh_t = gradient_t + a_{t+1} dh_{t+1}, da_t = dh_t h_{t-1}, db_t =
    dh_t.
    """

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, before: Tensor) -> Tensor:
        """Map a, b (T, B, H) and h_0 (B, H), which gets no gradient, to h (T, B, H)."""
        h = torch.empty_like(b)
        for t in range(len(b)):
            torch.addcmul(b[t], a[t], h[t - 1] if t else before, out=h[t])
        ctx.save_for_backward(a, h, before)
        return h

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        """Return the gradients of a and b."""
        a, h, before = ctx.saved_tensors
        dh = gradients[0].clone()
        for t in range(len(dh) - 2, -1, -1):
            dh[t].addcmul_(a[t + 1], dh[t + 1])
        return dh * torch.cat([before[None], h[:-1]]), dh, None


def min_gru(gate: Tensor, candidate: Tensor, before: Tensor | None = None) -> Tensor:
    """Return all h_t (T, B, H) of h_t = (1 - z_t) h_{t-1} + z_t g(candidate_t), z = σ(gate).

    g(x) = x + 0.5 for x >= 0 and σ(x) below, so that h is positive. h_0 is `before`, or 0.
    """
    dtype = torch.promote_types(gate.dtype, torch.float32)  # sums need more than bfloat16
    gate, candidate = gate.to(dtype), candidate.to(dtype)
    g = torch.where(candidate >= 0, candidate + 0.5, torch.sigmoid(candidate))
    h0 = torch.zeros_like(gate[0]) if before is None else before.to(dtype)
    keep, z = torch.sigmoid(-gate), torch.sigmoid(gate)
    h: Tensor = Recurrence.apply(keep, z * g, h0)  # type: ignore[no-untyped-call]
    return h
