"""The oracles against each other and against BPTT; the ladder, the report, the command."""

import copy
import os
import subprocess
import sys
from pathlib import Path

import fresh
import numpy as np
import pytest
from own_cells import PeepholeLSTM, RealBuffer
from planted import plant, planted

from minirnn import cells, cli, gradcheck
from minirnn.cells import LSTMCell, RNNCell
from minirnn.errors import CellError
from minirnn.gradcheck import command
from minirnn.gradcheck.ladder import randomised
from minirnn.gradcheck.oracles import (
    central_difference,
    complex_step,
    directional_complex_step,
    directional_difference,
    relative_error,
    step_sizes,
    why_not_complex,
)
from minirnn.gradcheck.problems import (
    example_problem,
    in_double,
    loss_problem,
    recurrent_problem,
)
from minirnn.gradcheck.result import draw_picture
from minirnn.gradcheck.rtrl import rtrl
from minirnn.layers import Linear
from minirnn.losses import CrossEntropy, MeanSquaredError
from minirnn.recurrent import Recurrent

ROOT = Path(__file__).resolve().parent.parent
CELLS = {
    "rnn tanh": cells.RNNCell,
    "rnn relu": lambda: cells.RNNCell("relu"),
    "lstm": cells.LSTMCell,
    "gru after": cells.GRUCell,
    "gru before": cells.GRUBeforeCell,
    "peephole": lambda: PeepholeLSTM(4),
}


def over_time(cell, seed=0, sizes=(3, 3, 2, 1)):
    """(net, problem, upstream, what BPTT claims) over sequences of different lengths."""
    rng = np.random.default_rng(seed)
    net = randomised(Recurrent(cell, 5, 4, rng=rng, dtype="float64"), rng)
    problem = recurrent_problem(net, rng, list(sizes))
    outputs, context = problem.forward(problem.arrays)
    upstream = {name: rng.standard_normal(y.shape) for name, y in outputs.items()}
    return net, problem, upstream, problem.backward(upstream, context)


@pytest.mark.parametrize("name", CELLS)
def test_three_oracles_and_bptt_agree(name):
    net, problem, upstream, claimed = over_time(CELLS[name]())
    states = net.cell.states
    forward_mode = rtrl(
        net, problem.arrays["x"], [3, 3, 2, 1], tuple(problem.arrays[f"{s}0"] for s in states),
        upstream["output"], tuple(upstream[f"{s} at the end"] for s in states),
    )  # fmt: skip
    assert set(claimed) == set(problem.arrays) == set(forward_mode) | {"x"}
    for array in problem.arrays:
        exact = complex_step(problem, upstream, array)
        assert np.linalg.norm(exact) > 1e-3
        assert relative_error(claimed[array], exact) <= 1e-12
        assert relative_error(central_difference(problem, upstream, array), exact) <= 1e-6
        if array != "x":
            assert relative_error(forward_mode[array], exact) <= 1e-12
            assert relative_error(forward_mode[array], claimed[array]) <= 1e-12


@pytest.mark.parametrize("name", CELLS)
def test_directional_oracles(name):
    _, problem, upstream, claimed = over_time(CELLS[name](), seed=1)
    rng = np.random.default_rng(2)
    direction = {n: rng.standard_normal(a.shape) for n, a in problem.arrays.items()}
    along = sum((claimed[n] * direction[n]).sum() for n in direction)
    assert directional_complex_step(problem, upstream, direction) == pytest.approx(along, rel=1e-12)
    assert directional_difference(problem, upstream, direction) == pytest.approx(along, rel=1e-6)


def test_oracles_see_a_wrong_backward():
    net, problem, upstream, claimed = over_time(planted("lstm-future-dc-lost"))
    wrong = [
        n for n in claimed
        if relative_error(claimed[n], complex_step(problem, upstream, n)) > 1e-3
    ]  # fmt: skip
    assert {"Wx", "Wh", "x", "mem0"} <= set(wrong)


def test_why_not_complex():
    rng = np.random.default_rng(0)
    _, problem, upstream, _ = over_time(cells.LSTMCell)
    assert why_not_complex(problem, upstream, rng) is None
    _, problem, upstream, _ = over_time(RealBuffer)
    assert "imaginary part" in why_not_complex(problem, upstream, rng)


def test_central_differences_of_a_loss():
    rng = np.random.default_rng(0)
    problem = loss_problem(CrossEntropy(), rng.standard_normal((3, 4)), np.array([1, 0, 3]))
    upstream = {"loss": np.array(1.5)}
    exact = complex_step(problem, upstream, "prediction")
    assert relative_error(central_difference(problem, upstream, "prediction"), exact) < 1e-8


@pytest.mark.parametrize("dtype, lowest", [("float64", 1e-9), ("float32", 1e-3)])
def test_step_sizes_are_a_v(dtype, lowest):
    problem, upstream = _example()
    exact = complex_step(problem, upstream, "Wh")
    steps = np.logspace(-12, 0, 13)
    errors = step_sizes(problem, upstream, "Wh", exact, steps, dtype)
    bottom = int(np.argmin(errors))
    assert 0 < bottom < len(steps) - 1 and errors[bottom] < lowest
    assert all(a > b for a, b in zip(errors[bottom:][1:], errors[bottom:], strict=False))
    assert errors[0] > 100 * errors[bottom] and errors[-1] > 100 * errors[bottom]
    if dtype == "float64":  # truncation: a tenth of the step, a hundredth of the error
        assert errors[-3] / errors[-4] == pytest.approx(100, rel=0.3)


def test_relative_error():
    assert relative_error([3.0, 4.0], [0.0, 0.0]) == 1.0
    assert relative_error([0.0], [0.0]) == 0.0
    assert relative_error([2.0, 0.0], [1.0, 0.0]) == 0.5
    assert np.isnan(relative_error([np.nan], [1.0])) and np.isnan(relative_error([1.0], [np.nan]))


def _example():
    problem = example_problem()
    outputs, _ = problem.forward(problem.arrays)
    rng = np.random.default_rng(0)
    return problem, {n: rng.standard_normal(y.shape) for n, y in outputs.items()}


# The ladder.

RUNGS = [
    "one step: forward, then backward",
    "T = 1: one step through time",
    "T = 4: backpropagation through time",
    "variable lengths",
    "a loss on top",
]
NO_OUTPUT = [("doutput = np.zeros((rows_in_all, H))", "doutput = np.ones((rows_in_all, H))")]
BROKEN = {
    "one step: forward, then backward": (planted("lstm-no-sigmoid-f"), None),
    "T = 1: one step through time": (cells.LSTMCell, planted("time-initial-state-dropped")),
    "T = 4: backpropagation through time": (cells.LSTMCell, planted("time-last-step-weights")),
    "variable lengths": (cells.LSTMCell, planted("time-final-at-last-step")),
    "a loss on top": (cells.LSTMCell, plant("Unrolled", NO_OUTPUT)),
}


@pytest.mark.parametrize("rung", RUNGS)
def test_the_ladder_stops_at_the_first_broken_rung(rung):
    cell, recurrent = BROKEN[rung]
    report = gradcheck.check_cell(cell, recurrent=recurrent)
    assert not report
    assert [r.name for r in report.rungs] == RUNGS[: RUNGS.index(rung) + 1]
    assert [bool(r) for r in report.rungs] == [True] * RUNGS.index(rung) + [False]
    assert f"WRONG {rung}" in str(report) and report.section.startswith("docs/")


def test_the_ladder_to_its_top():
    report = gradcheck.check_cell(cells.LSTMCell)
    assert report and [r.name for r in report.rungs] == RUNGS
    assert not report.picture and not report.diagnosis and not report.bugs
    assert str(report).splitlines() == ["LSTMCell: right", *(f"  ok    {name}" for name in RUNGS)]


def test_what_is_no_cell():
    report = gradcheck.check_cell(type("Cell", (), {"gates": "ifg"}))
    assert not report and "Cell.states must be a tuple of names" in str(report)


def test_the_report_names_array_gate_and_entry():
    report = gradcheck.check_cell(planted("lstm-no-sigmoid-f"))
    text = str(report)
    assert "the gradient of gx is off by" in text
    assert "at gate k, row" in text and "gates off: k; right: q, u, m" in text
    worst = report.findings[0]
    off = np.abs(worst.claimed - worst.expected)
    entry = np.unravel_index(off.argmax(), off.shape)
    assert f"yours {worst.claimed[entry]:+.6g}, expected {worst.expected[entry]:+.6g}" in text
    assert report.section == "docs/04-one-step.md#backward"


@pytest.mark.parametrize("cell, section", [
    (cells.RNNCell, "04-one-step.md#backward"), (cells.LSTMCell, "06-lstm.md#backward"),
    (cells.GRUCell, "07-gru.md#backward"),
    (cells.GRUBeforeCell, "07-gru.md#backward-reset-before"),
])  # fmt: skip
def test_the_report_says_what_to_read(cell, section):
    """Of a cell of one's own, told by its gates and by what it multiplies with their weights."""

    class Own(cell):
        def backward(self, dstate, cache, product):
            dgx, dstate = super().backward(dstate, cache, product)
            return dgx, tuple(2 * d for d in dstate)

    assert gradcheck.check_cell(Own).section == f"docs/{section}"


def test_the_picture_by_hand():
    claimed = np.zeros((2, 3, 1, 2))
    expected = claimed + 1.0
    claimed[0] = 1.0
    claimed[1, 2] = 1.0
    assert draw_picture("zn", claimed, expected).splitlines()[1:] == [
        "       0  1  2",
        "    z  .  .  .",
        "    n  #  #  .",
        "  step 2 is right, step 1 is not (gate n): look at what goes from 2 to 1",
    ]


def test_the_picture_of_a_forget_path_that_is_lost():
    """Nothing comes from the future through the memory; the output gate's share of the last
    step comes by h alone, and so stays right one step longer."""
    lines = gradcheck.check_cell(planted("lstm-forget-path-lost")).picture.splitlines()
    rows = {line.split()[0]: line.split()[1:] for line in lines[2:6]}
    assert list(rows) == list("qkum")
    for gate in "kum":
        assert rows[gate] == ["#", "#", "#", "."]
    assert rows["q"] == ["#", "#", ".", "."]
    assert lines[6] == (
        "  step 3 is right, step 2 is not (gate k, u, m): look at what goes from 3 to 2"
    )


def test_reports_fit_100_columns():
    names = ["lstm-no-sigmoid-f", "gru-dr-from-h", "lstm-cache-changed", "before-forms-mixed"]
    reports = [gradcheck.check_cell(planted(name)) for name in names]
    reports += [gradcheck.check_cell(cells.LSTMCell, recurrent=planted("time-future-lost"))]
    reports += [gradcheck.check_cell(RealBuffer), gradcheck.check_cell(object)]
    for report in reports:
        assert max(len(line) for line in str(report).splitlines()) <= 100, report


# `python -m minirnn gradcheck FILE.py:CLASS`

FILE = """
from minirnn.cells import GRUCell

class Right(GRUCell):
    pass

class Wrong(GRUCell):
    def backward(self, dstate, cache, product):
        dgx, (dh,) = super().backward(dstate, cache, product)
        return dgx, (dh - dstate[0] * cache.z,)
"""


@pytest.mark.parametrize("name, code, words", [
    ("Right", 0, ["Right: right", "ok    a loss on top"]),
    ("Wrong", 1, ["Wrong: WRONG", "the gradient of h_prev is off by", "gates x steps",
                  "the previous state's own share, dh z, is lost",
                      "read: docs/07-gru.md#backward"]),
    ("Absent", 2, ["has no class Absent; its cells: GRUCell, Right, Wrong"]),
])  # fmt: skip
def test_the_command(tmp_path, name, code, words):
    (tmp_path / "mine.py").write_text(FILE, encoding="utf-8")
    path = f"{tmp_path / 'mine.py'}:{name}"
    done = subprocess.run(
        [sys.executable, "-m", "minirnn", "gradcheck", path, "--seed", "5"],
        capture_output=True, text=True, cwd=ROOT, env={**os.environ, "PYTHONUTF8": "1"},
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    for part in words:
        assert part in (done.stderr if code == 2 else done.stdout)
    assert "Traceback" not in done.stderr
    if code < 2:
        report = gradcheck.check_cell(cli.load_cell(path), seed=5)
        assert done.stdout.splitlines() == str(report).splitlines()


def test_the_command_calls_its_argument_as_its_usage_does():
    with pytest.raises(CellError, match=r"^FILE\.py:CLASS: there is no file nofile\.py"):
        command.run(["nofile.py:Cell"], "gradcheck")


def test_a_seed_is_a_seed():
    one, same = (str(gradcheck.check_cell(planted("gru-z-sign"), seed=5)) for _ in range(2))
    assert one == same != str(gradcheck.check_cell(planted("gru-z-sign"), seed=6))


def test_nothing_of_the_users_is_changed():
    rng = np.random.default_rng(0)
    net = Recurrent(fresh.LoopLSTM, 4, 3, rng=rng)
    before = net.state_dict()
    assert gradcheck.check_recurrent(net)
    assert all(np.array_equal(before[n], a) for n, a in net.state_dict().items())
    assert all(p.data.dtype == np.float32 and not p.grad.any() for p in net.parameters())


class Clipped(LSTMCell):
    """Right as long as nothing that comes from above is large."""

    def backward(self, dstate, cache, product):
        dh, dc = dstate
        return super().backward((dh, np.clip(dc, -5, 5)), cache, product)


class TwiceForOneRow(RNNCell):
    def backward(self, dstate, cache, product):
        da, (dh_prev,) = super().backward(dstate, cache, product)
        return da, (dh_prev * (1 + (len(dh_prev) == 1)),)


@pytest.mark.parametrize("cell, words", [
    (Clipped, "the gradient of c_prev is not 128 times as large where what comes from above is: is "
              "something clipped?"),
    (TwiceForOneRow, "right as long as all sequences go on, and wrong where fewer rows are left"),
])  # fmt: skip
def test_what_is_right_at_usual_sizes_only(cell, words):
    report = gradcheck.check_cell(cell)
    assert not report and words in " ".join(str(report).split())


def test_what_is_given_is_checked_in_double_precision():
    """A list, float32, a frozen layer; what a loss alone knows stays as it is."""
    layer = Linear(3, 2, rng=np.random.default_rng(0), dtype="float64")
    assert gradcheck.check_layer(layer, [[1.0, 2.0, 3.0]])
    rng = np.random.default_rng(0)
    y, target = rng.standard_normal((2, 3, 2)).astype("float32")
    assert gradcheck.check_loss(MeanSquaredError(), y, target)
    net = Recurrent(LSTMCell, 2, 3, rng=rng).freeze()
    before = net.Wh.data.copy()
    drawn = randomised(copy.deepcopy(net), rng)
    assert drawn.Wh.data.dtype == "float64" and not np.allclose(drawn.Wh.data, before)
    given = {"target": target}
    assert in_double(given) is given
