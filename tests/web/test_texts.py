"""Texts of the lab: what is stored, what is found, and what can reach nothing else."""

import http.client
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command_line import Cli
from refusal import check
from served import JSON, Served, serving

from rnnlab.data.named_corpora import NAMES
from rnnlab.errors import CorpusError, UsageError
from rnnlab.web.faults import Refused, UnknownTextError
from rnnlab.web.guard import LARGE_BYTES, MOST_BYTES
from rnnlab.web.texts import Texts

LIMIT = LARGE_BYTES["/api/v1/texts"]
EVIL = [
    "../evil", "..", ".", "/etc/passwd", "a/b", "a\\b", ".hidden", "a\0b", "a\n", "-rf", "a.",
    "", " a", "é", "x" * 65, "CON:",
]  # fmt: skip
BAD_NAME = (
    "name: that of a text has 1 to 64 of A-Z a-z 0-9 . _ - and begins and ends with a letter or "
    "digit, not "
)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Served]:
    """A server of an empty folder with a folder of texts."""
    folder = tmp_path / "texts"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "alice.txt").write_text("Alice was beginning to get very tired.\n" * 50)
    (tmp_path / "secret.txt").write_text("a secret\n" * 50)
    with serving("--texts", str(folder), cwd=tmp_path) as server:
        yield server


def ids(server: Served) -> list[str]:
    status, content, _ = server.ask("/api/v1/texts")
    assert status == 200
    return [text["id"] for text in content["texts"]]


def test_an_empty_lab_is_served_and_makes_no_folder_until_something_is_stored(
    lab: Served, tmp_path: Path
) -> None:
    corpora = [f"corpus/{name}" for name in NAMES]
    assert ids(lab) == ["folder/deep/alice.txt", *corpora]
    assert lab.ask("/api/v1/runs")[0] == 200
    assert not (tmp_path / "runs").exists()
    status, content, _ = lab.ask("/api/v1/texts", {"name": "pets", "text": "The cät\n"})
    assert (status, content) == (
        201, {"id": "stored/pets", "name": "pets", "kind": "stored", "title": "", "bytes": 9,
              "here": True},
    )  # fmt: skip
    assert (tmp_path / "runs/texts/pets.txt").read_text(encoding="utf-8") == "The cät\n"
    assert ids(lab) == ["stored/pets", "folder/deep/alice.txt", *corpora]
    assert lab.ask("/api/v1/texts", {"name": "pets", "text": "The cät\n"})[0] == 200
    assert lab.refused("/api/v1/texts", {"name": "pets", "text": "The dog\n"}) == (
        409, "another text is stored as 'pets'; give this one another name", None, "name_taken"
    )  # fmt: skip
    assert (tmp_path / "runs/texts/pets.txt").read_text(encoding="utf-8") == "The cät\n"


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({"name": "a", "text": ""}, 422, "text a is empty; a corpus needs text"),
        ({"name": "a", "text": "\ufeff"}, 422, "text a is empty; a corpus needs text"),
        (
            {"name": "a", "text": "half \0 binary"}, 422, "text a is not text: NUL byte at offset "
            "5; use --errors replace to read it anyway",
        ),
        ({"name": "a", "text": 5}, 400, "text must be text, not 5"),
        ({"name": "a"}, 400, "text is missing"),
        ({"text": "a"}, 400, "name is missing"),
        ({"name": "a", "text": "a", "path": "/etc"}, 400, None),
        (
            {"name": "a", "text": "half \ud800" * 10_000}, 400, "text: has half of a surrogate "
            "pair, which is not text",
        ),
        ({"name": "x" * 2_000, "text": "a"}, 400, None),
        *[
            ({"name": name, "text": "some text"}, 400, f"{BAD_NAME}{name!r}"
             if len(name) < 65 else f"{BAD_NAME}{name[:61] + '...'!r}")
            for name in EVIL
        ],
    ],
)  # fmt: skip
def test_bad_texts_and_names_are_refused(
    server: Served, shelf: Path, body: dict[str, Any], status: int, message: str | None
) -> None:
    found = server.refused("/api/v1/texts", body)
    assert found[0] == status
    assert len(found[1]) < 400
    assert message is None or found[1] == message
    assert not (shelf / "texts").exists()


def test_bad_texts_get_the_sentences_of_the_command(cli: Cli, tmp_path: Path) -> None:
    texts = Texts(tmp_path / "runs")
    for content in b"", b"a\0b":
        file = tmp_path / "bad.txt"
        file.write_bytes(content)
        with pytest.raises(CorpusError) as refused:
            texts.store("bad", content.decode())
        done = cli("train", str(file), "--run-dir", str(tmp_path / "run"))
        check(done, 1, str(refused.value).replace("text bad", f"file {file}"))


def test_links_are_neither_listed_nor_followed(tmp_path: Path) -> None:
    runs, folder = tmp_path / "runs", tmp_path / "texts"
    (runs / "texts").mkdir(parents=True)
    folder.mkdir()
    secret = tmp_path / "secret.txt"
    secret.write_text("a secret\n" * 9)
    (runs / "texts" / "link.txt").symlink_to(secret)
    (runs / "texts" / "gone.txt").symlink_to(tmp_path / "nowhere")
    (runs / "texts" / "other.md").write_text("not stored here")
    os.mkfifo(runs / "texts" / "pipe.txt")
    (folder / "link.txt").symlink_to(secret)
    (folder / "up").symlink_to(tmp_path)
    (folder / ".hidden.txt").write_text("hidden")
    (folder / "empty.txt").touch()
    os.mkfifo(folder / "pipe.txt")
    (folder / "own.txt").write_text("its own\n")
    texts = Texts(runs, folder)
    assert [id for id in texts.found() if not id.startswith("corpus/")] == ["folder/own.txt"]
    for id in (
        "stored/link", "folder/link.txt", "folder/up/secret.txt", "folder/../secret.txt",
        "folder//etc/passwd", str(secret), "folder/own.txt/", "folder/own.txt\0", "", "x" * 10_000,
    ):  # fmt: skip
        with pytest.raises(UnknownTextError) as refused:
            texts.find(id)
        assert len(str(refused.value)) < 600
    for name in "link", "gone", "pipe":
        with pytest.raises(Refused):
            texts.store(name, "written through a link")
    assert secret.read_text() == "a secret\n" * 9
    assert not (tmp_path / "nowhere").exists()
    (runs / "texts").rename(tmp_path / "elsewhere")
    (runs / "texts").symlink_to(tmp_path / "elsewhere")
    assert not any(id.startswith("stored/") for id in texts.found())
    with pytest.raises(Refused, match=r"^texts or new\.txt is a link to somewhere else$"):
        texts.store("new", "some text")


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file where the folder should be")
    with pytest.raises(Refused, match=r"^the text cannot be stored: (Not a directory|File exists)"):
        Texts(tmp_path / "runs").store("a", "some text")


def test_single_models_have_no_place_for_texts(shelf: Path) -> None:
    with serving(str(shelf / "pets")) as server:
        found = server.refused("/api/v1/texts", {"name": "a", "text": "some text"})
        refused = server.ask("/api/v1/settings")[1]["refused"]
    sentence = (
        "rnnlab serve was given single runs or models only; give it a folder of runs to start runs"
    )
    assert found == (409, sentence, None, "no_folder")
    assert refused == sentence


def test_the_folder_of_texts_must_exist(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name, what in {"file": "is not a folder", "nowhere": "does not exist"}.items():
        path = str(tmp_path / name)
        done = cli("serve", "--texts", path, "--port", "0", cwd=tmp_path)
        check(done, 2, f"--texts {path!r} {what}; give a folder of text files")
    with pytest.raises(UsageError):
        Texts(None, tmp_path / "nowhere")


def test_a_large_text_is_stored_and_a_larger_one_refused(lab: Served, tmp_path: Path) -> None:
    text = "All work and no play. " * (MOST_BYTES // 20)
    assert len(text) > MOST_BYTES
    status, content, _ = lab.ask("/api/v1/texts", {"name": "large", "text": text})
    assert (status, content["bytes"]) == (201, len(text))
    assert (tmp_path / "runs/texts/large.txt").read_text() == text
    for path, most in {"/api/v1/texts": LIMIT, "/api/v1/runs": MOST_BYTES}.items():
        connection = lab.connect()
        connection.putrequest("POST", path)
        for name, value in {**JSON, "content-length": str(most + 1)}.items():
            connection.putheader(name, value)
        connection.endheaders()
        with connection.getresponse() as answer:
            message = json.loads(answer.read())["error"]["message"]
        assert (answer.status, message) == (413, f"a body may have {most:,} bytes")
        connection.close()


def test_one_large_body_is_worked_on_at_a_time(lab: Served) -> None:
    """The second one waits for nothing; the first one can still be completed."""

    def begun() -> http.client.HTTPConnection:
        connection = lab.connect()
        connection.putrequest("POST", "/api/v1/texts")
        for name, value in {**JSON, "content-length": str(MOST_BYTES + 20_000)}.items():
            connection.putheader(name, value)
        connection.endheaders()
        connection.send(b'{"name": "a", "text": "' + b"a" * (MOST_BYTES + 10_000))
        return connection

    first = begun()
    while lab.refused("/api/v1/texts", b'{"text": "' + b"b" * MOST_BYTES + b'"}')[0] != 429:
        pass  # until the server has read so much of the first
    rest = b'"}'
    first.send(b"a" * (10_000 - 23 - len(rest)) + rest)
    with first.getresponse() as answer:
        assert answer.status == 201
    first.close()
    assert lab.refused("/api/v1/texts", b'{"text": "' + b"b" * MOST_BYTES + b'"}')[0] == 400
