"""The library in a handful of names; the command line is made of the same ones."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from rnnlab.config import CONTEXTS, DataSettings, Settings, find_config
from rnnlab.data.corpus import check_kept
from rnnlab.data.dataset import Dataset, load_dataset
from rnnlab.data.streaming import ProgressCallback, no_progress, read_beginning
from rnnlab.display.output import which_weights
from rnnlab.display.training import TrainingDisplay
from rnnlab.doctor.diagnose import examine
from rnnlab.doctor.diagnosis import Diagnosis, NotAtHand
from rnnlab.doctor.evidence import Evidence
from rnnlab.doctor.history import read_history
from rnnlab.doctor.text_levels import text_levels
from rnnlab.doctor.weights import weight_facts
from rnnlab.errors import (
    ChecksumError,
    CorpusError,
    ModelFolderError,
    RnnlabError,
    RunDirectoryError,
    UsageError,
)
from rnnlab.lm.evaluate import Evaluation
from rnnlab.lm.text_model import TextModel
from rnnlab.runs import training
from rnnlab.runs.evaluation import dataset_baselines, evaluate_splits, evaluate_texts
from rnnlab.runs.files import RUN_CONFIG
from rnnlab.runs.resume import check_settings, settings_to_resume
from rnnlab.runs.run import Run
from rnnlab.runs.saved_state import newest_state


def train(
    config: str | Path | None = None,
    *,
    run_dir: str | Path | None = None,
    resume: str | Path | None = None,
    quiet: bool = False,
    **settings: Any,
) -> Run:
    """Train a language model.

    config: a TOML file or the name of a recipe; settings override it, by the names of
    `rnnlab train --help` (hidden_size=256). run_dir: a new directory, default runs/….
    resume: instead of both, a run directory to go on in; settings are its own but for those given.
    """
    if resume is not None:
        if config is not None or run_dir is not None:
            raise UsageError("resume takes settings and directory from the run; leave out config "
                             "and run_dir")  # fmt: skip
        base = settings_to_resume(Path(resume))
    else:
        base = Settings() if config is None else Settings.from_toml(find_config(str(config)))
    asked = base.changed("train", **settings)
    with TrainingDisplay(quiet=quiet) as display:
        return training.train(asked, resume or run_dir, [display], resume=resume is not None)


def load(path: str | Path, checkpoint: str = "best", **machine: Any) -> TextModel:
    """Load a run's model (best or last) or a model folder; machine: engine, device, precision."""
    settings = Settings.from_flat(machine, "load").machine
    return TextModel.load(path, checkpoint, settings)


def evaluate(
    model: TextModel | str | Path,
    texts: Sequence[str] = (),
    *,
    splits: Sequence[str] = (),
    contexts: Sequence[str] = CONTEXTS,
    baselines: bool = True,
    errors: str = "strict",
    checkpoint: str = "best",
    watch: ProgressCallback = no_progress,
) -> tuple[list[Evaluation], list[str]]:
    """Measure how well a model predicts text: its records, and notices for people.

    model: as `load` returns it, or what `load` takes.
    texts: corpora by name or path ("-": standard input), each a text of its own; without any, the
    held-out splits of the corpus that the model was trained on, or `splits` of it. Baselines learn
    from the model's training split; where that text is no longer at hand they are left out, with
    a notice. watch: told what is being measured, and how far that is.
    """
    if not isinstance(model, TextModel):
        model = load(model, checkpoint)
    if texts and splits:
        raise UsageError("give texts or splits of the model's own corpus, not both")
    notices = which_weights(model, checkpoint)
    checkpoint = model.checkpoint or checkpoint
    dataset = None
    if baselines or not texts:
        try:
            dataset = training_data(model)
        except RnnlabError as error:
            if not texts:
                raise type(error)(
                    f"the model's own text is not at hand: {error}; give another with --text"
                ) from None
            notices.append(f"baselines left out, the training text is not at hand: {error}")
    beside = dataset_baselines(dataset) if dataset and baselines else None
    records: list[Evaluation] = []
    if not texts and dataset:
        chosen = splits or dataset.held_out
        for name in chosen:
            if name not in dataset.splits:
                raise UsageError(
                    f"the model's corpus has no {name!r} split "
                    f"(choices: {', '.join(dataset.splits)})"
                )
        if not chosen:
            raise UsageError(
                "nothing was held out when this model was trained; give a text, or --split train"
            )
        for name in chosen:
            part = dataset.splits[name]
            notices += _beginning(name, len(part.text), part.characters)
        records += evaluate_splits(
            model, dataset, chosen, contexts,
            checkpoint=checkpoint, baselines=beside, watch=watch,
        )  # fmt: skip
    for name in texts:
        corpus, text, characters = read_beginning(name, errors, model.preprocessing)
        notices += _beginning(corpus.name, len(text), characters)
        records += evaluate_texts(
            model, {"all": text}, contexts, sizes={"all": characters},
            corpus=corpus.name, corpus_sha256=corpus.sha256,
            checkpoint=checkpoint, baselines=beside, watch=watch,
        )  # fmt: skip
    return records, notices


def _beginning(name: str, evaluated: int, characters: int) -> list[str]:
    """The notice for a text of which not all is evaluated."""
    if evaluated == characters:
        return []
    return [
        f"{name}: a long text, evaluated on its first {evaluated:,} of {characters:,} characters"
    ]


def diagnose(run: Run | str | Path) -> Diagnosis:
    """Say what is wrong with a run, what shows it and what to try; see docs/doctor.md.

    The run may be finished, interrupted, or still going. Rules about gates and units read the
    training text with the last weights; where text or weights are not at hand, those rules are
    left out and the diagnosis says why. Raises UsageError where there is no run directory,
    RunDirectoryError or ModelFolderError where a file in it is damaged.
    """
    run = run if isinstance(run, Run) else Run.open(run)
    settings = run.settings
    _check_settings(run.directory)
    history = read_history(run.directory, settings)
    try:
        model = _last_model(run, history.stopped_by)
        ids = training_data(model).splits["train"].all_ids
    except NotAtHand as why:
        return examine(run.directory, Evidence(history, why, why))
    except (CorpusError, UsageError) as error:
        lost = NotAtHand(f"the training text is not at hand: {error}")
        return examine(run.directory, Evidence(history, lost, lost))
    levels = text_levels(ids, model.tokenizer.size)
    weights = weight_facts(model.model, settings.training.seed, ids)
    return examine(run.directory, Evidence(history, levels, weights))


def _check_settings(directory: Path) -> None:
    """Compare with the training state, where there is one that this version wrote."""
    try:
        state = newest_state(directory)
    except RunDirectoryError:
        return
    with suppress(ModelFolderError):
        check_settings(directory, state)


def _last_model(run: Run, stopped_by: str) -> TextModel:
    """Load a run's last weights; those of a run that diverged may be NaN, which is no damage."""
    folder = run.directory / "checkpoint" / "last"
    if not (folder / "config.json").is_file():
        raise NotAtHand(f"{folder} is gone" if stopped_by else "no checkpoint has been saved yet")
    try:
        model = load(run.directory, "last")
    except ModelFolderError as error:
        if stopped_by != "divergence":
            raise
        raise NotAtHand(f"the last weights cannot be used: {error}") from None
    if model.model.settings != run.settings.model:
        raise RunDirectoryError(
            f"{run.directory / RUN_CONFIG} was changed since: its model is not that of {folder}"
        )
    return model


def training_data(model: TextModel) -> Dataset:
    """Load the corpus that a model was trained on, split as it was then.

    Raises CorpusError or UsageError where it is not at hand, ChecksumError where it has changed.
    """
    settings = DataSettings.from_dict(model.about["data"])
    check_kept(settings.corpus)
    dataset = load_dataset(settings, model.tokenizer)
    if dataset.corpus.sha256 != model.about.get("corpus_sha256"):
        raise ChecksumError(f"corpus {dataset.corpus.name!r} has changed since training")
    return dataset
