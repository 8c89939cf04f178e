"""The exercises' words: nothing false, shapes, steps, lines, and what comes after `right`."""

import errno
import html
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "hand_ins"))

import collection  # noqa: E402
import table  # noqa: E402

from minirnn import cli, exercises  # noqa: E402
from minirnn.cells import RNNCell  # noqa: E402
from minirnn.errors import DataError  # noqa: E402
from minirnn.exercises import process, typed  # noqa: E402
from minirnn.exercises.catalogue import BY_NUMBER  # noqa: E402
from minirnn.exercises.checking import check  # noqa: E402
from minirnn.exercises.command import run  # noqa: E402
from minirnn.exercises.conventions import Conventions  # noqa: E402
from minirnn.exercises.judges import cells  # noqa: E402
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
    (3, "RNNCache(h)", "h", "cache is what forward returns beside the state"),
    (3, "dh * d_tanh(h)", "dh @ d_tanh(h)", "a product entry by entry is *"),
    (4, "[d, last[alive:n]]", "[d, np.zeros(n - alive, H)]", "A shape is one tuple"),
    (4, "dgx.sum(axis=1)", "dgx.sum(axis=0)", "(2, 5) with (12, 5)"),
    (5, "h = o * tanh_c", "h = o * c", "instead of o tanh(c). read"),
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


@pytest.mark.parametrize("number, changes, words", [
    (3, [("RNNCache(h)", "RNNCache(a)")], "the cache's field h holds a"),
    (3, [("RNNCache(h)", "(a,)")], "the cache holds a, but not h"),
    (7, [("GRUCache(r, z, n, h_prev, product_n)", "(r, z, n, h, product_n)")],
     "the cache holds h, but not h_prev"),
])  # fmt: skip
def test_a_wrong_cache_is_told_in_forward(number, changes, words):
    text = said(number, *changes)
    assert words in text and re.search(r"-- \w+Cell.forward", text)


@pytest.mark.parametrize("changes", [
    [("RNNCache(h)", "(a,)"), ("da = dh * d_tanh(h)", "da = dh * (1 - tanh(h) ** 2)")],
    [("RNNCache(h)", "{'x': a}"), ("(h,) = cache", "h = tanh(cache['x'])")],
])  # fmt: skip
def test_a_cache_of_ones_own_is_right_where_backward_is(changes):
    assert said(3, *changes).endswith("right")


def test_what_the_product_is_given_is_looked_at_in_forward():
    for number, old, new in ((3, "product(h_prev)", "product(state)"),
                             (10, 'product(h_prev, "f")', 'product(state, "f")[0]')):  # fmt: skip
        assert "product is given a tuple of 1, but takes one array" in said(number, (old, new))
    text = said(5, ("product(h_prev)", "product(state)"))
    assert "product takes one array, product(h_prev), and is given all of state" in text
    text = said(3, ("h = tanh(a)", "h = tanh(gx[0] + product(h_prev)[0])"))
    assert "forward asks for the product 2 times, but must once" in text


@pytest.mark.parametrize("old, new, words", [
    ("p.data -= self.lr * v", "p.data = p.data - self.lr * v", "p.data is a new array"),
    ("p.grad *= scale", "p.grad = p.grad * scale", "p.grad is a new array"),
    ("p.grad *= scale", "g = p.grad * scale", "p.grad is not written into, or the factor is 1"),
    ("min(1.0, max_norm / (norm + 1e-6))", "min(1.0, max_norm)", "limit is not divided by"),
])  # fmt: skip
def test_in_place_means_in_place(old, new, words):
    text = said(8, (old, new))
    assert words in text and "when The" not in text


@pytest.mark.parametrize("number, old, new, words", [
    (1, "y * (1 - y)", "y * 1 - y", "the brackets are missing: y * 1 - y"),
    (1, "return np.tanh(a)", "return np.tanh(a).ravel()", "lie in another shape"),
    (1, "return np.tanh(a)", "for x in a.flat: return np.tanh(x)", "only one entry returned?"),
    (2, "a.max(axis=-1, keepdims=True)", "a.max()", "The largest a of the whole batch"),
    (2, "a = a - a.max(axis=-1, keepdims=True)", "", "exp of a large number is infinite"),
    (2, "labels].mean()", "labels]", "must be one number"),
    (8, "(p.grad * p.grad).sum() for p", "(p.grad * p.grad).mean() for p", "The norm is"),
])  # fmt: skip
def test_words_that_were_false(number, old, new, words):
    assert words in said(number, (old, new))


def test_the_entry_of_exercise_1_can_be_checked_by_hand():
    text = said(1, ("y * (1 - y)", "y * (1 - y) + 0.1"))
    y, mine, right = map(
        float,
        re.search(
            r"d_sigmoid\[row \d, column \d\], y = (\S+): yours (\S+), expected (\S+)", text
        ).groups(),
    )
    assert abs(y * (1 - y) - right) < 1e-5 and abs(right + 0.1 - mine) < 1e-5


def test_exercise_10_names_gate_row_and_unit():
    text = said(10, ("daf = df * d_sigmoid(f)", "daf = 2 * df"))
    assert re.search(r"dgx of gate f\[row \d, unit \d\]: yours", text)
    assert "Of dgx only gate f is wrong" in text


READ = [  # (exercise, old, new, the section)
    (5, "g = tanh(ag)", "g = sigmoid(ag)", "docs/06-lstm.md#gates"),
    (5, "f * c_prev + i * g", "c_prev + i * g", "docs/06-lstm.md#cell-state"),
    (5, "h = o * tanh_c", "h = o * c", "docs/06-lstm.md#hidden-state"),
    (6, "do = dh * tanh_c", "do = dh * o", "docs/06-lstm.md#from-h-to-o-and-c"),
    (6, "d_tanh(tanh_c)", "d_tanh(tanh_c) ** 3", "docs/06-lstm.md#from-h-to-o-and-c"),
    (6, "dc * c_prev, dc * f", "dc * g, dc * f",
     "docs/06-lstm.md#from-c-to-the-gates-and-the-previous-c"),
    (6, "di * d_sigmoid(i)", "di * i", "docs/06-lstm.md#from-the-gates-to-the-pre-activations"),
    (6, "product.backward(da)", "sum(da)", "docs/06-lstm.md#to-the-previous-hidden-state"),
    (6, "return da, (product.backward(da), dc_prev)", "return da, (product.backward(da), dc)",
     "docs/06-lstm.md#from-c-to-the-gates-and-the-previous-c"),
    (7, "return (dar, daz, dan)", "return (dar, daz, dproduct_n)",
     "docs/07-gru.md#through-the-candidate"),
    (7, "dh * (h_prev - n)", "dh * n", "docs/07-gru.md#from-h-to-z-n-and-the-previous-h"),
    (7, "dan * product_n,", "dan * n,", "docs/07-gru.md#through-the-candidate"),
    (7, "dz * d_sigmoid(z)", "dz", "docs/07-gru.md#through-the-gates"),
    (7, "product.backward((dar, daz, dproduct_n))", "dan",
     "docs/07-gru.md#to-the-previous-hidden-state"),
    (9, "dh_prev + dreset * r", "dh_prev + dreset", "docs/07-gru.md#backward-reset-before"),
]  # fmt: skip


@pytest.mark.parametrize("number, old, new, section", READ)
def test_the_subsection_on_the_wrong_line_is_named(number, old, new, section):
    assert said(number, (old, new)).endswith(f"read: {section}")


def test_every_section_that_is_named_is_there():
    anchors = [f"{chapter}#{anchor}" for target, chapter in cells.CHAPTERS.items()
               for anchor in cells.READ[target].values()]  # fmt: skip
    nobody = np.random.default_rng(0)
    for exercise in BY_NUMBER.values():
        anchors += [section for _, section, *_ in exercise.steps(None, Conventions(), nobody)]
    for where in sorted(set(anchors)):
        file, anchor = where.split("#")
        titles = re.findall(r"^#+ (.*)$", (ROOT / file).read_text(encoding="utf-8"), re.M)
        there = [re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles]
        assert anchor in there, where


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


@pytest.mark.parametrize("number", [n for n in NUMBERS if n != 9])  # there, comments are given
def test_what_a_solution_adds_to_its_starter_has_comments(number):
    given = (STARTERS / BY_NUMBER[number].file).read_text(encoding="utf-8").splitlines()
    lines = [line.strip() for line in collection.solution(number).splitlines() if line not in given]
    comments = [line for line in lines if line.startswith("# ")]
    assert len(comments) >= 0.3 * (len(lines) - len(comments))


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


def test_the_command_of_exercise_6_works_from_where_it_is_printed(tmp_path, capsys, monkeypatch):
    handed_in(tmp_path / "work", 6)
    for folder in (tmp_path, tmp_path / "work"):
        monkeypatch.chdir(folder)
        capsys.readouterr()
        run(["check", "work" if folder == tmp_path else ".", "6"], "exercises")
        shown = re.search(r"train it on names: (.*)$", capsys.readouterr().out, re.M)[1]
        python, script, option, cell = shlex.split(shown)
        assert option == "--cell" and Path(script).is_file() and shutil.which(python)
        assert cli.load_cell(cell).gates == "ifgo"


@pytest.mark.parametrize("path, words", [
    (r"C:\Program Files\Python\python.exe", r'C:\"Program Files"\Python\python.exe'),
    (r"my env\Scripts\python.exe", r'.\"my env"\Scripts\python.exe'),
    (r"\\server\a b\python.exe", r'\\server\"a b"\python.exe'),
    (r"..\.venv\Scripts\python.exe", r"..\.venv\Scripts\python.exe"),
])  # fmt: skip
def test_a_program_in_a_folder_with_blanks_is_called_on_windows(path, words):
    """PowerShell takes a line that begins with a quote for a text."""
    assert typed.called(path, windows=True) == words


def test_words_are_quoted_on_windows():
    assert typed.quoted("my work", windows=True) == '"my work"'
    assert typed.quoted("ex06.py:LSTMCell", windows=True) == "ex06.py:LSTMCell"
    assert typed.quoted("a&b", windows=True) == '"a&b"'


def test_where_no_process_can_be_started_that_is_said(monkeypatch):
    def refused(*_, **__):
        raise OSError(errno.ENOSYS, "Function not implemented")

    process.require_process.cache_clear()
    monkeypatch.setattr(process.subprocess, "run", refused)
    with pytest.raises(DataError, match="none can be started here .Function not impl"):
        exercises.check(Right, 3)
    with pytest.raises(DataError, match="process of its own"):
        run(["check", str(SOLUTIONS), "3"], "exercises")
    monkeypatch.setattr(process.sys, "platform", "emscripten")
    with pytest.raises(DataError, match="in a browser"):
        exercises.check(Right, 3)
    process.require_process.cache_clear()


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
    checked = exercises.check(Right, 3)
    assert checked and repr(checked).rstrip().endswith("right")
    assert re.sub("<.*?>", "", checked._repr_html_()) == "3 RNN cell, forward and backward: right"
    checked = exercises.check(Unfit, 3)
    line = Unfit.backward.__code__.co_firstlineno + 1
    assert not checked and f"line {line}: the shapes in backward do not fit" in repr(checked)
    assert f"line {line}: da = dstate[0] @ h" in repr(checked)
    shown = html.unescape(re.sub("<.*?>", " ", checked._repr_html_()))
    for part in ("text", "code", "mistake", "section"):
        assert getattr(checked.result, part) and getattr(checked.result, part) in shown
    assert "exercise 1: d_tanh is not written yet" in repr(
        exercises.check([sigmoid, d_sigmoid, tanh], 1)
    )
    assert exercises.check(RNNCell, 3).result.mark == "own"
    with pytest.raises(DataError, match="exercise 1 asks for sigmoid"):
        exercises.check(twice, 1)
    with pytest.raises(DataError, match="must be one of these: 1, 2"):
        exercises.check(Right, 11)


def sigmoid(a):
    return 0.5 * np.tanh(0.5 * a) + 0.5


def d_sigmoid(y):
    return y * (1 - y)


def tanh(a):
    return np.tanh(a)


@pytest.mark.parametrize("line, words", [
    ("from minirnn.functions import sigmod, tanh", "cannot import name 'sigmod' from 'minirnn"),
    ("from numpy import ones_lik", "cannot import name 'ones_lik' from 'numpy'"),
])  # fmt: skip
def test_a_name_that_is_spelt_otherwise_in_an_import(line, words, tmp_path):
    """A mistake, not a use of what is forbidden."""
    shutil.copy(SOLUTIONS / "ex05_lstm_forward.py", tmp_path)
    path = tmp_path / "ex05_lstm_forward.py"
    path.write_text(
        path.read_text("utf-8").replace("\nclass ", f"\n{line}\n\n\nclass ", 1), "utf-8"
    )
    result = check(BY_NUMBER[5], tmp_path)
    assert result.mark == "error" and words in result.text and "minirnn-" not in result.text
    assert result.mistake == "The module has nothing of this name: is it spelt otherwise?"


@pytest.mark.parametrize("old, new, mark", [
    ("(a,) = gx + product(h_prev)\n        h = tanh(a)",
     "(input,) = gx + product(h_prev)\n        h = tanh(input)", None),
    ("h = tanh(a)", "self.save = a\n        h = tanh(self.save)", None),
    ("    gates =", "    def bent(self, input):\n        return tanh(input)\n\n    gates =", None),
    ("h = tanh(a)", "input()\n        h = tanh(a)", "files"),
    ("h = tanh(a)", "h = tanh(a)\n        self.save = 1\n        self.save('x', h)", "files"),
    ("    gates =", "    def get(self, p):\n        return self.load(p)\n\n    gates =", "files"),
    ("    gates =", "    def keep(self, compile=None):\n        return compile\n\n    gates =",
     "loads"),
])  # fmt: skip
def test_a_variable_may_be_called_input_and_save(old, new, mark, tmp_path):
    """In the function that binds it, or on self; the functions stay forbidden."""
    path = tmp_path / "ex03_rnn_cell.py"
    right = (SOLUTIONS / path.name).read_text("utf-8")
    assert right.count(old) == 1
    path.write_text(right.replace(old, new), "utf-8")
    result = check(BY_NUMBER[3], tmp_path)
    assert result.mark == mark if mark else result.mark != "files"


def test_start_keeps_to_the_conventions_of_the_folder(tmp_path, capsys):
    """A starter that is asked for again is the term's; others do not come between."""
    term = tmp_path / "term.json"
    term.write_text('{"gru_gates": "zrn", "z_keeps": "new"}', "utf-8")
    folder = tmp_path / "work"
    assert cli.main(lambda: run(["start", str(folder), "--conventions", str(term)], "x")) == 0
    handed = (folder / "ex07_gru.py").read_text("utf-8")
    (folder / "ex07_gru.py").unlink()
    assert cli.main(lambda: run(["start", str(folder)], "x")) == 0
    assert (folder / "ex07_gru.py").read_text("utf-8") == handed and '"zrn"' in handed
    term.write_text('{"gru_gates": "nrz"}', "utf-8")
    capsys.readouterr()
    assert cli.main(lambda: run(["start", str(folder), "--conventions", str(term)], "x")) == 2
    assert "was handed out with other conventions" in capsys.readouterr().err


@pytest.mark.parametrize("old, new, words, advice", [
    ("class OwnCell", "class Other", "there is no OwnCell in the file", ""),
    ('    gates = "fn"', "", "no attribute 'gates'", "Every cell has gates and states"),
    ('    gates = "fn"', "    def __init__(self, size):\n        pass\n\n    gates = 'fn'",
     "missing 1 required", "A cell must be made without arguments."),
    ('    gates = "fn"', "    def __init__(self):\n        spelt_otherwise\n\n    gates = 'fn'",
     "fails with NameError", ""),
])  # fmt: skip
def test_why_a_cell_of_ones_own_cannot_be_looked_at(old, new, words, advice, tmp_path):
    text = (SOLUTIONS / "ex10_own_cell.py").read_text("utf-8")
    assert text.count(old) == 1
    (tmp_path / "ex10_own_cell.py").write_text(text.replace(old, new), "utf-8")
    result = check(BY_NUMBER[10], tmp_path)
    assert words in result.text and result.mistake.startswith(advice)
    assert advice or "without arguments" not in result.mistake
