"""What each command does, once its options are read.

One file a command: `run`, `backtest`, `pretrain`, `clean`, `demo`, `replay`, `tail`, `dlq`, `audit` and `reset`. They
share `reporting` (terminal), `outputs` (files), `child` (a service as a child process) and `figures` (what that says of
itself).
"""
