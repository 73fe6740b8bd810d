"""What each expert knows, from bounded tables.

Read in this order: `evidence` and `dense` (how experts answer; `shortlist`), `neighbours` over `blocks` and
`cooccurrence` and what reads them (`transitions`, `covisitation`, `bursts`, `walks`; `lift` and `precedence` over
`pairs`), `repeats` and `recurrence`, `replies` and `circle` over `ties`, `sessions` over `occurrences` and `paths` over
the same, `popularity`, `factorization` (`portion`). The network has a package of its own.
"""
