import numpy as np

from models.network.checkpoint import Checkpoint
from models.network.config import NetworkConfig


def test_the_items_that_were_met_last_are_kept() -> None:
    vectors = np.arange(6, dtype=np.float32).reshape(3, 2)
    checkpoint = Checkpoint(NetworkConfig(), {}, ("a", "b", "c"), vectors, {}, vectors + 1, "d1")
    kept = checkpoint.newest(2)
    assert kept.vector_squares.tolist() == [[3, 4], [5, 6]]
    assert (kept.ids, kept.vectors.tolist(), kept.digest) == (("b", "c"), [[2, 3], [4, 5]], "d1")
    assert checkpoint.newest(3).ids == checkpoint.newest(9).ids == ("a", "b", "c")
