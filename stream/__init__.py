"""What happened, in order, exactly once.

Read in this order: `events` (what comes in), `log` (what a log must do), `clock` and `cleaning` (order, and what is let
through), `windows` (what each user did lately), `recommendations` (what goes out), `journal` and `snapshots` (what
survives), then `kafka`, `memory`, `topics` and `broker` (where it lives).
"""
