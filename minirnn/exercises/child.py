"""The process in which a hand-in runs: it computes what it is asked for, and knows no answers.

    python -I -S -B child.py LIMITS        LIMITS: a JSON object, see `sandbox.py`

One line of JSON comes in on standard input for each thing to compute, one goes out. Nothing of
minirnn can be imported here but copies of a few modules that no exercise asks for. From the moment
at which the hand-in is loaded, an audit hook, which Python code cannot take off again, ends the
process at the first attempt to write a file, to read a foreign one, or to start something.
"""

import base64
import importlib.util
import json
import os
import sys
import traceback

if __name__ == "__main__":  # before NumPy is looked for
    sys.path[:] = json.loads(sys.argv[1])["path"] + sys.path

import numpy as np  # noqa: E402
import numpy.linalg  # noqa: E402, F401  what NumPy loads late comes before the fence
import numpy.random  # noqa: E402, F401


def encoded(thing, depth=0):
    """JSON for what a hand-in returned: arrays as bytes, other objects as the name of their type."""
    if isinstance(thing, np.generic):
        thing = np.asarray(thing)
    if isinstance(thing, np.ndarray):
        if thing.dtype.kind not in "fiubc" or thing.size > 100_000:
            return {"object": f"array of {thing.dtype}, shape {thing.shape}"[:100]}
        data = base64.b64encode(np.ascontiguousarray(thing).tobytes()).decode()
        return {"array": [str(thing.dtype), list(thing.shape), data]}
    if isinstance(thing, (tuple, list)) and depth < 6 and len(thing) <= 1000:
        kind = "tuple" if isinstance(thing, tuple) else "list"
        return {kind: [encoded(part, depth + 1) for part in thing]}
    if isinstance(thing, dict) and depth < 6 and len(thing) <= 1000:
        return {"dict": {str(name): encoded(part, depth + 1) for name, part in thing.items()}}
    if thing is None or isinstance(thing, (bool, str)):
        return {"plain": thing if not isinstance(thing, str) else thing[:1000]}
    if isinstance(thing, (int, float)):
        return encoded(np.float64(thing), depth)
    return {"object": type(thing).__name__}


def decoded(thing):
    (kind, value), *_ = thing.items()
    if kind == "array":
        dtype, shape, data = value
        return np.frombuffer(base64.b64decode(data), dtype).reshape(shape).copy()
    if kind in ("tuple", "list"):
        return (tuple if kind == "tuple" else list)(decoded(part) for part in value)
    if kind == "dict":
        return {name: decoded(part) for name, part in value.items()}
    return value


def answer(request, hand_in):
    """What the hand-in makes of one request, or how it failed."""
    stage = ["loading"]
    try:
        result = TASKS[request["task"]](hand_in, decoded(request["given"]), stage)
        return {"result": encoded(result)}
    except BaseException as error:  # SystemExit and KeyboardInterrupt too: all are the hand-in's
        return failure(error, stage[0], hand_in)


def failure(error, stage, hand_in):
    lines = [(f.filename, f.lineno, f.line) for f in traceback.extract_tb(error.__traceback__)]
    own = [(number, line) for file, number, line in lines if str(file) == str(hand_in.path)]
    number, line = own[-1] if own else (getattr(error, "lineno", None), "")
    error_type = next(
        (n for n, k in [("NotImplementedError", NotImplementedError), ("MemoryError", MemoryError),
                        ("SystemExit", SystemExit), ("SyntaxError", SyntaxError)]
         if isinstance(error, k)), type(error).__name__)  # fmt: skip
    return {"error": {"type": error_type, "text": str(error)[:500], "stage": stage,
                      "line": number, "code": (line or "")[:120]}}  # fmt: skip


# What can be asked for. Each takes the hand-in and what is given, and says how far it got.


def function(hand_in, given, stage):
    stage[0] = given["name"]
    return getattr(hand_in.module, given["name"])(*given["arguments"])


def cell(hand_in, given, stage):
    """One step: forward and, if an upstream gradient is given, backward twice."""
    made = getattr(hand_in.module, given["name"])()
    product = Product(made.gates, given["Wh"], given["bh"])
    own = made.named_parameters() if hasattr(made, "named_parameters") else {}
    for name, parameter in own.items():
        if name in given:
            parameter.data, parameter.grad = given[name], np.zeros(given[name].shape)
    arrays = {"gx": given["gx"]}
    arrays |= {f"{s}_prev": given[f"{s}_prev"] for s in made.states}
    found = {"gates": made.gates, "states": tuple(made.states),
             "own": {n: p.data for n, p in own.items()}}  # fmt: skip
    stage[0] = "forward"
    state = tuple(arrays[f"{s}_prev"] for s in made.states)
    returned = made.forward(arrays["gx"], state, product)
    found["forward"] = returned[0] if isinstance(returned, tuple) and len(returned) == 2 else None
    found["returned"] = type(returned).__name__
    cache = returned[1] if found["forward"] is not None else None
    fields = getattr(cache, "_fields", ())
    found["fields"] = {name: getattr(cache, name) for name in fields}
    found["v"] = {name or "all": list(v) for name, v in product.inputs.items()}
    found["after"] = {name: array.copy() for name, array in arrays.items()}
    if given["upstream"] is None or cache is None:
        return found
    stage[0] = "backward"
    for name in ("first", "second"):
        upstream = tuple(u.copy() for u in given["upstream"])
        for parameter in own.values():
            parameter.grad[...] = 0
        undo = ProductBackward(product, given["gx"].shape[1], "float64")
        back = made.backward(upstream, cache, undo)
        found[name] = back
        found[f"{name} given"] = upstream
        found[f"{name} da"] = undo.da.copy()
        stage[0] = "weights"
        found[f"{name} weights"] = {"Wh": undo.weight_gradient(), "bh": undo.da.sum(axis=1)}
        found[f"{name} own"] = {n: p.grad.copy() for n, p in own.items()}
        stage[0] = "backward, called a second time"
    return found


def linear(hand_in, given, stage):
    K = given["W"].shape[1]
    layer = hand_in.module.Linear(len(given["W"]), K, rng=np.random.default_rng(0))
    for name in ("W", "b"):
        parameter = getattr(layer, name)
        parameter.data, parameter.grad = given[name], np.zeros(given[name].shape)
    stage[0] = "Linear.forward"
    y, cache = layer.forward(given["x"])
    found = {"y": y}
    if given["dy"] is not None:
        stage[0] = "Linear.backward"
        found["x"] = layer.backward(given["dy"], cache)
        found |= {"W": layer.W.grad.copy(), "b": layer.b.grad.copy()}
        layer.backward(given["dy"], cache)
        found |= {"W twice": layer.W.grad, "b twice": layer.b.grad}
    return found


def loss(hand_in, given, stage):
    made, labels = hand_in.module.CrossEntropy(), given["labels"].astype(int)
    stage[0] = "CrossEntropy.forward"
    value, cache = made.forward(given["logits"], labels)
    found = {"loss": value}
    if given["dloss"] is not None:
        stage[0] = "CrossEntropy.backward"
        found["logits"] = made.backward(cache, float(given["dloss"]))
    return found


def recurrent(hand_in, given, stage):
    D, H = given["Wx"].shape[1:]
    kept = np.random.default_rng(0)
    net = hand_in.module.Recurrent(PracticeCell, D, H, rng=kept, dtype="float64")
    names = ("Wx", "Wh", "bx", "bh")
    for name in names:
        parameter = getattr(net, name)
        parameter.data, parameter.grad = given[name], np.zeros(given[name].shape)
    state = tuple(given[f"{s}0"] for s in PracticeCell.states)
    sizes = None if given["sizes"] is None else [int(n) for n in given["sizes"]]
    stage[0] = "forward"
    output, final, cache = net.forward(given["x"], sizes, state)
    found = {"output": output, "final": final}
    if given["doutput"] is not None:
        stage[0] = "backward"
        dx, dstate = net.backward(given["doutput"], cache, given["dfinal"])
        found |= {"x": dx, "dstate": dstate}
        found |= {name: getattr(net, name).grad.copy() for name in names}
        net.backward(given["doutput"], cache, given["dfinal"])
        found |= {f"{name} twice": getattr(net, name).grad for name in names}
    return found


def sgd(hand_in, given, stage):
    parameters = [Parameter(data) for data in given["data"]]
    stage[0] = "SGD"
    optimizer = hand_in.module.SGD(parameters, float(given["lr"]), float(given["momentum"]))
    path, grads = [], []
    stage[0] = "SGD.step"
    for gradients in given["gradients"]:
        for p, gradient in zip(parameters, gradients, strict=True):
            p.grad[...] = gradient
        optimizer.step()
        path.append([p.data.copy() for p in parameters])
        grads.append([p.grad.copy() for p in parameters])
    return {"path": path, "grads": grads}


def clip(hand_in, given, stage):
    parameters = [Parameter(np.zeros(g.shape)) for g in given["gradients"]]
    for p, gradient in zip(parameters, given["gradients"], strict=True):
        p.grad[...] = gradient
    stage[0] = "clip_grad_norm"
    norm = hand_in.module.clip_grad_norm(parameters, float(given["max_norm"]))
    return {"norm": norm, "grads": [p.grad for p in parameters]}


TASKS = {f.__name__: f for f in (function, cell, linear, loss, recurrent, sgd, clip)}


class HandIn:
    """The file, and its module once it is loaded."""

    def __init__(self, path):
        self.path, self.module = path, None

    def load(self):
        sys.path.insert(0, os.path.dirname(self.path))
        spec = importlib.util.spec_from_file_location("hand_in", self.path)
        module = importlib.util.module_from_spec(spec)
        sys.modules["hand_in"] = module
        spec.loader.exec_module(module)
        self.module = module


def limit(limits):
    """Memory and processor time, where the platform knows such limits."""
    try:
        import resource
    except ImportError:  # Windows
        return
    for name, value in (
        ("RLIMIT_AS", limits["memory"]), ("RLIMIT_CPU", limits["seconds"] + 1), ("RLIMIT_CORE", 0)
    ):  # fmt: skip
        try:
            resource.setrlimit(getattr(resource, name), (value, value))
        except (ValueError, OSError, AttributeError):
            continue


def fence(limits, say):
    """Put up the audit hook. Reading is allowed where Python and NumPy live, and in the copy."""
    roots = [os.path.realpath(p) for p in (*limits["readable"], sys.prefix, sys.base_prefix)]
    forbidden = [os.path.realpath(p) for p in limits["unreadable"]]
    starts = ("subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork",
              "os.startfile", "os.kill", "socket.", "ctypes.", "signal.", "_winapi.Create",
              "winreg.", "pty.", "_thread.start")  # fmt: skip
    changes = ("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.truncate", "os.link",
               "os.symlink", "os.chmod", "os.chown", "os.utime", "shutil.", "tempfile.",
               "os.putenv", "os.unsetenv")  # fmt: skip
    realpath, under, fsdecode, leave = os.path.realpath, os.path.commonpath, os.fsdecode, os._exit

    def inside(path, folders):
        for folder in folders:
            try:
                if under([path, folder]) == folder:
                    return True
            except ValueError:  # on another drive
                continue
        return False

    def stop(kind, text):
        say({"mark": kind, "text": text[:300]})
        leave(66)

    def hook(event, arguments):
        if event == "open":
            path, mode, flags = arguments
            if isinstance(path, int) or path is None:
                return
            place = realpath(fsdecode(path))
            writes = bool((flags or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC))
            if writes or (isinstance(mode, str) and set(mode) & set("wax+")):
                stop("files", f"it writes the file {fsdecode(path)}")
            if inside(place, forbidden):
                stop("own", "it reads the package's own code")
            if not inside(place, roots) and place not in (os.devnull, "/dev/urandom"):
                stop("files", f"it reads a file outside its folder: {fsdecode(path)}")
        elif event.startswith(changes):
            stop("files", f"it changes files ({event})")
        elif event.startswith(starts):
            stop("process", f"it starts or reaches out to something ({event})")
        elif event == "pickle.find_class":
            stop("pickle", "it unpickles something")

    sys.addaudithook(hook)


def snapshot():
    """Everything that the modules at hand offer, to see whether the hand-in changed it."""
    watched = [np, np.linalg, np.random, json, base64, sys.modules["builtins"]]
    watched += [m for name, m in sorted(sys.modules.items()) if name.startswith("minirnn")]
    watched.append(sys.modules["__main__"])
    return [(m, {k: id(v) for k, v in vars(m).items()}) for m in watched]


def changed(before):
    for module, names in before:
        for name, value in names.items():
            if id(vars(module).get(name)) != value and not name.startswith("__warningreg"):
                return f"{module.__name__}.{name}"
    for kind in (Product, ProductBackward, Parameter, PracticeCell):
        if {k: id(v) for k, v in vars(kind).items()} != KINDS[kind]:
            return kind.__name__
    return ""


def main():
    limits = json.loads(sys.argv[1])
    private = os.fdopen(os.dup(1), "w", encoding="utf-8")  # what the hand-in prints goes elsewhere
    os.dup2(2, 1)
    requests = os.fdopen(os.dup(0), encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.argv = ["hand_in"]

    def say(reply):
        private.write(json.dumps(reply) + "\n")
        private.flush()

    hand_in = HandIn(limits["file"])
    limit(limits)
    source = read(limits["file"])
    try:
        problems = find_problems(limits, source) if limits["scan"] else []
        say({"scan": problems, "classes": scanner.classes(source)})
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        say(failure(SyntaxError(str(error)) if not isinstance(error, SyntaxError) else error,
                    "reading", hand_in))  # fmt: skip
        os._exit(0)
    before, path = snapshot(), list(sys.path)
    fence(limits, say)
    try:
        hand_in.load()
    except BaseException as error:
        say(failure(error, "loading", hand_in))
        os._exit(0)
    path.insert(0, os.path.dirname(limits["file"]))
    say({"ready": True, "path": sys.path != path, "changed": changed(before)})
    for line in requests:
        reply = answer(json.loads(line), hand_in)
        sys.stdout.flush()
        reply["changed"] = changed(before)
        say(reply)
    os._exit(0)


def find_problems(limits, source):
    """What is forbidden in the hand-in and in the files beside it that it imports."""
    folder = os.path.dirname(limits["file"])
    beside = {f[:-3] for f in os.listdir(folder) if f.endswith(".py")}
    found = [["", *problem] for problem in scanner.scan(source, beside, limits["support"])]
    for name in sorted(beside):
        path = os.path.join(folder, name + ".py")
        if path != limits["file"] and name.encode() in source:
            found += [[name + ".py", *p] for p in scanner.scan(read(path), beside, limits["support"])]
    return found[:20]


def read(path):
    with open(path, "rb") as file:
        return file.read()


if __name__ == "__main__":
    import scan as scanner
    from minirnn.parameters import Parameter
    from minirnn.product import Product, ProductBackward
    from practice import PracticeCell

    KINDS = {
        kind: {k: id(v) for k, v in vars(kind).items()}
        for kind in (Product, ProductBackward, Parameter, PracticeCell)
    }
    main()
