"""What the commands print: texts, tables, JSON."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from rnnlab.config import GenerationSettings, Precision
from rnnlab.console import PlainConsole, notice, visible
from rnnlab.data.corpus import NAMED, NAMES, PYTHON_REFERENCE, python_reference
from rnnlab.display.evaluations import evaluation_tables
from rnnlab.engines import ENGINES, choose_engine
from rnnlab.errors import UsageError
from rnnlab.lm.device import choose_device
from rnnlab.lm.evaluate import Evaluation
from rnnlab.lm.text_model import TextModel

MOST_PREFIX_BYTES = 1 << 24
"""Of a file of prefixes; some files, such as /dev/zero, never end."""


def write_texts(
    model: TextModel,
    prefixes: Sequence[str],
    prefix_file: str,
    settings: GenerationSettings,
    checkpoint: str,
) -> None:
    """Continue every prefix; the first is streamed as it is written, the others follow whole."""
    for text in model.checkpoint_notices(checkpoint):
        notice(text)
    if prefix_file:
        if any(prefixes):
            raise UsageError("give --prefix or --prefix-file, not both")
        prefixes = _lines(Path(prefix_file))
    prefixes = prefixes or ("",)
    read = [model.read_prefix(prefix) for prefix in prefixes]
    for text in dict.fromkeys(text for _, _, notices in read for text in notices):
        notice(text)
    texts = [text for text, _, _ in read]
    _write(texts[0])
    for pieces in model.stream(prefixes, settings):
        _write(pieces[0])
        texts = [text + piece for text, piece in zip(texts, pieces, strict=True)]
    _write("\n")
    for text in texts[1:]:
        _write(f"{text}\n")


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
    for table in evaluation_tables(contents):
        console.print(table)


def write_corpora(data_dir: str) -> None:
    """Print the named corpora, and where each is or how to get it."""
    console = PlainConsole(highlight=False, soft_wrap=True)
    for corpus in NAMED.values():
        found = corpus.find(data_dir)
        where = (
            f"found at {found}" if found else f"not here; downloaded when used, from {corpus.url}"
        )
        console.print(f"[bold]{corpus.name}[/bold]")
        for line in (
            corpus.title,
            f"{corpus.size_bytes:,} bytes, {corpus.licence}",
            f"SHA-256 {corpus.sha256}",
            where,
        ):
            console.print(f"  {line}", markup=False)
    reference = python_reference()
    console.print(f"[bold]{PYTHON_REFERENCE}[/bold]")
    for line in (
        f"{reference.origin}, always at hand",
        f"{len(reference.text.encode()):,} bytes, PSF licence",
        f"SHA-256 {reference.sha256} (differs from version to version)",
    ):
        console.print(f"  {line}", markup=False)
    console.print(
        f"\nUse one with --corpus NAME ({', '.join(NAMES)}), or give text files, or - for standard "
        "input.\nLooked for in --data-dir, then the folders in RNNLAB_DATA, then the user cache."
    )


def write_engines() -> None:
    """Print the engines, and whether each runs here."""
    device = choose_device("auto")
    for engine in ENGINES.values():
        if fault := engine.fault("lstm", device):
            print(f"{engine.name:<10}not here: {fault}")
        else:
            level = engine.level()
            print(f"{engine.name:<10}ready{f': {level}' if level else ''}")
        print(f"{'':<10}{engine.about}")
    chosen = {p: choose_engine("auto", "lstm", device, p)[0].name for p in get_args(Precision)}
    print(f"{'auto':<10}{', '.join(f'{name} for {p}' for p, name in chosen.items())}")


def _write(text: str) -> None:
    """Write what a model wrote; a file gets all of it, a terminal nothing that it would obey."""
    sys.stdout.write(visible(text) if sys.stdout.isatty() else text)
    sys.stdout.flush()


def _lines(file: Path) -> list[str]:
    try:
        with file.open("rb") as stream:
            content = stream.read(MOST_PREFIX_BYTES + 1)
        lines = content.decode().splitlines()
    except OSError as error:
        raise UsageError(f"prefix file {file}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"prefix file {file} is no UTF-8 text: {error.reason}") from None
    if len(content) > MOST_PREFIX_BYTES:
        raise UsageError(f"prefix file {file} is longer than {MOST_PREFIX_BYTES:,} bytes")
    if not lines:
        raise UsageError(f"prefix file {file} is empty; it needs one prefix a line")
    return lines
