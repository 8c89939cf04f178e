"""The layers RNN, LSTM and GRU on a GPU: their own loop, because there the orders are the limit.

Delete this folder, and the line in `stacked.py` that names it, and only speed changes.
"""
