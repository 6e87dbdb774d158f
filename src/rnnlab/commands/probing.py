"""The command that looks inside a network."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import tyro

import rnnlab
from rnnlab.commands.flags import OPTIONAL, Checkpoint, MovedText, Text
from rnnlab.config import LoadSettings
from rnnlab.errors import UsageError

WITH = tyro.conf.arg(metavar="[MODEL | TEXT]", help_behavior_hint="(optional)")


def probe(
    model: tyro.conf.Positional[Path],
    machine: LoadSettings,
    other: tyro.conf.Positional[Annotated[str, WITH]] = "",
    text: Text = "",
    what: Annotated[tuple[str, ...], OPTIONAL] = (),
    after: Annotated[tuple[str, ...], OPTIONAL] = (),
    pattern: Annotated[tuple[str, ...], OPTIONAL] = (),
    labels: Annotated[tuple[str, ...], OPTIONAL] = (),
    html: Text = "",
    figures: Text = "",
    figure_format: Literal["png", "pdf", "svg"] = "png",
    npz: Text = "",
    json: bool = False,
    checkpoint: Checkpoint = "best",
    corpus: MovedText = (),
    validation_corpus: MovedText = (),
    test_corpus: MovedText = (),
) -> None:
    """Look inside a network: what surprises it, what its units follow, how far back it reaches.

    Every finding has its control: an untrained network, random directions, shifted text.

    Args:
        model: run directory or model folder
        other: a second one, to compare on the same text: which predicts it better, and by how
            much; or a text to read
        text: file or named corpus to read; default: the model's own held-out text
        what: surprise, following, ablation, timescales, reach, saturation, decoding, memorisation,
            exposure; default: the first six, a portrait
        after: words: is a unit active in the word that comes after one of them?
        pattern: regular expressions: is a unit active inside a match?
        labels: files with a label a line, one for each token or character of the text
        html: also write a page with pictures into this file
        figures: also write every plot into this folder; texts in colour are in --html only
        figure_format: png, pdf or svg
        npz: also write all arrays into this file; of two networks, into three
        json: print one JSON object instead of sentences
        checkpoint: of a run directory: best on the validation split, or last
        corpus: where the model's own corpus is now, if it has moved
        validation_corpus: where its validation text is now, if it has moved
        test_corpus: where its test text is now, if it has moved
    """
    from rnnlab.display.probe import ProbeProgress, Wanted, write_probes
    from rnnlab.probes import PORTRAIT
    from rnnlab.report.probe_page import Compared, Probed

    is_model = bool(other) and Path(other).is_dir()
    literal = other if other and not is_model else None
    if literal is not None and text:
        raise UsageError("give a text or --text FILE, not both")
    if html and Path(html).is_dir():
        raise UsageError(f"--html {html} is a folder; give the name of a file")
    if figures and Path(figures).exists() and not Path(figures).is_dir():
        raise UsageError(f"--figures {figures} is a file; give the name of a folder")
    progress = ProbeProgress()

    def look(path: Path, literal: str | None, file: str = "") -> Probed:
        return rnnlab.probe(
            path, literal, file=file, what=what or PORTRAIT, after=after,
            patterns={expression: expression for expression in pattern},
            label_files={Path(name).name: name for name in labels}, checkpoint=checkpoint,
            corpus=corpus, validation_corpus=validation_corpus, test_corpus=test_corpus,
            watch=progress.watch, **dict(machine),
        )  # fmt: skip

    try:
        one = look(model, literal, text)
        found: Probed | Compared = one
        if is_model:
            two = look(Path(other), one.read)
            tokens = two.text.removeprefix(two.source)
            found = one.compared_with(replace(two, text=f"{one.source}{tokens}"))
    finally:
        progress.end()
    write_probes(found, Wanted(json, html, npz, figures, figure_format))
