"""minirnn: recurrent nets with every gradient written by hand, on NumPy or CuPy.

The names that most scripts need are here; the files are meant to be opened, in the order that
`docs/architecture.md` gives. Importing this starts nothing and looks for no GPU.

The examples in the docstrings of these names take for granted:

    import numpy as np
    from minirnn import *
"""

from .backend import asarray, asnumpy, get_array_module, use
from .batches import Sequences
from .cells import GRUBeforeCell, GRUCell, LSTMCell, RNNCell
from .data import Alphabet, load_names, split
from .layers import Dropout, Embedding, Linear
from .losses import CrossEntropy, MeanSquaredError
from .models import NameClassifier, StepModel
from .optim import SGD, Adam, AdamW, clip_grad_norm
from .packing import pack, pack_padded, pad_packed, unpack
from .recurrent import Recurrent
from .stacked import GRU, LSTM, RNN
from .training import Trainer, evaluate, predict

__version__ = "0.2.0"

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "SGD",
    "Adam",
    "AdamW",
    "Alphabet",
    "CrossEntropy",
    "Dropout",
    "Embedding",
    "GRUBeforeCell",
    "GRUCell",
    "LSTMCell",
    "Linear",
    "MeanSquaredError",
    "NameClassifier",
    "RNNCell",
    "Recurrent",
    "Sequences",
    "StepModel",
    "Trainer",
    "asarray",
    "asnumpy",
    "clip_grad_norm",
    "evaluate",
    "get_array_module",
    "load_names",
    "pack",
    "pack_padded",
    "pad_packed",
    "predict",
    "split",
    "unpack",
    "use",
]
