"""The LSTM from scratch of the lab report and of d2l, written out; benchmarked with the engines.

Source: Zhang et al., Dive into Deep Learning (d2l), section 10.1: one matrix per gate, one-hot
rows, a Python loop over time. Training step, clipping and greedy prediction are those of the book,
with their slow parts (`train_epoch_ch8`, `grad_clipping`, `predict_ch8` of release 0.17); only the
output layer runs once over all time steps.

Legend: T time steps, B batch, H hidden size, V vocabulary size.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rnnlab.cells import State
from rnnlab.lm.compute import autocast

ABOUT = "the lab report's written-out LSTM"


class D2lLSTM(nn.Module):
    """A language model of one layer, with separate weights for each gate and the candidate.

    Each W_x is (V, H), each W_h (H, H), each b (H,). Each gate has one bias; nn.LSTM has two.
    """

    def __init__(self, vocabulary_size: int, hidden_size: int, std: float = 0.01) -> None:
        super().__init__()
        self.vocabulary_size, self.hidden_size = vocabulary_size, hidden_size
        generator = torch.Generator().manual_seed(0)  # leaves the caller's random state alone

        def normal(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.randn(*shape, generator=generator) * std)

        def three() -> tuple[nn.Parameter, nn.Parameter, nn.Parameter]:
            return (
                normal(vocabulary_size, hidden_size),
                normal(hidden_size, hidden_size),
                nn.Parameter(torch.zeros(hidden_size)),
            )

        self.W_xi, self.W_hi, self.b_i = three()
        self.W_xf, self.W_hf, self.b_f = three()
        self.W_xo, self.W_ho, self.b_o = three()
        self.W_xc, self.W_hc, self.b_c = three()
        self.W_hq = normal(hidden_size, vocabulary_size)
        self.b_q = nn.Parameter(torch.zeros(vocabulary_size))

    def zero_state(self, batch_size: int) -> State:
        """Return H and C, each (B, H), of zeros."""
        zeros = self.W_hi.new_zeros(batch_size, self.hidden_size)
        return zeros, zeros

    def forward(self, ids: Tensor, state: State) -> tuple[Tensor, State]:
        """Map ids (T, B) and a state to logits (T·B, V) and the next state."""
        H, C = state
        outputs = []
        for X in F.one_hot(ids, self.vocabulary_size).type(self.W_xi.dtype):  # (B, V)
            I = torch.sigmoid(  # noqa: E741
                torch.matmul(X, self.W_xi) + torch.matmul(H, self.W_hi) + self.b_i
            )
            F_ = torch.sigmoid(torch.matmul(X, self.W_xf) + torch.matmul(H, self.W_hf) + self.b_f)
            O = torch.sigmoid(  # noqa: E741
                torch.matmul(X, self.W_xo) + torch.matmul(H, self.W_ho) + self.b_o
            )
            C_tilde = torch.tanh(torch.matmul(X, self.W_xc) + torch.matmul(H, self.W_hc) + self.b_c)
            C = F_ * C + I * C_tilde
            H = O * torch.tanh(C)
            outputs.append(H)
        return torch.matmul(torch.cat(outputs, dim=0), self.W_hq) + self.b_q, (H, C)

    def predict(self, first: int, length: int) -> list[int]:
        """Return the `length` likeliest tokens after `first`; with gradients on, as in d2l."""
        state, outputs = self.zero_state(1), [first]
        for _ in range(length):
            X = torch.tensor([[outputs[-1]]], device=self.b_q.device)
            Y, state = self(X, state)
            outputs.append(int(Y.argmax(dim=1).reshape(1)))
        return outputs[1:]


def clip_gradients(model: nn.Module, limit: float) -> None:
    """Scale all gradients together to an L2 norm of at most `limit`."""
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    norm = torch.sqrt(sum((torch.sum(g**2) for g in gradients), torch.zeros(())))
    if norm > limit:
        for gradient in gradients:
            gradient[:] *= limit / norm


class D2lTrainer:
    """Train a D2lLSTM with cross entropy, clipping and plain SGD."""

    def __init__(
        self, model: D2lLSTM, learning_rate: float, clip_norm: float, precision: str
    ) -> None:
        self.model, self.clip_norm, self.precision = model, clip_norm, precision
        self.loss = nn.CrossEntropyLoss()
        self.updater = torch.optim.SGD(model.parameters(), lr=learning_rate)

    def step(self, ids: Tensor, targets: Tensor, state: State) -> tuple[float, State]:
        """Take one step on a batch (T, B); return the mean loss in nats and the last state."""
        with autocast(self.precision, ids.device.type):
            logits, state = self.model(ids, tuple(part.detach() for part in state))
            loss = self.loss(logits, targets.reshape(-1))
        self.updater.zero_grad()
        loss.backward()
        clip_gradients(self.model, self.clip_norm)
        self.updater.step()
        return loss.item(), state
