"""The product of a state with the weights, as a cell asks for it, and the way back."""

from functools import reduce
from operator import add

from .backend import get_array_module
from .check import first_gate_of, once_a_step, one_for_each

ROWS_FOR_A_COPY = 8  # from so many on, a transposed copy of Wh costs less than it saves (measured)


class Product:
    """v Wh + bh for the gates asked for; it notes down every v.

    v [n, H], Wh [G, H, H], bh [G, H] or None; the result is [g, n, H] for g gates, [n, H] for one.
    """

    def __init__(self, gates, Wh, bh):
        self.gates, self.Wh, self.bh = gates, Wh, bh
        self.inputs = {}  # {gates: [the v of each step]}
        self._weights = {}  # {gates: their part of Wh and of bh}

    def __call__(self, v, gates=None):
        if gates not in self._weights:
            part = self.part(gates)
            bh = None if self.bh is None else self.bh[part]
            self._weights[gates], self.inputs[gates] = (self.Wh[part], bh), []
        Wh, bh = self._weights[gates]
        self.inputs[gates].append(v)
        return plus_bias(v @ Wh, bh)

    def part(self, gates):
        """The index of these gates on the gate axis: all, some neighbours, or just one.

        Raises `CellError` for gates that the cell has not got side by side.
        """
        if gates is None:
            return slice(None)
        first = first_gate_of(gates, self.gates)
        return first if len(gates) == 1 else slice(first, first + len(gates))


class ProductBackward:
    """The way back of a `Product`: da Wh^T [n, H], summed over the gates; it notes down every da.

    With what the two have noted, the gradient of Wh is one product after the loop: v^T da.
    S: how many rows all steps have together; dtype: of zeros where no da is noted.
    """

    def __init__(self, product, S, dtype):
        self.product, self.S, self.dtype = product, S, dtype
        self.noted = {gate: [] for gate in product.gates}  # the da of each step, the last first
        self._weights = {}  # {gates: [Wh^T of each]}

    def backward(self, da, gates=None):
        """dv [n, H], where product(v, gates) has been v Wh + bh.

        da is a tuple of [n, H], one for each gate; for a single gate given by name one [n, H].
        Raises `CellError` for another number of arrays.
        """
        if gates is not None and len(gates) == 1:
            da = (da,)
        if gates not in self._weights:
            self._weights[gates] = self._transposed(da, gates)
        for gate, da_gate in zip(gates or self.product.gates, da, strict=True):
            self.noted[gate].append(da_gate)
        return reduce(add, [a @ Wh_T for a, Wh_T in zip(da, self._weights[gates], strict=True)])

    def _transposed(self, da, gates):
        """Wh^T of each of these gates, for products with as many rows as the first step has."""
        self.product.part(gates)
        one_for_each(names := gates or self.product.gates, da)
        Wh_T = [self.product.Wh[self.product.gates.index(gate)].T for gate in names]
        rows = len(self.product.inputs.get(gates, da)[0])
        if rows < ROWS_FOR_A_COPY:
            return Wh_T
        ascontiguousarray = get_array_module(self.product.Wh).ascontiguousarray
        return [ascontiguousarray(one) for one in Wh_T]

    @property
    def da(self):
        """Return the recorded rows as an array [G, S, H]: all steps, in the order of time.

        Zeros stand for steps that are not undone yet, and for gates that backward never asked for.
        """
        if all(sum(map(len, steps)) == self.S for steps in self.noted.values()):
            return in_time(self.noted.values())
        Wh = self.product.Wh
        da = get_array_module(Wh).zeros((len(Wh), self.S, Wh.shape[-1]), self.dtype)
        for rows, steps in zip(da, self.noted.values(), strict=True):
            if steps:
                noted = in_time([steps])[0]
                rows[self.S - len(noted) :] = noted
        return da

    def weight_gradient(self):
        """dWh [G, H, H], the sum over all steps of v^T da."""
        dWh = get_array_module(self.product.Wh).zeros_like(self.product.Wh)
        self.add_weight_gradient(dWh, self.da)
        return dWh

    def add_weight_gradient(self, dWh, da):
        """Add v^T da to dWh [G, H, H], one product for all steps; da [G, S, H] is what was noted.

        Raises `CellError` where a cell has not asked for the product once in every step.
        """
        concatenate = get_array_module(da).concatenate
        for gates, inputs in self.product.inputs.items():
            part, v = self.product.part(gates), concatenate(inputs)
            once_a_step(gates, len(v), da.shape[1])
            dWh[part] += v.T @ da[part]


def in_time(gates):
    """[G, S, H] of a list for each gate that holds [n, H] for each step, the last step first."""
    arrays = [array for steps in gates for array in reversed(steps)]
    rows = get_array_module(*arrays[:1]).concatenate(arrays)
    return rows.reshape(len(gates), -1, rows.shape[-1])


def plus_bias(a, bias):
    """a [G, n, H] + bias [G, H], a row for each gate, or one gate of both; a itself is changed."""
    if bias is None:
        return a
    bias = bias[..., None, :]
    if a.dtype != bias.dtype:  # one of them is complex: a gradient check
        return a + bias
    a += bias  # a new array costs 1 to 3 % of a step of 32 x 256 (measured)
    return a
