"""The sampler against posteriors in closed form."""

import sys
from functools import partial

import numpy as np
import pytest

from selfinterp_stats.engines import nuts
from selfinterp_stats.engines.nuts import load_pymc, sample_nuts
from selfinterp_stats.errors import ArgumentError


def normal_means(sd=1.5):
    """Means of groups of observations, with a prior mean for each."""
    pm = load_pymc()
    with pm.Model() as model:
        y, group = pm.Data("y", np.zeros(1)), pm.Data("group", np.zeros(1, dtype=int))
        prior_mean, prior_sd = pm.Data("prior_mean", np.zeros(1)), pm.Data("prior_sd", 1.0)
        mean = pm.Normal("mean", prior_mean, prior_sd, shape=prior_mean.shape)
        pm.Deterministic("difference", mean - prior_mean)
        pm.Deterministic("nothing", 0.0 * mean[0])
        pm.Normal("observed", mean[group], sd, observed=y)
    return model


def bounded_rate():
    """A positive parameter, and a density that is zero above 3."""
    pm = load_pymc()
    with pm.Model() as model:
        y = pm.Data("y", np.zeros(1, dtype=int))
        rate = pm.Gamma("rate", 2.0, 1.0)
        pm.Potential("bound", pm.math.where(rate < 3.0, 0.0, -np.inf))
        pm.Poisson("observed", rate, observed=y)
    return model


def _groups(n_groups, seed, per_group=12):
    """Data of `normal_means`, and mean and sd of the posterior."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(n_groups), per_group)
    prior_mean, prior_sd = rng.normal(0, 3, n_groups), 0.8
    y = rng.normal(prior_mean, prior_sd)[group] + rng.normal(0, 1.5, len(group))
    precision = prior_sd**-2 + per_group / 1.5**2
    mean = (prior_mean / prior_sd**2 + np.bincount(group, y) / 1.5**2) / precision
    return {"y": y, "group": group, "prior_mean": prior_mean, "prior_sd": prior_sd}, mean, precision**-0.5


def _scores(found, mean, sd):
    """Errors of means in units of what they should be about."""
    draws, accuracy = found.values["mean"], found.accuracy()["mean"]
    return (draws.mean(axis=(0, 1)) - mean) / (sd / np.sqrt(accuracy.ess_bulk))


@pytest.mark.parametrize("n_groups", [3, 1, 40])
def test_normal_means(n_groups, capfd):
    data, mean, sd = _groups(n_groups, seed=n_groups)
    found = sample_nuts(normal_means, data, draws=1000, chains=2, tune=400, seed=4)
    assert found.values["mean"].shape == (2, 1000, n_groups)
    assert found.divergences == 0
    assert np.abs(_scores(found, mean, sd)).max() < 4.5
    assert np.allclose(found.values["mean"].std(axis=(0, 1)), sd, rtol=0.15)
    assert np.allclose(found.values["difference"], found.values["mean"] - data["prior_mean"])
    assert capfd.readouterr() == ("", "")


def test_other_shapes_are_not_compiled_again():
    for n_groups in (2, 5):
        sample_nuts(normal_means, _groups(n_groups, seed=1)[0], draws=5, chains=1, tune=5, seed=1)
    compiled = nuts._compile(normal_means, (), ())
    assert len(compiled.density.nopython_signatures) == 1


def test_equal_partials_are_compiled_once():
    before = nuts._compile.cache_info().misses
    for _ in range(2):  # with an sd that no other test asks for: all tests of a process share what is compiled
        sample_nuts(partial(normal_means, sd=2.75), _groups(2, seed=1)[0], draws=5, chains=1, tune=5, seed=1)
    assert nuts._compile.cache_info().misses == before + 1


def test_twin_with_a_wrong_likelihood_is_caught():
    data, mean, sd = _groups(40, seed=40)
    found = sample_nuts(partial(normal_means, sd=3.0), data, draws=1000, chains=2, tune=400, seed=4)
    assert np.abs(_scores(found, mean, sd)).max() > 10


def test_positive_parameter_within_bounds():
    from scipy import stats

    y = np.array([3, 1, 4, 1, 5])
    found = sample_nuts(bounded_rate, {"y": y}, draws=2000, chains=2, tune=500, seed=2)
    assert set(found.values) == {"rate"}
    rate, accuracy = found.values["rate"], found.accuracy()["rate"]
    assert rate.max() < 3
    exact = stats.gamma(2 + y.sum(), scale=1 / (1 + len(y)))
    for p in (0.1, 0.5, 0.9):
        error = np.sqrt(p * (1 - p) / min(accuracy.ess_bulk, accuracy.ess_tail))
        assert abs((rate < exact.ppf(p * exact.cdf(3.0))).mean() - p) < 4.5 * error
    assert found.divergences > 0, "steps beyond the bound are reported"


def test_seeds_reproduce_to_the_bit():
    data = _groups(3, seed=3)[0]
    first, again, other = (
        sample_nuts(normal_means, data, draws=50, chains=2, tune=100, seed=seed, cores=cores).values
        for seed, cores in ((7, 2), (7, 1), (8, 2))
    )
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["mean"], other["mean"])
    assert not np.array_equal(first["mean"][0], first["mean"][1])


def test_keep_and_accuracy():
    data = _groups(3, seed=3)[0]
    found = sample_nuts(normal_means, data, draws=400, chains=2, tune=300, seed=7, keep=["difference", "nothing"])
    assert set(found.values) == {"difference", "nothing"}
    accuracy = found.accuracy()
    assert accuracy["difference"].r_hat.shape == (3,)
    assert (accuracy["difference"].r_hat < 1.05).all()
    assert (accuracy["difference"].ess_tail > 100).all()
    assert np.isnan(accuracy["nothing"].r_hat)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": None}, "got group, prior_mean, prior_sd;"),
        ({"z": 1.0}, "got group, prior_mean, prior_sd, y, z;"),
        ({"y": 1.0}, "float64 values with 1 dimensions"),
        ({"group": np.full(36, 0.5)}, "int32 values"),
    ],
)
def test_data_that_do_not_fit(change, message):
    data = {name: value for name, value in (_groups(3, seed=3)[0] | change).items() if value is not None}
    with pytest.raises(ArgumentError, match=message):
        sample_nuts(normal_means, data, draws=5, chains=1, tune=5, seed=1)


@pytest.mark.parametrize("change", [{"draws": 0}, {"seed": -1}, {"keep": ["median"]}, {"target_accept": 1.0}, {"cores": 0}])
def test_arguments(change):
    with pytest.raises(ArgumentError, match=next(iter(change))):
        sample_nuts(normal_means, _groups(3, seed=3)[0], **({"draws": 5, "chains": 1, "tune": 5, "seed": 1} | change))


def test_missing_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "nutpie", None)
    with pytest.raises(ArgumentError, match=r"without nutpie; run pip install 'selfinterp-stats\[nuts\]'"):
        load_pymc()
