"""Real-time recurrent learning: the gradient carried forward, exact, slow, and without backward.

For every step, with state s and all parameters p, the Jacobians A = ds_t / ds_{t-1} and B =
ds_t / dp come from the complex step of one forward step. Then J_t = A J_{t-1} + B is ds_t / dp
through all of the past (Williams and Zipser 1989).
"""

import copy

import numpy as np

from .oracles import COMPLEX_STEP


def rtrl(net, x, sizes, state, doutput, dfinal):
    """{parameter or initial state: its gradient} of a `Recurrent` net, L as for `oracles`.

    x [S, D], sizes, state and dfinal (tuples of [N, H]), doutput [S, H].
    """
    parameters = {n: p.data.astype("float64") for n, p in net.named_parameters().items()}
    K, H = len(state), net.hidden_size
    P = sum(a.size for a in parameters.values())
    N = sizes[0]
    s = np.concatenate(state, axis=1)  # [N, K H]
    J = np.zeros((N, K * H, P))
    J0 = np.broadcast_to(np.eye(K * H), (N, K * H, K * H)).copy()  # ds_t / ds_0
    upstream_end = np.concatenate(dfinal, axis=1)
    gradient, gradient0 = np.zeros(P), np.zeros((N, K * H))
    start = 0
    for t, n in enumerate(sizes):
        rows = slice(start, start + n)
        start += n
        A, B, after = _step_jacobians(net, parameters, x[rows], s[:n])
        J = A @ J[:n] + B
        J0 = A @ J0[:n]
        s = after
        upstream = np.zeros((n, K * H))
        upstream[:, :H] = doutput[rows]
        later = sizes[t + 1] if t + 1 < len(sizes) else 0
        upstream[later:] += upstream_end[later:n]  # these sequences end here
        gradient += np.einsum("ns,nsp->p", upstream, J)
        gradient0[:n] += np.einsum("ns,nsq->nq", upstream, J0)
    gradients, place = {}, 0
    for name, array in parameters.items():
        gradients[name] = gradient[place : place + array.size].reshape(array.shape)
        place += array.size
    for k, name in enumerate(net.cell.states):
        gradients[f"{name}0"] = gradient0[:, k * H : (k + 1) * H]
    return gradients


def _step_jacobians(net, parameters, x, s):
    """A [n, K H, K H], B [n, K H, P] and the next state, by the complex step of one step."""
    n, width = s.shape
    A = np.zeros((n, width, width))
    for j in range(width):
        moved = s.astype("complex128")
        moved[:, j] += 1j * COMPLEX_STEP
        A[:, :, j] = _one_step(net, parameters, x, moved).imag / COMPLEX_STEP
    columns = []
    for name, array in parameters.items():
        for entry in np.ndindex(array.shape):
            moved = array.astype("complex128")
            moved[entry] += 1j * COMPLEX_STEP
            after = _one_step(net, {**parameters, name: moved}, x, s.astype("complex128"))
            columns.append(after.imag / COMPLEX_STEP)
    return A, np.stack(columns, axis=-1), _one_step(net, parameters, x, s)


def _one_step(net, parameters, x, s):
    """The state after one forward step with these parameters."""
    net, H = copy.copy(net), net.hidden_size
    net.cell = copy.deepcopy(net.cell)
    for name in [n for n in parameters if "." not in n]:
        setattr(net, name, copy.copy(getattr(net, name)))
    for name, parameter in net.named_parameters().items():
        parameter.data = parameters[name]
    state = tuple(s[:, k : k + H] for k in range(0, s.shape[1], H))
    _, final, _ = net.forward(x, [len(x)], state)
    return np.concatenate(final, axis=1)
