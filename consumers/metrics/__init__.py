"""What Prometheus sees, beneath `telemetry`.

`instruments` names every metric, over `exposition`; `live_quality`, `drift` and `machine` are what they tell;
`metrics_page` writes docs/metrics.md.
"""
