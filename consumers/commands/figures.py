"""What /metrics says, read back: totals, ratios and quantiles of one look."""

from prometheus_client.parser import text_string_to_metric_families

FINAL_LIST = "list"


class Figures:
    """One look at the metrics of a recommender.

    Parameters
    ----------
    text
        What /metrics answered; an empty text has all figures at zero.
    """

    def __init__(self, text: str = "") -> None:
        self._samples = [
            (sample.name.removeprefix("springtide_"), sample.labels, sample.value)
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        ]

    def total(self, name: str, **labels: str) -> float:
        """Sum of the samples called `name` whose labels are at least `labels`."""
        return sum(value for found, has, value in self._samples if found == name and labels.items() <= has.items())

    def processed(self) -> int:
        """How many single-event records have been dealt with, one way or another."""
        ways = ("accepted", "duplicates", "exposures", "ignored")
        return round(sum(self.total("events_total", outcome=way) for way in ways) + self.total("dead_letters_total"))

    def lists(self) -> int:
        """How many lists have been committed; the removals of erased users are left out."""
        return round(self.total("lists_total") - self.total("events_total", outcome="erased"))

    def tested(self) -> int:
        """How many events were tested and then learned from."""
        return round(self.total("prequential_events_total"))

    def prequential(self) -> dict[str, tuple[float, float]]:
        """HR@10 and NDCG@10 by scorer, over events of users met before: the final list first, then the best first."""
        tested = max(self.total("prequential_events_total", user="known"), 1)
        scorers = {has["scorer"] for name, has, _ in self._samples if name == "prequential_hits_total"}
        quality = {
            scorer: tuple(
                self.total(f"prequential_{what}_total", scorer=scorer, user="known") / tested
                for what in ("hits", "ndcg")
            )
            for scorer in scorers
        }
        order = sorted(scorers, key=lambda scorer: (scorer != FINAL_LIST, -quality[scorer][1], scorer))
        return {scorer: (quality[scorer][0], quality[scorer][1]) for scorer in order}

    def published(self) -> tuple[float, float]:
        """HR@10 and NDCG@10 of the lists that were out when their users' next events came."""
        met = max(self.total("published_events_total"), 1)
        return self.total("published_hits_total") / met, self.total("published_ndcg_total") / met

    def quantile(self, name: str, q: float) -> float:
        """Quantile of a histogram, by straight lines within its buckets; 0 when it is empty."""
        buckets = sorted((float(has["le"]), value) for found, has, value in self._samples if found == f"{name}_bucket")
        wanted = q * buckets[-1][1] if buckets else 0
        low, below = 0.0, 0.0
        for high, upto in buckets:
            if upto >= wanted > below:
                return low if high == float("inf") else low + (high - low) * (wanted - below) / (upto - below)
            low, below = high, upto
        return 0.0
