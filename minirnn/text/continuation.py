"""A net that goes on with a text, letter by letter."""

import numpy as np

from ..backend import asarray, asnumpy
from ..batches import Batch
from ..check import above_0, carrying, generator, listed, short, whole
from ..errors import ArgumentError, NumberError
from ..functions import softmax

IDS = "whole numbers, as ids_of(text, letters) gives"


def go_on(net, ids, rng, temperature=1.0, top_k=None):
    """The ids of letters that follow those given, one after the other, without an end.

    Each is drawn with probability softmax(logits / temperature): below 1 the likely ones gain,
    above 1 the unlikely; top_k: of the likeliest so many only, and those that are as likely as the
    last of them. What was drawn is read next, with the state in which the net was left. Raises
    `ArgumentError` for a temperature that is not above 0, a top_k below 1, no ids, or a net that
    carries no state on, and `NumberError` where it says what is not finite.
    """
    above_0(temperature=temperature), whole("top_k", top_k, none=True)
    whole("the number of ids", len(ids := listed("ids", ids, ArgumentError, IDS)))
    for k in ids:
        if not hasattr(k, "__index__"):
            raise ArgumentError(f"ids has {short(k)}, but must be a list of {IDS}")
    carrying(net, "a text is to be gone on with")
    rng = rng if hasattr(rng, "choice") else generator(rng)
    return _go_on(net, ids, rng, temperature, top_k)


def _go_on(net, unread, rng, temperature, top_k):
    state = None
    while True:
        batch = Batch(asarray(np.array(unread)), [1] * len(unread), None, None, state)
        logits, cache = net.forward(batch)
        state = cache.state
        a = asnumpy(logits[-1]).astype("float64")
        if not np.isfinite(a).all():
            raise NumberError("the net says what is not finite, so there is no next letter")
        with np.errstate(over="ignore"):  # so near 0 that only the likeliest is left
            a = (a - a.max()) / temperature
        if top_k is not None and top_k < len(a):
            a[a < np.sort(a)[-top_k]] = -np.inf
        unread = [int(rng.choice(len(a), p=softmax(a)))]
        yield unread[0]


def written(net, letters, ids, rng, length, temperature=1.0, top_k=None):
    """So many letters that the net goes on with, as a text.

    Raises `ArgumentError` as `go_on` does, for a length below 0, and where the net says a letter
    that is not there.
    """
    more = go_on(net, ids, rng, temperature, top_k)
    says = [next(more) for _ in range(whole("length", length, least=0))]
    if says and max(says) >= len(letters):
        raise ArgumentError(
            f"there are {len(letters)} letters, but the net says number {max(says)}"
        )
    return "".join(letters[k] for k in says)
