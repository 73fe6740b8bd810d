"""The expert that is trained: `sequence` is the Transformer, `training` teaches it while the stream runs.

`replay` keeps what it was taught, `rows` its item vectors, `adam` and `numerics` how it steps.
"""
