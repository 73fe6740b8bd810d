"""Windows in, scored items out; no input or output, no clock.

Read in this order: `base` (the contract of every expert), the `experts` and the `network`, then how they become one
list (`ranking`), and the only door for consumers, `recommender`. `families` lists the experts; `measuring` has what
they are held against.
"""
