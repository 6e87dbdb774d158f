"""What was tried with an n-gram model that joins, and left out of rnnlab because it did not help.

n-grams: the LSTM reads the sum of the embedding of a character and those of the n-grams, n from 2
to 5, that end with it; half of the vectors are dropped in training. frequent n-grams: those seen 20
times and more. Muon: orthogonalised updates of the recurrent matrix (Jordan et al., Muon, 2024).
average: the mean of the weights over the last 5% of training. residual: the network learns what the
n-gram model leaves to be learned: 0.6 ln p of n-grams is added to its logits, of each eighth of the
text by a model of the other seven.

Each network is trained on 80% of a text and scored on the next 10%, alone and mixed with the n-gram
model, whose gate is fitted as in `rnnlab.lm.ngram_joining`. The last 10% are not read.

    python benchmarks/left_out.py --seeds 3 --tokens 1600000
    python benchmarks/left_out.py --only plain Muon --tokens 800000
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, pairwise
from statistics import mean

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, dropout
from torch.optim.swa_utils import AveragedModel

from rnnlab.config import DataSettings
from rnnlab.console import counted
from rnnlab.data.dataset import load_dataset
from rnnlab.data.tokenizer import Ids
from rnnlab.lm.ngram_joining import MAX_GATE_TOKENS
from rnnlab.lm.ngram_mixture import fit_gate, log_softmax, mixed
from rnnlab.lm.ngram_table import NGramTable

LENGTHS = (2, 3, 4, 5)
B, T, H, E = 32, 64, 256, 64
RATE, BETAS, OUTPUT_SCALE, DROPOUT, DECAY, CLIP = 0.015, (0.8, 0.95), 6.0, 0.1, 0.01, 1.0
ORDER = 10


@dataclass(frozen=True)
class Idea:
    """What differs from the plain network."""

    least: int = 0
    """n-grams seen so often are read; 0: none."""
    muon_rate: float = 0.0
    """Learning rate of Muon for the recurrent matrix; 0: AdamW."""
    averaged: float = 0.0
    """Share of the steps, at the end, over which weights are averaged."""
    residual: float = 0.0
    """Factor of ln p of n-grams that is added to the logits."""


IDEAS = {
    "plain": Idea(),
    "n-grams": Idea(least=1),
    "frequent n-grams": Idea(least=20),
    "Muon": Idea(muon_rate=0.1),
    "average": Idea(averaged=0.05),
    "residual": Idea(residual=0.6),
}
PARTS = 8
"""Of the training text; the n-grams of each are predicted from the others."""
DROPPED = 0.5
"""Share of the vectors of n-grams in training."""

MOMENTUM = 0.9
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)


def ngram_numbers(text: Ids, trained: int, V: int, least: int) -> tuple[Ids, list[int]]:
    """Return for each position the numbers (N, lengths) of the n-grams that end there, 0 for those
    seen less than `least` times in text[:trained], and how many numbers each length has."""
    table = NGramTable.count(text[:trained], V, max(LENGTHS) + 1)
    columns, sizes = [], []
    for length, found in enumerate(table.contexts(text[:, None])):
        if length in LENGTHS:
            known = found[:, 0]
            often = np.flatnonzero(np.bincount(known[:trained] + 1)[1:] >= least)
            place = np.zeros(known.max() + 2, np.int64)
            place[often] = np.arange(1, len(often) + 1)
            columns.append(np.where(known >= 0, place[known], 0))
            sizes.append(len(often) + 1)
    return np.stack(columns, 1), sizes


def log_ngrams(text: Ids, V: int, idea: Idea) -> np.ndarray:
    """Return what is added to the logits after each token, (N, V), or (N, 1) zeros."""
    if not idea.residual:
        return np.zeros((len(text), 1), np.float16)
    borders = np.arange(PARTS + 1) * len(text) // PARTS
    found = []
    for begin, end in pairwise(borders):
        table = NGramTable.count(np.concatenate([text[:begin], text[end:]]), V, ORDER)
        parts = table.predict(text[begin:end, None])
        found += [(idea.residual * np.log(q)).astype(np.float16) for q in parts]
    return np.concatenate(found)


State = dict[str, tuple[Tensor, Tensor]]


class Network(nn.Module):
    """An LSTM whose input is a sum of embeddings."""

    def __init__(self, V: int, sizes: list[int]) -> None:
        super().__init__()
        self.embedding = nn.Embedding(V, E)
        self.ngrams = nn.ModuleList(nn.Embedding(size, E, padding_idx=0) for size in sizes)
        for each in self.ngrams.parameters():
            nn.init.normal_(each, std=0.1)
        self.lstm, self.output = nn.LSTM(E, H), nn.Linear(H, V)
        self.recurrent: nn.Parameter = self.lstm.all_weights[0][1]
        with torch.no_grad():
            self.output.weight *= OUTPUT_SCALE

    def forward(
        self, x: Tensor, numbers: Tensor, state: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return logits (T, B, V) and the state; x (T, B), numbers (T, B, lengths)."""
        inputs = self.embedding(x)
        for n, table in enumerate(self.ngrams):
            own = numbers[..., n]
            keep = own > 0
            if self.training:
                keep = keep & (torch.rand(own.shape) >= DROPPED)
            inputs = inputs + table(own) * keep.unsqueeze(-1)
        h, state = self.lstm(inputs, state)
        return self.output(dropout(h, DROPOUT, self.training)), state


def orthogonalised(matrix: Tensor) -> Tensor:
    """Return about U V' of a matrix U S V', by five Newton-Schulz iterations."""
    a, b, c = NEWTON_SCHULZ
    x: Tensor = matrix / (matrix.norm() + 1e-7)
    for _ in range(5):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return x


class Muon:
    """Nesterov momentum, orthogonalised gate by gate."""

    def __init__(self, weight: Tensor) -> None:
        self.weight, self.velocity = weight, torch.zeros_like(weight)

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Take one step."""
        assert self.weight.grad is not None
        self.velocity.mul_(MOMENTUM).add_(self.weight.grad)
        update = self.weight.grad + MOMENTUM * self.velocity
        self.weight.mul_(1 - rate * DECAY)
        for part, own in zip(self.weight.chunk(4), update.chunk(4), strict=True):
            part -= rate * orthogonalised(own)


def train(
    network: Network,
    text: Ids,
    numbers: Ids,
    added: np.ndarray,
    tokens: int,
    seed: int,
    idea: Idea,
) -> None:
    """Train on consecutive parts, with the state carried; each epoch begins elsewhere."""
    recurrent = network.recurrent
    others = [p for p in network.parameters() if not (idea.muon_rate and p is recurrent)]
    optimizer = torch.optim.AdamW(others, RATE, BETAS, weight_decay=DECAY)
    muon = Muon(recurrent)
    steps, generator = tokens // (B * T), np.random.default_rng(seed)
    average = AveragedModel(network)
    for step, batch in enumerate(islice(batches(text, numbers, added, generator), steps)):
        x, extra, more, y, state = batch
        left = 1 - step / steps
        optimizer.param_groups[0]["lr"] = RATE * left
        logits, after = network(x, extra, state.get("now"))
        state["now"] = (after[0].detach(), after[1].detach())
        network.zero_grad()
        loss = cross_entropy((logits + more.float()).flatten(0, 1), y.flatten())
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(network.parameters(), CLIP)
        optimizer.step()
        if idea.muon_rate:
            muon.step(idea.muon_rate * left)
        if left <= idea.averaged:
            average.update_parameters(network)
    if idea.averaged:
        network.load_state_dict(average.module.state_dict())


def batches(
    text: Ids, numbers: Ids, added: np.ndarray, generator: np.random.Generator
) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor, State]]:
    """Yield x, n-grams, what is added to the logits, y, and the dictionary that keeps this epoch's
    state, without end."""
    while True:
        begin, state = int(generator.integers(T)), State()
        length = (len(text) - begin - 1) // B
        rows = begin + np.arange(B) * length
        for t in range(0, length - T + 1, T):
            at = rows + np.arange(t, t + T)[:, None]
            arrays = (text[at], numbers[at], added[at], text[at + 1])
            yield *map(torch.from_numpy, arrays), state


def log_probabilities(network: Network, text: Ids, numbers: Ids) -> np.ndarray:
    """Return ln p (N - 1, V) of what follows each but the last character."""
    network.eval()
    with torch.inference_mode():
        x, extra = torch.from_numpy(text[:-1, None]), torch.from_numpy(numbers[:-1, None])
        return log_softmax(network(x, extra, None)[0])


def joined(log_p: np.ndarray, log_q: np.ndarray, factor: float) -> np.ndarray:
    """Return ln p (N, V) proportional to p q^factor."""
    return log_softmax(torch.from_numpy(log_p + factor * log_q)[None])


def nats(log_p: np.ndarray, targets: Ids) -> float:
    """Return the mean of -ln p of the targets."""
    return float(-log_p[np.arange(len(targets)), targets].mean())


def measure(idea: Idea, tokens: int, seed: int) -> tuple[float, float, float]:
    """Return nats per character of the network alone and mixed with the n-gram model, and the
    seconds of training."""
    dataset = load_dataset(DataSettings(corpus=("tinyshakespeare",), split=(0.9, 0.0, 0.1)))
    text, V = dataset.splits["train"].all_ids.astype(np.int64), dataset.tokenizer.size
    trained = len(text) * 8 // 9
    gate_size = MAX_GATE_TOKENS
    numbers, sizes = ngram_numbers(text, trained, V, idea.least or 1)
    torch.manual_seed(seed)
    network = Network(V, sizes if idea.least else [])
    own = text[gate_size:trained]
    added = log_ngrams(own, V, idea)
    began = time.perf_counter()
    train(network, own, numbers[gate_size:trained], added, tokens, seed, idea)
    seconds = time.perf_counter() - began
    table = NGramTable.count(own, V, ORDER)
    parts = []
    for begin, end in ((0, gate_size), (trained, len(text))):
        span = text[begin:end]
        log_p = log_probabilities(network, span, numbers[begin:end])
        log_q = np.log(np.concatenate(list(table.predict(span[:-1, None]))))
        parts.append((joined(log_p, log_q, idea.residual), log_q, span[1:]))
    gate = fit_gate(*parts[0])
    log_p, log_q, targets = parts[1]
    return nats(log_p, targets), nats(mixed(gate, log_p, log_q), targets), seconds


def main() -> None:
    """Measure variants over seeds, in turns, and print them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=1_600_000)
    parser.add_argument("--only", nargs="+", choices=IDEAS, metavar="IDEA", help=", ".join(IDEAS))
    args = parser.parse_args()
    found: dict[str, list[tuple[float, float, float]]] = {}
    for seed in range(args.seeds):
        for name in args.only or IDEAS:
            found.setdefault(name, []).append(measure(IDEAS[name], args.tokens, seed))
            alone, both, seconds = (mean(values) for values in zip(*found[name], strict=True))
            about = f"{both:.3f} with the n-gram model, {seconds:.0f} s"
            print(f"{name:17} {alone:.3f} alone, {about} ({counted(seed + 1, 'seed')})", flush=True)


if __name__ == "__main__":
    main()
