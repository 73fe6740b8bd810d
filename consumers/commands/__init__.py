"""What each command does, once its options are read.

One file a command: `backtest`, `clean`, `demo`, `replay`, `tail`, `dlq`, `audit`, `reset`. They share `reporting`
(terminal), `outputs` (files), `child` (a service as a child process) and `figures` (what that says of itself).
"""
