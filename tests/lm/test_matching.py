"""What is written matches: against brute force over all strings, and a plain loop over models."""

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from random_expressions import expressions, matches, plain_expressions, texts

from rnnlab.config import GenerationSettings
from rnnlab.data.tokenizer import (
    BpeTokenizer,
    ByteTokenizer,
    CharTokenizer,
    LabelledTokenizer,
    WordTokenizer,
)
from rnnlab.engines import ENGINES
from rnnlab.errors import UsageError
from rnnlab.lm import matching as module
from rnnlab.lm.compute import Compute
from rnnlab.lm.matching import Matching
from rnnlab.lm.ngram_mixture import NGramMixture
from rnnlab.lm.ngram_table import NGramTable
from rnnlab.lm.sampling import draw_uniforms
from rnnlab.lm.text_model import TextModel
from rnnlab.lm.written_samples import write_samples

TOKENIZERS = {
    "char": CharTokenizer("ab\n"),
    "byte": ByteTokenizer(),
    "word": WordTokenizer([*"ab", "ab", "aba", " b", "\n"]),
    "bpe": BpeTokenizer.train("ab aab\nabé aé\n" * 9, 265),
}


def paths(matching, tokenizer, length, start=0):
    """Every sequence of tokens that can be written, until nothing more may be."""
    waiting = [([], matching.starts[start])]
    while waiting:
        tokens, state = waiting.pop()
        left = length - len(tokens)
        if not left or not matching.goes_on(state, left):
            yield tokens
            continue
        for token in np.flatnonzero(matching.allowed(state, left)).tolist():
            waiting.append(([*tokens, token], matching.after(state, token)))


def written(pattern, tokenizer, length, prefix="", stops=()):
    """The texts that can be written, or none if that is refused."""
    try:
        matching = Matching(pattern, tokenizer, [prefix], stops, length)
    except UsageError:
        return set()
    found = set()
    for tokens in paths(matching, tokenizer, length):
        text = tokenizer.decode(tokens)
        for stop in stops:
            text = text.partition(stop)[0]
        found.add(prefix + text)
    return found


@settings(max_examples=120)
@given(expressions)
def test_samples_are_all_that_match_and_are_short_enough(pattern):
    """With an end of samples each text of up to so many characters can be written."""
    assert written(pattern, TOKENIZERS["char"], 4, stops=["\n"]) == {
        text for text in texts("ab", 4) if matches(pattern, text)
    }


@settings(max_examples=60)
@given(expressions)
def test_a_text_goes_on_for_as_long_as_it_can(pattern):
    fitting = [text for text in texts("ab\n", 4) if matches(pattern, "a" + text)]
    longest = {
        "a" + text for text in fitting
        if not any(other != text and other.startswith(text) for other in fitting)
    }  # fmt: skip
    assert written(pattern, TOKENIZERS["char"], 4, prefix="a") == longest


@pytest.mark.parametrize("kind", ["byte", "word", "bpe"])
@settings(max_examples=10)
@given(pattern=plain_expressions)
def test_tokens_of_several_characters(kind, pattern):
    """All texts that so many tokens spell."""
    tokenizer = TOKENIZERS[kind]
    useful = [t for t in range(tokenizer.size) if not {*tokenizer.decode([t])} - {*"ab"}]
    spelled = {
        tokenizer.decode(tokens) for n in range(4) for tokens in product(useful, repeat=n)
    }  # fmt: skip
    assert written(pattern, tokenizer, 3, stops=["\n"]) == {
        text for text in spelled if matches(pattern, text)
    }


@pytest.mark.parametrize("kind", ["byte", "bpe"])
def test_characters_of_several_bytes(kind):
    found = written("a[éあ🙂]?b?", TOKENIZERS[kind], 6)
    assert found == {"ab", "aéb", "aあb", "a🙂b"}
    assert written("[éあ]+", TOKENIZERS[kind], 3, stops=["\n"]) == {"é", "あ"} | (
        {"éé", "ééé"} & written("é+", TOKENIZERS[kind], 3, stops=["\n"])
    )


def test_labels_come_first_and_are_not_a_part_of_the_text():
    tokenizer = LabelledTokenizer(TOKENIZERS["char"], {"x": 2, "y": 1})
    V = tokenizer.inside.size
    matching = Matching("ab?", tokenizer, [""], ["\n"], 3, label_first=True)
    found = [tokenizer.decode(tokens) for tokens in paths(matching, tokenizer, 3)]
    assert sorted(found) == sorted(f"{n}\t{t}" for n in "xy" for t in ("a\n", "ab"))
    given_one = Matching("ab?", tokenizer, [""], ["\n"], 3)
    assert not given_one.allowed(given_one.starts[0], 3)[V:].any()
    with pytest.raises(UsageError, match=r"takes 2 tokens or more; length = 1 is too short$"):
        Matching("a", tokenizer, [""], ["\n"], 1, label_first=True)


@pytest.mark.parametrize(
    ("pattern", "prefix", "message"),
    [
        ("a$b", "", "this model cannot write a text that matches"),
        (r"[^\s\S]", "", "this model cannot write a text that matches"),
        ("a+xé", "", "this model cannot write a text that matches (not in its vocabulary: 'x', "
         "'é')"),
        ("ab*", "ba", "this model cannot write a text that matches and begins with 'ba'"),
        ("a{9}", "", "a text that matches takes 9 tokens or more; length = 5 is too short"),
        ("(ab){3,}", "a", "a text that matches and begins with 'a' takes 5 tokens or more; length ="
         " 4 is too short"),
    ],
)  # fmt: skip
def test_what_cannot_be_written_is_refused(pattern, prefix, message):
    length = 4 if prefix else 5
    with pytest.raises(UsageError) as caught:
        Matching(pattern, TOKENIZERS["char"], [prefix], [], length)
    assert str(caught.value) == f"matching = '{pattern}': {message}"


def test_too_many_states_for_the_vocabulary_are_refused(monkeypatch):
    monkeypatch.setattr(module, "MOST_ENTRIES", 50_000)
    tokenizer = WordTokenizer([f"a{i}" for i in range(400)])
    with pytest.raises(UsageError, match=r"^matching = '\(a\\d\+\)\{500\}' is too large: its"):
        Matching(r"(a\d+){500}", tokenizer, [""], [], 600)


# -- with a model ----------------------------------------------------------------------------------


def make(make_model, engine, tokenizer, *, samples=True):
    network = make_model(tokenizer.size, init="normal", init_std=0.8)
    network.start = int(tokenizer.encode("\n")[0]) if samples else None
    return TextModel(network, tokenizer, "none", Compute(ENGINES[engine]))


def step_probabilities(model, ids, allowed):
    """The model's probabilities after ids, renormalised over what is allowed."""
    with torch.no_grad():
        logits, _ = model.model(
            torch.tensor(ids)[:, None], model.model.zero_state(1), ENGINES["textbook"]
        )
        if model.mixture is not None:
            logits = model.mixture.joined(logits[-1:], np.array(ids)[:, None])
    p = np.where(allowed, np.exp(logits[-1, 0].double().numpy()), 0.0)
    return p / p.sum()


@pytest.mark.parametrize("engine", ["builtin", "native"])
def test_samples_are_as_frequent_as_the_product_of_their_steps(make_model, engine):
    model, length = make(make_model, engine, TOKENIZERS["char"]), 4
    pattern = "(a|b{2})*b?a"
    matching = Matching(pattern, model.tokenizer, [""], ["\n"], length)
    exact = {}
    for tokens in paths(matching, model.tokenizer, length):
        ids, state, p = [model.model.start], matching.starts[0], 1.0
        for done, token in enumerate(tokens):
            allowed = matching.allowed(state, length - done)
            p *= step_probabilities(model, ids, allowed)[token]
            ids, state = [*ids, token], matching.after(state, token)
        exact[model.tokenizer.decode(tokens).rstrip("\n")] = p
    assert sum(exact.values()) == pytest.approx(1)
    wanted = GenerationSettings(length=length, temperature=1.0, seed=5, matching=pattern)
    found = [sample.text for sample in write_samples(model, 600, wanted)]
    assert {*found} <= {*exact}
    for text, p in exact.items():
        assert abs(found.count(text) / 600 - p) < 4.5 * np.sqrt(p * (1 - p) / 600) + 1e-9


@pytest.mark.parametrize("engine", ["builtin", "native"])
@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_texts_are_those_of_a_plain_loop(make_model, engine, mixed, temperature):
    model = make(make_model, engine, TOKENIZERS["word"], samples=False)
    if mixed:
        ids = model.tokenizer.encode("ab\na b\naba\n" * 20)
        table = NGramTable.count(ids, model.tokenizer.size, 3)
        model.mixture = NGramMixture(table, np.array([[0.6, 0.7], [0.05, -0.08]]))
    options = {"length": 9, "temperature": temperature, "matching": r"a(?:b| b|\n)*", "seed": 0}
    for seed in range(4 if temperature else 1):
        options["seed"], prefixes = seed, ["a", "ab b"]
        expected = []
        for row, prefix in enumerate(prefixes):
            matching = Matching(options["matching"], model.tokenizer, [prefix], [], 9)
            ids, state = model.tokenizer.encode(prefix).tolist(), matching.starts[0]
            start, uniforms = len(ids), draw_uniforms(seed, row, 9)
            while (left := 9 - (len(ids) - start)) and matching.goes_on(state, left):
                p = step_probabilities(model, ids, matching.allowed(state, left))
                if temperature:
                    p = p ** (1 / temperature)
                order = np.argsort(-p, kind="stable")
                u = uniforms[9 - left] if temperature else 0.0
                pick = np.searchsorted(np.cumsum(p[order]) / p.sum(), u, side="right")
                ids.append(int(order[pick]))
                state = matching.after(state, ids[-1])
            expected.append(prefix + model.tokenizer.decode(ids[start:]))
        assert model.generate(prefixes, **options) == expected


def test_a_text_ends_where_nothing_can_follow(make_model):
    model = make(make_model, "builtin", TOKENIZERS["char"], samples=False)
    assert model.generate("a", matching="abba", length=50) == "abba"
    assert model.generate(["abba", "ab"], matching="abba", length=50) == ["abba", "abba"]
    assert model.generate("abba", matching="abba") == "abba"
    assert len(model.generate("a", matching="a+", length=50)) == 51
    pieces = list(model.stream("a", matching="abba", length=50))
    assert pieces == list("bba")


def test_a_sample_ends_where_it_matches(make_model):
    model = make(make_model, "native", TOKENIZERS["char"])
    for seed in range(20):
        text = model.generate(matching="(ab)+", length=6, seed=seed)
        assert matches("(ab){1,3}", text)
    short = GenerationSettings(length=6, matching="(ab)+", temperature=1.0)
    for sample in write_samples(model, 30, short):
        assert matches("(ab){1,3}", sample.text)
        assert sample.has_ended or len(sample.text) == 6


def test_fewer_samples_than_asked_for(make_model):
    model = make(make_model, "builtin", TOKENIZERS["char"])
    wanted = GenerationSettings(length=6, matching="ab?b?", temperature=3.0)
    found = [s.text for s in write_samples(model, 9, wanted, unique=True)]
    assert sorted(found) == ["a", "ab", "abb"]


def test_samples_with_labels(make_model):
    tokenizer = LabelledTokenizer(TOKENIZERS["char"], {"x": 2, "y": 1})
    model = make(make_model, "builtin", tokenizer)
    wanted = GenerationSettings(length=6, matching="ab?", temperature=2.0)
    chosen = list(write_samples(model, 40, wanted))
    assert {sample.label for sample in chosen} == {"x", "y"}
    assert {sample.text for sample in chosen} == {"a", "ab"}
    given_one = list(write_samples(model, 9, wanted, label="y", prefix="a"))
    assert {sample.label for sample in given_one} == {"y"}
    assert {sample.text for sample in given_one} <= {"a", "ab"}


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pattern=expressions)
def test_with_a_stop_text_what_is_before_it_matches(make_model, pattern):
    model = make(make_model, "builtin", TOKENIZERS["char"], samples=False)
    options = {"length": 5, "matching": pattern, "stop": ("b", "a\n"), "temperature": 1.5}
    try:
        texts_found = [model.generate("a", seed=seed, **options) for seed in range(4)]
    except UsageError:
        assume(False)
    for text in texts_found:
        assert matches(pattern, text)
        assert "b" not in text[1:]
