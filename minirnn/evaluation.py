"""How well a net does: what it says to a set of sequences, and what that is worth."""

from typing import Any

import numpy as np

from .backend import asarray, asnumpy
from .batches import Sequences, side_by_side
from .check import counted, one_output_each, pair, parts_of_evaluation, places, whole
from .cuda.faults import is_out_of_memory
from .losses import CrossEntropy
from .measures import Evaluation, measure_of
from .packing import order_of_rows

AT_ONCE = 256  # sequences that are read side by side


def evaluate(net: Any, sequences: Sequences, index: Any, loss: Any = None,
             streams: int | None = None) -> Any:  # fmt: skip
    """Return how well the net does on the sequences at `index`; nothing is trained.

    Where classes are guessed, an `Evaluation`: accuracy, balanced accuracy, confusion, bits and
    perplexity. Where numbers are said, a `Regression`: rmse and r2.

    net: anything whose forward(batch) gives (outputs, cache), outputs [N, K], or [S, K] where every
    step has a target; nothing is dropped out. index: places [N], or a mask. loss: a `CrossEntropy`
    or a `MeanSquaredError` for the evaluation's loss, NaN if left out. streams: as for `predict`.
    Has the net more outputs than there are classes, the confusion matrix has a column for each.
    Raises `ArgumentError` where the loss is not one for these targets, or one of the three is no
    such thing, and `DataError` for places that are not there.

        >>> sequences = Sequences([[0, 1], [1, 1, 0], [1]], labels=[0, 1, 1])
        >>> evaluation = evaluate(NameClassifier(2, 2, hidden_size=4), sequences, np.arange(3))
        >>> int(evaluation.confusion.sum()), 0 <= evaluation.accuracy <= 1
        (3, True)
    """
    parts_of_evaluation(net, sequences, loss, streams), measure_of(loss, sequences)
    index = places("index", index, len(sequences))
    counted(sequences, index=index)
    return measured(outputs_of(net, sequences, index, AT_ONCE, streams), sequences, index, loss)


def measured(outputs, sequences, index, loss=None):
    """Return what `evaluate` does, of outputs that `outputs_of` gave."""
    measure = measure_of(loss, sequences)
    targets, ignored = sequences.targets(index), getattr(loss, "ignore_index", None)
    if measure is Evaluation:
        counted = targets != (sequences.ignore_index if ignored is None else ignored)
        logits, labels = outputs[counted], targets[counted]
        classes = max(sequences.num_classes, logits.shape[-1])
        evaluation = measure.of(labels, logits.argmax(axis=-1), classes)
        plain = CrossEntropy(log_prior=getattr(loss, "log_prior", None))
        nats = float(plain.forward(asarray(logits), asarray(labels))[0])
        evaluation.nats = nats + 0.0  # not -0.0
    else:
        evaluation = measure.of(targets, outputs)
    if loss is not None:
        evaluation.loss = float(loss.forward(asarray(outputs), asarray(targets))[0])
    return evaluation


def predict(net: Any, sequences: Sequences, index: Any, batch_size: int = 256,
            streams: int | None = None) -> Any:  # fmt: skip
    """Return the net's outputs on the host, in the order of `index`.

    They are [N, K]; where every step has a target, a list of N arrays [T, K].
    index: places [N], or a mask. streams: so many run side by side through the sequences, and the
    net's state is carried on from one to the next (see `batches.streams`); left out, each begins
    again. batch_size: how many sequences are read at once, without streams; where the memory is too
    small for them, it is tried again with half. Raises `ArgumentError` for what is no net, or no
    `Sequences`, and `DataError` for places that are not there.

        >>> sequences = Sequences([[0, 1], [1, 1, 0]], labels=[0, 1])
        >>> predict(NameClassifier(2, 3, hidden_size=4), sequences, [1, 0]).shape
        (2, 3)
    """
    parts_of_evaluation(net, sequences, streams=streams)
    index = places("index", index, len(sequences))
    outputs = outputs_of(net, sequences, index, whole("batch_size", batch_size), streams)
    if not sequences.every_step:
        return outputs
    return np.split(outputs, np.cumsum(sequences.lengths[index])[:-1])


def outputs_of(net, sequences, index, batch_size, streams=None, part=slice(None)):
    """The outputs of `predict` in one array; those of a part of each batch, and zeros elsewhere."""
    streams = whole("streams", streams, none=True)
    while True:
        try:
            return _outputs(net, sequences, index, batch_size, streams, part)
        except Exception as error:
            if batch_size == 1 or streams or not is_out_of_memory(error):
                raise
        batch_size //= 2  # outside `except`: only now are the failed attempt's arrays freed


def _outputs(net, sequences, index, batch_size, streams, part):
    lengths = sequences.lengths[index]
    ends, state, outputs = np.cumsum(lengths), None, None
    order = np.argsort(-lengths, kind="stable")  # like lengths together
    batches = [order[k : k + batch_size] for k in range(0, len(order), batch_size)]
    if streams:
        batches = side_by_side(lengths, min(streams, len(index)))
    for rows in [rows[part] for rows in batches if len(rows[part])]:
        batch = sequences.batch(index[rows], state)
        y, cache = pair(net.forward(batch), net)
        one_output_each(y, batch)
        state = cache.state if streams else None
        if sequences.every_step:  # lengths never grow within a batch, which keeps its order
            rows = order_of_rows((ends - lengths)[rows], lengths[rows])[0]
        if outputs is None:
            number = ends[-1] if sequences.every_step else len(index)
            outputs = np.zeros((number, y.shape[1]), y.dtype)
        outputs[rows] = asnumpy(y)
    return outputs
