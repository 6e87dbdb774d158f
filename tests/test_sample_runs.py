"""Runs on samples through the command line: trained, resumed, evaluated, written, examined."""

import json
import random
from pathlib import Path

import numpy as np
import pytest
from command_line import TINY, Cli

import rnnlab

SYLLABLES = ["ka", "lo", "mi", "ra", "sen", "to", "vi"]
FLAGS = [*TINY, "--unit", "lines", "--ngram-order", "3", "--num-evaluations", "3"]


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sorted, some of them more than once."""
    rng = random.Random(0)
    lines = ["".join(rng.choices(SYLLABLES, k=rng.randint(1, 4))) for _ in range(1_500)]
    file = tmp_path_factory.mktemp("samples") / "names.txt"
    file.write_text("\n".join(sorted(lines)), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def run(cli: Cli, names: Path) -> tuple[Path, str]:
    folder = names.parent / "run"
    done = cli(
        "train", "--corpus", str(names), *FLAGS, "--num-epochs", "2", "--run-dir", str(folder)
    )
    assert (done.returncode, done.stderr) == (0, "")
    return folder, done.stdout


def test_a_run_says_how_many_lines_it_has_and_scores_each_from_a_zero_state(
    run: tuple[Path, str],
) -> None:
    folder, printed = run
    (told,) = [line for line in printed.splitlines() if line.startswith("samples ")]
    assert told.startswith("samples   lines: train 1,3")
    assert told.endswith("repeat an earlier one, equal ones are in one split")
    result = json.loads((folder / "result.json").read_text())
    assert {record["context"] for record in result["evaluations"]} == {"carried"}
    assert sum(result["data"]["samples"]["counts"].values()) == 1_500
    assert rnnlab.load(folder).model.start is not None
    # Syllables are soon known, so what is left is which of the seven comes, or the end.
    (both, *_) = [r for r in result["evaluations"] if r["split"] == "test"]
    assert both["bits_per_character"] < both["baselines"]["unigram"]["bits_per_character"] - 0.5


def test_a_line_is_scored_alike_wherever_it_stands(run: tuple[Path, str]) -> None:
    model = rnnlab.load(run[0])
    one = model.score("kalomi").nats
    for text in ("kalomi\nkalomi\n", "\n\nkalomi  \r\nkalomi"):
        assert model.score(text).nats == pytest.approx(2 * one, rel=1e-5)


def test_it_is_resumed_to_the_same_bits(cli: Cli, names: Path, run: tuple[Path, str]) -> None:
    cut = names.parent / "cut"
    flags = ["--num-epochs", "1", "--schedule", "constant", "--run-dir", str(cut)]
    assert cli("train", "--corpus", str(names), *FLAGS, *flags).returncode == 0
    assert cli("train", "--resume", str(cut), "--num-epochs", "2").returncode == 0
    weights = "checkpoint/last/model.safetensors"
    one, other = (rnnlab.load(folder, "last").model for folder in (cut, run[0]))
    assert (cut / weights).is_file()
    for mine, theirs in zip(one.parameters(), other.parameters(), strict=True):
        assert (mine == theirs).all()


def test_evaluate_takes_only_the_rule_that_fits(cli: Cli, names: Path, run) -> None:
    done = cli("evaluate", str(run[0]), "--text", str(names))
    assert (done.returncode, done.stderr) == (0, "")
    assert "carried" in done.stdout
    assert "windows" not in done.stdout
    refused = cli("evaluate", str(run[0]), "--context", "windows:5")
    assert refused.returncode == 2
    assert refused.stderr == (
        "rnnlab: error: context 'windows:5' would cut samples; for a model of samples it is "
        "'carried'\n"
    )


def test_what_is_written_are_lines_like_those_read(cli: Cli, run: tuple[Path, str]) -> None:
    done = cli("generate", str(run[0]), "--length", "400", "--seed", "1")
    lines = done.stdout.split("\n")[1:-2]
    assert len(lines) > 20
    known = [line for line in lines if set(line) <= set("".join(SYLLABLES))]
    assert len(known) == len(lines)
    assert np.mean([len(line) for line in lines]) < 20


def test_the_doctor_examines_it(cli: Cli, run: tuple[Path, str]) -> None:
    done = cli("doctor", str(run[0]))
    assert (done.returncode, done.stderr) == (0, "")


def test_a_moved_file_in_another_order_gives_the_same_figures(
    cli: Cli, names: Path, run: tuple[Path, str]
) -> None:
    lines = names.read_text().split("\n")
    shuffled = names.parent / "shuffled.txt"
    shuffled.write_text("\n".join(random.Random(1).sample(lines, len(lines))))
    folder = names.parent / "other"
    flags = ["--num-epochs", "2", "--run-dir", str(folder)]
    assert cli("train", "--corpus", str(shuffled), *FLAGS, *flags).returncode == 0
    figures = [
        [r["nats_per_token"] for r in json.loads((each / "result.json").read_text())["evaluations"]]
        for each in (run[0], folder)
    ]
    assert figures[0] == figures[1]


def test_a_stream_of_lines_is_trained_on(
    cli: Cli, names: Path, run: tuple[Path, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A file too large for memory gives the run that a small one gives."""
    from dataclasses import replace

    from rnnlab.data import corpus, dataset
    from rnnlab.data.streaming_limits import STREAMING_LIMITS

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    small = replace(STREAMING_LIMITS, from_bytes=1)
    monkeypatch.setattr(dataset.load_dataset, "__defaults__", (None, small, dataset.no_progress))
    folder = tmp_path / "run"
    done = cli(
        "train", "--corpus", str(names), *FLAGS, "--num-epochs", "2", "--run-dir", str(folder)
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert corpus.open_corpus([str(names)], limits=small).is_long
    one, other = (rnnlab.load(each, "last").model for each in (folder, run[0]))
    for mine, theirs in zip(one.parameters(), other.parameters(), strict=True):
        assert (mine == theirs).all()


def test_samples_are_counted_new_and_told(cli: Cli, run: tuple[Path, str], names: Path) -> None:
    known = set(names.read_text().split("\n"))
    done = cli("generate", str(run[0]), "--count", "200", "--seed", "1", "--temperature", "1")
    lines = done.stdout.splitlines()
    assert len(lines) == 200
    assert done.returncode == 0
    (told,) = done.stderr.splitlines()
    assert told.endswith("% of these samples are in the training text")
    new = cli("generate", str(run[0]), "--count", "30", "--novel", "--unique", "--json")
    assert (new.returncode, new.stderr) == (0, "")
    rows = [json.loads(line) for line in new.stdout.splitlines()]
    texts = [row["text"] for row in rows]
    held_out = known - set(rnnlab_training_samples(run[0]))
    assert len({*texts}) == 30
    assert not {*texts} & (known - held_out)
    model = rnnlab.load(run[0])
    for row in rows[:5]:
        assert row["nats"] == pytest.approx(model.score([row["text"]]).nats[0], abs=1e-3)


def rnnlab_training_samples(run: Path) -> list[str]:
    from rnnlab.runs.evaluation import training_data

    return training_data(rnnlab.load(run)).splits["train"].text.split("\n")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--count", "-1"], "--count must be 0 or above, not -1"),
        (["--unique"], "--unique needs --count"),
        (["--count", "2", "--prefix", "a", "b"], "--count takes one prefix, not 2"),
        (["--count", "2", "--temperature", "0"],
         "samples are drawn at random; they need a temperature above 0 and no beams"),
    ],
)  # fmt: skip
def test_bad_flags_of_generate_are_one_clear_error(
    cli: Cli, run: tuple[Path, str], flags: list[str], message: str
) -> None:
    done = cli("generate", str(run[0]), *flags)
    assert (done.returncode, done.stderr) == (2, f"rnnlab: error: {message}\n")


def rows_of(done) -> list[dict]:
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_score_says_how_likely_each_line_is(cli: Cli, run: tuple[Path, str]) -> None:
    lines = ["kalomi", "zzzz", "sen", "kalomi"]
    rows = rows_of(cli("score", str(run[0]), input="\n".join(lines)))
    assert [(row["line"], row["text"]) for row in rows] == list(enumerate(lines, start=1))
    model = rnnlab.load(run[0])
    for row, line in zip(rows, lines, strict=True):
        assert row["nats"] == pytest.approx(sum(model.score([line]).nats), abs=1e-3) or "z" in line
    assert rows[0] == rows[3] | {"line": 1}
    strange = rows[1]
    assert strange["unknown_share"] == 1
    assert strange["bits_per_character"] > 2 * rows[0]["bits_per_character"]
    assert (strange["quantile"], rows[0]["quantile"] < 1) == (1, True)


def test_score_by_token_as_a_table_and_the_least_likely(
    cli: Cli, run: tuple[Path, str], names: Path
) -> None:
    lines = "kalomi\nzz\nsen\n"
    by_token = rows_of(cli("score", str(run[0]), "--per", "token", input=lines))
    assert "".join(row["token"] for row in by_token) == lines
    rows = rows_of(cli("score", str(run[0]), input=lines))
    bits = [sum(r["bits"] for r in by_token if r["line"] == n) for n in (1, 3)]
    expected = [row["nats"] / np.log(2) for row in rows]
    assert bits == pytest.approx([expected[0], expected[2]], abs=1e-2)
    worst = max((row for row in by_token if row["line"] == 1), key=lambda row: row["bits"])
    assert (rows[0]["worst_at"], rows[0]["worst_bits"]) == (worst["at"], worst["bits"])
    top = rows_of(cli("score", str(run[0]), "--top", "2", input=lines))
    assert [row["text"] for row in top] == ["zz", *sorted(
        ("kalomi", "sen"), key=lambda text: -next(
            row["bits_per_character"] for row in rows if row["text"] == text)
    )][:2]  # fmt: skip
    for by in ("worst_bits", "nats"):
        top = rows_of(cli("score", str(run[0]), "--top", "2", "--by", by, input=lines))
        assert top == sorted(rows, key=lambda row: -row[by])[:2]
    above = rows_of(cli("score", str(run[0]), "--above", "0.999", input=lines))
    assert [row["text"] for row in above] == ["zz"]
    table = cli("score", str(run[0]), "--csv", input='ka,"lo\nmi\n').stdout.splitlines()
    assert table[0].startswith("line,text,nats,bits_per_character,characters,unknown_share,quan")
    assert table[1].startswith('1,"ka,""lo",')
    assert len(table) == 3


def test_score_of_files_and_against_other_lines(
    cli: Cli, run: tuple[Path, str], names: Path
) -> None:
    files = [str(names), str(names)]
    rows = rows_of(cli("score", str(run[0]), *files, "--reference", str(names)))
    assert len(rows) == 3_000
    assert {row["file"] for row in rows} == {str(names)}
    quantiles = np.array([row["quantile"] for row in rows])
    assert np.quantile(quantiles, [0.1, 0.5, 0.9]) == pytest.approx([0.1, 0.5, 0.9], abs=0.02)
    folder = run[0] / "checkpoint" / "last"
    assert "quantile" not in rows_of(cli("score", str(folder), input="ka\n"))[0]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--top", "-1"], "--top must be 0 or above, not -1"),
        (["--above", "1"], "--above must be at least 0 and below 1, not 1"),
        (["--top", "3", "--per", "token"], "--top counts samples; it excludes --per token"),
        (["--by", "nats"], "--by nats has no effect without --top"),
        (["--above", "0.5"], "--above needs to know how likely held-out samples are: give a run "
         "that was trained with --unit lines or documents, or --reference FILE"),
    ],
)  # fmt: skip
def test_bad_flags_of_score_are_one_clear_error(
    cli: Cli, run: tuple[Path, str], flags: list[str], message: str
) -> None:
    done = cli("score", str(run[0] / "checkpoint" / "last"), *flags, input="ka\n")
    assert (done.returncode, done.stderr) == (2, f"rnnlab: error: {message}\n")


@pytest.mark.parametrize(
    ("content", "flags", "code", "message"),
    [
        ("\n  \n\t\n", [], 1, "no training samples: the corpus has 0 samples with text"),
        ("a\nb\nc\n", ["--split", "20", "5", "0"], 2,
         "split asks for 25 samples; the corpus has 3"),
        ("a\nb\n" * 99, ["--batching", "random"], 2,
         "unit = 'lines' needs batching = 'sequential'"),
        ("a\nb\n" * 99, ["--validation-context", "windows:9"], 2,
         "train: validation_context = 'windows:9' has no effect with unit = 'lines'; it needs "
         "unit = 'text'"),
    ],
)  # fmt: skip
def test_bad_samples_are_one_clear_error(
    cli: Cli, tmp_path: Path, content: str, flags: list[str], code: int, message: str
) -> None:
    file = tmp_path / "lines.txt"
    file.write_text(content)
    where = ("--run-dir", str(tmp_path / "run"))
    done = cli("train", "--corpus", str(file), *TINY, "--unit", "lines", *where, *flags)
    assert (done.returncode, done.stderr) == (code, f"rnnlab: error: {message}\n")


@pytest.fixture(scope="module")
def labelled(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on a table whose two labels have different syllables, one of them more often."""
    folder = tmp_path_factory.mktemp("labels")
    rng = random.Random(0)
    rows = []
    for _ in range(1_200):
        label = rng.choice(["east", "east", "west"])
        syllables = SYLLABLES[:4] if label == "east" else SYLLABLES[3:]
        rows.append(f"{''.join(rng.choices(syllables, k=rng.randint(1, 3)))},{label}")
    (folder / "table.csv").write_text("name,side\n" + "\n".join(rows))
    done = cli(
        "train", "--corpus", str(folder / "table.csv"), *FLAGS, "--column", "name",
        "--label-column", "side", "--num-epochs", "4", "--run-dir", str(folder / "run"),
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return folder


def test_the_four_ways_to_use_a_labelled_model(cli: Cli, labelled: Path) -> None:
    run = str(labelled / "run")
    # label in, text out
    west = cli("generate", run, "--label", "west", "--count", "40", "--temperature", "0.7")
    assert west.returncode == 0
    own = set("".join(SYLLABLES[3:]))
    assert np.mean([set(line) <= own for line in west.stdout.splitlines()]) > 0.8
    # text in, label out
    rows = rows_of(cli("classify", run, "-", input="kalomi\nsentovi\n"))
    assert [row["label"] for row in rows] == ["east", "west"]
    for row in rows:
        assert sum(row["probabilities"].values()) == pytest.approx(1, abs=1e-3)
    # labels are the model's own choice, and are shown
    free = cli("generate", run, "--count", "60", "--temperature", "1", "--json")
    chosen = [json.loads(line)["label"] for line in free.stdout.splitlines()]
    assert 0.5 < np.mean([label == "east" for label in chosen]) < 0.85


def test_classify_says_how_often_it_is_right(cli: Cli, labelled: Path) -> None:
    run = str(labelled / "run")
    printed = cli("classify", run)
    assert (printed.returncode, printed.stderr) == (0, "")
    for words in ("test split: ", "naive Bayes, ", "most frequent label", "east", "temperature "):
        assert words in printed.stdout
    figures = json.loads(cli("classify", run, "--json").stdout)
    accuracy = figures["accuracy"]
    assert accuracy["low"] < accuracy["share"] <= accuracy["high"]
    assert accuracy["share"] > figures["baselines"]["most frequent label"]["accuracy"]["share"]
    assert sum(map(sum, figures["confusion"])) == figures["samples"]
    right = sum(row[i] for i, row in enumerate(figures["confusion"]))
    assert right / figures["samples"] == pytest.approx(accuracy["share"])


def test_evaluate_reads_another_table(cli: Cli, labelled: Path) -> None:
    run, table = str(labelled / "run"), labelled / "table.csv"
    done = cli("evaluate", run, "--text", str(table))
    assert (done.returncode, done.stderr) == (0, "")
    lines = labelled / "lines.txt"
    lines.write_text("kalo\n")
    refused = cli("evaluate", run, "--text", str(lines))
    assert refused.returncode == 2
    assert refused.stderr == (
        f"rnnlab: error: the samples of this model have labels; file {lines} must be a table with "
        "a column 'side'\n"
    )


def test_empty_lines_and_no_lines_are_not_scored(cli: Cli, run: tuple[Path, str]) -> None:
    rows = rows_of(cli("score", str(run[0]), input="ka\n\n  \nmi\n"))
    assert [(row["line"], row["text"]) for row in rows] == [(1, "ka"), (4, "mi")]
    assert rows_of(cli("score", str(run[0]), input="")) == []


def test_unknown_characters_of_a_prefix_are_told(
    cli: Cli, labelled: Path, run: tuple[Path, str]
) -> None:
    told = "prefix '?': '?' not in the vocabulary, read as <unk>"
    for flags in ([str(run[0])], [str(labelled / "run"), "--label", "west"]):
        done = cli("generate", *flags, "--count", "1", "--prefix", "?")
        assert told in done.stderr


def test_samples_that_are_alike_are_not_copies(run: tuple[Path, str]) -> None:
    assert not json.loads((run[0] / "result.json").read_text())["data"]["copies"]


def test_a_resume_names_the_budget_that_is_used_up(cli: Cli, run: tuple[Path, str]) -> None:
    refused = cli("train", "--resume", str(run[0]), "--max-seconds", "600")
    assert refused.returncode == 2
    assert "its budget of num_epochs = 2 is used up; give a larger one to go on" in refused.stderr
    assert "--max-seconds" not in refused.stderr
