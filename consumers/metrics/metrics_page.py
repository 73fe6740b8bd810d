"""docs/metrics.md, made of the metrics themselves: ``python -m consumers.metrics.metrics_page > docs/metrics.md``."""

import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

from prometheus_client import CollectorRegistry

from consumers.telemetry import Telemetry

_HEAD = """\
# Metrics

Made by `python -m consumers.metrics.metrics_page` of what the code says, and a test holds it to that.

All are at `/metrics` ([where](operations.md#running-it)). Those of springtide begin with `springtide_`. Times are in
seconds, sizes in bytes, shares between 0 and 1; no label is a user or an item, and every label has few values. Counters
and histograms count since the process started, but for those that say otherwise; what is learned again after a
recovery is not counted again. A gauge of what is not known yet, or not to this process, is `NaN`, which no alert and no
maximum takes for a number. `deploy/prometheus.yml` scrapes them, `deploy/alerts.yml` [rings](operations.md#alerts),
and `deploy/grafana` has the dashboards.
"""

_QUALITY = """\
*Prequential* is a test on the window just before each event, by the models as they were: compare scorers, days and
versions by it. *Published* is the place of the item in the list that was last out for that user, which may be days old:
what your users really got. It is lower by nature; never compare the one with the other.

The `scorer` is `list` for what goes out, `mixture` for its experts weighed, or the column of one expert. The baseline
to beat is popularity: `scorer=~"popular_.*"`. `user` is `known` or `new`; `item` is `new` at its first event, which is
a miss for everybody, `cold` at its second to fifth, and `warm` after that.

```promql
# HR@10 of the last hour, by scorer, over users met before
sum by (scorer) (increase(springtide_prequential_hits_total{user="known"}[1h]))
  / scalar(sum(increase(springtide_prequential_events_total{user="known"}[1h])))

# NDCG@10 of the lists that were out
sum(increase(springtide_published_ndcg_total[1h])) / sum(increase(springtide_published_events_total[1h]))

# how far the list is above the best popularity, over the last events of the process
springtide_prequential_window_ndcg{scorer="list", slice="all"}
  / on (instance) max by (instance) (springtide_prequential_window_ndcg{scorer=~"popular_.*", slice="all"})
```
"""

_STREAM = """\
```promql
# end to end, 99th percentile
histogram_quantile(0.99, sum by (le) (rate(springtide_end_to_end_seconds_bucket[5m])))

# where the time goes: seconds a second by stage
sum by (stage) (rate(springtide_stage_seconds_sum[5m]))

# share of the records that become dead letters
sum(rate(springtide_dead_letters_total[5m]))
  / (sum(rate(springtide_events_total{outcome=~"accepted|duplicates|exposures|ignored"}[5m]))
     + sum(rate(springtide_dead_letters_total[5m])))

# how far event time is behind the clock
time() - springtide_watermark_timestamp_seconds
```
"""

_DRIFT = """\
[ADWIN](https://doi.org/10.1137/1.9781611972771.42) watches the hits of the final list, over users and items met before,
and the loss of the network. It only watches: nothing that is learned or sent depends on it.
"""


class _Section(NamedTuple):
    title: str
    begins: tuple[str, ...]  # its metrics
    text: str


_SECTIONS = (
    _Section("Quality of the lists", ("springtide_prequential_", "springtide_published_"), _QUALITY),
    _Section("Drift", ("springtide_drift",), _DRIFT),
    _Section("What the process takes", ("process_",), "What every Prometheus client says of its process.\n"),
    _Section("The stream, the task and its state", ("springtide_",), _STREAM),
)


class _Row(NamedTuple):
    name: str
    kind: str
    labels: tuple[str, ...]
    text: str

    def __str__(self) -> str:
        labels = ", ".join(f"`{label}`" for label in self.labels)
        return f"| `{self.name}` | {self.kind}{', ' if labels else ''}{labels} | {self.text} |"


def _rows(registry: CollectorRegistry) -> Iterator[_Row]:
    collectors: list[Any] = list(registry._collector_to_names)  # the only way to the labels of what has no samples yet
    for collector in collectors:
        for family in collector.collect():
            named = getattr(collector, "_labelnames", None) or getattr(family, "_labelnames", None)
            found = {label for sample in family.samples for label in sample.labels} - {"le"}
            name = {"counter": f"{family.name}_total", "info": f"{family.name}_info"}.get(family.type, family.name)
            kind = "gauge" if family.type == "info" else family.type
            yield _Row(name, kind, tuple(named or sorted(found)), family.documentation.replace("|", "\\|"))


def page() -> str:
    """Return the page."""
    left = list(_rows(Telemetry(["list"]).registry))
    found: dict[str, list[_Row]] = {}
    for section in _SECTIONS:
        found[section.title] = [row for row in left if row.name.startswith(section.begins)]
        left = [row for row in left if row not in found[section.title]]
    parts = [_HEAD]
    for section in (_SECTIONS[-1], *_SECTIONS[:-1]):
        table = "".join(f"{row}\n" for row in found[section.title])
        parts.append(
            f"## {section.title}\n\n{section.text}\n| metric | kind, labels | what it says |\n|---|---|---|\n{table}"
        )
    return "\n".join(parts)


if __name__ == "__main__":
    sys.stdout.write(page())
