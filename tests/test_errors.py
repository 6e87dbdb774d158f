import pytest

from rnnlab import errors
from rnnlab.errors import RnnlabError, UsageError, as_out_of_memory, suggest, unknown


def test_suggest_names_the_nearest_choice() -> None:
    assert suggest("lstmm", ["rnn", "gru", "lstm"]) == "; did you mean 'lstm'?"


def test_suggest_is_empty_if_nothing_is_near() -> None:
    assert suggest("transformer", ["rnn", "gru", "lstm"]) == ""
    assert suggest("lstm", []) == ""


def test_unknown_names_the_value_the_suggestion_and_every_choice() -> None:
    error = unknown("cell", "lsmt", iter(["rnn", "lstm"]))
    assert isinstance(error, UsageError)
    assert str(error) == "unknown cell 'lsmt'; did you mean 'lstm'? (choices: rnn, lstm)"


@pytest.mark.parametrize(
    ("name", "exit_code"),
    [
        ("UsageError", 2),
        ("CorpusError", 1),
        ("ChecksumError", 1),
        ("UnavailableError", 1),
        ("ModelFolderError", 1),
        ("RunDirectoryError", 1),
        ("DivergenceError", 1),
        ("OutOfMemoryError", 1),
    ],
)
def test_every_error_is_an_rnnlab_error_with_its_exit_code(name: str, exit_code: int) -> None:
    kind = getattr(errors, name)
    assert issubclass(kind, RnnlabError)
    assert kind.exit_code == exit_code


TORCH = (
    "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: "
    "you tried to allocate 1297152000 bytes. Error code 12 (Cannot allocate memory)"
)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "out of memory;"),
        (MemoryError("std::bad_alloc"), "out of memory;"),
        (RuntimeError(TORCH), "out of memory: 1,297,152,000 bytes more were needed;"),
        (
            RuntimeError("CUDA out of memory. Tried\nmore"),
            "out of memory: CUDA out of memory. Tried;",
        ),
    ],
)
def test_every_out_of_memory_error_gets_the_same_message(error: Exception, said: str) -> None:
    told = str(as_out_of_memory(error))
    assert told == f"{said} use a smaller --hidden-size, --batch-size, --num-steps or --length"


def test_other_errors_are_not_out_of_memory() -> None:
    assert as_out_of_memory(RuntimeError("unsupported memory format option")) is None
    assert as_out_of_memory(ValueError("x")) is None


def test_a_wrong_checksum_is_a_corpus_error() -> None:
    assert issubclass(errors.ChecksumError, errors.CorpusError)
