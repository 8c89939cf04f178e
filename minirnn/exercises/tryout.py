"""What the starters do when they are run: a tiny task, trained with whatever is written so far."""

import contextlib

import numpy as np

from ..cells import RNNCell
from ..layers import Linear
from ..losses import CrossEntropy, MeanSquaredError
from ..optim import Adam
from ..parameters import Parameter
from ..recurrent import Recurrent
from .fallback import WithFallback, numerical_gradient

STANDS_IN = "backward is not written yet: a numerical gradient stands in for it"


@contextlib.contextmanager
def _until_a_blank():
    """A blank in forward ends the try with its own words, not with a traceback."""
    try:
        yield
    except NotImplementedError as error:
        print(f"{error}: nothing can be tried before that")


BATCH = 64  # sequences of the small task


def _show(step, loss):
    print(f"step {step:4d}   loss {float(loss):.4f}", flush=True)


def try_functions(sigmoid, d_sigmoid, tanh, d_tanh):
    """One neuron learns a step: where its derivative is missing, differences stand in."""
    with _until_a_blank():
        for f, d_f in ((sigmoid, d_sigmoid), (tanh, d_tanh)):
            rng = np.random.default_rng(0)
            x = rng.standard_normal(40)
            target = np.where(x > 0.3, 0.9, 0.1)
            w, b = 0.1, 0.0
            print(f"one neuron with {f.__name__}: the loss should fall")
            for step in range(41):
                y = f(w * x + b)
                if step % 10 == 0:
                    _show(step, ((y - target) ** 2).mean())
                try:
                    slope = d_f(y)
                except NotImplementedError:
                    a = w * x + b
                    slope = (f(a + 1e-6) - f(a - 1e-6)) / 2e-6
                da = 2 * (y - target) * slope
                w, b = w - 0.5 * (da * x).mean(), b - 0.5 * da.mean()


def try_linear(Linear, CrossEntropy):
    """A linear classifier on three clouds of points."""
    rng = np.random.default_rng(0)
    labels = np.arange(30) % 3
    x = rng.standard_normal((30, 2)) + np.array([[2, 0], [-1, 2], [-1, -2]])[labels]
    layer, loss = Linear(2, 3, rng=rng, dtype="float64"), CrossEntropy()
    told = False

    def value():
        return loss.forward(layer.forward(x)[0], labels)[0]

    with _until_a_blank():
        for step in range(41):
            y, cache = layer.forward(x)
            now, loss_cache = loss.forward(y, labels)
            if step % 10 == 0:
                _show(step, now)
            layer.zero_grad()
            try:
                layer.backward(loss.backward(loss_cache), cache)
            except NotImplementedError:
                if not told:
                    print(STANDS_IN)
                told = True
                for p in layer.parameters():
                    p.grad[...] = numerical_gradient(value, p.data)
            for p in layer.parameters():
                p.data -= 0.5 * p.grad


def try_cell(cell, steps=80, recurrent=Recurrent):
    """Remember the sign of the first number for five steps."""
    print("the sign of the first of five numbers: the loss should fall below 0.4")
    with _until_a_blank():
        losses = train_cell(cell, steps, recurrent, show=True)
        last = np.mean(losses[-20:])
        print(f"from {losses[0]:.3f} to {last:.3f}; guessing would be {np.log(2):.3f}")


def train_cell(cell, steps=40, recurrent=Recurrent, show=False):
    """The losses of a net around the cell on that task, with its own backward if there is one."""
    rng, losses = np.random.default_rng(0), []
    cell = WithFallback(cell)
    net = recurrent(cell, 2, 6, rng=rng, dtype="float64")
    head, loss = Linear(6, 2, rng=rng, dtype="float64"), CrossEntropy()
    optimizer = Adam([*net.parameters(), *head.parameters()], lr=0.03)
    for step in range(steps + 1):
        x = rng.standard_normal((5, BATCH, 2))
        labels = (x[0, :, 0] > 0).astype(int)
        _, state, cache = net.forward(x)
        logits, head_cache = head.forward(state[0])
        value, loss_cache = loss.forward(logits, labels)
        losses.append(float(value))
        if show and step % (steps // 4) == 0:
            _show(step, np.mean(losses[-20:]))
        for p in optimizer.parameters:
            p.grad[...] = 0
        dstate = head.backward(loss.backward(loss_cache), head_cache)
        dfinal = (dstate, *[np.zeros_like(dstate) for _ in cell.states[1:]])
        net.backward(np.zeros((5, BATCH, 6)), cache, dfinal)
        if show and step == 0 and cell.used:
            print(STANDS_IN)
        optimizer.step()
    return losses


def try_recurrent(recurrent):
    """The same task with the library's RNN cell in your `Recurrent`."""
    rng = np.random.default_rng(0)
    net = recurrent(RNNCell, 2, 4, rng=rng, dtype="float64")
    head = Parameter(rng.standard_normal((4,)))
    loss, told, losses = MeanSquaredError(), False, []
    optimizer = Adam([*net.parameters(), head], lr=0.03)
    print("the sign of the first of four numbers: the loss should fall below 0.4")

    def run(x, target):
        output, (h, *_), cache = net.forward(x)
        value, loss_cache = loss.forward(h @ head.data, target)
        return value, loss_cache, output, h, cache

    with _until_a_blank():
        for step in range(81):
            x = rng.standard_normal((4, BATCH, 2))
            target = np.sign(x[0, :, 0])
            value, loss_cache, output, h, cache = run(x, target)
            losses.append(float(value))
            if step % 20 == 0:
                _show(step, np.mean(losses[-20:]))
            for p in optimizer.parameters:
                p.grad[...] = 0
            dy = loss.backward(loss_cache)
            try:
                net.backward(np.zeros_like(output), cache, (dy[:, None] * head.data,))
            except NotImplementedError:
                if not told:
                    print(STANDS_IN)
                told = True
                for p in net.parameters():
                    p.grad[...] = numerical_gradient(lambda: run(x, target)[0], p.data)  # noqa: B023
            head.grad += h.T @ dy
            optimizer.step()


def try_sgd(SGD, clip_grad_norm):
    """Down a valley that is 25 times as steep across as along."""
    with _until_a_blank():
        for momentum in (0.0, 0.5):
            p = Parameter(np.array([1.0, 1.0]))
            optimizer = SGD([p], lr=0.05, momentum=momentum)
            print(f"momentum {momentum}")
            for step in range(41):
                if step % 10 == 0:
                    _show(step, 0.5 * (np.array([1.0, 25.0]) * p.data**2).sum())
                p.grad[...] = np.array([1.0, 25.0]) * p.data
                with contextlib.suppress(NotImplementedError):
                    clip_grad_norm([p], 5.0)
                optimizer.step()


def race(cell, steps=150):
    """The adding problem: two of the numbers are marked; their sum is asked for at the end."""
    with _until_a_blank():
        for name, kind in (("RNNCell", RNNCell), (cell.__name__, cell)):
            print(name)
            _add(WithFallback(kind), steps)


def _add(cell, steps, T=8, N=24, H=6):
    rng = np.random.default_rng(1)
    net = Recurrent(cell, 2, H, rng=rng, dtype="float64")
    head, loss = Linear(H, 1, rng=rng, dtype="float64"), MeanSquaredError()
    own = list(cell.cell.parameters()) if hasattr(cell.cell, "parameters") else []
    optimizer = Adam([*net.parameters(), *head.parameters(), *own], lr=0.03)
    recent = []
    for step in range(steps + 1):
        x = np.zeros((T, N, 2))
        x[..., 0] = rng.uniform(size=(T, N))
        marked = np.argsort(rng.random((T, N)), axis=0)[:2]
        np.put_along_axis(x[..., 1], marked, 1.0, axis=0)
        target = (x[..., 0] * x[..., 1]).sum(axis=0)[:, None]
        _, state, cache = net.forward(x)
        y, head_cache = head.forward(state[0])
        value, loss_cache = loss.forward(y, target)
        recent.append(float(value))
        if step % 30 == 0:
            _show(step, np.mean(recent[-30:]))
            if step == 0:
                print("            (always answering 1 gives 0.1667)")
        for p in optimizer.parameters:
            p.grad[...] = 0
        dstate = head.backward(loss.backward(loss_cache), head_cache)
        net.backward(None, cache, (dstate, *[None] * (len(cell.states) - 1)))
        if step == 0 and cell.used:
            print(STANDS_IN)
        optimizer.step()
