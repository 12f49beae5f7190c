"""assert_calibrated against posteriors whose calibration is known in closed form, and against broken ones."""

import numpy as np
import pytest

from selfinterp_stats import ArgumentError
from selfinterp_stats.testing import assert_calibrated, normal_prior
from selfinterp_stats.testing.calibration import _check_coverage, _check_ranks

SLOPE_SD = 1.5


class Oracle:
    """An exact posterior without any computing: it knows the truth, as a normal observation of known error.

    The prior draws slopes and leaves them where the estimator finds them; the estimator's posterior is the conjugate one.
    """

    def __init__(self, *, spread=1.0, shrink=1.0, sign=1.0, shift=0):
        self.spread, self.shrink, self.sign, self.shift = spread, shrink, sign, shift
        self.slopes = []

    def prior(self, differences, rng):
        intercept, slopes = normal_prior(SLOPE_SD)(differences, rng)
        self.slopes.append(slopes)
        return intercept, slopes

    def estimate(self, decisions, scenarios):
        rng = np.random.default_rng(7)
        error = 0.8
        gain = SLOPE_SD**2 / (SLOPE_SD**2 + error**2)
        draws = {}
        for name, slopes in zip(scenarios.names, np.roll(self.slopes, self.shift, axis=0), strict=True):
            observed = slopes + rng.normal(0, error, len(slopes))
            sd = self.spread * np.sqrt(gain) * error
            draws[name] = self.sign * (self.shrink * gain * observed + rng.normal(0, sd, (400, len(slopes))))
        return draws


def _check(oracle, **settings):
    return assert_calibrated(oracle.estimate, prior=oracle.prior, n_trials=5, **{"n_scenarios": 1000, **settings})


def test_an_exact_posterior_passes():
    for seed in (1, 2, 3):
        calibration = _check(Oracle(), seed=seed, n_scenarios=600)
        assert calibration.scale == pytest.approx(1, abs=0.08)
        assert calibration.pull == pytest.approx(1, abs=0.1)
        assert calibration.shift == pytest.approx(0, abs=0.15)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ({"spread": 0.7}, r"coverage of 90% intervals: 7\d\.\d%, expected 90\.0%"),
        ({"spread": 0.7}, r"too small by a factor of about 1\.[3-5]"),
        ({"spread": 1.4}, r"too large by a factor of about 1\.[3-5]"),
        ({"spread": 1.4}, r"slope: spread of ranks: 0\.\d\d, expected 1\.00"),
        ({"shrink": 0.6}, r"pulled towards zero: the truth is about 1\.[5-9]\d times"),
        ({"shrink": 1.8}, r"slopes are too large: the truth is about 0\.\d\d times"),
        ({"sign": -1.0}, "weight: ranks"),
        ({"shift": 1}, "slope: ranks"),
    ],
)
def test_broken_posteriors_fail_and_are_described(broken, message):
    with pytest.raises(AssertionError, match=message):
        _check(Oracle(**broken))


def test_checks_have_their_nominal_size():
    """Under uniform ranks p values are uniform: of 400 runs about 20 fall below 0.05."""
    rng = np.random.default_rng(5)
    rejected = np.zeros(3)
    for _ in range(400):
        ranks = rng.random(500)
        checks = [_check_coverage(ranks, 0.9), *_check_ranks("slope", ranks)]
        rejected += [check["p_value"] < 0.05 for check in checks]
    assert (rejected > 4).all()
    assert (rejected < 40).all()


def test_ties_are_broken_at_random():
    """A weight at the bound in truth and in most draws gives any rank, not the highest."""

    def prior(_, rng):
        return 0.0, np.array([5.0, 1.0]) * rng.choice([-1, 1], 2)

    def all_draws_alike(decisions, scenarios):
        rng = np.random.default_rng(2)
        return {n: np.array([5.0, 1.0]) * rng.choice([-1, 1], (300, 2)) for n in scenarios.names}

    calibration = assert_calibrated(all_draws_alike, prior=prior, n_trials=3, n_attributes=2)
    assert calibration.ranks["weight"].between(0, 1).all()


def test_estimator_is_called_once_with_everything():
    calls = []

    def counting(decisions, scenarios):
        calls.append((len(decisions), len(scenarios)))
        return {n: np.random.default_rng(1).standard_normal((50, k)) for n, k in scenarios.n_attributes.items()}

    assert_calibrated(counting, prior=normal_prior(1.0), n_scenarios=100, n_trials=7, n_attributes=3)
    assert calls == [(700, 100)]


@pytest.mark.parametrize(
    "settings",
    [
        {"n_scenarios": 10},
        {"n_attributes": 1},
        {"probs": (1.0,)},
        {"p_value": 0.9},
        {"p_value": 0.0},
        {"probs": 0.9},
        {"seed": -1},
    ],
)
def test_impossible_settings(settings):
    with pytest.raises(ArgumentError, match="expected"):
        _check(Oracle(), **settings)
    with pytest.raises(ArgumentError, match="slope_sd"):
        normal_prior(0.0)


@pytest.mark.parametrize("slopes", [np.ones(2), np.ones(5), np.full(4, np.nan)])
def test_priors_are_checked(slopes):
    with pytest.raises(ArgumentError, match="an intercept and 4 slopes"):
        assert_calibrated(lambda d, s: None, prior=lambda x, rng: (0.0, slopes), n_scenarios=100, n_trials=3)
