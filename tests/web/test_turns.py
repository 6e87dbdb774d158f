"""Turns: one at a time, fair between clients, and gone when they should be."""

import threading
import time

import pytest

from rnnlab.web.turns import NEW_IN_A_ROW, ClosingError, LeftError, TooLongError, Turn, Turns


def work(turn: Turn, name: str, pieces: int, order: list[str]) -> None:
    with turn:
        for _ in range(pieces):
            order.append(name)
            turn.pass_on()


def started(turns: Turns, *jobs: tuple[str, str, int], order: list[str]) -> list[threading.Thread]:
    """Let jobs (client, name, pieces) queue in this order."""
    threads = []
    for client, name, pieces in jobs:
        turn = turns.new(client)
        thread = threading.Thread(target=work, args=(turn, name, pieces, order))
        thread.start()
        while not queued(turns, turn):
            time.sleep(0.001)
        threads.append(thread)
    return threads


def queued(turns: Turns, turn: Turn) -> bool:
    """Whether a request has come to wait, or is through."""
    line = turns._lines.get(turn.client)
    return bool(line and (turn in line.new or turn in line.others))


def test_clients_take_turns_however_many_requests_each_has() -> None:
    turns, order = Turns(), list[str]()
    with turns.new("holder") as holder:
        threads = started(
            turns, ("a", "a1", 4), ("a", "a2", 4), ("a", "a3", 4), ("b", "b1", 4), order=order
        )
        holder.stop(LeftError("done"))
    for thread in threads:
        thread.join()
    assert [name[0] for name in order[:8]] == list("abababab")
    assert sorted(order) == sorted(4 * ["a1", "a2", "a3", "b1"])


def test_a_new_request_comes_before_the_rest_of_others_and_does_not_keep_them_out() -> None:
    turns, order = Turns(), list[str]()
    count = NEW_IN_A_ROW + 2
    with turns.new("holder"):
        threads = started(turns, *(("a", f"{n}", 2) for n in range(count)), order=order)
    for thread in threads:
        thread.join()
    first, rest = order[:NEW_IN_A_ROW], order[NEW_IN_A_ROW:]
    assert first == [f"{n}" for n in range(NEW_IN_A_ROW)]
    assert rest[:3] == ["0", f"{NEW_IN_A_ROW}", f"{NEW_IN_A_ROW + 1}"]
    assert sorted(order) == sorted(2 * [f"{n}" for n in range(count)])


def test_who_waits_and_leaves_is_gone_at_once() -> None:
    turns, ended = Turns(), list[BaseException]()
    with turns.new("holder"):
        turn = turns.new("a")

        def wait() -> None:
            try:
                with turn:
                    raise AssertionError("it never had the turn")
            except LeftError as error:
                ended.append(error)

        thread = threading.Thread(target=wait)
        thread.start()
        while not queued(turns, turn):
            time.sleep(0.001)
        turn.stop(LeftError("gone"))
        thread.join(10)
        assert [str(error) for error in ended] == ["gone"]
    with turns.new("b"):
        pass


def test_time_is_limited_also_for_who_waits() -> None:
    turns = Turns(seconds=0.05)
    with turns.new("holder") as holder:
        with (
            pytest.raises(TooLongError, match=r"^the request took more than 0\.05 seconds$"),
            turns.new("a"),
        ):
            raise AssertionError("it never had the turn")
        with pytest.raises(TooLongError):
            holder.pass_on()


def test_closing_ends_those_that_are_there_and_those_that_come() -> None:
    turns = Turns()
    with turns.new("a") as turn:
        turns.close()
        with pytest.raises(ClosingError, match="the server is ending"):
            turn.pass_on()
    with pytest.raises(ClosingError), turns.new("b"):
        raise AssertionError("it never had the turn")
