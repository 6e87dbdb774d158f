"""Texts that are written: the prefixes that are given, and what standard output shows."""

import sys
from collections.abc import Sequence
from pathlib import Path

from rnnlab.config import GenerationSettings
from rnnlab.console import notice, visible
from rnnlab.errors import UsageError
from rnnlab.lm.text_model import TextModel

MOST_PREFIX_BYTES = 1 << 24
"""Largest file of prefixes; some files, such as /dev/zero, never end."""


def read_prefixes(prefixes: Sequence[str], file: str) -> Sequence[str]:
    """Return the prefixes given, or the lines of a file if one is named."""
    if file and any(prefixes):
        raise UsageError("give --prefix or --prefix-file, not both")
    if not file:
        return prefixes or ("",)
    try:
        with Path(file).open("rb") as stream:
            content = stream.read(MOST_PREFIX_BYTES + 1)
        lines = content.decode("utf-8-sig").splitlines()
    except OSError as error:
        raise UsageError(f"prefix file {file}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"prefix file {file} is not UTF-8 text: {error.reason}") from None
    if len(content) > MOST_PREFIX_BYTES:
        raise UsageError(f"prefix file {file} is longer than {MOST_PREFIX_BYTES:,} bytes")
    if not lines:
        raise UsageError(f"prefix file {file} is empty; it needs one prefix per line")
    return lines


def write_texts(
    model: TextModel,
    prefixes: Sequence[str],
    settings: GenerationSettings,
    checkpoint: str,
    label: str = "",
) -> None:
    """Continue every prefix; the first text is streamed, the others follow when all are done.

    Several texts are told apart by a line in front of each, such as `--- 2 of 3`.
    """
    read = [model.read_prefix(prefix, label) for prefix in prefixes]
    stream = model.stream(list(prefixes), label=label, **dict(settings))
    notices = [text for _, _, about_prefix in read for text in about_prefix]
    for text in dict.fromkeys(model.checkpoint_notices(checkpoint) + notices):
        notice(text)
    texts = [text for text, _, _ in read]
    several = len(texts) > 1
    write_text(f"--- 1 of {len(texts)}\n{texts[0]}" if several else texts[0])
    for pieces in stream:
        write_text(pieces[0])
        texts = [text + piece for text, piece in zip(texts, pieces, strict=True)]
    write_text("\n")
    for number, text in enumerate(texts[1:], start=2):
        write_text(f"--- {number} of {len(texts)}\n{text}\n")


def write_text(text: str) -> None:
    """Write generated text; on a terminal its control characters are made visible."""
    sys.stdout.write(visible(text) if sys.stdout.isatty() else text)
    sys.stdout.flush()
