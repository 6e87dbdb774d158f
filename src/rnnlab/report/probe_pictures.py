"""The pictures of probes: on the page as <svg> elements and coloured text, and as files."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from markupsafe import Markup

from rnnlab.errors import UsageError, message_of
from rnnlab.probes.comparison import Comparison
from rnnlab.probes.result import ProbeResult
from rnnlab.probes.surprise import Surprise
from rnnlab.probes.unit_values import UnitValues
from rnnlab.report.coloured_text import comparison_text, surprise_text, unit_texts
from rnnlab.report.probe_plots import plots
from rnnlab.report.svg_plot import Picture
from rnnlab.report.svg_plot import check_format as check_format


def pictures(results: Mapping[str, ProbeResult], page: str = "probe") -> dict[str, list[Markup]]:
    """Return the pictures of each result that has any; page: begins every id in them."""
    drawn = dict[str, list[Markup]]()
    for name, result in results.items():
        match result:
            case Surprise():
                drawn[name] = [surprise_text(result)]
            case Comparison():
                drawn[name] = [comparison_text(result)]
            case UnitValues():
                drawn[name] = [
                    Markup('<div class="unit"><h3>{}</h3>{}</div>').format(title, text)
                    for title, text in unit_texts(result)
                ]
            case _:
                if found := svgs(plots(result), f"{page}-{name}"):
                    drawn[name] = found
    return drawn


def svgs(drawn: Iterable[Picture], name: str) -> list[Markup]:
    """Return plots as <svg> elements; name: begins every id in them."""
    return [one.plot.svg("-".join(filter(None, (name, one.part))), one.label) for one in drawn]


def save_pictures(
    drawn: Mapping[str, Iterable[Picture]], folder: Path, kind: str, prefix: str = ""
) -> list[Path]:
    """Write plots by probe as files PREFIX-PROBE-PART.KIND of a folder; return the files.

    Raises UsageError for an unknown format, or if the folder cannot be written to.
    """
    check_format(kind)
    files = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for probe, several in drawn.items():
            for one in several:
                words = "-".join(filter(None, (prefix, probe, one.part)))
                files.append(folder / f"{words}.{kind}")
                one.plot.save(files[-1])
    except OSError as error:
        raise UsageError(f"figures cannot be written to {folder}: {message_of(error)}") from None
    return files
