"""What students write beside what is in the zoo: one line of a cell, changed.

As in `gradcheck/zoo.py`, `old` stands in the source of the target, `new` takes its place, and
`when` completes the sentence "... what you get when". The zoo is made of mistakes that hide well;
these are mostly the plain ones, in forward too.
"""

from ..gradcheck.zoo import Bug

RNN = {
    "(a,) = gx + product(h_prev)": {
        "(a,) = 1.0 * gx": "the product with the previous state is left out",
        "(a,) = product(h_prev)": "gx, the share of the input, is left out",
        "(a,) = gx * product(h_prev)": "gx and the product are multiplied instead of added",
        "(a,) = gx + h_prev": "h_prev is added as it is, without its weights",
        "(a,) = gx - product(h_prev)": "the product is subtracted instead of added",
        "(a,) = gx + product(self.f(h_prev))": "tanh is applied to h_prev before the product",
        "(a,) = 2 * gx + product(h_prev)": "gx is counted twice",
    },
    "h = self.f(a)": {
        "h = sigmoid(a)": "sigmoid is used instead of tanh",
        "h = self.f(self.f(a))": "tanh is applied twice",
        "h = a * (a.real > 0)": "relu is used instead of tanh",
        "h = self.f(a) + h_prev": "h_prev is added to the new state",
    },
    "da = dh * self.d_f(h)": {
        "da = dh + self.d_f(h)": "the derivative of tanh is added instead of multiplied",
        "da = dh * h": "dh is multiplied by h itself instead of tanh's derivative",
        "da = dh * (1 - h)": "the square is missing in tanh's derivative",
        "da = dh * (1 + h * h)": "tanh's derivative has a plus for a minus",
        "da = self.d_f(h)": "dh, the gradient that was given, is not used",
        "da = -dh * self.d_f(h)": "the sign of da is wrong",
        "da = dh * h * h": "the 1 - is missing in tanh's derivative",
        "da = dh * self.d_f(h) * self.d_f(h)": "tanh's derivative is multiplied in twice",
        "da = dh * 2 * h": "the derivative of h^2 is taken for that of tanh",
        "da = dh / (1 - h * h)": "tanh's derivative stands upside down: 1 / (1 - h^2)",
        "da = dh * (1 - h) * (1 - h)": "the bracket is squared instead of h alone in tanh's "
        "derivative",
    },
    "product.backward((da,))": {
        "da": "da is returned for h_prev as it is, without going through the weights",
        "(product.backward((da,)) * 0 + dh)": "dh is handed on to the previous state unchanged",
        "dh + product.backward((da,))": "dh is added to the previous state's gradient",
        "dh * product.backward((da,))": "the previous state's gradient is multiplied by dh again",
        "product.backward((da * self.d_f(h),))": "da is multiplied by tanh's derivative once more "
        "before it goes through the product",
        "product.backward((da,)) * self.d_f(h)": "tanh's derivative is applied again after the "
        "product",
    },
    "RNNCache(h)": {
        "RNNCache(a)": "a stands where backward needs h",
        "RNNCache(h_prev)": "h_prev stands where backward needs h",
    },
    "return (da,), (product.backward((da,)),)": {
        "return (product.backward((da,)),), (da,)": "dgx and dh_prev are returned in each other's "
        "place",
    },
    "return (da,), (": {
        "return (dh,), (": "the gradient of gx is dh: it does not pass tanh's derivative",
    },
}
LSTM = {
    "h_prev, c_prev = state": {
        "c_prev, h_prev = state": "the state is unpacked in the order c, h",
    },
    "gx + product(h_prev)": {
        "1.0 * gx": "the product with the previous state is left out",
        "product(h_prev)": "gx, the share of the input, is left out",
        "gx * product(h_prev)": "gx and the product are multiplied instead of added",
        "gx + product(c_prev)": "the product is taken with c_prev instead of h_prev",
    },
    "i, f, o = sigmoid(ai), sigmoid(af), sigmoid(ao)": {
        "i, f, o = tanh(ai), sigmoid(af), sigmoid(ao)": "the input gate i has tanh for sigmoid",
        "i, f, o = sigmoid(ai), tanh(af), sigmoid(ao)": "the forget gate f has tanh for sigmoid",
        "i, f, o = sigmoid(ai), sigmoid(af), tanh(ao)": "the output gate o has tanh for sigmoid",
        "i, f, o = tanh(ai), tanh(af), tanh(ao)": "the three gates have tanh instead of sigmoid",
        "i, f, o = ai, af, ao": "the three gates are left without a sigmoid",
        "i, f, o = sigmoid(ai), sigmoid(af), ao": "the output gate o is left without a sigmoid",
        "i, f, o = sigmoid(ai), sigmoid(af + 1), sigmoid(ao)": "1 is added to the forget gate",
        "i, f, o = (0.2 * a + 0.5 for a in (ai, af, ao))": "the straight line 0.2 a + 0.5 stands "
        "in the place of the sigmoid",
        "i, f, o = sigmoid(2 * ai), sigmoid(2 * af), sigmoid(2 * ao)": "the pre-activations of the "
        "three gates are doubled inside the sigmoid",
    },
    "g = tanh(ag)": {
        "g = sigmoid(ag)": "the candidate g has sigmoid instead of tanh",
        "g = ag": "the candidate g is left without a tanh",
        "g = 2 * sigmoid(ag) - 1": "ag is not doubled in g = 2 sigmoid(2 ag) - 1",
    },
    "c = f * c_prev + i * g": {
        "c = i * c_prev + f * g": "the input gate and the forget gate have changed places in c",
        "c = c_prev + i * g": "the forget gate is left out of c",
        "c = f * c_prev + g": "the input gate is left out of c",
        "c = f * c_prev": "the candidate is left out of c",
        "c = i * g": "the previous cell state is left out of c",
        "c = (1 - f) * c_prev + i * g": "1 - f stands in the place of f in c",
        "c = f * c_prev + (1 - f) * g": "1 - f stands in the place of i in c",
        "c = f * h_prev + i * g": "h_prev stands in the place of c_prev in c",
        "c = f * c_prev + o * g": "the output gate stands in the place of the input gate in c",
        "c = tanh(f * c_prev + i * g)": "tanh is applied to c itself",
        "c = f * c_prev * i * g": "the two terms of c are multiplied instead of added",
        "c = f + c_prev + i * g": "f and c_prev are added instead of multiplied",
        "c = f * c_prev - i * g": "the new term is subtracted from c",
        "c = sigmoid(f * c_prev + i * g)": "sigmoid is applied to c itself",
        "c = f * c_prev + i * tanh(c_prev)": "the candidate is made of c_prev",
        "c = f * c_prev + i * g + c_prev": "c_prev is added to c once more, as it is",
        "c = f * (c_prev + i * g)": "the forget gate scales the new term as well",
    },
    "tanh_c = tanh(c)": {
        "tanh_c = sigmoid(c)": "sigmoid is applied to c instead of tanh, on the way to h",
        "tanh_c = tanh(c_prev)": "h is computed from c_prev instead of the new c",
        "tanh_c = tanh(tanh(c))": "tanh is applied to c twice, on the way to h",
        "tanh_c = tanh(g)": "h is computed from the candidate instead of c",
    },
    "h = o * tanh_c": {
        "h = o + tanh_c": "o and tanh(c) are added instead of multiplied",
        "h = tanh_c": "the output gate is left out of h",
        "h = tanh(o * c)": "tanh is applied to o c as a whole",
        "h = i * tanh_c": "the input gate stands in the place of the output gate in h",
        "h = f * tanh_c": "the forget gate stands in the place of the output gate in h",
        "h = (1 - o) * tanh_c": "1 - o stands in the place of o in h",
        "h = sigmoid(ao + c) * tanh_c": "c is added inside the output gate: that is a peephole",
        "h = sigmoid(ao + c_prev) * tanh_c": "c_prev is added inside the output gate",
    },
    "return (h, c),": {
        "return (c, h),": "the states are returned in the order c, h",
        "return (h, c_prev),": "c_prev is returned in the place of the new c",
        "return (h, tanh_c),": "tanh(c) is returned in the place of c",
        "return (h, h),": "h is returned in the place of c",
    },
    "LSTMCache(i, f, g, o, c_prev, tanh_c)": {
        "LSTMCache(i, f, g, o, c_prev, c)": "c stands where backward needs tanh(c)",
        "LSTMCache(i, f, g, o, c_prev, h)": "h stands where backward needs tanh(c)",
        "LSTMCache(i, f, g, o, c, tanh_c)": "c stands where backward needs c_prev",
        "LSTMCache(i, f, o, g, c_prev, tanh_c)": "o stands where backward needs g, and g where it "
        "needs o",
        "LSTMCache(f, i, g, o, c_prev, tanh_c)": "f stands where backward needs i, and i where it "
        "needs f",
        "LSTMCache(ai, af, ag, ao, c_prev, tanh_c)": "the pre-activations stand where backward "
        "needs the gates",
    },
    "do = dh * tanh_c": {
        "do = dh * tanh(tanh_c)": "tanh is applied to tanh(c) once more in the output gate's "
        "gradient",
        "do = 1.0 * dh": "tanh(c) is missing in the output gate's gradient",
        "do = dh * c_prev": "the output gate's gradient uses c_prev instead of tanh(c)",
        "do = dc * tanh_c": "the output gate's gradient starts from dc instead of dh",
        "do = dh * o": "the output gate's gradient is multiplied by o instead of tanh(c)",
        "do = dh * d_tanh(tanh_c)": "the output gate's gradient has tanh's derivative for tanh(c)",
        "do = tanh_c": "the output gate's gradient does not use dh",
    },
    "dc = dc + dh * o * d_tanh(tanh_c)": {
        "dc = dc + dh * d_tanh(tanh_c)": "the output gate is missing on the way from h to c",
        "dc = dc + dh * o * tanh_c": "tanh(c) stands in the place of its derivative on the way "
        "from h to c",
        "dc = dc + o * d_tanh(tanh_c)": "dh is missing on the way from h to c",
        "dc = dc * (dh * o * d_tanh(tanh_c))": "the two shares of dc are multiplied, not added",
        "dc = dc + dh * o * d_sigmoid(tanh_c)": "tanh(c) gets the sigmoid's derivative",
        "dc = dc - dh * o * d_tanh(tanh_c)": "the share of dc that comes from h is subtracted",
        "dc = dc + dh * o * (1 - tanh_c)": "the square is missing in the derivative of tanh(c)",
        "dc = dc + dh * tanh_c * d_tanh(tanh_c)": "tanh(c) stands in the place of o on the way "
        "from h to c",
        "dc = (dc + dh) * o * d_tanh(tanh_c)": "the dc that was given is sent through o and tanh "
        "together with dh",
        "dc = (dc + dh * o) * d_tanh(tanh_c)": "the dc that was given is multiplied by the "
        "derivative of tanh(c) as well",
        "dc = dc + dc + dh * o * d_tanh(tanh_c)": "the dc that was given is counted twice",
        "dc = dc + dh * o * (1 - tanh_c) * (1 - tanh_c)": "the bracket is squared instead of "
        "tanh(c) alone in its derivative",
        "dc = dc + 2 * dh * o * d_tanh(tanh_c)": "the share of dc that comes from h is added twice",
        "dc = dc * f + dh * o * d_tanh(tanh_c)": "the dc that was given is multiplied by f before "
        "it is used",
        "dc = dh + dc * o * d_tanh(tanh_c)": "dh and dc have changed places where dc gets its "
        "second share",
    },
    "df, dc_prev = dc * c_prev, dc * f": {
        "df, dc_prev = dc * f, dc * c_prev": "the gradients of f and of c_prev are swapped",
        "df, dc_prev = dc * c_prev, dc * i": "the input gate stands for the forget gate in dc_prev",
        "df, dc_prev = dc * c_prev, dstate[1] * f": "dc_prev is taken from the dc that was given, "
        "without the share that comes from h",
        "df, dc_prev = dstate[1] * c_prev, dc * f": "the forget gate's gradient is taken from the "
        "dc that was given, without the share that comes from h",
        "df, dc_prev = dc * c_prev, dc + f": "dc and f are added instead of multiplied",
        "df, dc_prev = 1.0 * dc, dc * f": "c_prev is missing in the forget gate's gradient",
        "df, dc_prev = dc * tanh_c, dc * f": "the forget gate's gradient uses tanh(c) instead of "
        "c_prev",
        "df, dc_prev = dh * c_prev, dc * f": "the forget gate's gradient starts from dh, not dc",
        "df, dc_prev = dc * g, dc * f": "the forget gate's gradient uses g instead of c_prev",
        "df, dc_prev = dc * c_prev, dc * f * d_sigmoid(f)": "dc_prev is multiplied by the forget "
        "gate's derivative",
        "df, dc_prev = dc * c_prev, dc * (1 - f)": "1 - f stands in the place of f in dc_prev",
    },
    "di, dg = dc * g, dc * i": {
        "di, dg = dc * g, dc * g": "the candidate's gradient is multiplied by g instead of i",
        "di, dg = dc * i, dc * i": "the input gate's gradient is multiplied by i instead of g",
        "di, dg = dh * g, dh * i": "the gradients of i and g start from dh instead of dc",
        "di, dg = 1.0 * dc, dc * i": "g is missing in the input gate's gradient",
        "di, dg = dc * g, 1.0 * dc": "i is missing in the candidate's gradient",
        "di, dg = dstate[1] * g, dstate[1] * i": "the gradients of i and g are taken from the dc "
        "that was given, without the share that comes from h",
        "di, dg = dc * c_prev, dc * i": "the input gate's gradient uses c_prev instead of g",
        "di, dg = dc * g, dc * f": "the candidate's gradient uses f instead of i",
    },
    "di * d_sigmoid(i)": {
        "di * i": "half of the input gate's sigmoid derivative is missing",
        "di * (1 - i)": "half of the input gate's sigmoid derivative is missing",
        "di * d_sigmoid(f)": "the input gate gets the forget gate's derivative",
        "di * d_tanh(i)": "the input gate gets the tanh's derivative instead of the sigmoid's",
        "di * i * (1 + i)": "the input gate's sigmoid derivative has a plus for a minus",
    },
    "df * d_sigmoid(f)": {
        "df * f": "half of the forget gate's sigmoid derivative is missing",
        "df * (1 - f)": "half of the forget gate's sigmoid derivative is missing",
        "df * d_sigmoid(i)": "the forget gate gets the input gate's derivative",
        "df * d_tanh(f)": "the forget gate gets the tanh's derivative instead of the sigmoid's",
    },
    "do * d_sigmoid(o)": {
        "do * o": "half of the output gate's sigmoid derivative is missing",
        "do * (1 - o)": "half of the output gate's sigmoid derivative is missing",
        "do * d_sigmoid(tanh_c)": "the output gate's derivative is taken at tanh(c)",
        "do * d_sigmoid(i)": "the output gate gets the input gate's derivative",
    },
    "dag = dg * d_tanh(g)": {
        "dag = dg * (1 - g)": "the square is missing in the candidate's tanh derivative",
        "dag = dg * d_tanh(tanh_c)": "the candidate's derivative is taken at tanh(c) instead of g",
        "dag = dg * g": "the candidate's gradient is multiplied by g itself",
        "dag = dg * (1 + g * g)": "the candidate's tanh derivative has a plus for a minus",
        "dag = dg / (1 - g * g)": "the candidate's tanh derivative stands upside down",
    },
    "return da, (product.backward(da), dc_prev)": {
        "return da, (sum(da), dc_prev)": "the da are added up for h_prev without going through "
        "the weights",
        "return da, (dh + product.backward(da), dc_prev)": "dh is added to the previous state's "
        "gradient",
        "return da, (o * product.backward(da), dc_prev)": "dh_prev is multiplied by o",
        "return da, (product.backward((di, df, dg, do)), dc_prev)": "the product is given the "
        "gradients of the gates instead of those of the pre-activations",
        "return (di, df, dg, do), (product.backward(da), dc_prev)": "the gradients of the gates "
        "are returned instead of those of the pre-activations",
        "return (di, df, dg, do), (product.backward((di, df, dg, do)), dc_prev)": "all functions "
        "of the gates are left without their derivatives",
        "return da, (dh + 0 * product.backward(da), dc_prev)": "dh is handed on to the previous "
        "state unchanged",
        "return da, (product.backward(da), 1.0 * dstate[1])": "the dc that was given is returned "
        "for c_prev unchanged",
        "return da, (product.backward(da), 1.0 * dc)": "dc is returned for c_prev without "
        "passing the forget gate",
        "return da, (dc_prev, product.backward(da))": "dh_prev and dc_prev are returned in each "
        "other's place",
        "return da, (product.backward((dai, daf, dag, 0 * dao)), dc_prev)": "the output gate is "
        "left out on the way to the previous hidden state",
    },
}
GRU = {
    "r, z = sigmoid(gx_r + product_r), sigmoid(gx_z + product_z)": {
        "r, z = tanh(gx_r + product_r), sigmoid(gx_z + product_z)": "the reset gate r has tanh for "
        "sigmoid",
        "r, z = sigmoid(gx_r + product_r), tanh(gx_z + product_z)": "the update gate z has tanh "
        "for sigmoid",
        "r, z = tanh(gx_r + product_r), tanh(gx_z + product_z)": "the gates r and z have tanh for "
        "sigmoid",
        "r, z = sigmoid(gx_r), sigmoid(gx_z)": "the product is left out of the gates r and z",
        "r, z = sigmoid(product_r), sigmoid(product_z)": "gx is left out of the gates r and z",
        "r, z = sigmoid(gx_r + h_prev), sigmoid(gx_z + h_prev)": "h_prev is added to the gates r "
        "and z without its weights",
        "r, z = gx_r + product_r, gx_z + product_z": "the gates r and z are left without a sigmoid",
        "r, z = sigmoid(gx_z + product_z), sigmoid(gx_r + product_r)": "the gates r and z have "
        "changed places",
    },
    "n = tanh(gx_n + r * product_n)": {
        "n = tanh(gx_n + product_n)": "the reset gate is left out of the candidate n",
        "n = tanh(r * (gx_n + product_n))": "the reset gate scales gx_n as well",
        "n = tanh(gx_n + z * product_n)": "the update gate stands for the reset gate in the "
        "candidate n",
        "n = tanh(gx_n + (1 - r) * product_n)": "1 - r stands in the place of r in the candidate n",
        "n = tanh(gx_n + r * h_prev)": "r scales h_prev, without the weights, in the candidate n",
        "n = tanh(gx_n + r + product_n)": "r is added instead of multiplied in the candidate n",
        "n = sigmoid(gx_n + r * product_n)": "the candidate n has sigmoid instead of tanh",
        "n = gx_n + r * product_n": "the candidate n is left without a tanh",
        'n = tanh(gx_n + product(r * h_prev, "n"))': "the reset gate acts before the product in "
        "the candidate n; here it acts after it",
        "n = tanh(gx_n + r * h_prev * product_n)": "h_prev is multiplied in once more in the "
        "candidate n",
        "n = r * tanh(gx_n + product_n)": "the reset gate scales the candidate n itself instead of "
        "the product inside it",
    },
    "h = (1 - z) * n + z * h_prev": {
        "h = z * n + (1 - z) * h_prev": "z lets in the new state; here z near 1 keeps the old one",
        "h = (1 - z) * n + h_prev": "z is missing before h_prev in h",
        "h = n + z * h_prev": "1 - z is missing before the candidate in h",
        "h = (1 - z) * n": "the previous state is left out of h",
        "h = 1.0 * n": "h is the candidate alone",
        "h = (1 - r) * n + r * h_prev": "the reset gate stands for the update gate in h",
        "h = z * n + z * h_prev": "both terms of h have the factor z",
        "h = (1 - z) * h_prev + (1 - z) * n": "both terms of h have the factor 1 - z",
        "h = tanh((1 - z) * n + z * h_prev)": "tanh is applied to h once more",
        "h = (1 - z) * n - z * h_prev": "the old state is subtracted in h",
    },
    "GRUCache(r, z, n, h_prev, product_n.copy())": {
        "GRUCache(z, r, n, h_prev, product_n.copy())": "z stands where backward needs r, and r "
        "where it needs z",
        "GRUCache(r, z, n, h, product_n.copy())": "h stands where backward needs h_prev",
        "GRUCache(r, z, n, h_prev, r * product_n)": "r times the product stands where backward "
        "needs the product itself",
        "GRUCache(r, z, n, h_prev, gx_n + r * product_n)": "the pre-activation of n stands where "
        "backward needs the product",
    },
    "dh * (h_prev - n), dh * (1 - z), dh * z": {
        "dh * h_prev, dh * (1 - z), dh * z": "the candidate's share of the update gate's gradient "
        "dz is missing",
        "-dh * n, dh * (1 - z), dh * z": "h_prev is missing in the update gate's gradient dz",
        "dh * (h_prev + n), dh * (1 - z), dh * z": "the update gate's gradient dz has a plus for "
        "a minus",
        "dh * (1 - n), dh * (1 - z), dh * z": "1 stands for h_prev in the update gate's gradient "
        "dz",
        "dh * (h_prev - n), dh * z, dh * z": "the candidate's gradient dn has the factor z",
        "dh * (h_prev - n), 1.0 * dh, dh * z": "1 - z is missing in the candidate's gradient dn",
        "dh * (h_prev - n), dh * (1 - z), dh * (1 - z)": "the previous state's own share has the "
        "factor 1 - z instead of z",
        "dh * (h_prev - n), dh * (1 - z), 1.0 * dh": "the previous state's own share misses the "
        "factor z",
        "dh * (h_prev - n), dh * (1 - z), 0 * dh": "the previous state's own share, dh z, is lost",
    },
    "dan = dn * d_tanh(n)": {
        "dan = dn * d_sigmoid(n)": "the candidate n gets the sigmoid's derivative",
        "dan = dn * (1 - n)": "the square is missing in the candidate's tanh derivative",
        "dan = dn * n": "the candidate's gradient is multiplied by n itself",
        "dan = dn * (1 + n * n)": "the candidate's tanh derivative has a plus for a minus",
        "dan = dn * d_tanh(product_n)": "the candidate's derivative is taken at the product "
        "instead of n",
        "dan = dn * d_tanh(h_prev)": "the candidate's derivative is taken at h_prev instead of n",
        "dan = dn / (1 - n * n)": "the candidate's tanh derivative stands upside down",
    },
    "dr, dproduct_n = dan * product_n, dan * r": {
        "dr, dproduct_n = dn * product_n, dan * r": "the candidate's tanh derivative is missing in "
        "the reset gate's gradient dr",
        "dr, dproduct_n = dan * n, dan * r": "the reset gate's gradient dr uses n instead of the "
        "product",
        "dr, dproduct_n = 1.0 * dan, dan * r": "the product is missing in the reset gate's "
        "gradient dr",
        "dr, dproduct_n = dan * r, dan * product_n": "the gradients of r and of product_n are "
        "swapped",
        "dr, dproduct_n = dan * product_n, dan * (1 - r)": "1 - r stands in the place of r in the "
        "product's gradient",
        "dr, dproduct_n = dan * product_n, dn * r": "the candidate's tanh derivative is missing in "
        "the product's gradient",
        "dr, dproduct_n = dan * product_n, dan * z": "z stands for r in the product's gradient",
        "dr, dproduct_n = dan * product_n * h_prev, dan * r": "the reset gate's gradient dr has a "
        "factor h_prev too much",
        "dr, dproduct_n = dan * product_n, dan * r * r": "the product's gradient has the factor r "
        "twice",
        "dr, dproduct_n = 0 * dan, dan * r": "the reset gate r gets no gradient",
    },
    "dar, daz = dr * d_sigmoid(r), dz * d_sigmoid(z)": {
        "dar, daz = dr, dz": "the sigmoid's derivative is left out of both gates r and z",
        "dar, daz = dr * r, dz * d_sigmoid(z)": "half of the reset gate's sigmoid derivative is "
        "missing",
        "dar, daz = dr * d_sigmoid(r), dz * z": "half of the update gate's sigmoid derivative is "
        "missing",
        "dar, daz = dr * d_sigmoid(r), dz * (1 - z)": "half of the update gate's sigmoid "
        "derivative is missing",
        "dar, daz = dr * d_sigmoid(z), dz * d_sigmoid(r)": "the derivatives of the gates r and z "
        "have changed places",
        "dar, daz = dr * d_tanh(r), dz * d_tanh(z)": "the gates r and z get the tanh's derivative",
        "dar, daz = dr * d_sigmoid(r), dz * d_tanh(z)": "the update gate z gets the tanh's "
        "derivative instead of the sigmoid's",
        "dar, daz = dr * d_tanh(r), dz * d_sigmoid(z)": "the reset gate r gets the tanh's "
        "derivative instead of the sigmoid's",
    },
    "return (dar, daz, dan), (dh_prev,)": {
        "return (dar, daz, dproduct_n), (dh_prev,)": "gx of gate n gets the gradient of the "
        "product, which has a factor r too much",
        "return (dar, daz, dn), (dh_prev,)": "gx of gate n gets dn, without tanh's derivative",
        "return (dr, dz, dan), (dh_prev,)": "gx of the gates r and z gets dr and dz, without the "
        "sigmoid's derivative",
    },
    "product.backward((dar, daz, dproduct_n))": {
        "dar + daz + dproduct_n": "the gradients are added up for h_prev without going through "
        "the weights",
        "product.backward((dar, daz, 0 * dan))": "the candidate is left out on the way to the "
        "previous state",
        "product.backward((0 * dar, 0 * daz, dproduct_n))": "the gates r and z are left out on the "
        "way to the previous state",
        "z * product.backward((dar, daz, dproduct_n))": "what comes back through the products is "
        "multiplied by z",
    },
}
TIME = {
    "gx = self._project(x, self._bias())": {
        "gx = x @ self.Wx.data": "bx is left out of gx",
        "gx = self._project(x, self._bias() + self.bh.data)": "bh is added to gx as well: product "
        "adds it already",
        "gx = self._project(x, 2 * self._bias())": "bx is added to gx twice",
        "gx = self._project(x, self.bh.data)": "bh is added to gx instead of bx",
    },
    "state = self._initial_state(state, xp, sizes[0], dtype)": {
        "state = self._initial_state(None, xp, sizes[0], dtype)": "the initial state that was "
        "given is not used",
    },
    "state, cache = self.cell.forward(gx[:, start:end], state, product)": {
        "_, cache = self.cell.forward(gx[:, start:end], state, product)\n"
        "            outputs.append(_[0]); steps.append(cache); continue": "the new state is not "
        "carried on: every step starts from the initial one",
        "state, cache = self.cell.forward(gx[:, :n], state, product)": "every step reads the rows "
        "of the first one in gx",
        "state, cache = self.cell.forward(gx[:, n : n + 1], state, product)": "every step reads "
        "row n of gx alone; its own are start:end",
        "state, cache = self.cell.forward(gx[:, start : start + 1], state, product)": "a step "
        "reads one row of gx for all its sequences; its rows are start:end",
        "t = len(steps); state, cache = self.cell.forward(gx[:, t : t + 1], state, product)": "a "
        "step reads row t of gx for all its sequences; its rows are start:end",
        "_, cache = self.cell.forward(gx[:, start:end], state, product)\n"
        "            state = (_[0], *state[1:])": "only the first part of the new state is carried "
        "on",
    },
    "steps.append(cache)": {
        "steps.insert(0, cache)": "a step is undone with the cache of another: they are put "
        "together, or taken, in the wrong order",
    },
    "outputs.append(state[0])": {
        "outputs.append(state[-1])": "the last part of the state is taken for the output; it is "
        "the first",
        "outputs.insert(0, state[0])": "the outputs are put together in the reverse order",
    },
    "ended.append([s[n:] for s in state])": {
        "ended.append([s[: len(s) - n] for s in state])": "the first rows are set aside as ended; "
        "it is the last ones that end",
        "ended.append([0 * s[n:] for s in state])": "the final states of sequences that end early "
        "are set to zero",
    },
    "state = tuple([s[:n] for s in state])": {
        "state = tuple([s[len(s) - n :] for s in state])": "the last rows go on instead of the "
        "first ones",
    },
    "for parts in zip(*reversed(ended), strict=True)": {
        "for parts in zip(*ended, strict=True)": "the final states are put together in the order "
        "in which sequences ended; the longest is the first",
    },
    "dstate = [dstate[0] + doutput[start:end], *dstate[1:]]": {
        "dstate = (dstate[0], *dstate[1:])": "doutput never reaches the state: only the final "
        "state's gradient goes back",
        "dstate = tuple(d + doutput[start:end] for d in dstate)": "doutput is added to every part "
        "of the state; it belongs to the first alone",
        "dstate = (dstate[0] + doutput[start:end], *[0 * d for d in dstate[1:]])": "the second "
        "part of the state loses its gradient at every step",
        "dstate = (dstate[0] * doutput[start:end], *dstate[1:])": "the two shares of dh are "
        "multiplied instead of added",
        "dstate = (dstate[0] + doutput[:n], *dstate[1:])": "every step gets the first rows of "
        "doutput instead of its own",
        "dstate = (dstate[0] + doutput[-n:], *dstate[1:])": "every step gets the last rows of "
        "doutput instead of its own",
        "dstate = (dstate[0] + doutput[t], *dstate[1:])": "doutput[t] is taken, which is one row; "
        "the rows of step t are start:end",
        "dstate = (dstate[0] + doutput[start], *dstate[1:])": "one row of doutput is added to all "
        "sequences of a step; its rows are start:end",
        "dstate = (dstate[0] + doutput[S - end : S - start], *dstate[1:])": "the rows of doutput "
        "are taken in the reverse order of the steps",
        "dstate = (dstate[0] - doutput[start:end], *dstate[1:])": "doutput is subtracted",
        "dstate = (dstate[0] + (doutput[end : end + n] if end < S else 0 * doutput[:n]), "
        "*dstate[1:])": "every step gets the rows of doutput of the step after it",
        "dstate = (dstate[0] + 2 * doutput[start:end], *dstate[1:])": "doutput is added twice",
        "dstate = (*dstate[:-1], dstate[-1] + doutput[start:end])": "doutput is added to the last "
        "part of the state; it belongs to the first",
    },
    "dstate = [dstate[0] + doutput[start:end], *dstate[1:]]\n"
    "            dgx, dstate = self.cell.backward(tuple(dstate), steps[t], undo)": {
        "pass\n            dgx, dstate = self.cell.backward(tuple(dstate), steps[t], undo)\n"
        "            dstate = (dstate[0] + doutput[start:end], *dstate[1:])": "doutput is "
        "added after the step is undone instead of before",
        "dstate = [dstate[0] + doutput[start:end], *dstate[1:]]\n"
        "            dgx, dprev = self.cell.backward(tuple(dstate), steps[t], undo)\n"
        "            dstate = (dprev[0] + doutput[start:end], *dprev[1:])": "doutput of a step is "
        "added once more after the step is undone",
    },
    "dgx, dstate = self.cell.backward(tuple(dstate), steps[t], undo)": {
        "dgx, _ = self.cell.backward(tuple(dstate), steps[t], undo)\n"
        "            dstate = tuple(0 * d for d in _)": "no gradient goes from one step to the one "
        "before: dstate is not handed on",
        "dgx, _ = self.cell.backward(tuple(dstate), steps[t], undo)\n"
        "            dstate = tuple(dstate)": "what the cell's backward "
        "returns for the state before is not put into dstate",
        "dgx, _ = self.cell.backward(tuple(dstate), steps[t], undo)\n"
        "            dstate = (dstate[0] - doutput[start:end], *dstate[1:])": "every step starts "
        "from dfinal: what the cell's backward returns for the state before is not put into dstate",
        "dgx, _ = self.cell.backward(tuple(dstate), steps[t], undo)\n"
        "            dstate = (_[0], *dstate[1:])": "only the first part of dstate is replaced by "
        "what the cell's backward returns",
        "dgx, _ = self.cell.backward(tuple(dstate), steps[t], undo)\n"
        "            dstate = tuple(d + e for d, e in zip(dstate, _))": "what the cell's backward "
        "returns for the state before is added to dstate instead of replacing it",
        "dgx, dstate = self.cell.backward(tuple(dstate), steps[t - 1], undo)": "a step is undone "
        "with the cache of the step before it, steps[t - 1]",
        "dgx, dstate = self.cell.backward(tuple(dstate), steps[-1], undo)": "every step is undone "
        "with the cache of the last one",
        "dgx, dstate = self.cell.backward(tuple(dstate), steps[0], undo)": "every step is undone "
        "with the cache of the first one",
        "dgx, dstate = self.cell.backward(tuple(dstate)[::-1], steps[t], undo)": "the parts of "
        "dstate are handed to the cell in the wrong order",
    },
    "xp.concatenate([d, last[alive:n]])": {
        "xp.concatenate([d, 0 * last[alive:n]])": "sequences that end early start with zeros "
        "instead of their rows of dfinal",
        "xp.concatenate([d, last[: n - alive]])": "sequences that end early get the first rows of "
        "dfinal instead of their own",
        "xp.concatenate([d, last[alive - n :]])": "sequences that end early get the last rows of "
        "dfinal instead of their own",
        "xp.concatenate([last[alive:n], d])": "the rows of sequences that end here are put before "
        "the others instead of after them",
        "last[:n]": "dstate starts again from the first n rows of dfinal: what has come back so "
        "far is lost",
        "last[:n] + xp.concatenate([d, 0 * last[alive:n]])": "all n rows of dfinal are added, "
        "those of the sequences that go on once more",
    },
    "dgates.append(dgx)": {
        "dgates.append(tuple(d * (t == 0) for d in dgx))": "dgx holds only the step undone last",
        "dgates.append(tuple(d * (end == S) for d in dgx))": "dgx holds only the last step",
        "dgates.append(tuple(0 * d for d in dgx))": "dgx stays zero: the gates' gradients are "
        "never put into dgx[:, start:end]",
        "dgates.insert(0, dgx)": "the steps stand in dgx in the reverse order",
    },
    "self.Wx.grad += x.T @ dgx": {
        "self.Wx.grad += x.T @ undo.da": "Wx gets the gradient of the product instead of dgx",
        "n = len(undo.product.inputs[None][0]); self.Wx.grad += x[:n].T @ dgx[:, :n]": "Wx gets "
        "the share of the first step alone",
        "self.Wx.grad += x.T @ dgx / len(x)": "dWx is a mean over the rows instead of a sum",
        "self.Wx.grad -= x.T @ dgx": "dWx is subtracted",
        "self.Wx.grad += x.T @ dgx.sum(axis=0)": "dgx is summed over the gates before dWx: every "
        "gate gets the same",
        "pass": "Wx gets no gradient",
    },
    "self.bx.grad += dbx": {
        "self.bx.grad += undo.da.sum(axis=1)": "bx gets the gradient of bh",
        "self.bx.grad += dgx.mean(axis=1)": "the gradient of bx is a mean over the rows instead "
        "of a sum",
        "self.bx.grad += dgx.sum(axis=(0, 1))": "the gradient of bx is summed over the gates as "
        "well: every gate gets the same",
        "self.bx.grad[...] = dbx": "the gradient of bx is overwritten instead of added to",
        "pass": "bx gets no gradient",
    },
    "return self._dx(x, dgx, shape), dstate": {
        "return self._dx(x, da, shape), dstate": "dx is taken from the product's gradient "
        "instead of dgx",
        "return self._dx(x, dgx, shape), tuple(dfinal)": "dfinal is returned for the gradient of "
        "the initial state",
        "return self._dx(x, dgx, shape), tuple(dstate)[::-1]": "the parts of the initial state's "
        "gradient are returned in the wrong order",
        "return self._dx(x, dgx, shape) / len(dgx), dstate": "dx is a mean over the gates instead "
        "of a sum",
        "dx = dgx[-1] @ self.Wx.data[-1].T\n        return dx.reshape(*shape, -1) if shape else "
        "dx, dstate": "dx is taken from the last gate alone",
        "dx = dgx.sum(axis=0) @ self.Wx.data.sum(axis=0).T\n        return dx.reshape(*shape, -1) "
        "if shape else dx, dstate": "dgx and Wx are summed over the gates before they are "
        "multiplied; each gate goes through its own weights",
    },
}


def table(target, changes):
    """The changes of a target as bugs. A line of code that stands in a comment of backward as
    well is told from it by the blanks before it."""
    bugs = []
    for old, news in changes.items():
        lead = " " * 8 if old.startswith(("i, f, o = ", "g = ", "r, z = ")) else ""
        bugs += [
            Bug(f"student-{len(bugs) + k}", target, lead + old, lead + new, when)
            for k, (new, when) in enumerate(news.items())
        ]
    return bugs


STUDENTS = [
    *table("cells.RNNCell", RNN),
    *table("cells.LSTMCell", LSTM),
    *table("cells.GRUCell", GRU),
    *table("recurrent.Recurrent", TIME),
]
