"""A corpus made ready: text rule, splits, tokenizer, ids."""

from dataclasses import dataclass

from rnnlab.config import DataSettings
from rnnlab.data import corpus as corpora
from rnnlab.data.batches import KINDS, Batches
from rnnlab.data.preprocessing import preprocess
from rnnlab.data.tokenizer import Ids, Tokenizer, cut, train_tokenizer
from rnnlab.errors import CorpusError, UsageError

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Split:
    """One contiguous part of a text, and its ids."""

    text: str
    ids: Ids  # (N,)


@dataclass(frozen=True)
class Dataset:
    """The three contiguous parts of a text, and the tokenizer learned from the first."""

    corpus: corpora.Corpus
    splits: dict[str, Split]
    """By name; a part that holds less than two tokens predicts nothing and is left out."""
    tokenizer: Tokenizer

    @property
    def held_out(self) -> list[str]:
        """The splits that training never sees."""
        return [name for name in SPLITS[1:] if name in self.splits]

    def batches(self, settings: DataSettings) -> Batches:
        """The training split as batches; raises CorpusError where it is too short for one."""
        ids = self.splits["train"].ids
        return KINDS[settings.batching](ids, settings.batch_size, settings.num_steps)


def load_dataset(settings: DataSettings, tokenizer: Tokenizer | None = None) -> Dataset:
    """Read, preprocess, split and tokenize the text that `settings` name.

    With `tokenizer`, that one is kept and none is trained.
    """
    corpus = corpora.load(settings.corpus, settings.data_dir, settings.errors)
    whole = preprocess(corpus.text, settings.preprocessing)
    if not whole:
        raise CorpusError(
            f"corpus {corpus.name!r}: nothing is left of the text after preprocessing "
            f"{settings.preprocessing!r}"
        )
    limit = settings.corpus_limit
    texts = split(cut(whole, settings.tokenizer, limit) if limit else whole, settings.split)
    if tokenizer is None:
        source = whole if settings.vocabulary == "text" else texts["train"]
        tokenizer = train_tokenizer(settings, source)
        if tokenizer.size == 1:
            raise CorpusError(
                "word tokenizer: no word of the training text occurs "
                f"min_frequency = {settings.min_frequency} times"
            )
    splits = {name: Split(text, tokenizer.encode(text)) for name, text in texts.items()}
    kept = {name: part for name, part in splits.items() if len(part.ids) > 1}
    if "train" not in kept:
        raise CorpusError(
            f"text too short: a training split of {len(texts['train'])} characters "
            "holds less than two tokens"
        )
    return Dataset(corpus, kept, tokenizer)


def split(text: str, parts: tuple[float, float, float]) -> dict[str, str]:
    """Cut `text` into contiguous train, validation and test parts.

    `parts` are shares that sum to 1, or whole numbers of characters; in the latter case what
    follows them is left out, and UsageError is raised where the text does not hold them.
    """
    if sum(parts) > 1 + 1e-6:
        sizes = [int(part) for part in parts]
        if sum(sizes) > len(text):
            raise UsageError(f"split asks for {sum(sizes)} characters; the text has {len(text)}")
        ends = [sizes[0], sizes[0] + sizes[1], sum(sizes)]
    else:
        ends = [round(len(text) * parts[0]), round(len(text) * (parts[0] + parts[1])), len(text)]
    starts = [0, *ends[:-1]]
    return {name: text[a:b] for name, a, b in zip(SPLITS, starts, ends, strict=True)}
