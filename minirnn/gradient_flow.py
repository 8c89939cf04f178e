"""Gradient flow through time: norms at every step, and the Jacobians of the steps.

Everything is measured from outside, with `Recurrent.forward` and `backward` on one step at a
time, so it works for any cell.
"""

import numpy as np

from .backend import asnumpy, get_array_module


def steps(net, x):
    """[(state before, cache) of each step] of a dense batch x [T, N, D], and the last state."""
    trace, state = [], None
    for t in range(len(x)):
        before = state
        _, state, cache = net.forward(x[t : t + 1], state=state)
        trace.append((before, cache))
    return trace, state


def gradient_norms(net, x, dlast):
    """{state: [T] the norm of the gradient of the state after step t}, a mean over the batch.

    x [T, N, D]; dlast [N, H] is dh_T, from a loss that reads nothing but the last output.
    """
    trace, _ = steps(net, x)
    names = net.cell.states
    dstate = (dlast, *[get_array_module(dlast).zeros_like(dlast)] * (len(names) - 1))
    norms = {name: [] for name in names}
    for _, cache in reversed(trace):
        for name, d in zip(names, dstate, strict=True):
            norms[name].append(float(np.linalg.norm(asnumpy(d), axis=1).mean()))
        _, dstate = net.backward(None, cache, dstate)
    net.zero_grad()
    return {name: np.array(values[::-1]) for name, values in norms.items()}


def step_jacobians(net, x):
    """[T, M, M]: at [t, k, j], d(entry k of the state after step t) / d(entry j of the one before).

    x [T, D] is one sequence. The state is all of the cell's arrays side by side, M = H for an RNN
    or a GRU, M = 2 H for an LSTM. Backward on unit vectors: M copies of the sequence make a batch
    in which row k is asked for the gradient of entry k.
    """
    H, names = net.hidden_size, net.cell.states
    M = H * len(names)
    xp = get_array_module(net.Wh.data)
    unit = xp.eye(M, dtype=net.Wh.data.dtype)
    asked = tuple(unit[:, k * H : (k + 1) * H] for k in range(len(names)))
    state = tuple(xp.zeros((1, H), unit.dtype) for _ in names)
    jacobians = []
    for t in range(len(x)):
        rows = tuple(xp.repeat(s, M, axis=0) for s in state)
        _, after, cache = net.forward(xp.repeat(x[t : t + 1, None], M, axis=1), state=rows)
        _, dstate = net.backward(None, cache, asked)
        jacobians.append(asnumpy(xp.concatenate(dstate, axis=1)))
        state = tuple(s[:1] for s in after)
    net.zero_grad()
    return np.stack(jacobians)


def singular_values(jacobians):
    """(the largest singular value of each step's Jacobian [T], and of each product of the
    Jacobians from the last step back to that step [T]): what a gradient is multiplied by at most,
    in one step and on its way from the end."""
    one = np.linalg.svd(jacobians, compute_uv=False)[:, 0]
    product, products = np.eye(jacobians.shape[1]), []
    for jacobian in jacobians[::-1]:
        product = product @ jacobian
        products.append(np.linalg.norm(product, 2))
    return one, np.array(products[::-1])
