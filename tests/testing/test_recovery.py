"""assert_recovers passes what recovers, and says of what does not what is off."""

import numpy as np
import pytest
import xarray as xr

from selfinterp_stats import ArgumentError, fit_choices, load_scenarios
from selfinterp_stats.agents import DeterministicDecider, IdealPointDecider, LapsingDecider
from selfinterp_stats.testing import assert_recovers


def ours(decisions, scenarios):
    return fit_choices(decisions, scenarios, pooling="none", draws=500).draws["slope"]


def as_mapping(decisions, scenarios):
    fit = fit_choices(decisions, scenarios, pooling="none", draws=500)
    return {name: fit.slope_draws[(fit.slopes["scenario"] == name).to_numpy()].T for name in scenarios.names}


def test_our_estimator_recovers():
    recovery = assert_recovers(ours)
    assert recovery.r > 0.98
    assert recovery.rms_error < 10
    assert 0.9 < recovery.slope < 1.05
    assert len(recovery.table) == 150
    assert list(recovery.table.columns) == ["scenario", "attribute", "truth", "estimate", "sd", "error"]


def test_both_ways_of_giving_draws_are_the_same():
    settings = {"n_scenarios": 6, "n_attributes": [3, 5, 7]}
    first, second = assert_recovers(ours, **settings), assert_recovers(as_mapping, **settings)
    assert first.table.equals(second.table)


@pytest.mark.parametrize("decider", [DeterministicDecider(), LapsingDecider(rate=0.2)])
def test_other_deciders(decider):
    assert assert_recovers(ours, decider=decider, n_trials=400).r > 0.96


def test_a_users_own_scenarios():
    assert assert_recovers(ours, scenarios=load_scenarios(topics=["science"]), n_scenarios=5).r > 0.95


def _message(estimator, **settings):
    with pytest.raises(AssertionError) as caught:
        assert_recovers(estimator, **settings)
    return str(caught.value)


def test_twin_with_a_flipped_sign():
    message = _message(lambda d, s: -ours(d, s))
    assert "the sign is turned round" in message
    assert "r with the true weights is -0.9" in message
    assert "farthest off" in message


def test_twin_with_shuffled_scenarios():
    def shuffled(decisions, scenarios):
        draws = as_mapping(decisions, scenarios)
        return dict(zip(draws, [*list(draws.values())[1:], *list(draws.values())[:1]], strict=True))

    assert "are they shuffled?" in _message(shuffled)


def test_twin_without_the_division_by_ranges():
    """Coefficients of raw differences: right signs, but price in cents swamps everything else."""

    def raw(decisions, scenarios):
        low, high = scenarios.ranges(scenarios.names)
        draws = as_mapping(decisions, scenarios)
        return {name: values / (high - low)[i, : values.shape[1]] for i, (name, values) in enumerate(draws.items())}

    assert "rms error is" in _message(raw)


def test_shrunken_estimates_are_told_by_their_slope():
    def noisy(decisions, scenarios):
        rng = np.random.default_rng(1)
        draws = as_mapping(decisions, scenarios)
        return {name: values + rng.normal(0, 20, values.shape) for name, values in draws.items()}

    message = _message(noisy)
    assert "the slope of estimates on the truth is 0." in message


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (None, "NoneType"),
        ({}, "none for"),
        (lambda s: {n: np.zeros((1, k)) for n, k in s.n_attributes.items()}, r"shape \(1, 5\)"),
        (lambda s: {n: np.zeros((9, k + 1)) for n, k in s.n_attributes.items()}, r"shape \(9, 6\)"),
        (lambda s: {n: np.full((9, k), np.nan) for n, k in s.n_attributes.items()}, "45 that are not"),
    ],
)
def test_what_an_estimator_may_not_return(result, message):
    with pytest.raises(ArgumentError, match=message):
        assert_recovers(lambda _, s: result(s) if callable(result) else result, n_scenarios=3, n_trials=10)


def test_draws_without_an_attribute():
    with pytest.raises(ArgumentError, match="none for"):
        assert_recovers(lambda d, s: ours(d, s).isel(weight=slice(1, None)), n_scenarios=3, n_trials=10)


@pytest.mark.parametrize(
    "settings", [{"n_scenarios": 0}, {"n_scenarios": 5000}, {"min_r": 2}, {"max_rms_error": -1}, {"seed": "x"}]
)
def test_impossible_settings(settings):
    with pytest.raises(ArgumentError, match="expected"):
        assert_recovers(ours, **settings)


def test_labels_of_interleaved_scenarios():
    mixed = load_scenarios(topics=["travel"], n_attributes=[5])
    mixed = type(mixed)(mixed.frame.sort_values(["slot", "scenario"], kind="stable", ignore_index=True))
    grouped = type(mixed)(mixed.frame.sort_values(["scenario", "slot"], kind="stable", ignore_index=True))
    settings = {"n_scenarios": 4, "n_trials": 50, "max_rms_error": 200, "min_r": -1}
    one = assert_recovers(ours, scenarios=mixed, **settings).table.set_index(["scenario", "attribute"])["truth"]
    two = assert_recovers(ours, scenarios=grouped, **settings).table.set_index(["scenario", "attribute"])["truth"]
    assert one.sort_index().equals(two.sort_index())


def test_nothing_to_be_found_is_not_found():
    decider = IdealPointDecider(ideal=0.5)
    with pytest.raises(AssertionError, match="r with the true weights"):
        assert_recovers(ours, decider=decider, n_scenarios=5, n_trials=30, max_rms_error=200)


def test_draws_along_two_dimensions():
    def wide(decisions, scenarios):
        return xr.DataArray(
            np.zeros((9, 3, 5)),
            dims=["draw", "scenario", "attribute"],
            coords={"scenario": scenarios.names, "attribute": list("abcde")},
        )

    with pytest.raises(ArgumentError, match="along one dimension"):
        assert_recovers(wide, n_scenarios=3, n_trials=10)
    with pytest.raises(ArgumentError, match="numbers"):
        assert_recovers(lambda d, s: dict.fromkeys(s.names, "draws"), n_scenarios=3, n_trials=10)
