"""Continues texts: tokens from the model become pieces of text, until each text ends.

Legend: B texts next to each other.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rnnlab.config import GenerationSettings
from rnnlab.data.labelled_tokenizer import labels_of
from rnnlab.data.samples import SEPARATOR
from rnnlab.data.tokenizer import Ids, Tokenizer
from rnnlab.lm.compute import Compute
from rnnlab.lm.generate import beam_search, generate_ids
from rnnlab.lm.matching import Matching
from rnnlab.lm.model import LanguageModel
from rnnlab.lm.ngram_mixture import NGramMixture
from rnnlab.lm.stopping import WrittenText


class Rows:
    """B texts that are being written, and where each of them ends."""

    def __init__(
        self, ids: Iterator[list[int | None]], texts: list[WrittenText], length: int
    ) -> None:
        self._ids, self.texts, self._length = ids, texts, length

    def pieces(self) -> Iterator[list[str]]:
        """Yield a piece of each text at every step."""
        for tokens in self._ids:
            yield [text.piece(token) for text, token in zip(self.texts, tokens, strict=True)]
            if all(text.has_stopped for text in self.texts):
                break
        rest = [text.rest() for text in self.texts]
        if any(rest):
            yield rest

    def is_full(self, row: int) -> bool:
        """Whether a text has as many tokens as it may have."""
        return self.texts[row].tokens == self._length


@dataclass(frozen=True)
class Writer:
    """A model and its tokenizer, as far as writing needs them."""

    model: LanguageModel
    tokenizer: Tokenizer
    compute: Compute
    mixture: NGramMixture | None

    def pieces(
        self, read: Sequence[tuple[str, Ids]], settings: GenerationSettings, *, has_label: bool
    ) -> Iterator[list[str]]:
        """Return pieces of every text, for prefixes as `TextModel.read_prefix` gives them.

        A beam search gives all at once. A sample that matches ends where the sample ends.
        """
        stops, ids = settings.stop, [own for _, own in read]
        if settings.matching and self.model.start is not None:
            stops = (*stops, SEPARATOR)
        if settings.beam_width:
            return self._by_beams(ids, settings, stops)
        texts = [text for text, _ in read]
        matching = self.matching(texts, settings, stops, has_label=has_label)
        return self.rows(ids, settings, stops, 0, matching).pieces()

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
        return Rows(found, texts, settings.length)

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
        return Matching(
            settings.matching, self.tokenizer, prefixes, stops, settings.length,
            label_first=not has_label and bool(labels_of(self.tokenizer)),
        )  # fmt: skip

    def _by_beams(
        self, ids: Sequence[Ids], settings: GenerationSettings, stops: Sequence[str]
    ) -> Iterator[list[str]]:
        found = list[str]()
        for own in ids:
            tokens = beam_search(
                self.model, self.compute, own, settings, self.tokenizer.unknown_id, self.mixture
            )
            text = WrittenText(self.tokenizer, stops)
            found.append(text.searched(self.tokenizer.decode(tokens)) + text.rest())
        yield found
