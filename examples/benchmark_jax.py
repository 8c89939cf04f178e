"""JAX's side of the benchmark: one jitted function, `lax.scan` through time, `jax.grad`, SGD."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from benchmark_cases import LR
from jax.nn import log_softmax, sigmoid


def rnn(state, a, product):
    return (jnp.tanh(a + product),)


def lstm(state, a, product):
    i, f, g, o = jnp.split(a + product, 4, axis=1)
    c = sigmoid(f) * state[1] + sigmoid(i) * jnp.tanh(g)
    return sigmoid(o) * jnp.tanh(c), c


def gru(state, a, product):
    ar, az, an = jnp.split(a, 3, axis=1)
    pr, pz, pn = jnp.split(product, 3, axis=1)
    z = sigmoid(az + pz)
    return ((1 - z) * jnp.tanh(an + sigmoid(ar + pr) * pn) + z * state[0],)


STEPS = {"rnn": rnn, "lstm": lstm, "gru": gru}


@partial(jax.jit, static_argnames=("model", "features"))
def output(weights, x, model, features):
    """All hidden states [T, N, H]; with a last layer log-probabilities [N, K] of the last step."""
    Wx, Wh, bx, bh = (weights[name] for name in ("Wx", "Wh", "bx", "bh"))
    gx = (x @ Wx if features else Wx[x]) + bx
    zeros = jnp.zeros((x.shape[1], len(Wh)), Wh.dtype)

    def step(state, a):
        state = STEPS[model](state, a, state[0] @ Wh + bh)
        return state, state[0]

    _, hs = jax.lax.scan(step, (zeros, zeros) if model == "lstm" else (zeros,), gx)
    return log_softmax(hs[-1] @ weights["W"] + weights["b"]) if "W" in weights else hs


@partial(jax.jit, static_argnames=("model", "features"))
def step(weights, x, d, model, features):
    """(weights after a step of SGD, their gradients, dx or None); d: dy, or labels."""

    def loss(weights, x):
        y = output(weights, x, model, features)
        return -y[jnp.arange(len(d)), d].mean() if "W" in weights else (y * d).sum()

    grads, dx = (
        jax.grad(loss, (0, 1))(weights, x) if features else (jax.grad(loss)(weights, x), None)
    )
    return jax.tree.map(lambda w, g: w - LR * g, weights, grads), grads, dx


class Scan:
    """Ids pick rows of Wx; a shorter sequence is padded, and its padding gets no gradient."""

    def __init__(self, case, batches, weights):
        state, last = weights
        names = {"Wx": "weight_ih_l0", "Wh": "weight_hh_l0", "bx": "bias_ih_l0", "bh": "bias_hh_l0"}
        self.weights = {ours: jnp.asarray(state[theirs].T) for ours, theirs in names.items()}
        self.names = names
        if last is not None:
            self.weights |= {"W": jnp.asarray(last[0]), "b": jnp.asarray(last[1])}
        self.step = partial(step, model=case.model, features=case.width == case.H)
        self.output = partial(output, model=case.model, features=case.width == case.H)
        self.batches = [self.prepared(batch, last is not None) for batch in batches]

    def prepared(self, batch, labelled):
        """(input, dy or labels, the places of the packed rows), padded."""
        if batch.sizes is None:
            return jnp.asarray(batch.x), jnp.asarray(batch.dy), ...
        rows = tuple(np.array([(t, k) for t, n in enumerate(batch.sizes) for k in range(n)]).T)
        shape = len(batch.sizes), batch.sizes[0]
        x, dy = (np.zeros(shape + a.shape[1:], a.dtype) for a in (batch.x, batch.dy))
        x[rows], dy[rows] = batch.x, batch.dy
        return jnp.asarray(x), jnp.asarray(batch.labels if labelled else dy), rows

    def train(self):
        for x, d, _ in self.batches:
            self.weights, self.gradients, dx = self.step(self.weights, x, d)
        jax.block_until_ready((self.weights, dx))

    def forward(self):
        for x, _, _ in self.batches:
            jax.block_until_ready(self.output(self.weights, x))

    def results(self):
        self.train()
        x, _, rows = self.batches[0]
        y = np.asarray(self.output(self.weights, x))
        gradients = {name: np.asarray(self.gradients[k]).T for k, name in self.names.items()}
        return y if "W" in self.weights else y[rows], gradients
