import numpy as np
import pytest
from helpers.densities import HeavyTails, Skewed, random_gaussians
from scipy import stats

from selfinterp_stats.engines import sample_laplace
from selfinterp_stats.engines.diagnostics import effective_size, pareto_k, pareto_k_limit


def _rngs(count, seed=1):
    return [np.random.default_rng([seed, i]) for i in range(count)]


@pytest.mark.parametrize("n_dimensions", [3, 6, 21])
def test_gaussians(n_dimensions):
    density = random_gaussians(40, n_dimensions, seed=2)
    found = sample_laplace(density, 4000, _rngs(40))
    assert not found.exact.any()
    assert found.converged.all()
    sd = np.sqrt(np.diagonal(density.covariance, axis1=1, axis2=2))
    z = (found.draws.mean(axis=1) - density.mean) / found.mcse
    assert 0.6 < np.sqrt(np.mean(z**2)) < 1.1, "the errors claimed are those seen"
    assert np.abs(z).max() < 4.5
    assert np.abs(found.draws.std(axis=1) / sd - 1).max() < 4.5 / np.sqrt(2 * found.ess.min())


def test_skewed_quantiles():
    found = sample_laplace(Skewed(30, 3, 2.0), 4000, _rngs(30))
    assert not found.exact.any()
    for p in (0.025, 0.5, 0.975):
        exact = np.log(stats.gamma.ppf(p, 2.0))
        error = np.sqrt(p * (1 - p) / found.ess.mean()) / (stats.loggamma.pdf(exact, 2.0))
        quantiles = np.quantile(found.draws, p, axis=1)
        assert np.abs(quantiles.mean() - exact) < 4.5 * error / np.sqrt(quantiles.size)


def test_claimed_errors_hold_over_seeds():
    density = Skewed(1, 4, 3.0)
    runs = [sample_laplace(density, 1000, _rngs(1, seed)) for seed in range(300)]
    seen = np.std([run.draws.mean(axis=1)[0] for run in runs], axis=0)
    claimed = np.mean([run.mcse[0] for run in runs], axis=0)
    assert (seen / claimed > 0.75).all()
    assert (seen / claimed < 1.15).all()


def test_draws_do_not_depend_on_the_batch():
    density = random_gaussians(6, 4, seed=3)
    whole = sample_laplace(density, 500, _rngs(6))
    alone = sample_laplace(density.select([4]), 500, [np.random.default_rng([1, 4])])
    assert np.array_equal(whole.draws[4], alone.draws[0])


def test_heavy_tails_go_to_the_exact_sampler():
    density = HeavyTails(2, 2, 1.0)
    found = sample_laplace(density, 2000, _rngs(2))
    assert found.exact.all()
    assert found.converged.all()
    assert (found.r_hat < 1.01).all()
    assert (found.ess >= 400).all()
    for p in (0.05, 0.5, 0.95):
        exact = stats.t.ppf(p, 1.0)
        error = np.sqrt(p * (1 - p) / 400) / stats.t.pdf(exact, 1.0)
        assert np.abs(np.quantile(found.draws, p, axis=1) - exact).max() < 4.5 * error


def test_twin_without_the_exact_sampler_gets_heavy_tails_wrong(monkeypatch):
    monkeypatch.setattr("selfinterp_stats.engines.laplace.pareto_k_limit", lambda proposals: np.inf)
    monkeypatch.setattr("selfinterp_stats.engines.laplace.ESS_NEEDED", 0.0)
    monkeypatch.setattr("selfinterp_stats.engines.laplace._FEWEST_SHARE", 0.0)
    found = sample_laplace(HeavyTails(20, 6, 2.5), 2000, _rngs(20))
    far = (np.abs(found.draws) > stats.t.ppf(0.9995, 2.5)).mean()
    assert far < 0.5 * 0.001


def test_twin_with_a_wrong_weight_is_caught():
    class Forgetful(Skewed):
        def evaluate(self, theta):  # drops part of the density that the derivatives know of
            return (self.a * theta - 0.8 * np.exp(theta)).sum(axis=-1)

        def select(self, problems):
            return Forgetful(len(list(problems)), self.n_dimensions, self.a)

    found = sample_laplace(Forgetful(30, 3, 2.0), 4000, _rngs(30))
    exact = stats.loggamma.mean(2.0)
    z = (found.draws.mean(axis=1) - exact) / found.mcse
    assert np.sqrt(np.mean(z**2)) > 2


def test_effective_size():
    assert effective_size(np.full(8, 1 / 8)) == pytest.approx(8)
    assert effective_size(np.array([1.0, 0.0])) == pytest.approx(1)


def test_pareto_k_of_known_tails():
    rng = np.random.default_rng(4)
    for k in (0.3, 0.8):
        weights = rng.pareto(1 / k, 50_000) + 1
        assert pareto_k(np.log(weights)) == pytest.approx(k, abs=0.15)


@pytest.mark.parametrize(("proposals", "limit"), [(100, 0.5), (2000, 0.697), (4000, 0.7), (10**6, 0.7)])
def test_pareto_k_limit(proposals, limit):
    assert pareto_k_limit(proposals) == pytest.approx(limit, abs=1e-3)
