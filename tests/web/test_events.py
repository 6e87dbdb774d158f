"""Events say each change once, to all who listen, and are taken up where they ended."""

import http.client
import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest
from served import Served, serving

from rnnlab.files import try_lock
from rnnlab.web.events import MOST_LISTENERS

SECONDS = 20.0
"""So long an event is waited for."""


class Event(NamedTuple):
    id: str
    kind: str
    data: Any


OPEN = list["Stream"]()


class Stream:
    """A client that reads events; closed after the test at the latest."""

    def __init__(self, server: Served, *follow: str, after: str = "", last_id: str = "") -> None:
        query = "&".join([*(f"follow={quote(name)}" for name in follow), f"after={after}"])
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=SECONDS)
        headers = {"last-event-id": last_id} if last_id else {}
        self.connection.request("GET", f"/api/v1/events?{query}", headers=headers)
        self.answer = self.connection.getresponse()
        if self.answer.status != 200:
            words = self.answer.read()
            self.close()
            raise AssertionError(words)
        assert self.answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        self.last_id = last_id
        OPEN.append(self)

    def next(self) -> Event:
        """The next event, comments left out."""
        fields = dict[str, str]()
        while True:
            line = self.answer.readline().decode()
            assert line, "the stream has ended"
            if line == "\n" and fields:
                self.last_id = fields.get("id", self.last_id)
                kind = fields.get("event", "message")
                return Event(self.last_id, kind, json.loads(fields["data"]))
            name, colon, value = line.rstrip("\n").partition(": ")
            if name and colon:
                fields[name] = value

    def until(self, is_last: Callable[[Event], bool]) -> list[Event]:
        found = [self.next()]
        while not is_last(found[-1]):
            found.append(self.next())
        return found

    def close(self) -> None:
        self.answer.close()
        self.connection.close()


def is_names(event: Event) -> bool:
    return event.kind == "names"


def steps_of(events: list[Event], name: str = "a") -> list[int]:
    """The steps of all lines of a run, put together as a client does."""
    found = list[int]()
    for event in events:
        if event.kind == "metrics" and event.data["name"] == name:
            del found[event.data["from"] :]
            found += [line["step"] for line in event.data["lines"]]
    return found


def runs_of(events: list[Event]) -> set[str]:
    """The runs that a client knows of."""
    found = set[str]()
    for event in events:
        match event.kind:
            case "run":
                found.add(event.data["name"])
            case "gone":
                found.discard(event.data["name"])
            case "names":
                found &= {*event.data["names"]}
    return found


def made_up_run(folder: Path, steps: int = 0) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text("seed = 3\n")
    add(folder, *range(1, steps + 1))
    return folder


def add(folder: Path, *steps: int) -> None:
    lines = [json.dumps({"kind": "train", "step": step, "progress": step / 1e4}) for step in steps]
    with (folder / "metrics.jsonl").open("a") as stream:
        stream.write("".join(f"{line}\n" for line in lines))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Served]:
    with serving(str(folder)) as own:
        yield own


@pytest.fixture(autouse=True)
def _empty(folder: Path) -> Iterator[None]:
    yield
    while OPEN:
        OPEN.pop().close()
    for path in folder.iterdir():
        shutil.rmtree(path)


def test_a_new_client_is_told_all_and_then_what_changes(server: Served, folder: Path) -> None:
    made_up_run(folder / "a", 2)
    made_up_run(folder / "in" / "b")
    stream = Stream(server)
    *runs, names = stream.until(is_names)
    assert [event.kind for event in runs] == ["run", "run"]
    listed = server.ask("/api/v1/runs")[1]["runs"]
    assert [event.data for event in runs] == listed
    assert names.data == {"names": ["a", "in/b"]}
    add(folder / "a", 3)
    changed = stream.next()
    assert (changed.kind, changed.data["name"]) == ("run", "a")
    assert changed.data["progress"]["step"] == 3
    made_up_run(folder / "c")
    assert stream.next().data["name"] == "c"
    shutil.rmtree(folder / "in" / "b")
    gone = stream.next()
    assert (gone.kind, gone.data) == ("gone", {"name": "in/b"})
    stream.close()


def test_the_list_of_runs_says_where_events_go_on(server: Served, folder: Path) -> None:
    made_up_run(folder / "a")
    made_up_run(folder / "b")
    at = server.ask("/api/v1/runs")[1]["at"]
    add(folder / "b", 1)
    stream = Stream(server, last_id=at)
    assert stream.next().data["progress"]["step"] == 1  # nothing of a
    stream.close()


def test_an_event_id_resumes_without_loss_or_repeats(server: Served, folder: Path) -> None:
    run = made_up_run(folder / "a", 3)
    stream = Stream(server, "a", "b")
    found = stream.until(lambda event: event.kind == "metrics")
    assert steps_of(found) == [1, 2, 3]
    stream.close()
    resumed = Stream(server, "a", "b", last_id=found[-1].id)
    made_up_run(folder / "b", 1)
    add(run, 4, 5)
    more = resumed.until(lambda event: event.kind == "metrics" and event.data["name"] == "a")
    more += resumed.until(lambda event: event.kind == "metrics" and event.data["name"] == "b")
    events = found + more
    assert runs_of(events) == {"a", "b"}
    assert (steps_of(events), steps_of(events, "b")) == ([1, 2, 3, 4, 5], [1])
    own = [e.data["from"] for e in events if e.kind == "metrics" and e.data["name"] == "a"]
    assert own == [0, 3]
    resumed.close()
    # What happened while nobody listened is told, from each id that there was.
    add(run, 6)
    shutil.rmtree(folder / "b")
    for number, event in enumerate(events, 1):
        late = Stream(server, "a", "b", last_id=event.id)
        known = events[:number] + late.until(lambda e: steps_of([e])[-1:] == [6])
        late.close()
        assert (runs_of(known), steps_of(known)) == ({"a"}, [1, 2, 3, 4, 5, 6])


def test_lines_that_come_fast_are_neither_lost_nor_repeated(server: Served, folder: Path) -> None:
    run, total = made_up_run(folder / "a"), 20_000

    def write() -> None:
        with (run / "metrics.jsonl").open("a") as stream:
            for step in range(1, total + 1):
                line = json.dumps({"kind": "train", "step": step, "progress": step / total})
                stream.write(line[:9])
                stream.flush()  # a reader sees half of a line
                stream.write(f"{line[9:]}\n")
                if step % 4_000 == 0:
                    time.sleep(0.4)

    writer = threading.Thread(target=write)
    with try_lock(run / ".lock"):
        writer.start()
        steps, last_id = list[int](), ""
        while steps[-1:] != [total]:  # the client leaves after each few events and comes again
            stream = Stream(server, "a", last_id=last_id)
            for event in (stream.next() for _ in range(4)):
                if event.kind == "metrics":
                    assert event.data["from"] == len(steps)
                    steps += [line["step"] for line in event.data["lines"]]
                    if steps[-1] == total:
                        break
            last_id = stream.last_id
            stream.close()
        writer.join()
    assert steps == list(range(1, total + 1))


def test_a_run_that_is_trained_moves_soon(server: Served, folder: Path) -> None:
    run = made_up_run(folder / "a", 1)
    with try_lock(run / ".lock"):
        stream = Stream(server, "a", after="1")
        stream.until(is_names)
        times = list[float]()
        for step in range(2, 6):
            began = time.monotonic()
            add(run, step)
            stream.until(lambda event: event.kind == "metrics")
            times.append(time.monotonic() - began)
        stream.close()
    assert sorted(times)[1] < 0.8  # not only with all runs, once a second


def test_lines_written_anew_after_a_resume_replace_those_before(
    server: Served, folder: Path
) -> None:
    run = made_up_run(folder / "a", 5)
    stream = Stream(server, "a")
    events = stream.until(lambda event: event.kind == "metrics")
    (run / "metrics.jsonl").write_text("")
    add(run, 1, 2, 30, 40, 50, 60)
    events += stream.until(lambda event: event.kind == "metrics")
    assert steps_of(events) == [1, 2, 30, 40, 50, 60]
    stream.close()


def test_two_clients_are_told_the_same(server: Served, folder: Path) -> None:
    run = made_up_run(folder / "a")
    streams = [Stream(server, "a"), Stream(server, "a")]
    for stream in streams:
        stream.until(is_names)
    add(run, 1)
    add(run, 2)
    found = [stream.until(lambda e: steps_of([e])[-1:] == [2]) for stream in streams]
    assert steps_of(found[0]) == steps_of(found[1]) == [1, 2]
    streams[0].close()
    add(run, 3)
    assert streams[1].until(lambda e: e.kind == "metrics")[-1].data["from"] == 2
    streams[1].close()


def test_another_server_tells_all_runs_but_no_line_twice(server: Served, folder: Path) -> None:
    run = made_up_run(folder / "a", 3)
    with serving(str(folder)) as other:
        stream = Stream(other, "a")
        stream.until(lambda event: event.kind == "metrics")
        last_id = stream.last_id
    add(run, 4)
    stream = Stream(server, "a", last_id=last_id)
    events = stream.until(lambda event: event.kind == "metrics")
    assert [event.kind for event in events] == ["run", "names", "metrics"]
    assert (events[-1].data["from"], steps_of(events[-1:])) == (3, [4])
    stream.close()


def test_metrics_that_are_a_link_to_elsewhere_or_a_pipe_are_not_sent(
    server: Served, folder: Path, tmp_path: Path
) -> None:
    secret = made_up_run(tmp_path / "secret", 3)
    (made_up_run(folder / "a") / "metrics.jsonl").unlink()
    (folder / "a" / "metrics.jsonl").symlink_to(secret / "metrics.jsonl")
    (made_up_run(folder / "b") / "metrics.jsonl").unlink()
    os.mkfifo(folder / "b" / "metrics.jsonl")
    made_up_run(folder / "c", 1)
    stream = Stream(server, "a", "b", "c", "../secret")
    events = stream.until(lambda event: event.kind == "metrics")
    assert [e.data["name"] for e in events if e.kind == "metrics"] == ["c"]
    assert "link to somewhere else" in events[0].data["error"]
    stream.close()


def test_too_many_are_refused(server: Served, folder: Path) -> None:
    query = "&".join(f"follow={n}" for n in range(17))
    status, message, _, _ = server.refused(f"/api/v1/events?{query}")
    assert (status, message) == (400, "follow must name at most 16 runs, not 17")
    streams = [Stream(server) for _ in range(MOST_LISTENERS)]
    status, message, _, _ = server.refused("/api/v1/events")
    assert (status, message) == (
        429, "64 pages listen for changes, which is all that this server takes at a time; close "
        "one of them",
    )  # fmt: skip
    # They take no place from other requests.
    assert server.ask("/detokenize", {"model": "x", "tokens": []})[0] == 404
    for stream in streams:
        stream.close()
    until = time.monotonic() + SECONDS
    while server.ask("/api/v1/runs?leaves")[0] == 200 and time.monotonic() < until:
        try:
            Stream(server).close()
            break
        except AssertionError:
            time.sleep(0.2)
    else:
        pytest.fail("those that have left still have their places")


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_a_server_that_ends_says_so_at_once(folder: Path, sign: signal.Signals) -> None:
    made_up_run(folder / "a")
    with serving(str(folder)) as own:
        stream = Stream(own)
        stream.until(is_names)
        began = time.monotonic()
        code, _, errors = own.ended(sign)
        assert time.monotonic() - began < 3
        assert (code, errors) == (128 + sign, "")
        assert stream.next().data["error"]["code"] == "closing"
        assert stream.answer.read() == b""


def test_nothing_is_looked_at_while_nobody_listens(server: Served, folder: Path) -> None:
    made_up_run(folder / "a")
    stat = Path(f"/proc/{server.process.pid}/io")

    def calls() -> int:
        return int(stat.read_text().split("syscr: ")[1].split()[0])

    Stream(server).close()
    time.sleep(1.5)
    before = calls()
    time.sleep(1.5)
    assert calls() - before <= 2
