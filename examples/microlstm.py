"""A whole LSTM that learns to write names, NumPy alone; docs/microlstm.md explains every line.
python examples/microlstm.py [PATH]   (a text file, one name a line, or a folder of such files)"""
import sys
from pathlib import Path

import numpy as np

NAMES = Path(__file__).resolve().parent.parent / "data" / "names"
H, STEPS, BATCH, RATE = 64, 1000, 64, 0.02  # hidden units; steps of Adam, names in each, its rate

def read(path):
    """Read the names, each once, so that those which are held back are new to the net."""
    files = sorted(path.glob("*.txt")) if path.is_dir() else [path]
    text = "\n".join(file.read_text("utf-8-sig") for file in files)
    names = sorted({line for line in map(str.strip, text.lower().split("\n")) if line})
    if len(names) < 20 or max(map(len, names)) > 100:
        raise ValueError(f"{path} holds fewer than 20 names, or one of more than 100 letters")
    return names

def batch(names, letters):
    """Make x [T, N], which is read, q, which should follow, and mask, 0 where a name is over."""
    x, q, mask = np.zeros((3, max(map(len, names)) + 1, len(names)), int)
    for n, name in enumerate(names):  # letter 0, the line's end, stands before and after it
        T, ids = len(name), [letters.index(letter) for letter in name]
        x[1 : T + 1, n], q[:T, n], mask[: T + 1, n] = ids, ids, 1
    return x, q, mask

def new_weights(V, H, rng):  # Wx, Wh, b, the gates side by side, in the order i, f, g, o; Wy, by
    return [rng.uniform(-1, 1, s) / H**0.5 for s in ((V, 4 * H), (H, 4 * H), 4 * H, (H, V), V)]

def forward(weights, x, q, mask):
    """Compute the mean loss of a letter, and for each step what backward needs."""
    Wx, Wh, b, Wy, by = weights
    h, c, loss, steps = np.zeros((x.shape[1], len(Wh))), 0, 0, []
    for t in range(len(x)):
        h_prev, c_prev = h, c
        ai, af, ag, ao = np.split(Wx[x[t]] + h_prev @ Wh + b, 4, axis=1)
        i, f, o = (1 / (1 + np.exp(-a)) for a in (ai, af, ao))  # sigmoid
        g = np.tanh(ag)
        c = f * c_prev + i * g
        h = o * np.tanh(c)
        y = h @ Wy + by
        p = np.exp(y) / np.exp(y).sum(axis=1, keepdims=True)  # softmax
        loss -= mask[t] @ np.log(p[range(len(p)), q[t]]) / mask.sum()
        steps.append((h_prev, c_prev, i, f, g, o, c, h, p))
    return loss, steps

def backward(weights, steps, x, q, mask):
    """Compute the gradient of every weight: forward's lines, undone from the last to the first."""
    _, Wh, _, Wy, _ = weights
    dWx, dWh, db, dWy, dby = gradients = [np.zeros_like(w) for w in weights]
    dh_next = dc_next = 0  # nothing comes after the last step
    for t in reversed(range(len(x))):
        h_prev, c_prev, i, f, g, o, c, h, p = steps[t]
        # loss = the mean of -log p[q], p = softmax(y), y = h Wy + by
        dy = (p - np.eye(len(dby))[q[t]]) * mask[t][:, None] / mask.sum()
        dWy += h.T @ dy
        dby += dy.sum(axis=0)
        dh = dy @ Wy.T + dh_next
        # h = o tanh(c)
        do, dc = dh * np.tanh(c), dh * o * (1 - np.tanh(c) ** 2) + dc_next
        # c = f c_prev + i g
        df, dc_next, di, dg = dc * c_prev, dc * f, dc * g, dc * i
        # i, f, o = sigmoid(a), g = tanh(a), a = Wx[x] + h_prev Wh + b
        da = np.hstack([di * i * (1 - i), df * f * (1 - f), dg * (1 - g**2), do * o * (1 - o)])
        np.add.at(dWx, x[t], da)
        dWh += h_prev.T @ da
        db += da.sum(axis=0)
        dh_next = da @ Wh.T
    return gradients

def check(rng):  # the largest error of a gradient: move each weight a little, see the loss move
    weights, data, error = new_weights(5, 4, rng), batch(["anna", "bo"], "\nabno"), 0
    for w, dw in zip(weights, backward(weights, forward(weights, *data)[1], *data)):
        for k in np.ndindex(w.shape):
            w[k] += 1e-5
            above, w[k] = forward(weights, *data)[0], w[k] - 2e-5
            below, w[k] = forward(weights, *data)[0], w[k] + 1e-5
            error = max(error, abs(dw[k] - (above - below) / 2e-5))
    return error

def main(path=NAMES):
    names, rng = read(Path(path)), np.random.default_rng(0)
    print(f"gradients: the largest error is {check(rng):.0e}")
    letters = "\n" + "".join(sorted(set("".join(names))))
    held, names = np.split(rng.permutation(names), [min(1000, len(names) // 10)])
    weights = new_weights(len(letters), H, rng)
    means = [(np.zeros_like(w), np.zeros_like(w)) for w in weights]
    for k in range(1, STEPS + 1):
        data = batch(rng.choice(names, BATCH), letters)
        loss, steps = forward(weights, *data)
        for w, dw, (m, v) in zip(weights, backward(weights, steps, *data), means):  # Adam
            m[...], v[...] = 0.9 * m + 0.1 * dw, 0.99 * v + 0.01 * dw**2
            w -= RATE * (1 - k / STEPS) * m / (1 - 0.9**k) / (np.sqrt(v / (1 - 0.99**k)) + 1e-8)
        if k % 200 == 0:
            print(f"step {k}: held-out loss {forward(weights, *batch(held, letters))[0]:.3f}")
    for name in [""] * 10:
        while not name.endswith("\n") and len(name) < 40:
            p = forward(weights, *batch([name], letters))[1][-1][-1][0]
            name += letters[rng.choice(len(p), p=p)]
        print(name.strip())

if __name__ == "__main__":
    try:
        main(*sys.argv[1:2])
    except (OSError, ValueError) as error:
        print(f"error: {error}; give UTF-8 text, one name a line", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
