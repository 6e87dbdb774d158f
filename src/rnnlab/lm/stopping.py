"""The text of tokens as they are written, until a stop text.

What may be the beginning of a stop text is held back until more is known.
"""

from collections.abc import Sequence

from rnnlab.data.labelled_tokenizer import is_label
from rnnlab.data.tokenizer import Tokenizer
from rnnlab.patterns.automaton import beginning_at_end


class WrittenText:
    """Turns the tokens of one text into pieces of it that are certain.

    It ends before the stop text that is complete first, and of those that end at the same place
    before the longest. Labels are not searched.
    """

    def __init__(self, tokenizer: Tokenizer, stops: Sequence[str] = ()) -> None:
        self.tokenizer, self.stops = tokenizer, stops
        self.tokens = 0
        """How many were written."""
        self.has_stopped = False
        """Whether there was a stop text."""
        self.has_label = False
        """Whether a label was written, and a tab after it."""
        self._decode = tokenizer.stream()
        self._held = ""

    def piece(self, token: int | None) -> str:
        """Return what is certain after one more token; None: there is none."""
        if token is None or self.has_stopped:
            return ""
        self.tokens += 1
        text = self._decode(token)
        if is_label(self.tokenizer, token):
            self.has_label = True
            return self.rest() + text
        return self.searched(text)

    def searched(self, text: str) -> str:
        """Return what is certain after more text."""
        text = self._held + text
        found = [(at + len(stop), at) for stop in self.stops if (at := text.find(stop)) >= 0]
        self.has_stopped = bool(found)
        certain = min(found)[1] if found else len(text) - beginning_at_end(text, self.stops)
        self._held = "" if found else text[certain:]
        return text[:certain]

    def rest(self) -> str:
        """Return what was held back, when nothing follows."""
        held, self._held = self._held, ""
        return held
