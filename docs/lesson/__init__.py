"""The page "How backpropagation through an LSTM works": its numbers, drawings and script."""
