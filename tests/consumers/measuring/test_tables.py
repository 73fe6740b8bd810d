from typing import Any

from rich.console import Console
from rich.table import Table

from consumers.measuring.tables import ablation_table, part_table, scorer_table, sentences


def summary(ndcg: float) -> dict[str, float]:
    of_hits = {"precision@10": ndcg / 5, "recall@10": 2 * ndcg, "f1@10": 4 * ndcg / 11}
    return {"hr@10": 2 * ndcg, "ndcg@10": ndcg, "mrr": ndcg / 2, **of_hits, "events": 900}


def figures(**more: Any) -> dict[str, Any]:
    part = {"events": 1_234, "list": summary(0.2), "mixture": summary(0.1), "best_expert": summary(0.15)}
    return {
        "events": 10_000,
        "users": 20,
        "items": 300,
        "events_per_second": 456.7,
        "with_history": summary(0.2),
        "mixture": {"with_history": summary(0.18)},
        "experts": {"weak": {"with_history": summary(0.1)}, "strong": {"with_history": summary(0.15)}},
        "published": summary(0.12),
        "best_expert": {"name": "strong"},
        "slices": {"cold_items": part},
        "fifths": [part] * 5,
        "intervals": {
            **{"level": 0.95, "resamples": 1_000},
            "hr@10": {"low": 0.35, "high": 0.45},
            "ndcg@10": {"low": 0.18, "high": 0.22},
            "best_expert": {"ratio": 4 / 3, "low": 1.2, "high": 1.4},
        },
    } | more


def lines(table: Table) -> list[list[str]]:
    console = Console(width=100, no_color=True)
    with console.capture() as capture:
        console.print(table)
    return [[cell.strip() for cell in line.split("│")] for line in capture.get().splitlines() if "│" in line]


def test_scorers_stand_in_order() -> None:
    rows = lines(scorer_table(figures()))
    assert [row[0] for row in rows] == ["list", "mixture", "strong", "weak", "published"]
    assert rows[0] == ["list", "0.4000", "0.2000", "0.1000", "0.0400", "0.0727"]


def test_seeds_have_a_mean_and_a_spread() -> None:
    of_list = {metric: {"mean": 0.2, "spread": 0.001} for metric in ("hr@10", "ndcg@10", "mrr")}
    rows = lines(scorer_table(figures(seeds={"seeds": [1, 2], "scorers": {"list": of_list}})))
    assert rows == [["list", *["0.2000 ±.0010"] * 3]]


def test_parts_are_slices_and_fifths() -> None:
    rows = lines(part_table(figures()))
    assert [row[0] for row in rows] == ["cold items", *(f"fifth {n} of 5" for n in range(1, 6))]
    assert rows[0] == ["cold items", "1,234", "0.2000", "0.1000", "0.1500"]


def test_what_is_left_out_is_a_percentage() -> None:
    without = {"with_history": summary(0.19), "change": -0.05}
    rows = lines(ablation_table(figures(ablation={"bursts": without, "nothing": without | {"change": None}})))
    assert rows == [["bursts", "0.1900", "-5.0%"], ["nothing", "0.1900", ""]]
    seeds = {"changes": {"bursts": {"mean": -0.04, "spread": 0.012}}}
    assert lines(ablation_table(figures(ablation={"bursts": without}, seeds=seeds))) == [
        ["bursts", "0.1900", "-4.0% ±1.2%"]
    ]


def test_sentences_say_how_sure_it_is_and_how_large_it_was() -> None:
    said = list(sentences(figures()))
    assert said[0] == "list / best expert (strong): 1.333 [1.200, 1.400]"
    assert said[1:3] == ["list, HR@10: 0.4000 [0.3500, 0.4500]", "list, NDCG@10: 0.2000 [0.1800, 0.2200]"]
    assert said[-1] == "10,000 events, 20 users, 300 items, 457 events/s"
    assert list(sentences(figures(intervals={"level": 0.95, "resamples": 1_000}))) == said[-1:]
