"""The processes around the pure core.

Read in this order: `pipeline` (the path of the data) with `gate`, `admission` and `messages`; `service` (that path on
Kafka) over `serving`; `backtest` (that path on a file) with `measuring`; `settings` and where they come from
(`configuration`, `presets`); `telemetry` over `metrics`, and `web`; event `files`; `commands`, and last `cli`, which
only names them.
"""
