"""Plant changes in files of the library, one at a time, and see whether a test notices.

    $ python tests/tools/changes.py [WORD ...]

Cells and time have the zoo (`mutation.py`); these are for the rest. Each is planted in a copy of
the tree, and the tests named beside it must fail. WORDs choose the changes whose file or text has
one of them. The last line counts; the exit code is 1 where one survived.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("minirnn", "tests", "data", "docs", "examples", "NOTICE", "README.md",
          "pyproject.toml")  # fmt: skip

BETWEEN = "test_gradients.py::test_dropout_between_layers"
CLASSIFIER = "test_gradients.py::test_name_classifier_with_dropout"
THREE = "test_gradients.py::test_name_classifier_drops_at_three_places"
DROPOUT = "test_gradients.py::test_dropout_in_numbers"

CHANGES = [  # (file in minirnn, old text, which stands there once, new text, tests)
    # layers in both directions
    ("stacked.py", "x, mask = self.dropout.forward(x, training)",
     "x, mask = self.dropout.forward(x, False)", BETWEEN),
    ("stacked.py", "masks[first // self.directions]", "masks[-1]", BETWEEN),
    ("stacked.py", "dx = self.dropout.backward(dx, masks[first // self.directions])", "pass",
     BETWEEN),
    ("check/parts.py", "if dropout and num_layers == 1:", "if dropout and num_layers == 2:",
     "test_parameters.py"),
    ("stacked.py", "turned = self.directions == 2 or", "turned = self.directions == 3 or",
     "test_messages.py test_laws.py test_gold.py"),
    ("stacked.py", "GRUCell if check.one_of(", "GRUBeforeCell if not check.one_of(",
     "test_gold.py"),
    ("stacked.py", "RNNCell(nonlinearity)", "RNNCell()", "test_gold.py"),
    ("stacked.py", "states[k], truncate", "states[k], None",
     "test_gradients.py::test_truncated_gradient_is_that_of_the_pieces"),
    ("stacked.py", "states[k], truncate", "None, truncate", "test_gradients.py::test_stack"),
    ("stacked.py", "array[k] for array in arrays", "array[0] for array in arrays",
     "test_gradients.py::test_stack"),
    ("stacked.py", "caches[k], dfinals[k]", "caches[k], None", "test_gradients.py::test_stack"),
    # the classifier
    ("models.py", "self.dropout.backward(self.linear.backward(dlogits, linear_cache), mask)",
     "self.linear.backward(dlogits, linear_cache)", CLASSIFIER),
    ("models.py", "self.dropout.backward(dx, mask)", "dx", CLASSIFIER),
    ("models.py", "last, mask = self.dropout.forward(last, training)",
     "last, mask = self.dropout.forward(last, False)", CLASSIFIER),
    ("models.py", "x, mask = self.dropout.forward(x, training)",
     "x, mask = self.dropout.forward(x, False)", THREE),
    ("models.py", "batch.sizes, state, training=training)", "batch.sizes, state)", THREE),
    ("models.py", "dropout=dropout if num_layers > 1 else 0.0", "dropout=0.0", THREE),
    ("models.py", "last = h[-self.recurrent.directions :]",
     "last = h[: self.recurrent.directions]", CLASSIFIER),
    # layers
    ("layers.py", "in_features**-0.5", "out_features**-0.5",
     "test_parameters.py"),
    ("layers.py", ">= self.p", ">= 1 - self.p", DROPOUT),
    ("layers.py", "mask *= 1 / (1 - self.p)", "mask *= 1.0", DROPOUT),
    ("layers.py", "if not training or self.p == 0:", "if not training and self.p == 0:",
     "test_training.py test_laws.py"),
    # losses
    ("losses.py", '{"mean": count, "sum": 1}', '{"mean": count, "sum": count}',
     "test_losses.py"),
    ("losses.py", '{"mean": difference.size, "sum": 1}', '{"mean": len(difference), "sum": 1}',
     "test_losses.py"),
    ("losses.py", "logits = logits + self._for_each", "logits = logits - self._for_each",
     "test_losses.py"),
    ("losses.py", "(w * one_hot(labels, K, w.dtype))", "one_hot(labels, K, w.dtype)",
     "test_losses.py"),
    ("losses.py", "keep[:, None] * (w / K)", "w[None] / K", "test_losses.py"),
    ("losses.py", "right & (labels != self.ignore_index)", "right", "test_targets.py"),
    # optimisers and schedules
    ("optim.py", "(norm + 1e-6), 1.0)", "(norm + 1e-4), 1.0)", "test_optim.py"),
    ("optim.py", "g + self.momentum * v if", "v + self.momentum * g if", "test_optim.py"),
    ("optim.py", "1 - beta1**self.steps,", "1 - beta1 ** (self.steps + 1),", "test_optim.py"),
    ("optim.py", "(1 - beta2) * g * g", "(1 - beta2) * abs(g)", "test_optim.py"),
    ("optim.py", "(lr * self.weight_decay) * p.data", "self.weight_decay * p.data",
     "test_optim.py"),
    ("optim.py", "xp.where(ok, whole.grad, xp.zeros_like(whole.grad))", "whole.grad",
     "test_optim.py"),
    ("optim.py", "lr = lr * ok.astype(whole.data.dtype)", "lr = lr * 1", "test_optim.py"),
    ("optim.py", 'int(saved["steps"]), float(saved["lr"])', 'int(saved["steps"]), self.lr',
     "test_optim.py"),
    ("optim.py", "factor ** (step // every)", "factor ** ((step + 1) // every)", "test_optim.py"),
    ("optim.py", "rise * total - 1, total - 1", "rise * total - 1, total", "test_optim.py"),
    ("optim.py", "_between(highest, start / end_factor", "_between(highest, highest / end_factor",
     "test_optim.py"),
    # sequences
    ("packing.py", "sequences[order[k]]", "sequences[k]", "test_batches.py"),
    ("check/sequences.py", "sizes[-1] < 1", "sizes[-1] < 0", "test_batches.py"),
    ("batches.py", " + rng.random(len(index))", " + 0 * rng.random(len(index))",
     "test_batches.py"),
    ("batches.py", "for k in rng.permutation(len(batches))", "for k in range(len(batches))",
     "test_batches.py"),
    ("batches.py", "rng.integers(sizes[classes])", "rng.integers(sizes.min(), size=draws)",
     "test_batches.py"),
    ("batches.py", "np.ceil(len(index)", "np.floor(len(index)", "test_batches.py"),
    ("batches.py", "self.counts() + 1", "self.counts() + 2", "test_batches.py"),
    # names
    ("data.py", "LONGEST_NAME * 4", "LONGEST_NAME * 400", "test_data.py"),
    ("data.py", "(counts[c], c)", "(-counts[c], c)", "test_data.py"),
    ("data.py", "round(len(groups) * test)", "round(len(groups) * validation)",
     "test_data.py"),
    ("data.py", "owners.setdefault(name.casefold(), [])", "owners.setdefault(name, [])",
     "test_data.py"),
    ("data.py", "index for g in cut for index in groups[g]", "groups[g][0] for g in cut",
     "test_data.py"),
    # how well a net does
    ("measures.py", "np.add.at(confusion, (labels, guesses), 1)",
     "confusion[labels, guesses] += 1", "test_training.py"),
    ("measures.py", "present = of_class > 0", "present = of_class >= 0", "test_training.py"),
    ("measures.py", "target.mean(axis=0)", "target.mean()", "test_targets.py"),
    ("measures.py", "score < best if", "score > best if", "test_targets.py"),
    ("evaluation.py", "outputs[rows] = asnumpy(y)", "outputs[: len(y)] = asnumpy(y)",
     "test_training.py"),
    ("evaluation.py", "state = cache.state if streams", "state = None if streams",
     "test_targets.py"),
    ("batches.py", "np.arange(number) < n % number", "np.arange(number) < 0", "test_targets.py"),
    ("check/parts.py", "slice(number)]", "slice(len(array[0]) - number, None)]",
     "test_targets.py"),
    ("losses.py", ".sum() / (difference.shape or (1,))[-1]", ".sum()", "test_targets.py"),
    ("models.py", "output, state, cache = self._read(batch_of(batch), batch.state",
     "output, state, cache = self._read(batch_of(batch), None", "test_targets.py"),
    ("stacked.py", "s[order] if self.reverse or k % self.directions", "s if self.reverse",
     "test_targets.py"),
    # files
    ("storage/files.py", "if name in arrays:", "if False:", "test_checkpoints.py"),
    ("storage/files.py", "dtype.hasobject or fortran or", "dtype.hasobject or",
     "test_checkpoints.py"),
    ("storage/files.py", "if LEFTOVER.fullmatch(left.name):", "if True:",
     "test_resume.py test_names_script.py test_checkpoints.py"),
    ("storage/checkpoints.py", "H * K, E * V, layers", "H * K, layers", "test_checkpoints.py"),
    ("storage/checkpoints.py", "if written != FORMAT:", "if written == 2:",
     "test_checkpoints.py"),
    ("storage/checkpoints.py", "if over or time.monotonic()", "if time.monotonic()",
     "test_resume.py"),
    ("storage/checkpoints.py", "self.written, self.saved = time.monotonic(), True",
     "self.saved = True", "test_resume.py"),
    ("storage/checkpoints.py", "copy.is_file() and copy.read_bytes() == data",
     "copy.is_file()", "test_resume.py"),
    ("storage/saved_state.py", "0 <= right <= seen", "0 <= right", "test_resume.py"),
    ("storage/saved_state.py", "most = per_epoch - 1 if", "most = per_epoch if",
     "test_resume.py"),
    ("storage/stored_runs.py", 'self.path("part.npz").unlink(missing_ok=True)', "pass",
     "test_stored_runs.py"),
    ("storage/stored_runs.py", "if saved[name] != now:", "if False:", "test_stored_runs.py"),
    ("storage/download.py", "or total > LARGEST_TOTAL", "or False", "test_download.py"),
    ("storage/download.py", "name.casefold() in map(str.casefold, lists)", "name in lists",
     "test_download.py"),
    ("storage/summary.py", '"loss_last": history["train_loss"][-1]',
     '"loss_last": history["train_loss"][0]', "test_names_script.py"),
    ("storage/summary.py", "majority(labels[train], K)", "majority(labels[test], K)",
     "test_baselines.py"),
    # other frameworks
    ("convert.py", 'KERAS = {"h": "h", "ifgo": "ifgo", "rzn": "zrn"}',
     'KERAS = {"h": "h", "ifgo": "ifgo", "rzn": "rzn"}', "test_gold.py"),
    ("convert.py", '"ifgo": "iofg"', '"ifgo": "ifgo"', "test_gold.py"),
    ("convert.py", "name[len(prefix) :]: a for name, a in state.items() if name.startswith(prefix)",
     "name[len(prefix) :]: a for name, a in state.items()", "test_gold.py"),
    # training
    ("measures.py", "else score > best)", "else score >= best)", "test_training.py"),
    ("training.py", "rng.bit_generator.state, self.state = before",
     "rng.bit_generator.state, _ = before", "test_targets.py"),
    ("training.py", "progress(self)\n                started = time.perf_counter()",
     "progress(self)", "test_training.py"),
    ("training.py", "self.gradients(index, self.clip)", "self.gradients(index)",
     "test_training.py"),
    ("training.py", "self.trained += number", "self.trained += self.batch_size",
     "test_training.py"),
    # figures
    ("plotting.py", ".mean(axis=0))[::-1]", ".mean(axis=0))", "test_plotting.py"),
    ("plotting.py", "axes.axhline(accuracy,", "axes.axhline(1 - accuracy,", "test_plotting.py"),
    # twelve more: what is looked at, compared and drawn
    ("models.py", "layer = self.recurrent.layers[0]", "layer = self.recurrent.layers[-1]",
     "test_training.py::test_gates_are_those_of_the_first_layer"),
    ("data.py", 'f"{self.languages[c]}\\t{n}"', 'f"{n}"', "test_data.py"),
    ("storage/summary.py", "TrigramBayes(text[train], labels[train], K)",
     "TrigramBayes(text, labels, K)", "test_baselines.py"),
    ("convert.py", 'bh[ours.index("n")].any()', "bh[0].any()", "test_gold.py"),
    ("training.py", "losses + loss * number", "losses + loss", "test_training.py"),
    ("training.py", "self.best_epoch < self.patience", "self.best_epoch <= self.patience",
     "test_training.py"),
    ("training.py", "check.rate_of(self.schedule, self.step)",
     "check.rate_of(self.schedule, self.step + 1)", "test_training.py"),
    ("training.py", "self.net.load_state_dict(self.best)", "pass", "test_training.py"),
    ("plotting.py", 'guessed, true, f"', 'true, guessed, f"', "test_plotting.py"),
    ("plotting.py", "confusion.sum(axis=1, keepdims=True)", "confusion.sum(axis=0, keepdims=True)",
     "test_plotting.py"),
    ("plotting.py", 'axes.plot(history["epoch"], history["train_loss"]',
     'axes.plot(range(len(history["epoch"])), history["train_loss"]', "test_plotting.py"),
    ("plotting.py", "axes.set_title(name)", "axes.set_title(names[-1 - k])", "test_plotting.py"),
]  # fmt: skip


def copied(folder):
    """The tree in `folder`, without what Python has compiled."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder)


def run(folder, tests):
    """pytest's exit code for these files in this tree: 0 all passed, 1 one failed."""
    paths = [folder, folder / "tests" / "helpers", folder / "tests" / "tools"]
    environment = {
        **os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "HYPOTHESIS_PROFILE": "planted",
        "PYTHONDONTWRITEBYTECODE": "1",  # two changes of one file in one second look alike
    }  # fmt: skip
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, *(f"tests/{name}" for name in tests)], cwd=folder, env=environment,
        capture_output=True, text=True,
    )  # fmt: skip
    return done.returncode


def times(change):
    """How often the old text of a change stands in its file."""
    return (ROOT / "minirnn" / change[0]).read_text(encoding="utf-8").count(change[1])


def planted(folder, change):
    """What became of a change: "killed", "SURVIVED", or that the tests could not even begin."""
    name, old, new, tests = change
    path = folder / "minirnn" / name
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(old, new), encoding="utf-8")
    code = run(folder, tests.split())
    path.write_text(text, encoding="utf-8")
    return {0: "SURVIVED", 1: "killed"}.get(code, f"pytest: {code}")


def main(words):
    changes = [c for c in CHANGES if not words or any(w in c[0] or w in c[1] for w in words)]
    wrong = [c for c in changes if times(c) != 1]
    if wrong:
        sys.exit("\n".join(f"{c[1]!r} stands {times(c)} times in {c[0]}" for c in wrong))
    killed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copied(folder)
        if run(folder, sorted({test for c in changes for test in c[3].split()})):
            sys.exit("the tests fail before anything is changed")
        for change in changes:
            fate = planted(folder, change)
            killed += fate == "killed"
            print(f"{fate:9s} {change[0]}: {change[1]!r} -> {change[2]!r}", flush=True)
    print(f"{killed} of {len(changes)} killed")
    return int(killed < len(changes))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
