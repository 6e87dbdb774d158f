"""docs/how-to/other-tools.md: its programs run without rnnlab and write what rnnlab writes."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import plain_char_lstm
import pytest
from command_line import TINY, Cli, made_up_text

import rnnlab
from rnnlab.data.tokenizer import CharTokenizer

PAGE = (Path(__file__).parents[1] / "docs/how-to/other-tools.md").read_text(encoding="utf-8")
ALL_PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
WITH_RNNLAB = [program for program in ALL_PROGRAMS if "import rnnlab" in program]
PROGRAMS = [program for program in ALL_PROGRAMS if program not in WITH_RNNLAB]


def test_programs_of_the_page_run_where_there_is_no_rnnlab(
    trained: tuple[Path, str], tmp_path: Path
) -> None:
    model = rnnlab.load(trained[0], engine="textbook")
    rnnlab.export_model(model, tmp_path / "first.onnx")
    rnnlab.export_model(model, tmp_path / "first", "torch")
    assert len(PROGRAMS) == 2
    without = "import sys; sys.modules['rnnlab'] = None; sys.path.insert(0, 'first')\n"
    program = without + "\n".join(PROGRAMS).replace("print(", "print('>', ")
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    written, logp = done.stdout.removeprefix("> ").split("\n> ")
    assert written == model.generate("the t", length=60, temperature=0)
    found = [float(number) for number in re.findall(r"-?\d+\.\d+(?:e[+-]\d+)?", logp)]
    assert isinstance(model.tokenizer, CharTokenizer)
    last = {
        character: -model.score(f"the time{character}").target_nats[-1]
        for character in model.tokenizer.characters
    }
    assert found[1:] == pytest.approx(list(last.values()), abs=1e-3)


def test_the_program_for_transformers(trained: tuple[Path, str], tmp_path: Path) -> None:
    rnnlab.export_model(trained[0], tmp_path / "first-hf", "huggingface")
    (program,) = WITH_RNNLAB
    program = program.replace("The Time", "The bird").replace('"A"', '"The"')
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    first, second = ast.literal_eval(done.stdout)
    assert (first[:8], len(first), second[:3], len(second)) == ("The bird", 48, "The", 43)


def test_an_imported_model_writes_scores_and_trains_further(cli: Cli, tmp_path: Path) -> None:
    text = made_up_text(300)
    plain_char_lstm.train(text, tmp_path, steps=2)
    (tmp_path / "text.txt").write_text(text)
    flags = "import model.pt --vocabulary vocabulary.json --output mine"
    further = "train --start-from mine --corpus text.txt --max-tokens 2000 --run-dir run"
    for command in (flags, further, "probe mine text.txt --what surprise", "score mine text.txt"):
        extra = TINY[4:] if command is further else ()
        done = cli(*command.split(), *extra, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    before, after = (rnnlab.load(tmp_path / name) for name in ("mine", "run"))
    assert after.score(text).nats < before.score(text).nats
