"""When a text is too long for memory, how it is read then, and who is told how far that is."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class StreamingLimits:
    """When and how a text is streamed: read in pieces, its ids kept in a file that is mapped."""

    from_bytes: int = 2**25
    """Files of this size are streamed. In memory, the `char` tokenizer needs about 650 MB for a
    text of this size, most of it while it tokenizes."""
    chunk_bytes: int = 2**16
    """How much is read at a time. The arrays made of so much stay in the processor's cache: with
    1 MiB, text that is not ASCII takes four times as long."""
    evaluated_characters: int = 100_000
    """Of a longer held-out split only the beginning is evaluated, since a time budget includes the
    evaluations. This is the size of the last tenth of tinyshakespeare."""
    end_characters: int = 4_000_000
    """How much of the end of the training split is kept, for simple methods to learn from."""


STREAMING_LIMITS = StreamingLimits()

ProgressCallback = Callable[[str, float], None]
"""Called with what is being done, such as "tokenizing", and the share that is done."""


def no_progress(purpose: str, share: float) -> None:
    """Ignore progress."""
