"""Windows in, scored items out; no input or output, no clock.

Read in this order: `base` (the contract of every expert), `cooccurrence` and the experts that read it (`transitions`,
`covisitation`, `bursts`), `repeats`, `popularity`, `factorization`, `sequence` with `training`, then how they become one
list: `candidates`, `context`, `mixture`, `ranker`, and the only door for consumers, `recommender`.
"""
