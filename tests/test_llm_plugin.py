"""The plugin of llm, by its own command `llm`."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from llm.cli import cli

import rnnlab
from rnnlab.engines.native_kernels import why_missing


@pytest.fixture(scope="module")
def user_path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("llm")
        patch.setenv("LLM_USER_PATH", str(folder))
        yield folder


def llm(*args: str) -> Result:
    """Run the command in this process: each start of its own would take a second."""
    return CliRunner().invoke(cli, args)


@pytest.fixture(scope="module")
def known(user_path: Path, trained: tuple[Path, str]) -> Path:
    """A run that llm knows as rnnlab/pets."""
    done = llm("rnnlab", "add", "pets", str(trained[0]))
    assert (done.exit_code, done.output) == (0, "")
    return trained[0]


def test_models_are_listed_under_their_names(known: Path) -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("llm"), "models"], capture_output=True, text=True
    )
    assert "Rnnlab: rnnlab/pets\n" in done.stdout
    assert llm("rnnlab", "list").output == f"rnnlab/pets\t{known}\n"


def test_a_prefix_is_continued_as_rnnlab_generate_does(known: Path) -> None:
    options = {"temperature": "0.7", "top_k": "9", "top_p": "0.9", "seed": "5"}
    flags = [part for name, value in options.items() for part in ("-o", name, value)]
    done = llm("-m", "rnnlab/pets", "The cat", "-o", "max_tokens", "30", *flags)
    text = rnnlab.load(known).generate(
        "The cat", length=30, temperature=0.7, top_k=9, top_p=0.9, seed=5
    )
    assert done.output == f"{text.removeprefix('The cat')}\n"


@pytest.mark.skipif(bool(why_missing()), reason="the native engine is not compiled")
def test_it_writes_without_torch(known: Path) -> None:
    code = (
        "import sys\nfrom llm.cli import cli\n"
        "cli(['-m', 'rnnlab/pets', 'The', '-o', 'max_tokens', '5'], standalone_mode=False)\n"
        "assert 'rnnlab' in sys.modules and 'torch' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.rstrip("\n")) == 5


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["-o", "temperature", "-1"], "temperature must be greater than or equal to 0, not -1"),
        (["-s", "be kind"], "rnnlab/pets continues a text; it takes no system prompt"),
        (["-o", "label", "cat"],
         "label = 'cat' needs a model of labelled samples (label_column)"),
    ],
)  # fmt: skip
def test_what_cannot_be_written(known: Path, flags: list[str], message: str) -> None:
    done = llm("-m", "rnnlab/pets", "The", *flags)
    assert done.exit_code == 1
    assert " ".join(done.output.split()) == f"Error: {message}"


def test_names_and_paths_that_are_wrong(known: Path, user_path: Path) -> None:
    nowhere = user_path / "nowhere"
    for args, message in (
        (("add", "other", str(nowhere)), f"model '{nowhere}' does not exist; give a run directory "
         "or a model folder"),
        (("add", "a b", str(known)), "a name has no spaces and is not empty, unlike 'a b'"),
        (("remove", "other"), "no model has the name 'other' (known: pets)"),
    ):  # fmt: skip
        done = llm("rnnlab", *args)
        assert (done.exit_code, done.output) == (1, f"Error: {message}\n")
    assert llm("rnnlab", "list").output == f"rnnlab/pets\t{known}\n"


def test_a_damaged_list_is_kept_and_others_work(known: Path, user_path: Path) -> None:
    file = user_path / "rnnlab" / "models.json"
    content = file.read_text()
    file.write_text("{")
    done = llm("models")
    assert done.exit_code == 0
    assert "models.json cannot be read (Expecting property name" in done.stderr
    assert "its models are left out" in done.stderr
    assert llm("rnnlab", "add", "more", str(known)).exit_code == 1
    assert file.read_text() == "{"
    file.write_text(content)
    assert llm("rnnlab", "remove", "pets").exit_code == 0
    assert json.loads(file.read_text()) == {}
