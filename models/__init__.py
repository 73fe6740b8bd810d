"""Windows in, scored items out; no input or output, no clock.

Read in this order: `base` (the contract of every expert), `neighbours` and `cooccurrence` and what reads them
(`transitions`, `covisitation`, `bursts`), `repeats`, `sessions` over `occurrences`, `popularity`, `factorization`,
`sequence` with `training`, then how they become one list: `candidates`, `context`, `mixture`, `features`, `ranker`,
`reasons`, and the only door for consumers, `recommender`.
"""
