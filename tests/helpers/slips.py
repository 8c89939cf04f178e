"""Three cells as students write them, and slips in their backward passes.

{name: (cell, [(old text, new text), ...], words of the diagnosis)}. The words name the mistake, or
after `UNKNOWN` the place where it is to be looked for.
"""

import inspect

import numpy as np


def sig(a):
    return 1 / (1 + np.exp(-a))


class Plain:
    gates = "h"
    states = ("h",)

    def forward(self, gx, state, product):
        h_prev = state[0]
        h = np.tanh(gx[0] + product(h_prev, "h"))
        return (h,), (h_prev, h)

    def backward(self, dstate, cache, product):
        dh = dstate[0]
        h_prev, h = cache
        da = dh * (1 - h * h)
        dh_prev = product.backward(da, "h")
        return (da,), (dh_prev,)


class Long:
    gates = "ifgo"
    states = ("h", "c")
    additive = True

    def forward(self, gx, state, product):
        h_prev, c_prev = state
        a = gx + product(h_prev)
        i, f, g, o = sig(a[0]), sig(a[1]), np.tanh(a[2]), sig(a[3])
        c = f * c_prev + i * g
        t = np.tanh(c)
        return (o * t, c), (i, f, g, o, c_prev, c, t, h_prev)

    def backward(self, dstate, cache, product):
        dh, dc_next = dstate
        i, f, g, o, c_prev, c, t, h_prev = cache
        do = dh * t
        dc = dc_next + dh * o * (1 - t * t)
        di = dc * g
        df = dc * c_prev
        dg = dc * i
        dai = di * i * (1 - i)
        daf = df * f * (1 - f)
        dag = dg * (1 - g * g)
        dao = do * o * (1 - o)
        da = (dai, daf, dag, dao)
        dh_prev = product.backward(da)
        dc_prev = dc * f
        return da, (dh_prev, dc_prev)


class Gated:
    gates = "rzn"
    states = ("h",)

    def forward(self, gx, state, product):
        h_prev = state[0]
        pr, pz, pn = product(h_prev)
        r, z = sig(gx[0] + pr), sig(gx[1] + pz)
        n = np.tanh(gx[2] + r * pn)
        h = (1 - z) * n + z * h_prev
        return (h,), (r, z, n, h_prev, pn, h)

    def backward(self, dstate, cache, product):
        dh = dstate[0]
        r, z, n, h_prev, pn, h = cache
        dz = dh * (h_prev - n)
        dn = dh * (1 - z)
        dh_keep = dh * z
        dan = dn * (1 - n * n)
        dr = dan * pn
        dpn = dan * r
        daz = dz * z * (1 - z)
        dar = dr * r * (1 - r)
        dh_prev = dh_keep + product.backward((dar, daz, dpn))
        return (dar, daz, dan), (dh_prev,)


UNKNOWN = "not a mistake that I know. "

SLIPS = {
    # LSTM
    "all of dc through tanh": (Long, [("dc_next + dh * o * (1 - t * t)",
        "(dc_next + dh * o) * (1 - t * t)")], "applied to all of dc"),
    "o forgotten": (Long, [("dh * o * (1 - t * t)", "dh * (1 - t * t)")],
        "output gate is left out"),
    "dc_prev from dc_next": (Long, [("dc_prev = dc * f", "dc_prev = dc_next * f")],
        "dc_prev is taken from dc before"),
    "di from dc_next": (Long, [("di = dc * g", "di = dc_next * g")], "input gate's gradient"),
    "df from dc_next": (Long, [("df = dc * c_prev", "df = dc_next * c_prev")],
        "forget gate's gradient"),
    "dg from dc_next": (Long, [("dg = dc * i", "dg = dc_next * i")], "candidate's gradient"),
    "states unpacked the other way": (Long, [("dh, dc_next = dstate", "dc_next, dh = dstate")],
        "dh and dc are unpacked"),
    "states returned the other way": (Long, [("(dh_prev, dc_prev)", "(dc_prev, dh_prev)")],
        "dh_prev and dc_prev are returned"),
    "sign of i": (Long, [("dai = di", "dai = -di")], "of gate i has the wrong sign"),
    "sign of f, by its slope": (Long, [("f * (1 - f)", "f * (f - 1)")],
        "of gate f has the wrong sign"),
    "sign of g": (Long, [("(1 - g * g)", "(g * g - 1)")], "of gate g has the wrong sign"),
    "o twice": (Long, [("do = dh * t", "do = 2 * dh * t")], "of gate o is 2 times"),
    "half of i's slope": (Long, [("di * i * (1 - i)", "di * i")], "input gate's slope is only one"),
    "the other half of f's": (Long, [("df * f * (1 - f)", "df * (1 - f)")],
        "forget gate's slope is only one"),
    "half of o's slope": (Long, [("do * o * (1 - o)", "do * o")],
        "output gate's slope is only one"),
    "product before the slopes": (Long, [("product.backward(da)",
        "product.backward((di, df, dg, do))")], "before their slopes"),
    "dc with c for tanh c": (Long, [("(1 - t * t)", "(1 - c * c)")], "tanh"),
    "do with c for tanh c": (Long, [("dh * t", "dh * c")], "c"),
    "i and g taken for each other": (Long, [("di = dc * g", "di = dc * i"),
        ("dg = dc * i", "dg = dc * g")], "input gate"),
    "no slope of g": (Long, [("dg * (1 - g * g)", "dg * 1")], "candidate's tanh derivative"),
    "g by the sigmoid's slope": (Long, [("(1 - g * g)", "g * (1 - g)")], "candidate g gets"),
    "f left out of dc_prev": (Long, [("dc_prev = dc * f", "dc_prev = dc * 1")], "forget gate"),
    "nothing for c_prev": (Long, [("dc_prev = dc * f", "dc_prev = 0 * f")], "c"),
    "only dh_prev": (Long, [("dc = dc_next + ", "dc = ")], "from the future"),
    "gates handed on as f i g o": (Long, [("product.backward(da)",
        "product.backward((daf, dai, dag, dao))")], "in another order: i holds that of f"),
    "gates returned as o f g i": (Long, [("return da,", "return (dao, daf, dag, dai),")], "order"),
    "o not handed on": (Long, [("product.backward(da)",
        "product.backward((dai, daf, dag, 0 * dao))")], "of gate o is all zeros"),
    "dh_prev twice": (Long, [("(dh_prev, dc_prev)", "(2 * dh_prev, dc_prev)")],
        "dh_prev is 2 times"),
    "dh_prev with dh": (Long, [("product.backward(da)\n", "product.backward(da) + dh\n")],
        UNKNOWN + "Look at the lines that make dh_prev"),
    "mean over the batch": (Long, [("da = (dai, daf, dag, dao)",
        "da = tuple(d / len(dh) for d in (dai, daf, dag, dao))")], "a mean taken for a sum?"),
    "dc a square": (Long, [("(1 - t * t)", "(1 - t)")],
        UNKNOWN + "i, f, g and dc_prev are off, o is right: what those that are off share is dc"),
    "dc with do": (Long, [("dh * o * (1 - t * t)", "do * o * (1 - t * t)")],
        "look at the line that makes dc"),
    "tanh by hand, once more": (Long, [("dh * o * (1 - t * t)", "dh * o * (1 - np.tanh(t) ** 2)")],
        "once more inside its derivative"),
    "df with h_prev": (Long, [("df = dc * c_prev", "df = dc * h_prev")],
        UNKNOWN + "Look at gate f"),
    "df with c": (Long, [("df = dc * c_prev", "df = dc * c")], "c"),
    "sums for slopes": (Long, [("i * (1 - i)", "i + (1 - i)")],
        UNKNOWN + "Look at gate i"),
    # GRU
    "n by z": (Gated, [("dn = dh * (1 - z)", "dn = dh * z")], "the candidate gets the share z"),
    "keep by 1 - z": (Gated, [("dh_keep = dh * z", "dh_keep = dh * (1 - z)")],
        "the previous state gets the share 1 - z"),
    "keep without z": (Gated, [("dh_keep = dh * z", "dh_keep = dh")], "gets all of dh"),
    "no keep": (Gated, [("dh_keep + product", "product")], "own share, dh z, is lost"),
    "dz with h": (Gated, [("dh * (h_prev - n)", "dh * (h_prev - h)")],
        UNKNOWN + "Look at gate z"),
    "dz without n": (Gated, [("(h_prev - n)", "h_prev")], "lacks the candidate's share"),
    "dz's sign": (Gated, [("(h_prev - n)", "(n - h_prev)")], "wrong sign"),
    "r in dgx of n": (Gated, [("(dar, daz, dan), ", "(dar, daz, dan * r), ")], "multiplied by r"),
    "no r": (Gated, [("dpn = dan * r", "dpn = dan")], "passes the reset gate as if it were 1"),
    "dr from dn": (Gated, [("dr = dan * pn", "dr = dn * pn")], "before the candidate's tanh"),
    "dr with h_prev": (Gated, [("dr = dan * pn", "dr = dan * h_prev")], "uses h_prev"),
    "n handed on without tanh": (Gated, [("dpn = dan * r", "dpn = dn * r")],
        UNKNOWN + "What you return as dgx is right, but what you hand to product.backward is not"),
    # plain
    "slope from h_prev": (Plain, [("(1 - h * h)", "(1 - h_prev * h_prev)")], "at h_{t-1}"),
    "Wh missing": (Plain, [("dh_prev = product.backward(da, \"h\")",
        "product.backward(da, \"h\")\n        dh_prev = 1.0 * da")], "without the weights Wh"),
    "upstream ignored": (Plain, [("dh * (1", "1.0 * (1")], "is taken as 1"),
    "1 - h": (Plain, [("(1 - h * h)", "(1 - h)")], UNKNOWN + "Look at the lines from dh to dgx"),
    "summed over the batch": (Plain, [("da = dh * (1 - h * h)",
        "da = dh * 0 + (dh * (1 - h * h)).sum(axis=0)")],
        UNKNOWN + "Look at the lines from dh to dgx"),
    "h for tanh'": (Plain, [("dh * (1 - h * h)", "dh * h")],
        UNKNOWN + "Look at the lines from dh to dgx"),
}  # fmt: skip


def slipped(name):
    """The cell with the slip in it."""
    kind, changes, _ = SLIPS[name]
    text = inspect.getsource(kind)
    for old, new in changes:
        if text.count(old) != 1:
            raise ValueError(f"{name}: {old!r} stands there {text.count(old)} times")
        text = text.replace(old, new)
    space = dict(globals())
    exec(compile(text, f"<{name}>", "exec"), space)
    return space[kind.__name__]


class OnSelf(Plain):
    """Right for one step, but it keeps its cache on itself."""

    def forward(self, gx, state, product):
        state, self.cache = super().forward(gx, state, product)
        return state, None

    def backward(self, dstate, cache, product):
        return super().backward(dstate, self.cache, product)


class SaysAdditive(Gated):
    """Right but for the flag: r multiplies the product before it meets gx."""

    additive = True
