import json

import numpy as np
import pytest

from benchmarks.bench import Messages
from consumers.files.reading import EventBatch
from consumers.settings import Settings


def messages() -> Messages:
    parts = [EventBatch(np.arange(n), ["u"] * n, [f"i{k}" for k in range(n)], np.arange(n) * 1_000) for n in (3, 1, 2)]
    return Messages(parts, Settings())


@pytest.mark.parametrize(("start", "stop"), [(0, 6), (0, 2), (2, 5), (3, 4), (5, 9), (6, 9)])
def test_a_part_is_the_same_as_columns_and_as_messages(start: int, stop: int) -> None:
    whole = [item for batch in messages().batches for item in batch.items][start:stop]
    assert [item for batch in messages().batches_of(start, stop) for item in batch.items] == whole
    assert [json.loads(body)["item_id"] for _, body in messages().part(start, stop)] == whole
