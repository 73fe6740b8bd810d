from pathlib import Path

import pytest

from consumers.commands.child import Child
from consumers.settings import Settings
from stream.errors import SpringtideError


def test_one_that_cannot_run_says_why_in_its_own_words(tmp_path: Path) -> None:
    settings = Settings.model_validate({"kafka": {"bootstrap": "127.0.0.1:1"}, "metrics": {"port": 1}})
    child = Child(settings, tmp_path)

    with pytest.raises(SpringtideError, match=r"ended by itself: No Kafka broker answers at 127\.0\.0\.1:1"), child:
        raise AssertionError
    assert child.figures() is None
