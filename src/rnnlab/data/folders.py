"""A folder as a corpus: all of its files, one after another."""

from collections.abc import Iterator
from pathlib import Path

from rnnlab.console import counted
from rnnlab.data.decoding import chunks, decoded
from rnnlab.data.encodings import detected
from rnnlab.data.named_corpora import NAMES
from rnnlab.errors import CorpusError

LOOKED_AT = 1 << 16
"""How many bytes at the beginning of a file are looked at."""

MOST_NAMED = 5
"""Files in an error."""


def is_folder(name: str) -> bool:
    """Whether a corpus of this name is a folder."""
    try:
        return name not in ("", "-", "auto", *NAMES) and Path(name).is_dir()
    except OSError:  # a name longer than the system allows
        return False


def files_in(folder: Path, errors: str = "strict", encoding: str = "utf-8") -> list[Path]:
    """Return the files of a folder and of the folders in it, in the order of their paths.

    Hidden files and folders are left out, and files without content. Links are followed.

    Raises CorpusError if nothing is left, for a link that leads nowhere or to a folder that is
    read anyway, and for files that are not text, all of them in one error.
    """
    every = sorted(_walk(folder, set()), key=lambda file: file.relative_to(folder).parts)
    if not every:
        raise CorpusError(f"folder {folder} has no files (hidden ones are left out)")
    files = [file for file in every if file.stat().st_size]
    if not files:
        raise CorpusError(f"folder {folder} has only empty files; a corpus needs text")
    if errors == "strict":
        _check_texts(folder, files, encoding)
    return files


def _walk(folder: Path, seen: set[Path]) -> Iterator[Path]:
    """Yield the files of a folder; `seen`: the folders that were read before."""
    real = folder.resolve()
    if real in seen:
        raise CorpusError(f"folder {folder} is read twice, through a link")
    seen.add(real)
    try:
        paths = list(folder.iterdir())
    except OSError as error:
        raise CorpusError(f"folder {folder}: cannot be read: {error.strerror}") from None
    for path in paths:
        if path.name.startswith("."):
            continue
        if path.is_dir():
            yield from _walk(path, seen)
        elif path.is_file():
            yield path
        elif path.exists():
            raise CorpusError(f"file {path} is not a regular file")
        else:
            raise CorpusError(f"file {path} is a link that leads nowhere")


def _check_texts(folder: Path, files: list[Path], encoding: str) -> None:
    faults = {file: why for file in files if (why := _fault(file, encoding))}
    if len(faults) == 1:
        (why,) = faults.values()
        raise CorpusError(f"{why} (a folder is read with all of its files)")
    if faults:
        names = ", ".join(str(file.relative_to(folder)) for file in [*faults][:MOST_NAMED])
        more = f" and {len(faults) - MOST_NAMED:,} more" if len(faults) > MOST_NAMED else ""
        raise CorpusError(
            f"folder {folder}: {len(faults):,} of its {counted(len(files), 'file')} cannot be read "
            f"as text: {names}{more}. The first: {next(iter(faults.values()))}"
        )


def _fault(file: Path, encoding: str) -> str:
    """Return why the beginning of a file is not text; "" if it is."""
    origin = f"file {file}"
    try:
        found, content = detected(chunks(file, LOOKED_AT), encoding, origin)
        next(decoded(content, origin, "strict", found), None)
    except CorpusError as error:
        return str(error)
    return ""
