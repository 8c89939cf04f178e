"""Optimisers: SGD, Adam, AdamW, clipping, and schedules of the learning rate.

Everything here is entry by entry, for parameters of any shape; what an optimiser remembers of one
(v, m) has its shape. No function here reads anything back from the device. `step(ok)` takes a 0-d
array, true or false on the device: where it is false the weights stay as they are, so a bad
gradient cannot spoil them before the host notices.
"""

import math
from operator import is_

from . import check
from .backend import Array, asnumpy, get_array_module
from .parameters import Parameter, join, split


class Optimizer:
    """The base of SGD and Adam: the parameters, the learning rate, the state by name.

    The parameters are moved into one flat array (`join`), so a step is a handful of calls however
    many there are. `slots` name further arrays beside it: a velocity, say. Raises `ArgumentError`
    for no parameters, parameters of two types, or a negative lr or weight decay.
    """

    slots: tuple[str, ...] = ()

    def __init__(self, parameters, lr, weight_decay=0.0):
        self.parameters = check.parameters_of(parameters)
        self.lr, self.steps = check.real("lr", lr, check.NOT_NEGATIVE), 0
        self.weight_decay = check.real("weight_decay", weight_decay, check.NOT_NEGATIVE)
        self._join()
        zeros_like = get_array_module(self._whole.data).zeros_like
        self.state = {slot: zeros_like(self._whole.data) for slot in self.slots}

    def zero_grad(self):
        """Set every gradient to zero, in one call."""
        self.whole.grad.fill(0)

    def step(self, ok=None):
        """Move every parameter once; nowhere if `ok`, a 0-d array, is false."""
        self.steps += 1
        lr, whole = check.real("lr", self.lr, check.NOT_NEGATIVE), self.whole
        if ok is not None:
            xp, ok = get_array_module(whole.grad), check.truth("ok", ok)
            whole.grad[...] = xp.where(ok, whole.grad, xp.zeros_like(whole.grad))
            lr = lr * ok.astype(whole.data.dtype)
        self.update(whole, lr, *self.state.values())

    @property
    def whole(self):
        """All parameters as one flat `Parameter`, rebuilt if any parameter's `data` or `grad` array
        has been replaced."""
        if not all(map(is_, self._arrays(), self._views)):
            self._join()
        return self._whole

    def _join(self):
        self._whole = join(self.parameters)
        self._views = self._arrays()

    def _arrays(self):
        return [array for p in self.parameters for array in (p.data, p.grad)]

    def __setstate__(self, state):  # of a copy, whose arrays `deepcopy` has parted
        vars(self).update(state)
        self._join()

    def state_dict(self):
        """{name: array} of all that is needed to go on: the number of steps and the slots."""
        arrays = {name: asnumpy(array).copy() for name, array in self._named_state().items()}
        return {"steps": self.steps, "lr": self.lr, **arrays}

    def load_state_dict(self, state):
        """Take up what `state_dict` gave; raises `CheckpointError` where something does not fit."""
        arrays = self._named_state()
        saved = check.of_optimizer(self, state, arrays, asnumpy)
        for name, array in arrays.items():
            array[...] = get_array_module(array).asarray(saved[name])
        self.steps, self.lr = int(saved["steps"]), float(saved["lr"])

    def _named_state(self):
        """{"v.0": view of the slot v that belongs to parameter 0, ...}."""
        return {
            f"{slot}.{k}": view
            for slot, flat in self.state.items()
            for k, view in enumerate(split(flat, self.parameters))
        }


class SGD(Optimizer):
    """w = w - lr v, where v = momentum v + g and g = dw + weight_decay w.

    With nesterov, w = w - lr (g + momentum v). As `torch.optim.SGD`: the learning rate stands
    outside v, and the first v is g.

    parameters: what `net.parameters()` gives. lr: the learning rate. momentum: 0 needs no v.
    nesterov: look ahead along v. weight_decay: how strongly weights are drawn to zero.
    Raises `ArgumentError` for a momentum that is not at least 0 and below 1, nesterov without it,
    no parameters, or a negative number.

        >>> from minirnn.parameters import Parameter
        >>> p = Parameter([3.0])
        >>> optimizer = SGD([p], lr=0.1)
        >>> p.grad[...] = 2 * p.data
        >>> optimizer.step()
        >>> p.data
        array([2.4])
    """

    def __init__(self, parameters: list[Parameter], lr: float, momentum: float = 0.0,
                 nesterov: bool = False, weight_decay: float = 0.0) -> None:  # fmt: skip
        self.momentum = check.real("momentum", momentum, check.SHARE)
        self.nesterov = check.nesterov_of(nesterov, momentum)
        self.slots = ("v",) if momentum else ()
        super().__init__(parameters, lr, weight_decay)

    def update(self, p, lr, v=None):
        """Move a parameter; v is its velocity, which is written into."""
        g = p.grad
        if self.weight_decay:
            g = g + self.weight_decay * p.data
        if v is not None:
            v *= self.momentum
            v += g
            g = g + self.momentum * v if self.nesterov else v
        p.data -= lr * g


class Adam(Optimizer):
    """w = w - lr m' / (sqrt(v') + eps), with m and v running means of g and g^2.

    m' = m / (1 - beta1^t) and v' = v / (1 - beta2^t) take out the bias of starting at zero
    (Kingma and Ba 2015, algorithm 1); g = dw + weight_decay w.

    parameters: what `net.parameters()` gives. lr: the learning rate. betas: (beta1, beta2), how
    slowly the means forget. eps: what keeps the division from zero. weight_decay: as in `SGD`.
    Raises `ArgumentError` for no parameters, a negative number, or betas that are not two numbers,
    at least 0 and below 1.

        >>> from minirnn.parameters import Parameter
        >>> p = Parameter([3.0])
        >>> optimizer = Adam([p], lr=0.1)
        >>> p.grad[...] = 2 * p.data
        >>> optimizer.step()
        >>> p.data.round(3)
        array([2.9])
    """

    slots = ("m", "v")

    def __init__(self, parameters: list[Parameter], lr: float = 1e-3,
                 betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 0.0) -> None:  # fmt: skip
        super().__init__(parameters, lr, weight_decay)
        self.betas = check.two_betas(betas)
        self.eps = check.real("eps", eps, check.NOT_NEGATIVE)

    def update(self, p, lr, m, v):
        """Move a parameter; m and v are its running means, which are written into."""
        g = p.grad
        if self.weight_decay:
            g = g + self.weight_decay * p.data
        self.move(p, g, lr, m, v)

    def move(self, p, g, lr, m, v):
        """Move p along the gradient g, with the means renewed first (Kingma and Ba 2015)."""
        beta1, beta2 = self.betas
        m *= beta1
        m += (1 - beta1) * g
        v *= beta2
        v += (1 - beta2) * g * g
        correction1, correction2 = 1 - beta1**self.steps, 1 - beta2**self.steps
        root = get_array_module(v).sqrt(v) / math.sqrt(correction2)
        p.data -= (lr / correction1) * m / (root + self.eps)


class AdamW(Adam):
    """Adam with w = w - lr weight_decay w apart from the gradient (Loshchilov and Hutter 2019).

    parameters, lr, betas and eps are those of `Adam`. weight_decay: the share of a weight that a
    step of lr 1 takes away. Raises `ArgumentError` as `Adam` does.

        >>> from minirnn.parameters import Parameter
        >>> p = Parameter([3.0])
        >>> AdamW([p], lr=0.1, weight_decay=0.5).step()  # no gradient: the weight only decays
        >>> p.data
        array([2.85])
    """

    def __init__(self, parameters: list[Parameter], lr: float = 1e-3,
                 betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 0.01) -> None:  # fmt: skip
        super().__init__(parameters, lr, betas, eps, weight_decay)

    def update(self, p, lr, m, v):
        """Weight decay first, then Adam's step with the plain gradient."""
        p.data -= (lr * self.weight_decay) * p.data
        self.move(p, p.grad, lr, m, v)


def grad_norm(parameters):
    """The 2-norm of all gradients together, a 0-d array; `ArgumentError` for no parameters."""
    parameters = check.parameters_of(parameters)
    xp = get_array_module(parameters[0].grad)
    return xp.sqrt(sum(xp.vdot(p.grad, p.grad) for p in parameters))


def clip_grad_norm(parameters: list[Parameter], max_norm: float) -> Array:
    """Scale all gradients by min(1, max_norm / (norm + 1e-6)); returns the norm before.

    `torch.nn.utils.clip_grad_norm_`; the scale stays on the device. Pascanu et al. 2013. Raises
    `ArgumentError` for no parameters, or a max_norm that is not above 0.

        >>> from minirnn.parameters import Parameter
        >>> p = Parameter([0.0, 0.0])
        >>> p.grad[...] = 3, 4
        >>> print(clip_grad_norm([p], max_norm=1.0), p.grad.round(3))
        5.0 [0.6 0.8]
    """
    parameters = check.parameters_of(parameters)
    check.real("max_norm", max_norm, check.LIMIT)
    norm = grad_norm(parameters)
    scale = get_array_module(parameters[0].grad).minimum(max_norm / (norm + 1e-6), 1.0)
    for p in parameters:
        p.grad *= scale
    return norm


# Schedules: functions of the step, counted from 0, that give the learning rate of that step.
# Each raises `ArgumentError` for numbers that make no schedule.


def step_decay(lr, every, factor=0.1):
    """lr factor^(step // every)."""
    (lr, factor), every = check.not_negative(lr=lr, factor=factor), check.whole("every", every)
    return check.of_steps(lambda step: lr * factor ** (step // every))


def cosine(lr, total, lowest=0.0):
    """Half a cosine from lr at step 0 down to `lowest` at step `total`.

    Loshchilov and Hutter 2017, eq. 5.
    """
    (lr, lowest), total = check.not_negative(lr=lr, lowest=lowest), check.whole("total", total)
    return check.of_steps(lambda step: _between(lr, lowest, min(step / total, 1.0)))


def one_cycle(highest, total, rise=0.3, start_factor=25.0, end_factor=1e4):
    """Half a cosine up from highest / start_factor in the first `rise` of `total` steps, and one
    down to that start / end_factor at step total - 1.

    Smith and Topin 2018, in the form of `torch.optim.lr_scheduler.OneCycleLR`.
    """
    (highest,), total = check.not_negative(highest=highest), check.whole("total", total)
    rise, end_factor = check.real("rise", rise, check.PART), check.above_0(end_factor=end_factor)
    start = highest / check.above_0(start_factor=start_factor)
    top, last = rise * total - 1, total - 1

    def lr(step):
        if step <= top:
            return _between(start, highest, step / top if top > 0 else 1.0)
        share = (step - top) / (last - top) if last > top else 1.0
        return _between(highest, start / end_factor, min(share, 1.0))

    return check.of_steps(lr)


def _between(a, b, share):
    """From a (share 0) to b (share 1) along half a cosine."""
    return b + (a - b) * (1 + math.cos(math.pi * share)) / 2
