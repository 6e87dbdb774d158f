"""Ways of writing through the command line: separators, stop texts, and what must match."""

import json
import random
import re

import pytest
from command_line import TINY, Cli


@pytest.fixture(scope="module")
def run(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model of samples."""
    rng = random.Random(0)
    folder = tmp_path_factory.mktemp("writing")
    lines = ["".join(rng.choices(["ka", "lo", "mi"], k=rng.randint(1, 4))) for _ in range(400)]
    (folder / "names.txt").write_text("\n".join(lines), encoding="utf-8")
    flags = ["--corpus", str(folder / "names.txt"), "--unit", "lines", "--num-evaluations", "2"]
    done = cli("train", *TINY, *flags, "--num-epochs", "2", "--run-dir", str(folder / "run"))
    assert done.returncode == 0, done.stderr
    return str(folder / "run")


def samples(cli: Cli, run: str, *flags: str) -> tuple[str, str]:
    done = cli("generate", run, *flags)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def test_separators(cli: Cli, run: str) -> None:
    lines = samples(cli, run, "--count", "3")[0]
    texts = lines.splitlines()
    assert lines == "".join(f"{text}\n" for text in texts)
    for given, expected in [
        ("\\n", lines),
        ("\\0", "".join(f"{text}\0" for text in texts)),
        (", ", ", ".join(texts) + "\n"),
        ("\\t|\\\\n", "\t|\\n".join(texts) + "\n"),
        ("\\n--\\n", "\n--\n".join(texts) + "\n"),
        ("", "".join(texts) + "\n"),
    ]:
        assert samples(cli, run, "--count", "3", "--separator", given)[0] == expected


def test_stop_texts(cli: Cli, run: str) -> None:
    """Each has a flag of its own, and escapes are read."""
    whole = samples(cli, run, "--length", "60", "--temperature", "1")[0]
    found = samples(cli, run, "--length", "60", "--temperature", "1", "--stop", "\\n")[0]
    assert found == whole.partition("\n")[0] + "\n"
    found = samples(cli, run, "--count", "9", "--stop", "o", "--stop", "ka", "--json")[0]
    for row in map(json.loads, found.splitlines()):
        assert not re.search("o|ka", row["text"])
        assert row["has_ended"]
    assert samples(cli, run, "--prefix", "ka", "--stop", "ka")[0].startswith("ka")


def test_samples_that_match(cli: Cli, run: str) -> None:
    printed, errors = samples(
        cli, run, "--count", "20", "--matching", "(ka|lo){2}(?:mi)?k?", "--unique"
    )
    texts = printed.splitlines()
    assert len({*texts}) == len(texts)
    assert 8 < len(texts) <= 16
    assert all(re.fullmatch("(ka|lo){2}(?:mi)?k?", text) for text in texts)
    assert f"only {len(texts)} samples of 20: few others match, or the model kept writi" in errors
    (greedy, _) = samples(cli, run, "--matching", "m[^k]*", "--temperature", "0")
    assert re.fullmatch("m[^k]*", greedy.rstrip("\n"))
    assert greedy.count("\n") == 1  # one sample


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--separator", ","], "--separator needs --count"),
        (["--stop", ""], "stop 1 is empty"),
        (["--min-p", "2"], "min_p must be less than or equal to 1, not 2"),
        (["--repetition-penalty", "-1"], "repetition_penalty must be greater than 0, not -1"),
        (["--beam-width", "2", "--matching", "a"],
         "beam_width excludes matching: beam search takes all tokens as they are"),
        (["--matching", "(ka"],
         "matching = '(ka' is not a regular expression: missing ), unterminated subpattern at "
         "position 0"),
        (["--matching", r"(k)\1"],
         r"matching = '(k)\1' uses references to groups, which are not supported"),
        (["--matching", "((a|b){1,5000}){1,5000}"],
         "matching = '((a|b){1,5000}){1,5000}' is too large: its automaton would have too many "
         "states; use fewer or smaller repetitions"),
    ],
)  # fmt: skip
def test_bad_flags(cli: Cli, run: str, flags: list[str], message: str) -> None:
    done = cli("generate", run, *flags)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"rnnlab: error: {message}\n"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--matching", "a$k"], "'a$k': this model cannot write a text that matches"),
        (["--matching", "Z+"],
         "'Z+': this model cannot write a text that matches (not in its vocabulary: 'Z')"),
        (["--matching", "k{30}", "--length", "9"],
         "'k{30}': a text that matches takes 30 tokens or more; length = 9 is too short"),
        (["--matching", "ka", "--prefix", "lo"],
         "'ka': this model cannot write a text that matches and begins with 'lo'"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("count", [[], ["--count", "3"]])
def test_what_cannot_match(
    cli: Cli, run: str, flags: list[str], message: str, count: list[str]
) -> None:
    done = cli("generate", run, *flags, *count)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"rnnlab: error: matching = {message}\n"
