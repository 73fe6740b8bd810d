"""The fault harness: a real broker, processes that die, and an oracle that says what must have come out.

`make faults` runs all of it, and writes what it found; the tests in `test_faults.py` run a little of each.

To be read in this order: `stream` (what goes in), `broker` and `proxy` (where), `child` (the processes), `reader` (what
a subscriber saw), `oracle` (what it should have seen), `trial` (all of these for one task), then the families of
faults: `kills`, `polls`, `network`, `leaders`, `poisoned`, `storage`, `halts`, `soak`. `catalogue` numbers them, `run`
is the command, and `mutants` shows that they would notice.
"""
