"""A model with its rule and tokenizer: prefixes, notices, texts, scores."""

import itertools
import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from rnnlab.config import ComputeSettings, DataSettings
from rnnlab.data.tokenizer import BpeTokenizer, ByteTokenizer, CharTokenizer, WordTokenizer
from rnnlab.engines import ENGINES
from rnnlab.errors import CorpusError, ModelFolderError, UnavailableError, UsageError
from rnnlab.files import sealed, write_json
from rnnlab.lm.compute import Compute
from rnnlab.lm.text_model import TextModel

TEXT = "the time machine by h g wells\nthe naïve 🙂 time traveller\n" * 4
TOKENIZERS = {
    "char": CharTokenizer.train(TEXT),
    "byte": ByteTokenizer(),
    "word": WordTokenizer.train(TEXT, 1),
    "bpe": BpeTokenizer.train(TEXT, 280),
}
each_kind = pytest.mark.parametrize("kind", TOKENIZERS)


@pytest.fixture
def make(make_model):
    def build(kind="char", rule="none", **options):
        tokenizer = options.pop("tokenizer", TOKENIZERS[kind])
        model = make_model(tokenizer.size, init="normal", init_std=0.8, **options)
        about = {"data": DataSettings(preprocessing=rule).model_dump(mode="json")}
        compute = Compute.choose(ComputeSettings(), "lstm")
        return TextModel(model, tokenizer, rule, compute, about=about)

    return build


@each_kind
@pytest.mark.parametrize("prefix", ["the time", "t", "naïve 🙂"])
def test_one_prefix_gives_the_text_that_begins_with_it(make, kind, prefix):
    model = make(kind)
    ids = model.tokenizer.encode(prefix).tolist()
    start = len(ids)
    for _ in range(12):
        with torch.no_grad():
            logits, _ = model.model(
                torch.tensor(ids)[:, None], model.model.zero_state(1), ENGINES["textbook"]
            )
        scores = logits[-1, 0]
        if model.tokenizer.unknown_id is not None:
            scores[model.tokenizer.unknown_id] = -torch.inf
        ids.append(int(scores.argmax()))
    text = model.generate(prefix, length=12, temperature=0)
    whole = prefix + model.tokenizer.decode(ids[start:])
    assert text.startswith(prefix)
    # What a stream holds back at its end is an unfinished character.
    assert whole.startswith(text)
    assert set(whole[len(text) :]) <= {"\ufffd"}


@each_kind
def test_several_prefixes_give_a_list_that_equals_each_alone(make, kind):
    model, prefixes = make(kind), ["the time", "by h g wells", "t", ""]
    texts = model.generate(prefixes, length=15, temperature=0)
    assert texts == [model.generate(prefix, length=15, temperature=0) for prefix in prefixes]
    assert model.generate(["the"], length=5, temperature=0) == [
        model.generate("the", length=5, temperature=0)
    ]
    assert model.generate([]) == []


def test_length_counts_tokens_and_unknown_is_never_written(make):
    model = make("char")
    with torch.no_grad():
        model.model.output.bias[0] = 50.0  # <unk> would be by far the likeliest
    for options in ({"temperature": 0}, {"temperature": 1.0}, {"beam_width": 3}):
        text = model.generate("the", length=20, **options)
        assert len(text) == len("the") + 20
        assert "<unk>" not in text


@each_kind
def test_pieces_streamed_join_to_the_text(make, kind):
    model = make(kind)
    pieces = list(model.stream("the ", length=25, seed=2))
    assert "the " + "".join(pieces) == model.generate("the ", length=25, seed=2)
    assert len(pieces) == 25
    together = list(model.stream(["the ", "by "], length=25, seed=2))
    texts = [prefix + "".join(own) for prefix, own in
             zip(("the ", "by "), zip(*together, strict=True), strict=True)]  # fmt: skip
    assert texts == model.generate(["the ", "by "], length=25, seed=2)
    with pytest.raises(UsageError, match="temprature"):
        model.stream("the ", temprature=1)


def test_beam_search_gives_text_too(make):
    model = make("word")
    greedy = model.generate("the time", length=6, temperature=0)
    assert model.generate("the time", length=6, beam_width=1) == greedy
    assert len(model.generate(["the", "by"], length=3, beam_width=4)) == 2


def test_seed_decides_the_text(make):
    model = make()
    first, again, other = (model.generate("the", length=50, seed=s) for s in (1, 1, 2))
    assert first == again
    assert first != other


@pytest.mark.parametrize(
    ("options", "words"),
    [({"temperature": -1}, "temperature"), ({"lenght": 3}, "lenght"), ({"top_p": 0}, "top_p")],
)
def test_bad_generation_setting_is_refused_by_name(make, options, words):
    with pytest.raises(UsageError, match=words):
        make().generate("the", **options)


@pytest.mark.parametrize(
    ("rule", "prefix", "read"),
    [
        ("none", "the  time", "the  time"),
        ("lower", "The TIME", "the time"),
        ("letters", " The, TIME\n", "the time"),
    ],
)
def test_prefix_is_read_under_the_text_rule(make, rule, prefix, read):
    model = make(rule=rule)
    text, ids, notices = model.read_prefix(prefix)
    assert (text, notices) == (read, [])
    np.testing.assert_array_equal(ids, model.tokenizer.encode(read))
    assert model.generate(prefix, length=3).startswith(read)


@pytest.mark.parametrize(
    ("tokenizer", "rule", "prefix", "start", "notices"),
    [
        ("a\nb", "none", "", "\n", ["empty prefix: the model starts after '\\n'"]),
        ("a b", "letters", "", " ", ["empty prefix: the model starts after ' '"]),
        ("bba", "none", "", "b", ["empty prefix: the model starts after 'b'"]),
        (
            "a b",
            "letters",
            "12!",
            " ",
            [
                "prefix '12!': 'letters' leaves nothing of it",
                "empty prefix: the model starts after ' '",
            ],
        ),
    ],
)
def test_empty_prefix_is_read_as_a_break_with_a_notice(
    make, tokenizer, rule, prefix, start, notices
):
    model = make(tokenizer=CharTokenizer.train(tokenizer), rule=rule)
    text, ids, found = model.read_prefix(prefix)
    assert (text, found) == ("", notices)
    assert model.tokenizer.decode(ids) == start
    assert len(model.generate(prefix, length=7)) == 7


@pytest.mark.parametrize(("prefix", "read"), [("Été 2024 ?", "t"), ("Zoë", "zo")])
def test_letters_that_the_text_rule_drops_from_a_prefix_are_told(make, prefix, read):
    model = make(tokenizer=CharTokenizer.train("to zoo"), rule="letters")
    text, _, notices = model.read_prefix(prefix)
    assert text == read
    assert notices == [f"prefix {prefix!r}: 'letters' reads it as {read!r}"]


@pytest.mark.parametrize(
    ("kind", "prefix", "named"),
    [
        ("char", "the Zeit: ZZ", "'Z', ':'"),
        ("char", "ÄÖÜß€12", "'Ä', 'Ö', 'Ü', 'ß', '€' and 2 more"),
        ("word", "the new time", "' new'"),
    ],
)
def test_unknown_parts_of_a_prefix_are_named_and_read_as_unknown(make, kind, prefix, named):
    model = make(kind)
    text, ids, notices = model.read_prefix(prefix)
    assert notices == [f"prefix {prefix!r}: {named} not in the vocabulary, read as <unk>"]
    assert text == prefix
    assert (ids == 0).any()
    assert model.generate(prefix, length=4).startswith(prefix)


def test_a_long_prefix_is_quoted_by_its_end(make):
    model = make("char")
    _, _, (notice,) = model.read_prefix("the time " * 1_000 + "Z")
    end = ("the time " * 5 + "Z")[-40:]
    assert notice == f"prefix ...{end!r}: 'Z' not in the vocabulary, read as <unk>"


@pytest.mark.parametrize("kind", ["byte", "bpe"])
def test_nothing_is_unknown_to_bytes(make, kind):
    assert make(kind).read_prefix("ÄÖ 🙃")[2] == []


@pytest.mark.parametrize(
    ("kind", "text", "tokens", "unknown"),
    [
        ("char", "the XXL time", 11, {"X": 2, "L": 1}),
        ("char", "Xy", 1, {"X": 1}),
        ("byte", "naïve", 5, {}),
        ("word", "the new time zzz", 3, {" new": 1, " zzz": 1}),
        ("word", "zzz time zzz", 2, {"zzz": 1, " zzz": 1}),
        ("bpe", "🙃🙃", 5, {}),
    ],
)
def test_a_score_counts_targets_characters_and_unknowns(make, kind, text, tokens, unknown):
    score = make(kind).score(text)
    assert (score.tokens, score.characters) == (tokens, len(text))
    assert score.charges.unknown_tokens == sum(unknown.values())
    assert score.charges.unknown_characters == sum(len(part) * n for part, n in unknown.items())


@each_kind
def test_bits_per_character_are_the_whole_code_over_all_characters(make, kind):
    model = make(kind)
    score = model.score("the ZZ time ÄÄ")
    spelling = sum(
        n * model.tokenizer.spelling_nats(part)
        for part, n in model.tokenizer.unknown_parts("the ZZ time ÄÄ").items()
    )
    assert (spelling > 0) == (kind in ("char", "word"))
    code = score.nats + math.log(model.tokenizer.size) + spelling
    assert score.bits_per_character == pytest.approx(code / math.log(2) / 14)


def test_a_score_applies_the_text_rule(make):
    model = make("char")
    model.preprocessing = "letters"
    assert model.score("The  TIME;\n") == model.score("the time")


def test_the_codes_of_all_texts_of_one_length_have_a_probability_of_one(make):
    """Kraft's equality: no shorter code for all texts exists, and this one can be decoded."""
    model = make("char")
    spelled = [chr(point) for point in range(0x110000) if chr(point) not in TEXT]
    known = model.tokenizer.characters
    rare = model.tokenizer.spelling_nats
    total = 0.0
    for first, second in itertools.product((*known, None), repeat=2):
        # One character stands for all unknown ones: their spellings sum to 1.
        pair = (first or spelled[0]) + (second or spelled[0])
        nats = model.score(pair).bits_per_character * math.log(2) * 2
        nats -= sum(rare(spelled[0]) for each in (first, second) if each is None)
        total += math.exp(-nats)
    assert total == pytest.approx(1, abs=1e-5)
    assert sum(math.exp(-rare(each)) for each in spelled) == pytest.approx(1)


@each_kind
@pytest.mark.parametrize("context", ["carried", "windows:4"])
def test_score_is_the_nats_of_one_direct_pass(make, kind, context):
    model = make(kind)
    text = "the time traveller by h g wells"
    ids = torch.tensor(model.tokenizer.encode(text))
    size = 4 if context != "carried" else len(ids)
    expected = 0.0
    for start in range(0, len(ids) - 1, size):
        part = ids[start : start + size + 1]
        with torch.no_grad():
            logits, _ = model.model(part[:-1, None], model.model.zero_state(1), ENGINES["textbook"])
        table = logits[:, 0].double().log_softmax(dim=1)
        expected -= table[torch.arange(len(part) - 1), part[1:]].sum().item()
    assert model.score(text, context).nats == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("kind", "text"), [("char", ""), ("char", "t"), ("word", " machine")])
def test_score_refuses_a_text_without_a_target(make, kind, text):
    count = len(TOKENIZERS[kind].encode(text))
    with pytest.raises(CorpusError) as caught:
        make(kind).score(text)
    assert str(caught.value) == f"a text of {count} tokens has nothing to predict; it needs 2"


@each_kind
def test_saved_and_loaded_it_writes_and_scores_the_same(make, tmp_path, kind):
    model = make(kind, rule="lower")
    model.save(tmp_path / "model")
    loaded = TextModel.load(tmp_path / "model")
    rule = "nfc lower" if kind == "word" else "lower"
    assert (loaded.preprocessing, loaded.compute.precision) == (rule, "float32")
    assert loaded.generate("THE", length=20) == model.generate("THE", length=20)
    assert loaded.score("the time").nats == model.score("the time").nats
    loaded.save(tmp_path / "again")
    for file in ("config.json", "model.safetensors", "tokenizer.json"):
        assert (tmp_path / "again" / file).read_bytes() == (tmp_path / "model" / file).read_bytes()


def test_load_takes_a_run_directory_and_the_checkpoint_asked_for(make, tmp_path):
    best, last = make(seed=1), make(seed=2)
    best.save(tmp_path / "checkpoint" / "best")
    last.save(tmp_path / "checkpoint" / "last")
    assert TextModel.load(str(tmp_path)).score(TEXT).nats == best.score(TEXT).nats
    assert TextModel.load(tmp_path, "last").score(TEXT).nats == last.score(TEXT).nats


@pytest.mark.parametrize("engine", ENGINES)
def test_load_takes_the_engine_asked_for(make, tmp_path, engine):
    make().save(tmp_path)
    assert (
        TextModel.load(tmp_path, machine=ComputeSettings(engine=engine)).compute.engine.name
        == engine
    )


def test_load_refuses_an_unknown_engine_and_a_missing_device(make, tmp_path, monkeypatch):
    make().save(tmp_path)
    with pytest.raises(UsageError) as caught:
        TextModel.load(tmp_path, machine=ComputeSettings(engine="cuda"))
    assert str(caught.value) == "unknown engine 'cuda' (choices: textbook, builtin, native, auto)"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UnavailableError, match="device 'cuda' is not available"):
        TextModel.load(tmp_path, machine=ComputeSettings(device="cuda"))


@pytest.mark.parametrize("data", [None, {"preprocessing": "latin"}, {}])
def test_load_refuses_a_folder_that_does_not_say_its_text_rule(make, tmp_path, data):
    model = make()
    model.save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    if data:
        config["data"] = data
    else:
        del config["data"]
    write_json(tmp_path / "config.json", sealed(config))
    with pytest.raises(ModelFolderError) as caught:
        TextModel.load(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / 'config.json'}: no data settings")


def test_precision_holds_for_writing_and_scoring(make, output_types):
    model = make()
    model.compute = replace(model.compute, precision="bfloat16")
    types = output_types(model.model)
    model.generate("the", length=2)
    model.generate("the", length=2, beam_width=2)
    model.score("the time")
    assert types == {torch.bfloat16}


def test_repr_names_tokenizer_and_engine_above_the_layers(make):
    model = make()
    first, rest = repr(model).split("\n", 1)
    assert (
        first == f"CharTokenizer({model.tokenizer.size} tokens), engine {model.compute.engine.name}"
    )
    assert rest == repr(model.model)
