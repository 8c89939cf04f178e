"""The exercises' words: nothing false, shapes, steps, lines, and what comes after `right`."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "hand_ins"))

import collection  # noqa: E402
import table  # noqa: E402

from minirnn import exercises  # noqa: E402
from minirnn.cells import RNNCell  # noqa: E402
from minirnn.errors import DataError  # noqa: E402
from minirnn.exercises.catalogue import BY_NUMBER  # noqa: E402
from minirnn.exercises.checking import check  # noqa: E402
from minirnn.exercises.command import run  # noqa: E402
from minirnn.exercises.output import describe  # noqa: E402

NUMBERS = sorted(BY_NUMBER)
SOLUTIONS, STARTERS = ROOT / "tests" / "solutions", ROOT / "examples" / "exercises"


def said(number, *changes, **options):
    """What the checker says, in one line, to the solution with these changes: (old, new)."""
    text = collection.solution(number)
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return " ".join(describe(table.judged(number, text, **options)).split())


HARMLESS = [
    "from numpy import *",
    "import numpy.testing",
    "import copy, time, random",
    "import numpy as np\nnp.testing.assert_allclose(1.0, 1.0)",
    "import numpy as np\nnp.fft.fft(np.ones(4)), np.polynomial.Polynomial([1, 2])(3)",
]


@pytest.mark.parametrize("first", HARMLESS)
@pytest.mark.parametrize("number", [1, 3, 6])
def test_what_anybody_may_import_is_no_attack(number, first):
    text = f"{first}\n{collection.solution(number)}"
    assert table.judged(number, text).mark == "right"


IN_PLACE = [  # (exercise, old, new, what is written into)
    (1, "return 1 - y * y", "y *= y\n    return 1 - y", "its argument"),
    (1, "return 0.5 * np.tanh(0.5 * a) + 0.5",
     "a *= 0.5\n    return 0.5 * np.tanh(a) + 0.5", "its argument"),
    (2, "x = cache", "x = cache\n        dy *= 1.5", "dy"),
    (3, "(a,) = gx + product(h_prev)", "gx += product(h_prev)\n        (a,) = gx", "gx"),
    (3, "da = dh * d_tanh(h)", "dh *= d_tanh(h)\n        da = dh", "dh"),
    (4, "dstate = (dstate[0] + doutput[start:end], *dstate[1:])",
     "doutput[start:end] += dstate[0]\n            dstate = (doutput[start:end], *dstate[1:])",
     "doutput"),
    (4, "dstate = (dstate[0] + doutput[start:end], *dstate[1:])",
     "dstate[0][...] += doutput[start:end]", "dfinal"),
    (5, "h_prev, c_prev = state", "h_prev, c_prev = state\n        gx += 0.5", "gx"),
    (6, "dc = dc + dh * o", "dc += dh * o", "dc"),
    (7, "dz, dn, dh_prev =", "dh *= 1.0 * (z > -1) + 1\n        dz, dn, dh_prev =", "dh"),
    (9, "dc = dc + dh", "dc += dh", "dc"),
    (10, "(dh,) = dstate", "(dh,) = dstate\n        dh *= 2", "dh"),
]  # fmt: skip


@pytest.mark.parametrize("number, old, new, what", IN_PLACE)
def test_what_is_written_into_is_named_before_any_value(number, old, new, what):
    words = said(number, (old, new))
    assert f"writes into {what}" in words and "belongs to the caller" in words
    assert "not =." not in words


def test_shapes_stand_in_the_words_and_numpys_own_do_not():
    words = said(2, ("x.T @ dy", "x @ dy"))
    assert "x is (5, 4), dy is (5, 3)" in words and "gufunc" not in words
    assert "x @ dy needs the last axis of x (5, 4) as long as" in words
    words = said(4, ("self.bx.data[:, None]", "self.bx.data"))
    assert "self.bx.data is (2, 5)" in words and "gufunc" not in words


@pytest.mark.parametrize("number, old, new, words", [
    (2, "self.W.data", "self.W", "self.W is a Parameter; its array is self.W.data."),
    (3, "product(h_prev)", "h_prev @ product", "product is called: product(h_prev)."),
    (3, "product.backward((da,))", "product(da)", "it is product.backward(da), not product(da)"),
    (1, "1 - y * y", "1 - y ^ 2", "A power is written **, not ^."),
    (3, "h = tanh(a)", "h = np.tanh(a)", "write import numpy as np"),
    (8, "import numpy as np", "from numpy import *\nimport numpy as np", "sum is NumPy's"),
    (2, "return y, x", "return y", "must return two things: y, cache"),
])  # fmt: skip
def test_usual_errors_have_their_cure(number, old, new, words):
    assert words in said(number, (old, new))


def test_log_of_softmax_is_told_from_what_overflows():
    own = "    e = np.exp(a - a.max(-1)[:, None])\n    return np.log(e / e.sum(-1)[:, None])"
    text = collection.solution(2)
    start = text.index("def log_softmax")
    end = text.index("class CrossEntropy")
    made = f"{text[:start]}def log_softmax(a):\n{own}\n\n\n{text[end:]}"
    words = " ".join(describe(table.judged(2, made)).split())
    assert "take no logarithm of a softmax" in words and "subtract the largest" not in words


@pytest.mark.parametrize("cache, words", [
    ("(i, f, g, o, c_prev, c)", "the cache's field tanh_c holds c"),
    ("(i, f, o, g, c_prev, tanh_c)", "the cache's field g holds o"),
    ("(i, f, g, o, c, tanh_c)", "the cache's field c_prev holds c"),
])  # fmt: skip
def test_a_cache_with_wrong_names_is_told_in_exercise_5_and_not_blamed_on_backward(cache, words):
    old = "LSTMCache(i, f, g, o, c_prev, tanh_c)"
    for number in (5, 6):
        assert words in said(number, (old, f"LSTMCache{cache}"))


def test_one_mistake_is_not_called_two():
    words = said(6, ("di * d_sigmoid(i)", "di * d_sigmoid(sigmoid(i))"))
    assert "Another mistake" not in words and "does not explain" not in words


def test_exercise_4_names_the_first_wrong_step():
    words = said(4, ("dgates, dstate = self.cell", "dgates, dprev = self.cell"))
    assert "dx: steps 0 1 2 3 # # # ." in words and "the first wrong step is 2" in words
    assert "is not put into dstate" in words
    words = said(4, ("self.cell.forward(gx[:, start:end]", "self.cell.forward(gx[:, :n]"))
    assert "output: steps 0 1 2 3 . # # #" in words and "the first wrong step is 1" in words


def test_an_endless_loop_names_its_line():
    words = said(3, ("h = tanh(a)", "while a is a:\n            pass\n        h = a"), seconds=3)
    assert "no end in sight" in words and re.search(r"line \d+: (while a is a|pass)", words)


def test_a_cache_on_self_is_answered_and_forward_keeps_its_points():
    changes = ("return (h,), RNNCache(h)", "self.h = h\n        return (h,), None"), (
        "(h,) = cache", "h = self.h")  # fmt: skip
    text = collection.solution(3)
    for old, new in changes:
        text = text.replace(old, new)
    result = table.judged(3, text)
    assert result.score == 0.5 and "self.h of another step" in result.text
    assert "as the cache" in result.mistake


@pytest.mark.parametrize("number", NUMBERS)
def test_an_exercise_needs_no_later_one(number, tmp_path):
    for k, exercise in BY_NUMBER.items():
        folder = SOLUTIONS if k <= number else STARTERS
        text = (folder / exercise.file).read_text(encoding="utf-8")
        (tmp_path / exercise.file).write_text(text if k <= number else "", encoding="utf-8")
    assert check(BY_NUMBER[number], tmp_path)


def handed_in(folder, *numbers):
    """A folder of starters with the solutions of these exercises."""
    run(["start", str(folder)], "exercises")
    for number in numbers:
        file = BY_NUMBER[number].file
        (folder / file).write_text(collection.solution(number), encoding="utf-8")


def test_after_right_come_the_next_command_and_how_many_are_done(tmp_path, capsys, monkeypatch):
    work = tmp_path / "my work"
    handed_in(work, 1, 3)
    monkeypatch.chdir(work)
    capsys.readouterr()
    assert not run(["check", "1"], "exercises")
    out = capsys.readouterr().out
    assert "2 of 10 right. Next: exercise 2" in out
    assert re.search(r"minirnn exercises check \. 2$", out, re.M)
    assert run(["check"], "exercises") == 1
    assert "2 of 10 right, 8 not written yet" in capsys.readouterr().out
    monkeypatch.chdir(tmp_path)
    assert not run(["check", "my work", "3"], "exercises")
    out = capsys.readouterr().out
    assert "check 'my work' 4" in out or 'check "my work" 4' in out
    assert "ex03_rnn_cell.py:RNNCell" in out


def test_a_printed_command_can_be_typed(tmp_path, capsys, monkeypatch):
    handed_in(tmp_path / "work", 3)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    capsys.readouterr()
    run(["check", "work", "3"], "exercises")
    shown = re.search(r"see it work: (.*)$", capsys.readouterr().out, re.M)[1]
    done = subprocess.run(shown, shell=True, capture_output=True, text=True)
    assert done.returncode == 0 and "guessing would be" in done.stdout, done.stderr


def test_the_end_says_what_can_be_read_now(capsys):
    assert not run(["check", str(SOLUTIONS), "10"], "exercises")
    out = capsys.readouterr().out
    assert "10 of 10 right" in out and "recurrent.py" in out and "Next:" not in out


def test_a_solution_is_shown_once_the_exercise_is_right(tmp_path, capsys):
    handed_in(tmp_path, 3)
    capsys.readouterr()
    with pytest.raises(DataError, match="exercise 2 in .* is not right yet"):
        run(["solution", "2", str(tmp_path)], "exercises")
    assert not run(["solution", "2", str(tmp_path), "--force"], "exercises")
    assert not run(["solution", "3", str(tmp_path)], "exercises")
    assert "da = dh * d_tanh(h)" in capsys.readouterr().out


@pytest.mark.parametrize("number", [1, 3, 4, 5, 6, 7])
def test_the_loss_of_a_right_solution_falls_when_it_is_tried(number):
    path = SOLUTIONS / BY_NUMBER[number].file
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, cwd=ROOT)
    runs = re.split(r"step +0 ", done.stdout)[1:]
    assert runs, done.stderr
    for lines in runs:
        losses = [float(loss) for loss in re.findall(r"loss (\d+\.\d+)", lines)]
        assert len(losses) == 5 and losses == sorted(losses, reverse=True), losses
        assert losses[-1] < 0.4


class Right:
    """An RNN cell under a name of its own."""

    gates, states = "h", ("h",)

    def forward(self, gx, state, product):
        h = np.tanh((gx + product(state[0]))[0])
        return (h,), twice(h) / 2

    def backward(self, dstate, h, product):
        da = dstate[0] * (1 - h**2)
        return (da,), (product.backward((da,)),)


class Unfit(Right):
    def backward(self, dstate, h, product):
        da = dstate[0] @ h
        return (da,), (product.backward((da,)),)


def twice(x):
    return 2 * x


def test_a_cell_of_a_notebook_is_checked_in_the_same_words():
    found = exercises.check(Right, 3)
    assert found and repr(found).rstrip().endswith("right")
    found = exercises.check(Unfit, 3)
    line = Unfit.backward.__code__.co_firstlineno + 1
    assert not found and f"line {line}: the shapes in backward do not fit" in repr(found)
    assert f"line {line}: da = dstate[0] @ h" in repr(found)
    assert "exercise 1: d_tanh is not written yet" in repr(
        exercises.check([sigmoid, d_sigmoid, tanh], 1)
    )
    assert exercises.check(RNNCell, 3).result.mark == "own"
    with pytest.raises(DataError, match="exercise 1 asks for sigmoid"):
        exercises.check(twice, 1)
    with pytest.raises(DataError, match="must be a number, 1 to 10"):
        exercises.check(Right, 11)


def sigmoid(a):
    return 0.5 * np.tanh(0.5 * a) + 0.5


def d_sigmoid(y):
    return y * (1 - y)


def tanh(a):
    return np.tanh(a)
