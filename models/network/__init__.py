"""The expert that is trained: what reads a window, and how that is taught while the stream runs.

Read in this order: `config`, `tokens` (what the network is given), `sequence` (the Transformer), `recurrent` (the LSTM
that may stand in its place), `training`, with `replay` (what it was taught), `rows` (its item vectors), `adam` and
`numerics`.
"""
