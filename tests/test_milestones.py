"""Milestones: what a right net reaches, and what is said where it does not, or cannot begin."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from minirnn.cells import LSTMCell, RNNCell
from minirnn.errors import DataError
from minirnn.exercises import milestones
from minirnn.exercises.catalogue import BY_NUMBER
from minirnn.exercises.command import run
from minirnn.recurrent import Recurrent

ROOT = Path(__file__).resolve().parent.parent
SOLUTIONS, STARTERS = ROOT / "tests" / "solutions", ROOT / "examples" / "exercises"


def work(folder, *numbers):
    """A folder of starters with the solutions of these exercises."""
    shutil.copytree(STARTERS, folder, dirs_exist_ok=True)
    for number in numbers:
        shutil.copy(SOLUTIONS / BY_NUMBER[number].file, folder)
    return str(folder)


def reached(text, exit_code):
    return run(["milestone", *text], "exercises") == exit_code


def test_an_rnn_and_a_recurrent_of_ones_own_learn_parity(tmp_path, capsys):
    assert reached([work(tmp_path, 3, 4), "4"], 0)
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    out = " ".join(out.split())
    assert "your RNNCell in your Recurrent" in out and "reached after" in out
    assert "95 % is the goal, and guessing gives 50 %" in out


@pytest.mark.slow
@pytest.mark.parametrize("number", [6, 7])
@pytest.mark.parametrize("seed", ["1", "2"])
def test_the_adding_problem_over_100_steps_is_solved(number, seed, capsys):
    assert reached([str(SOLUTIONS), str(number), "--seed", seed], 0)
    assert "reached after" in capsys.readouterr().out


def test_what_is_not_reached_is_said_with_an_exit_code(tmp_path, capsys, monkeypatch):
    table = dict(milestones.MILESTONES)
    table[7] = milestones.Milestone(7, "GRUCell", milestones.ADDING_TITLE, 2, 0.02)
    monkeypatch.setattr(milestones, "MILESTONES", table)
    assert reached([work(tmp_path, 7), "7"], 1)
    out = " ".join(capsys.readouterr().out.split())
    assert "not reached after 2 steps" in out and "always answering 1 gives 0.167" in out
    assert "in the library's Recurrent (exercise 4 is not right yet)" in out


def test_slow_code_is_stopped_after_a_minute(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(milestones, "AT_MOST", 0)
    assert reached([work(tmp_path, 7), "7"], 1)
    out = " ".join(capsys.readouterr().out.split())
    assert "not reached after 1 step," in out and "are there loops over rows or units" in out


@pytest.mark.parametrize("numbers, milestone, words", [
    ((), "6", "exercise 6 in .* is not right yet; .*check"),
    ((3,), "4", "exercise 4 in .* is not right yet"),
    ((4,), "4", "exercise 3 in .* is not right yet"),
    ((), "5", "the milestone is 5, but must be one of 4, 6 and 7"),
])  # fmt: skip
def test_what_keeps_a_milestone_from_beginning_is_one_sentence(tmp_path, numbers, milestone, words):
    with pytest.raises(DataError, match=words):
        run(["milestone", work(tmp_path, *numbers), milestone], "exercises")


def test_code_that_fails_at_another_size_is_one_sentence(tmp_path):
    folder = work(tmp_path, 3, 4)
    path = tmp_path / BY_NUMBER[3].file
    text = path.read_text("utf-8").replace(
        "        h = tanh(a)\n", "        h = tanh(a)\n        {3: 1, 4: 1, 5: 1}[len(h[0])]\n"
    )
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=r"your code fails in step 1 \(KeyError: 16\)"):
        run(["milestone", folder, "4"], "exercises")


def test_a_milestone_is_suggested_after_right(tmp_path, capsys):
    run(["check", work(tmp_path, 4), "4"], "exercises")
    assert "a milestone: " in capsys.readouterr().out
    run(["check", work(tmp_path, 3), "3"], "exercises")
    assert "a milestone: " not in capsys.readouterr().out


def test_words_and_their_parity():
    x, sizes, labels = milestones.draw_words(np.random.default_rng(0), np.array([2, 5, 1]))
    assert sizes == [3, 2, 1, 1, 1] and x.shape == (8, 1)
    longest = x[[0, 3, 5, 6, 7], 0].astype(int)
    assert list(labels[[0, 3, 5, 6, 7]]) == list(longest.cumsum() % 2)


@pytest.mark.parametrize("cell", [RNNCell, LSTMCell])
def test_none_stands_for_zeros_as_in_the_library(cell):
    net = Recurrent(cell, 2, 3, rng=np.random.default_rng(0), dtype="float64")
    x = np.random.default_rng(1).standard_normal((4, 5, 2))
    dlast = np.random.default_rng(2).standard_normal((5, 3))
    others = [None] * (len(cell.states) - 1)
    gradients = []
    for one in (net, milestones.Zeros(net)):
        net.zero_grad()
        output, _, cache = one.forward(x)
        dx, _ = one.backward(None, cache, (dlast, *others))
        gradients.append([dx, *[p.grad.copy() for p in net.parameters()]])
    for mine, theirs in zip(*gradients, strict=True):
        assert np.allclose(mine, theirs, rtol=0, atol=1e-14)
