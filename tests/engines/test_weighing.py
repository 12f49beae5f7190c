"""Compiled weights against NumPy."""

import numpy as np
import pytest

from selfinterp_stats.engines.weighing import marginalise, pick_by_weight


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(1)
    statistics = np.ascontiguousarray(rng.chisquare(4, (6, 501)))
    return 3 * rng.normal(size=501), statistics, rng.normal(size=40), -3 * rng.random((40, 6))


def test_marginals(problem):
    base, statistics, constants, natural = problem
    exact = constants + np.logaddexp.reduce(base + natural @ statistics, axis=1) - np.log(len(base))
    assert np.allclose(marginalise(*problem), exact, rtol=1e-13, atol=1e-13)


def test_weights_far_below_the_largest_count_nothing(problem):
    base, statistics, constants, natural = problem
    shifted = base.copy()
    shifted[1:] -= 1e4
    exact = constants + (shifted[0] + natural @ statistics[:, 0]) - np.log(len(base))
    assert np.allclose(marginalise(shifted, statistics, constants, natural), exact, rtol=1e-13)


def test_picks_are_where_cumulative_weights_reach_a_place(problem):
    base, statistics, _, natural = problem
    places = np.random.default_rng(2).random(40)
    weights = np.exp(base + natural @ statistics)
    cumulative = np.cumsum(weights, axis=1) / weights.sum(axis=1, keepdims=True)
    exact = [np.searchsorted(row, place) for row, place in zip(cumulative, places, strict=True)]
    assert pick_by_weight(base, statistics, natural, places).tolist() == exact
