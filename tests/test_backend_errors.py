"""`--backend cupy` on machines where it cannot work, and memory that runs out: one sentence each.

No GPU is needed: a stub package plays a CuPy with every fault (`fake_cupy.py`).
"""

import importlib
import sys

import fake_cupy
import numpy as np
import pytest
import strict

from minirnn import backend, cli
from minirnn.batches import Sequences
from minirnn.errors import BackendError
from minirnn.evaluation import predict
from minirnn.losses import CrossEntropy
from minirnn.models import NameClassifier
from minirnn.optim import SGD
from minirnn.storage.checkpoints import load_net, save_net
from minirnn.training import Trainer

SAID = {
    "library missing": "though it is installed (Failed to import CuPy.): uninstall every cupy",
    "compiler missing": "CuPy finds a GPU, but not CUDA's own libraries, which its package does "
    'not hold: pip install "cupy-cuda12x[ctk]" or "cupy-cuda13x[ctk]"',
    "cuBLAS missing": "but not CUDA's own libraries",
    "compiler missing, CuPy 13": "but not CUDA's own libraries",
    "no driver": "there is no NVIDIA driver for the GPU: install one, or use --backend numpy",
    "driver too old": "the NVIDIA driver is too old: it is for CUDA 11.4, and this CuPy for CUDA "
    "12.4: update it, or pip install",
    "no device": "CuPy finds no GPU on this machine: check CUDA_VISIBLE_DEVICES",
    "no device, said by number": "CuPy finds no GPU on this machine: check CUDA_VISIBLE_DEVICES",
    "too little memory": "the GPU has too little free memory: end what else uses it",
    "too little memory for a library": "the GPU has too little free memory",
    "wrong architecture": "this CuPy has no code for a GPU of this architecture: uninstall it",
    "wrong architecture for the compiler": "this CuPy has no code for a GPU of this architecture",
    "broken": "cannot compute on it: check that nvidia-smi runs, or use --backend numpy "
    "(cudaErrorUnknown: unknown error)",
    "wrong results": "CuPy computes wrongly on this GPU: update its driver",
}


@pytest.fixture(autouse=True)
def no_cupy(monkeypatch):
    monkeypatch.delitem(backend._modules, "cupy", raising=False)
    monkeypatch.setattr(backend, "_current", "numpy")
    kept = {name: sys.modules.pop(name) for name in list(sys.modules) if name == "cupy"}
    yield
    sys.modules.pop("cupy", None)
    sys.modules.update(kept)


@pytest.mark.parametrize("fault", fake_cupy.FAULTS)
def test_every_fault_has_its_own_sentence(tmp_path, monkeypatch, capsys, fault):
    monkeypatch.syspath_prepend(fake_cupy.write(tmp_path, fault))
    importlib.invalidate_caches()
    assert cli.main(lambda: backend.use("cupy")) == 2
    err = capsys.readouterr().err
    assert SAID[fault] in err and err.startswith("error: ") and err.count("\n") == 1
    assert "pip install" in err or "--backend numpy" in err
    assert backend.current() == "numpy"


def test_the_sentences_differ():
    assert len({said[:30] for said in SAID.values()}) >= 8


def test_not_installed(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "cupy", None)
    assert cli.main(lambda: backend.use("cupy")) == 2
    err = capsys.readouterr().err
    assert (
        "CuPy cannot be imported" in err
        and 'install it with pip install "cupy-cuda12x[ctk]"' in err
    )


# Memory that runs out later


class Small(NameClassifier):
    """A net on a device that holds `room` sequences at a time."""

    room, error, seen = 3, MemoryError("Out of memory allocating 9 bytes"), ()

    def forward(self, batch, training=False):
        self.seen = (*self.seen, batch.sizes[0])
        if batch.sizes[0] > self.room:
            raise self.error
        return super().forward(batch, training)


def trainer(batch_size=8):
    rng, index = np.random.default_rng(0), np.arange(24)
    words = [rng.integers(5, size=size) for size in rng.integers(1, 7, size=24)]
    sequences = Sequences(words, index % 3, 3, 5)
    net = Small(5, 3, rng=rng, hidden_size=4)
    return Trainer(
        net, CrossEntropy(), SGD(net.parameters(), 0.1), sequences, index[:16], index[16:],
        rng=rng, epochs=1, batch_size=batch_size,
    )  # fmt: skip


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("CUBLAS_STATUS_ALLOC_FAILED"),
              RuntimeError("cudaErrorMemoryAllocation: out of memory")],
)  # fmt: skip
def test_training_names_the_batch_size_to_try(error):
    run = trainer()
    run.net.error = error
    with pytest.raises(BackendError, match="out of memory with a batch of 8; try --batch-size 4$"):
        run.fit()
    run = trainer(batch_size=1)
    run.net.room = 0
    with pytest.raises(BackendError, match="a batch of 1; try a smaller --hidden-size$"):
        run.fit()


def test_other_errors_pass():
    run = trainer()
    run.net.error = RuntimeError("a mistake of ours")
    with pytest.raises(RuntimeError, match="a mistake of ours"):
        run.fit()


def test_evaluation_makes_do_with_less():
    run = trainer(batch_size=2)
    expected = predict(run.net, run.sequences, run.validation, batch_size=3)
    run.net.seen = ()
    found = predict(run.net, run.sequences, run.validation)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert run.net.seen == (8,) * 6 + (4,) + (2,) * 4, "256 halved until it fits"
    run.fit()
    run.net.room = 0
    with pytest.raises(MemoryError):
        predict(run.net, run.sequences, run.validation)


def test_a_script_without_memory(capsys):
    def run():
        raise MemoryError("Unable to allocate 9 TiB")

    assert cli.main(run) == 2
    expected = "error: out of memory (Unable to allocate 9 TiB); try smaller sizes\n"
    assert capsys.readouterr().err == expected


@pytest.mark.parametrize("first, second", [("numpy", "strict"), ("strict", "numpy")])
def test_a_model_goes_from_one_backend_to_the_other(tmp_path, first, second):
    backend.register("strict", strict)

    def build(settings):
        return NameClassifier(5, 3, rng=np.random.default_rng(0), hidden_size=4)

    try:
        backend.use(first)
        net = trainer().net
        save_net(tmp_path / "model.npz", net, {})
        expected = net.state_dict()
        backend.use(second)
        found = load_net(tmp_path / "model.npz", build)[0]
        kind = strict.ndarray if second == "strict" else np.ndarray
        assert all(type(p.data) is kind for p in found.parameters())
        for name, array in found.state_dict().items():
            assert array.tobytes() == expected[name].tobytes()
    finally:
        backend.use("numpy")
        backend._modules.pop("strict", None)
