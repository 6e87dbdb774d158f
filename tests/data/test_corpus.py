import hashlib
import io
import os
import socket
import sys
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pooch
import pytest

from rnnlab.data import named_corpora
from rnnlab.data.corpus import open_corpus
from rnnlab.data.named_corpora import NAMED, NAMES, NamedCorpus, python_reference
from rnnlab.data.texts import TextInMemory
from rnnlab.errors import ChecksumError, CorpusError, UsageError

TEXT = "It was a bright cold day — déjà vu.\n"
CONTENT = TEXT.encode()
BOM = b"\xef\xbb\xbf"


def load(names: list[str], data_dir: str = "", errors: str = "strict") -> TextInMemory:
    """Open a corpus and join its pieces."""
    corpus = open_corpus(names, data_dir, errors)
    return TextInMemory(text="".join(corpus.pieces()), **vars(corpus.source))


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty user cache, no RNNLAB_DATA, no proxy: nothing of the user's is read or written."""
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / "cache" / name)
    for name in os.environ:
        if name == "RNNLAB_DATA" or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    return tmp_path / "cache" / "rnnlab"


class Server(ThreadingHTTPServer):
    """Answers every request with `content`, or with `status` alone."""

    content = CONTENT
    status = 200
    requests = 0


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.requests += 1
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.content)))
        self.end_headers()
        self.wfile.write(self.server.content)

    def log_message(self, *args: object) -> None:
        """Stay silent."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), _Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def online(server: Server) -> NamedCorpus:
    return named(f"http://127.0.0.1:{server.server_port}/story.txt")


@pytest.fixture
def offline() -> Iterator[NamedCorpus]:
    """A corpus behind a port that is taken but not listened to: refused, whatever the network."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield named(f"http://127.0.0.1:{taken.getsockname()[1]}/story.txt")


def named(url: str) -> NamedCorpus:
    return NamedCorpus("story", "A story", "public domain", len(CONTENT), sha256(CONTENT), url)


def put(folder: Path, content: bytes = CONTENT) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "story.txt"
    file.write_bytes(content)
    return file


def test_the_named_corpora_are_those_of_the_design() -> None:
    assert NAMES == ("timemachine", "tinyshakespeare", "python-reference")
    assert {name: (it.size_bytes, it.sha256, it.url) for name, it in NAMED.items()} == {
        "timemachine": (
            178_979,
            "8424dbd9532ac81f7e5f0b6add90e6952baea29158309d7d1bf3884f4e12c516",
            "http://d2l-data.s3-accelerate.amazonaws.com/timemachine.txt",
        ),
        "tinyshakespeare": (
            1_115_394,
            "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
            "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
        ),
    }
    assert all(it.name == name and it.title and it.licence for name, it in NAMED.items())


def test_a_named_corpus_is_found_in_data_dir_then_rnnlab_data_then_the_cache(
    offline: NamedCorpus, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = [tmp_path / "data dir", tmp_path / "first", tmp_path / "second", cache]
    monkeypatch.setenv("RNNLAB_DATA", os.pathsep.join(map(str, folders[1:3])))
    assert offline.find(str(folders[0])) is None
    for folder in reversed(folders):
        file = put(folder)
        assert offline.find(str(folders[0])) == file
        found = offline.load(str(folders[0]), "strict")
        assert (found.name, found.text, found.sha256) == ("story", TEXT, sha256(CONTENT))
        assert found.origin == f"found at {file}"


def test_a_missing_corpus_is_downloaded_once_into_the_cache(
    online: NamedCorpus, server: Server, cache: Path
) -> None:
    first = online.load("", "strict")
    assert (first.text, first.origin) == (TEXT, f"downloaded from {online.url}")
    assert (cache / "story.txt").read_bytes() == CONTENT
    second = online.load("", "strict")
    assert second.origin == f"found at {cache / 'story.txt'}"
    assert server.requests == 1


def test_a_download_with_another_content_is_refused_and_not_kept(
    online: NamedCorpus, server: Server, cache: Path
) -> None:
    server.content = b"<html>please log in</html>"
    with pytest.raises(ChecksumError) as caught:
        online.load("", "strict")
    assert sha256(server.content) in str(caught.value)
    assert sha256(CONTENT) in str(caught.value)
    assert list(cache.iterdir()) == []
    server.content = CONTENT
    assert online.load("", "strict").text == TEXT


def test_the_error_for_a_wrong_checksum_shows_both_sums_and_what_to_do(
    offline: NamedCorpus, tmp_path: Path
) -> None:
    other = CONTENT.replace(b"cold", b"warm")
    file = put(tmp_path / "data", other)
    with pytest.raises(ChecksumError) as caught:
        offline.load(str(file.parent), "strict")
    assert str(caught.value) == (
        f"corpus 'story': wrong checksum of {file}: SHA-256 is {sha256(other)}, must be "
        f"{sha256(CONTENT)}; delete the file to download it again, or give its path as "
        "--corpus to use it as it is"
    )
    assert load([str(file)]).text == other.decode()


def test_the_error_for_a_named_corpus_offline_says_where_to_put_it(
    offline: NamedCorpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(NAMED, "story", offline)
    with pytest.raises(CorpusError) as caught:
        load(["story"])
    assert str(caught.value) == (
        f"corpus 'story' was not found and could not be downloaded from {offline.url} "
        "(ConnectionError); put story.txt into a folder and name the folder with --data-dir or "
        "RNNLAB_DATA"
    )


def test_a_server_without_the_file_is_an_error(online: NamedCorpus, server: Server) -> None:
    server.status = 404
    with pytest.raises(CorpusError, match=rf"was not found .* {online.url} \(HTTPError\)"):
        online.load("", "strict")


def test_a_server_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(named_corpora, "DOWNLOAD_TIMEOUT_SECONDS", 0.05)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        corpus = named(f"http://127.0.0.1:{silent.getsockname()[1]}/story.txt")
        with pytest.raises(CorpusError, match=r"\(ReadTimeout\)"):
            corpus.load("", "strict")


def test_a_cache_that_cannot_be_written_is_an_error(online: NamedCorpus, cache: Path) -> None:
    cache.parent.mkdir()
    cache.write_text("a file where the folder should be")
    with pytest.raises(CorpusError, match="could not be downloaded"):
        online.load("", "strict")


def test_auto_is_timemachine_if_it_is_found(
    offline: NamedCorpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(NAMED, "timemachine", offline)
    file = put(tmp_path / "data")
    found = load(["auto"], str(file.parent))
    assert (found.name, found.text) == ("story", TEXT)
    assert found.origin == f"auto: found at {file}"


def test_auto_is_timemachine_if_it_can_be_downloaded(
    online: NamedCorpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(NAMED, "timemachine", online)
    assert load(["auto"]).origin == f"auto: downloaded from {online.url}"


def test_auto_offline_is_the_python_reference_and_says_why(
    offline: NamedCorpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(NAMED, "timemachine", replace(offline, name="timemachine"))
    found = load(["auto"])
    assert found.text == python_reference().text
    assert found.name == "python-reference"
    version = ".".join(map(str, sys.version_info[:3]))
    assert found.origin == (
        f"the help topics of Python {version}, because 'timemachine' was not found and could not "
        f"be downloaded from {offline.url} (ConnectionError)"
    )


def test_auto_does_not_hide_a_wrong_checksum(
    offline: NamedCorpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(NAMED, "timemachine", offline)
    with pytest.raises(ChecksumError):
        load(["auto"], str(put(tmp_path / "data", b"something else").parent))


def test_the_python_reference_is_english_text_with_its_own_checksum() -> None:
    from pydoc_data.topics import topics

    found = load(["python-reference"])
    assert found.sha256 == sha256(found.text.encode())
    assert len(found.text) > 200_000
    paragraphs = found.text.strip().split("\n\n")
    assert len(set(paragraphs)) == len(paragraphs)
    words = set(" ".join(topics.values()).split())
    kept = set(found.text.split())
    assert kept <= words
    assert len(words - kept) < 0.1 * len(words), "what stands in tables alone"
    assert found == python_reference()


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"a\r\nb\rc\n", "a\r\nb\rc\n"),
        (BOM + b"a\n", "a\n"),
        (b"a" + BOM, "a\ufeff"),
        ("é€😀\u2028".encode(), "é€😀\u2028"),
        (b"\n", "\n"),
    ],
    ids=["line ends kept", "BOM dropped", "BOM inside kept", "Unicode", "line break alone"],
)
@pytest.mark.parametrize("errors", ["strict", "replace"])
def test_line_ends_and_characters_are_kept(
    content: bytes, text: str, errors: str, tmp_path: Path
) -> None:
    file = tmp_path / "book.txt"
    file.write_bytes(content)
    found = load([str(file)], errors=errors)
    assert (found.name, found.text) == (str(file), text)
    assert found.sha256 == sha256(content)
    assert found.origin == f"file {file}"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "{} is empty; a corpus needs text"),
        (BOM, "{} is empty; a corpus needs text"),
        (
            b"abc\xffdef",
            "{} is not UTF-8 text: byte 0xff at offset 3; name its encoding "
            "(--encoding cp1252, or auto to detect it), or lose characters by --errors replace",
        ),
        (
            BOM + b"abc\xc3",
            "{} is not UTF-8 text: byte 0xc3 at offset 6; name its encoding "
            "(--encoding cp1252, or auto to detect it), or lose characters by --errors replace",
        ),
        (
            b"ab\0\xff",
            "{} is not text: NUL byte at offset 2; use --errors replace to read it anyway",
        ),
    ],
    ids=["empty", "BOM alone", "not UTF-8", "BOM and not UTF-8", "NUL"],
)
def test_a_file_that_is_not_text_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    file = tmp_path / "book.txt"
    file.write_bytes(content)
    with pytest.raises(CorpusError) as caught:
        load([str(file)])
    assert str(caught.value) == message.format(f"file {file}")


def test_errors_replace_reads_any_bytes(tmp_path: Path) -> None:
    file = tmp_path / "bytes.bin"
    file.write_bytes(b"a\xffb\0c\xe2\x82")
    found = load([str(file)], errors="replace")
    assert found.text == "a\ufffdb\0c\ufffd"
    assert found.sha256 == sha256(b"a\xffb\0c\xe2\x82")


def test_several_texts_are_joined_in_the_order_given(
    offline: NamedCorpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(NAMED, "story", offline)
    put(tmp_path / "data")
    names = []
    for name, text in {"b.txt": "second ", "a.txt": "first "}.items():
        (tmp_path / name).write_text(text)
        names.append(str(tmp_path / name))
    found = load([*names, "story"], str(tmp_path / "data"))
    assert found.text == "second \nfirst \n" + TEXT
    assert found.name == f"{names[0]} {names[1]} story"
    assert found.origin == "3 texts, one after another"
    other_order = load([names[1], names[0], "story"], str(tmp_path / "data"))
    assert found.sha256 != other_order.sha256
    assert found == load([*names, "story"], str(tmp_path / "data"))
    assert found.sha256 != load([names[0], names[1], names[1]]).sha256


def test_an_error_in_one_of_several_files_names_the_file(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.txt", tmp_path / "bad.txt"
    good.write_text("good")
    bad.touch()
    with pytest.raises(CorpusError, match=rf"^file {bad} is empty"):
        load([str(good), str(bad)])


def test_a_dash_reads_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(BOM + CONTENT), "ascii"))
    found = load(["-"])
    assert (found.name, found.text, found.origin) == ("-", TEXT, "standard input")
    assert found.sha256 == sha256(BOM + CONTENT)
    with pytest.raises(CorpusError, match=r"^standard input is empty; a corpus needs text$"):
        load(["-"])


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("timemachin", "; did you mean 'timemachine'?"),
        ("python-refrence", "; did you mean 'python-reference'?"),
        ("nothing/like.it", ""),
        ("as long as a page " * 300, ""),
    ],
    ids=["misspelt", "misspelt reference", "no file", "text for a name"],
)
def test_the_error_for_an_unknown_name_lists_the_choices(name: str, suggestion: str) -> None:
    with pytest.raises(UsageError) as caught:
        load([name])
    assert str(caught.value) == (
        f"corpus {name!r} is neither a named corpus nor a file{suggestion} (named: timemachine, "
        "tinyshakespeare, python-reference; or the path of a text file or folder, or - for "
        "standard input)"
    )


@pytest.mark.parametrize("name", sorted(NAMED))
def test_the_real_files_are_what_their_names_promise(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = load([name], real_data())
    content = found.text.encode()
    assert len(content) == NAMED[name].size_bytes
    assert sha256(content) == NAMED[name].sha256 == found.sha256


DATA = os.environ.get("RNNLAB_DATA", "")


def real_data() -> str:
    """The folder that holds the texts of the named corpora, which are not in the repository."""
    next_to_checkout = Path(__file__).parents[2].parent / "shared" / "data"
    for folder in [*DATA.split(os.pathsep), str(next_to_checkout)]:
        if folder and all((Path(folder) / f"{name}.txt").is_file() for name in NAMED):
            return folder
    pytest.skip("the corpora are neither in RNNLAB_DATA nor in ../shared/data")
