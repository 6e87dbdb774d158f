"""The texts that rnnlab knows by name: where they are found, downloaded and checked."""

import hashlib
import os
import re
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from rnnlab.data.decoding import decoded
from rnnlab.data.texts import TextInMemory
from rnnlab.errors import ChecksumError, CorpusError

DOWNLOAD_TIMEOUT_SECONDS = 4.0
"""Longest wait for an answer of the server; without a network the first command must not stall."""


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
        """Download into the user cache and check; raise CorpusError or ChecksumError."""
        import pooch
        import requests

        pooch.get_logger().setLevel("WARNING")
        try:
            return Path(
                pooch.retrieve(
                    self.url,
                    known_hash=None,
                    path=cache_folder(),
                    fname=f"{self.name}.txt",
                    downloader=pooch.HTTPDownloader(timeout=DOWNLOAD_TIMEOUT_SECONDS),
                    processor=self._check_download,
                )
            )
        except (requests.RequestException, OSError) as error:
            raise CorpusError(
                f"corpus {self.name!r} was not found and could not be downloaded from {self.url} "
                f"({type(error).__name__}); put {self.name}.txt into a folder and name the folder "
                "with --data-dir or RNNLAB_DATA"
            ) from None

    def _check_download(self, file: str, action: str, pooch: object) -> str:
        try:
            self.check_sha256(Path(file), Path(file).read_bytes())
        except ChecksumError:
            Path(file).unlink()
            raise
        return file

    def check_sha256(self, file: Path, content: bytes) -> None:
        """Raise ChecksumError unless `content` is the text that the name promises."""
        found = hashlib.sha256(content).hexdigest()
        if found != self.sha256:
            raise ChecksumError(
                f"corpus {self.name!r}: wrong checksum of {file}: SHA-256 is {found}, "
                f"must be {self.sha256}; delete the file to download it again, or give its "
                "path as --corpus to use it as it is"
            )

    def load(self, data_dir: str, errors: str) -> TextInMemory:
        """Read the text from the first place that has it, or download it."""
        found = self.find(data_dir)
        file = found or self.download()
        try:
            content = file.read_bytes()
        except OSError as error:
            raise CorpusError(f"file {file}: cannot be read: {error.strerror}") from None
        self.check_sha256(file, content)
        origin = f"found at {file}" if found else f"downloaded from {self.url}"
        text = "".join(decoded([content], str(file), errors))
        return TextInMemory(name=self.name, sha256=self.sha256, origin=origin, text=text)


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

TABLE_LINES = ("+-", "+=", "|")
PARAGRAPH_BREAK = re.compile(r"\n\s*\n")

PYTHON_REFERENCE = "python-reference"
NAMES = (*NAMED, PYTHON_REFERENCE)


def python_reference() -> TextInMemory:
    """Return the help topics of this Python: English text that needs no network.

    Many topics are parts of others. A paragraph that has occurred before is dropped, so that what
    is held out does not stand in the training text. So are the lines of tables, which are mostly
    frames.
    """
    from pydoc_data.topics import topics

    text = without_repeated_paragraphs("\n\n".join(topics[name] for name in sorted(topics)))
    version = ".".join(map(str, sys.version_info[:3]))
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    origin = f"the help topics of Python {version}"
    return TextInMemory(name=PYTHON_REFERENCE, text=text, sha256=sha256, origin=origin)


def without_repeated_paragraphs(text: str) -> str:
    """Drop lines of tables, and paragraphs whose words have occurred before in the same order."""
    lines = [line for line in text.split("\n") if not line.lstrip().startswith(TABLE_LINES)]
    first: dict[str, str] = {}
    for paragraph in PARAGRAPH_BREAK.split("\n".join(lines)):
        first.setdefault(" ".join(paragraph.split()), paragraph)
    first.pop("", None)
    return "\n\n".join(first.values()) + "\n"


@dataclass(frozen=True)
class CorpusEntry:
    """A named corpus, and where it is."""

    name: str
    title: str
    size_bytes: int
    licence: str
    sha256: str
    file: Path | None
    """Where it was found on this machine."""
    url: str
    """Where it is downloaded from; "": it comes with Python."""


def list_corpora(data_dir: str | Path = "") -> list[CorpusEntry]:
    """List the named corpora: where each was found, or where it is downloaded from.

    data_dir: folder searched first.

    >>> [corpus.name for corpus in rnnlab.list_corpora()]
    ['timemachine', 'tinyshakespeare', 'python-reference']
    """
    entries = [
        CorpusEntry(
            corpus.name, corpus.title, corpus.size_bytes, corpus.licence, corpus.sha256,
            corpus.find(str(data_dir)), corpus.url,
        )
        for corpus in NAMED.values()
    ]  # fmt: skip
    topics = python_reference()
    size, licence = len(topics.text.encode()), "PSF licence"
    entries.append(
        CorpusEntry(PYTHON_REFERENCE, topics.origin, size, licence, topics.sha256, None, "")
    )
    return entries


def load_default(data_dir: str, errors: str) -> TextInMemory:
    """Load the corpus `auto`: timemachine, or the Python reference if that cannot be had."""
    wanted = NAMED["timemachine"]
    try:
        text = wanted.load(data_dir, errors)
    except CorpusError as error:
        if wanted.find(data_dir):  # the user has the file, but it is damaged
            raise
        text = python_reference()
        why = str(error).split(";")[0].replace("corpus ", "", 1)
        return replace(text, origin=f"{text.origin}, because {why}")
    return replace(text, origin=f"auto: {text.origin}")


def _folders(data_dir: str) -> list[Path]:
    named = [data_dir, *os.environ.get("RNNLAB_DATA", "").split(os.pathsep)]
    return [*(Path(folder) for folder in named if folder), cache_folder()]


def cache_folder() -> Path:
    """The folder for files that can be made or downloaded again."""
    import pooch

    return Path(pooch.os_cache("rnnlab"))
