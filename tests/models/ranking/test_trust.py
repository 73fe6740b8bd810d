import numpy as np
import pytest

from models.ranking.trust import EVER, NEWEST, SITUATION, USER, WHOLE, Trust, adjust, believed, divide

X = np.array([1.0, 0.5, -1.0], np.float32)
AVERAGE = np.array([[0.4, 0.2, 0.3], [-0.3, 0.6, 0.5]])
WEIGHTS = AVERAGE + np.array([[0.02, 0, -0.01], [0.01, 0.04, 0]])
USERS = np.array([[0, 0], [0.3, -0.2]], np.float32)


def parts_of(trust: Trust, user: int = 1) -> np.ndarray:
    parts = np.empty((5, 2))
    divide(X, user, WEIGHTS, AVERAGE, USERS, trust.of_columns, parts)
    return parts


def test_a_weight_is_the_sum_of_what_situation_user_and_newest_events_add() -> None:
    parts = parts_of(Trust(2, 3))
    assert parts[SITUATION] == pytest.approx([0.1 - 0.3, 0.3 - 0.5])
    assert parts[USER] == pytest.approx([0.3, -0.2])
    assert parts[NEWEST] == pytest.approx([0.02 + 0.01, 0.01 + 0.02])
    assert parts[EVER] == pytest.approx([0.4, -0.3])
    assert parts[:WHOLE].sum(axis=0) == pytest.approx(WEIGHTS @ X + USERS[1]), (
        "all of it believed is all that was learned"
    )
    assert parts[WHOLE] == pytest.approx(WEIGHTS @ X + USERS[1])


@pytest.mark.parametrize("stranger", [-1, 2, 1_000_000])
def test_a_stranger_adds_nothing(stranger: int) -> None:
    assert not parts_of(Trust(2, 3), stranger)[USER].any()


def test_at_first_situations_are_believed_for_the_most_part_and_the_newest_events_hardly() -> None:
    trust = Trust(2, 3)
    parts = parts_of(trust)
    expected = parts[EVER] + 0.7 * parts[SITUATION] + parts[USER] + 0.1 * parts[NEWEST]
    assert believed(parts, trust.of_parts) == pytest.approx(expected)


def test_what_a_column_is_believed_scales_its_part() -> None:
    trust = Trust(2, 3)
    trust.of_columns[1:] = [0.5, 2]
    assert parts_of(trust)[SITUATION] == pytest.approx([0.05 - 0.6, 0.15 - 1])


def test_trust_follows_the_gradient_of_what_was_tested() -> None:
    """Against differences of the score that the gradient is of; Adagrad's first step tells the slope."""
    trust, gradient = Trust(2, 3), np.array([0.7, -0.4], np.float32)
    before = {name: table.copy() for name, table in trust.tables().items()}

    def score() -> float:
        return float(believed(parts_of(trust), trust.of_parts) @ gradient)

    slopes, used = {}, {"trust": trust.of_parts, "column_trust": trust.of_columns}
    for name, table in used.items():
        slopes[name] = np.zeros_like(table)
        for place in np.ndindex(table.shape):
            table[place] += 1e-6
            high = score()
            table[place] -= 2e-6
            slopes[name][place] = (high - score()) / 2e-6
            table[place] += 1e-6
    assert (slopes["column_trust"] != 0).tolist() == [False, True, True], "the constant is no part of a situation"
    assert (slopes["trust"] != 0).all()
    adjust(gradient, X, AVERAGE, parts_of(trust), *trust.tables().values())
    for name, slope in slopes.items():
        step = 0.2 * slope / np.sqrt(0.1 + slope * slope)
        assert used[name] == pytest.approx(np.clip(before[name] + step, 0, 2), abs=1e-5)


def test_trust_stays_between_nothing_and_twice() -> None:
    trust = Trust(2, 3)
    for sign in (1, -1):
        for _ in range(300):
            parts = parts_of(trust)
            adjust((sign * np.sign(parts[USER])).astype(np.float32), X, AVERAGE, parts, *trust.tables().values())
        assert trust.of_parts[USER].tolist() == [1 + sign, 1 + sign]


def test_what_a_feature_does_not_have_teaches_no_trust() -> None:
    trust = Trust(2, 3)
    before = {name: table.copy() for name, table in trust.tables().items()}
    adjust(np.zeros(2, np.float32), X, AVERAGE, parts_of(trust), *trust.tables().values())
    assert all((before[name] == table).all() for name, table in trust.tables().items())
