"""The library's parts once more, right, but written as somebody else would write them.

Other names, other gate orders and letters, loops where the library has none, weights the other
way round, dictionaries for caches: what `planted.py` plants its mistakes in. Nothing here uses
`minirnn.functions`.
"""

import numpy as np

from minirnn.parameters import Module, Parameter


def logistic(x):
    return 1.0 / (1.0 + np.exp(-x))


def logistic_slope(s):
    return s - s**2


def hyperbolic(x):
    grown = np.exp(2.0 * x)
    return (grown - 1.0) / (grown + 1.0)


def hyperbolic_slope(t):
    return (1.0 + t) * (1.0 - t)


def ramp(x):
    return np.where(x.real > 0, x, 0.0 * x)


def ramp_slope(y):
    return np.where(y > 0, 1.0, 0.0)


class Affine(Module):
    """A linear layer, its weights [outputs, inputs]; gradients are gathered row by row."""

    def __init__(self, inputs, outputs, rng):
        self.weight = Parameter(rng.standard_normal((outputs, inputs)))
        self.offset = Parameter(rng.standard_normal(outputs))

    def forward(self, batch):
        result = np.einsum("bi,oi->bo", batch, self.weight.data) + self.offset.data
        return result, {"batch": batch}

    def backward(self, d_result, cache):
        batch = cache["batch"]
        d_weight, d_offset = np.zeros(self.weight.shape), np.zeros(self.offset.shape)
        for row, d_row in zip(batch, d_result, strict=True):
            d_weight += np.outer(d_row, row)
            d_offset += d_row
        self.weight.grad += d_weight
        self.offset.grad += d_offset
        d_batch = d_result @ self.weight.data
        return d_batch


class Lookup(Module):
    """An embedding."""

    def __init__(self, words, width, rng):
        self.table = Parameter(rng.standard_normal((words, width)))

    def forward(self, words):
        return np.stack([self.table.data[w] for w in words]), words

    def backward(self, d_rows, words):
        for word, d_row in zip(words, d_rows, strict=True):
            self.table.grad[word] += d_row


class Thinning(Module):
    """Dropout whose mask comes from a seed, so that it is the same at every call."""

    def __init__(self, drop, seed):
        self.drop, self.seed = drop, seed

    def forward(self, values):
        stays = np.random.default_rng(self.seed).random(values.shape) > self.drop
        return np.where(stays, values / (1 - self.drop), 0), stays

    def backward(self, d_values, stays):
        return np.where(stays, d_values / (1 - self.drop), 0.0)


class Elman:
    """The simple recurrent cell; its one state is called s, its one gate a."""

    gates = "a"
    states = ("s",)

    def forward(self, gx, state, product):
        total = gx[0] + product(state[0])[0]
        new = np.tanh(total)
        return (new,), {"new": new}

    def backward(self, dstate, cache, product):
        d_new, new = dstate[0], cache["new"]
        d_total = d_new * (1 - new) * (1 + new)
        d_old = product.backward((d_total,))
        return (d_total,), (d_old,)


class LoopLSTM:
    """An LSTM in loops over its gates: output q, keep k, update u, candidate m."""

    gates = "qkum"
    states = ("out", "mem")

    def forward(self, gx, state, product):
        out, mem = state
        total = gx + product(out)
        act = {}
        for place, name in enumerate(self.gates):
            act[name] = np.tanh(total[place]) if name == "m" else 1 / (1 + np.exp(-total[place]))
        written = np.einsum("nh,nh->nh", act["u"], act["m"])
        new = act["k"] * mem + written
        squashed = np.tanh(new)
        shown = act["q"] * squashed
        return (shown, new), {"act": act, "mem": mem, "new": new, "squashed": squashed}

    def backward(self, dstate, cache, product):
        d_shown, d_new = dstate
        act, mem, squashed = cache["act"], cache["mem"], cache["squashed"]
        bend = 1 - squashed**2
        d_new = d_new + d_shown * act["q"] * bend
        d_act = {
            "q": d_shown * squashed,
            "k": d_new * mem,
            "u": d_new * act["m"],
            "m": d_new * act["u"],
        }
        d_total = []
        for name in self.gates:
            y = act[name]
            slope = {"q": y - y**2, "k": y - y**2, "u": y - y**2, "m": 1 - y**2}[name]
            d_total.append(d_act[name] * slope)
        d_out = product.backward(tuple(d_total))
        d_mem = d_new * act["k"]
        return tuple(d_total), (d_out, d_mem)


class LateGRU:
    """Reset after the product; here the update gate u lets in the *new* state (Cho's eq. 7)."""

    gates = "nur"
    states = ("y",)

    def forward(self, gx, state, product):
        y = state[0]
        rec_n, rec_u, rec_r = product(y)
        u = 0.5 + 0.5 * np.tanh((gx[1] + rec_u) / 2)
        r = 0.5 + 0.5 * np.tanh((gx[2] + rec_r) / 2)
        n = np.tanh(gx[0] + r * rec_n)
        new = y + u * (n - y)
        return (new,), dict(y=y, u=u, r=r, n=n, rec_n=rec_n)

    def backward(self, dstate, cache, product):
        d_new = dstate[0]
        y, u, r, n, rec_n = (cache[k] for k in ("y", "u", "r", "n", "rec_n"))
        d_n = d_new * u
        d_y = d_new * (1 - u)
        d_u = d_new * (n - y)
        pre_n = d_n * (1 - n**2)
        d_r = pre_n * rec_n
        d_rec_n = pre_n * r
        pre_u = d_u * u * (1 - u)
        pre_r = d_r * r * (1 - r)
        through = product.backward((d_rec_n, pre_u, pre_r))
        d_y = d_y + through
        return (pre_n, pre_u, pre_r), (d_y,)


class EarlyGRU:
    """Reset before the product: candidate c, gate g on the state, k keeps the old one."""

    gates = "cgk"
    states = ("s",)

    def forward(self, gx, state, product):
        (s,) = state
        inner = gx[1:3] + product(s, "gk")
        g, k = 1 / (1 + np.exp(-inner))
        c = np.tanh(gx[0] + product(g * s, "c"))
        new = c + k * (s - c)
        return (new,), [s, g, k, c]

    def backward(self, dstate, cache, product):
        s, g, k, c = cache
        d_new = dstate[0]
        d_c = d_new * (1 - k)
        d_s = d_new * k
        pre_k = d_new * (s - c) * k * (1 - k)
        pre_c = d_c * (1 - c * c)
        d_gated = product.backward(pre_c, "c")
        d_g = d_gated * s
        d_s = d_s + d_gated * g
        pre_g = d_g * g * (1 - g)
        d_s = d_s + product.backward((pre_g, pre_k), "gk")
        return (pre_c, pre_g, pre_k), (d_s,)


class StepProduct:
    """The recurrent product of one step, and the way back; it gathers its own gradients."""

    def __init__(self, letters, Wh, bh):
        self.letters, self.Wh, self.bh = letters, Wh, bh
        self.asked = {}

    def places(self, gates):
        return [self.letters.index(g) for g in (gates or self.letters)]

    def __call__(self, v, gates=None):
        self.asked[gates] = v
        answers = []
        for place in self.places(gates):
            answer = v @ self.Wh[place]
            answers.append(answer if self.bh is None else answer + self.bh[place])
        return answers[0] if gates and len(gates) == 1 else np.stack(answers)


class StepUndo:
    def __init__(self, product, dWh, dbh):
        self.product, self.dWh, self.dbh = product, dWh, dbh

    def backward(self, da, gates=None):
        parts = [da] if gates and len(gates) == 1 else da
        v = self.product.asked[gates]
        dv = np.zeros(v.shape)
        for place, part in zip(self.product.places(gates), parts, strict=True):
            self.dWh[place] += v.T @ part
            self.dbh[place] += part.sum(axis=0)
            back = self.product.Wh[place].T
            dv = dv + part @ back
        return dv


class Unrolled(Module):
    """A cell through time, all of it step by step; states are kept for all sequences at once."""

    product, undo = StepProduct, StepUndo

    def __init__(self, cell, input_size, hidden_size, *, rng, biases=2, dtype="float64"):
        self.cell = cell() if isinstance(cell, type) else cell
        G, D, H = len(self.cell.gates), input_size, hidden_size
        self.Wx = Parameter(rng.standard_normal((G, D, H)).astype(dtype))
        self.Wh = Parameter(rng.standard_normal((G, H, H)).astype(dtype))
        self.bx = Parameter(rng.standard_normal((G, H)).astype(dtype)) if biases > 0 else None
        self.bh = Parameter(rng.standard_normal((G, H)).astype(dtype)) if biases > 1 else None
        self.input_size, self.hidden_size = D, H

    def forward(self, x, sizes=None, state=None, truncate=None):
        shape = x.shape[:2] if sizes is None else None
        if shape:
            sizes, x = [x.shape[1]] * x.shape[0], x.reshape(-1, x.shape[2])
        N, H = sizes[0], self.hidden_size
        now = [np.zeros((N, H), x.dtype) for _ in self.cell.states] if state is None else state
        bh = None if self.bh is None else self.bh.data
        tape, shown, begin = [], [], 0
        for n in sizes:
            rows = x[begin : begin + n]
            gx = np.einsum("nd,gdh->gnh", rows, self.Wx.data)
            if self.bx is not None:
                gx = gx + self.bx.data[:, None, :]
            product = self.product(self.cell.gates, self.Wh.data, bh)
            new, kept = self.cell.forward(gx, tuple(s[:n] for s in now), product)
            now = [np.concatenate([a, s[n:]]) for a, s in zip(new, now, strict=True)]
            shown.append(now[0][:n])
            tape.append((rows, product, kept, n, begin))
            begin += n
        out = np.concatenate(shown)
        cache = {"tape": tape, "truncate": truncate, "shape": shape, "N": N}
        return (out.reshape(*shape, H) if shape else out), tuple(now), cache

    def backward(self, doutput, cache, dfinal=None):
        tape, shape, N, H = cache["tape"], cache["shape"], cache["N"], self.hidden_size
        rows_in_all = sum(len(rows) for rows, *_ in tape)
        if doutput is None:
            doutput = np.zeros((rows_in_all, H))
        doutput = doutput.reshape(rows_in_all, H)
        given = dfinal or [None] * len(self.cell.states)
        d_now = [np.zeros((N, H)) if d is None else d for d in given]
        dWx, dWh = np.zeros(self.Wx.shape), np.zeros(self.Wh.shape)
        dbx, dbh = np.zeros(self.Wh.shape[::2]), np.zeros(self.Wh.shape[::2])
        dx = [None] * len(tape)
        for t in range(len(tape) - 1, -1, -1):
            rows, product, kept, n, begin = tape[t]
            every = cache["truncate"]
            if every and t + 1 < len(tape) and (t + 1) % every == 0:
                later = tape[t + 1][3]
                d_now = [np.concatenate([0 * d[:later], d[later:]]) for d in d_now]
            d_step = [d[:n] for d in d_now]
            d_step[0] = d_step[0] + doutput[begin : begin + n]
            undo = self.undo(product, dWh, dbh)
            d_gates, d_before = self.cell.backward(tuple(d_step), kept, undo)
            d_now = [np.concatenate([b, d[n:]]) for b, d in zip(d_before, d_now, strict=True)]
            dx[t] = 0
            for g, d_gate in enumerate(d_gates):
                dWx[g] += rows.T @ d_gate
                dbx[g] += d_gate.sum(axis=0)
                dx[t] = dx[t] + d_gate @ self.Wx.data[g].T
        self.Wx.grad += dWx
        self.Wh.grad += dWh
        if self.bx is not None:
            self.bx.grad += dbx
        if self.bh is not None:
            self.bh.grad += dbh
        dx = np.concatenate(dx)
        return (dx.reshape(*shape, -1) if shape else dx), tuple(d_now)


class Tower(Module):
    """Layers in both directions; each sequence is turned round by a table of its own rows."""

    directions = 2

    def __init__(self, cell, input_size, hidden_size, *, rng, num_layers=2, **options):
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        widths = [input_size] + [2 * hidden_size] * (num_layers - 1)
        self.layers = []
        for width in widths:
            self.layers.append(Unrolled(cell, width, hidden_size, rng=rng, **options))
            self.layers.append(Unrolled(cell, width, hidden_size, rng=rng, **options))

    @staticmethod
    def turned(sizes):
        places = [[] for _ in range(sizes[0])]
        row = 0
        for n in sizes:
            for k in range(n):
                places[k].append(row)
                row += 1
        turn = np.zeros(row, dtype=int)
        for mine in places:
            turn[mine] = mine[::-1]
        return turn

    def forward(self, x, sizes=None, state=None):
        shape = x.shape[:2] if sizes is None else None
        if shape:
            sizes, x = [x.shape[1]] * x.shape[0], x.reshape(-1, x.shape[2])
        turn, caches, finals = self.turned(sizes), [], []
        for floor in range(self.num_layers):
            left, right = self.layers[2 * floor], self.layers[2 * floor + 1]
            states = [None, None]
            if state is not None:
                states = [tuple(s[2 * floor + side] for s in state) for side in (0, 1)]
            there, final, cache = left.forward(x, sizes, states[0])
            caches.append(cache)
            finals.append(final)
            back, final, cache = right.forward(x[turn], sizes, states[1])
            caches.append(cache)
            finals.append(final)
            back = back[turn]
            x = np.concatenate([there, back], axis=1)
        final = tuple(np.stack(parts) for parts in zip(*finals, strict=True))
        return (x.reshape(*shape, -1) if shape else x), final, (caches, turn, shape)

    def backward(self, doutput, cache, dfinal=None):
        caches, turn, shape = cache
        H, d_states = self.hidden_size, [None] * len(self.layers)
        d = doutput.reshape(len(turn), 2 * H)
        for floor in reversed(range(self.num_layers)):
            ends = [None, None]
            if dfinal is not None:
                ends = [tuple(f[2 * floor + side] for f in dfinal) for side in (0, 1)]
            d_there, d_back = np.split(d, 2, axis=1)
            d_back = d_back[turn]
            left, right = 2 * floor, 2 * floor + 1
            dx, d_states[left] = self.layers[left].backward(d_there, caches[left], ends[0])
            other, d_states[right] = self.layers[right].backward(d_back, caches[right], ends[1])
            other = other[turn]
            d = dx + other
        d_state = tuple(np.stack(parts) for parts in zip(*d_states, strict=True))
        return (d.reshape(*shape, -1) if shape else d), d_state


class Surprise:
    """Cross-entropy, one row at a time, over those whose label is not `skip`."""

    def __init__(self, skip=None):
        self.skip = skip

    def forward(self, scores, truth):
        counted = [k for k, label in enumerate(truth) if label != self.skip]
        total, shares = 0.0, np.zeros(scores.shape, scores.dtype)
        for k, row in enumerate(scores):
            powers = np.exp(row - row.real.max())
            shares[k] = powers / powers.sum()
            if k in counted:
                total = total - np.log(shares[k, truth[k]])
        return total / len(counted), {"shares": shares, "truth": truth, "counted": counted}

    def backward(self, cache, dloss=1.0):
        truth, counted = cache["truth"], cache["counted"]
        d_scores = np.zeros(cache["shares"].shape)
        for k in counted:
            hit = np.zeros(d_scores.shape[1])
            hit[truth[k]] = 1.0
            d_scores[k] = dloss * (cache["shares"][k] - hit) / len(counted)
        return d_scores


class SquaredGap:
    """Mean squared error."""

    def forward(self, guess, target):
        gap = guess - target
        return np.mean(gap**2), gap

    def backward(self, gap, dloss=1.0):
        return 2.0 * gap * dloss / gap.size
