"""The equations in plain Python, one number at a time: slow, obvious, and sharing no code.

A weight is W[gate][from][to], a bias b[gate][to], a vector a list of numbers.
"""

import math


def sigmoid(a):
    return 1 / (1 + math.exp(-a)) if a >= 0 else math.exp(a) / (1 + math.exp(a))


def affine(v, W, b):
    """[sum_j v_j W[j][k] + b[k] for every k]."""
    return [sum(v[j] * W[j][k] for j in range(len(v))) + b[k] for k in range(len(b))]


def rnn_step(x, h, Wx, Wh, bx, bh, f=math.tanh):
    from_x, from_h = affine(x, Wx[0], bx[0]), affine(h, Wh[0], bh[0])
    return [f(p + q) for p, q in zip(from_x, from_h, strict=True)]


def lstm_step(x, h, c, Wx, Wh, bx, bh):
    a = []
    for gate in range(4):
        from_x, from_h = affine(x, Wx[gate], bx[gate]), affine(h, Wh[gate], bh[gate])
        a.append([p + q for p, q in zip(from_x, from_h, strict=True)])
    new_h, new_c = [], []
    for k in range(len(h)):
        i, f, g, o = sigmoid(a[0][k]), sigmoid(a[1][k]), math.tanh(a[2][k]), sigmoid(a[3][k])
        new_c.append(f * c[k] + i * g)
        new_h.append(o * math.tanh(new_c[k]))
    return new_h, new_c


def gru_step(x, h, Wx, Wh, bx, bh, reset_after):
    r_z = []
    for gate in range(2):
        from_x, from_h = affine(x, Wx[gate], bx[gate]), affine(h, Wh[gate], bh[gate])
        r_z.append([sigmoid(p + q) for p, q in zip(from_x, from_h, strict=True)])
    r, z = r_z
    from_x = affine(x, Wx[2], bx[2])
    if reset_after:
        from_h = [r[k] * q for k, q in enumerate(affine(h, Wh[2], bh[2]))]
    else:
        from_h = affine([r[k] * h[k] for k in range(len(h))], Wh[2], bh[2])
    n = [math.tanh(p + q) for p, q in zip(from_x, from_h, strict=True)]
    return [(1 - z[k]) * n[k] + z[k] * h[k] for k in range(len(h))]


def cross_entropy(logits, label):
    top = max(logits)
    return math.log(sum(math.exp(a - top) for a in logits)) - (logits[label] - top)
