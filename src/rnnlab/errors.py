"""The exception tree. Every message names the rule, the value and the choices.

`exit_code` is the exit code of the command line: 2 if the request itself is wrong (a misspelt
name, a contradictory setting), 1 if a valid request failed (an empty file, a damaged checkpoint, a
diverged run).
"""

import re
from collections.abc import Iterable
from difflib import get_close_matches


class RnnlabError(Exception):
    """Base of all errors that rnnlab raises on purpose."""

    exit_code = 1


class UsageError(RnnlabError):
    """The request is wrong: an unknown name, an impossible or contradictory setting."""

    exit_code = 2


class RunEndedError(UsageError):
    """A run cannot be resumed, because its budget is used up and its evaluations are done."""


class CorpusError(RnnlabError):
    """A text is missing, empty, binary, too short or could not be fetched."""


class ChecksumError(CorpusError):
    """A text does not have the SHA-256 that it should have."""


class UnavailableError(RnnlabError):
    """This machine lacks what was asked for: an engine, a device, a precision."""


class ModelFolderError(RnnlabError):
    """A saved model is missing a file, damaged, or contradicts its own configuration."""


class UntrustedCodeError(RnnlabError):
    """A model or a run holds Python code, which is not run unless the user asks for it."""

    exit_code = 2

    def __init__(self, message: str, cell: str) -> None:
        super().__init__(message)
        self.cell = cell


class ForeignFileError(RnnlabError):
    """A file of another program is damaged, or holds what rnnlab does not know."""


class RunDirectoryError(RnnlabError):
    """A run directory cannot be made, written or understood."""


class DivergenceError(RnnlabError):
    """The training loss or a gradient became NaN or infinite."""


class TerminatedError(KeyboardInterrupt):
    """SIGTERM arrived; the process ends as after Ctrl-C."""


class OutOfMemoryError(RnnlabError):
    """The machine or its GPU has run out of memory."""


def as_out_of_memory(error: BaseException) -> OutOfMemoryError | None:
    """Return an OutOfMemoryError if `error` says that memory has run out, else None.

    Python, torch and C++ libraries report it in different ways.
    """
    text = str(error)
    if not isinstance(error, MemoryError) and not re.search(
        "(out of|not enough|allocate) memory|failed to map segment", text
    ):
        return None
    asked = re.search(r"allocate (\d+) bytes", text)
    what = f"{int(asked[1]):,} bytes more were needed" if asked else text.partition("\n")[0]
    named = f": {what}" if what and what != "std::bad_alloc" else ""
    sizes = "--hidden-size, --batch-size, --num-steps or --length"
    return OutOfMemoryError(f"out of memory{named}; use a smaller {sizes}")


def message_of(error: Exception) -> str:
    """Return the message of an error of Python or a library, in words for people."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)


def suggest(name: str, choices: Iterable[str]) -> str:
    """Return "; did you mean 'X'?" for the nearest of `choices`, or nothing if none is near."""
    near = get_close_matches(name, list(choices), n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else ""


def unknown(kind: str, name: str, choices: Iterable[str]) -> UsageError:
    """Return the error for a name that is not one of `choices`."""
    names = list(choices)
    return UsageError(
        f"unknown {kind} {name!r}{suggest(name, names)} (choices: {', '.join(names)})"
    )


def is_unicode(text: str) -> bool:
    """Say whether a text can be encoded in UTF-8; file names can hold other bytes (PEP 383)."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
