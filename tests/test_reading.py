"""The reading test: backward passes written from the chapters with the quoted ones covered.

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
from minirnn.product import ProductBackward
from minirnn.recurrent import Recurrent

DOCS = Path(__file__).resolve().parent.parent / "docs"
COVERED = re.compile(r"<!-- code: \S+ \S*backward[^\n]*-->\n+```python\n.*?^```$", re.M | re.S)


class MyRNN(RNNCell):
    def backward(self, dstate, cache, product):
        (dh,) = dstate
        (h,) = cache
        da = dh * (1 - h * h)  # eq: rnn-da, d-tanh
        return (da,), (product.backward((da,)),)  # eq: rnn-dh-prev; 04 The cell contract


class MyLSTM(LSTMCell):
    def backward(self, dstate, cache, product):
        dh, dc = dstate  # 05 Backward through time: a gradient for each part of the state
        i, f, g, o, c_prev, tanh_c = cache  # 06 Hidden state: the six of the cache
        do = dh * tanh_c  # eq: lstm-do
        dc = dc + dh * o * (1 - tanh_c**2)  # eq: lstm-dc
        df = dc * c_prev  # eq: lstm-dcell
        dc_prev = dc * f  # eq: lstm-dcell
        di, dg = dc * g, dc * i  # eq: lstm-dcell
        dai = di * i * (1 - i)  # eq: lstm-da
        daf = df * f * (1 - f)  # eq: lstm-da
        dao = do * o * (1 - o)  # eq: lstm-da
        dag = dg * (1 - g**2)  # eq: lstm-da
        da = (dai, daf, dag, dao)  # 01 Gates: the order i f g o
        return da, (product.backward(da), dc_prev)  # eq: lstm-dh-prev


class MyGRU(GRUCell):
    def backward(self, dstate, cache, product):
        (dh,) = dstate
        r, z, n, h_prev, y = cache  # 07 Forward: product_n is y
        dz = dh * (h_prev - n)  # eq: gru-dh
        dn = dh * (1 - z)  # eq: gru-dh
        dan = dn * (1 - n**2)  # eq: gru-dan
        dr, dy = dan * y, dan * r  # eq: gru-dr
        dar = dr * r * (1 - r)  # eq: gru-da
        daz = dz * z * (1 - z)  # eq: gru-da
        dh_prev = dh * z + product.backward((dar, daz, dy))  # eq: gru-dh-prev
        return (dar, daz, dan), (dh_prev,)  # 07 Through the candidate: gx gets da_n itself


class MyGRUBefore(GRUBeforeCell):
    def backward(self, dstate, cache, product):
        (dh,) = dstate
        r, z, n, h_prev = cache
        dz, dn = dh * (h_prev - n), dh * (1 - z)  # eq: gru-dh
        dan = dn * (1 - n**2)  # eq: gru-dan
        dv = product.backward(dan, "n")  # eq: before-dv
        dr = dv * h_prev  # eq: before-dr
        dar, daz = dr * r * (1 - r), dz * z * (1 - z)  # eq: gru-da
        shares = dh * z + dv * r  # eq: before-dh-prev
        return (dar, daz, dan), (
            shares + product.backward((dar, daz), "rz"),
        )  # 04 The cell contract


class MyRecurrent(Recurrent):
    def backward(self, doutput, cache, dfinal=None):
        x, sizes, steps, product, truncate, shape, dtype = cache
        S, H, G = len(x), self.hidden_size, len(self.cell.gates)
        doutput, dfinal = self._upstream(  # 05 Variable lengths: yours to use
            doutput, dfinal, (S, H), sizes[0], shape, dtype
        )
        undo = ProductBackward(product, S, dtype)  # 05 Variable lengths: yours to use
        dgx = np.zeros((G, S, H), dtype)
        dstate = tuple(d[:0] for d in dfinal)  # 05 Variable lengths: nobody is alive
        end = S
        for t in reversed(range(len(sizes))):  # eq: time-dh
            n, alive = sizes[t], len(dstate[0])
            if truncate and t + 1 < len(sizes) and (t + 1) % truncate == 0:
                dstate = tuple(np.zeros_like(d) for d in dstate)  # 05 Truncated backpropagation
            if n > alive:  # 05 Variable lengths: sequences come in; eq: time-dh-last
                dstate = tuple(
                    np.concatenate([d, last[alive:n]])
                    for d, last in zip(dstate, dfinal, strict=True)
                )
            start = end - n  # eq: packed-rows
            undo.rows = slice(start, end)  # 05 Variable lengths: yours to use
            if doutput is not None:
                dstate = (dstate[0] + doutput[start:end], *dstate[1:])  # eq: time-dh
            dgates, dstate = self.cell.backward(dstate, steps[t], undo)
            for k in range(G):
                dgx[k, start:end] = dgates[k]
            end = start
        self._add_gradients(x, dgx, undo)  # eq: time-dWh, time-dWx, time-db
        return self._dx(x, dgx, shape), dstate  # eq: time-dx


WRITTEN = [MyRNN, MyLSTM, MyGRU, MyGRUBefore, MyRecurrent]


@pytest.mark.parametrize("cell", WRITTEN[:4])
def test_cells_written_from_the_text_are_right(cell):
    report = gradcheck.check_cell(cell, recurrent=MyRecurrent)
    assert report, report


@pytest.mark.parametrize("cell", [MyLSTM, MyGRU])
def test_truncation_written_from_the_text_is_right(cell):
    rng = np.random.default_rng(0)
    mine = MyRecurrent(cell, 3, 4, rng=np.random.default_rng(1), dtype="float64")
    theirs = Recurrent(cell.__mro__[1], 3, 4, rng=np.random.default_rng(1), dtype="float64")
    sizes = [3, 3, 2, 2, 1, 1, 1]
    x, doutput = rng.standard_normal((13, 3)), rng.standard_normal((13, 4))
    for net in (mine, theirs):
        _, final, cache = net.forward(x, sizes, truncate=2)
        dfinal = tuple(np.ones_like(s) for s in final)
        net.dx, net.dstate = net.backward(doutput, cache, dfinal)
    np.testing.assert_allclose(mine.dx, theirs.dx)
    for name, p in mine.named_parameters().items():
        np.testing.assert_allclose(p.grad, theirs.named_parameters()[name].grad)


def covered():
    """The chapters' texts, with the quoted backward passes taken out."""
    return {path.name: COVERED.sub("", path.read_text("utf-8")) for path in DOCS.glob("[0-9]*.md")}


def test_the_passages_can_still_be_read():
    texts = covered()
    everything = "\n".join(texts.values())
    assert "da = (dai, daf, dag, dao)" not in everything  # it is covered indeed
    assert "undo.rows" not in everything
    cited = 0
    for written in WRITTEN:
        for comment in re.findall(r"# (.*)$", inspect.getsource(written), re.M):
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
    for helper in ("_upstream", "ProductBackward(product", "rows = slice", "_add_gradients", "_dx"):
        assert helper in texts["05-through-time.md"], helper
