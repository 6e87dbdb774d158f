"""The text that a model is measured on: the last of its own held-out splits, or any other."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from rnnlab.data.dataset import Dataset
from rnnlab.errors import RnnlabError
from rnnlab.lm.text_model import TextModel
from rnnlab.runs.evaluation import copy_notices, say_where, training_data, truncation_notices
from rnnlab.runs.other_texts import read_text

MovedTo = Mapping[str, Sequence[str]]
"""Where the texts of a model are now, by setting, if they have moved."""


@dataclass(frozen=True)
class MeasuredText:
    """The text that a model was measured on, as the model reads it."""

    name: str
    """In words, such as `timemachine, test split`."""
    content: str = field(repr=False)
    resets: Sequence[int] = ()
    """The tokens before which the state is reset."""


def measured_text(
    model: TextModel, name: str, file: str = "", moved_to: MovedTo | None = None
) -> tuple[MeasuredText | None, Dataset | None, list[str]]:
    """Return the text, the model's own texts, and notices.

    name: of the model. file: a text by path or name of a corpus; default: the last of the model's
    held-out splits, None if it has none. The model's own texts are None if they are not available,
    which only a `file` allows.

    Raises CorpusError, ChecksumError or UsageError if a text is not available.
    """
    if file:
        source, content, characters = read_text(file, "strict", "utf-8", model)
        text = MeasuredText(Path(source.name).name, content)
        notices = truncation_notices(text.name, len(content), characters)
        own: Dataset | None = None
        with suppress(RnnlabError):  # without its training text, nothing can be said
            own = training_data(model, moved_to)
            notices += copy_notices(f"{text.name}, read by {name}", content, own)
        return text, own, notices
    try:
        dataset = training_data(model, moved_to)
    except RnnlabError as error:
        raise type(error)(
            f"{name}: its own text is not available: {error}; {say_where(model)}, or compare on "
            "another text with --text"
        ) from None
    if not dataset.held_out:
        return None, dataset, []
    split = dataset.held_out[-1]
    part, corpus = dataset.splits[split], dataset.own_names.get(split, dataset.corpus.name)
    text = MeasuredText(
        f"{Path(corpus).name}, {split} split", part.text, dataset.state_resets(split)
    )
    return text, dataset, truncation_notices(text.name, len(part.text), part.characters)
