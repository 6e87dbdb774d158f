"""What the commands print: tables, JSON."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from rnnlab.config import Precision
from rnnlab.console import notice
from rnnlab.cores import Cores
from rnnlab.data.named_corpora import CorpusEntry
from rnnlab.display.evaluations import print_evaluations
from rnnlab.display.plain_console import PlainConsole
from rnnlab.doctor.diagnosis import Diagnosis
from rnnlab.engines import EngineEntry
from rnnlab.lm.evaluate import Evaluation
from rnnlab.lm.model_folder import MEMBERS
from rnnlab.lm.text_model import TextModel


def tell_ensemble(model: TextModel, folder: Path) -> None:
    """Say what an ensemble consists of, and where it is."""
    tell, network = PlainConsole(highlight=False, soft_wrap=True).tell, model.model
    tell(
        "ensemble",
        f"{model.about[MEMBERS]} networks as one of {network.settings.hidden_size:,} units, "
        f"{network.num_parameters():,} parameters, zero from one to another",
    )
    if model.mixture is not None:
        tell("n-gram", f"order {len(model.mixture.table.orders)}, with a gate of its own")
    tell("saved", f"{folder}; measure it with rnnlab evaluate {folder}")


def write_evaluations(
    records: Sequence[Evaluation], notices: Sequence[str], *, as_json: bool
) -> None:
    """Print evaluation records as a table or as one JSON object."""
    for text in notices:
        notice(text)
    contents = [record.to_dict() for record in records]
    if as_json:
        print(json.dumps({"evaluations": contents}, indent=2))
        return
    console = PlainConsole(highlight=False)
    print_evaluations(console, contents)


def write_diagnosis(diagnosis: Diagnosis, *, as_json: bool) -> None:
    """Print a diagnosis in words or as one JSON object."""
    if as_json:
        print(json.dumps(diagnosis.to_dict(), indent=2))
        return
    console = PlainConsole(highlight=False, soft_wrap=True)
    for number, (title, lines) in enumerate(diagnosis.sections()):
        if number:
            console.print()
        if title:
            console.print(title, style="bold", markup=False)
        for heading, words in lines:
            console.tell(heading, words, column=12)


def write_corpora(corpora: Sequence[CorpusEntry]) -> None:
    """Print the named corpora, and where each is or how to get it."""
    console = PlainConsole(highlight=False, soft_wrap=True)
    for corpus in corpora:
        console.print(f"[bold]{corpus.name}[/bold]")
        if corpus.url:
            title, checksum = corpus.title, corpus.sha256
            where = [f"not here; downloaded when used, from {corpus.url}"]
            where = [f"found at {corpus.file}"] if corpus.file else where
        else:
            title = f"{corpus.title}, always available"
            checksum, where = f"{corpus.sha256} (differs between versions of Python)", []
        size = f"{corpus.size_bytes:,} bytes, {corpus.licence}"
        for line in (title, size, f"SHA-256 {checksum}", *where):
            console.tell("", line, column=2)
    console.print()
    names = ", ".join(corpus.name for corpus in corpora)
    use = f"Use one with --corpus NAME ({names}), or give text files, or - for standard input."
    console.tell("", use, column=0)
    folders = "Searched in --data-dir, then the folders in RNNLAB_DATA, then the user cache."
    console.tell("", folders, column=0)


def write_engines(engines: Sequence[EngineEntry], threads: Cores) -> None:
    """Print the engines, whether each runs here, and how many threads they use and why."""
    for engine in engines:
        ready = f"ready: {engine.instruction_set}" if engine.instruction_set else "ready"
        print(f"{engine.name:<10}{f'not here: {engine.fault}' if engine.fault else ready}")
        print(f"{'':<10}{engine.about}")
    chosen = {precision: e.name for e in engines for precision in e.chosen_for}
    named = (f"{chosen.get(p, 'nothing here')} for {p}" for p in get_args(Precision))
    print(f"{'auto':<10}{', '.join(named)}")
    print(f"{'threads':<10}{threads.count}: {threads.why}")
