"""A corpus made ready: text rule, splits, tokenizer, ids."""

from dataclasses import dataclass

from rnnlab.config import DataSettings
from rnnlab.data import corpus as corpora
from rnnlab.data.batches import BATCH_KINDS, Batches
from rnnlab.data.long_text import file_bytes
from rnnlab.data.preprocessing import preprocess
from rnnlab.data.splits import SPLITS, Split, nothing_left, split, too_short
from rnnlab.data.streaming import STREAMING, ProgressCallback, Streaming, load_streamed, no_progress
from rnnlab.data.tokenizer import Tokenizer, cut, train_usable_tokenizer

__all__ = ["SPLITS", "Dataset", "Split", "load_dataset", "split"]


@dataclass(frozen=True)
class Dataset:
    """The three contiguous parts of a text, and the tokenizer learned from the first."""

    corpus: corpora.Source
    splits: dict[str, Split]
    """By name; a part that holds less than two tokens predicts nothing and is left out."""
    tokenizer: Tokenizer

    @property
    def held_out(self) -> list[str]:
        """The splits that training never sees."""
        return [name for name in SPLITS[1:] if name in self.splits]

    def batches(self, settings: DataSettings) -> Batches:
        """The training split as batches; raises CorpusError where it is too short for one."""
        ids = self.splits["train"].all_ids
        return BATCH_KINDS[settings.batching](ids, settings.batch_size, settings.num_steps)


def load_dataset(
    settings: DataSettings,
    tokenizer: Tokenizer | None = None,
    streaming: Streaming = STREAMING,
    watch: ProgressCallback = no_progress,
) -> Dataset:
    """Read, preprocess, split and tokenize the text that `settings` name.

    With `tokenizer`, that one is kept and none is trained. Files too large for memory are streamed,
    with the same result; see `Streaming`. That may take minutes; `watch` is told how it goes on.
    """
    is_long = file_bytes(settings.corpus) >= streaming.from_bytes
    corpus, splits, tokenizer = (
        load_streamed(settings, tokenizer, streaming, watch)
        if is_long
        else _load(settings, tokenizer)
    )
    kept = {name: part for name, part in splits.items() if len(part.all_ids) > 1}
    if "train" not in kept:
        raise too_short(splits["train"].characters)
    return Dataset(corpus, kept, tokenizer)


def _load(
    settings: DataSettings, tokenizer: Tokenizer | None
) -> tuple[corpora.Source, dict[str, Split], Tokenizer]:
    corpus = corpora.load(settings.corpus, settings.data_dir, settings.errors)
    whole = preprocess(corpus.text, settings.preprocessing)
    if not whole:
        raise nothing_left(corpus.name, settings.preprocessing)
    limit = settings.corpus_limit
    texts = split(cut(whole, settings.tokenizer, limit) if limit else whole, settings.split)
    if tokenizer is None:
        source = whole if settings.vocabulary == "text" else texts["train"]
        tokenizer = train_usable_tokenizer(settings, source)
    return corpus, {n: Split(t, tokenizer.encode(t)) for n, t in texts.items()}, tokenizer
