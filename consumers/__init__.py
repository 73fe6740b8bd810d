"""The processes around the pure core.

Read in this order: `pipeline` (the path of the data) with `admission` and `messages`, `service` (that path on Kafka)
with `recovery`, `rehearsal` and `shedding`, `backtest` (that path on a file), `settings` and where they come from
(`configuration`), `observer` and `telemetry`, event files (`files`, `formats`), `replay`, `tail`, `demo`, and last
`cli`, which only names the commands.
"""
