"""The sLSTM: an LSTM with exponential gates and a stabiliser (Beck et al. 2024, eq. 8 to 17).

python examples/names.py --cell examples/cells/slstm.py:SLSTMCell
"""

from collections import namedtuple

from minirnn.backend import get_array_module
from minirnn.functions import d_sigmoid, d_tanh, sigmoid, tanh

SLSTMCache = namedtuple("SLSTMCache", "i f z o c_prev n_prev c n sigmoid_f f_is_max")


class SLSTMCell:
    """h = o c / n with c = f c_prev + i z and n = f n_prev + i, where i = exp(ai) has no bound.

    f is a sigmoid. i and f are divided by exp(m), which leaves c / n as it is. gx [4, n, H] in
    the order i, f, z, o; the state (h, c, n, m), each [n, H]; the cache likewise.
    """

    gates, states, additive = "ifzo", ("h", "c", "n", "m"), True

    def forward(self, gx, state, product):
        h_prev, c_prev, n_prev, m_prev = state
        xp = get_array_module(gx)
        ai, af, az, ao = gx + product(h_prev)
        sigmoid_f, z, o = sigmoid(af), tanh(az), sigmoid(ao)
        log_f = xp.log(sigmoid_f) + m_prev
        f_is_max = log_f.real > ai.real
        m = xp.where(f_is_max, log_f, ai)
        i, f = xp.exp(ai - m), xp.exp(log_f - m)
        c, n = f * c_prev + i * z, f * n_prev + i
        h = o * c / n
        return (h, c, n, m), SLSTMCache(i, f, z, o, c_prev, n_prev, c, n, sigmoid_f, f_is_max)

    def backward(self, dstate, cache, product):
        dh, dc, dn, dm = dstate
        i, f, z, o, c_prev, n_prev, c, n, sigmoid_f, f_is_max = cache
        # h = o c / n
        do, dc, dn = dh * c / n, dc + dh * o / n, dn - dh * o * (c / n) / n  # n**2 might be 0
        # c, n = f c_prev + i z, f n_prev + i
        di, df, dz = dc * z + dn, dc * c_prev + dn * n_prev, dc * i
        # i, f = exp(ai - m), exp(log_f - m)
        dai, dlog_f = di * i, df * f
        dm = dm - dai - dlog_f
        # m = max(log_f, ai)
        dai, dlog_f = dai + ~f_is_max * dm, dlog_f + f_is_max * dm
        # log_f = log(sigmoid(af)) + m_prev, z = tanh(az), o = sigmoid(ao)
        daf, daz, dao = dlog_f * (1 - sigmoid_f), dz * d_tanh(z), do * d_sigmoid(o)
        # ai, af, az, ao = gx + h_prev Wh + bh
        da = (dai, daf, daz, dao)
        return da, (product.backward(da), dc * f, dn * f, dlog_f)
