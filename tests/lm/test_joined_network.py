"""Several networks as one, and back again."""

import numpy as np
import pytest
import torch
from native_oracle import needs_kernels

from rnnlab.cells import CELLS
from rnnlab.config import ModelSettings
from rnnlab.engines import ENGINES
from rnnlab.lm.compute import Compute
from rnnlab.lm.dynamic_evaluation import Learning, dynamic_nats
from rnnlab.lm.evaluate import target_nats
from rnnlab.lm.joined_network import joined_network, members_of
from rnnlab.lm.model import LanguageModel

V = 11
TEXTBOOK = Compute(ENGINES["textbook"])
KINDS = {
    "embedding": {"embedding_size": 5},
    "one-hot": {"input": "one-hot", "num_layers": 2},
    "tied": {"embedding_size": 7, "tie_weights": True, "num_layers": 3},
}
KIND = pytest.mark.parametrize("kind", KINDS)


def networks(cell: str, kind: str) -> list[LanguageModel]:
    sizes = (7, 7, 7) if kind == "tied" else (6, 7, 8)
    return [
        LanguageModel(ModelSettings(cell=cell, hidden_size=H, **KINDS[kind]), V, seed).eval()
        for seed, H in enumerate(sizes)
    ]


def logits(model: LanguageModel, ids: torch.Tensor) -> torch.Tensor:
    return model(ids, model.zero_state(ids.shape[1]), ENGINES["textbook"])[0]


@pytest.mark.parametrize("cell", CELLS)
@KIND
def test_its_logits_are_the_mean_of_the_members(cell, kind):
    ids = torch.from_numpy(np.random.default_rng(0).integers(0, V, (9, 2)))
    members = networks(cell, kind)
    joined = joined_network(members)
    expected = torch.stack([logits(member, ids) for member in members]).mean(0)
    torch.testing.assert_close(logits(joined, ids), expected, rtol=1e-5, atol=1e-6)

    again = members_of(joined)
    assert [m.settings.hidden_size for m in again] == [m.settings.hidden_size for m in members]
    bias = torch.stack([member.output.bias for member in members]).mean(0)
    for back, member in zip(again, members, strict=True):
        expected = logits(member, ids) - member.output.bias + bias
        torch.testing.assert_close(logits(back, ids), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("cell", CELLS)
@KIND
def test_members_are_found_in_any_order_of_the_units(cell, kind):
    """The units of a layer, and the columns of the embedding, change places."""
    ids = torch.from_numpy(np.random.default_rng(1).integers(0, V, (9, 2)))
    joined = joined_network(networks(cell, kind))
    own, rng = dict(joined.named_parameters()), np.random.default_rng(2)
    G, H = joined.recurrent.cell.num_gates, joined.settings.hidden_size
    before = rng.permutation(V if joined.embedding is None else joined.settings.embedding_size)
    with torch.no_grad():
        if joined.embedding is not None:
            own["embedding.weight"].copy_(own["embedding.weight"][:, before])
            own["recurrent.weight_ih_l0"].copy_(own["recurrent.weight_ih_l0"][:, before])
        for layer in range(joined.settings.num_layers):
            order = rng.permutation(H)
            rows = (np.arange(G)[:, None] * H + order).ravel()
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                weight = own[f"recurrent.{name}_l{layer}"]
                weight.copy_(weight[rows])
            weight = own[f"recurrent.weight_hh_l{layer}"]
            weight.copy_(weight[:, order])
            after = own.get(f"recurrent.weight_ih_l{layer + 1}", own["output.weight"])
            after.copy_(after[:, order])
    members = members_of(joined)
    assert sorted(m.settings.hidden_size for m in members) == sorted(
        m.settings.hidden_size for m in networks(cell, kind)
    )
    mean = torch.stack([logits(member, ids) for member in members]).mean(0)
    torch.testing.assert_close(mean, logits(joined, ids), rtol=1e-5, atol=1e-6)


@KIND
def test_one_network_is_its_own_member(kind):
    network = networks("gru", kind)[0]
    assert members_of(network) == [network]


def test_a_unit_alone_in_one_layer_makes_no_member():
    network = networks("lstm", "one-hot")[0]
    for name, weight in network.recurrent.named_parameters():
        if name in ("weight_hh_l0", "weight_ih_l1"):
            weight.data[::6] = 0  # of unit 0, in all gates
            weight.data[:, 0] = 0
    assert members_of(network) == [network]


def test_each_member_learns_on_by_itself():
    rng = np.random.default_rng(4)
    train, text = rng.zipf(1.5, 200) % V, rng.zipf(1.5, 45) % V
    alone = networks("lstm", "embedding")[0]
    twice = joined_network([alone, alone])
    learning = Learning(rate=0.01, decay=0.02, segment=6)
    found = [
        dynamic_nats(model, TEXTBOOK, text, train, learning=learning) for model in (alone, twice)
    ]
    np.testing.assert_allclose(found[1], found[0], rtol=1e-4)
    members = [n.double() for n in networks("lstm", "embedding")]
    for member in members:
        member.output.bias.data.zero_()
    # A segment that is as long as the text has no time to learn from.
    once = Learning(segment=len(text))
    static = target_nats(joined_network(members), TEXTBOOK, text, "carried")
    found = dynamic_nats(joined_network(members), TEXTBOOK, text, train, learning=once)
    np.testing.assert_allclose(found, static, rtol=1e-4)


@needs_kernels
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("sizes", [(16, 32, 16), (5, 33, 70), (1, 1)], ids=str)
def test_native_leaves_out_what_is_zero_and_nothing_else(cell, sizes):
    """Whole texts, with blocks of weights that begin and end anywhere."""
    members = [
        LanguageModel(
            ModelSettings(cell=cell, hidden_size=H, embedding_size=4, num_layers=2), 11, H
        )
        for H in sizes
    ]
    joined = joined_network(members)
    joined.recurrent.weight_hh_l1.data[:, 3:] = 0
    joined.recurrent.weight_hh_l1.data[-1:, :1] = 0.3
    ids = np.random.default_rng(0).integers(0, 11, 300)
    nats = [
        target_nats(joined, Compute(ENGINES[name], threads=2), ids, context)
        for name in ("native", "textbook")
        for context in ("carried", "windows:64")
    ]
    np.testing.assert_allclose(nats[0], nats[2], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(nats[1], nats[3], rtol=1e-4, atol=1e-5)
