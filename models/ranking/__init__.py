"""How many experts become one list.

Read in this order: `candidates`, `context` (the situation), `mixture` (whom to trust in it), `features` (with
`residuals`), `ranker` (with `trust`), and `reasons`, which say why.
"""
