"""The corpora of an experiment: where they are, and whether they have changed."""

from pathlib import Path

from rnnlab.config import TEXTS, DataSettings, Settings
from rnnlab.data.corpus import is_file_or_folder, open_corpora
from rnnlab.data.named_corpora import NAMES
from rnnlab.errors import RnnlabError, RunDirectoryError
from rnnlab.experiments.folder import FILE
from rnnlab.experiments.records import Records


def resolve_corpora(settings: Settings, origin: Path) -> Settings:
    """Make paths of corpora absolute that are relative to the folder of the experiment's file."""
    data = settings.data
    return settings.with_changes(
        **{s: tuple(_path(name, origin) for name in getattr(data, s)) for s in TEXTS}
    )


def check_corpora(records: Records) -> None:
    """Check every text that runs are still to be made of, or that can be read.

    A search needs its base's text. Raises CorpusError or UsageError if a text that is needed cannot
    be read, and RunDirectoryError if a text has changed since earlier runs of this experiment.
    """
    plan = records.plan
    planned = {run.id: run.settings.data for run in plan.runs}
    wanted = dict[DataSettings, str]()
    for run in records.runs:
        data = _read_alike(planned[run.id], plan.origin)
        if not run.has_ended or all(map(is_file_or_folder, data.text_names)):
            wanted[data] = f"variant {run.variant!r}"
    if plan.settings.search:
        wanted[_read_alike(plan.base.data, plan.origin)] = "base"
    for data, variant in wanted.items():
        try:
            now = open_corpora(data).source.sha256
        except RnnlabError as error:
            raise type(error)(f"{plan.origin / FILE}, {variant}: {error}") from None
        for run in records.runs:
            then = run.data.get("corpus_sha256")
            own = planned[run.id]
            if _read_alike(own, plan.origin).text_names == data.text_names and then and then != now:
                raise RunDirectoryError(
                    f"corpus {', '.join(own.text_names)} has changed since runs were made of it "
                    f"(SHA-256 was {then}, is {now}); put the old text back, or run the experiment "
                    "in another folder with --output"
                )


def _read_alike(data: DataSettings, origin: Path) -> DataSettings:
    """Return settings that are equal where the same texts are read in the same way."""
    names = {s: tuple(_path(name, origin) for name in getattr(data, s)) for s in TEXTS}
    how = {"data_dir": data.data_dir, "errors": data.errors, "encoding": data.encoding}
    return DataSettings().model_copy(update=names | how)


def _path(name: str, origin: Path) -> str:
    if name in NAMES or Path(name).is_absolute() or not is_file_or_folder(str(origin / name)):
        return name
    return str((origin / name).resolve())
