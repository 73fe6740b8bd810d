import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.durations import Duration


@pytest.mark.parametrize(
    ("text", "ms"), [("90d", 7_776_000_000), ("5m", 300_000), ("1h30m", 5_400_000), ("500ms", 500), ("0s", 0)]
)
def test_text_becomes_milliseconds(text: str, ms: int) -> None:
    assert Duration.parse(text).ms == ms


@pytest.mark.parametrize("text", ["", "90", "d", "-5m", "5 m", "1.5h", "5M", 90, None])
def test_anything_else_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="must be a duration with units"):
        Duration.parse(text)


@given(st.integers(min_value=0, max_value=10**13))
def test_what_it_prints_it_reads_again(ms: int) -> None:
    assert Duration.parse(str(Duration(ms))) == ms
