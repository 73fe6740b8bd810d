import pytest

from benchmarks.flame import Box, Frame, boxes, stacks

LINES = [
    "main (consumers/cli.py:1);Pipeline.learn (consumers/pipeline.py:9);Recommender.test (models/recommender.py:3) 3\n",
    "main (consumers/cli.py:1);Pipeline.learn (consumers/pipeline.py:7);forward (torch/nn.py:3);x (torch/x.py:1) 1\n",
    "main (consumers/cli.py:1);Pipeline.recommend (consumers/pipeline.py:7) 4\n",
    "main (consumers/cli.py:1);wait (threading.py:3) 50\n",
]
LEARN, TEST = Frame("Pipeline.learn", "consumers"), Frame("Recommender.test", "models")
TORCH, RECOMMEND = Frame("torch", "library"), Frame("Pipeline.recommend", "consumers")


def test_stacks_count_from_their_root_and_end_in_a_library() -> None:
    assert stacks(LINES) == {(LEARN, TEST): 3, (LEARN, TORCH): 1, (RECOMMEND,): 4}


def test_what_begins_alike_stands_together() -> None:
    found = boxes(stacks(LINES))
    assert sorted(found) == sorted(
        [
            Box(LEARN, 0, 0.0, 0.5),
            Box(TEST, 1, 0.0, 0.375),
            Box(TORCH, 1, 0.375, 0.125),
            Box(RECOMMEND, 0, 0.5, 0.5),
        ]
    )
    assert sum(box.share for box in found if box.depth == 0) == pytest.approx(1)
