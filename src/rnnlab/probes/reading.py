"""A text as a model reads it: its tokens, and which characters each of them stands for.

Legend: N tokens.
"""

from dataclasses import dataclass
from typing import Self

from rnnlab.data.tokenizer import Ids
from rnnlab.errors import CorpusError
from rnnlab.lm.text_model import TextModel

SHORTEST = 2
"""Tokens that any probe needs: one to read, and one to predict."""


@dataclass(frozen=True)
class Reading:
    """A text under a model's text rule and tokenizer."""

    model: TextModel
    text: str
    ids: Ids  # (N,)
    ends: Ids  # (N,) characters of the text up to the end of each token
    unknown: dict[str, int]
    """Parts that are not in the vocabulary, and how often they occur: read as <unk>."""

    @classmethod
    def of(cls, model: TextModel, text: str, *, is_prepared: bool = False) -> Self:
        """Read a text; is_prepared: the text rule is already applied.

        Raises CorpusError for fewer than SHORTEST tokens.
        """
        if not is_prepared:
            text = model.prepared(text)
        ids = model.tokenizer.encode(text)
        if len(ids) < SHORTEST:
            raise CorpusError(
                f"a text of {len(ids)} tokens is too short for a probe; it needs {SHORTEST}"
            )
        unknown = dict(model.tokenizer.unknown_parts(text))
        return cls(model, text, ids, model.tokenizer.ends(text), unknown)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def tokens(self) -> list[str]:
        """Return the characters that each token stands for; all together are the text."""
        begins = [0, *self.ends[:-1].tolist()]
        return [self.text[a:b] for a, b in zip(begins, self.ends.tolist(), strict=True)]

    def first(self, tokens: int) -> "Reading":
        """Return the reading of at most so many tokens from the beginning."""
        if tokens >= len(self):
            return self
        ids, ends = self.ids[:tokens], self.ends[:tokens]
        return Reading(self.model, self.text[: ends[-1]], ids, ends, self.unknown)
