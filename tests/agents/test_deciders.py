"""Deciders do what they say, by hand-computed cases and by symmetry."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfinterp_stats import ArgumentError
from selfinterp_stats.agents import (
    Decider,
    DeterministicDecider,
    IdealPointDecider,
    LapsingDecider,
    LexicographicDecider,
    LogitDecider,
    OneAttributeDecider,
    find_used_weights,
)

UNBIASED = [
    LogitDecider(4.0),
    DeterministicDecider(),
    LapsingDecider(rate=0.3),
    OneAttributeDecider(),
    IdealPointDecider(),
    LexicographicDecider(),
]
W = np.array([60.0, -100.0, 20.0])


def _pairs(n, k, seed=1):
    return np.random.default_rng(seed).random((2, n, k))


@pytest.mark.parametrize("decider", UNBIASED, ids=lambda d: type(d).__name__)
def test_swapping_the_options_swaps_the_choice(decider):
    a, b = _pairs(200, 3)
    assert isinstance(decider, Decider)
    p = decider.probability_of_a(a, b, W)
    assert p.shape == (200,)
    assert ((p >= 0) & (p <= 1)).all()
    assert decider.probability_of_a(b, a, W) == pytest.approx(1 - p, abs=1e-12)
    assert decider.probability_of_a(a, a, W) == pytest.approx(0.5)


@pytest.mark.parametrize("decider", UNBIASED, ids=lambda d: type(d).__name__)
def test_more_of_what_it_wants_is_chosen_more(decider):
    high, low = np.array([[0.7, 0.3, 0.5]]), np.array([[0.5, 0.5, 0.5]])
    assert decider.probability_of_a(high, low, W)[0] > 0.6


def test_logit_by_hand():
    a, b = np.array([[1.0, 0.0, 0.5]]), np.array([[0.5, 0.2, 0.5]])
    log_odds = 0.4 + 6.0 * (0.5 * 0.6 + (-0.2) * -1.0)
    assert LogitDecider(6.0, 0.4).probability_of_a(a, b, W)[0] == pytest.approx(1 / (1 + np.exp(-log_odds)))
    assert LogitDecider(1e6).probability_of_a(a, b, W)[0] == 1.0  # without overflow


def test_lapses():
    a, b = _pairs(50, 3)
    always = LapsingDecider(DeterministicDecider(), rate=0.2, share_of_a=1.0).probability_of_a(a, b, W)
    assert set(np.round(always, 12)) == {0.2, 1.0}
    assert LapsingDecider(rate=1.0).probability_of_a(a, b, W) == pytest.approx(0.5)


def test_one_attribute_ignores_the_others():
    a, b = _pairs(50, 3)
    other = a.copy()
    other[:, [0, 2]] = 0.9
    decider = OneAttributeDecider()
    # the second attribute is the largest
    assert np.array_equal(decider.probability_of_a(a, b, W), decider.probability_of_a(other, b, W))
    assert np.array_equal(decider.used_weights(W), [0, -100, 0])
    assert np.array_equal(decider.used_weights(np.array([[1.0, -1.0], [0.0, 2.0]])), [[100, 0], [0, 100]])


def test_an_ideal_at_the_end_of_the_range_is_a_logit():
    a, b = _pairs(50, 3)
    logit = LogitDecider(5.0).probability_of_a(a, b, W)
    assert IdealPointDecider(5.0, ideal=1.0).probability_of_a(a, b, W) == pytest.approx(logit)


def test_lexicographic_goes_down_the_list():
    decider = LexicographicDecider(tolerance=0.1)
    b = np.full((4, 3), 0.5)
    a = b + np.array([[0.3, 0.05, 0.0], [-0.3, -0.2, 0.0], [0.1, 0.1, 0.4], [0.0, 0.0, 0.0]])
    # by -x2 first, then x1, then x3
    assert decider.probability_of_a(a, b, W).tolist() == [1.0, 1.0, 1.0, 0.5]


def test_equal_sums_of_rounded_values_are_ties():
    a, b = np.array([[0.3, 0.1]]), np.array([[0.1, 0.3]])
    assert DeterministicDecider().probability_of_a(a, b, np.array([100.0, 100.0]))[0] == 0.5


@given(seed=st.integers(0, 1000), k=st.integers(2, 8))
def test_additive_deciders_know_their_weights(seed, k):
    weights = np.random.default_rng(seed).uniform(-100, 100, k)
    for decider in (LogitDecider(), DeterministicDecider(), LapsingDecider(DeterministicDecider())):
        used = find_used_weights(decider, weights)
        assert np.abs(used).max() == 100
        assert used / 100 * np.abs(weights).max() == pytest.approx(weights)


class _Anonymous:
    """A logit decider that does not state its weights."""

    def probability_of_a(self, a, b, weights):
        return LogitDecider(8.0, 0.5).probability_of_a(a, b, weights)


def test_projection_finds_the_weights_of_a_logit():
    assert find_used_weights(_Anonymous(), W) == pytest.approx(W, abs=1.0)
    assert find_used_weights(LapsingDecider(_Anonymous()), W) == pytest.approx(W, abs=1.0)


def test_projection_of_deciders_that_are_not_additive():
    used = find_used_weights(IdealPointDecider(ideal=0.8), np.stack([W, -W]))
    assert used[0] == pytest.approx(-used[1], abs=12)
    assert used[0, 1] == -100
    assert 30 < used[0, 0] < 90
    lexicographic = find_used_weights(LexicographicDecider(0.05), W)
    assert lexicographic[1] == -100
    assert abs(lexicographic[2]) < abs(lexicographic[0]) < 50
    # at an ideal in the middle no additive weight is better than a coin
    assert np.array_equal(find_used_weights(IdealPointDecider(ideal=0.5), W), np.zeros(3))


@pytest.mark.parametrize(
    "make",
    [
        lambda: LogitDecider(-1),
        lambda: LogitDecider(position_bias=float("nan")),
        lambda: LapsingDecider(rate=1.5),
        lambda: LapsingDecider(share_of_a=-0.1),
        lambda: OneAttributeDecider("6"),
        lambda: IdealPointDecider(ideal=2),
        lambda: LexicographicDecider(-0.1),
    ],
)
def test_impossible_settings(make):
    with pytest.raises(ArgumentError, match="expected a number"):
        make()
