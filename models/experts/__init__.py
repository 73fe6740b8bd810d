"""What each expert knows, from bounded tables.

Read in this order: `evidence` and `dense` (how experts answer; `shortlist`), `neighbours` over `blocks` and
`cooccurrence` and what reads them (`transitions`, `covisitation`, `bursts`, `walks`; `lift`), `repeats`, `sessions`
over `occurrences`, `popularity`, `factorization` (`portion`). The network has a package of its own.
"""
