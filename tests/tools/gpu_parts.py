"""The parts of `gpu.py`, each run as a process: python gpu_parts.py PART BACKEND RESULTS.json.

A part is a function that fills a dict, which is written after every step, and prints as it goes.
On a pretended card sizes are small: it shows that everything runs, not how fast.
"""

import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

PART, BACKEND, RESULTS = sys.argv[1], sys.argv[2], Path(sys.argv[3])
REAL = BACKEND == "cupy"
ROOT = Path(__file__).resolve().parents[2]
TF32 = 2e-5  # in float32 a product is off by less, with TF32 by some 3e-4

found = {}  # what the part has found


def put(**more):
    """Add to the results, and write them."""
    found.update(more)
    RESULTS.write_text(json.dumps(found, indent=1))


def start():
    """Bring the backend in; (its module, its name for `backend.use`)."""
    from minirnn import backend

    if BACKEND == "strict":
        import strict

        backend.register("strict", strict)
        return backend.use("strict"), "strict"
    if BACKEND == "emulated":
        from emulated_card import card

        card.insert()
    return backend.use("cupy"), "cupy"


def torch_cuda():
    """PyTorch with a GPU, without TF32; None where there is none."""
    try:
        import torch
    except ImportError:
        return None
    if not REAL or not torch.cuda.is_available():
        return None
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    return torch


def off(a, b):
    """The distance of a from b relative to b, both on the host."""
    a, b = np.asarray(a, "float64"), np.asarray(b, "float64")
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


class Clock:
    """Seconds of a call from an idle device to an idle one, and of ordering it from the host."""

    def __init__(self, xp):
        self.wait = xp.cuda.runtime.deviceSynchronize if hasattr(xp, "cuda") else lambda: None
        self.least, self.rounds = (0.05, 5) if REAL else (0.0, 1)

    def once(self, function, repeats):
        self.wait()
        began = time.perf_counter()
        for _ in range(repeats):
            function()
        ordered = time.perf_counter()
        self.wait()
        return (time.perf_counter() - began) / repeats, (ordered - began) / repeats

    def interleaved(self, functions):
        """{name: {"ms": [quartile, median, quartile], "host_ms": median}}, timed in turn."""
        repeats = {}
        for name, function in functions.items():
            self.once(function, 1 if not REAL else 3)
            repeats[name] = max(1, int(self.least / self.once(function, 1)[0]))
        times = {name: [] for name in functions}
        for _ in range(self.rounds):
            for name, function in functions.items():
                times[name].append(self.once(function, repeats[name]))
        result = {}
        for name, rounds in times.items():
            total, host = ([1000 * t for t in column] for column in zip(*rounds, strict=True))
            quartiles = np.percentile(total, [25, 50, 75]).round(4).tolist()
            result[name] = {"ms": quartiles, "host_ms": round(statistics.median(host), 4)}
        return result


# The parts


def machine():
    xp, name = start()
    put(python=platform.python_version(), numpy=np.__version__, cores=os.cpu_count())
    print(f"Python {found['python']}, NumPy {found['numpy']}, {found['cores']} cores")
    if name == "cupy":
        runtime = xp.cuda.runtime
        device = runtime.getDeviceProperties(0)["name"].decode()
        put(device=device, cupy=xp.__version__, driver=runtime.driverGetVersion(),
            runtime=runtime.runtimeGetVersion(), memory_GiB=runtime.memGetInfo()[1] >> 30,
            CUPY_TF32=os.environ.get("CUPY_TF32", "0"))  # fmt: skip
        tf32 = f"CUPY_TF32={found['CUPY_TF32']}"
        print(f"{device}, CuPy {xp.__version__}, driver {found['driver']}, {tf32}")
    if torch := torch_cuda():
        put(
            torch=torch.__version__,
            cudnn=torch.backends.cudnn.version(),
            torch_tf32=[torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32],
        )
        print(f"PyTorch {torch.__version__}, cuDNN {found['cudnn']}, TF32 {found['torch_tf32']}")
    if shutil.which("nvidia-smi") and REAL:
        query = "name,driver_version,clocks.sm,clocks.max.sm,temperature.gpu,utilization.gpu"
        done = subprocess.run(["nvidia-smi", f"--query-gpu={query}", "--format=csv,noheader"],
                              capture_output=True, text=True)  # fmt: skip
        put(nvidia_smi=done.stdout.strip())
        print(done.stdout.strip())


def tests():
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--maxfail=20"]
    command += ["-m", "gpu", "tests/test_backends.py", "tests/test_cuda.py"]
    if BACKEND == "emulated":
        command += ["-p", "emulated_card.plugin"]
    if not REAL:
        command[-1:] += ["-k", "test_products_of_rows"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    lines = done.stdout.strip().splitlines()
    print("\n".join(lines[-40:] if done.returncode else lines[-1:]))
    put(said=lines[-1] if lines else done.stderr[-500:], exit_code=done.returncode)
    return done.returncode if BACKEND != "strict" else 0


def correct():
    xp, name = start()
    from minirnn import backend
    from minirnn.backend import asarray, asnumpy
    from minirnn.functions import log_softmax
    from minirnn.recurrent import Recurrent
    from minirnn.stacked import GRU, LSTM, RNN

    rows = []

    def check(what, value, bound):
        rows.append({"what": what, "off": value, "bound": bound, "right": bool(value <= bound)})
        put(checks=rows)
        print("ok   " if value <= bound else "WRONG", what, f"{value:.1e} (at most {bound:.0e})")

    rng, size = np.random.default_rng(0), 512 if REAL else 24
    A, B = rng.standard_normal((64, size)), rng.standard_normal((4, size, size))
    device_A, device_B = asarray(A, "float32"), asarray(B, "float32")
    check("A @ B, two matrices in float32", off(asnumpy(device_A @ device_B[0]), A @ B[0]), TF32)
    check("A @ B, one with four", off(asnumpy(device_A @ device_B), A @ B), TF32)
    if name == "cupy":
        from minirnn.cuda.products import RowProduct

        C = xp.zeros((64, size), "float32")
        RowProduct(device_A, device_B[0], C)(0, 0, 64)
        check("the same through RowProduct", off(asnumpy(C), A @ B[0]), TF32)
    if torch := torch_cuda():
        lstm = torch.nn.LSTM(size, size)
        exact = lstm.double()(torch.from_numpy(A[:, None]))[0].detach().numpy()
        value = lstm.float().cuda()(torch.from_numpy(A[:, None]).float().cuda())[0]
        check("cuDNN's LSTM in float32", off(value.detach().cpu().numpy(), exact), TF32)
    check("sum over everything", off(asnumpy(device_A.sum()), A.sum()), 1e-4)
    check(
        "sum of squares",
        off(asnumpy(xp.vdot(device_A.ravel(), device_A.ravel())), (A * A).sum()),
        1e-5,
    )
    check("log-softmax", off(asnumpy(log_softmax(device_A)), log_softmax(A)), 1e-5)

    def run(on, net, dtype="float32", large=False, clear=False, **types):
        backend.use(on)
        D, H, layers, T, N = (64, 256, 2, 20, 48) if large and REAL else (3, 5, 2, 4, 3)
        layer = net(D, H, num_layers=layers, bidirectional=True, rng=np.random.default_rng(0),
                    dtype=dtype)  # fmt: skip
        if clear:
            for one in layer.layers:
                one.__class__ = Recurrent
        numbers = np.random.default_rng(1)

        def draw(what, *shape):
            return asarray(numbers.standard_normal(shape).astype(types.get(what, dtype)))

        x, doutput = draw("x", T, N, D), draw("doutput", T, N, 2 * H)
        state, dfinal = (
            [draw(what, 2 * layers, N, H) for _ in layer.layers[0].cell.states]
            for what in ("state", "dfinal")
        )
        y, final, cache = layer.forward(x, state=state)
        dx, dstate = layer.backward(doutput, cache, dfinal)
        grads = [p.grad for p in layer.parameters()]
        return [asnumpy(a) for a in (y, *final, dx, *dstate, *grads)]

    nets = {"RNN": RNN, "LSTM": LSTM, "GRU": GRU,
            "GRU, reset before": lambda *a, **k: GRU(*a, reset_after=False, **k)}  # fmt: skip
    for net_name, net in nets.items():
        for dtype, bound in (("float32", 1e-4), ("float64", 1e-11)):
            mine, cpu = run(name, net, dtype, large=True), run("numpy", net, dtype, large=True)
            value = max(map(off, mine, cpu))
            check(f"{net_name}, two layers, both directions, {dtype}", value, bound)
        again = run(name, net, large=True)
        same = all((a == b).all() for a, b in zip(run(name, net, large=True), again, strict=True))
        check(f"{net_name}, the same bits twice", 0.0 if same else 1.0, 0)
        value = max(map(off, run(name, net, clear=True), run("numpy", net)))
        check(f"{net_name}, the clear loop", value, 1e-5)
        for what in ("x", "state", "doutput", "dfinal"):
            for dtype, other in (("float32", "float64"), ("float64", "float32")):
                mine, cpu = (run(on, net, dtype, **{what: other}) for on in (name, "numpy"))
                check(f"{net_name} in {dtype}, {what} in {other}", max(map(off, mine, cpu)), 1e-5)
    if name == "cupy":
        pool = xp.get_default_memory_pool()
        run(name, LSTM, large=True)
        before = pool.used_bytes()
        for _ in range(3):
            run(name, LSTM, large=True)
        check("bytes more after three more runs", float(pool.used_bytes() - before), 0)
    return sum(not row["right"] for row in rows)


def calls():
    xp, name = start()
    from minirnn.backend import asarray

    if name != "cupy":
        print("nothing to time without CuPy")
        return put(rows=[])
    from minirnn.cells import LSTMCell
    from minirnn.cuda.products import RowProduct
    from minirnn.cuda.recurrent import LSTMLoop, side_by_side, turned

    clock, rows = Clock(xp), []
    for n, H in ((256, 128), (64, 512)) if REAL else ((4, 8),):
        rng = np.random.default_rng(0)

        def draw(*shape, rng=rng):
            return asarray(rng.standard_normal(shape).astype("float32"))

        h, W, joint, gates = draw(n, H), draw(4, H, H), draw(H, 4 * H), draw(n, 4 * H)
        forward = RowProduct(h, joint, gates, add=True)
        backward = RowProduct(gates, turned(W, W.dtype), h)
        loop = LSTMLoop(LSTMCell(), W, None, gates, [n], None)
        step, back = loop.kernel("lstm_forward"), loop.kernel("lstm_backward")
        c, out, da = h.copy(), h.copy(), gates.copy()
        arguments = gates, h, c, out, loop.h_prevs, loop.c_prevs, loop.tanh_cs
        back_arguments = gates, loop.c_prevs, loop.tanh_cs, out, h, c, da
        functions = {
            "h Wh by RowProduct": lambda f=forward, n=n: f(0, 0, n),
            "da Wh^T by RowProduct": lambda f=backward, n=n: f(0, 0, n),
            "kernel forward": lambda f=step, n=n, a=arguments: f(0, n, a),
            "kernel backward": lambda f=back, n=n, a=back_arguments: f(0, n, a),
            "h @ Wh, gates first": lambda h=h, W=W: h @ W,
            "h @ Wh, side by side": lambda h=h, W=joint: h @ W,
            "a + b": lambda h=h: h + h,
            "tanh": lambda h=h: xp.tanh(h),
            "weights side by side": lambda W=W: side_by_side(W, W.dtype),
            "sum over rows": lambda g=gates: g.sum(axis=0),
            "the same as a product": lambda g=gates, n=n: xp.ones(n, "float32") @ g,
            "a NumPy array to the card": lambda n=n: asarray(np.empty(n)),
        }
        for what, row in clock.interleaved(functions).items():
            rows.append({"n": n, "H": H, "what": what, **row})
            put(rows=rows)
            total, host = 1000 * row["ms"][1], 1000 * row["host_ms"]
            print(f"n={n} H={H} {what:28s} {total:8.1f} us, host {host:8.1f}")


def layers():
    xp, name = start()
    from benchmark_cases import Case, Ours, batches_of, check_same, floor

    from minirnn.recurrent import Recurrent

    torch, clock, rows = torch_cuda(), Clock(xp), []
    shapes = [("names", None, N, 128) for N in (64, 256, 1024)]
    shapes += [("dense", 100, 64, H) for H in (128, 512)]
    if not REAL:
        shapes = [("dense", 3, 2, 8)]
    for case in [Case(model, *shape) for model in ("lstm", "gru", "rnn") for shape in shapes]:
        batches = batches_of(case, np.random.default_rng(1))[:1]
        ours, clear = Ours(case, batches, name), Ours(case, batches, name)
        for layer in clear.net.layers:
            layer.__class__ = Recurrent
        contestants = {"ours": ours, "clear": clear}
        if torch:
            from benchmark_torch import Letters, TorchNN

            weights = ours.weights()
            contestants["cuDNN"] = TorchNN(case, batches, weights, "cuda")
            contestants["eager torch"] = Letters(case, batches, weights, "cuda")
            check_same(ours.results(), {"cuDNN": contestants["cuDNN"].results()})
        if name == "cupy":
            sync = clock.wait
            contestants["products"] = floor(case, batches, name, sync) if REAL else ours
        row = {"case": case.name}
        for what in ("train", "forward"):
            functions = {k: getattr(c, what) for k, c in contestants.items() if hasattr(c, what)}
            row[what] = clock.interleaved(functions)
        if torch:
            torch.backends.cudnn.allow_tf32 = True
            theirs = contestants["cuDNN"]
            row["train"] |= clock.interleaved({"cuDNN with TF32": theirs.train})
            torch.backends.cudnn.allow_tf32 = False
        rows.append(row)
        put(rows=rows)
        texts = [f"{k} {v['ms'][1]:.3f} (host {v['host_ms']:.3f})" for k, v in row["train"].items()]
        print(f"{case.name}: {', '.join(texts)} ms")


def names():
    """Speed first, one run after the other; then whole trainings beside each other."""
    script = ROOT / "examples" / "names.py"
    folder = Path(os.environ["GPU_PARTS_FOLDER"])
    small = [] if REAL else ["--hidden-size", "8", "--data", str(few_names(folder))]

    def command(backend, seed, batch, epochs, more=()):
        output = folder / f"{backend}-{seed}-{batch}-{epochs}"
        options = ["--backend", backend, "--seed", str(seed), "--batch-size", str(batch)]
        options += ["--epochs", str(epochs), "--output", str(output), *small, *more]
        before = [sys.executable]
        if BACKEND == "emulated" and backend == "cupy":
            before += ["-m", "emulated_card"]
        return [*before, str(script), *options], output

    def result(done, output):
        if done.returncode:
            print(done.stdout[-1500:], done.stderr[-1500:])
            raise SystemExit(done.returncode)
        return json.loads((output / "summary.json").read_text())

    def run(line):
        return subprocess.run(line, capture_output=True, text=True)

    there = ["numpy"] if BACKEND == "strict" else ["cupy", "numpy"]
    speed = []
    epochs = {"cupy": 20, "numpy": 3} if REAL else {"cupy": 1, "numpy": 1}
    runs = [("cupy", 128, 1)] if REAL else []  # the first: every kernel is compiled in it
    runs += [(backend, batch, epochs[backend]) for batch in (128, 1024) for backend in there]
    for backend, batch, count in runs if REAL else runs[: len(there)]:
        line, output = command(backend, 0, batch if REAL else 8, count)
        began = time.perf_counter()
        result_here = result(run(line), output)
        row = {"backend": backend, "batch": batch, "epochs": count,
               "names_per_second": result_here["names_per_second"],
               "seconds": round(time.perf_counter() - began, 1)}  # fmt: skip
        speed.append(row)
        put(speed=speed)
        print(f"{backend}, batch {batch}, {count} epochs: {row['names_per_second']:,.0f} names/s, "
              f"{row['seconds']} s in all")  # fmt: skip
    jobs = []
    for seed in (0, 1, 2) if REAL else (0,):
        for backend in there:
            line, output = command(backend, seed, 128 if REAL else 8, 20 if REAL else 1)
            process = subprocess.Popen(
                line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
            jobs.append((backend, seed, process, output))
    accuracy = []
    for backend, seed, process, output in jobs:
        out, err = process.communicate()
        done = subprocess.CompletedProcess(process.args, process.returncode, out, err)
        result_here = result(done, output)
        row = {"backend": backend, "seed": seed}
        row |= {k: result_here[k] for k in ("test_accuracy", "test_balanced_accuracy", "loss_first",
                                           "loss_last")}  # fmt: skip
        accuracy.append(row)
        put(accuracy=accuracy)
        natural, balanced = row["test_accuracy"], row["test_balanced_accuracy"]
        print(
            f"{backend}, seed {seed}: natural {natural:.4f}, balanced {balanced:.4f}, first loss "
            f"{row['loss_first']:.6f}"
        )


def few_names(folder):
    """A folder with a few of the names, so that a dry run is short."""
    target = folder / "names"
    target.mkdir(exist_ok=True)
    for path in sorted((ROOT / "data" / "names").glob("*.txt"))[:3]:
        lines = path.read_text(encoding="utf-8").splitlines()[:24]
        (target / path.name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return target


def crossover():
    """From which sizes on is the card faster than NumPy on one thread and on all?"""
    xp, name = start()
    from benchmark_cases import Case, Ours, batches_of

    clock, rows = Clock(xp), []
    sizes = [(N, H) for N in (1, 16, 64, 256, 1024) for H in (64, 128, 512)] if REAL else [(1, 8)]
    for N, H in sizes:
        case = Case("lstm", "names", None, N, H)
        batches = batches_of(case, np.random.default_rng(1))[:1]
        functions = {on: Ours(case, batches, on).train for on in (name, "numpy")}
        times = clock.interleaved(functions)
        ms = {on: row["ms"][1] for on, row in times.items()}
        rows.append({"N": N, "H": H, "card_ms": ms[name], "numpy_ms": ms["numpy"]})
        put(rows=rows, threads=os.environ.get("OPENBLAS_NUM_THREADS", "all"))
        print(f"N={N} H={H}: card {ms[name]:.3f} ms, NumPy {ms['numpy']:.3f} ms")


def sanitizer():
    """CUDA's own memory checker over a few steps of every loop."""
    tool = shutil.which("compute-sanitizer")
    if tool is None or not REAL:
        put(said="there is no compute-sanitizer here")
        print(found["said"])
        if not REAL:
            steps()
        return 0
    command = [tool, "--tool", "memcheck", "--error-exitcode", "7", sys.executable, __file__,
               "steps", BACKEND, str(RESULTS.with_name("steps.json"))]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True)
    lines = (done.stdout + done.stderr).strip().splitlines()
    print("\n".join(lines[-20:]))
    put(said=next((line for line in lines[::-1] if "ERROR SUMMARY" in line), lines[-1]),
        exit_code=done.returncode)  # fmt: skip
    return done.returncode


def steps():
    """A step of every loop, dense and with unequal lengths."""
    start()
    from minirnn.backend import asarray
    from minirnn.cells import GRUBeforeCell, GRUCell, LSTMCell, RNNCell
    from minirnn.stacked import Stack

    for cell in (RNNCell, LSTMCell, GRUCell, GRUBeforeCell):
        for sizes, rows in ((None, (4, 33)), ([33, 33, 20, 1], (87,))):
            net = Stack(cell, 7, 45, rng=np.random.default_rng(0))
            x = np.random.default_rng(1).standard_normal((*rows, 7)).astype("float32")
            y, _, cache = net.forward(asarray(x), sizes, truncate=2)
            net.backward(y, cache)
    print("steps done")


if __name__ == "__main__":
    sys.exit(globals()[PART]() or 0)
