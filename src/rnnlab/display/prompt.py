"""A person and a model write together, line by line: at a terminal, or through a pipe."""

import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from rnnlab.config import GenerationSettings
from rnnlab.console import notice, say, wrapped
from rnnlab.data.labelled_tokenizer import inner_kind, label_id, labels_of
from rnnlab.data.preprocessing import preprocess
from rnnlab.data.samples import SEPARATOR
from rnnlab.display.texts import write_text
from rnnlab.errors import RnnlabError, TerminatedError, UsageError, unknown
from rnnlab.lm.text_model import TextModel
from rnnlab.signals import end_on_signals, stopping_on_signals

PROMPT = "> "

WELCOME = "Type the beginning of a text. An empty line goes on; /help lists commands; Ctrl-D ends."

HELP = """\
TEXT            the model goes on from it; //TEXT for one that begins with /
an empty line   the model goes on with the last text
/again          the same once more, written otherwise
/SETTING VALUE  {settings}; without a value: the default
/settings       show them
/help  /quit    Ctrl-C stops what is being written, Ctrl-D ends"""

HELP_COLUMN = 16

COMMANDS = ("again", "settings", "help", "quit")


@dataclass
class Request:
    """What the model was last asked to continue."""

    text: str
    label: str
    shown: bool
    """Whether the text is printed before its continuation."""


class Prompt:
    """Reads lines from standard input; each is a beginning, or a command that begins with /."""

    def __init__(
        self,
        model: TextModel,
        settings: GenerationSettings,
        *,
        label: str = "",
        unescape: Callable[[str], str] = str,
    ) -> None:
        """Unescape: what is done to a stop text. Raises UsageError for an unknown label."""
        if label:
            label_id(model.tokenizer, label)
        self.model, self.label, self.unescape = model, label, unescape
        self.settings = settings.model_copy(update={"stop": tuple(map(unescape, settings.stop))})
        self.request = Request("", label, False)
        self.text, self.text_label = "", label
        """What is there now, and its label, which the model may have chosen."""
        self.written = 0
        """Continuations since the seed was given: each is drawn from the next seed."""
        self.is_terminal = False
        """Whether a person types; then Ctrl-C does not end all."""
        self.is_over = False
        """Whether a line said so."""
        self.names = [name.replace("_", "-") for name in GenerationSettings.model_fields]
        if labels_of(model.tokenizer):
            self.names.append("label")

    def run(self) -> None:
        """Answer line after line, until the input ends or a line says so."""
        self.is_terminal = sys.stdin.isatty() and sys.stdout.isatty()
        for line in _typed() if self.is_terminal else _piped():
            try:
                self.answer(line)
            except RnnlabError as error:
                _say_error(str(error))
            except KeyboardInterrupt as interrupt:
                if isinstance(interrupt, TerminatedError) or not self.is_terminal:
                    raise
                _go_on_after_interrupt()
            if self.is_over:
                return

    def answer(self, line: str) -> None:
        """Do what a line says; raises RnnlabError if it cannot be done."""
        if line.startswith("/") and not line.startswith("//"):
            name, _, value = line[1:].partition(" ")
            self._obey(name.strip(), value)
        elif line:
            self._go_on(
                Request(line.removeprefix("/") if line[0] == "/" else line, self.label, True)
            )
        else:
            label = self.text_label if self.text else self.label
            self._go_on(Request(self.text, label, False))

    def _obey(self, name: str, value: str) -> None:
        match name:
            case "again":
                if not self.settings.temperature or self.settings.beam_width:
                    raise UsageError("nothing is drawn at random, so it would be the same again")
                self._go_on(self.request)
            case "help":
                write_text(_help(self.names))
            case "settings":
                write_text(self._described())
            case "quit":
                self.is_over = True
            case _ if name in self.names:
                self._set(name.replace("-", "_"), value)
            case _:
                raise unknown("command", f"/{name}", [f"/{n}" for n in (*COMMANDS, *self.names)])

    def _set(self, name: str, value: str) -> None:
        if name == "label":
            if value:
                label_id(self.model.tokenizer, value)
            self.label = value
            return
        default = GenerationSettings.model_fields[name].default
        given: Any = default
        if value and isinstance(default, tuple):
            given = (self.unescape(value),)
        elif value:
            given = value if isinstance(default, str) else _number(value)
        self.settings = GenerationSettings.from_dict({**dict(self.settings), name: given})
        if name == "seed":
            self.written = 0

    def _described(self) -> str:
        values = {name.replace("_", "-"): value for name, value in self.settings}
        if labels_of(self.model.tokenizer):
            values["label"] = self.label
        texts = {
            n: " ".join(map(repr, v)) if isinstance(v, tuple) else v for n, v in values.items()
        }
        return "".join(f"{name:<20}{value}".rstrip() + "\n" for name, value in texts.items())

    def _go_on(self, request: Request) -> None:
        """Write a continuation, until it ends or Ctrl-C comes."""
        settings, model = self.settings, self.model
        if settings.temperature and not settings.beam_width:
            seed = (settings.seed + self.written) % 2**63
            settings = settings.model_copy(update={"seed": seed})
        if model.network.start is not None and not model.of_documents:
            settings = settings.model_copy(update={"stop": (*settings.stop, SEPARATOR)})
        self._check_known(request.text)
        start, _, notices = model.read_prefix(request.text, request.label)
        pieces = model.stream(request.text, label=request.label, **dict(settings))
        self.request, stopped_by, found = request, list[str](), ""
        for words in notices if request.text else ():
            notice(words)
        begun = False
        with stopping_on_signals(stopped_by.append):
            for piece in pieces:
                if not begun and request.shown:
                    write_text(start)
                begun, found = True, found + piece
                write_text(piece)
                if stopped_by:
                    break
        if not begun and request.shown:
            write_text(start)
        write_text("\n")
        if stopped_by == ["SIGTERM"]:
            raise TerminatedError
        if stopped_by and not self.is_terminal:
            raise KeyboardInterrupt
        self.written += 1
        self.text, self.text_label = start + found, request.label
        if labels_of(model.tokenizer) and not request.label:
            self.text_label, _, self.text = found.partition("\t")

    def _check_known(self, text: str) -> None:
        """Raise UsageError for characters that the model has never seen."""
        if inner_kind(self.model.tokenizer).kind != "char":
            return
        read = preprocess(text, self.model.preprocessing)
        if missing := list(self.model.tokenizer.unknown_parts(read)):
            raise UsageError(f"this model does not know {', '.join(map(repr, missing[:5]))}")


def _help(names: list[str]) -> str:
    lines = HELP.format(settings=", ".join(names)).split("\n")
    return "".join(f"{part}\n" for line in lines for part in wrapped(line, 79, HELP_COLUMN))


def _number(value: str) -> int | float | str:
    for kind in (int, float):
        with suppress(ValueError):
            return kind(value)
    return value


def _typed() -> Iterator[str]:
    """Yield what is typed at a terminal; Ctrl-C drops the line."""
    with suppress(ImportError):
        import readline  # noqa: F401 # input() then has a history and can be edited
    say(WELCOME, sys.stdout)
    while True:
        try:
            yield input(PROMPT)
        except EOFError:
            print()
            return
        except UnicodeDecodeError:
            _say_error("this is not text in the encoding of the terminal")
        except TerminatedError:
            raise
        except KeyboardInterrupt:
            _go_on_after_interrupt()


def _go_on_after_interrupt() -> None:
    print()
    end_on_signals()


def _piped() -> Iterator[str]:
    for number, line in enumerate(sys.stdin.buffer, start=1):
        try:
            yield line.decode().rstrip("\r\n")
        except UnicodeDecodeError:
            _say_error(f"line {number} is not UTF-8 text")


def _say_error(message: str) -> None:
    say(f"rnnlab: error: {message.replace(chr(10), '; ')}", sys.stderr)
