"""The reading test: backward passes written from the chapters with the quoted ones covered.

They were written by somebody who had seen chapters 1 and 4 to 7 and no backward pass of the
library; all passed the ladder at once. What still had to be guessed has since been added to the
chapters: what a cache is unpacked into, what `part` and `_upstream` give, in which form the cache
holds x, that an id has no gradient, and that truncation cuts before sequences join.

Beside each line stands the label of the equation, or the section, from which it was written. The
test holds that what is cited can still be read in the covered chapters, and that what was written
from it is right. A chapter that loses one of these passages can no longer be learned from alone.
"""

import inspect
import re
from pathlib import Path

import numpy as np
import pytest

from minirnn import gradcheck
from minirnn.cells import GRUBeforeCell, GRUCell, LSTMCell, RNNCell
from minirnn.functions import d_sigmoid, d_tanh
from minirnn.recurrent import Recurrent

DOCS = Path(__file__).resolve().parent.parent / "docs"
COVERED = re.compile(
    r"<!-- code: \S+ \S*(?:backward|_gradient|pull)[^\n]*-->\n+```python\n.*?^```$", re.M | re.S
)


class MyRNN(RNNCell):
    def backward(self, dstate, cache, product):
        (dh,) = dstate
        (h,) = cache  # 04 The cell contract: named as in forward
        # h = f(a)
        da = dh * self.d_f(h)  # eq: rnn-da, d-tanh
        # a = gx + product(h_prev)
        return (da,), (product.backward((da,)),)  # eq: rnn-dh-prev; 04 The cell contract


class MyLSTM(LSTMCell):
    def backward(self, dstate, cache, product):
        dh, dc = dstate  # 05 Backward through time: a gradient for each part of the state
        i, f, g, o, c_prev, tanh_c = cache  # 06 Hidden state: the six of the cache
        # h = o * tanh(c)
        do = dh * tanh_c  # eq: lstm-do
        dc = dc + dh * o * d_tanh(tanh_c)  # eq: lstm-dc, d-tanh
        # c = f * c_prev + i * g
        df, dc_prev = dc * c_prev, dc * f  # eq: lstm-dcell
        di, dg = dc * g, dc * i  # eq: lstm-dcell
        # i, f, o = sigmoid(..), g = tanh(..), in the order i f g o
        dai, daf = di * d_sigmoid(i), df * d_sigmoid(f)  # eq: lstm-da, d-sigmoid
        dag, dao = dg * d_tanh(g), do * d_sigmoid(o)  # eq: lstm-da
        da = (dai, daf, dag, dao)  # 01 Gates: the order i f g o
        # a = gx + product(h_prev)
        return da, (product.backward(da), dc_prev)  # eq: lstm-dh-prev


class MyGRU(GRUCell):
    def backward(self, dstate, cache, product):
        (dh,) = dstate
        r, z, n, h_prev, y = cache  # 07 Forward: product_n is y
        # h = (1 - z) * n + z * h_prev
        dz, dn, dh_prev = dh * (h_prev - n), dh * (1 - z), dh * z  # eq: gru-dh
        # n = tanh(gx_n + r * y)
        dan = dn * d_tanh(n)  # eq: gru-dan
        dr, dy = dan * y, dan * r  # eq: gru-dr
        # r, z = sigmoid(..)
        dar, daz = dr * d_sigmoid(r), dz * d_sigmoid(z)  # eq: gru-da
        # the three products of h_prev
        dh_prev = dh_prev + product.backward((dar, daz, dy))  # eq: gru-dh-prev
        return (dar, daz, dan), (dh_prev,)  # 07 Through the candidate: gx gets da_n itself


class MyGRUBefore(GRUBeforeCell):
    def backward(self, dstate, cache, product):
        (dh,) = dstate
        r, z, n, h_prev = cache
        # h = (1 - z) * n + z * h_prev
        dz, dn, dh_prev = dh * (h_prev - n), dh * (1 - z), dh * z  # eq: gru-dh
        # n = tanh(gx_n + product(v, "n")), v = r * h_prev
        dan = dn * d_tanh(n)  # eq: gru-dan
        dv = product.backward(dan, "n")  # eq: before-dv; 04 The cell contract
        dr, dh_prev = dv * h_prev, dh_prev + dv * r  # eq: before-dr, before-dh-prev
        # r, z = sigmoid(gx + product(h_prev, "rz"))
        dar, daz = dr * d_sigmoid(r), dz * d_sigmoid(z)  # eq: gru-da
        dh_prev = dh_prev + product.backward((dar, daz), "rz")  # eq: before-dh-prev
        return (dar, daz, dan), (dh_prev,)


class MyProductBackward:
    def __init__(self, product, S, dtype):
        G, H, _ = product.Wh.shape
        self.product, self.da, self.rows = product, np.zeros((G, S, H), dtype), None

    def backward(self, da, gates=None):
        part = self.product.part(gates)  # 04 The cell contract: the place of the gates
        kept = self.da[part, self.rows]
        kept[...] = da
        Wh = self.product.Wh[part]
        if Wh.ndim == 2:
            return kept @ Wh.T  # eq: linear-dx
        return sum(d @ W.T for d, W in zip(kept, Wh, strict=True))  # eq: product-backward

    def weight_gradient(self):
        dWh = np.zeros_like(self.product.Wh)
        for gates, inputs in self.product.inputs.items():
            part = self.product.part(gates)
            dWh[part] = np.concatenate(inputs).T @ self.da[part]  # eq: time-dWh
        return dWh


class MyRecurrent(Recurrent):
    def backward(self, doutput, cache, dfinal=None):
        x, sizes, steps, _, product, truncate, shape, dtype, _ = cache
        S, H, G = sum(sizes), self.hidden_size, len(self.cell.gates)  # eq: packed-rows
        doutput, dfinal = self._upstream(  # 05 Variable lengths: yours to use
            doutput, dfinal, (S, H), sizes[0], shape, dtype
        )
        undo = MyProductBackward(product, S, dtype)  # 05 Variable lengths: in each step `product`
        dgx = np.zeros((G, S, H), dtype)
        dstate, start = tuple(d[:0] for d in dfinal), S  # 05 Variable lengths: nobody is alive
        for t in reversed(range(len(sizes))):  # eq: time-dh
            n, alive = sizes[t], len(dstate[0])
            if truncate and (t + 1) % truncate == 0:
                dstate = tuple(0 * d for d in dstate)  # 05 Truncated backpropagation: cut first
            if n > alive:  # 05 Variable lengths: sequences come in; eq: time-dh-last
                dstate = tuple(
                    np.concatenate([d, last[alive:n]])
                    for d, last in zip(dstate, dfinal, strict=True)
                )
            start -= n
            undo.rows = slice(start, start + n)  # 05 Variable lengths: rows of the step
            if doutput is not None:
                dstate = (dstate[0] + doutput[undo.rows], *dstate[1:])  # eq: time-dh
            da, dstate = self.cell.backward(dstate, steps[t], undo)
            for k in range(G):
                dgx[k, undo.rows] = da[k]
        ids, D = x.dtype.kind in "iu", self.input_size
        x = np.eye(D)[x] if ids else x  # 05 Letters as input: a one-hot table
        self.Wh.grad += undo.weight_gradient()
        self.Wx.grad += x.T @ dgx  # eq: time-dWx
        if self.bx is not None:  # 05 The weights: biases
            self.bx.grad += dgx.sum(axis=1)  # eq: time-db
        if self.bh is not None:
            self.bh.grad += undo.da.sum(axis=1)  # eq: time-db
        if ids:
            return None, dstate  # 05 Letters as input: an id has no gradient
        dx = sum(d @ W.T for d, W in zip(dgx, self.Wx.data, strict=True))  # eq: time-dx
        return dx.reshape(*shape, D) if shape else dx, dstate


WRITTEN = [MyRNN, MyLSTM, MyGRU, MyGRUBefore, MyProductBackward, MyRecurrent]


@pytest.mark.parametrize("cell", WRITTEN[:4])
def test_cells_written_from_the_text_are_right(cell):
    report = gradcheck.check_cell(cell, recurrent=MyRecurrent)
    assert report, report


@pytest.mark.parametrize("kind", ["rows", "ids", "dense"])
@pytest.mark.parametrize("biases", [0, 1, 2])
@pytest.mark.parametrize("cell", WRITTEN[:4])
def test_they_equal_the_library_where_the_ladder_does_not_look(cell, kind, biases):
    """Truncation, ids, missing biases, upstream gradients that are left out."""
    rng = np.random.default_rng(0)
    sizes, lead = (None, (7, 3)) if kind == "dense" else ([3, 3, 2, 2, 1, 1, 1], (13,))
    x = rng.integers(0, 5, lead) if kind == "ids" else rng.standard_normal((*lead, 5))
    doutput, h = rng.standard_normal((*lead, 4)), rng.standard_normal((3, 4))
    nets = [
        make(cell, 5, 4, rng=np.random.default_rng(1), dtype="float64", biases=biases)
        for make, cell in ((MyRecurrent, cell), (Recurrent, cell.__mro__[1]))
    ]
    for truncate, upstream, last in [(2, doutput, True), (None, None, True), (1, doutput, False)]:
        got = []
        for net in nets:
            _, final, cache = net.forward(x, sizes, truncate=truncate)
            dfinal = (h, *[None] * (len(final) - 1)) if last else None
            dx, dstate = net.backward(upstream, cache, dfinal)
            assert (dx is None) == (kind == "ids")
            got.append([*dstate, *(p.grad for p in net.parameters()), 0 if dx is None else dx])
        for mine, theirs in zip(*got, strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-12)


def covered():
    """The chapters' texts, with the quoted backward passes taken out."""
    return {path.name: COVERED.sub("", path.read_text("utf-8")) for path in DOCS.glob("[0-9]*.md")}


def test_the_passages_can_still_be_read():
    texts = covered()
    everything = "\n".join(texts.values())
    assert "da = (dai, daf, dag, dao)" not in everything  # it is covered indeed
    assert "undo.rows" not in everything and "dWh[" not in everything
    cited = 0
    for written in WRITTEN:
        for comment in re.findall(r"# (eq: .*|\d\d .*)$", inspect.getsource(written), re.M):
            for part in comment.split("; "):
                if part.startswith("eq: "):
                    for label in part[4:].split(", "):
                        assert f"<!-- eq: {label} -->\n\n$$" in everything, label
                        cited += 1
                else:
                    number, _, section = part.partition(" ")
                    section = section.partition(":")[0]
                    chapter = next(text for name, text in texts.items() if name[:2] == number)
                    assert re.search(rf"^#+ {re.escape(section)}$", chapter, re.M), part
                    cited += 1
    assert cited > 30
    for helper in ("_upstream", "ProductBackward(product", "_add_gradients", "_dx"):
        assert helper in texts["05-through-time.md"], helper
