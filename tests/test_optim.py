"""Optimisers, clipping and schedules against numbers worked out in plain Python."""

import copy
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirnn.errors import CheckpointError
from minirnn.optim import (
    SGD,
    Adam,
    AdamW,
    clip_grad_norm,
    cosine,
    grad_norm,
    one_cycle,
    step_decay,
)
from minirnn.parameters import Parameter

WEIGHTS = [0.5, -1.25, 2.0]
GRADIENTS = [[0.3, -0.2, 1.5], [-0.7, 0.1, 0.4], [0.05, 0.6, -2.0], [1.1, 0.0, 0.25]]


def after(make, gradients=GRADIENTS):
    """The weights after each step."""
    parameter = Parameter(np.array(WEIGHTS))
    optimizer = make([parameter])
    weights = []
    for gradient in gradients:
        parameter.grad[...] = gradient
        optimizer.step()
        weights.append(parameter.data.tolist())
    return weights


def by_hand(rule, gradients=GRADIENTS):
    """The same with one rule a number: rule(w, g, memory, step) gives w; memory is a dict."""
    weights, memories, found = list(WEIGHTS), [{} for _ in WEIGHTS], []
    for step, gradient in enumerate(gradients, start=1):
        weights = [
            rule(w, g, memory, step)
            for w, g, memory in zip(weights, gradient, memories, strict=True)
        ]
        found.append(weights)
    return found


def same(make, rule):
    np.testing.assert_allclose(after(make), by_hand(rule), rtol=1e-13)


def test_sgd_in_numbers():
    """Written out for the first weight, so that the helper above is no riddle."""
    w = [step[0] for step in after(lambda p: SGD(p, 0.1, momentum=0.5))]
    v1 = 0.3
    v2 = 0.5 * v1 - 0.7
    v3 = 0.5 * v2 + 0.05
    assert w[:3] == pytest.approx(
        [0.5 - 0.1 * v1, 0.5 - 0.1 * (v1 + v2), 0.5 - 0.1 * (v1 + v2 + v3)], rel=1e-14
    )
    assert w[2] == pytest.approx(0.5475, rel=1e-14)


def test_sgd():
    same(lambda p: SGD(p, 0.1), lambda w, g, m, t: w - 0.1 * g)


def test_sgd_with_weight_decay():
    same(lambda p: SGD(p, 0.1, weight_decay=0.2), lambda w, g, m, t: w - 0.1 * (g + 0.2 * w))


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_sgd_with_momentum(nesterov, decay):
    def rule(w, g, memory, step):
        g = g + decay * w
        v = g if step == 1 else 0.9 * memory["v"] + g
        memory["v"] = v
        return w - 0.1 * (g + 0.9 * v if nesterov else v)

    same(lambda p: SGD(p, 0.1, momentum=0.9, nesterov=nesterov, weight_decay=decay), rule)


def adam_rule(lr, beta1, beta2, eps, decay=0.0, decoupled=0.0):
    def rule(w, g, memory, step):
        w = w - lr * decoupled * w
        g = g + decay * w
        m = beta1 * memory.get("m", 0.0) + (1 - beta1) * g
        v = beta2 * memory.get("v", 0.0) + (1 - beta2) * g * g
        memory.update(m=m, v=v)
        return w - lr * (m / (1 - beta1**step)) / (math.sqrt(v / (1 - beta2**step)) + eps)

    return rule


def test_adam():
    same(lambda p: Adam(p, 0.01), adam_rule(0.01, 0.9, 0.999, 1e-8))
    same(
        lambda p: Adam(p, 0.3, betas=(0.5, 0.8), eps=0.1, weight_decay=0.2),
        adam_rule(0.3, 0.5, 0.8, 0.1, decay=0.2),
    )


def test_adamw():
    same(lambda p: AdamW(p, 0.05), adam_rule(0.05, 0.9, 0.999, 1e-8, decoupled=0.01))
    same(
        lambda p: AdamW(p, 0.3, betas=(0.5, 0.8), eps=0.1, weight_decay=0.4),
        adam_rule(0.3, 0.5, 0.8, 0.1, decoupled=0.4),
    )


def test_adams_first_step_is_the_learning_rate():
    """m' = g and v' = g^2 at step 1, so every weight moves by lr, whatever its gradient."""
    moved = np.array(after(lambda p: Adam(p, 0.01), [[1e-3, -50.0, 7.0]])[0]) - WEIGHTS
    np.testing.assert_allclose(moved, [-0.01, 0.01, -0.01], rtol=1e-4)


MAKERS = {
    "sgd": lambda p: SGD(p, 0.1),
    "momentum": lambda p: SGD(p, 0.1, momentum=0.9, weight_decay=0.1),
    "nesterov": lambda p: SGD(p, 0.1, momentum=0.9, nesterov=True),
    "adam": lambda p: Adam(p, 0.1, weight_decay=0.1),
    "adamw": lambda p: AdamW(p, 0.1, weight_decay=0.1),
}


def start(make, dtype="float32", seed=0):
    rng = np.random.default_rng(seed)
    parameters = [Parameter(rng.standard_normal(shape).astype(dtype)) for shape in [(3, 2), (4,)]]
    return parameters, make(parameters), rng


def move(parameters, optimizer, rng, steps, **options):
    for _ in range(steps):
        for p in parameters:
            p.grad[...] = rng.standard_normal(p.shape)
        optimizer.step(**options)


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_a_step_that_is_not_ok_leaves_the_weights(make):
    parameters, optimizer, rng = start(make)
    move(parameters, optimizer, rng, 2)
    before = [p.data.copy() for p in parameters]
    for p in parameters:
        p.grad[...] = np.nan
    optimizer.step(np.array(False))
    for p, old in zip(parameters, before, strict=True):
        np.testing.assert_array_equal(p.data, old)
    move(parameters, optimizer, rng, 1)
    assert all(np.isfinite(p.data).all() for p in parameters), "the state was spoilt"
    assert not np.array_equal(parameters[0].data, before[0])


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_a_step_that_is_ok_is_a_step(make):
    results = []
    for options in ({}, {"ok": np.array(True)}):
        parameters, optimizer, rng = start(make)
        move(parameters, optimizer, rng, 3, **options)
        results.append([p.data for p in parameters])
    for plain, flagged in zip(*results, strict=True):
        np.testing.assert_allclose(plain, flagged, rtol=1e-6)  # lr is rounded to float32 sooner


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_saved_state_continues_bit_for_bit(make):
    parameters, optimizer, rng = start(make)
    optimizer.lr = 0.05
    move(parameters, optimizer, rng, 3)
    others, other, _ = start(make, seed=1)
    other.load_state_dict(optimizer.state_dict())
    for p, q in zip(parameters, others, strict=True):
        q.data[...] = p.data
    state = optimizer.state_dict()
    saved = {k: np.copy(v) for k, v in state.items()}
    for one, opt in ((parameters, optimizer), (others, other)):
        move(one, opt, np.random.default_rng(9), 3)
    for p, q in zip(parameters, others, strict=True):
        assert p.data.tobytes() == q.data.tobytes()
    assert other.steps == optimizer.steps == 6 and other.lr == 0.05
    for name, array in saved.items():
        np.testing.assert_array_equal(state[name], array, err_msg="not a copy")


def test_a_state_that_does_not_fit():
    _, optimizer, _ = start(MAKERS["adam"])
    state = optimizer.state_dict()
    with pytest.raises(CheckpointError, match=r"m.1 has shape \(4,\), but the saved one: nothing"):
        optimizer.load_state_dict({k: v for k, v in state.items() if k != "m.1"})
    with pytest.raises(CheckpointError, match=r"v.0 has shape \(3, 2\), but the saved one: \(2,"):
        optimizer.load_state_dict({**state, "v.0": np.ones((2, 2))})


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_addresses_and_types_stay(make):
    parameters, optimizer, rng = start(make)
    arrays = [a for p in parameters for a in (p.data, p.grad)]
    arrays += optimizer.state.values()
    move(parameters, optimizer, rng, 2)
    after = [a for p in parameters for a in (p.data, p.grad)]
    after += optimizer.state.values()
    assert all(a is b and b.dtype == np.float32 for a, b in zip(arrays, after, strict=True))


def test_two_optimizers_take_turns():
    """The second moves a parameter into an array of its own; the first must follow it."""
    parameters, first, rng = start(lambda p: SGD(p, 0.1))
    second = SGD(parameters[:1], 0.2)
    for one in (first, second, first, first, second):
        gradients = [rng.standard_normal(p.shape).astype(p.data.dtype) for p in one.parameters]
        expected = [p.data - one.lr * g for p, g in zip(one.parameters, gradients, strict=True)]
        one.zero_grad()
        for p, g in zip(one.parameters, gradients, strict=True):
            p.grad += g
        one.step()
        for p, data in zip(one.parameters, expected, strict=True):
            np.testing.assert_array_equal(p.data, data)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_copy_moves_what_it_holds(copied):
    parameters, optimizer, rng = start(MAKERS["momentum"])
    parameters_too, optimizer_too = copied((parameters, optimizer))
    optimizer_too = copied(optimizer_too)
    for one in (optimizer_too, optimizer):
        before = [p.data.copy() for p in one.parameters]
        for p in one.parameters:
            p.grad[...] = 1
        one.step()
        for p, array in zip(one.parameters, before, strict=True):
            assert (p.data < array).all()
    assert len(parameters_too) == len(parameters)


def test_all_gradients_to_zero():
    parameters, optimizer, rng = start(MAKERS["sgd"])
    for p in parameters:
        p.grad[...] = 1
    optimizer.zero_grad()
    assert not any(p.grad.any() for p in parameters)


def test_parameters_of_two_types():
    parameters = [Parameter(np.ones(2, dtype)) for dtype in ("float32", "float64")]
    with pytest.raises(ValueError, match="of types float32 and float64, but must be of one"):
        SGD(parameters, 0.1)


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_a_step_leaves_the_gradients(make):
    parameters, optimizer, rng = start(make)
    move(parameters, optimizer, rng, 1)
    grads = [p.grad.copy() for p in parameters]
    optimizer.step()
    for p, grad in zip(parameters, grads, strict=True):
        np.testing.assert_array_equal(p.grad, grad)


@pytest.mark.parametrize(
    "make",
    [
        lambda p: SGD([], 0.1), lambda p: SGD(p, -0.1), lambda p: Adam(p, weight_decay=-1),
        lambda p: SGD(p, 0.1, nesterov=True),
    ],
)  # fmt: skip
def test_what_makes_no_optimiser(make):
    with pytest.raises(ValueError):
        make([Parameter(np.ones(2))])


# Clipping


def with_gradients(*gradients, dtype="float64"):
    parameters = [Parameter(np.zeros(np.shape(g), dtype)) for g in gradients]
    for p, g in zip(parameters, gradients, strict=True):
        p.grad[...] = g
    return parameters


def test_clip_above():
    parameters = with_gradients([3.0, 0.0], [[0.0, 4.0]])
    assert float(clip_grad_norm(parameters, 2.0)) == 5.0
    scale = 2.0 / (5.0 + 1e-6)
    np.testing.assert_allclose(parameters[0].grad, [3 * scale, 0], rtol=1e-15)
    np.testing.assert_allclose(parameters[1].grad, [[0, 4 * scale]], rtol=1e-15)


def test_clip_below_changes_nothing():
    parameters = with_gradients([3.0, 0.0], [[0.0, 4.0]])
    assert float(clip_grad_norm(parameters, 5.1)) == 5.0
    assert parameters[0].grad.tolist() == [3.0, 0.0] and parameters[1].grad.tolist() == [[0, 4.0]]


def test_clip_at_the_norm_itself():
    """As PyTorch's: the 1e-6 below the fraction line shrinks by a hair."""
    parameters = with_gradients([3.0, 4.0])
    clip_grad_norm(parameters, 5.0)
    expected = np.array([3.0, 4.0]) * (5.0 / (5.0 + 1e-6))
    np.testing.assert_allclose(parameters[0].grad, expected, rtol=1e-15)
    assert 5.0 - 2e-6 < float(grad_norm(parameters)) < 5.0


def test_clip_of_zeros():
    parameters = with_gradients([0.0, 0.0])
    assert float(clip_grad_norm(parameters, 1.0)) == 0.0
    assert parameters[0].grad.tolist() == [0.0, 0.0]


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=9), st.floats(1e-3, 1e3))
def test_clipped_norm_and_direction(gradient, largest):
    parameters = with_gradients(gradient)
    norm = float(clip_grad_norm(parameters, largest))
    assert norm == pytest.approx(math.sqrt(sum(g * g for g in gradient)), rel=1e-12)
    clipped = parameters[0].grad
    assert float(grad_norm(parameters)) <= min(norm, largest) * (1 + 1e-12)
    expected = np.array(gradient) * min(1.0, largest / (norm + 1e-6))
    np.testing.assert_allclose(clipped, expected, atol=1e-300)


def test_clip_keeps_float32():
    parameters = with_gradients([3.0, 4.0], dtype="float32")
    assert clip_grad_norm(parameters, 1.0).dtype == np.float32
    assert parameters[0].grad.dtype == np.float32


# Schedules


def test_step_decay():
    lr = step_decay(1.0, 3, factor=0.5)
    assert [lr(k) for k in range(8)] == [1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.25, 0.25]


def test_cosine():
    lr = cosine(0.8, 10, lowest=0.2)
    assert lr(0) == 0.8 and lr(10) == pytest.approx(0.2) and lr(25) == pytest.approx(0.2)
    assert lr(5) == pytest.approx(0.5)
    expected = [0.2 + 0.3 * (1 + math.cos(math.pi * k / 10)) for k in range(11)]
    assert [lr(k) for k in range(11)] == pytest.approx(expected, rel=1e-14)
    assert all(lr(k) > lr(k + 1) for k in range(10))


@given(st.integers(20, 500), st.floats(1e-4, 1.0))
def test_one_cycle(total, highest):
    rates = [one_cycle(highest, total)(k) for k in range(total)]
    top = int(np.argmax(rates))
    assert rates[0] == pytest.approx(highest / 25)
    assert abs(top - (0.3 * total - 1)) <= 1
    assert rates[top] <= highest * (1 + 1e-12) and rates[top] > 0.95 * highest
    assert rates[-1] == pytest.approx(highest / 25 / 1e4, rel=1e-6)
    assert all(a < b for a, b in zip(rates[:top], rates[1 : top + 1], strict=True))
    assert all(a > b for a, b in zip(rates[top:], rates[top + 1 :], strict=False))


def test_one_cycle_in_numbers():
    """rise 0.5 of 9 steps: the top would be at step 3.5, the end is step 8."""
    lr = one_cycle(1.0, 9, rise=0.5, start_factor=10, end_factor=100)

    def between(a, b, share):
        return b + (a - b) * (1 + math.cos(math.pi * share)) / 2

    up = [between(0.1, 1.0, k / 3.5) for k in range(4)]
    down = [between(1.0, 0.001, (k - 3.5) / 4.5) for k in range(4, 9)]
    assert [lr(k) for k in range(9)] == pytest.approx(up + down, rel=1e-14)
    assert lr(8) == lr(100) == pytest.approx(0.001)


@pytest.mark.parametrize("total", [1, 2, 3, 4])
def test_one_cycle_of_hardly_any_steps(total):
    rates = [one_cycle(1.0, total)(k) for k in range(total + 1)]
    assert all(0 < rate <= 1 for rate in rates)
    assert one_cycle(1.0, 2, rise=0.5)(0) == 1.0, "the top at step 0: nothing to rise through"


def test_schedules_give_python_floats():
    """A NumPy number would turn float32 weights into float64."""
    for lr in (step_decay(0.1, 2), cosine(0.1, 9), one_cycle(0.1, 9)):
        assert all(type(lr(k)) is float for k in range(12))
