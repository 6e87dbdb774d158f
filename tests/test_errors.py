import pytest

from rnnlab import errors
from rnnlab.errors import RnnlabError, UsageError, suggest, unknown


def test_suggest_names_the_nearest_choice() -> None:
    assert suggest("lstmm", ["rnn", "gru", "lstm"]) == "; did you mean 'lstm'?"


def test_suggest_stays_silent_where_nothing_is_near() -> None:
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
    ],
)
def test_every_error_is_an_rnnlab_error_with_its_exit_code(name: str, exit_code: int) -> None:
    kind = getattr(errors, name)
    assert issubclass(kind, RnnlabError)
    assert kind.exit_code == exit_code


def test_a_wrong_checksum_is_a_corpus_error() -> None:
    assert issubclass(errors.ChecksumError, errors.CorpusError)
