"""The processes around the pure core.

Read in this order: `pipeline` (the path of the data), `service` (that path on Kafka), `backtest` (that path on a file),
`settings`, `telemetry`, `replay`, `tail`, `demo`, and last `cli`, which only names them.
"""
