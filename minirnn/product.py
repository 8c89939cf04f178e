"""The product of a state with the weights, as a cell asks for it, and the way back."""

from .backend import get_array_module
from .errors import CellError


class Product:
    """v Wh + bh for the gates asked for, and what the gradients of Wh and bh need.

    v [n, H], Wh [G, H, H], bh [G, H] or None; the result is [g, n, H] for g gates, [n, H] for one.
    Forward, every v is remembered; backward, every da. With those of all steps stacked, the
    gradient of Wh is one product: v^T da.
    """

    def __init__(self, gates, Wh, bh):
        self.gates, self.Wh, self.bh = gates, Wh, bh
        self.inputs = {}  # {gates: [the v of each step]}

    def part(self, gates):
        """The index of these gates on the gate axis: all, some neighbours, or just one.

        Raises `CellError` for gates that the cell has not got side by side.
        """
        if gates is None:
            return slice(None)
        first = self.gates.find(gates)
        if first < 0 or not gates:
            raise CellError(f"product(v, {gates!r}): the cell's gates are {self.gates!r}")
        return first if len(gates) == 1 else slice(first, first + len(gates))

    def __call__(self, v, gates=None):
        part = self.part(gates)
        self.inputs.setdefault(gates, []).append(v)
        result = v @ self.Wh[part]
        return result if self.bh is None else result + self.bh[part][..., None, :]


class ProductBackward:
    """The other direction of a `Product`: da Wh^T [n, H] summed over the gates, and dWh and dbh."""

    def __init__(self, product, S, dtype):
        xp = get_array_module(product.Wh)
        self.product, self.part = product, product.part
        self.da = xp.zeros((len(product.gates), S, product.Wh.shape[-1]), dtype)
        self.Wh_T = {}  # {gates: Wh^T [g, H, H]}, contiguous: BLAS is twice as fast on it
        self.rows = slice(0, S)  # the rows of the step that is being undone

    def backward(self, da, gates=None):
        """The gradient of v in product(v, gates), from a tuple of [n, H], one for each gate.

        For a single gate given by name, da is one array [n, H].
        """
        kept = self.slot(gates)
        if kept.ndim == 2:
            kept[...] = da
        else:
            for kept_gate, da_gate in zip(kept, da, strict=True):
                kept_gate[...] = da_gate
        return self.pull(gates)

    def slot(self, gates=None):
        """Where this step's da [g, n, H] of these gates is kept."""
        return self.da[self.part(gates)][..., self.rows, :]

    def pull(self, gates=None):
        """da Wh^T summed over these gates, once their da is in its slot."""
        if gates not in self.Wh_T:
            Wh = self.product.Wh[self.part(gates)]
            self.Wh_T[gates] = get_array_module(Wh).ascontiguousarray(Wh.swapaxes(-1, -2))
        kept = self.slot(gates)
        if kept.ndim == 2:
            return kept @ self.Wh_T[gates]
        return (kept @ self.Wh_T[gates]).sum(axis=0)

    def weight_gradient(self):
        """dWh [G, H, H]: the sum over all steps of v^T da, as one product.

        Raises `CellError` where a cell has not asked for the product once in every step.
        """
        xp = get_array_module(self.da)
        dWh = xp.zeros(self.product.Wh.shape, self.da.dtype)
        for gates, inputs in self.product.inputs.items():
            v, da = xp.concatenate(inputs), self.da[self.part(gates)]
            if len(v) != da.shape[-2]:
                raise CellError(
                    f"the cell called product(v, {gates!r}) for {len(v)} rows, but there are "
                    f"{da.shape[-2]}: it must be called once in every step"
                )
            dWh[self.part(gates)] += v.T @ da
        return dWh
