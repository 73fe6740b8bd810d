"""The dashboards, as code: ``python deploy/grafana/build.py`` writes dashboards/*.json anew; a test compares.

A dashboard answers a few questions with few panels. A panel has a plain title, a sentence that says what to make of it,
and where there is a value at which one should act, that value as a line or a colour, the same as in `alerts.yml`.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

FOLDER = Path(__file__).parent / "dashboards"

_DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
_GREEN, _ORANGE, _RED = "green", "orange", "red"
_WIDTH = 24  # of a dashboard, in Grafana's columns
_HERE = 'instance=~"$instance"'


class Panel(NamedTuple):
    """One panel: `queries` by legend; `steps` are values from which on a colour holds, the first without a value."""

    title: str
    says: str
    queries: dict[str, str]
    unit: str = "short"
    steps: tuple[tuple[float | None, str], ...] = ()
    width: int = 8
    height: int = 8
    number: bool = False  # the newest value alone, large


def number(title: str, says: str, query: str, unit: str = "short", *steps: tuple[float | None, str]) -> Panel:
    """One large value, coloured by `steps`."""
    return Panel(title, says, {title.lower(): query}, unit, steps, width=4, height=5, number=True)


def rate(name: str, by: str = "") -> str:
    """Increase a second of a counter, over all or by a label."""
    return f"sum {f'by ({by}) ' if by else ''}(rate(springtide_{name}{{{_HERE}}}[$__rate_interval]))"


def quantiles(name: str) -> dict[str, str]:
    """Three quantiles of a histogram, by their names."""
    return {
        f"p{round(100 * q)}": f"histogram_quantile({q}, sum by (le) "
        f"(rate(springtide_{name}_bucket{{{_HERE}}}[$__rate_interval])))"
        for q in (0.5, 0.9, 0.99)
    }


def _mean(kind: str, what: str, more: str = "") -> str:
    """Query of a mean over the chosen window, of the list or by `more` labels."""
    user = 'user="known", '
    if kind == "published":
        hits = f"sum(increase(springtide_published_{what}_total{{{_HERE}}}[$window]))"
        return f"{hits} / sum(increase(springtide_published_events_total{{{_HERE}}}[$window]))"
    return (
        f"sum by (scorer) (increase(springtide_prequential_{what}_total{{{user}{more}{_HERE}}}[$window])) "
        f"/ scalar(sum(increase(springtide_prequential_events_total{{{user}{_HERE}}}[$window])))"
    )


_LIST = 'scorer="list", '
_POPULAR = 'scorer=~"popular_.*", '
_WINDOW_NDCG = "springtide_prequential_window_ndcg"
_ABOVE = f'max({_WINDOW_NDCG}{{{_LIST}slice="all", {_HERE}}}) / max({_WINDOW_NDCG}{{{_POPULAR}slice="all", {_HERE}}})'
_DEAD = f"sum(rate(springtide_dead_letters_total{{{_HERE}}}[5m]))"
_USABLE = f'sum(rate(springtide_events_total{{outcome=~"accepted|duplicates|exposures|ignored", {_HERE}}}[5m]))'

OVERVIEW = (
    number("Leads", "One process must lead, or no list goes out.", f"sum(springtide_leader{{{_HERE}}})", "none",
           (None, _RED), (1, _GREEN), (2, _RED)),
    number("Stand by", "Processes that would take over at once.", f"sum(springtide_standby{{{_HERE}}})", "none",
           (None, _ORANGE), (1, _GREEN)),
    number("Lists a second", "What goes out.", rate("lists_total"), "reqps",
           (None, _GREEN)),
    number("Lag", "Age of what is being processed while more waits.", f"max(springtide_lag_seconds{{{_HERE}}})", "s",
           (None, _GREEN), (10, _ORANGE), (60, _RED)),
    number("End to end, p99", "From the event in Kafka to its list committed.",
           quantiles("end_to_end_seconds")["p99"], "s", (None, _GREEN), (1, _ORANGE), (5, _RED)),
    number("Above popularity", "NDCG@10 of the list over that of the best popularity. Below 1 the list is of no use.",
           _ABOVE, "none", (None, _RED), (1, _ORANGE), (1.1, _GREEN)),
    Panel("Events by outcome", "Accepted events are what counts; look at what else grows.",
          {"{{outcome}}": f"{rate('events_total', 'outcome')} > 0"}, "reqps",
          width=12),
    Panel("End to end", "A subscriber waits so long for the list of an event; the alert is at 5 s.",
          quantiles("end_to_end_seconds"), "s", ((None, "transparent"), (5, _RED)), width=12),
    Panel("NDCG@10 of the list and of popularity", "Over the last events of the process. The list must stay above.",
          {"list": f'{_WINDOW_NDCG}{{{_LIST}slice="all", {_HERE}}} and on (instance) springtide_leader == 1',
           "best popularity": f'max by (instance) ({_WINDOW_NDCG}{{{_POPULAR}slice="all", {_HERE}}})'
           " and on (instance) springtide_leader == 1"}, "percentunit", width=12),
    Panel("Share of dead letters", "Records that could not be used; the alert is at 1 %.",
          {"dead letters": f"{_DEAD} / ({_USABLE} + {_DEAD})"}, "percentunit",
          ((None, "transparent"), (0.01, _RED)), width=12),
)  # fmt: skip

QUALITY = (
    number("HR@10", "Of the list, over users met before, within the chosen window.",
           _mean("prequential", "hits", _LIST), "percentunit", (None, _GREEN)),
    number("NDCG@10", "The same, with the place in the list.", _mean("prequential", "ndcg", _LIST), "percentunit",
           (None, _GREEN)),
    number("MRR", "The same, over the whole ranking.", _mean("prequential", "reciprocal_ranks", _LIST), "percentunit",
           (None, _GREEN)),
    number("Events behind it", "Below a thousand, wait.",
           f'sum(increase(springtide_prequential_events_total{{user="known", {_HERE}}}[$window]))', "short",
           (None, _ORANGE), (1000, _GREEN)),
    number("Published HR@10", "Of the lists that were out. Lower by nature: never compare it with the others.",
           _mean("published", "hits"), "percentunit", (None, _GREEN)),
    number("Catalogue coverage", "Share of the known items that are in somebody's list.",
           f"max(springtide_catalogue_coverage_ratio{{{_HERE}}})", "percentunit", (None, _ORANGE), (0.01, _GREEN)),
    Panel("HR@10 by scorer", "Test before each event, users met before. The list should not be below its best expert.",
          {"{{scorer}}": _mean("prequential", "hits")}, "percentunit", width=12, height=10),
    Panel("NDCG@10 by scorer", "The same, with the place in the list.",
          {"{{scorer}}": _mean("prequential", "ndcg")}, "percentunit", width=12, height=10),
    Panel("NDCG@10 of the list, with its bounds", "Over the last events of the process; it lies within 19 times of 20.",
          {"list": f'{_WINDOW_NDCG}{{{_LIST}slice="all", {_HERE}}}',
           "{{bound}}": f'springtide_prequential_window_bound{{{_LIST}slice="all", figure="ndcg", {_HERE}}}',
           "best popularity": f'max by (instance) ({_WINDOW_NDCG}{{{_POPULAR}slice="all", {_HERE}}})'},
          "percentunit", width=12),
    Panel("HR@10 of the list by slice", "Warm and cold, users and items: what the mean hides.",
          {"{{slice}}": f"springtide_prequential_window_hit_ratio{{{_LIST}{_HERE}}}"}, "percentunit", width=12),
    Panel("Precision, recall and F1 at 10 of the list", "With one right item an event they follow from HR@10.",
          {name: f"springtide_prequential_window_{name}{{{_LIST}{_HERE}}}" for name in ("precision", "recall", "f1")},
          "percentunit"),
    Panel("Published HR@10 and NDCG@10", "The list that was out when the user came back.",
          {"HR@10": _mean("published", "hits"), "NDCG@10": _mean("published", "ndcg")}, "percentunit"),
    Panel("Age of the list that was out", "Old lists explain a low published quality.",
          {f"p{round(100 * q)}": f"histogram_quantile({q}, sum by (le) "
           f"(rate(springtide_published_list_age_seconds_bucket{{{_HERE}}}[$window])))" for q in (0.5, 0.9)}, "s"),
    Panel("Drift an hour", "Changes that are no chance. For the worse: see what changed in the stream then.",
          {"{{signal}}, {{direction}}":
           f"sum by (signal, direction) (increase(springtide_drift_total{{{_HERE}}}[1h]))"}),
    Panel("Loss", "Of the newest training update of the network, and its mean since it last changed.",
          {"{{expert}}": f"springtide_expert_loss{{{_HERE}}}",
           "mean": f'springtide_drift_level{{signal="loss", {_HERE}}}'}, "none"),
    Panel("Training share", "Part of the events that the network trains on; it is shed first when there is a lag.",
          {"{{instance}}": f"springtide_training_share{{{_HERE}}}"}, "percentunit"),
)  # fmt: skip

KAFKA_AND_STATE = (
    Panel("Lag in records", "Not processed yet: a backlog shrinks by itself, a lag that grows does not. And what "
          "of the journal a follower has before it, two a batch: growing, it learns slower than its leader.",
          {"{{instance}}": f"springtide_lag_records{{{_HERE}}}",
           "{{instance}} has to follow": f"springtide_journal_left_offsets{{{_HERE}}}"}),
    Panel("Lag in seconds", "Age of what is being processed while more waits; the alert is at a minute.",
          {"{{instance}}": f"springtide_lag_seconds{{{_HERE}}}"}, "s", ((None, "transparent"), (60, _RED))),
    Panel("Input needed expires in", "Until the topic may delete what a restart needs; the alert is at a quarter of "
          "the topic's retention.",
          {"{{instance}}": f"springtide_input_expiry_timestamp_seconds{{{_HERE}}} - time()"}, "s"),
    Panel("Time by stage", "Seconds a second. The largest is what to look at when it is slow.",
          {"{{stage}}": rate("stage_seconds_sum", "stage")}, "s"),
    Panel("Transactions a second", "One a batch. Failed ones cost a recovery.",
          {"{{result}}": rate("transaction_seconds_count", "result")}, "ops"),
    Panel("Records of a transaction", "At batch.max_records all the time: raise it.",
          {name: query for name, query in quantiles("batch_records").items() if name != "p90"}),
    Panel("Dead letters by reason", "`springtide dlq list` shows them.",
          {"{{reason}}": rate("dead_letters_total", "reason")}, "reqps"),
    Panel("Freshness", "From an event to the first lists that have learned from it.",
          quantiles("freshness_seconds"), "s"),
    Panel("Event time behind the clock", "In a live stream a little more than cleaning.grace.",
          {"{{instance}}": f"time() - (springtide_watermark_timestamp_seconds{{{_HERE}}} > 0)"}, "s"),
    Panel("Users and items", "That have a row.",
          {"{{table}}": f"max by (table) (springtide_state_entries{{{_HERE}}})"}),
    Panel("Evictions an hour", "Those who come back after one are strangers.",
          {"{{table}}": f"sum by (table) (increase(springtide_state_evictions_total{{{_HERE}}}[1h]))"}),
    Panel("State by table", "As of the newest snapshot.",
          {"{{table}}": f"topk(10, max by (table) (springtide_state_bytes{{{_HERE}}}))"}, "bytes"),
    Panel("Memory", "Of the process, as a share of what it may have; the alert is at 90 %.",
          {"{{instance}}": f"process_resident_memory_bytes{{{_HERE}}} / springtide_memory_limit_bytes{{{_HERE}}}"},
          "percentunit", ((None, "transparent"), (0.9, _RED))),
    Panel("Age of the newest snapshot", "The alert is at a quarter of an hour, while something is learned.",
          {"{{instance}}": f"time() - (springtide_snapshot_timestamp_seconds{{{_HERE}}} > 0)"}, "s",
          ((None, "transparent"), (900, _RED))),
    Panel("Who leads", "And how long the last recovery took.",
          {"{{instance}} leads": f"springtide_leader{{{_HERE}}}",
           "{{instance}} restored in s": f"springtide_restore_seconds{{{_HERE}}}"}, "none"),
    Panel("Updates left out an hour", "Not finite. Any but a few of the network are worth a report.",
          {"ranking": f"sum(increase(springtide_model_updates_dropped_total{{{_HERE}}}[1h]))",
           "{{expert}}": f"sum by (expert) (increase(springtide_expert_updates_skipped_total{{{_HERE}}}[1h]))"}),
)  # fmt: skip

DASHBOARDS = {
    "overview": ("springtide: overview", OVERVIEW),
    "quality": ("springtide: quality", QUALITY),
    "kafka-and-state": ("springtide: Kafka and state", KAFKA_AND_STATE),
}


def dashboard(name: str) -> dict[str, Any]:
    """Return a dashboard as Grafana reads it."""
    title, panels = DASHBOARDS[name]
    x = y = 0
    placed = []
    for place, panel in enumerate(panels, 1):
        if x + panel.width > _WIDTH:
            x, y = 0, y + panels[place - 2].height
        placed.append(_panel(panel, place, x, y))
        x += panel.width
    links = [
        {"type": "dashboards", "tags": ["springtide"], "title": "springtide", "includeVars": True, "keepTime": True}
    ]
    return {
        "uid": f"springtide-{name}",
        "title": title,
        "tags": ["springtide"],
        "schemaVersion": 39,
        "editable": True,
        "time": {"from": "now-3h", "to": "now"},
        "refresh": "10s",
        "timezone": "browser",
        "links": links,
        "templating": {"list": _variables()},
        "annotations": {"list": []},
        "panels": placed,
    }


def _panel(panel: Panel, identity: int, x: int, y: int) -> dict[str, Any]:
    defaults: dict[str, Any] = {"unit": panel.unit}
    if panel.steps:
        steps = [{"value": value, "color": colour} for value, colour in panel.steps]
        defaults |= {"color": {"mode": "thresholds" if panel.number else "palette-classic"}}
        defaults |= {"thresholds": {"mode": "absolute", "steps": steps}}
    options: dict[str, Any]
    if panel.number:
        options = {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "value", "graphMode": "area"}
    else:
        legend = {"displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull"], "sortBy": "Last *"}
        options = {"legend": legend | {"sortDesc": True}, "tooltip": {"mode": "multi", "sort": "desc"}}
        defaults |= {"min": 0, "custom": {"lineWidth": 1, "fillOpacity": 0, "showPoints": "never", "spanNulls": True}}
        if panel.steps:
            defaults["custom"]["thresholdsStyle"] = {"mode": "line"}
    return {
        "id": identity,
        "type": "stat" if panel.number else "timeseries",
        "title": panel.title,
        "description": panel.says,
        "datasource": _DATASOURCE,
        "gridPos": {"x": x, "y": y, "w": panel.width, "h": panel.height},
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": options,
        "targets": [
            {"refId": chr(ord("A") + place), "datasource": _DATASOURCE, "expr": query, "legendFormat": legend}
            for place, (legend, query) in enumerate(panel.queries.items())
        ],
    }


def _variables() -> list[dict[str, Any]]:
    instances = "label_values(springtide_leader, instance)"
    windows = ("15m", "1h", "6h", "1d")
    return [
        {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Prometheus"},
        {
            "name": "instance",
            "type": "query",
            "label": "Instance",
            "datasource": _DATASOURCE,
            "query": {"query": instances, "refId": "A"},
            "definition": instances,
            "refresh": 2,
            "includeAll": True,
            "multi": True,
            "allValue": ".*",
            "current": {"text": "All", "value": "$__all"},
        },
        {
            "name": "window",
            "type": "custom",
            "label": "Quality over the last",
            "query": ",".join(windows),
            "current": {"text": "1h", "value": "1h"},
            "options": [{"text": one, "value": one, "selected": one == "1h"} for one in windows],
        },
    ]


def written(name: str) -> str:
    """Return the file of a dashboard."""
    return json.dumps(dashboard(name), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for name in DASHBOARDS:
        (FOLDER / f"{name}.json").write_text(written(name), encoding="utf-8")
