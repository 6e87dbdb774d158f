"""Writing together with a model: through a pipe, and at a real terminal."""

import os
import pty
import select
import signal
import subprocess
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pyte
import pytest
import torch
from command_line import RNNLAB, Cli
from forked import Forked

import rnnlab
from rnnlab.config import GenerationSettings, ModelSettings
from rnnlab.data.tokenizer import CharTokenizer, LabelledTokenizer
from rnnlab.display.prompt import Prompt
from rnnlab.engines import ENGINES
from rnnlab.errors import UsageError
from rnnlab.lm.compute import Compute
from rnnlab.lm.model import LanguageModel
from rnnlab.lm.text_model import TextModel
from rnnlab.signals import ECHO_SECONDS


def generated(run: Path, prefix: str, **settings: Any) -> str:
    text = rnnlab.load(run).generate(prefix, **{"length": 30} | settings)
    assert isinstance(text, str)
    return text


@pytest.fixture
def piped(cli: Cli, trained: tuple[Path, str]) -> Any:
    """A function that gives the lines printed for some lines of input, and the errors."""

    def answer(*lines: str, flags: tuple[str, ...] = ("--length", "30")) -> tuple[str, list[str]]:
        done = cli("write", str(trained[0]), *flags, input="".join(f"{line}\n" for line in lines))
        assert done.returncode == 0
        return done.stdout, done.stderr.splitlines()

    return answer


def test_lines_through_a_pipe(trained: tuple[Path, str], piped: Any) -> None:
    """Each continuation is drawn from the next seed; an empty line goes on with all of the text."""
    run = trained[0]
    first = generated(run, "The cat")
    second = generated(run, first, seed=1).removeprefix(first)
    third = generated(run, first, seed=2).removeprefix(first)
    other = generated(run, "dog", seed=3)
    found, errors = piped("The cat", "", "/again", "dog")
    assert found == f"{first}\n{second}\n{third}\n{other}\n"
    assert not errors


def test_settings_change_and_return(trained: tuple[Path, str], piped: Any) -> None:
    run = trained[0]
    found, errors = piped(
        "/temperature 0", "/length 12", "The cat", "/stop \\n", "The dog", "/stop", "/length",
        "/temperature", "/min-p 0.1", "/matching [A-Z]\\w+ \\w+", "/length 10", "The", "/seed 0",
        "The", "/top-k 3", "/settings",
    )  # fmt: skip
    same = {"matching": r"[A-Z]\w+ \w+", "min_p": 0.1, "length": 10}
    assert found.startswith(
        f"{generated(run, 'The cat', temperature=0, length=12)}\n"
        f"{generated(run, 'The dog', temperature=0, length=12).partition(chr(10))[0]}\n"
        f"{generated(run, 'The', seed=2, **same)}\n{generated(run, 'The', **same)}\n"
        "length              10\n"
    )
    assert "\ntop-k               3\n" in found
    assert "\nmin-p               0.1\n" in found
    assert not errors


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("né", "this model does not know 'é'"),
        ("/temprature 1", "unknown command '/temprature'; did you mean '/temperature'? (choices: "
         "/again, /settings, /help, /quit, /length, /temperature, /top-k, /top-p, /min-p, "
         "/repetition-penalty, /stop, /matching, /beam-width, /seed)"),
        ("/temperature warm", "temperature must be a number, not 'warm'"),
        ("/length 0", "length must be greater than or equal to 1, not 0"),
        ("/length 1.5", "length must be a whole number, not 1.5"),
        ("/matching (", "matching = '(' is not a regular expression: missing ), unterminated "
         "subpattern at position 0"),
        ("/label x", "unknown command '/label' (choices: "),
        ("//", "this model does not know '/'"),
    ],
)  # fmt: skip
def test_an_error_is_one_line_and_the_next_line_is_answered(
    trained: tuple[Path, str], piped: Any, line: str, message: str
) -> None:
    found, errors = piped(line, "The")
    assert found == f"{generated(trained[0], 'The')}\n"
    (error,) = errors
    assert error.startswith(f"rnnlab: error: {message}")


def test_errors_while_writing(piped: Any) -> None:
    found, errors = piped("/matching [a-z]+", "The", "/temperature 0", "/again", "/quit", "The")
    assert found == ""
    assert errors == [
        "rnnlab: error: matching = '[a-z]+': this model cannot write a text that matches and "
        "begins with 'The'",
        "rnnlab: error: nothing is drawn at random, so it would be the same again",
    ]


def test_help_and_bytes_that_are_not_text(trained: tuple[Path, str]) -> None:
    done = subprocess.run(
        [RNNLAB, "write", trained[0]], input=b"/help\n\xff\n/quit\nThe\n", capture_output=True,
        check=True,
    )  # fmt: skip
    assert done.stdout.startswith(b"TEXT            the model goes on from it; ")
    assert b"/settings       show them\n" in done.stdout
    assert done.stderr == b"rnnlab: error: line 2 is not UTF-8 text\n"


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_what_a_pipe_asked_for(
    trained: tuple[Path, str], sign: signal.Signals
) -> None:
    process = Forked("write", str(trained[0]), "--length", "3000000")
    process.stdin.write("The\nThe\n")
    process.stdin.flush()
    assert process.stdout.read(3) == "The"
    process.send_signal(sign)
    done = process.ended()
    assert done.returncode == 128 + sign
    assert done.stderr == f"rnnlab: error: interrupted by {sign.name}\n"


class Terminal:
    """`rnnlab write` in a pseudo terminal of its own."""

    def __init__(self, *args: str) -> None:
        self.screen = pyte.Screen(100, 60)
        self.stream = pyte.ByteStream(self.screen)
        self.fd, theirs = pty.openpty()
        with patch.dict(os.environ, {"TERM": "xterm", "LINES": "60"}):
            self.process = Forked("write", *args, terminal=os.ttyname(theirs))
        os.close(theirs)

    def type(self, text: str) -> None:
        os.write(self.fd, text.encode())

    def shows(self, words: str, times: int = 1) -> bool:
        """Wait until the screen has some words."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if "\n".join(self.screen.display).count(words) >= times:
                return True
            if select.select([self.fd], [], [], 0.05)[0]:
                try:
                    self.stream.feed(os.read(self.fd, 65536))
                except OSError:  # it has ended
                    return "\n".join(self.screen.display).count(words) >= times
        return False

    def ends(self) -> int:
        """Return the exit code."""
        while True:
            try:
                if not os.read(self.fd, 65536):
                    break
            except OSError:
                break
        os.close(self.fd)
        return self.process.ended().returncode


def test_at_a_terminal(trained: tuple[Path, str]) -> None:
    terminal = Terminal(str(trained[0]), "--length", "30", "--stop", r"\n")
    assert terminal.shows("> ")
    assert terminal.screen.display[0].startswith("Type the beginning of a text. An empty line go")
    terminal.type("The cat\n")
    first = generated(trained[0], "The cat", stop="\n")
    assert terminal.shows(first)
    assert terminal.shows("> ", times=2)
    terminal.type("né\n")
    assert terminal.shows("rnnlab: error: this model does not know 'é'")
    terminal.type("half a li\x03")  # Ctrl-C drops the line
    assert terminal.shows("> ", times=4)
    terminal.type("/length 3000000\n/stop\n")
    terminal.type("The dog\n")
    assert terminal.shows("The ", times=8)
    time.sleep(ECHO_SECONDS)  # sooner, it would be the same Ctrl-C again
    terminal.type("\x03")  # and ends what is being written
    terminal.type("/length 5\n/again\n/temperature 3\n/settings\n")
    assert terminal.shows("temperature         3")
    terminal.type("\x04")
    assert terminal.ends() == 0


def test_labels(capsys: pytest.CaptureFixture[str]) -> None:
    """The model chooses one unless it is given, and a text goes on with its own."""
    tokenizer = LabelledTokenizer(CharTokenizer("ab\n"), {"x": 2, "y": 1})
    torch.manual_seed(0)
    network = LanguageModel(ModelSettings(hidden_size=8, init="normal"), tokenizer.size, start=3)
    model = TextModel(network, tokenizer, "none", Compute(ENGINES["builtin"]))
    prompt = Prompt(model, GenerationSettings(length=3, matching="a*b*"))

    def answer(line: str) -> str:
        prompt.answer(line)
        return capsys.readouterr().out

    label, _, text = answer("").rstrip("\n").partition("\t")
    assert label in ("x", "y")
    assert prompt.text_label == label
    assert set(text) <= {"a", "b"}
    assert "\t" not in answer("")
    assert prompt.text.startswith(text)
    with pytest.raises(
        UsageError, match=r"^prefix 'a' needs a label, which this model reads first"
    ):
        prompt.answer("a")
    with pytest.raises(UsageError, match=r"^unknown label 'z' \(choices: x, y\)$"):
        prompt.answer("/label z")
    answer("/label y")
    assert answer("a").startswith("a")
    assert "label               y\n" in answer("/settings")
    with pytest.raises(UsageError, match=r"^unknown label 'z'"):
        Prompt(model, GenerationSettings(), label="z")
