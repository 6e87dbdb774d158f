"""The corpora of an experiment: where they are, and whether they have changed."""

from pathlib import Path

from rnnlab.config import Settings
from rnnlab.data.corpus import is_text_file, open_corpus
from rnnlab.data.named_corpora import NAMES
from rnnlab.errors import RnnlabError, RunDirectoryError
from rnnlab.experiments.folder import FILE
from rnnlab.experiments.records import Records


def resolve_corpora(settings: Settings, origin: Path) -> Settings:
    """Make paths of corpora absolute that are relative to the folder of the experiment's file."""
    return settings.with_changes(corpus=tuple(_path(name, origin) for name in settings.data.corpus))


def check_corpora(records: Records) -> None:
    """Check every text that runs are still to be made of, or that can be read.

    A search needs its base's text. Raises CorpusError or UsageError if a text that is needed cannot
    be read, and RunDirectoryError if a text has changed since earlier runs of this experiment.
    """
    plan = records.plan
    planned = {run.id: run.settings.data for run in plan.runs}
    wanted = {}
    for run in records.runs:
        data = planned[run.id]
        if not run.has_ended or all(is_text_file(_path(c, plan.origin)) for c in data.corpus):
            wanted[data.corpus, data.data_dir, data.errors, data.encoding] = (
                f"variant {run.variant!r}"
            )
    if plan.settings.search:
        data = plan.base.data
        wanted[data.corpus, data.data_dir, data.errors, data.encoding] = "base"
    for (names, data_dir, errors, encoding), variant in wanted.items():
        paths = tuple(_path(name, plan.origin) for name in names)
        try:
            now = open_corpus(paths, data_dir, errors, encoding=encoding).source.sha256
        except RnnlabError as error:
            raise type(error)(f"{plan.origin / FILE}, {variant}: {error}") from None
        for run in records.runs:
            then = run.data.get("corpus_sha256")
            if planned[run.id].corpus == names and then and then != now:
                raise RunDirectoryError(
                    f"corpus {', '.join(names)} has changed since runs were made of it (SHA-256 "
                    f"was {then}, is {now}); put the old text back, or run the experiment in "
                    "another folder with --output"
                )


def _path(name: str, origin: Path) -> str:
    if name in NAMES or Path(name).is_absolute() or not (origin / name).is_file():
        return name
    return str((origin / name).resolve())
