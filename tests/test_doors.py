"""The doors: what has one meaning is taken, and everything else is refused where it comes in.

A table of each: an expression, and the value that is right, or words of the sentence that must
name the argument, what was given, and what is wanted.
"""

import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minirnn
from minirnn import convert, functions, gradcheck, optim, plotting
from minirnn.baselines import TrigramBayes, majority
from minirnn.batches import Sequences, samplers
from minirnn.data import Names, split
from minirnn.errors import MinirnnError
from minirnn.evaluation import Evaluation, evaluate, predict
from minirnn.functions import sigmoid
from minirnn.layers import Dropout, Embedding, Linear
from minirnn.losses import CrossEntropy, MeanSquaredError
from minirnn.measures import History
from minirnn.models import NameClassifier
from minirnn.optim import SGD, Adam, AdamW, clip_grad_norm
from minirnn.packing import pack, unpack
from minirnn.parameters import Parameter, orthogonal, uniform
from minirnn.product import Product, ProductBackward
from minirnn.recurrent import Recurrent
from minirnn.stacked import GRU, LSTM, RNN
from minirnn.text.continuation import go_on
from minirnn.training import Trainer

ROOT = Path(__file__).resolve().parents[1]
R = np.random.default_rng
NUMBERS = R(5).standard_normal((5, 2, 4)).astype("float32")


def ids_with(dtype, wrong):
    ids = np.full((5, 5), 5, dtype)
    ids[2, 3] = wrong
    return ids


WORDS = [[0, 1], [2], [1, 1, 0]]


def stepping(targets, loss, words=WORDS, monitor=None, **options):
    """A trainer whose net answers once, for sequences with a target at every step."""
    net = NameClassifier(3, 2, rng=R(0), hidden_size=2)
    sequences = minirnn.Sequences(words, targets=targets, **options)
    return Trainer(net, loss, SGD(net.parameters(), 0.1), sequences, [0, 1], [2], epochs=1,
                   monitor=monitor)  # fmt: skip


def four(labels=(0, 1, 0, 1), **options):
    """Four sequences of ids in two classes."""
    return minirnn.Sequences([[0, 1], [2], [1, 1, 0], [2, 2]], list(labels), **options)


class Guesses:
    """A net that guesses these classes, in the order of the sequences."""

    def __init__(self, *guesses, outputs=2):
        self.logits = np.eye(outputs, dtype="float32")[list(guesses)]

    def forward(self, batch, training=False):
        return self.logits[batch.index], None


def trainer(train=(0, 1, 2), validation=(3,), **options):
    net = NameClassifier(3, 2, rng=R(0), hidden_size=2)
    given = {"rng": R(1), "epochs": 1, "batch_size": 2} | options
    optimizer = SGD(net.parameters(), 0.1)
    return Trainer(net, CrossEntropy(), optimizer, four(), train, validation, **given)


def joined_by_trainer(**changed):
    """A trainer of these four, with one of them changed."""
    net = NameClassifier(3, 2, rng=R(0), hidden_size=2)
    four_of = {"net": net, "loss": CrossEntropy(), "optimizer": SGD(net.parameters(), 0.1),
               "sequences": four()} | changed  # fmt: skip
    return Trainer(*four_of.values(), [0, 1, 2], [3], epochs=1)


def parameter(grad=3.0):
    made = Parameter(np.ones(2))
    made.grad[...] = grad
    return made


def names(count=20):
    return Names([f"n{k}" for k in range(count)], np.zeros(count, int), ["A"], "")


LETTERS = Sequences([[0, 1, 0, 1, 1]], labels=[0]).batch([0])


def classifier():
    return NameClassifier(2, 2, rng=R(0), hidden_size=3, embedding=2)


def lstm(**options):
    return LSTM(4, 3, rng=R(0), **options)


STATE = np.full((1, 2, 3), 0.5, "float32")

REFUSED = {
    # ids and labels of small and unsigned types
    "int8 id below 0": (
        lambda: GRU(300, 4, rng=R(0)).forward(ids_with("int8", -1)),
        "id -1 .* 0 to 299",
    ),
    "int8 id below 0, embedded": (
        lambda: Embedding(300, 2, rng=R(0)).forward(ids_with("int8", -1)),
        "id -1 .* 0 to 299",
    ),
    "int16 id below 0": (
        lambda: Embedding(40000, 2, rng=R(0)).forward(ids_with("int16", -2)),
        "id -2",
    ),
    "int8 id below 0 of 200": (
        lambda: Embedding(200, 2, rng=R(0)).forward(ids_with("int8", -100)),
        "id -100",
    ),
    "uint8 id too large": (
        lambda: Embedding(200, 2, rng=R(0)).forward(ids_with("uint8", 200)),
        "id 200",
    ),
    "uint64 id too large": (
        lambda: GRU(9, 2, rng=R(0)).forward(ids_with("uint64", 2**63 + 1)),
        "id 92233720368547758",
    ),
    "big-endian id below 0": (
        lambda: Embedding(70000, 2, rng=R(0)).forward(ids_with(">i2", -1)),
        "id -1",
    ),
    "int8 label below 0": (
        lambda: CrossEntropy().forward(np.zeros((25, 300)), ids_with("int8", -1).ravel()),
        "label -1 .* 0 to 299",
    ),
    "int8 labels of sequences": (
        lambda: four(np.array([0, -1, 0, 1], "int8"), num_classes=300),
        "label -1",
    ),
    "true and false as ids": (
        lambda: Embedding(3, 2, rng=R(0)).forward(np.ones((2, 2), bool)),
        "ids is of type bool",
    ),
    "fractions as ids": (
        lambda: Embedding(3, 2, rng=R(0)).forward(np.ones((2, 2))),
        "whole numbers.*float64",
    ),
    # labels and indices of other forms
    "labels [N, 1]": (lambda: four([[0], [1], [0], [1]]), r"labels of shape \(4, 1\).*\[N\]"),
    "a label for all": (lambda: minirnn.Sequences([[0]], 0), "1 sequences, but 1 labels of shape"),
    "labels of text": (lambda: four("abab"), "labels must be whole numbers"),
    "a mask of another length": (
        lambda: evaluate(Guesses(0, 1, 0, 1), four(), [True, False]),
        "index is .*mask of 4",
    ),
    "an empty index": (lambda: evaluate(Guesses(0, 1, 0, 1), four(), []), "index is empty"),
    "an empty mask": (lambda: predict(Guesses(0, 1, 0, 1), four(), np.zeros(4, bool)), "is empty"),
    "an index outside": (lambda: predict(Guesses(0, 1, 0, 1), four(), [0, 4]), "has 4, but .* 4"),
    "an index too far back": (lambda: four().batch([-5]), "index has -5"),
    "an index of fractions": (lambda: four().batch([0.0, 1.0]), "index is .*float64.*whole"),
    "one place": (lambda: four().batch(2), "index is 2"),
    "an index in two dimensions": (lambda: four().batch([[0, 1]]), "index is"),
    "no validation": (lambda: trainer(validation=np.arange(0)), "validation is empty"),
    "no training": (lambda: trainer(train=[]), "train is empty"),
    "train outside": (lambda: trainer(train=range(9)), "train has 4, but there are 4"),
    "a share to train on": (lambda: trainer(train=0.8), "train is 0.8"),
    "validation of None": (lambda: trainer(validation=None), "validation is None"),
    "text for sequences": (lambda: minirnn.Sequences(["up", "down"], [0, 1]), "sequence 0 is 'up'"),
    "text to pack": (lambda: pack(["up", "down"]), "sequence 0 is 'up'.*encode"),
    "numbers to pack": (lambda: pack([["a"], [1]]), "sequence 1 is of type int64, but .* one kind"),
    "ids among features": (
        lambda: minirnn.Sequences([np.ones(2), np.ones(2, int)], [0, 1]),
        "sequence 1.*int64.*float64",
    ),
    "features without width": (
        lambda: minirnn.Sequences([[0.5, 1.5]], [0]),
        r"\(2,\) of type float64.*\[T, D\]",
    ),
    "whole numbers as features of sequences": (
        lambda: minirnn.Sequences([np.ones((2, 3), "uint8")], [0]),
        "uint8.*astype",
    ),
    "rows of another pack": (
        lambda: unpack(np.ones((3, 1)), [2, 2], [0, 1]),
        "3 rows.*do not belong together",
    ),
    "an order of another pack": (
        lambda: unpack(np.ones((4, 1)), [2, 2], [0, 0]),
        "do not belong together",
    ),
    "guesses outside": (lambda: Evaluation.of([0, 1], [0, 2], 2), "guess 2 is out of range"),
    "guesses in a column": (
        lambda: Evaluation.of([0, 1], [[0], [1]], 2),
        r"guesses of shape \(2, 1\)",
    ),
    "labels of trigrams": (lambda: TrigramBayes(["a", "b"], [0, 2], 2), "label 2 is out of range"),
    "labels of a majority": (lambda: majority([0, -1], 2), "label -1"),
    # whole numbers as features, lists, states
    "whole numbers as features": (
        lambda: lstm().forward(np.ones((5, 2, 4), "uint8")),
        "whole numbers, which are ids.*astype",
    ),
    "packed whole numbers": (
        lambda: lstm().forward(np.ones((3, 4), int), [2, 1]),
        "whole numbers, which are ids",
    ),
    "true and false as features": (
        lambda: lstm().forward(np.ones((5, 2, 4), bool)),
        "x is of type bool",
    ),
    "a ragged list": (lambda: lstm().forward([[1.0], [1.0, 2.0]]), "x is .*list of numbers"),
    "text": (lambda: lstm().forward("abc"), "x is 'abc', but must be an array"),
    "nothing": (lambda: Linear(2, 3, rng=R(0)).forward(None), "x is None, but must be an array"),
    "a number to Linear": (lambda: Linear(2, 3, rng=R(0)).forward(1.0), r"x has shape \(\)"),
    "the state by its place": (
        lambda: lstm().forward(NUMBERS, (STATE, STATE)),
        "sizes must be a list.*by name, as state=",
    ),
    "one state by its place": (
        lambda: RNN(4, 3, rng=R(0)).forward(NUMBERS, STATE),
        "sizes must be a list.*by name",
    ),
    "an LSTM's bare state": (
        lambda: lstm().forward(NUMBERS, state=STATE),
        r"the state is an array.*\('h', 'c'\)",
    ),
    "half an LSTM's state": (
        lambda: lstm().forward(NUMBERS, state=(STATE,)),
        r"has 1 arrays.*\('h', 'c'\)",
    ),
    "a state without layers": (
        lambda: lstm().forward(NUMBERS, state=(STATE[0], STATE[0])),
        r"shape \(2, 3\).*\[1, N, H\]",
    ),
    "a state of too many layers": (
        lambda: RNN(4, 3, rng=R(0)).forward(NUMBERS, state=np.zeros((2, 2, 3))),
        "state has shape .*1 layers and directions",
    ),
    "a state of text": (lambda: RNN(4, 3, rng=R(0)).forward(NUMBERS, state="zero"), "'zero'"),
    "sizes of fractions": (lambda: lstm().forward(NUMBERS[:, 0], [2.0, 3.0]), "sizes must be"),
    # sizes and types
    "no layer": (lambda: lstm(num_layers=0), "num_layers is 0, but .* at least 1"),
    "one and a half layers": (lambda: lstm(num_layers=1.5), "num_layers is 1.5"),
    "True layers": (lambda: lstm(num_layers=True), "num_layers is True"),
    "no unit": (lambda: LSTM(3, 0, rng=R(0)), "hidden_size is 0"),
    "no input": (lambda: Recurrent(minirnn.GRUCell, 0, 3, rng=R(0)), "input_size is 0"),
    "text for a size": (lambda: LSTM("3", 4, rng=R(0)), "input_size is '3'"),
    "whole weights": (lambda: lstm(dtype="int64"), "dtype is 'int64', but must be float32"),
    "no such type": (lambda: lstm(dtype="float33"), "dtype is 'float33'"),
    "no type": (lambda: Linear(2, 3, rng=R(0), dtype=None), "dtype is None"),
    "three biases": (lambda: lstm(biases=3), "biases is 3, but must be one of: 0, 1, 2"),
    "a bias": (lambda: lstm(biases=-1), "biases is -1"),
    "another init": (lambda: lstm(init="jax"), "init is 'jax', but must be one of: pytorch, keras"),
    "a nonlinearity": (lambda: RNN(3, 4, "elu", rng=R(0)), "nonlinearity is 'elu'.*tanh, relu"),
    "both directions as text": (lambda: lstm(bidirectional="no"), "bidirectional is 'no'"),
    "reverse and both": (lambda: lstm(bidirectional=True, reverse=True), "reverse is True"),
    "a GRU's forget bias": (
        lambda: GRU(3, 4, rng=R(0), forget_bias=1.0),
        "forget_bias is 1.0.*rzn, no f",
    ),
    "a forget bias without biases": (
        lambda: lstm(biases=0, forget_bias=1.0),
        "forget_bias is 1.0.*no biases",
    ),
    "an infinite forget bias": (lambda: lstm(forget_bias=np.inf), "forget_bias is inf"),
    "no feature": (lambda: Linear(0, 2, rng=R(0)), "in_features is 0"),
    "no output": (lambda: Linear(2, 0, rng=R(0)), "out_features is 0"),
    "no row": (lambda: Embedding(0, 2, rng=R(0)), "num_embeddings is 0"),
    "no column": (lambda: Embedding(2, -1, rng=R(0)), "embedding_dim is -1"),
    "all dropped out": (lambda: Dropout(1, rng=R(0)), "dropout is 1, but .* below 1"),
    "dropout of NaN": (lambda: Dropout(np.nan, rng=R(0)), "dropout is nan"),
    "dropout in words": (lambda: lstm(dropout="much"), "dropout is 'much'"),
    "no classes": (lambda: NameClassifier(3, 0, rng=R(0)), "num_classes is 0"),
    "no symbols": (lambda: NameClassifier(0, 2, rng=R(0)), "num_symbols is 0"),
    "no embedding": (lambda: NameClassifier(3, 2, rng=R(0), embedding=0), "embedding is 0"),
    "no such cell": (
        lambda: NameClassifier(3, 2, rng=R(0), cell="elman"),
        "no cell 'elman'; .*gru",
    ),
    "no cell": (lambda: NameClassifier(3, 2, rng=R(0), cell=None), "gates must name"),
    "classes of sequences": (lambda: four(num_classes=0), "num_classes is 0"),
    "symbols of sequences": (lambda: four(num_symbols=0), "num_symbols is 0"),
    "sequences of whole dtype": (lambda: four(dtype="int32"), "dtype is 'int32'"),
    "whole parameters": (lambda: Parameter([1, 2]), "parameter is .*int64.*float32"),
    # random numbers
    "RandomState": (
        lambda: GRU(3, 4, rng=np.random.RandomState(0)),
        "rng is RandomState.*default_rng",
    ),
    "RandomState of dropout": (
        lambda: Dropout(0.5, rng=np.random.RandomState(0)),
        "rng is RandomState",
    ),
    "a seed": (lambda: Linear(2, 3, rng=0), "rng is 0, but must be a Generator"),
    "RandomState of an Embedding": (
        lambda: Embedding(3, 2, rng=np.random.RandomState(0)),
        "rng is RandomState",
    ),
    "RandomState of a trainer": (
        lambda: trainer(rng=np.random.RandomState(0)),
        "rng is RandomState",
    ),
    "RandomState of a split": (
        lambda: split(names(), np.random.RandomState(0)),
        "rng is RandomState",
    ),
    "RandomState of first values": (
        lambda: uniform(np.random.RandomState(0), (2, 3), 1.0),
        "rng is RandomState",
    ),
    "a module of first values": (lambda: orthogonal(np.random, (2, 3)), "rng is <module"),
    # hyper-parameters
    "percents": (lambda: split(names(), R(0), (70, 15, 15)), "shares is .70"),
    "shares above 1": (lambda: split(names(), R(0), (0.8, 0.2, 0.2)), "shares is .* sum 1"),
    "two shares": (lambda: split(names(), R(0), (0.8, 0.2)), "shares is .*three"),
    "a rate without end": (
        lambda: SGD([parameter()], np.inf),
        "lr is inf, but must be a finite number",
    ),
    "an empty share": (lambda: split(names(), R(0), (0.8, 0.2, 0.0)), "shares is .*above 0"),
    "a negative share": (lambda: split(names(), R(0), (0.8, 0.4, -0.2)), "shares is .* sum 1"),
    "a share in words": (lambda: split(names(), R(0), ("a", 0.5, 0.5)), "shares is .*'a'"),
    "an embedding with NaN": (
        lambda: NameClassifier(2, 2, embedding=np.full((2, 3), np.nan)),
        "embedding is an array of shape .2, 3., but must hold finite real numbers",
    ),
    "a complex embedding": (
        lambda: NameClassifier(2, 2, embedding=np.ones((2, 3), complex)),
        "embedding is .* finite real numbers",
    ),
    "masked sequences with targets": (
        lambda: Sequences(np.ma.masked_array([1, 2], [0, 1]), targets=[[0], [1]]),
        "sequence 0 is 1, but must be an array|sequence 0 is .*must be an array",
    ),
    "masked ids as a cache": (
        lambda: Embedding(5, 2).backward(np.ones((2, 2)), np.ma.masked_array([1, 2], [0, 1])),
        "cache is a masked array",
    ),
    "a language twice": (
        lambda: Names(["a"], [0], ["\u00c9", "E\u0301"], "test"),
        "languages has 'É' twice, but must have each once",
    ),
    "clip below 0": (lambda: clip_grad_norm([parameter()], -1.0), "max_norm is -1.0.*above 0"),
    "clip to 0": (lambda: clip_grad_norm([parameter()], 0), "max_norm is 0"),
    "clip to NaN": (lambda: clip_grad_norm([parameter()], np.nan), "max_norm is nan"),
    "clip nothing": (lambda: clip_grad_norm([], 1.0), "parameters is empty"),
    "a norm of nothing": (lambda: optim.grad_norm([]), "parameters is empty"),
    "clip arrays": (lambda: clip_grad_norm([np.ones(2)], 1.0), "parameters has an array of shape"),
    "a trainer's clip": (lambda: trainer(clip=0), "clip is 0.*above 0 or None"),
    "a trainer's clip below 0": (lambda: trainer(clip=-1), "clip is -1"),
    "no patience": (lambda: trainer(patience=0), "patience is 0.*at least 1 or None"),
    "a bar by its name": (lambda: trainer().fit("bar"), "progress is 'bar', but must be True"),
    "half an epoch": (lambda: trainer(epochs=0.5), "epochs is 0.5"),
    "no epoch": (lambda: trainer(epochs=0), "epochs is 0"),
    "an empty batch": (lambda: trainer(batch_size=0), "batch_size is 0"),
    "no such sampling": (lambda: trainer(sampling="even"), "sampling is 'even'.*balanced"),
    "a number as schedule": (lambda: trainer(schedule=0.1), "schedule is 0.1.*function"),
    "a batch of none": (lambda: samplers["natural"](four(), [0, 1], 0, R(0)), "batch_size is 0"),
    "a batch of guesses": (
        lambda: predict(Guesses(0, 1, 0, 1), four(), [0], batch_size=0),
        "batch_size is 0",
    ),
    "momentum below 0": (lambda: SGD([parameter()], 0.1, momentum=-0.9), "momentum is -0.9"),
    "momentum of 1": (lambda: SGD([parameter()], 0.1, momentum=1), "momentum is 1"),
    "nesterov alone": (lambda: SGD([parameter()], 0.1, nesterov=True), "momentum is 0.*nesterov"),
    "no learning": (lambda: SGD([parameter()], -0.1), "lr is -0.1"),
    "lr of NaN": (lambda: Adam([parameter()], np.nan), "lr is nan"),
    "lr of text": (lambda: AdamW([parameter()], "0.1"), "lr is '0.1'"),
    "a schedule as lr": (lambda: SGD([parameter()], optim.step_decay(0.1, 5)), "lr is <function"),
    "decay below 0": (lambda: AdamW([parameter()], weight_decay=-1), "weight_decay is -1"),
    "beta of 1": (lambda: Adam([parameter()], betas=(0.9, 1.0)), r"betas\[1\] is 1.0"),
    "beta below 0": (lambda: AdamW([parameter()], betas=(-0.1, 0.9)), r"betas\[0\] is -0.1"),
    "one beta": (lambda: Adam([parameter()], betas=0.9), "betas is 0.9.*two numbers"),
    "eps below 0": (lambda: Adam([parameter()], eps=-1), "eps is -1"),
    "a net as parameters": (lambda: SGD(lstm(), 0.1), "parameters has LSTM.*parameters()"),
    "truncate below 0": (lambda: lstm().forward(NUMBERS, truncate=-3), "truncate is -3"),
    "truncate at once": (lambda: lstm().forward(NUMBERS, truncate=0), "truncate is 0"),
    "truncate by a half": (
        lambda: Recurrent(minirnn.RNNCell, 4, 3, rng=R(0)).forward(NUMBERS, truncate=2.5),
        "truncate is 2.5",
    ),
    "truncate in reverse": (
        lambda: lstm(reverse=True).forward(NUMBERS, truncate=2),
        "truncate has no meaning",
    ),
    "a cosine over nothing": (lambda: optim.cosine(0.1, 0), "total is 0"),
    "a cosine below 0": (lambda: optim.cosine(-0.1, 5), "lr is -0.1"),
    "a cycle over nothing": (lambda: optim.one_cycle(0.1, 0), "total is 0"),
    "a cycle that always rises": (lambda: optim.one_cycle(0.1, 9, rise=1.5), "rise is 1.5"),
    "a cycle from 1 / 0": (lambda: optim.one_cycle(0.1, 9, start_factor=0), "start_factor is 0"),
    "a cycle to 1 / 0": (lambda: optim.one_cycle(0.1, 9, end_factor=0), "end_factor is 0"),
    "steps of nothing": (lambda: optim.step_decay(0.1, 0), "every is 0"),
    "a factor below 0": (lambda: optim.step_decay(0.1, 3, factor=-0.5), "factor is -0.5"),
    "normalise by NaN": (
        lambda: CrossEntropy(np.nan),
        "normaliser is nan.*mean, sum or a finite number above 0",
    ),
    "normalise by True": (lambda: MeanSquaredError(True), "normaliser is True"),
    "ignore a fraction": (lambda: CrossEntropy(ignore_index=0.5), "ignore_index is 0.5"),
    "a prior of all": (lambda: CrossEntropy(log_prior=[[0.5, 0.5]]), r"log_prior is .*\[K\]"),
    "a prior of others": (
        lambda: CrossEntropy(log_prior=[0.0, 0.0]).forward(np.zeros((1, 3)), np.array([0])),
        r"log_prior has shape \(2,\), but must have \(3,\)",
    ),
    "logits of no class": (lambda: CrossEntropy().forward(1.0, 0), "labels have shape"),
    # masked arrays, flags, caches, and what a trainer joins
    "a masked array": (
        lambda: lstm().forward(np.ma.masked_array(NUMBERS, NUMBERS > 1)),
        r"x is a masked array of shape \(5, 2, 4\), but must be an array",
    ),
    "masked ids": (
        lambda: Embedding(3, 2, rng=R(0)).forward(np.ma.masked_array([0, 1], [0, 1])),
        "ids is a masked array",
    ),
    "masked labels": (
        lambda: four(np.ma.masked_array([0, 1, 0, 1], [0, 0, 0, 1]).tolist()),
        "labels must be whole numbers",
    ),
    "a masked index": (
        lambda: trainer(train=np.ma.masked_array([0, 1], [0, 1])),
        "train is a masked array",
    ),
    "no ids": (lambda: Embedding(3, 2, rng=R(0)).forward([]), "ids must be whole numbers"),
    "reset_after in words": (lambda: GRU(3, 4, "no", rng=R(0)), "reset_after is 'no'"),
    "reset_after of None": (lambda: GRU(3, 4, None, rng=R(0)), "reset_after is None"),
    "a bias in words": (lambda: Linear(2, 3, "no", rng=R(0)), "bias is 'no'"),
    "an array for a bias": (lambda: Linear(2, 3, np.zeros(3), rng=R(0)), "bias is an array"),
    "True biases": (lambda: lstm(biases=True), "biases is True, but must be one of: 0, 1, 2"),
    "nesterov in words": (lambda: SGD([parameter()], 0.1, 0.9, "no"), "nesterov is 'no'"),
    "a forget bias beyond float32": (lambda: lstm(forget_bias=1e300), r"forget_bias is 1e\+300"),
    "a whole lr beyond any float": (lambda: SGD([parameter()], 10**400), "lr is 1000"),
    "True sizes": (lambda: lstm().forward(NUMBERS[:, 0], [True] * 5), "sizes must be a list"),
    "a cell class with arguments": (
        lambda: Recurrent(Recurrent, 3, 4, rng=R(0)),
        r"Recurrent\(\) fails, but a cell must be made without arguments",
    ),
    "no cache": (lambda: lstm().backward(NUMBERS, None), "cache is None, but must be what forward"),
    "an evaluation of no sequences": (
        lambda: evaluate(lstm(), None, [0]),
        "sequences is None, but must be an object with batch and counts, as Sequences",
    ),
    "an evaluation of no net": (
        lambda: evaluate(3, four(), [0]),
        "net is 3, but must be an object",
    ),
    "an evaluation by a word": (
        lambda: evaluate(lstm(), four(), [0], loss="mean"),
        "loss is 'mean', but must be an object with forward and backward, as CrossEntropy",
    ),
    "a prediction of no net": (lambda: predict(None, four(), [0]), "net is None, but must be an"),
    "a prediction on a list": (
        lambda: predict(lstm(), [[0]], [0]),
        "sequences is .*, but must be an",
    ),
    "another net's cache": (
        lambda: lstm().backward(np.ones((5, 2, 3)), GRU(4, 3, rng=R(0)).forward(NUMBERS)[2]),
        "cache is .*, but must be what forward of this object returned last",
    ),
    "another model's cache": (
        lambda: classifier().backward(np.ones((1, 2)), classifier().forward(LETTERS)[1]),
        "cache is .*, but must be what forward of this object returned last",
    ),
    "another model's states": (
        lambda: classifier().states(classifier().forward(LETTERS)[1]),
        "cache is .*, but must be what forward of this object returned last",
    ),
    "features for an embedding": (
        lambda: classifier().forward(LETTERS._replace(x=np.ones((5, 2), "float32"))),
        "ids must be whole numbers, but are of type float32",
    ),
    "no features for an embedding": (
        lambda: classifier().forward(LETTERS._replace(x=None)),
        "ids is None, but must be",
    ),
    "a switch of many": (
        lambda: classifier().forward(LETTERS, training=np.ones(2)),
        "training is .*, but must be False or True|training is .*, but must be one of",
    ),
    "a ragged parameter": (lambda: Parameter([[1.0], [1.0, 2.0]]), "data is .*list of numbers"),
    "cache and gradient exchanged": (
        lambda: lstm().backward(lstm().forward(NUMBERS)[2], np.ones((5, 2, 3))),
        "cache is an array of shape .* what forward",
    ),
    "a loss's gradient for its cache": (
        lambda: CrossEntropy().backward(1.0),
        "cache is 1.0, but must be what forward",
    ),
    "no cache of an error": (lambda: MeanSquaredError().backward(None), "cache is None"),
    "no logits": (
        lambda: CrossEntropy().forward(np.zeros((0, 2)), np.zeros(0, int)),
        r"logits has shape \(0, 2\), but must have at least one entry",
    ),
    "no numbers": (lambda: MeanSquaredError().forward([], []), r"y has shape \(0,\)"),
    "a prior of NaN": (lambda: CrossEntropy(log_prior=[np.nan, 0]), "log_prior is .nan, 0.0."),
    "None for parameters": (lambda: SGD(None, 0.1), "parameters has None, but must be a list"),
    "a parameter twice": (lambda: SGD([parameter()] * 2, 0.1), "parameters has one twice"),
    "an optimiser's state of None": (
        lambda: SGD([parameter()], 0.1).load_state_dict(None),
        "the state of the optimiser is None, but must be a dict",
    ),
    "an optimiser's state without steps": (
        lambda: SGD([parameter()], 0.1).load_state_dict({}),
        "the optimiser's steps has shape .* nothing",
    ),
    "steps in words": (
        lambda: SGD([parameter()], 0.1).load_state_dict({"steps": "many", "lr": 0.1}),
        "the optimiser's steps must be a whole number, at least 0, but the saved is not",
    ),
    "a velocity of NaN": (
        lambda: SGD([parameter()], 0.1, 0.9).load_state_dict(
            {"steps": 1, "lr": 0.1, "v.0": [np.nan, 1]}
        ),
        r"the optimiser's v.0 must be of finite numbers, but the saved is not",
    ),
    "steps below 0": (
        lambda: SGD([parameter()], 0.1).load_state_dict({"steps": -1, "lr": 0.1}),
        "the optimiser's steps must be a whole number, at least 0",
    ),
    "half a step": (
        lambda: SGD([parameter()], 0.1).load_state_dict({"steps": 2.5, "lr": 0.1}),
        "the optimiser's steps must be a whole number",
    ),
    "a saved rate below 0": (
        lambda: SGD([parameter()], 0.1).load_state_dict({"steps": 2, "lr": -0.1}),
        "the optimiser's lr must be of finite numbers, at least 0",
    ),
    "a mean of squares below 0": (
        lambda: Adam([parameter()]).load_state_dict(
            {"steps": 2, "lr": 0.1, "m.0": [-1, 1], "v.0": [-1, 1]}
        ),
        r"the optimiser's v.0 must be of finite numbers, at least 0",
    ),
    "Adam's state for SGD": (
        lambda: SGD([parameter()], 0.1).load_state_dict(Adam([parameter()]).state_dict()),
        r"the saved optimiser has [mv].0, but this one has not",
    ),
    "a net from the end for PyTorch": (
        lambda: convert.to_pytorch(LSTM(2, 3, reverse=True)),
        "PyTorch has no net that reads from the end alone",
    ),
    "a linear RNN from PyTorch's": (
        lambda: convert.from_pytorch(RNN(2, 3, "identity"), {}),
        "PyTorch's RNN has tanh or relu",
    ),
    "an unknown gate on the way back": (
        lambda: ProductBackward(Product("rz", np.ones((2, 3, 3)), None), 1, "f").backward(
            np.ones((1, 3)), "q"
        ),
        r"product\(v, 'q'\): the cell's gates are 'rz'",
    ),
    "one array for two gates": (
        lambda: ProductBackward(Product("rz", np.ones((2, 3, 3)), None), 2, "f").backward(
            np.ones((2, 3))
        ),
        r"was given one array of shape \(2, 3\), but must be given a tuple of 2",
    ),
    "gates in a tuple": (
        lambda: Product("rz", np.ones((2, 3, 3)), None)(np.ones((1, 3)), ("r", "z")),
        "the cell's gates are 'rz'",
    ),
    "states twice": (
        lambda: Recurrent(type("Twice", (), {"gates": "h", "states": ("h", "h")}), 2, 3),
        "Twice.states must be a tuple of names",
    ),
    "a number for states": (
        lambda: Recurrent(type("Number", (), {"gates": "h", "states": 5}), 2, 3),
        "Number.states must be a tuple of names",
    ),
    "a net's settings without languages": (
        lambda: minirnn.NameClassifier.from_settings(
            {"model": "lstm", "alphabet": "ab", **dict.fromkeys(minirnn.NameClassifier.SIZES, 2)}
        ),
        "must be a dict with languages",
    ),
    "a weight of a class that is infinite": (
        lambda: CrossEntropy(class_weight=[1, np.inf]),
        "class_weight must hold finite numbers",
    ),
    "a prior without any class": (
        lambda: CrossEntropy(log_prior=[-np.inf, -np.inf]),
        "log_prior is .* not all",
    ),
    "a temperature of 0": (lambda: next(go_on(lstm(), [0], R(0), 0)), "temperature is 0"),
    "the best 0 letters": (lambda: next(go_on(lstm(), [0], R(0), 1, 0)), "top_k is 0"),
    "nothing to go on with": (lambda: next(go_on(lstm(), [], R(0))), "the number of ids is 0"),
    "a net's state in a list": (lambda: lstm().load_state_dict([1]), "the saved state is .1., but"),
    "a ragged list in a net's state": (
        lambda: lstm().load_state_dict(lstm().state_dict() | {"layers.0.bx": [[1, 2], [3]]}),
        r"the saved layers.0.bx is \[\[1, 2\], \[3\]\], but must be an array of numbers",
    ),
    "a masked array in a net's state": (
        lambda: lstm().load_state_dict({k: np.ma.array(a) for k, a in lstm().state_dict().items()}),
        "the saved layers.0.Wx is a masked array",
    ),
    "a ragged velocity": (
        lambda: SGD([parameter()], 0.1, 0.9).load_state_dict(
            {"steps": 1, "lr": 0.1, "v.0": [[1], [1, 2]]}
        ),
        "the saved v.0 is .* but must be an array of numbers",
    ),
    "a schedule of NaN": (lambda: trainer(schedule=lambda step: np.nan), r"schedule\(0\) is nan"),
    "a schedule of words": (
        lambda: trainer(schedule=lambda step: "0.1"),
        r"schedule\(0\) is '0.1'",
    ),
    "a schedule of nothing": (
        lambda: trainer(schedule=lambda step: None),
        r"schedule\(0\) is None",
    ),
    "a schedule below 0": (lambda: trainer(schedule=lambda step: -0.1), r"schedule\(0\) is -0.1"),
    "a schedule of no step": (lambda: trainer(schedule=lambda: 0.1), r"schedule\(0\) fails .*step"),
    "a schedule that goes bad": (
        lambda: trainer(schedule=lambda step: 0.1 if step == 0 else np.inf).fit(),
        r"schedule\(1\) is inf",
    ),
    "no net": (lambda: joined_by_trainer(net=None), "net is None, but must be an object with"),
    "a loss's class": (lambda: joined_by_trainer(loss=CrossEntropy), "loss is <class.*CrossEnt"),
    "loss and optimiser exchanged": (
        lambda: joined_by_trainer(loss=SGD([parameter()], 0.1), optimizer=CrossEntropy()),
        "loss is <minirnn.optim.SGD.*forward and backward",
    ),
    "another net's optimiser": (
        lambda: joined_by_trainer(optimizer=SGD([parameter()], 0.1)),
        "optimizer has no parameter of this net",
    ),
    "a list for sequences": (
        lambda: joined_by_trainer(sequences=[[0, 1]]),
        "sequences is .*Sequenc",
    ),
    "no sequences": (lambda: minirnn.Sequences(None, [0]), "sequences is None, but must be a list"),
    "numbers for sequences": (lambda: minirnn.Sequences([1, 2], [0, 1]), "sequence 0 is 1, but"),
    "a sequence of None": (lambda: minirnn.Sequences([None], [0]), "sequence 0 is None, but"),
    "a generator in a sequence": (
        lambda: minirnn.Sequences([(k for k in [1])], [0]),
        "sequence 0 is <generator",
    ),
    "ragged labels": (lambda: minirnn.Sequences([[0], [0]], [[0], [0, 1]]), "must be an array"),
    "a number to pack": (lambda: pack(3), "sequences is 3, but must be a list"),
    "no order": (lambda: unpack(np.ones((2, 1)), [2], None), "do not belong together"),
    "an order of fractions": (lambda: unpack(np.ones((2, 1)), [2], [0.0, 1.0]), "do not belong"),
    "sizes that grow": (lambda: unpack(np.ones((3, 1)), [1, 2], [0, 1]), "do not belong together"),
    "nothing to unpack": (lambda: unpack([], [], []), "rows is|do not belong together"),
    "a word to softmax": (lambda: functions.softmax("a"), "a is 'a', but must be an array"),
    "a check of truncate through dropout": (
        lambda: gradcheck.check_recurrent(
            lstm(num_layers=2, dropout=0.5), truncate=2, training=True
        ),
        "truncate is 2, but must be None where dropout acts .* one after the other",
    ),
    "targets of another length": (
        lambda: minirnn.Sequences(WORDS, targets=[[0, 1], [0, 1], [1, 1, 0]]),
        "sequence 1 has 1 steps, but 2 targets",
    ),
    "classes in a regression": (
        lambda: stepping([[0, 1], [1], [1, 1, 0]], MeanSquaredError()),
        "MeanSquaredError needs numbers",
    ),
    "numbers as classes": (
        lambda: stepping([[0.5, 1.0], [1.0], [1.0, 1.0, 0.0]], CrossEntropy()),
        "CrossEntropy needs classes",
    ),
    "an ignore index for one": (
        lambda: stepping([[0, 1], [1], [1, 1, 0]], CrossEntropy(), ignore_index=0),
        "give both the same",
    ),
    "one answer for every step": (
        lambda: stepping([[0, 1], [1], [1, 1, 0]], CrossEntropy()).fit(),
        "2 outputs, but there are 3 targets",
    ),
    "a measure of another loss": (
        lambda: stepping(
            [[0.5], [1.0], [0.0]], MeanSquaredError(), [[0], [1], [1]], monitor="bits"
        ),
        "must be one of: r2, rmse, loss",
    ),
    "nothing was trained": (lambda: History().best(), "the history is empty"),
    # misuse inside a call: caches, what comes from above, steps
    "no cache of Linear": (
        lambda: Linear(2, 3, rng=R(0)).backward(np.ones((1, 3)), None),
        "cache is None, but must be what forward",
    ),
    "another layer's cache": (
        lambda: Linear(2, 3, rng=R(0)).backward(np.ones((1, 3)), np.ones((1, 4))),
        r"cache is an array of shape \(1, 4\), but must be what forward",
    ),
    "text for an Embedding's cache": (
        lambda: Embedding(2, 3, rng=R(0)).backward(np.ones((1, 3)), "ids"),
        "cache is 'ids'",
    ),
    "another Embedding's cache": (
        lambda: Embedding(2, 3, rng=R(0)).backward(np.ones((1, 3)), np.array([5])),
        "id 5 is out of range",
    ),
    "text for a mask": (lambda: Dropout(0.5).backward(np.ones(2), "mask"), "cache is 'mask'"),
    "a mask of another shape": (
        lambda: Dropout(0.5).backward(np.ones((2, 1)), np.ones((2, 3))),
        r"dy has shape \(2, 1\), but y had \(2, 3\)",
    ),
    "the cache of an LSTM alike": (
        lambda: lstm().backward(np.ones((5, 2, 3)), lstm().forward(NUMBERS)[2]),
        "cache is a tuple of 4, but must be what forward of this object",
    ),
    "a Recurrent's cache alike": (
        lambda: Recurrent(minirnn.RNNCell, 4, 3).backward(
            None, Recurrent(minirnn.RNNCell, 4, 3).forward(NUMBERS)[2]
        ),
        "cache is a tuple of 9, but must be",
    ),
    "states of no cache": (lambda: lstm().states(None), "cache is None"),
    "states of a loss": (
        lambda: lstm().states(CrossEntropy().forward(np.zeros((2, 2)), [0, 1])[1]),
        "cache is a tuple of 4",
    ),
    "gates of no cache": (lambda: lstm().layers[0].gates({}), "cache is {}"),
    "a state for a loss's cache": (
        lambda: MeanSquaredError().backward((np.ones((1, 2)), np.ones((1, 2)))),
        "cache is a tuple of 2, but must be",
    ),
    "a net's cache for a loss's": (
        lambda: CrossEntropy().backward(lstm().forward(NUMBERS)[2]),
        "cache is a tuple of 4",
    ),
    "no cache of a net": (
        lambda: NameClassifier(3, 2, hidden_size=2).backward(np.ones((2, 2)), None),
        "cache is None",
    ),
    "a loss's cache for a StepModel's": (
        lambda: minirnn.StepModel(3, 2, hidden_size=2).backward(np.ones((2, 2)), (1, 2, 3, 4, 5)),
        "cache is a tuple of 5",
    ),
    "dloss of text": (
        lambda: CrossEntropy().backward(CrossEntropy().forward(np.zeros((2, 2)), [0, 1])[1], "1"),
        "dloss is '1', but must be a number",
    ),
    "dloss for each row": (
        lambda: MeanSquaredError().backward(
            MeanSquaredError().forward(np.ones((2, 2)), np.zeros((2, 2)))[1], np.ones(2)
        ),
        r"dloss is an array of shape \(2,\), but must be a number",
    ),
    "complex features": (
        lambda: (lambda net: net.backward(*net.forward(NUMBERS + 0j)[::2]))(lstm()),
        "x was of type complex64.*take real numbers",
    ),
    "a gradient of complex features": (
        lambda: Linear(4, 2).backward(np.ones((5, 2, 2)), NUMBERS + 0j),
        "x was of type complex64.*take real numbers",
    ),
    "ok of text": (lambda: SGD([parameter()], 0.1).step("x"), "ok is 'x', but must be True or"),
    "ok of several": (
        lambda: Adam([parameter()]).step(np.ones(2, bool)),
        r"ok is an array of shape \(2,\), but must be True or False",
    ),
    "a rate set to NaN": (
        lambda: (lambda o: (setattr(o, "lr", np.nan), o.step()))(SGD([parameter()], 0.1)),
        "lr is nan, but must be a finite number, at least 0",
    ),
    "a step of text": (
        lambda: optim.cosine(0.1, 10)("a"),
        "step is 'a', but must be a finite number",
    ),
    "a step below 0": (lambda: optim.one_cycle(0.1, 10)(-1), "step is -1"),
    "no step": (lambda: optim.step_decay(0.1, 2)(None), "step is None"),
    "a step of NaN": (lambda: optim.cosine(0.1, 10)(np.nan), "step is nan"),
    "training in words": (
        lambda: lstm().forward(NUMBERS, training="no"),
        "training is 'no', but must be one of: True, False",
    ),
    "training of Dropout": (lambda: Dropout(0.5).forward(np.ones(2), 2), "training is 2"),
    "an array for a batch": (
        lambda: NameClassifier(3, 2, hidden_size=2).forward(NUMBERS),
        r"batch is an array of shape \(5, 2, 4\), but must be a Batch",
    ),
    "no batch": (lambda: minirnn.StepModel(3, 2, hidden_size=2).forward(None), "batch is None"),
    "gates of no batch": (lambda: NameClassifier(3, 2).gates([1]), r"batch is \[1\]"),
    "a state of no sequence": (
        lambda: minirnn.StepModel(3, 2, hidden_size=2).first_state(-1),
        "N is -1, but must be a whole number",
    ),
    "a batch's state without layers": (
        lambda: four().batch([0, 1], (STATE[0],)),
        r"state is .*, but must be a tuple of arrays \[layers, N, H\] with N at least 2",
    ),
    "settings of half a net": (
        lambda: NameClassifier.from_settings({"model": "lstm"}),
        "settings is .*, but must be a dict with alphabet",
    ),
    "streams of a net without a state": (
        lambda: evaluate(NameClassifier(3, 2, hidden_size=2), four(), [0, 1], streams=1),
        "streams is 1, but NameClassifier carries no state on",
    ),
    "scores of other labels": (
        lambda: CrossEntropy().score(np.zeros((3, 2)), [0]),
        r"labels have shape \(1,\), but logits have \(3, 2\)",
    ),
    "scores of other targets": (
        lambda: MeanSquaredError().score(np.zeros((3, 2)), np.zeros((3, 1))),
        r"y has shape \(3, 2\), but the target has \(3, 1\)",
    ),
    "places of targets": (lambda: four().targets(None), "index is None"),
    "a number of targets of text": (lambda: four().number("ab"), "index is 'ab'"),
    "text to draw from": (
        lambda: samplers["natural"]("abc", [0, 1], 2, R(0)),
        "sequences is 'abc', but must be an object with batch and counts",
    ),
    "targets of a number": (
        lambda: minirnn.Sequences([[0], [1]], targets=5),
        "targets is 5, but must be a list",
    ),
    "names of something else": (
        lambda: minirnn.Sequences.of_names(["a"], minirnn.Alphabet()),
        r"names is \['a'\], but must be an object with digest and counts, as load_names",
    ),
    "a checkpoint that is no function": (
        lambda: trainer().fit(checkpoint="out.npz"),
        "checkpoint is 'out.npz', but must be a function or None",
    ),
    "a class for a progress": (lambda: trainer().fit(dict), "progress is <class 'dict'>"),
    # what takes memory, and what NumPy makes of it
    "units without end": (
        lambda: LSTM(3, 10**40),
        "hidden_size is 1000.*, but must be a whole number, at most 100,000,000",
    ),
    "layers without end": (lambda: lstm(num_layers=10**6), "num_layers is .*at most 1,000"),
    "classes without end": (lambda: NameClassifier(3, 2**70), "num_classes is .*at most"),
    "half a letter as a type": (lambda: lstm(dtype="\udcff"), "dtype is .*must be float32"),
    "an array of nothing": (
        lambda: minirnn.asarray(None, "float32"),
        "array is None, but must be an array or a list of numbers",
    ),
    "an array of text": (lambda: minirnn.asarray("1", "float32"), "array is '1', but must be"),
    "an array of a ragged list": (
        lambda: minirnn.asarray([[1], [1, 2]]),
        "lists of numbers, of one length each",
    ),
    "an array of no type": (
        lambda: minirnn.asarray([1, 2], "abc"),
        "dtype is 'abc', but must be one of NumPy's",
    ),
    "an array of hidden numbers": (
        lambda: minirnn.asarray(np.ma.masked_array([1.0], mask=True)),
        "array is a masked array",
    ),
    "a ragged list to the host": (
        lambda: minirnn.asnumpy([[1], [1, 2]]),
        "lists of one length each",
    ),
    "a list for a backend": (lambda: minirnn.use(["numpy"]), "name is .*, but must be text"),
    "uint64 that int64 has not": (
        lambda: pack([np.array([2**63], "uint64")]),
        "sequence 0 has 9223372036854775808, but must be below 2.63",
    ),
    "padding that is no whole number": (
        lambda: minirnn.pad_packed(*pack([[1, 2], [3]]), batch_first=True, value=0.5),
        "value is 0.5, but must be one that int64 can hold",
    ),
    "padding of NaN": (
        lambda: minirnn.pad_packed(*pack([[1, 2], [3]]), batch_first=True, value=np.nan),
        "value is nan, but must be one that int64",
    ),
    "padding of text": (
        lambda: minirnn.pad_packed(*pack([[1.0], [3.0]]), batch_first=True, value="0"),
        "value is '0'",
    ),
    "a rate that no float can be multiplied with": (
        lambda: SGD([parameter()], 1e308),
        r"lr is 1e\+308, but must be a finite number.*, and of a size that can be computed with",
    ),
    "a number as padding of letters": (
        lambda: minirnn.pad_packed(*pack([np.array(["a"])]), batch_first=True),
        "value is 0, but must be one that <U1 can hold",
    ),
    "two letters as padding": (
        lambda: minirnn.pad_packed(*pack([np.array(["a"])]), batch_first=True, value="ab"),
        "value is 'ab'",
    ),
    "a number to unpack": (lambda: unpack(1.0, [1], [0]), r"rows has shape \(\)"),
    "one axis to pack": (
        lambda: minirnn.pack_padded([1, 2], [1], batch_first=True),
        r"x has shape \(2,\), but must be \[N, T",
    ),
    # names, texts, measures
    "a list for an alphabet": (lambda: minirnn.Alphabet(["a"]), "characters is .*must be text"),
    "bytes to clean": (lambda: minirnn.Alphabet().clean(b"a"), "text is b'a', but must be text"),
    "a number to encode": (lambda: minirnn.Alphabet().encode(3), "name is 3, but must be text"),
    "text for an Alphabet": (
        lambda: minirnn.load_names(alphabet="abc"),
        "alphabet is 'abc', but must be an object with clean and encode, as Alphabet",
    ),
    "merge in words": (lambda: minirnn.load_names(merge="no"), "merge is 'no'"),
    "a number for a folder": (lambda: minirnn.load_names(3), "folder is 3, but must be a path"),
    "a split of a list": (lambda: split(["a", "b"]), "names is .*as load_names"),
    "shares of a number": (lambda: split(names(), R(0), 0.7), "shares is 0.7, but must be a list"),
    "names without labels": (lambda: Names(["a"], [], ["A"], ""), "1 sequences, but 0 labels"),
    "names that are numbers": (lambda: Names([1], [0], ["A"], ""), r"names\[0\] is 1"),
    "a name by its name": (lambda: names()["n1"], "place of a name is 'n1'"),
    "no classes to measure": (lambda: Evaluation.of([0], [0], None), "num_classes is None"),
    "regression of other shapes": (
        lambda: minirnn.training.Regression.of([[1.0], [2.0]], [1.0, 2.0]),
        r"y has shape \(2,\), but target has \(2, 1\)",
    ),
    "regression of nothing": (lambda: minirnn.training.Regression.of([], []), "no targets"),
}


def rows():
    """The sentences in docs/reliability.md, under "What the doors say"."""
    text = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    table = text.partition("## What the doors say")[2]
    return re.findall(r"^\| [^|]+ \| `([^|]+)` \|$", table, re.M)


@pytest.fixture(scope="module")
def said():
    found = []
    for attempt, _ in REFUSED.values():
        try:
            attempt()
        except MinirnnError as error:
            found.append(str(error))
    return found


@pytest.mark.parametrize("sentence", rows())
def test_the_table_of_doors(said, sentence):
    pattern = ".*".join(map(re.escape, sentence.split("...")))
    assert any(re.fullmatch(pattern, text) for text in said)


def test_the_table_of_doors_is_read():
    assert len(rows()) >= 20


@pytest.mark.parametrize("name", REFUSED)
def test_refused_in_one_sentence(name):
    attempt, words = REFUSED[name]
    with pytest.raises(MinirnnError, match=words) as error:
        attempt()
    text = str(error.value)
    assert "\n" not in text and len(text) < 300 and not text.endswith(".")
    assert "must" in text or "but" in text or ";" in text


# What is taken, and the value that is right


def forwarded(net, *given, **options):
    return net.forward(*given, **options)[0]


LISTED = NUMBERS.tolist()
LABELS = np.array([0, 1, 2])
IDS = np.array([[0, 1], [2, 2], [1, 0]])
ZEROS = np.zeros((1, 2, 3), "float32")


def accuracy(index):
    """Of a net that is right on the first three of four, on these."""
    return evaluate(Guesses(0, 1, 0, 0), four(), index).accuracy


def gradient_with(act):
    """dWx of an LSTM, where something is done between forward and backward."""
    net = lstm()
    output, _, cache = net.forward(NUMBERS)
    act(net)
    net.backward(output, cache)
    return net.layers[0].Wx.grad


TAKEN = {
    "an index of True": (lambda: accuracy([True] * 4), 0.75),
    "a mask": (lambda: accuracy(np.array([False, True, False, True])), 0.5),
    "a range": (lambda: accuracy(range(3)), 1.0),
    "a list": (lambda: accuracy([0, 3]), 0.5),
    "places from the end": (lambda: accuracy([-1]), 0.0),
    "places of uint8": (lambda: accuracy(np.array([0, 1, 3], "uint8")), 2 / 3),
    "a mask for a batch": (
        lambda: four().batch([False, True, True, False]).labels,
        np.array([0, 1]),
    ),
    "a list of a sampler": (
        lambda: np.sort(np.concatenate(samplers["bucketed"](four(), [3, 1], 1, R(0)))),
        [1, 3],
    ),
    "a mask of a sampler": (
        lambda: np.sort(
            np.concatenate(samplers["balanced"](four(), [False, True, False, False], 2, R(0)))
        ),
        [1, 1],
    ),
    "train and validation": (lambda: len(trainer(range(3), [3], epochs=np.int64(2)).fit().rows), 2),
    "train and validation as masks": (
        lambda: len(trainer([True, True, False, False], [False, False, True, True]).fit().rows),
        1,
    ),
    "more outputs than classes": (
        lambda: evaluate(Guesses(0, 1, 2, 1, outputs=3), four(), range(4)).confusion,
        [[1, 0, 1], [0, 2, 0], [0, 0, 0]],
    ),
    "labels in a tuple": (lambda: four((0, 1, 0, 1)).counts(), [2, 2]),
    "ids of two types": (
        lambda: minirnn.Sequences([np.ones(2, "uint64"), np.ones(1, "int8")], [0, 1]).rows,
        [1, 1, 1],
    ),
    "packed lists": (lambda: pack([[1, 2], [3, 4, 5]])[0], [3, 1, 4, 2, 5]),
    "uint64 ids": (
        lambda: forwarded(GRU(3, 2, rng=R(0)), IDS.astype("uint64")),
        lambda: forwarded(GRU(3, 2, rng=R(0)), IDS),
    ),
    "int8 ids of 300": (
        lambda: forwarded(Embedding(300, 2, rng=R(0)), np.full((5, 5), 127, "int8")),
        lambda: forwarded(Embedding(300, 2, rng=R(0)), np.full((5, 5), 127)),
    ),
    "uint8 ids of 200": (
        lambda: forwarded(Embedding(200, 2, rng=R(0)), np.full((5, 5), 199, "uint8")),
        lambda: forwarded(Embedding(200, 2, rng=R(0)), np.full((5, 5), 199)),
    ),
    "a list of features": (lambda: forwarded(lstm(), LISTED), lambda: forwarded(lstm(), NUMBERS)),
    "a list, both directions": (
        lambda: forwarded(lstm(bidirectional=True), LISTED),
        lambda: forwarded(lstm(bidirectional=True), NUMBERS),
    ),
    "a list of ids": (
        lambda: forwarded(GRU(3, 2, rng=R(0)), IDS.tolist()),
        lambda: forwarded(GRU(3, 2, rng=R(0)), IDS),
    ),
    "a list to Embedding": (
        lambda: forwarded(Embedding(3, 2, rng=R(0)), IDS.tolist()),
        lambda: forwarded(Embedding(3, 2, rng=R(0)), IDS),
    ),
    "a list to Linear": (
        lambda: forwarded(Linear(4, 2, rng=R(0)), LISTED),
        lambda: forwarded(Linear(4, 2, rng=R(0)), NUMBERS),
    ),
    "whole numbers to Linear": (
        lambda: forwarded(Linear(2, 2, rng=R(0)), [[3, 4]]),
        lambda: forwarded(Linear(2, 2, rng=R(0)), np.array([[3, 4]], "float32")),
    ),
    "a list to Dropout": (lambda: forwarded(Dropout(0.5, rng=R(0)), [1.0, 2.0]), [1.0, 2.0]),
    "a bare state": (
        lambda: forwarded(RNN(4, 3, rng=R(0)), NUMBERS, state=STATE),
        lambda: forwarded(RNN(4, 3, rng=R(0)), NUMBERS, state=(STATE,)),
    ),
    "a bare state of a cell": (
        lambda: forwarded(Recurrent(minirnn.GRUCell, 4, 3, rng=R(0)), NUMBERS, state=STATE[0]),
        lambda: forwarded(Recurrent(minirnn.GRUCell, 4, 3, rng=R(0)), NUMBERS, state=(STATE[0],)),
    ),
    "a state without c": (
        lambda: forwarded(lstm(), NUMBERS, state=(STATE, None)),
        lambda: forwarded(lstm(), NUMBERS, state=(STATE, ZEROS)),
    ),
    "a state without h": (
        lambda: forwarded(lstm(), NUMBERS, state=[None, STATE]),
        lambda: forwarded(lstm(), NUMBERS, state=(ZEROS, STATE)),
    ),
    "a state in lists": (
        lambda: forwarded(lstm(), NUMBERS, state=(STATE.tolist(), STATE.tolist())),
        lambda: forwarded(lstm(), NUMBERS, state=(STATE, STATE)),
    ),
    "sizes of uint8": (
        lambda: forwarded(lstm(), NUMBERS[:, 0], np.array([3, 2], "uint8")),
        lambda: forwarded(lstm(), NUMBERS[:, 0], [3, 2]),
    ),
    "NumPy's sizes": (
        lambda: forwarded(LSTM(np.int32(4), np.int64(3), rng=R(0), num_layers=np.int8(2)), NUMBERS),
        lambda: forwarded(lstm(num_layers=2), NUMBERS),
    ),
    "a type as a class": (lambda: lstm(dtype=np.float64).layers[0].Wx.data.dtype, np.dtype("f8")),
    "seven, two and one tenth": (
        lambda: [len(p) for p in split(names(), R(0), (0.7, 0.2, 0.1))],
        [14, 4, 2],
    ),
    "shares in a list of NumPy's": (
        lambda: [len(p) for p in split(names(), R(0), list(np.array([0.5, 0.25, 0.25])))],
        [10, 5, 5],
    ),
    "a normaliser of NumPy": (
        lambda: CrossEntropy(np.int64(4)).forward(np.zeros((2, 2)), np.zeros(2, int))[0],
        np.log(2) / 2,
    ),
    "a normaliser of float32": (
        lambda: MeanSquaredError(np.float32(4)).forward(np.ones(2), np.zeros(2))[0],
        0.5,
    ),
    "an ignored label of NumPy": (
        lambda: CrossEntropy(ignore_index=np.int8(1)).forward(np.zeros((2, 2)), np.array([0, 1]))[
            0
        ],
        np.log(2),
    ),
    "logits and labels in lists": (lambda: CrossEntropy().forward([[0.0, 0.0]], [1])[0], np.log(2)),
    "whole logits": (
        lambda: CrossEntropy().forward(np.array([[1, 2]], "uint8"), np.array([1]))[0],
        np.log1p(np.exp(-1.0)),
    ),
    "bytes": (
        lambda: MeanSquaredError("sum").forward(np.array([1], "uint8"), np.array([21], "uint8"))[0],
        400.0,
    ),
    "lists of numbers": (lambda: MeanSquaredError().forward([1, 2], [2, 4])[0], 2.5),
    "a prior in a list": (
        lambda: CrossEntropy(log_prior=[0.0, 0.0]).forward(np.zeros((1, 2)), np.array([1]))[0],
        np.log(2),
    ),
    "a memory map": (
        lambda: forwarded(lstm(), NUMBERS.view(np.memmap)),
        lambda: forwarded(lstm(), NUMBERS),
    ),
    "features beyond this machine's order of bytes": (
        lambda: forwarded(lstm(), NUMBERS.astype(">f4")),
        lambda: forwarded(lstm(), NUMBERS),
    ),
    "unpacked lists": (lambda: np.concatenate(unpack([3, 1, 4], [2, 1], [1, 0])), [1, 3, 4]),
    "bias of NumPy's": (lambda: Linear(2, 3, np.True_, rng=R(0)).b.shape, (3,)),
    "a prior of a class that never occurs": (
        lambda: CrossEntropy(log_prior=[0, -np.inf]).forward(np.zeros((1, 2)), np.array([0]))[0],
        0.0,
    ),
    "a list to sigmoid": (lambda: sigmoid([0.0, 0.0]), [0.5, 0.5]),
    "a list to tanh": (lambda: functions.tanh([0, 0]), [0.0, 0.0]),
    "a list to relu": (lambda: functions.relu([-1.0, 2.0]), [0.0, 2.0]),
    "a list to softmax": (lambda: functions.softmax([0.0, 0.0]), [0.5, 0.5]),
    "whole numbers to log_softmax": (lambda: functions.log_softmax([3, 3]), [-np.log(2)] * 2),
    "clip to infinity": (lambda: clip_grad_norm([parameter()], np.inf), 3 * 2**0.5),
    "clip one parameter": (lambda: clip_grad_norm(parameter(), 1.0), 3 * 2**0.5),
    "momentum of NumPy": (lambda: SGD([parameter()], 0.1, momentum=np.float32(0.5)).momentum, 0.5),
    "lr of NumPy": (lambda: type(SGD([parameter()], np.float64(0.1)).lr) is float, True),
    "betas in a list": (lambda: Adam([parameter()], betas=[0.5, 0.75]).betas, (0.5, 0.75)),
    "a last cosine step": (lambda: optim.cosine(0.1, np.int64(1))(1), 0.0),
    "guesses in lists": (
        lambda: Evaluation.of([0, 1, 1], [0, 1, 0], 2).confusion,
        [[1, 0], [1, 1]],
    ),
    "labels of a majority in a list": (lambda: majority([0, 1, 1], 2), 1),
    "NumPy's True for a step": (
        lambda: (lambda p: (SGD([p], 0.5).step(np.True_), p.data.copy()))(parameter())[1],
        lambda: (lambda p: (SGD([p], 0.5).step(), p.data.copy()))(parameter())[1],
    ),
    "False for a step": (
        lambda: (lambda p: (SGD([p], 0.5).step(False), p.data.copy()))(parameter())[1],
        [1.0, 1.0],
    ),
    "a rate of half precision": (lambda: optim.step_decay(np.float16(0.5), 2)(3), 0.05),
    "half a step": (lambda: optim.cosine(1.0, 10)(5.0), 0.5),
    "padding of NaN in features": (
        lambda: minirnn.pad_packed(*pack([[[1.0]], [[2.0]]]), batch_first=True, value=np.nan)[0],
        [[[1.0]], [[2.0]]],
    ),
    "an optimiser made between forward and backward": (
        lambda: gradient_with(lambda net: SGD(net.parameters(), 0.1)),
        lambda: gradient_with(lambda net: None),
    ),
}


@pytest.mark.parametrize("name", TAKEN)
def test_taken_for_what_it_means(name):
    attempt, right = TAKEN[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = attempt()
    right = np.asarray(right() if callable(right) else right)
    assert np.shape(found) == right.shape
    if right.dtype.kind == "f":
        np.testing.assert_allclose(found, right, rtol=1e-6, atol=1e-12)
    else:
        np.testing.assert_array_equal(found, right)


def test_lists_and_whole_numbers_take_the_type_of_the_weights():
    for listed in (LISTED, NUMBERS.astype("float16").tolist()):
        assert forwarded(lstm(), listed).dtype == np.float32
    assert forwarded(Linear(2, 2, rng=R(0)), np.ones((1, 2), "int64")).dtype == np.float32


def test_nothing_is_trained_before_a_trainer_is_refused(monkeypatch):
    monkeypatch.setattr(Trainer, "train_step", None)
    for options in ({"validation": []}, {"train": [9]}, {"patience": -1}, {"clip": "1"}):
        with pytest.raises(MinirnnError):
            trainer(**options)


def test_a_row_of_nan_that_is_ignored():
    loss = CrossEntropy(ignore_index=9)
    for bad in (np.nan, np.inf, -np.inf):
        value, cache = loss.forward(np.array([[0.0, 1.0], [bad, 2.0]]), np.array([1, 9]))
        p = 1 / (1 + np.exp(1.0))
        assert value == pytest.approx(-np.log(1 - p))
        np.testing.assert_allclose(loss.backward(cache), [[p, -p], [0, 0]])


@pytest.mark.parametrize("make", [RNN, LSTM, GRU])
def test_a_float32_gradient_of_a_float64_net(make):
    """What comes from above has other digits, not the way back."""
    net = make(4, 3, rng=R(0), dtype="float64")
    _, final, cache = net.forward(NUMBERS.astype("float64"))
    above = [R(k).standard_normal(part.shape).astype("float32") for k, part in enumerate(final)]
    found, _ = net.backward(None, cache, tuple(above))
    right, _ = net.backward(None, cache, tuple(part.astype("float64") for part in above))
    np.testing.assert_allclose(found, right, rtol=1e-14)


def test_gradients_from_above_in_lists_and_bare():
    net = RNN(4, 3, rng=R(0))
    output, _, cache = net.forward(NUMBERS)
    right, _ = net.backward(output, cache, (STATE,))
    for doutput, dfinal in [(output.tolist(), STATE), (output, STATE.tolist() and [STATE])]:
        np.testing.assert_array_equal(net.backward(doutput, cache, dfinal)[0], right)


@pytest.mark.parametrize("sizes", [None, [2, 2, 2, 1, 1]])
def test_a_reverse_net_is_one_half_of_both_directions(sizes):
    both = LSTM(4, 3, rng=R(0), bidirectional=True, dtype="float64")
    back = LSTM(4, 3, rng=R(1), reverse=True, dtype="float64")
    back.layers[0].load_state_dict(both.layers[1].state_dict())
    x = NUMBERS.astype("float64") if sizes is None else R(3).standard_normal((8, 4))
    output, final, cache = back.forward(x, sizes)
    outputs, finals, caches = both.forward(x, sizes)
    np.testing.assert_array_equal(output, outputs[..., 3:])
    np.testing.assert_array_equal(final[0][0], finals[0][1])
    dx, _ = back.backward(output, cache)
    side = np.concatenate([np.zeros_like(output), output], axis=-1)
    np.testing.assert_allclose(dx, both.backward(side, caches)[0], rtol=1e-12)


# Weights of other frameworks: what stands in no array is an argument


def gru(reset_after=True, biases=0, **options):
    return GRU(2, 3, reset_after, biases=biases, rng=R(0), **options)


def onnx(net, **attributes):
    after = int(type(net.layers[0].cell).__name__ == "GRUCell")
    convert.from_onnx(net, convert.to_onnx(net), after, **attributes)


BACK = {"reverse": True, "rng": R(0)}
CONVERT = {
    "a GRU of Keras without biases": (
        lambda: convert.from_keras(gru(), convert.to_keras(gru())),
        "reset_after is None, but must",
    ),
    "the other GRU of Keras": (
        lambda: convert.from_keras(gru(), convert.to_keras(gru(False)), reset_after=False),
        "reset_after=False is a GRU that resets before",
    ),
    "the other GRU of Keras, with biases": (
        lambda: convert.from_keras(gru(False, 1), convert.to_keras(gru(False, 1)), True),
        "reset_after=True is a GRU that resets after",
    ),
    "Keras backwards": (
        lambda: convert.from_keras(lstm(), convert.to_keras(lstm()), go_backwards=True),
        "go_backwards is True, but this net was made with reverse=False",
    ),
    "Keras forwards": (
        lambda: convert.from_keras(LSTM(4, 3, **BACK), convert.to_keras(lstm())),
        "go_backwards is False, but this net was made with reverse=True",
    ),
    "an old Keras": (
        lambda: convert.from_keras(
            lstm(), convert.to_keras(lstm()), recurrent_activation="hard_sigmoid"
        ),
        "recurrent_activation is 'hard_sigmoid', but this net's is 'sigmoid'",
    ),
    "Keras with relu": (
        lambda: convert.from_keras(lstm(), convert.to_keras(lstm()), activation="relu"),
        "activation is 'relu', but this net's is 'tanh'",
    ),
    "Keras's RNN with relu": (
        lambda: convert.from_keras(
            RNN(2, 3, rng=R(0)), convert.to_keras(RNN(2, 3, rng=R(0))), activation="relu"
        ),
        "activation is 'relu', but this net's is 'tanh'",
    ),
    "ONNX in reverse": (
        lambda: onnx(lstm(), direction="reverse"),
        "direction is 'reverse'.*forward",
    ),
    "ONNX forwards": (lambda: onnx(LSTM(4, 3, **BACK), direction="forward"), "net's is 'reverse'"),
    "ONNX with clip": (lambda: onnx(lstm(), clip=3.0), "clip is 3.0, but must be 0"),
    "ONNX with input_forget": (lambda: onnx(lstm(), input_forget=1), "input_forget is 1, but must"),
    "ONNX with layout": (lambda: onnx(lstm(), layout=1), "layout is 1, but must be 0"),
    "ONNX of another size": (
        lambda: onnx(lstm(), hidden_size=4),
        "hidden_size is 4, but must be 3",
    ),
    "ONNX with alphas": (lambda: onnx(lstm(), activation_alpha=[0.2]), "nothing like it"),
    "ONNX with other gates": (
        lambda: onnx(lstm(), activations=["HardSigmoid", "Tanh", "Tanh"]),
        "'HardSigmoid'.*'sigmoid'",
    ),
    "ONNX with another h": (
        lambda: onnx(lstm(), activations=["Sigmoid", "Tanh", "Relu"]),
        "'Relu'.*'tanh'",
    ),
    "ONNX with two activations": (
        lambda: onnx(lstm(), activations=["Sigmoid", "Tanh"]),
        "must be a list of 3",
    ),
    "no net": (lambda: convert.to_pytorch(Linear(2, 3, rng=R(0))), "net is Linear.*must be an RNN"),
}


@pytest.mark.parametrize("name", CONVERT)
def test_refused_of_other_frameworks(name):
    attempt, words = CONVERT[name]
    with pytest.raises(MinirnnError, match=words):
        attempt()


def test_taken_of_other_frameworks():
    for reset_after in (True, False):
        net = gru(reset_after)
        other = GRU(2, 3, reset_after, biases=0, rng=R(1))
        convert.from_keras(other, convert.to_keras(net), reset_after=reset_after)
        np.testing.assert_array_equal(other.layers[0].Wh.data, net.layers[0].Wh.data)
    for net in (lstm(reverse=True), RNN(2, 3, "relu", rng=R(0), reverse=True)):
        relu = isinstance(net, RNN)
        activations = ["Relu"] if relu else ["sigmoid", "Tanh", "tanh"]
        onnx(net, direction="reverse", clip=0, layout=0, hidden_size=3, activations=activations)
        names = {"activation": "relu" if relu else "tanh", "go_backwards": True}
        convert.from_keras(net, convert.to_keras(net), **names)
    both = gru(bidirectional=True)
    onnx(both, direction="bidirectional", activations=["Sigmoid", "Tanh"] * 2)
    linear = RNN(2, 3, "identity", rng=R(0))
    convert.from_keras(linear, convert.to_keras(linear), activation="linear")


def test_a_missing_b_of_onnx_is_zeros():
    net = lstm()
    node = convert.to_onnx(lstm())[0]
    convert.from_onnx(net, [{"W": node["W"], "R": node["R"]}])
    assert not net.layers[0].bx.data.any() and not net.layers[0].bh.data.any()
    assert net.layers[0].Wh.data.any()


def test_plots_of_what_does_not_belong_together():
    for attempt, words in [
        (lambda: plotting.plot_confusion([[1, 0, 1]] * 3, "ab"), r"must be \(2, 2\) for 2 classes"),
        (
            lambda: plotting.plot_gates({"i": np.ones((3, 2))}, "ab"),
            r"gate i has .*must be \[2, H\]",
        ),
    ]:
        with pytest.raises(MinirnnError, match=words):
            attempt()


def test_a_net_with_fewer_outputs_than_classes():
    run = trainer()
    run.sequences.num_classes = 3
    with pytest.raises(MinirnnError, match="the net has 2 outputs, but there are 3 classes"):
        run.fit()
    assert run.step == 0


# Small and large numbers


def exact(a):
    """The sigmoid in more digits than the result can have."""
    return 1 / (1 + np.exp(-np.longdouble(a)))


@pytest.mark.parametrize(
    "dtype, lowest, tolerance", [("float32", -87.3, 1e-6), ("float64", -708.3, 1e-13)]
)
def test_sigmoid_is_right_wherever_it_is_a_normal_number(dtype, lowest, tolerance):
    @given(st.floats(lowest, 1e4))
    def holds(a):
        a = np.array([a], dtype)
        with warnings.catch_warnings(), np.errstate(all="raise", under="ignore"):
            warnings.simplefilter("error")
            y = sigmoid(a)
        assert y.dtype == dtype
        np.testing.assert_allclose(y.astype(np.longdouble), exact(a), rtol=tolerance)

    holds()
    for a in (-17, -10, -20, -40, 0, 17, 40, 41, 1000, lowest):
        np.testing.assert_allclose(
            sigmoid(np.array(a, dtype)), float(exact(np.array(a, dtype))), rtol=tolerance
        )


def test_sigmoid_outside_every_range():
    found = sigmoid(np.array([-np.inf, np.inf, -1e30, 1e30, np.nan], "float32"))
    np.testing.assert_array_equal(found, [0, 1, 0, 1, np.nan])


@given(st.floats(-30, 30))
def test_sigmoid_takes_the_complex_step(a):
    step = 1e-150
    slope = sigmoid(np.array(a + 1j * step)).imag / step
    y = exact(a)
    assert slope == pytest.approx(float(y * (1 - y)), rel=1e-12)


def shut_lstm(dtype):
    """An LSTM whose input gate stands at -17: outputs and gradients by formula, in long doubles."""
    rng = R(4)
    net = LSTM(2, 2, rng=rng, dtype=dtype)
    layer = net.layers[0]
    layer.bx.data[0], layer.bh.data[0] = -17, 0
    Wx, Wh, b = (
        np.asarray(w.data, np.longdouble) for w in (layer.Wx, layer.Wh, layer.bx)
    )  # fmt: skip
    b = b + np.asarray(layer.bh.data, np.longdouble)
    return net, Wx, Wh, b


def by_formula(x, Wx, Wh, b):
    """The outputs [T, 1, H] of an LSTM, in the type of what is given."""
    h = c = np.zeros((1, Wh.shape[-1]), x.dtype)
    outputs = []
    for row in x:
        ai, af, ag, ao = (row @ Wx[k] + h @ Wh[k] + b[k] for k in range(4))
        i, f, o = (1 / (1 + np.exp(-a)) for a in (ai, af, ao))
        c = f * c + i * np.tanh(ag)
        h = o * np.tanh(c)
        outputs.append(h)
    return np.stack(outputs)


@pytest.mark.parametrize("dtype, tolerance", [("float32", 1e-5), ("float64", 1e-12)])
def test_a_gate_that_is_nearly_shut(dtype, tolerance):
    net, Wx, Wh, b = shut_lstm(dtype)
    x = R(6).standard_normal((6, 1, 2)).astype(dtype)
    output, _, cache = net.forward(x)
    wide = x.astype(np.longdouble)
    np.testing.assert_allclose(output, by_formula(wide, Wx, Wh, b).astype(float), rtol=tolerance)
    net.backward(np.ones_like(output), cache)
    step = np.longdouble(1e-200)
    for k, j in np.ndindex(4, 2):
        moved = b.astype(np.clongdouble)
        moved[k, j] += 1j * step
        right = by_formula(wide.astype(np.clongdouble), Wx, Wh, moved).sum().imag / step
        assert net.layers[0].bx.grad[k, j] == pytest.approx(float(right), rel=tolerance)
