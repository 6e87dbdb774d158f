"""A language model together with its text rule, its tokenizer and the way it is computed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from rnnlab.config import ComputeSettings, DataSettings, GenerationSettings
from rnnlab.data.labelled_tokenizer import inner_kind, label_id, labels_of
from rnnlab.data.preprocessing import preprocess, quoted_end
from rnnlab.data.samples import as_text, prepared_sample, samples_of, within
from rnnlab.data.tokenizer import Ids, Tokenizer, text_rule
from rnnlab.errors import CorpusError, UsageError
from rnnlab.lm import model_folder
from rnnlab.lm.compute import Compute
from rnnlab.lm.evaluate import (
    Floats,
    Score,
    ShareCallback,
    ngram_nats,
    target_nats,
    unwatched,
)
from rnnlab.lm.ngram_mixture import NGramMixture
from rnnlab.lm.sample_scores import SampleScorer, SampleScores
from rnnlab.lm.sampling import not_finite
from rnnlab.lm.stored_network import StoredNetwork, as_module
from rnnlab.lm.tensor_file import MODEL_CONFIG
from rnnlab.lm.writing import Writer

if TYPE_CHECKING:
    from torch import Tensor

    from rnnlab.lm.model import LanguageModel

MOST_SHOWN = 10
"""Labels in an error."""


@dataclass
class TextModel:
    """A model that reads and writes text; what `rnnlab.load` returns."""

    network: LanguageModel | StoredNetwork
    """As arrays as long as nothing needs torch; see `model`."""
    tokenizer: Tokenizer
    preprocessing: str
    compute: Compute
    about: dict[str, Any] = field(default_factory=dict)
    """The content of config.json: the model's settings, and the data it was trained on."""
    checkpoint: str = ""
    """Which weights of a run these are, best or last; "" for a model folder."""
    mixture: NGramMixture | None = None
    """An n-gram model that joins the network."""
    has_ended: bool = True
    """False: of a run that is still training, or was killed."""

    @classmethod
    def load(
        cls, path: str | PathLike[str], which: str = "best", machine: ComputeSettings | None = None
    ) -> TextModel:
        """Read a model folder or a run directory; `which` is best or last, see `find_model`.

        Raises UsageError if there is no model, ModelFolderError if it is damaged, UnavailableError
        if this machine lacks the engine, device or precision.
        """
        machine = machine or ComputeSettings()
        folder, found = model_folder.find_model(Path(path), which)
        network, tokenizer, about = model_folder.load_network(folder)
        compute = Compute.choose(machine, network.settings.cell)
        data = model_folder.settings_in(about, "data", DataSettings, folder / MODEL_CONFIG)
        rule = text_rule(data, inner_kind(tokenizer))
        mixture = model_folder.load_mixture(folder, about, tokenizer, network)
        model = cls(network, tokenizer, rule, compute, about, found, mixture)
        if compute.engine.needs_torch:
            _ = model.model
        return model

    @property
    def model(self) -> LanguageModel:
        """The network as a module of torch."""
        self.network = as_module(self.network, self.compute.device)
        return self.network

    @property
    def of_documents(self) -> bool:
        """Whether the model's samples have line breaks within."""
        return bool(self.about.get("data", {}).get("unit") == "documents")

    def save(self, folder: str | Path, weights: Mapping[str, Tensor] | None = None) -> None:
        """Write a model folder, which `load` reads; `weights` replace the model's own if given."""
        model_folder.save_model(
            Path(folder), self.network, self.tokenizer, self.about, weights, self.mixture
        )

    def checkpoint_notices(self, asked: str) -> list[str]:
        """Return notices if the weights are not those asked for, or not those of the whole run."""
        notices = []
        if self.checkpoint not in ("", asked):
            notices.append(
                f"the run has no checkpoint/{asked}; its {self.checkpoint} weights are used"
            )
        if not self.has_ended:
            notices.append("the run has not ended; these are its weights so far")
        return notices

    @overload
    def generate(self, prefix: str = "", *, label: str = "", **settings: Any) -> str: ...

    @overload
    def generate(
        self, prefix: list[str] | tuple[str, ...], *, label: str = "", **settings: Any
    ) -> list[str]: ...

    def generate(
        self, prefix: str | list[str] | tuple[str, ...] = "", *, label: str = "", **settings: Any
    ) -> str | list[str]:
        """Continue one prefix, or several as one batch; return one text or a list of texts.

        Of a model of documents, each text ends where its document ends.

        label: of the sample, if the model's samples have labels; "": the model chooses one.
        settings: see `GenerationSettings`; stop=["\\n"] ends each text before a text, and
        matching="[A-Z][a-z]+" lets the model write only what matches. Each text begins with its
        prefix, as the model reads it.

        Raises UsageError for a setting that is wrong, also if no text can match.
        """
        checked = GenerationSettings.from_dict(settings)
        read = self._read_all([prefix] if isinstance(prefix, str) else prefix, label)
        texts = [text for text, _ in read]
        for pieces in self.writer.pieces(read, checked, has_label=bool(label)):
            texts = [text + piece for text, piece in zip(texts, pieces, strict=True)]
        return texts[0] if isinstance(prefix, str) else texts

    @overload
    def stream(self, prefix: str = "", *, label: str = "", **settings: Any) -> Iterator[str]: ...

    @overload
    def stream(
        self, prefix: list[str] | tuple[str, ...], *, label: str = "", **settings: Any
    ) -> Iterator[list[str]]: ...

    def stream(
        self, prefix: str | list[str] | tuple[str, ...] = "", *, label: str = "", **settings: Any
    ) -> Iterator[str] | Iterator[list[str]]:
        """Yield the continuation of one prefix piece by piece, as it is written.

        For several prefixes, which are continued as one batch, yield a list with a piece of each.
        label, settings: as for `generate`. A beam search yields a single piece.
        """
        checked = GenerationSettings.from_dict(settings)
        read = self._read_all([prefix] if isinstance(prefix, str) else prefix, label)
        pieces = self.writer.pieces(read, checked, has_label=bool(label))
        return (piece for (piece,) in pieces) if isinstance(prefix, str) else pieces

    @property
    def writer(self) -> Writer:
        """Return what continues texts that are read already."""
        return Writer(
            self.network, self.tokenizer, self.compute, self.mixture, of_documents=self.of_documents
        )

    def _read_all(self, prefixes: Sequence[str], label: str) -> list[tuple[str, Ids]]:
        return [self.read_prefix(prefix, label)[:2] for prefix in prefixes]

    def read_prefix(self, prefix: str, label: str = "") -> tuple[str, Ids, list[str]]:
        """Return the prefix under the text rule, its ids, and notices for the user.

        An empty prefix is read as a line break, or the nearest token to it. Parts that are not in
        the vocabulary are read as <unk>. A label is read before the prefix.

        Raises UsageError for a label that the model does not have, or a prefix without one if the
        model's samples have labels.
        """
        text, notices = preprocess(prefix, self.preprocessing), list[str]()
        before = [] if self.network.start is None else [self.network.start]
        if label:
            before.append(label_id(self.tokenizer, label))
        elif text and (labels := labels_of(self.tokenizer)):
            listed = ", ".join(labels[:MOST_SHOWN])
            raise UsageError(
                f"prefix {quoted_end(prefix)} needs a label, which this model reads first "
                f"(label: {listed}{' ...' if len(labels) > MOST_SHOWN else ''})"
            )
        if label and not prefix:
            return "", np.array(before), notices
        if not text:
            start = np.array(before) if label else self.tokenizer.start_ids()
            shown = self.tokenizer.decode(start)
            if prefix:
                notices.append(
                    f"prefix {quoted_end(prefix)}: {self.preprocessing!r} leaves nothing of it"
                )
            notices.append(f"empty prefix: the model starts after {shown!r}")
            return "", start, notices
        if letters_and_digits(text) != letters_and_digits(prefix):
            own, rule = quoted_end(prefix), self.preprocessing
            notices.append(f"prefix {own}: {rule!r} reads it as {quoted_end(text)}")
        read = within(text) if self.of_documents else text
        if missing := self.tokenizer.unknown_parts(read):
            names = ", ".join(repr(part) for part in list(missing)[:5])
            more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
            own = quoted_end(text)
            notices.append(f"prefix {own}: {names}{more} not in the vocabulary, read as <unk>")
        return text, np.array([*before, *self.tokenizer.encode(read)]), notices

    @overload
    def score(  # type: ignore[overload-overlap] # a string is an Iterable[str], too
        self, text: str, context: str = "carried", progress: ShareCallback = unwatched
    ) -> Score: ...

    @overload
    def score(self, text: Iterable[str]) -> SampleScores: ...

    def score(
        self,
        text: str | Iterable[str],
        context: str = "carried",
        progress: ShareCallback = unwatched,
    ) -> Score | SampleScores:
        """Measure -ln p of a text under the model's text rule; see `lm.evaluate`.

        Of a list, or of any other strings one after another, such as a column of a table, each is
        a sample of its own; see `lm.sample_scores`.

        Raises CorpusError for fewer than two tokens, DivergenceError if the model's output is NaN;
        for samples UsageError if a line has a line break, or if the model does not know it.
        """
        if not isinstance(text, str):
            return self.scorer().score(list(text))
        return self.score_prepared(self.prepared(text), context, progress)

    def scorer(self) -> SampleScorer:
        """Return what scores samples with this model, many times."""
        return SampleScorer(
            self.network, self.mixture, self.tokenizer, self.preprocessing, self.compute,
            self.of_documents,
        )  # fmt: skip

    def prepared(self, text: str) -> str:
        """Return a text as the model reads it: under its rule; a sample a line, or one document."""
        if self.network.start is None:
            return preprocess(text, self.preprocessing)
        if labels_of(self.tokenizer):
            raise UsageError(
                "the samples of this model have labels; rnnlab classify reads samples without one"
            )
        if self.of_documents:
            return as_text(filter(None, [prepared_sample(text, self.preprocessing)]))
        return as_text(samples_of([text], self.preprocessing))

    def score_prepared(
        self,
        text: str,
        context: str = "carried",
        progress: ShareCallback = unwatched,
        documents: Sequence[int] = (),
    ) -> Score:
        """As `score`, for a text to which the text rule is already applied.

        documents: tokens before which the state is reset, see `target_nats`.
        """
        ids = self._ids_to_score(text)
        nats = target_nats(
            self.network, self.compute, ids, context, progress, documents, self.mixture
        )
        return self._score(text, nats)

    def _ids_to_score(self, text: str) -> Ids:
        ids = self.tokenizer.encode(text)
        if len(ids) < 2:
            raise CorpusError(f"a text of {len(ids)} tokens has nothing to predict; it needs 2")
        return ids

    def _score(self, text: str, nats: Floats) -> Score:
        if np.isnan(nats).any():
            raise not_finite()
        charges = self.tokenizer.charges(text)
        return Score(float(nats.sum()), len(nats), len(text), charges, nats)

    def score_dynamic(
        self,
        text: str,
        train: Ids,
        progress: ShareCallback = unwatched,
        documents: Sequence[int] = (),
    ) -> Score:
        """As `score_prepared`, while the model learns on; see `rnnlab.lm.dynamic_evaluation`.

        train: ids of the training text.
        """
        from rnnlab.lm.dynamic_evaluation import dynamic_nats

        ids = self._ids_to_score(text)
        nats = dynamic_nats(
            self.model, self.compute, ids, train, self.mixture, progress=progress,
            documents=documents,
        )  # fmt: skip
        return self._score(text, nats)

    def parts_prepared(
        self, text: str, context: str = "carried", documents: Sequence[int] = ()
    ) -> dict[str, Score]:
        """Score the network alone and the n-gram model alone, as `score_prepared` scores both.

        Returns nothing if no n-gram model joins the network.
        """
        if self.mixture is None:
            return {}
        ids = self._ids_to_score(text)
        found = {
            "network": target_nats(self.network, self.compute, ids, context, documents=documents),
            "ngram": ngram_nats(self.mixture.table, ids, context, documents),
        }
        return {name: self._score(text, nats) for name, nats in found.items()}

    def __repr__(self) -> str:
        """Tokenizer, engine, layers."""
        return f"{self.tokenizer!r}, engine {self.compute.engine.name}\n{self.model!r}"


def letters_and_digits(text: str) -> str:
    """Return what a reader would miss if a text rule dropped it."""
    return "".join(filter(str.isalnum, text.lower()))
