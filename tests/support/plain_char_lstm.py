"""A character model in plain PyTorch, as people write it: nothing here is of rnnlab."""

import json
import math
from pathlib import Path

import torch
from torch import nn


class CharModel(nn.Module):
    def __init__(self, vocabulary: int, hidden: int = 24, layers: int = 2) -> None:
        super().__init__()
        self.emb = nn.Embedding(vocabulary, 8)
        self.lstm = nn.LSTM(8, hidden, layers, batch_first=True)
        self.fc = nn.Linear(hidden, vocabulary)

    def forward(self, ids, state=None):
        features, state = self.lstm(self.emb(ids), state)
        return self.fc(features), state


def train(text: str, folder: Path, steps: int = 30) -> CharModel:
    """Train for a few steps; write model.pt and vocabulary.json."""
    torch.manual_seed(1)
    characters = sorted(set(text))
    ids = torch.tensor([characters.index(c) for c in text])
    model = CharModel(len(characters))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for step in range(steps):
        starts = torch.arange(16) * (len(ids) // 17) + step
        batch = torch.stack([ids[start : start + 33] for start in starts])
        logits, _ = model(batch[:, :-1])
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    checkpoint = {"epoch": 1, "model_state_dict": model.state_dict(), "loss": loss.item()}
    torch.save({**checkpoint, "optimizer": optimizer.state_dict()}, folder / "model.pt")
    (folder / "vocabulary.json").write_text(json.dumps(characters))
    return model


@torch.no_grad()
def perplexity(model: CharModel, text: str, characters: list[str]) -> float:
    ids = torch.tensor([[characters.index(c) for c in text]])
    logits, _ = model(ids[:, :-1])
    return math.exp(nn.functional.cross_entropy(logits[0], ids[0, 1:]).item())
