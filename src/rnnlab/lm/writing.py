"""Continues texts: tokens from the model become pieces of text, until each text ends.

Legend: B texts next to each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rnnlab.config import GenerationSettings
from rnnlab.data.labelled_tokenizer import labels_of
from rnnlab.data.samples import SEPARATOR, shown, within
from rnnlab.data.tokenizer import Ids, Tokenizer
from rnnlab.lm.compute import Compute
from rnnlab.lm.generate import generate_ids
from rnnlab.lm.ngram_mixture import NGramMixture
from rnnlab.lm.stopping import WrittenText
from rnnlab.lm.stored_network import StoredNetwork, as_module

if TYPE_CHECKING:
    from rnnlab.lm.matching import Matching
    from rnnlab.lm.model import LanguageModel


class Rows:
    """B texts that are being written, and where each of them ends."""

    def __init__(
        self,
        ids: Iterator[list[int | None]],
        texts: list[WrittenText],
        length: int,
        shown: Callable[[str], str],
    ) -> None:
        self._ids, self.texts, self._length, self._shown = ids, texts, length, shown

    def pieces(self) -> Iterator[list[str]]:
        """Yield a piece of each text at every step."""
        for tokens in self._ids:
            pieces = zip(self.texts, tokens, strict=True)
            yield [self._shown(text.piece(token)) for text, token in pieces]
            if all(text.has_stopped for text in self.texts):
                break
        rest = [self._shown(text.rest()) for text in self.texts]
        if any(rest):
            yield rest

    def is_full(self, row: int) -> bool:
        """Whether a text has as many tokens as it may have."""
        return self.texts[row].tokens == self._length


@dataclass(frozen=True)
class Writer:
    """A model and its tokenizer, as far as writing needs them."""

    model: LanguageModel | StoredNetwork
    tokenizer: Tokenizer
    compute: Compute
    mixture: NGramMixture | None
    of_documents: bool = False
    """Whether line breaks are vertical tabs to the model; see `data.samples`."""

    def pieces(
        self, read: Sequence[tuple[str, Ids]], settings: GenerationSettings, *, has_label: bool
    ) -> Iterator[list[str]]:
        """Return pieces of every text, for prefixes as `TextModel.read_prefix` gives them.

        A beam search gives all at once. A document, or a sample that matches, ends where the sample
        ends.
        """
        ids, of_samples = [own for _, own in read], self.model.start is not None
        at_end = self.of_documents or (settings.matching and of_samples)
        stops = self.stops(settings, *([SEPARATOR] if at_end else []))
        if settings.beam_width:
            return self._by_beams(ids, settings, stops)
        texts = [text for text, _ in read]
        matching = self.matching(texts, settings, stops, has_label=has_label)
        return self.rows(ids, settings, stops, 0, matching).pieces()

    def stops(self, settings: GenerationSettings, *more: str) -> tuple[str, ...]:
        """Return `more` and the stop texts of the settings, as the model writes them."""
        return (*more, *map(self._read, settings.stop))

    def rows(
        self,
        ids: Sequence[Ids],
        settings: GenerationSettings,
        stops: Sequence[str],
        first_stream: int,
        matching: Matching | None,
    ) -> Rows:
        """Return B texts to be written; see `generate_ids`."""
        found = generate_ids(
            self.model, self.compute, ids, settings, self.tokenizer.unknown_id, self.mixture,
            first_stream, matching,
        )  # fmt: skip
        texts = [WrittenText(self.tokenizer, stops) for _ in ids]
        return Rows(found, texts, settings.length, self._shown)

    def matching(
        self,
        prefixes: Sequence[str],
        settings: GenerationSettings,
        stops: Sequence[str],
        *,
        has_label: bool,
    ) -> Matching | None:
        """Return what the settings allow after each prefix, or None if they allow all tokens.

        Raises UsageError if no text can match.
        """
        if not settings.matching:
            return None
        from rnnlab.lm.matching import Matching

        return Matching(
            settings.matching, self.tokenizer, [self._read(prefix) for prefix in prefixes], stops,
            settings.length,
            label_first=not has_label and bool(labels_of(self.tokenizer)),
        )  # fmt: skip

    def _by_beams(
        self, ids: Sequence[Ids], settings: GenerationSettings, stops: Sequence[str]
    ) -> Iterator[list[str]]:
        from rnnlab.lm.beam_search import beam_search

        found, model = list[str](), as_module(self.model, self.compute.device)
        for own in ids:
            tokens = beam_search(
                model, self.compute, own, settings, self.tokenizer.unknown_id, self.mixture
            )
            text = WrittenText(self.tokenizer, stops)
            found.append(self._shown(text.searched(self.tokenizer.decode(tokens)) + text.rest()))
        yield found

    def _read(self, text: str) -> str:
        return within(text) if self.of_documents else text

    def _shown(self, text: str) -> str:
        return shown(text) if self.of_documents else text
