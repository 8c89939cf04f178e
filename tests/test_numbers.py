"""A number that goes bad on a device where flags are read only every 50 steps."""

import re

import numpy as np
import pytest
import strict
import training_runs

from minirnn import backend, training
from minirnn.errors import NumberError

OPTIONS = {**training_runs.USUAL, "schedule": False}


@pytest.fixture(params=["numpy", "strict"])
def run(request):
    if request.param == "strict":
        backend.register("strict", strict)
    backend.use(request.param)
    yield training_runs.trainer(**OPTIONS)
    backend.use("numpy")
    backend._modules.pop("strict", None)


@pytest.mark.parametrize("step", [1, 3, 5, 9])
@pytest.mark.parametrize("clip", [None, 1.0])
@pytest.mark.parametrize("name", ["embedding.W", "recurrent.layers.1.Wh", "linear.b"])
@pytest.mark.parametrize("factor", [1e30, float("nan")])
@pytest.mark.filterwarnings("ignore:(invalid value|overflow)")
def test_step_parameter_and_weights(run, monkeypatch, step, clip, name, factor):
    """Only this parameter's gradient goes bad, and only with this step's dropout and weights."""
    run.clip = clip
    before, backward = [], run.net.backward
    parameter = run.net.named_parameters()[name]
    seen = {}

    def spoilt(dlogits, cache):
        backward(dlogits, cache)
        found = backend.asnumpy(parameter.grad).tobytes()
        if run.step + 1 == step and not seen:
            seen["grad"] = found
        if seen.get("grad") == found:  # a replay with another dropout would not be the same
            parameter.grad[...] = parameter.grad * factor * factor

    monkeypatch.setattr(run.net, "backward", spoilt)
    kept = run.train_step

    def train_step(index):
        before.append(run.net.state_dict())
        return kept(index)

    monkeypatch.setattr(run, "train_step", train_step)
    with pytest.raises(NumberError) as error:
        run.fit()
    epoch, batch = (step - 1) // 5 + 1, (step - 1) % 5 + 1
    said = f"at step {step} (epoch {epoch}, batch {batch} of 5); the first bad gradient is that of"
    assert re.search(re.escape(f"{said} {name};"), str(error.value)), error.value
    assert f"--clip {0.1 if clip else 1}" in str(error.value)
    for key, array in run.net.state_dict().items():
        np.testing.assert_array_equal(array, before[step - 1][key], err_msg=key)


def test_flags_are_read_seldom():
    """What the test above rests on: on a device, a whole epoch here lies between two looks."""
    assert training.GPU_READ_EVERY > 5
