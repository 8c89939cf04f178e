"""A training state that is saved and taken up, and the checks before any of it is.

A checkpoint may be damaged, or a stranger's. What the trainer would write itself is known: which
arrays, their shapes and dtypes, and how the numbers hang together.
"""

import zlib

import numpy as np

from ..backend import asarray, asnumpy
from ..errors import CheckpointError
from ..measures import Evaluation


def state_of(trainer):
    """({name: array}, facts for JSON) of everything that a later step of a `Trainer` depends on.

    The best score and its epoch, patience, the step and so the schedule follow from the
    history and the position.
    """
    optimizer = trainer.optimizer.state_dict()
    inside = trainer.position > 0  # an epoch that is drawn but not begun is drawn again
    state = carried(trainer.state) if inside else {}
    arrays = joined(
        net=trainer.net.state_dict(), best=trainer.best or {}, optimizer=optimizer, state=state
    )
    begun = inside or trainer.batches is None
    facts = {
        "optimizer": numbers(optimizer),
        "history": trainer.history.rows,
        "monitor": trainer.history.monitor,
        "made_of": made_of(trainer),
        "over": trainer.is_over(),
        "first_loss": trainer.first_loss,
        "position": trainer.position,
        "losses": float(trainer.sums[0]) if inside else 0.0,  # exact: a float holds any float32
        "right": asnumpy(trainer.sums[1]).item() if inside else 0,
        "epoch_rng": trainer.epoch_rng if inside else None,
        "rng": trainer.rng.bit_generator.state if begun else trainer.epoch_rng,
    }
    return arrays, facts


def made_of(trainer):
    """{part: in words} of what a run would not be the same without; arrays as check sums. They are
    made once for a trainer: it does not change them."""
    if not hasattr(trainer, "_made_of"):
        sequences = trainer.sequences
        sums = check_sum(sequences.rows, sequences.lengths, sequences.labels)
        parts = {name: getattr(trainer, name) for name in ("train", "validation")}
        trainer._made_of = {
            "loss": in_words(trainer.loss),
            "optimizer": in_words(trainer.optimizer),
            "sequences": f"{len(sequences):,} sequences of {len(sequences.rows):,} steps, {sums}",
            **{
                f"{name} part": f"{len(at):,} places, {check_sum(at)}" for name, at in parts.items()
            },
            "batch_size": str(trainer.batch_size),
            "clip": str(trainer.clip and float(trainer.clip)),
        }
    return trainer._made_of


def in_words(part):
    """The class of a loss or an optimiser, and of one of the library's own with what was said when
    it was made."""
    said = []
    own = type(part).__module__.startswith("minirnn.")
    for name, value in sorted(vars(part).items()) if own else ():
        if hasattr(value, "dtype"):
            said.append(f"{name}={check_sum(asnumpy(value))}")
        elif name in SAID:
            said.append(
                f"{name}={value if isinstance(value, (str, bool, tuple)) else float(value)}"
            )
    return f"{type(part).__name__}({', '.join(said)})"


SAID = "momentum nesterov weight_decay betas eps normaliser label_smoothing".split()


def check_sum(*arrays):
    """Eight digits that other numbers do not have, but once in four thousand millions."""
    total = 0
    for array in arrays:
        array = array.astype(np.int64) if array.dtype.kind in "iu" else array
        total = zlib.crc32(np.ascontiguousarray(array).reshape(-1).view(np.uint8), total)
    return f"#{total:08x}"


def take_up(trainer, arrays, facts):
    """Bring a `Trainer` to what `state_of` gave. Raises `CheckpointError` where something does not
    fit, before anything is assigned."""
    batches = check_state(trainer, arrays, facts)
    net, best, optimizer, state = parted(arrays, "net", "best", "optimizer", "state")
    trainer.optimizer.load_state_dict({**optimizer, **facts["optimizer"]})  # which checks the rest
    trainer.net.load_state_dict(net)
    trainer.batches = batches
    trainer.history.rows, trainer.epoch = list(facts["history"]), len(facts["history"])
    trainer.best, trainer.best_score, trainer.best_epoch = None, None, 0
    if trainer.epoch:
        trainer.best, (trainer.best_score, trainer.best_epoch) = best, trainer.history.best()
    trainer.position, trainer._first_loss = facts["position"], facts["first_loss"]
    trainer.step = trainer.epoch * trainer.batches_per_epoch() + trainer.position
    trainer.epoch_rng = facts["epoch_rng"]
    trainer.state = tuple(map(asarray, state.values())) or None
    if trainer.batches is not None:
        done = trainer.batches[: trainer.position]
        seen = sum(map(trainer.sequences.number, done))
        trainer.sums = facts["losses"], facts["right"], seen
        trainer.mean_loss = facts["losses"] / max(seen, 1)
    trainer.rng.bit_generator.state = facts["rng"]


def carried(state):
    """{"0": array, ...} of a state that is carried from one batch to the next, or of None."""
    return {str(k): asnumpy(array) for k, array in enumerate(state or ())}


def check_state(trainer, arrays, facts):
    """Raise `CheckpointError` unless `trainer.state_dict()` could have given these.

    Returns the batches of the epoch under way, or None between two epochs.
    """
    own_arrays, own_facts = trainer.state_dict()
    monitor = trainer.history.monitor
    if isinstance(facts, dict):
        own = {"monitor": monitor, "made_of": own_facts["made_of"]}
        facts = own | facts  # older checkpoints have none
    require(isinstance(facts, dict) and facts.keys() == own_facts.keys(), "its facts are not whole")
    per_epoch = trainer.batches_per_epoch()
    rows, position = facts["history"], facts["position"]
    require(
        facts["monitor"] == monitor,
        f"its monitor is {facts['monitor']}, but now it is {monitor}; use the same",
    )
    was = facts["made_of"]
    for name, now in own_facts["made_of"].items():
        require(isinstance(was, dict) and name in was, f"it does not say what its {name} is")
        given = f"it was made with {name} {was[name]}, but now {name} is {now}"
        require(was[name] == now, f"{given}; use the same")
    check_rows(rows, trainer.epochs, per_epoch, trainer.history.columns)
    most = per_epoch - 1 if len(rows) < trainer.epochs else 0
    check_position(position, most, "epoch")
    step = len(rows) * per_epoch + position
    check_optimizer(facts["optimizer"], own_facts["optimizer"], step)
    require(isinstance(facts["over"], bool), f"over is {facts['over']!r}, not true or false")
    loss = facts["first_loss"]
    require(is_number(loss) if step else loss is None, f"its first loss is {loss!r}")
    expected = {n: a for n, a in own_arrays.items() if n.startswith(("net.", "optimizer."))}
    if rows:
        best = {n.replace("net", "best", 1): a for n, a in expected.items() if n.startswith("net.")}
        expected |= best
    if position and trainer.carries:
        expected |= joined(state=carried(trainer.net.first_state(trainer.batch_size)))
    check_arrays(arrays, expected)
    generator_at(facts["rng"], trainer.rng)
    if not position:
        require(facts["epoch_rng"] is None, "it has a state for an epoch not begun")
        batches, seen = None, 0
    else:
        rng = generator_at(facts["epoch_rng"], trainer.rng)
        batches = trainer.sample(trainer.sequences, trainer.train, trainer.batch_size, rng)
        seen = sum(map(trainer.sequences.number, batches[:position]))
    losses, right = facts["losses"], facts["right"]
    small = is_number(losses) and abs(losses) < 1e38  # else float32 could not add to it
    require(small, f"its sum of losses is {losses!r}")
    if trainer.history.measure is Evaluation:
        guesses = is_whole(right) and 0 <= right <= seen
        require(guesses, f"its number of right guesses is {right!r}, but must be 0 to {seen}")
    require(is_number(right) and right >= 0, f"its sum of squares is {right!r}")
    return batches


def joined(**parts):
    """{"net.W": array, ...} of {part: {name: array}}; of an optimiser's state the arrays alone."""
    return {
        f"{part}.{name}": array
        for part, arrays in parts.items()
        for name, array in arrays.items()
        if isinstance(array, np.ndarray)
    }


def parted(arrays, *parts):
    """[{name: array} of each of these parts]: `joined` undone."""
    return [
        {
            name.removeprefix(f"{part}."): a
            for name, a in arrays.items()
            if name.startswith(f"{part}.")
        }
        for part in parts
    ]


def numbers(state):
    """Return what of an optimiser's state is no array: for JSON."""
    return {name: value for name, value in state.items() if not isinstance(value, np.ndarray)}


def check_rows(rows, epochs, per_epoch, columns):
    """A history: an epoch a row, at most `epochs`, each with all columns and finite numbers."""
    require(
        isinstance(rows, list) and len(rows) <= epochs, f"its history is not 0 to {epochs} rows"
    )
    for k, row in enumerate(rows):
        where = f"row {k + 1} of its history"
        require(isinstance(row, dict) and row.keys() == set(columns), f"{where} is not one")
        for column, number in row.items():
            require(is_number(number), f"{where} has {column} = {number!r}")
        whole = is_whole(row["epoch"]) and is_whole(row["step"])
        fits = whole and (row["epoch"], row["step"]) == (k + 1, (k + 1) * per_epoch)
        require(fits, f"{where} is of epoch {row['epoch']!r}, step {row['step']!r}")


def check_position(position, most, what):
    """So many steps are done in this epoch, or whatever it is, at most `most`."""
    require(
        is_whole(position) and 0 <= position <= most,
        f"its position in the {what} is {position!r}, but must be 0 to {most}",
    )


def check_optimizer(saved, own, step):
    """The optimiser's numbers: those that it has, and as many steps as the history tells."""
    require(isinstance(saved, dict) and saved.keys() == own.keys(), "its optimiser is another one")
    require(
        is_whole(saved["steps"]) and saved["steps"] == step,
        f"its optimiser made {saved['steps']!r} steps, but the history has {step}",
    )
    require(is_number(saved["lr"]) and saved["lr"] >= 0, f"its learning rate is {saved['lr']!r}")


def check_arrays(arrays, expected):
    """The same names, shapes and dtypes, and finite numbers."""
    for name in expected:
        require(name in arrays, f"it has no {name}")
    for name, array in arrays.items():
        require(name in expected, f"it has {name}, which this run has not")
        own = expected[name]
        for what in ("shape", "dtype"):
            given, wanted = getattr(array, what), getattr(own, what)
            require(given == wanted, f"its {name} has {what} {given}, but this run's has {wanted}")
        require(np.isfinite(array).all(), f"its {name} holds something that is not a number")


def generator_at(state, like):
    """A new generator of the same kind in this state; `CheckpointError` where it is none."""
    rng = np.random.Generator(type(like.bit_generator)())
    try:
        rng.bit_generator.state = state
        if rng.bit_generator.state == state:
            return rng
    except Exception:  # NumPy raises half a dozen kinds for what may be anything
        pass
    raise CheckpointError("it holds no state of the random numbers that this NumPy could take up")


def is_whole(number):
    """Return whether it is a whole number, and not True or False."""
    return isinstance(number, int) and not isinstance(number, bool)


def is_number(number):
    """Return whether it is a finite number, and not True or False."""
    kind = isinstance(number, (int, float)) and not isinstance(number, bool)
    return kind and -1e300 < number < 1e300  # false for NaN too


def require(condition, otherwise):
    """Raise `CheckpointError`, with the sentence `otherwise`, where the condition is false."""
    if not condition:
        raise CheckpointError(otherwise if len(otherwise) <= 300 else otherwise[:297] + "...")
