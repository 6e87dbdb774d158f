"""The exception tree. Every message names the rule, the value and the choices.

`exit_code` is what the command line ends with: 2 where the request itself is wrong (a misspelt
name, a contradictory setting), 1 where a sound request failed on what it met (an empty file, a
damaged checkpoint, a diverged run).
"""

import re
from collections.abc import Iterable
from difflib import get_close_matches


class RnnlabError(Exception):
    """Root of everything that rnnlab raises on purpose."""

    exit_code = 1


class UsageError(RnnlabError):
    """The request is wrong: an unknown name, an impossible or contradictory setting."""

    exit_code = 2


class RunEndedError(UsageError):
    """A run is to go on whose budget is used up, and all that follows training done."""


class CorpusError(RnnlabError):
    """A text is missing, empty, binary, too short or could not be fetched."""


class ChecksumError(CorpusError):
    """A file is not the one that its name promises."""


class UnavailableError(RnnlabError):
    """This machine lacks what was asked for: an engine, a device, a precision."""


class ModelFolderError(RnnlabError):
    """A saved model is missing a file, damaged, or contradicts its own configuration."""


class RunDirectoryError(RnnlabError):
    """A run directory cannot be made, written or understood."""


class DivergenceError(RnnlabError):
    """The training loss or a gradient became NaN or infinite."""


class TerminatedError(KeyboardInterrupt):
    """SIGTERM arrived where nothing is left to do but to end, as after Ctrl-C."""


class OutOfMemoryError(RnnlabError):
    """The machine or its GPU has no more memory."""


def lack_of_memory(error: BaseException) -> OutOfMemoryError | None:
    """What to raise instead, where the error is that there is no more memory.

    Python, torch and C++ libraries each say it in a way of their own.
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


def plainly(error: Exception) -> str:
    """What an error of Python or a library says, without Python's words for it."""
    return f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)


def suggest(name: str, choices: Iterable[str]) -> str:
    """Return "; did you mean 'X'?" for the nearest of `choices`, or nothing if none is near."""
    near = get_close_matches(name, list(choices), n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else ""


def unknown(kind: str, name: str, choices: Iterable[str]) -> UsageError:
    """The error for a name that is none of `choices`."""
    names = list(choices)
    return UsageError(
        f"unknown {kind} {name!r}{suggest(name, names)} (choices: {', '.join(names)})"
    )


def is_unicode(text: str) -> bool:
    """Whether a text can be written as UTF-8; names of files can be any bytes (PEP 383)."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
