"""Does gradcheck name the right mistake, blame nobody who is right, and admit what it cannot know?

The mistakes stand in other people's code: `planted.py`, which changes `fresh.py`.
"""

import fresh
import numpy as np
import pytest
import slips
from own_cells import FRESH, OWN, MathLoop, MemoryFirst, RealBuffer, SoftSign, correct_problem
from planted import PLANTED, plant, planted
from slips import SLIPS, slipped

from minirnn import cells, gradcheck, layers, stacked
from minirnn.gradcheck.diagnosis import UNKNOWN, explanations
from minirnn.gradcheck.judge import judge
from minirnn.gradcheck.zoo import ZOO
from minirnn.recurrent import Recurrent

BUGS = {bug.name: bug for bug in ZOO if bug.gradient}
EXCEPTIONS = {
    "gru-r-z-repacked": "LateGRU's update gate opens where the library's closes, so its gradient "
    "has the other sign; the gates' exchange is still told, as a pattern",
    "gru-r-z-repacked-hidden": "the same",
}
FUNCTIONS = {
    "logistic_slope": fresh.logistic,
    "hyperbolic_slope": fresh.hyperbolic,
    "ramp_slope": fresh.ramp,
}


def examine(where, changed, seed=3):
    """The report on something of `fresh.py`, changed or not, as a user would ask for it."""
    rng = np.random.default_rng(seed)
    if where in FUNCTIONS:
        return gradcheck.check_function(FUNCTIONS[where], changed)
    if where == "Affine":
        return gradcheck.check_layer(changed(3, 4, rng), rng.standard_normal((5, 3)))
    if where == "Lookup":
        return gradcheck.check_layer(changed(6, 2, rng), np.array([3, 1, 3, 5]))
    if where == "Thinning":
        return gradcheck.check_layer(changed(0.3, 1), rng.standard_normal((4, 6)))
    if where in ("Unrolled", "StepUndo"):
        return gradcheck.check_cell(fresh.LoopLSTM, recurrent=changed)
    if where == "Tower":
        return gradcheck.check_recurrent(changed(fresh.LateGRU, 4, 3, rng=rng))
    if where == "Surprise":
        labels = np.array([1, 2, 1, 4])
        return gradcheck.check_loss(changed(skip=1), rng.standard_normal((4, 5)), labels)
    if where == "SquaredGap":
        return gradcheck.check_loss(changed(), *rng.standard_normal((2, 3, 4)))
    return gradcheck.check_cell(changed)


def words_of(report):
    return " ".join(str(report).split())


def examine_planted(name):
    where, changed = PLANTED[name][0], planted(name)
    if name == "time-truncated-late":
        net = changed(fresh.LoopLSTM, 4, 3, rng=np.random.default_rng(3))
        return gradcheck.check_recurrent(net, truncate=3)
    if name == "time-hidden-bias-outside":  # where the reset gate comes after the product
        return gradcheck.check_cell(fresh.LateGRU, recurrent=changed)
    return examine(where, changed)


def test_every_mistake_is_planted():
    assert set(PLANTED) == set(BUGS)
    assert len(EXCEPTIONS) <= 0.1 * len(BUGS)


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_mistake_is_found_and_named(name):
    report = examine_planted(name)
    assert not report
    if name not in EXCEPTIONS:
        assert BUGS[name] in report.bugs, report
        assert BUGS[name].when in report.diagnosis
    else:
        assert report.bugs == []


def test_what_the_exceptions_are_told():
    for name, what in (("gru-r-z-repacked", "dgx"), ("gru-r-z-repacked-hidden", "dWh")):
        assert examine_planted(name).diagnosis.startswith(
            f"The gates of your {what} are in another order: u holds that of r, r holds that of u."
        )


def test_a_mistake_in_the_cell_is_not_blamed_on_time():
    rng = np.random.default_rng(0)
    for net in (Recurrent(planted("lstm-no-sigmoid-o"), 4, 5, rng=rng),
                stacked.Stack(planted("lstm-no-sigmoid-o"), 4, 5, rng=rng,
                 num_layers=2)):  # fmt: skip
        assert [bug.name for bug in gradcheck.check_recurrent(net).bugs] == ["lstm-no-sigmoid-o"]
    unknown = plant("LoopLSTM", [("1 - squashed**2", "1 - squashed**3")])
    report = gradcheck.check_recurrent(Recurrent(unknown, 4, 5, rng=rng))
    assert not report and report.bugs == []


def test_states_in_another_order():
    class Wrong(MemoryFirst):
        def backward(self, dstate, cache, product):
            da, dstate = super().backward(dstate, cache, product)
            return da, (dstate[0], 0 * dstate[1])

    report = gradcheck.check_cell(Wrong)
    assert [bug.name for bug in report.bugs] == ["lstm-state-not-passed"], report


def test_a_mistake_of_the_layers_below_in_a_stack(monkeypatch):
    monkeypatch.setattr(fresh, "Unrolled", planted("time-returns-weights"))
    report = gradcheck.check_recurrent(fresh.Tower(fresh.Elman, 4, 3, rng=np.random.default_rng(0)))
    assert [bug.name for bug in report.bugs] == ["time-returns-weights"], report


def test_several_explanations_are_narrowed_on_higher_rungs():
    """At T = 1 with one state, an output's gradient that overwrites looks like a final state's
    that is ignored."""
    report = gradcheck.check_cell(fresh.Elman, recurrent=planted("time-future-lost"))
    assert report.rungs[-1].name.startswith("T = 1")
    verdict = report.rungs[-1].verdicts[-1]
    assert len(explanations(verdict)) > 1
    assert [bug.name for bug in report.bugs] == ["time-future-lost"]


# Right code.


@pytest.mark.parametrize("where", [
    "logistic_slope", "hyperbolic_slope", "ramp_slope", "Affine", "Lookup", "Thinning", "Elman",
    "LoopLSTM", "LateGRU", "EarlyGRU", "Unrolled", "Tower", "Surprise", "SquaredGap",
])  # fmt: skip
def test_other_right_code_passes(where):
    report = examine(where, getattr(fresh, where))
    assert report, report


@pytest.mark.parametrize("cell", [*FRESH, *OWN, cells.GRUBeforeCell], ids=lambda c: c.__name__)
def test_right_cells_pass_in_both_loops(cell):
    for recurrent in (None, fresh.Unrolled):
        report = gradcheck.check_cell(cell, recurrent=recurrent, seed=2)
        assert report, report


@pytest.mark.parametrize("truncate", [1, 2, 3, 9])
def test_right_truncation_passes(truncate):
    rng = np.random.default_rng(1)
    for net in (Recurrent(cells.LSTMCell, 3, 4, rng=rng), fresh.Unrolled(fresh.LateGRU, 3, 4,
     rng=rng),
                stacked.GRU(3, 4, rng=rng, num_layers=2)):  # fmt: skip
        report = gradcheck.check_recurrent(net, truncate=truncate)
        assert report, report


def _no_false_alarm(seeds):
    for seed in seeds:
        problem = correct_problem(seed)
        verdict = judge(problem, np.random.default_rng(seed))
        assert verdict, (seed, problem.title, [f.message for f in verdict.findings])


def test_no_false_alarm_in_60_random_problems():
    _no_false_alarm(range(60))


@pytest.mark.slow
def test_no_false_alarm_in_1000_random_problems():
    _no_false_alarm(range(60, 1060))


def test_saturated_functions_are_not_blamed():
    """1 - y^2 with y near 1 has few right digits left; that is rounding, not a mistake."""
    for a in (6.0, 12.0, 20.0, -20.0, 40.0):
        for f, slope in ((fresh.logistic, fresh.logistic_slope), (np.tanh, lambda y: 1 - y * y)):
            report = gradcheck.check_function(f, slope, np.full((2, 3), a))
            assert report, report


# Mistakes that are not in the zoo.

UNHEARD_OF = {
    "two of the zoo's": ("LoopLSTM", [('"u": y - y**2', '"u": 1.0'), ('"m": 1 - y**2',
        '"m": 1.0')]),
    "and two others": ("LateGRU", [("d_new * (n - y)", "d_new * (y - n)"), ("d_n * (1 - n**2)",
        "d_n")]),
    "a cube": ("LoopLSTM", [("1 - squashed**2", "1 - squashed**3")]),
    "the wrong partner": ("LoopLSTM", [('"u": d_new * act["m"]', '"u": d_new * mem')]),
    "the wrong gate": ("LoopLSTM", [('d_mem = d_new * act["k"]', 'd_mem = d_new * act["u"]')]),
    "r instead of u": ("LateGRU", [("d_y = d_new * (1 - u)", "d_y = d_new * (1 - r)")]),
    "without k": ("EarlyGRU", [("* k * (1 - k)", "* (1 - k)")]),
    "a sine": ("Elman", [("d_new * (1 - new) * (1 + new)", "d_new * np.cos(new)")]),
    "next step's output": ("Unrolled", [
        ("doutput[begin : begin + n]", "np.roll(doutput, 1, axis=0)[begin : begin + n]")]),
    "half a bias, half of Wx": ("Unrolled", [
        ("self.bh.grad += dbh", "self.bh.grad += dbh * np.linspace(0.5, 1, dbh.shape[1])")]),
    "outer products of dx": ("Affine", [("np.outer(d_row, row)", "np.outer(d_row, row**2)")]),
    "one side turned twice": ("Tower", [("d_back = d_back[turn]", "d_back = d_back[::-1]")]),
    "squared shares": ("Surprise", [('(cache["shares"][k] - hit)',
        '(cache["shares"][k]**2 - hit)')]),
    "a slope of its own": ("logistic_slope", [("s - s**2", "s - s**3")]),
}  # fmt: skip
PATTERNS = {
    "half": ("Unrolled", [("self.bh.grad += dbh", "self.bh.grad += dbh / 2")],
             "Your dbh is 0.5 times what it should be"),
    "uphill": ("SquaredGap", [("2.0 * gap", "-2.0 * gap")], "wrong sign everywhere"),
    "nothing": ("Affine", [("self.offset.grad += d_offset", "pass")], "Your doffset is all zeros"),
    "transposed": ("Unrolled", [("self.Wh.grad += dWh", "self.Wh.grad += dWh.swapaxes(1, 2)")],
                   "Your dWh is transposed"),
    "clipped": ("Affine", [("grad += d_weight", "grad += np.clip(d_weight, -0.3, 0.3)")],
                "Your dweight is cut off at 0.3: it is clipped inside backward"),
    "itself": ("Affine", [("self.weight.grad += d_weight", "self.weight.grad += self.weight.data")],
               "holds the values of weight itself"),
    "rounded": ("Affine", [("grad += d_weight", 'grad += d_weight.astype("float32")')],
                "is something rounded to float32 on the way?"),
    "turned round": ("Unrolled", [("self.bx.grad += dbx", "self.bx.grad += dbx[[1, 2, 0, 3]]")],
                     "q holds that of k, k holds that of u, u holds that of q"),
    "divided by zero": ("Affine", [("grad += d_offset", "grad += d_offset * np.nan")],
                        "divided by zero"),
}  # fmt: skip


@pytest.mark.parametrize("name", UNHEARD_OF)
def test_an_unknown_mistake_gets_no_name(name):
    where, changes = UNHEARD_OF[name]
    changed = plant(where, changes)
    report = examine(where, changed)
    assert not report
    assert report.bugs == []
    assert report.diagnosis.startswith(UNKNOWN), report.diagnosis


@pytest.mark.parametrize("name", PATTERNS)
def test_a_pattern_is_told(name):
    where, changes, words = PATTERNS[name]
    report = examine(where, plant(where, changes))
    assert not report and report.bugs == []
    assert words in report.diagnosis, report.diagnosis


# Slips of students: each has a name, or the place where it is.


@pytest.mark.parametrize("name", SLIPS)
def test_a_slip_is_found_and_named_or_placed(name):
    report = gradcheck.check_cell(slipped(name))
    assert not report
    assert SLIPS[name][2] in report.diagnosis, report


def test_most_slips_have_a_name():
    named = [name for name, (_, _, words) in SLIPS.items() if not words.startswith("not a mistake")]
    assert len(SLIPS) >= 52 and len(named) >= 40


@pytest.mark.parametrize("cell", [slips.Plain, slips.Long, slips.Gated], ids=lambda c: c.__name__)
def test_the_cells_without_a_slip_are_right(cell):
    assert gradcheck.check_cell(cell)


@pytest.mark.parametrize("cell, words", [
    (slips.OnSelf, "your cell keeps it on `self`, where the next step overwrites it"),
    (slips.SaysAdditive, "says additive = True, but its gradients are right only without"),
])  # fmt: skip
def test_a_habit_is_told(cell, words):
    report = gradcheck.check_cell(cell)
    assert not report and words in report.diagnosis, report
    assert report.rungs[0]  # one step alone is right
    net = stacked.Stack(cell, 3, 4, rng=np.random.default_rng(0), num_layers=2)
    assert words in gradcheck.check_recurrent(net).diagnosis


def test_what_only_several_steps_show_and_no_habit_explains():
    class Counting(slips.Plain):
        calls = []  # common to all

        def forward(self, gx, state, product):
            state, cache = super().forward(gx, state, product)
            return state, (*cache, len(product.inputs["h"]))

        def backward(self, dstate, cache, product):
            (da,), (dh_prev,) = super().backward(dstate, cache[:2], product)
            return (da * 1,), (dh_prev * (1 + (cache[2] > 1)),)

    report = gradcheck.check_cell(Counting)
    assert not report and "One step of your cell alone is right" in report.diagnosis


@pytest.mark.parametrize("ratio, words", [
    (2, "is 2 times what it should be: something counted twice?"),
    (0.25, "is 0.25 times what it should be: a mean taken for a sum?"),
    (1.0001, "is 1.0001 times what it should be."), (3, "is 3 times what it should be."),
    (0.7, "is 0.7 times what it should be."), (-2, "is -2 times what it should be."),
])  # fmt: skip
def test_a_multiple_gets_a_guess_only_where_there_is_one(ratio, words):
    report = examine(
        "Affine", plant("Affine", [("grad += d_weight", f"grad += {ratio} * d_weight")])
    )
    assert report.diagnosis == f"Your dweight {words}"


@pytest.mark.parametrize("off, guess", [(1e-8, True), (1e-10, False)])
def test_float32_is_suspected_only_where_it_rounds_so(off, guess):
    change = f"grad += d_weight * (1 + {off} * np.sign(d_weight))"
    report = examine("Affine", plant("Affine", [("grad += d_weight", change)]))
    assert "right to" in report.diagnosis and ("float32" in report.diagnosis) == guess


PLACES = {
    "a sum": ([("dWx[g] += rows.T @ d_gate", "dWx[g] += rows.T @ d_gate**3")],
              "dx is right at every step: look at the lines that add up dWx."),
    "dx alone": ([("dx[t] + d_gate @", "dx[t] + d_gate**3 @")], "Look at the lines that make dx"),
    "the way back": ([("[np.concatenate([b, d[n:]]) for b, d in zip(d_before",
                       "[np.concatenate([b**3, d[n:]]) for b, d in zip(d_before")],
                     "Look at what is returned as dh0 and dc0: all else is right."),
    "between steps": ([("d_step = [d[:n] for d in d_now]",
                        "d_step = [d[:n] ** (1 if t == len(tape) - 1 else 3) for d in d_now]")],
                      "dx of step 3 is right and that of step 2, which is undone after it, is not"),
}  # fmt: skip


@pytest.mark.parametrize("name", PLACES)
def test_a_place_in_time_is_told(name):
    changes, words = PLACES[name]
    report = gradcheck.check_cell(cells.LSTMCell, recurrent=plant("Unrolled", changes))
    assert report.diagnosis.startswith(UNKNOWN) and words in report.diagnosis, report


# Shapes that do not fit are shown.


class Cut(layers.Linear):
    def backward(self, dy, x):
        self.W.grad += x.T @ dy[1:]
        return dy @ self.W.data.T


def test_shapes_that_do_not_fit_are_shown():
    rng = np.random.default_rng(0)
    report = gradcheck.check_layer(Cut(3, 4, rng=rng), rng.standard_normal((5, 3)))
    text = words_of(report)
    assert "backward fails with shapes that do not fit in line" in text
    line = "self.W.grad += x.T @ dy[1:]: "
    assert f"{line}self.W.grad is (3, 4), x.T is (3, 5), dy[1:] is (4, 4)" in text
    assert "gufunc" not in text


class Turned(slips.Long):
    def backward(self, dstate, cache, product):
        dh, dc = dstate
        return product.backward((dh.T, dh, dh, dh)), (dh, dc)


def test_shapes_of_what_was_handed_to_the_product():
    text = words_of(gradcheck.check_cell(Turned))
    assert "product.backward((dh.T, dh, dh, dh)), (dh, dc)" in text
    assert "dh.T is (5, 3), dh is (3, 5), dc is (3, 5)" in text


# Code that cannot run on complex numbers, and kinks.


@pytest.mark.parametrize("cell", [RealBuffer, MathLoop, SoftSign])
def test_code_for_real_numbers_only(cell):
    right = gradcheck.check_cell(cell)
    assert right and "checked by central differences instead" in words_of(right)
    wrong = type("Wrong", (cell,), {"slope": lambda self, h: cell.slope(self, h) * 1.001})
    report = gradcheck.check_cell(wrong)
    assert not report and "checked by central differences instead" in words_of(report)


def test_kinks_are_not_blamed():
    a = np.array([[0.0, 1.5, -2.0], [0.3, 0.0, -0.4]])

    def real_relu(a):
        return np.array([[max(entry, 0.0) for entry in row] for row in a])

    for f, slope in (
        (np.abs, lambda y: np.where(a >= 0, 1.0, -1.0)),
        (np.abs, lambda y: np.where(a > 0, 1.0, -1.0)),
        (real_relu, lambda y: (y > 0) * 1.0),
        (fresh.ramp, fresh.ramp_slope),
    ):
        report = gradcheck.check_function(f, slope, a)
        assert report and "sit on a kink" in words_of(report)
    assert not gradcheck.check_function(np.abs, lambda y: np.sign(a) * (a < 1), a)


# Everything else that goes wrong is told as what it is.


class Changed(cells.RNNCell):
    """Its backward's results go through `result`, and its arguments through `before`."""

    def before(self, dstate, cache, product):
        pass

    def result(self, da, dh, cache, product):
        return da, dh

    def backward(self, dstate, cache, product):
        self.before(dstate, cache, product)
        da, dh = super().backward(dstate, cache, product)
        return self.result(da, dh, cache, product)


def _raise(error):
    raise error


def _add(array, number):
    array += number


CASES = {
    "float32": ("dtype", "gx of gate h", "is float32, but the inputs are float64",
                dict(result=lambda s, da, dh, c, p: ((da[0].astype("float32"),), dh))),
    "transposed": ("shape", "gx of gate h", "has shape (5, 3), but gx of gate h has (3, 5)",
                   dict(result=lambda s, da, dh, c, p: ((7 * da[0].T,), dh))),
    "summed": ("shape", "h_prev", "has shape (5,), but h_prev has (3, 5)",
               dict(result=lambda s, da, dh, c, p: (da, (dh[0].sum(axis=0),)))),
    "no array": ("shape", "h_prev", "is NoneType, not an array",
                 dict(result=lambda s, da, dh, c, p: (da, (None,)))),
    "None": ("error", "backward", "returns None, but must return (dgx, dstate_prev)",
             dict(result=lambda s, da, dh, c, p: None)),
    "no tuple": ("error", "backward", "must be a tuple of 1: one array for each of h",
                 dict(result=lambda s, da, dh, c, p: (da[0], dh))),
    "too many": ("error", "backward", "a tuple of 2 as dgx, but it must be a tuple of 1",
                 dict(result=lambda s, da, dh, c, p: (da * 2, dh))),
    "not written": ("missing", "backward", "backward is not written yet: dh, please",
                    dict(before=lambda s, d, c, p: _raise(NotImplementedError("dh, please")))),
    "exception": ("error", "backward", "backward fails with KeyError: 'da'",
                  dict(before=lambda s, d, c, p: _raise(KeyError("da")))),
    "upstream changed": ("changed", "the gradient of h", "which belongs to the caller",
                         dict(before=lambda s, d, c, p: _add(d[0], 1))),
    "cache changed": ("changed", "the cache.h", "a second backward would go wrong",
                      dict(result=lambda s, da, dh, c, p: (_add(c.h, 1), (da, dh))[1])),
    "gives its cache": ("alias", "gx", "shares memory with the cache.h",
                        dict(result=lambda s, da, dh, c, p: ((c.h,), dh))),
    "gives the weights": ("alias", "h_prev", "shares memory with Wh",
                          dict(result=lambda s, da, dh, c, p: (da, (p.product.Wh[0, :3],)))),
    "forward not written": ("missing", "forward", "forward is not written yet",
                            dict(forward=lambda s, *a: _raise(NotImplementedError))),
    "forward returns None": ("error", "forward", "returns None, but must return (state, cache)",
                             dict(forward=lambda s, *a: None)),
    "input changed": ("changed", "gx", "forward writes into gx", dict(
        forward=lambda s, gx, *a: (_add(gx, 1), cells.RNNCell.forward(s, gx, *a))[1])),
    "noise": ("unsteady", "h", "another h on the same inputs", dict(
        forward=lambda s, gx, *a: cells.RNNCell.forward(s, gx + np.random.rand(*gx.shape), *a))),
    "float32 forward": ("dtype", "h", "h is float32, but the inputs are float64", dict(
        forward=lambda s, gx, *a: cells.RNNCell.forward(s, gx.astype("float32"), (
            a[0][0].astype("float32"),), lambda v: 0 * gx.astype("float32")))),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_is_not_a_wrong_value_is_told_as_what_it_is(name):
    kind, where, words, methods = CASES[name]
    report = gradcheck.check_cell(type("Mine", (Changed,), methods))
    assert not report and len(report.rungs) == 1
    found = report.findings[0]
    assert (found.kind, found.where) == (kind, where)
    assert words in found.message
    assert report.bugs == []
    if kind in ("shape", "dtype", "error", "missing", "unsteady"):
        assert all(f.kind != "value" for f in report.findings)  # shapes before values
