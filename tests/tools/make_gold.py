"""Write tests/gold/*.npz: what PyTorch, Keras and ONNX compute for small fixed problems.

    pip install torch keras onnx
    python tests/tools/make_gold.py

The files are committed, so the tests need NumPy alone; run this only to add a case. Everything is
float64 and seeded, and sizes differ pairwise, so that a transposed axis cannot pass. A framework
that is not installed is named and passed over; its files stay as they are.

Keys: x, sizes (packed), h0, c0 and the upstream gradients doutput, dhn, dcn go in; output, hn, cn,
dx, dh0, dc0 come out; weights are w.NAME and their gradients g.NAME, in the framework's layout.
"""

import importlib.util
import io
import os
import zipfile
from pathlib import Path

import numpy as np

GOLD = Path(__file__).resolve().parents[1] / "gold"
LENGTHS = [5, 4, 2, 2]  # of the packed sequences: N = 4, T = 5


def write(name, arrays):
    """An .npz that is the same, byte for byte, every time: np.savez stamps the hour into it."""
    GOLD.mkdir(exist_ok=True)
    with zipfile.ZipFile(GOLD / f"{name}.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for key, array in arrays.items():
            buffer = io.BytesIO()
            np.save(buffer, np.asarray(array), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{key}.npy")
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, buffer.getvalue())


def normal(rng, *shape, scale=1.0):
    """Normal numbers, rounded to multiples of 1/256: these compress to a third."""
    return np.round(256 * scale * rng.standard_normal(shape)) / 256


# PyTorch


def make_pytorch():
    import torch

    torch.set_default_dtype(torch.float64)
    version = torch.__version__.split("+")[0]
    seed = 0
    for kind in ("rnn_tanh", "rnn_relu", "lstm", "gru"):
        for num_layers, directions, packed, bias in [
            (1, 1, False, True),
            (1, 2, True, True),
            (2, 1, True, False),
            (2, 2, False, False),
            (3, 1, False, True),
            (3, 2, True, True),
        ]:
            seed += 1
            name = f"pytorch_{kind}_{num_layers}layer_{'bi' if directions == 2 else 'uni'}"
            name += ("_packed" if packed else "_dense") + ("" if bias else "_nobias")
            arrays = pytorch_layer(torch, kind, num_layers, directions, packed, bias, seed)
            write(name, {"version": version} | arrays)
    write("pytorch_optimisers", {"version": version} | pytorch_optimisers(torch))
    write("pytorch_schedules", {"version": version} | pytorch_schedules(torch))
    write("pytorch_cross_entropy", {"version": version} | pytorch_cross_entropy(torch))
    write("pytorch_clip", {"version": version} | pytorch_clip(torch))
    write("pytorch_classifier", {"version": version} | pytorch_classifier(torch))


def pytorch_layer(torch, kind, num_layers, directions, packed, bias, seed):
    """One forward and backward pass with random gradients on the outputs and final states."""
    rng = np.random.default_rng(seed)
    # T, N, D, H differ pairwise, and so do D, H and the 2 H that a second layer reads
    T, N, D, H = (5, 4, 2, 3) if packed else (5, 3, 4, 6) if num_layers == 1 else (6, 3, 5, 2)
    options = {"num_layers": num_layers, "bidirectional": directions == 2, "bias": bias}
    if kind.startswith("rnn"):
        layer = torch.nn.RNN(D, H, nonlinearity=kind[4:], **options)
    else:
        layer = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[kind](D, H, **options)
    for parameter in layer.parameters():
        parameter.data = torch.from_numpy(normal(rng, *parameter.shape, scale=0.7))

    def draw(*shape, leaf=True):
        return torch.from_numpy(normal(rng, *shape)).requires_grad_(leaf)

    names = ("h", "c") if kind == "lstm" else ("h",)
    x = draw(sum(LENGTHS), D) if packed else draw(T, N, D)
    state = [draw(num_layers * directions, N, H) for _ in names]
    given = tuple(state) if kind == "lstm" else state[0]
    arrays = {"kind": kind, "num_layers": num_layers, "directions": directions, "bias": bias}
    if packed:
        sizes = torch.tensor([sum(length > t for length in LENGTHS) for t in range(T)])
        arrays["sizes"] = sizes
        output, final = layer(torch.nn.utils.rnn.PackedSequence(x, sizes), given)
        output = output.data
    else:
        output, final = layer(x, given)
    final = final if kind == "lstm" else (final,)
    doutput = draw(*output.shape, leaf=False)
    dfinal = [draw(*array.shape, leaf=False) for array in final]
    torch.autograd.backward([output, *final], [doutput, *dfinal])

    arrays |= {"x": x, "output": output, "doutput": doutput, "dx": x.grad}
    for name, start, end, dend in zip(names, state, final, dfinal, strict=True):
        arrays |= {f"{name}0": start, f"{name}n": end, f"d{name}n": dend, f"d{name}0": start.grad}
    for name, parameter in layer.named_parameters():
        arrays |= {f"w.{name}": parameter, f"g.{name}": parameter.grad}
    return {k: v.detach() if torch.is_tensor(v) else v for k, v in arrays.items()}


# The optimisers, each with the options that it was given
OPTIMISERS = {
    "sgd": ("SGD", {"lr": 0.1}),
    "sgd_momentum": ("SGD", {"lr": 0.05, "momentum": 0.9}),
    "sgd_nesterov": ("SGD", {"lr": 0.05, "momentum": 0.8, "nesterov": True}),
    "sgd_decay": ("SGD", {"lr": 0.1, "weight_decay": 0.03}),
    "sgd_momentum_decay": ("SGD", {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.03}),
    "sgd_nesterov_decay": (
        "SGD",
        {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.03, "nesterov": True},
    ),
    "adam": ("Adam", {"lr": 0.01}),
    "adam_betas_eps": ("Adam", {"lr": 0.02, "betas": (0.7, 0.95), "eps": 1e-3}),
    "adam_decay": ("Adam", {"lr": 0.01, "weight_decay": 0.1}),
    "adamw": ("AdamW", {"lr": 0.01}),
    "adamw_decay": ("AdamW", {"lr": 0.02, "weight_decay": 0.3}),
}


def pytorch_optimisers(torch):
    """20 steps: start.K and grads.K [20, ..] go in, CASE.after.K [20, ..] comes out."""
    rng = np.random.default_rng(100)
    shapes, steps = [(2, 3), (4,), (1, 2, 2)], 20
    starts = [normal(rng, *shape) for shape in shapes]
    grads = [normal(rng, steps, *shape) for shape in shapes]
    grads[1][:, 0] = 0  # an entry whose gradient is always zero: Adam divides by eps alone there
    arrays = {"steps": steps, "cases": list(OPTIMISERS)}
    for k, (start, grad) in enumerate(zip(starts, grads, strict=True)):
        arrays |= {f"start.{k}": start, f"grads.{k}": grad}
    for case, (kind, options) in OPTIMISERS.items():
        parameters = [torch.nn.Parameter(torch.from_numpy(start.copy())) for start in starts]
        optimiser = getattr(torch.optim, kind)(parameters, **options)
        after = [[] for _ in parameters]
        for step in range(steps):
            for k, parameter in enumerate(parameters):
                parameter.grad = torch.from_numpy(grads[k][step].copy())
            optimiser.step()
            for k, parameter in enumerate(parameters):
                after[k].append(parameter.detach().numpy().copy())
        arrays[f"{case}.kind"] = kind
        arrays |= {f"{case}.option.{name}": value for name, value in options.items()}
        arrays |= {f"{case}.after.{k}": np.stack(array) for k, array in enumerate(after)}
    # AdamW decays by 0.01 if it is not told otherwise; say so, that nobody has to know
    arrays["adamw.option.weight_decay"] = 0.01
    return arrays


SCHEDULES = {
    "one_cycle": ("OneCycleLR", {"max_lr": 0.4, "total_steps": 20}),
    "one_cycle_options": (
        "OneCycleLR",
        {"max_lr": 0.4, "total_steps": 20, "pct_start": 0.2, "div_factor": 10.0,
         "final_div_factor": 100.0},
    ),
    "step": ("StepLR", {"step_size": 6, "gamma": 0.3}),
    "cosine": ("CosineAnnealingLR", {"T_max": 20}),
    "cosine_floor": ("CosineAnnealingLR", {"T_max": 19, "eta_min": 0.02}),
}  # fmt: skip


def pytorch_schedules(torch):
    """CASE.lr [20]: the learning rate with which each step was taken; base_lr is the optimiser's.

    OneCycleLR takes no base_lr: it starts at max_lr / div_factor (25 if not given) and ends at
    that / final_div_factor (1e4), after a rise over pct_start (0.3) of the steps.
    """
    arrays = {"cases": list(SCHEDULES), "base_lr": 0.5}
    for case, (kind, options) in SCHEDULES.items():
        optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
        more = {"cycle_momentum": False} if kind == "OneCycleLR" else {}
        schedule = getattr(torch.optim.lr_scheduler, kind)(optimiser, **options, **more)
        rates = []
        for step in range(20):
            rates.append(optimiser.param_groups[0]["lr"])
            optimiser.step()
            if step < 19:  # OneCycleLR refuses to go beyond its last step
                schedule.step()
        arrays |= {f"{case}.kind": kind, f"{case}.lr": rates}
        arrays |= {f"{case}.option.{name}": value for name, value in options.items()}
    return arrays


def pytorch_cross_entropy(torch):
    """CASE.REDUCTION.value and .gradient for CASE.logits [M, K] and CASE.targets [M]."""
    rng = np.random.default_rng(200)
    arrays = {"ignore_index": -100, "cases": ["plain", "ignored", "large"]}
    for case, scale in [("plain", 1), ("ignored", 2), ("large", 1000)]:
        logits = normal(rng, 7, 5, scale=scale)
        targets = rng.integers(0, 5, 7)
        if case != "plain":
            targets[[1, 4, 5]] = -100
        arrays |= {f"{case}.logits": logits, f"{case}.targets": targets}
        for reduction in ("mean", "sum"):
            leaf = torch.from_numpy(logits).requires_grad_()
            loss = torch.nn.functional.cross_entropy(
                leaf, torch.from_numpy(targets), ignore_index=-100, reduction=reduction
            )
            loss.backward()
            arrays[f"{case}.{reduction}.value"] = loss.item()
            arrays[f"{case}.{reduction}.gradient"] = leaf.grad.numpy()
            leaf.grad = None
    return arrays


def pytorch_clip(torch):
    """CASE.max_norm and grads.K go in; CASE.norm, before clipping, and CASE.clipped.K come out."""
    rng = np.random.default_rng(300)
    grads = [normal(rng, *shape) for shape in [(3, 4), (5,), (2, 3, 2)]]
    arrays = {"cases": ["above", "below"]} | {f"grads.{k}": g for k, g in enumerate(grads)}
    for case, max_norm in [("above", 1.5), ("below", 50.0)]:
        parameters = [torch.nn.Parameter(torch.zeros(grad.shape)) for grad in grads]
        for parameter, grad in zip(parameters, grads, strict=True):
            parameter.grad = torch.from_numpy(grad.copy())
        norm = torch.nn.utils.clip_grad_norm_(parameters, max_norm)
        arrays |= {f"{case}.max_norm": max_norm, f"{case}.norm": norm.item()}
        arrays |= {f"{case}.clipped.{k}": p.grad.numpy() for k, p in enumerate(parameters)}
    return arrays


def pytorch_classifier(torch):
    """An nn.LSTM and a Linear, trained in float32 to say which of three letters came first.

    state.NAME is the state_dict of the trained module, as saved; logits (float64) and
    predictions are its answers to x, dense [T, N, D] one-hot rows.
    """
    torch.manual_seed(400)
    T, N, D, H, K = 6, 40, 5, 8, 3

    class Classifier(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = torch.nn.LSTM(D, H, dtype=torch.float32)
            self.out = torch.nn.Linear(H, K, dtype=torch.float32)

        def forward(self, x):
            return self.out(self.lstm(x)[0][-1])

    def batch(n):
        letters = torch.randint(0, D, (T, n))
        letters[0] = torch.randint(0, K, (n,))
        return torch.nn.functional.one_hot(letters, D), letters[0]

    net = Classifier()
    optimiser = torch.optim.Adam(net.parameters(), lr=0.02)
    for _ in range(400):
        x, label = batch(64)
        loss = torch.nn.functional.cross_entropy(net(x.float()), label)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    x, label = batch(N)
    state = {f"state.{k}": v.numpy().copy() for k, v in net.state_dict().items()}
    with torch.no_grad():
        predictions = net(x.float()).argmax(axis=1)
        logits = net.double()(x.double())
    arrays = {"x": x.numpy().astype("int8"), "labels": label, "predictions": predictions}
    return arrays | {"logits": logits} | state


# ONNX


def make_onnx():
    import onnx
    from onnx.reference import ReferenceEvaluator

    seed = 500
    for kind in ("rnn", "lstm", "gru_before", "gru_after"):
        for num_layers, directions, bias in [
            (1, 1, True),
            (1, 2, True),
            (1, 1, False),
            (2, 2, True),
        ]:
            seed += 1
            name = f"onnx_{kind}_{num_layers}layer_{'bi' if directions == 2 else 'uni'}"
            arrays = onnx_layers(onnx, ReferenceEvaluator, kind, num_layers, directions, bias, seed)
            write(name + ("" if bias else "_nobias"), {"version": onnx.__version__} | arrays)


def onnx_layers(onnx, ReferenceEvaluator, kind, num_layers, directions, bias, seed):
    """Forward only: the reference evaluator has no gradients. Layers are W.0, W.1, ..."""
    rng = np.random.default_rng(seed)
    T, N, D, H = (4, 3, 5, 2) if num_layers == 1 else (5, 4, 2, 3)
    op, G = {"rnn": ("RNN", 1), "lstm": ("LSTM", 4)}.get(kind, ("GRU", 3))
    names = ("h", "c") if kind == "lstm" else ("h",)
    x = normal(rng, T, N, D)
    state = [normal(rng, num_layers * directions, N, H) for _ in names]
    arrays = {
        "kind": kind,
        "num_layers": num_layers,
        "directions": directions,
        "bias": bias,
        "x": x,
    }
    arrays |= {f"{name}0": start for name, start in zip(names, state, strict=True)}
    finals = [[] for _ in names]
    for k in range(num_layers):
        weights = {
            "W": normal(rng, directions, G * H, x.shape[2], scale=0.7),
            "R": normal(rng, directions, G * H, H, scale=0.7),
        }
        if bias:
            weights["B"] = normal(rng, directions, 2 * G * H, scale=0.7)
        starts = [start[k * directions : (k + 1) * directions] for start in state]
        inputs = {"X": x} | weights
        inputs |= {f"initial_{name}": s for name, s in zip(names, starts, strict=True)}
        order = ["X", "W", "R", "B" if bias else "", "", *list(inputs)[-len(names) :]]
        attributes = {"hidden_size": H, "direction": ["forward", "bidirectional"][directions - 1]}
        if op == "RNN":  # its default, one Tanh, fits one direction only
            attributes["activations"] = ["Tanh"] * directions
        if op == "GRU":
            attributes["linear_before_reset"] = int(kind == "gru_after")
        outputs = ["Y", *(f"Y_{name}" for name in names)]
        node = onnx.helper.make_node(op, order, outputs, **attributes)
        double = onnx.TensorProto.DOUBLE
        graph = onnx.helper.make_graph(
            [node],
            kind,
            [onnx.helper.make_tensor_value_info(key, double, a.shape) for key, a in inputs.items()],
            [
                onnx.helper.make_tensor_value_info(key, double, [None] * (4 - (key != "Y")))
                for key in outputs
            ],
        )
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 14)])
        onnx.checker.check_model(model)
        Y, *ends = ReferenceEvaluator(model).run(None, inputs)
        for d in range(directions):
            specified = onnx_specification(kind, x, weights, [s[d] for s in starts], d)
            for ours, theirs in zip(specified, [Y[:, d], *(e[d] for e in ends)], strict=True):
                assert np.allclose(ours, theirs, rtol=1e-12, atol=1e-12), (kind, k, d)
        for kept, end in zip(finals, ends, strict=True):
            kept.append(end)
        arrays |= {f"w.{key}.{k}": a for key, a in weights.items()}
        x = Y.transpose(0, 2, 1, 3).reshape(T, N, -1)
    arrays["output"] = x
    return arrays | {f"{n}n": np.concatenate(e) for n, e in zip(names, finals, strict=True)}


def onnx_specification(kind, x, weights, state, d):
    """Direction d, one row at a time.

    The reference evaluator is young (older ones ran one direction only), so what it says is held
    against the equations of its operator pages before it becomes gold.
    """
    W, R = weights["W"][d], weights["R"][d]
    Wb, Rb = np.split(weights["B"][d] if "B" in weights else np.zeros(2 * len(W)), 2)
    T, N, _ = x.shape
    Y = np.zeros((T, N, R.shape[1]))
    final = [np.zeros_like(array) for array in state]
    for row in range(N):
        h, c = state[0][row], state[-1][row]
        for t in reversed(range(T)) if d else range(T):
            h, c = onnx_step(kind, x[t, row], h, c, W, R, Wb, Rb)
            Y[t, row] = h
        for array, end in zip(final, (h, c), strict=False):
            array[row] = end
    return Y, *final


def onnx_step(kind, x, h, c, W, R, Wb, Rb):
    """The equations of https://onnx.ai/onnx/operators/onnx__GRU.html, __LSTM and __RNN."""

    def part(array, k):
        return array[k * len(h) : (k + 1) * len(h)]

    def gate(k, h):
        return part(W, k) @ x + part(R, k) @ h + part(Wb, k) + part(Rb, k)

    def sigmoid(a):
        return 1 / (1 + np.exp(-a))

    if kind == "rnn":
        return np.tanh(gate(0, h)), c
    if kind == "lstm":
        i, o, f = (sigmoid(gate(k, h)) for k in (0, 1, 2))
        c = f * c + i * np.tanh(gate(3, h))
        return o * np.tanh(c), c
    z, r = (sigmoid(gate(k, h)) for k in (0, 1))
    if kind == "gru_before":
        n = np.tanh(gate(2, r * h))
    else:
        n = np.tanh(part(W, 2) @ x + r * (part(R, 2) @ h + part(Rb, 2)) + part(Wb, 2))
    return (1 - z) * n + z * h, c


# Keras


def make_keras():
    os.environ["KERAS_BACKEND"] = "torch"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras
    import torch

    keras.config.set_floatx("float64")
    # Keras computes in 32 bits wherever it works out a type itself, on every backend but
    # TensorFlow and whatever floatx says: ops.matmul of float64 gives float32
    keras.src.backend.common.dtypes.BIT64_TO_BIT32_DTYPE.pop("float64")
    seed = 600
    for kind in ("simplernn", "lstm", "gru_before", "gru_after"):
        for num_layers, directions, bias in [
            (1, 1, True),
            (1, 2, True),
            (1, 1, False),
            (2, 2, True),
        ]:
            seed += 1
            name = f"keras_{kind}_{num_layers}layer_{'bi' if directions == 2 else 'uni'}"
            arrays = keras_layers(keras, torch, kind, num_layers, directions, bias, seed)
            write(name + ("" if bias else "_nobias"), {"version": keras.__version__} | arrays)


def keras_layers(keras, torch, kind, num_layers, directions, bias, seed):
    """Outputs, states and gradients by torch's autograd. Weights are w.kernel.K and so on, with K
    counting layers and directions; x and output are turned to [T, N, ..], as minirnn has them.
    """
    rng = np.random.default_rng(seed)
    T, N, D, H = (4, 3, 5, 2) if num_layers == 1 else (5, 4, 2, 3)
    device = keras.src.backend.torch.core.get_device()
    names = ("h", "c") if kind == "lstm" else ("h",)

    def draw(*shape, leaf=True):
        return torch.tensor(normal(rng, *shape), device=device, requires_grad=leaf)

    def layer():
        options = {"use_bias": bias, "return_sequences": True, "return_state": True}
        if kind == "simplernn":
            return keras.layers.SimpleRNN(H, **options)
        options["use_cudnn"] = False  # else it is PyTorch's own layer that computes
        if kind == "lstm":
            return keras.layers.LSTM(H, **options)
        return keras.layers.GRU(H, reset_after=kind == "gru_after", **options)

    x = draw(T, N, D)
    state = [draw(num_layers * directions, N, H) for _ in names]
    output, finals, variables = x.transpose(0, 1), [[] for _ in names], []
    for k in range(num_layers):
        net = layer() if directions == 1 else keras.layers.Bidirectional(layer())
        rows = range(k * directions, (k + 1) * directions)
        net.build(tuple(output.shape))
        for variable in net.trainable_weights:
            variable.assign(normal(rng, *variable.shape, scale=0.7))
        variables += net.trainable_weights
        output, *ends = net(output, initial_state=[s[row] for row in rows for s in state])
        for j in range(len(names)):
            finals[j] += ends[j :: len(names)]
    output = output.transpose(0, 1)
    final = [torch.stack(ends) for ends in finals]
    doutput = draw(*output.shape, leaf=False)
    dfinal = [draw(*array.shape, leaf=False) for array in final]
    torch.autograd.backward([output, *final], [doutput, *dfinal])

    arrays = {"kind": kind, "num_layers": num_layers, "directions": directions, "bias": bias}
    arrays |= {"x": x, "output": output, "doutput": doutput, "dx": x.grad}
    for name, start, end, dend in zip(names, state, final, dfinal, strict=True):
        arrays |= {f"{name}0": start, f"{name}n": end, f"d{name}n": dend, f"d{name}0": start.grad}
    per_layer = 3 if bias else 2
    for position, variable in enumerate(variables):
        key = f"{variable.name}.{position // per_layer}"
        arrays |= {f"w.{key}": variable.value, f"g.{key}": variable.value.grad}
    return {k: v.detach().cpu() if torch.is_tensor(v) else v for k, v in arrays.items()}


def main():
    for framework, needs, make in [
        ("PyTorch", ["torch"], make_pytorch),
        ("ONNX", ["onnx"], make_onnx),
        ("Keras", ["keras", "torch"], make_keras),
    ]:
        missing = [name for name in needs if importlib.util.find_spec(name) is None]
        if missing:
            print(f"{framework}: skipped, because {', '.join(missing)} is not installed")
        else:
            make()
            print(f"{framework}: done")
    files = sorted(GOLD.glob("*.npz"))
    print(f"{len(files)} files, {sum(file.stat().st_size for file in files) / 1000:.0f} kB")


if __name__ == "__main__":
    main()
