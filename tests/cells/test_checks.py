"""Every check finds the fault it is for; the cells that come with rnnlab have none."""

from pathlib import Path

import pytest
from command_line import Cli
from own_cells import EXAMPLES, MINIMAL, forget_cells, write_cell

import rnnlab
from rnnlab.cells import CELLS
from rnnlab.cells.checks import CHECKS

NAMES = [*CELLS, *(f"{file}:{name}" for file, name in (
    (EXAMPLES / "peephole_lstm.py", "PeepholeLSTM"), (EXAMPLES / "mgu.py", "MGU"),
    (EXAMPLES / "min_gru.py", "MinGRU"),
))]  # fmt: skip
SUM = "(project_input(x, weights) + project_hidden(state[0], weights))"


@pytest.mark.parametrize("name", NAMES, ids=lambda name: name.rpartition(":")[2])
def test_cells_that_come_with_rnnlab_pass_every_check(name: str) -> None:
    checks = rnnlab.check_cell(name)
    assert [check.name for check in checks] == list(CHECKS)
    assert all(check.passed for check in checks), checks


def with_step(body: str) -> str:
    return MINIMAL + f"\n    def step(self, x, state, weights):\n        {body}\n"


STEP = "self.update(self.activations(x, state, weights), state)"


@pytest.mark.parametrize(
    ("content", "check", "words"),
    [
        (with_step(f"return tuple(2 * part for part in {STEP})"), "step",
         "step computes another h than activations and update"),
        (MINIMAL.replace("project_input(x, weights)",
                         "x.to(weights[0]).reshape(len(x), -1)[:, :1] * weights[0].mean() + "
                         "x.to(weights[0]).sum() * weights[2]"),
         "ids", "an id gives another state than its one-hot row (project_input takes both)"),
        (MINIMAL.replace(f"{SUM}.tanh()", SUM), "ranges", "gate n reaches "),
        (MINIMAL.replace(SUM, f"({SUM} - {SUM}.mean(0))"), "batch",
         "a sequence has another state alone than in a batch"),
        ("import torch\n" + MINIMAL.replace(SUM, f"torch.nn.functional.dropout({SUM}, 0.5)"),
         "determinism", "two calls with the same numbers give different states"),
        (with_step(f"state[0].mul_(1.5)\n        return {STEP}"), "determinism",
         "step changes its argument h in place"),
        (MINIMAL.replace("return activations", "return (activations[0].double(),)"), "types",
         "h is torch.float64 although everything given is torch.float32"),
        (MINIMAL.replace("return activations", "return (activations[0] + 1e20 * state[0],)"),
         "long text", "the state is NaN or infinite after "),
        (MINIMAL.replace(f"{SUM}.tanh()", f"({SUM} - 0.5 * {SUM}.detach()).tanh()"), "gradcheck",
         "gradients differ from finite differences: GradcheckError: "),
    ],
)  # fmt: skip
def test_a_fault_is_found_by_its_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, check: str, words: str
) -> None:
    forget_cells(monkeypatch)
    assert content != MINIMAL
    checks = rnnlab.check_cell(f"{write_cell(tmp_path, content)}:Plain")
    failed = {each.name: each.words for each in checks if not each.passed}
    assert failed[check].startswith(words), failed
    assert [each.name for each in checks] == list(CHECKS)


def test_the_command_prints_a_line_for_each_check_and_exits_with_1_after_a_fault(
    cli: Cli, tmp_path: Path
) -> None:
    done = cli("check-cell", f"{EXAMPLES}/mgu.py:MGU")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [["ok", name.split()[0]] for name in CHECKS]
    assert lines[1] == "ok    shapes       2 gates f, n; state h"
    broken = write_cell(tmp_path, MINIMAL.replace("return activations", "return activations * 2"))
    done = cli("check-cell", f"{broken}:Plain")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.splitlines() == [
        "ok    weights  weight_ih, weight_hh, bias_ih, bias_hh",
        "FAIL  shapes   update returns 2 tensors, not 1 (h)",
    ]
    done = cli("check-cell", f"{broken}:Plane")
    assert (done.returncode, done.stdout) == (2, "")
    done = cli("check-cell", str(broken))
    assert (done.returncode, done.stderr) == (
        2, f"rnnlab: error: cell {str(broken)!r}: name the class, too: {broken}:CLASS\n"
    )  # fmt: skip
