"""The number of threads inside a block, after it, and in several threads of Python at once."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from rnnlab.cores import Cores
from rnnlab.engines import threads
from rnnlab.engines.threads import default_threads, using_threads


@pytest.fixture(autouse=True)
def four_threads(monkeypatch):
    """torch uses 4 threads; this process may use 3 cores."""
    before = torch.get_num_threads()
    monkeypatch.setattr(threads, "usable_cores", lambda: Cores(3, "three are allowed"))
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


def in_new_thread(work):
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


def test_the_number_holds_inside_the_block_only():
    with using_threads(2):
        assert torch.get_num_threads() == 2
        with using_threads(5):
            assert torch.get_num_threads() == 5
        assert torch.get_num_threads() == 2
    assert torch.get_num_threads() == 4
    with pytest.raises(KeyError), using_threads(2):
        raise KeyError
    assert torch.get_num_threads() == 4
    assert in_new_thread(torch.get_num_threads) == 4


def test_by_default_it_is_torchs_number_but_not_more_than_the_usable_cores(monkeypatch):
    assert default_threads() == Cores(3, "three are allowed")
    with using_threads():
        assert torch.get_num_threads() == 3
        monkeypatch.setattr(threads, "usable_cores", lambda: Cores(8, "eight are allowed"))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert default_threads() == Cores(4, "torch's number of threads")
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    assert default_threads() == Cores(4, "torch's number of threads (OMP_NUM_THREADS is 4)")


def test_a_thread_that_begins_inside_a_block_of_another_has_the_callers_default():
    def inside_and_after():
        with using_threads():
            inside = torch.get_num_threads()
        return inside, torch.get_num_threads()

    with using_threads(1):
        assert in_new_thread(inside_and_after) == (3, 4)
        assert torch.get_num_threads() == 1


@pytest.mark.parametrize("last", [0, 1])
def test_blocks_in_two_threads_may_end_in_any_order(last):
    counts, inside = {}, threading.Barrier(2, timeout=20)
    first_has_left = threading.Event()

    def work(number):
        with using_threads(number + 1):
            inside.wait()
            if number == last:
                assert first_has_left.wait(20)
            counts[number] = torch.get_num_threads()
        first_has_left.set()
        counts[number, "after"] = torch.get_num_threads()

    workers = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert counts == {0: 1, 1: 2, (0, "after"): 4, (1, "after"): 4}
    assert in_new_thread(torch.get_num_threads) == torch.get_num_threads() == 4
