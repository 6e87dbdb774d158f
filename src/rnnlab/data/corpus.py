"""Where text comes from: named corpora, files, standard input."""

import hashlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rnnlab.errors import ChecksumError, CorpusError, UsageError, suggest

DOWNLOAD_TIMEOUT_SECONDS = 4.0
"""Longest wait for a server's answer; an absent network must not stall the first command."""

BYTE_ORDER_MARK = "\ufeff"


@dataclass(frozen=True)
class Corpus:
    """A text and where it came from."""

    name: str
    text: str
    sha256: str
    """Of the bytes as read, before decoding."""
    origin: str
    """One phrase for people: where it was found, and why this one was taken."""


@dataclass(frozen=True)
class NamedCorpus:
    """A text that rnnlab knows by name."""

    name: str
    title: str
    licence: str
    size_bytes: int
    sha256: str
    url: str

    def find(self, data_dir: str = "") -> Path | None:
        """Look in `data_dir`, then the folders of RNNLAB_DATA, then the user cache."""
        for folder in _folders(data_dir):
            file = folder / f"{self.name}.txt"
            if file.is_file():
                return file
        return None

    def download(self) -> Path:
        """Fetch into the user cache and check; raises CorpusError or ChecksumError."""
        import pooch
        import requests

        pooch.get_logger().setLevel("WARNING")
        try:
            return Path(
                pooch.retrieve(
                    self.url,
                    known_hash=None,
                    path=_cache(),
                    fname=f"{self.name}.txt",
                    downloader=pooch.HTTPDownloader(timeout=DOWNLOAD_TIMEOUT_SECONDS),
                    processor=self._check_download,
                )
            )
        except (requests.RequestException, OSError) as error:
            raise CorpusError(
                f"corpus {self.name!r} is not at hand and could not be downloaded from {self.url} "
                f"({type(error).__name__}); put {self.name}.txt into a folder and name the folder "
                "with --data-dir or RNNLAB_DATA"
            ) from None

    def _check_download(self, file: str, action: str, pooch: object) -> str:
        try:
            self.check(Path(file), Path(file).read_bytes())
        except ChecksumError:
            Path(file).unlink()
            raise
        return file

    def check(self, file: Path, content: bytes) -> None:
        """Raise ChecksumError unless `content` is the corpus that the name promises."""
        found = hashlib.sha256(content).hexdigest()
        if found != self.sha256:
            raise ChecksumError(
                f"corpus {self.name!r}: wrong checksum of {file}: SHA-256 is {found}, "
                f"must be {self.sha256}; delete the file to have it fetched again, or give its "
                "path as --corpus to use it as it is"
            )

    def load(self, data_dir: str, errors: str) -> Corpus:
        """Read from the first place that has it, downloading if none has."""
        found = self.find(data_dir)
        file = found or self.download()
        content = _read(file)
        self.check(file, content)
        origin = f"found at {file}" if found else f"downloaded from {self.url}"
        return Corpus(self.name, _decode(content, str(file), errors), self.sha256, origin)


NAMED = {
    corpus.name: corpus
    for corpus in (
        NamedCorpus(
            name="timemachine",
            title="H. G. Wells, The Time Machine, as d2l distributes it",
            licence="public domain in the USA",
            size_bytes=178_979,
            sha256="8424dbd9532ac81f7e5f0b6add90e6952baea29158309d7d1bf3884f4e12c516",
            url="http://d2l-data.s3-accelerate.amazonaws.com/timemachine.txt",
        ),
        NamedCorpus(
            name="tinyshakespeare",
            title="40,000 lines of Shakespeare, as char-rnn distributes them",
            licence="public domain",
            size_bytes=1_115_394,
            sha256="86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
            url="https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
        ),
    )
}

PYTHON_REFERENCE = "python-reference"
NAMES = (*NAMED, PYTHON_REFERENCE)


def python_reference() -> Corpus:
    """Return the help topics that ship inside every CPython: English, always there, no network."""
    from pydoc_data.topics import topics

    text = "\n".join(topics[name] for name in sorted(topics))
    version = ".".join(map(str, sys.version_info[:3]))
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    return Corpus(PYTHON_REFERENCE, text, sha256, f"the help topics of Python {version}")


def load(names: Sequence[str], data_dir: str = "", errors: str = "strict") -> Corpus:
    """Read a corpus: `auto`, a named one, a text file, `-` (standard input), or several of these.

    Raises UsageError for a name that is neither known nor a file, CorpusError for a text that
    cannot be read, ChecksumError for a named corpus with another content.
    """
    if len(names) > 1:
        return _join([load([name], data_dir, errors) for name in names])
    (name,) = names
    if name == "auto":
        return _auto(data_dir, errors)
    if name == PYTHON_REFERENCE:
        return python_reference()
    if name in NAMED:
        return NAMED[name].load(data_dir, errors)
    return _load_file(name, errors)


def _auto(data_dir: str, errors: str) -> Corpus:
    wanted = NAMED["timemachine"]
    try:
        corpus = wanted.load(data_dir, errors)
    except CorpusError as error:
        if wanted.find(data_dir):  # a damaged file of one's own is to be mended, not passed over
            raise
        corpus = python_reference()
        why = str(error).split(";")[0].replace("corpus ", "", 1)
        return Corpus(corpus.name, corpus.text, corpus.sha256, f"{corpus.origin}, because {why}")
    return Corpus(corpus.name, corpus.text, corpus.sha256, f"auto: {corpus.origin}")


def _load_file(name: str, errors: str) -> Corpus:
    if name == "-":
        content, origin = sys.stdin.buffer.read(), "standard input"
    else:
        if not _exists(name):
            raise UsageError(
                f"corpus {name!r} is neither a named corpus nor a file{suggest(name, NAMES)} "
                f"(named: {', '.join(NAMES)}; or the path of a text file, or - for standard input)"
            )
        content, origin = _read(Path(name)), f"file {name}"
    text = _decode(content, origin, errors)
    return Corpus(name, text, hashlib.sha256(content).hexdigest(), origin)


def _join(parts: Sequence[Corpus]) -> Corpus:
    sums = "".join(part.sha256 for part in parts)
    return Corpus(
        name=" ".join(part.name for part in parts),
        text="".join(part.text for part in parts),
        sha256=hashlib.sha256(sums.encode()).hexdigest(),
        origin=f"{len(parts)} texts, one after another",
    )


def _exists(name: str) -> bool:
    try:
        return Path(name).exists()
    except OSError:  # a name longer than the system allows
        return False


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise CorpusError(f"file {file}: cannot be read: {error.strerror}") from None


def _decode(content: bytes, origin: str, errors: str) -> str:
    if errors == "strict" and (nul := content.find(b"\0")) >= 0:
        raise CorpusError(
            f"{origin} is no text: NUL byte at offset {nul}; use --errors replace to read it anyway"
        )
    try:
        text = content.decode("utf-8", errors).removeprefix(BYTE_ORDER_MARK)
    except UnicodeDecodeError as error:
        raise CorpusError(
            f"{origin} is no UTF-8 text: byte 0x{content[error.start]:02x} at offset "
            f"{error.start}; convert it, or use --errors replace"
        ) from None
    if not text:
        raise CorpusError(f"{origin} is empty; a corpus needs text")
    return text


def _folders(data_dir: str) -> list[Path]:
    named = [data_dir, *os.environ.get("RNNLAB_DATA", "").split(os.pathsep)]
    return [*(Path(folder) for folder in named if folder), _cache()]


def _cache() -> Path:
    import pooch

    return Path(pooch.os_cache("rnnlab"))
