"""Options and target weights drawn for an experiment."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfinterp_stats import ArgumentError, draw_option_pairs, draw_targets, load_scenarios, make_scenarios
from selfinterp_stats.scenarios import draw_weights
from selfinterp_stats.scenarios.options import draw_values, find_decimals


@pytest.fixture(scope="module")
def scenarios():
    return load_scenarios(topics=["travel", "money"])


def test_values_are_within_their_ranges_and_on_the_grid(scenarios):
    pairs = draw_option_pairs(scenarios, n_trials=60)
    low, high = scenarios.ranges(pairs.names)
    for values in (pairs.a, pairs.b):
        assert np.array_equal(np.isnan(values[:, 0]), np.isnan(low))
        assert np.nanmin(values - low[:, None]) >= 0
        assert np.nanmax(values - high[:, None]) <= 0
    for i in range(len(low)):
        for j in np.flatnonzero(~np.isnan(low[i])):
            shown = pairs.a[i, :, j]
            assert np.array_equal(shown, np.round(shown, find_decimals(low[i, j], high[i, j])))
    a, b = pairs.positions()
    assert np.nanmean(a) == pytest.approx(0.5, abs=0.01)
    assert np.nanmean((a - b) ** 2) == pytest.approx(1 / 6, rel=0.1)


def test_grid_points_are_equally_likely():
    values = draw_values(np.array([1.0]), np.array([4.0]), 40_000, np.random.default_rng(1))
    shares = pd.Series(values[:, 0]).value_counts(normalize=True)
    assert sorted(shares.index) == [1, 2, 3, 4]
    assert shares.to_numpy() == pytest.approx(0.25, abs=0.01)


@given(low=st.floats(-1e6, 1e6), width=st.floats(1e-6, 1e6), seed=st.integers(0, 99))
def test_any_range_can_be_drawn_from(low, width, seed):
    low = np.array([round(low, 6)])
    high = np.array([round(low[0] + width, 6)])
    if high > low:
        values = draw_values(low, high, 50, np.random.default_rng(seed))
        assert (values >= low).all()
        assert (values <= high).all()
        assert len(np.unique(values)) > 1


@pytest.mark.parametrize(
    ("low", "high", "decimals"),
    [
        (1, 7, 0),
        (0, 3, 0),
        (0, 2, 1),
        (0, 1, 1),
        (0.5, 12, 1),
        (2.25, 9, 2),
        (0, 0.03, 2),
        (0, 0.02, 3),
        (-20, -16, 0),
        (0, 1e9, 0),
        (0, 4, 0),
    ],
)
def test_decimals(low, high, decimals):
    assert find_decimals(low, high) == decimals


def test_a_scenario_does_not_depend_on_its_neighbours(scenarios):
    name = scenarios.names[7]
    alone = make_scenarios(scenarios.frame[scenarios.frame["scenario"] == name])
    k = alone.n_slots
    assert np.array_equal(draw_option_pairs(alone).a[0], draw_option_pairs(scenarios).a[7, :, :k])
    targets = draw_targets(scenarios).frame.query("scenario == @name")["target"]
    assert np.array_equal(draw_targets(alone).frame["target"], targets)


def test_purposes_and_seeds_give_other_pairs(scenarios):
    first = draw_option_pairs(scenarios).a
    assert not np.array_equal(first, draw_option_pairs(scenarios, purpose="reports").a, equal_nan=True)
    assert not np.array_equal(first, draw_option_pairs(scenarios, seed=2).a, equal_nan=True)


def test_counterbalanced_pairs_are_shown_both_ways(scenarios):
    pairs = draw_option_pairs(scenarios, n_trials=10, counterbalanced=True)
    assert np.array_equal(pairs.a[:, :5], pairs.b[:, 5:], equal_nan=True)
    assert np.array_equal(pairs.b[:, :5], pairs.a[:, 5:], equal_nan=True)
    with pytest.raises(ArgumentError, match="even number"):
        draw_option_pairs(scenarios, n_trials=9, counterbalanced=True)


def test_options_never_agree_in_everything():
    coarse = make_scenarios(pd.DataFrame({"scenario": "s", "attribute": ["x", "y"], "low": 0, "high": 4}))
    pairs = draw_option_pairs(coarse, n_trials=2000)
    assert ((pairs.a != pairs.b).any(axis=2)).all()


def test_frame(scenarios):
    pairs = draw_option_pairs(scenarios, n_trials=3)
    frame = pairs.frame()
    assert len(frame) == 3 * len(scenarios)
    assert frame["trial"].tolist()[:4] == [1, 2, 3, 1]
    assert np.array_equal(frame["a_1"].to_numpy().reshape(-1, 3), pairs.a[:, :, 0])


@pytest.mark.parametrize("distribution", ["uniform", "gaussian"])
def test_weights_have_their_largest_at_the_bound(distribution):
    weights = draw_weights(5, np.random.default_rng(1), count=4000, distribution=distribution)
    assert (np.abs(weights).max(axis=1) == 100).all()
    assert weights.mean() == pytest.approx(0, abs=2)
    # uniform: given the largest, the others are uniform up to it, with variance 100**2 / 3
    expected = {"uniform": 1e4 * (1 / 5 + 4 / 5 / 3)}.get(distribution)
    if expected:
        assert (weights**2).mean() == pytest.approx(expected, rel=0.02)


def test_targets(scenarios):
    frame = draw_targets(scenarios, only=scenarios.names[:3]).frame
    assert frame["scenario"].unique().tolist() == scenarios.names[:3]
    assert (frame["target"] % 1 == 0).all()
    assert frame.groupby("scenario")["target"].agg(lambda t: t.abs().max()).eq(100).all()
    assert len(draw_targets(scenarios, only=[])) == 0
    with pytest.raises(ArgumentError, match="uniform"):
        draw_targets(scenarios, distribution="cauchy")
    with pytest.raises(ArgumentError, match="names of the scenarios"):
        draw_targets(scenarios, only=["typo"])


@pytest.mark.parametrize(("low", "high"), [(0, 1e-30), (0, 2e-50), (1e9, 1e9 + 1e-6), (-1e-20, 1e-20)])
def test_options_differ_in_the_narrowest_ranges(low, high):
    narrow = make_scenarios(pd.DataFrame({"scenario": "s", "attribute": ["x", "y"], "low": low, "high": high}))
    pairs = draw_option_pairs(narrow, n_trials=50)
    assert ((pairs.a != pairs.b).any(axis=2)).all()
    assert pairs.a.min() >= low
    assert pairs.b.max() <= high
