"""What the commands print: texts, tables, JSON."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from rnnlab.config import GenerationSettings, Precision
from rnnlab.console import PlainConsole, notice, visible
from rnnlab.cores import Cores
from rnnlab.data.named_corpora import CorpusEntry
from rnnlab.display.evaluations import print_evaluations
from rnnlab.doctor.diagnosis import Diagnosis
from rnnlab.engines import EngineEntry
from rnnlab.errors import UsageError
from rnnlab.lm.evaluate import Evaluation
from rnnlab.lm.text_model import TextModel
from rnnlab.runs.ensemble import MEMBERS

MOST_PREFIX_BYTES = 1 << 24
"""Largest file of prefixes; some files, such as /dev/zero, never end."""


def read_prefixes(prefixes: Sequence[str], file: str) -> Sequence[str]:
    """Return the prefixes given, or the lines of a file if one is named."""
    if file and any(prefixes):
        raise UsageError("give --prefix or --prefix-file, not both")
    if not file:
        return prefixes or ("",)
    try:
        with Path(file).open("rb") as stream:
            content = stream.read(MOST_PREFIX_BYTES + 1)
        lines = content.decode("utf-8-sig").splitlines()
    except OSError as error:
        raise UsageError(f"prefix file {file}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"prefix file {file} is not UTF-8 text: {error.reason}") from None
    if len(content) > MOST_PREFIX_BYTES:
        raise UsageError(f"prefix file {file} is longer than {MOST_PREFIX_BYTES:,} bytes")
    if not lines:
        raise UsageError(f"prefix file {file} is empty; it needs one prefix per line")
    return lines


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


def write_texts(
    model: TextModel,
    prefixes: Sequence[str],
    settings: GenerationSettings,
    checkpoint: str,
    label: str = "",
) -> None:
    """Continue every prefix; the first text is streamed, the others follow when all are done.

    Several texts are told apart by a line in front of each, such as `--- 2 of 3`.
    """
    read = [model.read_prefix(prefix, label) for prefix in prefixes]
    stream = model.stream(list(prefixes), label=label, **dict(settings))
    notices = [text for _, _, about_prefix in read for text in about_prefix]
    for text in dict.fromkeys(model.checkpoint_notices(checkpoint) + notices):
        notice(text)
    texts = [text for text, _, _ in read]
    several = len(texts) > 1
    write_text(f"--- 1 of {len(texts)}\n{texts[0]}" if several else texts[0])
    for pieces in stream:
        write_text(pieces[0])
        texts = [text + piece for text, piece in zip(texts, pieces, strict=True)]
    write_text("\n")
    for number, text in enumerate(texts[1:], start=2):
        write_text(f"--- {number} of {len(texts)}\n{text}\n")


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


def write_text(text: str) -> None:
    """Write generated text; on a terminal its control characters are made visible."""
    sys.stdout.write(visible(text) if sys.stdout.isatty() else text)
    sys.stdout.flush()
