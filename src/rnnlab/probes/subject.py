"""What is probed: a trained model with a text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from rnnlab.data.dataset import Dataset
from rnnlab.errors import RnnlabError, UsageError
from rnnlab.lm.text_model import TextModel
from rnnlab.probes.reading import Reading
from rnnlab.probes.twin import DEFAULT_SEED
from rnnlab.runs.evaluation import say_where, training_data
from rnnlab.runs.files import RUN_CONFIG, settings_of_run
from rnnlab.runs.other_texts import read_text

MovedTo = Mapping[str, Sequence[str]]
"""Where the texts of a model are now, by setting, if they have moved."""


@dataclass(frozen=True)
class Subject:
    """A model, a text that it reads, and what is known of its training."""

    name: str
    text: str
    """Which text it is, in words."""
    reading: Reading
    seed: int = DEFAULT_SEED
    """Of the run, for untrained twins."""
    moved_to: MovedTo | None = None

    @classmethod
    def of(
        cls,
        model: TextModel,
        path: str | PathLike[str] | None,
        text: str | None = None,
        file: str = "",
        moved_to: MovedTo | None = None,
    ) -> "Subject":
        """Let a model read a text, a file, or else the last of its own held-out splits.

        path: where it was loaded from, if it was; a run directory says with which seed.

        Raises UsageError if both are given or there is none, CorpusError for a text that is too
        short or cannot be read.
        """
        if text is not None and file:
            raise UsageError("give a text or a file, not both")
        name = "the model" if path is None else Path(path).name
        seed = DEFAULT_SEED if path is None else seed_of(Path(path))
        if text is not None:
            return cls(name, "the given text", Reading.of(model, text), seed, moved_to)
        if file:
            source, content, _ = read_text(file, "strict", "utf-8", model)
            reading = Reading.of(model, content, is_prepared=True)
            return cls(name, source.name, reading, seed, moved_to)
        dataset = _own_texts(model, moved_to, ", or give another text")
        if not dataset.held_out:
            raise UsageError("the model has no held-out text; give a text to read")
        split = dataset.held_out[-1]
        reading = Reading.of(model, dataset.splits[split].text, is_prepared=True)
        return cls(name, f"the {split} split of {dataset.corpus.name}", reading, seed, moved_to)

    def training_texts(self) -> tuple[str, str]:
        """Return the end of the training text and a held-out text, as the model reads them.

        Raises CorpusError or UsageError if they are not available, ChecksumError if they changed.
        """
        dataset = _own_texts(self.reading.model, self.moved_to)
        held_out = dataset.splits[dataset.held_out[-1]].text if dataset.held_out else ""
        return dataset.splits["train"].end, held_out


def seed_of(path: Path) -> int:
    """Return the seed of a run directory, for untrained twins; of a model folder, the default."""
    is_run = (path / RUN_CONFIG).is_file()
    return settings_of_run(path).training.seed if is_run else DEFAULT_SEED


def held_out_texts(model: TextModel) -> dict[str, str]:
    """Return the texts of a model's own held-out splits by name, as the model reads them.

    Raises CorpusError or UsageError if they are not available, ChecksumError if they changed.
    """
    dataset = _own_texts(model, None, ", or give another text")
    return {split: dataset.splits[split].text for split in dataset.held_out}


def _own_texts(model: TextModel, moved_to: MovedTo | None, otherwise: str = "") -> Dataset:
    """Load the texts that a model was trained on; otherwise: what else may be done if not."""
    try:
        return training_data(model, moved_to)
    except RnnlabError as error:
        raise type(error)(
            f"the model's own text is not available: {error}; {say_where(model)}{otherwise}"
        ) from None
