"""Generation against loops and enumerations that know nothing of states, batches or beams."""

from copy import deepcopy
from itertools import product

import numpy as np
import pytest
import torch

from rnnlab.config import GenerationSettings, ModelSettings
from rnnlab.engines import ENGINES
from rnnlab.errors import DivergenceError
from rnnlab.lm.beam_search import beam_search
from rnnlab.lm.compute import Compute
from rnnlab.lm.generate import generate_ids
from rnnlab.lm.model import LanguageModel

BUILTIN, TEXTBOOK = Compute(ENGINES["builtin"]), ENGINES["textbook"]
PREFIXES = [np.array(ids) for ids in ([3, 1, 4, 1, 5], [2], [0, 6, 0], [6, 5])]
GREEDY = {"temperature": 0}


def written(model, prefixes, forbidden=None, **options):
    """All that is written after each prefix."""
    wanted = GenerationSettings(**options)
    steps = generate_ids(model, BUILTIN, prefixes, wanted, forbidden)
    return [[t for t in row if t is not None] for row in zip(*steps, strict=True)]


def last_log_p(model, ids):
    """log p of the next token, all of `ids` read anew from a zero state by the textbook."""
    with torch.no_grad():
        logits, _ = model(torch.tensor(ids)[:, None], model.zero_state(1), TEXTBOOK)
    return logits[-1, 0].double().log_softmax(dim=0)


@pytest.fixture
def model(sharp_model):
    return deepcopy(sharp_model).eval()


@pytest.mark.parametrize("prefix", PREFIXES, ids=str)
def test_greedy_equals_rereading_the_whole_text_for_every_token(model, prefix):
    text = prefix.tolist()
    for _ in range(25):
        text.append(int(last_log_p(model, text).argmax()))
    assert written(model, [prefix], length=25, **GREEDY) == [text[len(prefix) :]]
    assert len(set(text)) > 2


@pytest.mark.parametrize("length", [1, 2, 9])
def test_every_row_gets_exactly_its_length_right_after_its_prefix(model, length):
    steps = list(generate_ids(model, BUILTIN, PREFIXES, GenerationSettings(length=length)))
    for row, prefix in zip(zip(*steps, strict=True), PREFIXES, strict=True):
        before, after = len(prefix) - 1, 5 - len(prefix)  # the shortest prefix has 1, the longest 5
        assert [t is None for t in row] == [True] * before + [False] * length + [True] * after


def test_batch_of_unequal_prefixes_equals_each_alone(model):
    together = written(model, PREFIXES, length=12, **GREEDY)
    assert together == [written(model, [p], length=12, **GREEDY)[0] for p in PREFIXES]


@pytest.mark.parametrize(
    "others", [PREFIXES[1:], PREFIXES[:1], []], ids=["shorter", "same", "none"]
)
def test_a_rows_draws_do_not_depend_on_the_other_rows(model, others):
    alone = written(model, PREFIXES[:1], length=30, temperature=2.0, seed=4)
    assert written(model, PREFIXES[:1] + others, length=30, temperature=2.0, seed=4)[0] == alone[0]


def test_equal_prefixes_in_a_batch_are_continued_differently(model):
    first, second = written(model, [PREFIXES[0]] * 2, length=30, temperature=2.0)
    assert first != second


def test_no_prefix_writes_nothing(model):
    assert list(generate_ids(model, BUILTIN, [], GenerationSettings())) == []


def test_seed_decides_the_text(model):
    first, again, other = (
        written(model, PREFIXES, length=40, temperature=1.5, seed=seed) for seed in (3, 3, 4)
    )
    assert first == again
    assert all(a != b for a, b in zip(first, other, strict=True))


def test_forbidden_token_is_never_written(model):
    likely = written(model, PREFIXES[:1], length=1, **GREEDY)[0][0]
    for options in (GREEDY, {"temperature": 3.0}, {"temperature": 1.0, "top_k": 1}):
        texts = written(model, PREFIXES, likely, length=40, **options)
        assert all(likely not in text for text in texts)
    beams = GenerationSettings(length=6, beam_width=4)
    assert likely not in beam_search(model, BUILTIN, PREFIXES[0], beams, likely)


def test_dropout_is_off_and_the_model_is_as_it_was_between_tokens(model):
    expected = list(generate_ids(model, BUILTIN, PREFIXES, GenerationSettings(**GREEDY)))
    model.train()
    found = []
    for step in generate_ids(model, BUILTIN, PREFIXES, GenerationSettings(**GREEDY)):
        found.append(step)
        assert model.training
    assert found == expected


def test_two_texts_written_by_turns_leave_the_callers_torch_modes_alone(model, output_types):
    types, wanted = output_types(model), GenerationSettings(length=3)
    # The textbook engine computes in bfloat16 on any processor.
    compute = Compute(TEXTBOOK, precision="bfloat16")
    first, second = (generate_ids(model, compute, PREFIXES, wanted) for _ in range(2))
    for stream in (first, second, first, second):
        next(stream)
        assert torch.is_grad_enabled()
        assert not torch.is_inference_mode_enabled()
        assert not torch.is_autocast_enabled("cpu")
    assert len([*first, *second]) == 2 * (5 - 1 + 3 - 2)
    assert not torch.is_inference_mode_enabled()
    assert types == {torch.bfloat16}


@pytest.mark.parametrize("forbidden", [None, 2])
@pytest.mark.parametrize("length", [1, 2, 4])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_beam_as_wide_as_the_tree_finds_the_likeliest_text(make_model, forbidden, length, seed):
    model = make_model(3, seed=seed, init="normal", init_std=1.0)
    prefix = [0, 1]

    def log_p(text):
        whole = [*prefix, *text]
        return sum(last_log_p(model, whole[: 2 + k])[t].item() for k, t in enumerate(text))

    allowed = [token for token in range(3) if token != forbidden]
    best = max(product(allowed, repeat=length), key=log_p)
    wide = GenerationSettings(length=length, beam_width=3**length)
    assert beam_search(model, BUILTIN, np.array(prefix), wide, forbidden) == list(best)


def test_beam_beats_greedy_where_the_likeliest_start_is_a_trap(make_model):
    model = make_model(3, input="one-hot", cell="rnn", hidden_size=3, init="normal")
    table = torch.tensor([[0.0, 0.5, -9.0], [0.0, 0.0, 0.0], [-9.0, -9.0, 9.0]])
    table[0, 2] = 0.4  # after 0: 1 is a little likelier than 2, but only 2 leads on with certainty
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        model.recurrent.weight_ih_l0.copy_(torch.eye(3) * 20)  # h is the last token, one-hot
        model.output.weight.copy_(table.T)
    prefix = np.array([0])
    assert written(model, [prefix], length=3, **GREEDY)[0][0] == 1
    beams = GenerationSettings(length=3, beam_width=3)
    assert beam_search(model, BUILTIN, prefix, beams) == [2, 2, 2]


@pytest.mark.parametrize("prefix", PREFIXES, ids=str)
def test_one_beam_is_greedy(model, prefix):
    beam = GenerationSettings(length=15, beam_width=1)
    assert [beam_search(model, BUILTIN, prefix, beam)] == written(
        model, [prefix], length=15, **GREEDY
    )


def test_beam_search_restores_the_training_flag(model):
    wanted = GenerationSettings(length=4, beam_width=3)
    expected = beam_search(model, BUILTIN, PREFIXES[0], wanted)
    model.train()
    assert beam_search(model, BUILTIN, PREFIXES[0], wanted) == expected
    assert len(expected) == 4
    assert model.training


@pytest.mark.parametrize("engine", ENGINES)
def test_beam_search_says_when_the_output_is_nan(engine):
    model = LanguageModel(ModelSettings(hidden_size=4, embedding_size=3), 5)
    with torch.no_grad():
        model.output.bias.fill_(torch.nan)
    settings = GenerationSettings(beam_width=2, length=3)
    with pytest.raises(DivergenceError, match=r"^the model's output is NaN"):
        beam_search(model, Compute(ENGINES[engine]), np.array([1]), settings)
