"""The hierarchical laplace engine against quadrature, itself and the truth, on likelihoods that know nothing of choices."""

import numpy as np
import pytest
from helpers.densities import NormalMeans
from scipy import stats

from selfinterp_stats.engines import LearnedScales, sample_pooled
from selfinterp_stats.engines.hyper import Box, tabulate_posterior, tabulate_unit
from selfinterp_stats.engines.resample import make_bins
from selfinterp_stats.engines.shared import propose, weigh_unit
from selfinterp_stats.seeding import make_generator

SCALES = LearnedScales(np.log([0.5, 3.0]), np.ones(2))


def sample(density, *, draws=4000, seed=1, scales=SCALES):
    densities = density if isinstance(density, list) else [density]
    out = [np.empty((d.shape[0], draws, d.shape[1])) for d in densities]

    def store(i, b, values):
        out[i][b] = values

    result = sample_pooled(densities, scales, draws, lambda what, i, b: make_generator(seed, what, i=i, b=b), store)
    return result, out if isinstance(density, list) else out[0]


def normal_means(seed, n_units=30, size=4, tau=2.0, sigma=0.8, noise=1.0):
    rng = np.random.default_rng(seed)
    theta = rng.normal(0, 1, (n_units, size + 1)) * np.r_[sigma, np.full(size, tau)]
    return NormalMeans(theta + noise * rng.standard_normal(theta.shape), noise), theta


def exact_marginal(density, block, location, spread):
    """Posterior of one log scale by quadrature: y ~ Normal(0, scale^2 + noise^2)."""
    grid = np.linspace(-6, 5, 4001)
    y = density.y[:, block].ravel()
    sd = np.sqrt(np.exp(2 * grid) + density.noise**2)
    log_density = stats.norm.logpdf(grid, location, spread) + stats.norm.logpdf(y[:, None], 0, sd).sum(axis=0)
    weight = np.exp(log_density - log_density.max())
    return grid, weight / weight.sum()


@pytest.mark.parametrize(("n_units", "size"), [(1, 2), (4, 3), (60, 5)])
def test_hyperparameters_against_quadrature(n_units, size):
    """On the scale on which they are reported, as standard deviations and not as their logarithms."""
    density, _ = normal_means(3, n_units, size)
    result, _ = sample(density)
    for i, block in enumerate(density.blocks):
        grid, weight = exact_marginal(density, block, SCALES.location[i], SCALES.sd[i])
        scale, found = np.exp(grid), np.exp(result.phi[:, i])
        mean = weight @ scale
        sd = np.sqrt(weight @ np.square(scale - mean))
        assert abs(found.mean() - mean) < 0.1 * sd
        for level in (0.05, 0.5, 0.95):
            exact = np.interp(level, np.cumsum(weight), scale)
            assert abs(np.quantile(found, level) - exact) < 0.1 * sd


def test_units_against_closed_form():
    """Means of the variables, in Monte-Carlo standard errors: as large as claimed, neither larger nor smaller."""
    standardised = []
    for seed in range(6):
        density, _ = normal_means(seed, 40, 4)
        result, draws = sample(density, seed=seed)
        for i, block in enumerate(density.blocks):
            grid, weight = exact_marginal(density, block, SCALES.location[i], SCALES.sd[i])
            variance = np.exp(2 * grid)
            shrinkage = weight @ (variance / (variance + 1))
            error = draws[:, :, block].mean(axis=1) - shrinkage * density.y[:, block]
            standardised.append((error / result.mean_errors[0][:, block]).ravel())
    z = np.concatenate(standardised)
    assert np.abs(z).max() < 4.5
    assert 0.85 < np.sqrt(np.mean(z**2)) < 1.15


def test_variables_follow_their_own_hyperparameters():
    """Given a draw of the scales, a variable is normal with that draw's shrinkage: its standardised values say so."""
    density, _ = normal_means(5, 6, 3, tau=1.0)
    result, draws = sample(density, draws=20_000)
    variance = np.exp(2 * result.phi[:, 1])
    shrinkage = variance / (variance + 1)
    z = (draws[:, :, 1] - shrinkage * density.y[:, 1, None]) / np.sqrt(shrinkage)
    assert np.allclose(z.mean(axis=1), 0, atol=0.04)
    assert np.allclose(z.std(axis=1), 1, atol=0.04)
    spread = np.corrcoef(np.abs(z).mean(axis=0), result.phi[:, 1])[0, 1]
    assert abs(spread) < 0.03
    shuffled = np.random.default_rng(1).permutation(20_000)  # the broken twin: draws of other hyperparameters
    z = (draws[:, shuffled, 1] - shrinkage * density.y[:, 1, None]) / np.sqrt(shrinkage)
    assert abs(np.corrcoef(np.abs(z).mean(axis=0), result.phi[:, 1])[0, 1]) > 0.1


def test_batches_of_different_sizes_share_the_scales():
    small, _ = normal_means(1, 20, 2, tau=2.0)
    large, _ = normal_means(2, 20, 6, tau=2.0)
    result, draws = sample([small, large])
    y = np.r_[small.y[:, 1:].ravel(), large.y[:, 1:].ravel()]
    together = NormalMeans(np.column_stack([np.zeros(len(y)), y]))
    grid, weight = exact_marginal(together, slice(1, 2), SCALES.location[1], SCALES.sd[1])
    assert abs(result.phi[:, 1].mean() - weight @ grid) < 0.02
    assert [part.shape for part in draws] == [(20, 4000, 3), (20, 4000, 7)]
    assert [part.shape for part in result.mean_errors] == [(20, 3), (20, 7)]


def test_a_spread_of_its_own():
    """omega is found where units differ in scale, is small where they do not, and the marginal likelihood is right."""
    scales = LearnedScales(np.log([0.5, 3.0, 0.3]), np.ones(3))
    rng = np.random.default_rng(4)
    own = 4.0 * np.exp(0.6 * rng.standard_normal(60))
    theta = rng.standard_normal((60, 6)) * np.column_stack([np.full(60, 1.5), *[own] * 5])
    varied, _ = sample(NormalMeans(theta + rng.standard_normal(theta.shape)), scales=scales, draws=1000)
    even, _ = sample(normal_means(6, 60, 5, tau=4.0, sigma=1.5)[0], scales=scales, draws=1000)
    assert 0.4 < np.exp(varied.phi[:, 2]).mean() < 0.9
    assert np.exp(even.phi[:, 2]).mean() < 0.35
    assert varied.converged.mean() > 0.95  # others are named by whoever asked
    density, _ = normal_means(7, 1, 3)
    unit = propose(density, SCALES, np.log([[0.5, 3.0]]), 40_000, [np.random.default_rng(1)])[0]
    phi = np.array([np.log(0.6), np.log(2.0), np.log(0.8)])
    z, w = np.polynomial.hermite_e.hermegauss(41)
    sd = np.sqrt(np.square(2.0 * np.exp(0.8 * z)) + 1)
    exact = np.log(w / w.sum() @ np.exp(stats.norm.logpdf(density.y[0, 1:, None], 0, sd).sum(axis=0)))
    exact += stats.norm.logpdf(density.y[0, 0], 0, np.sqrt(0.36 + 1))
    log_weights = weigh_unit(unit, scales, phi[None])[0]
    plain = LearnedScales(scales.location[:2], scales.sd[:2])
    reference = weigh_unit(unit, plain, phi[None, :2])[0]
    simple = stats.norm.logpdf(density.y[0], 0, np.sqrt(np.r_[0.36, 4.0, 4.0, 4.0] + 1)).sum()
    found = np.log(np.exp(log_weights).mean() / np.exp(reference).mean())
    assert found == pytest.approx(exact - simple, abs=0.03)


def test_table_is_as_the_weights_say():
    density, _ = normal_means(8, 1, 3)
    unit = propose(density, SCALES, np.log([[0.5, 3.0]]), 3000, [np.random.default_rng(1)])[0]
    box = Box(np.array([-2.0, 0.0]), np.array([1.0, 2.0]), 9)
    table = tabulate_unit(unit, SCALES, box)
    for i, j in ((0, 0), (3, 7), (8, 8)):
        weights = weigh_unit(unit, SCALES, np.array([[box.axes[0][i], box.axes[1][j]]]))[0]
        assert table[i, j] == pytest.approx(np.log(np.mean(np.exp(weights))), abs=1e-9)


def test_a_box_that_misses_the_posterior_is_moved():
    def table(box):
        axes = np.meshgrid(*box.axes, indexing="ij")
        log_density = stats.norm.logpdf(axes[0], 0.3, 0.2) + stats.norm.logpdf(axes[1], -1.0, 0.05)
        return tabulate_posterior(log_density, LearnedScales(np.zeros(2), np.full(2, 100.0)), box)

    posterior = table(Box(np.array([0.4, -3.0]), np.array([2.0, 3.0]), 17))
    for _ in range(12):
        better = posterior.next_box()
        if better is None:
            break
        posterior = table(better)
    assert posterior.settled
    assert np.allclose(posterior.mean, [0.3, -1.0], atol=0.01)
    assert np.allclose(posterior.sd, [0.2, 0.05], rtol=0.03)
    draws = posterior.sample(4000, np.random.default_rng(1))
    assert stats.kstest(draws[:, 1], "norm", (-1.0, 0.05)).pvalue > 1e-3


def test_repeatable_and_seeded():
    density, _ = normal_means(9, 5, 2)
    first, second, third = sample(density), sample(density), sample(density, seed=2)
    assert np.array_equal(first[1], second[1])
    assert np.array_equal(first[0].phi, second[0].phi)
    assert not np.array_equal(first[1], third[1])


def test_picks_are_refused_as_the_priors_say():
    """In a bin of hyperparameters every draw has the weights of its own: no bound is passed, and not all is refused."""
    rng = np.random.default_rng(1)
    phi = np.log([0.5, 3.0]) + 0.3 * rng.standard_normal((2000, 2))
    bins = make_bins(phi, (1, 4))
    assert (bins.excess >= 0).all()
    assert len(bins.references) < 2000 / 10
    squares = np.square(3.0 * rng.standard_normal((500, 4))).sum(axis=1)
    assert np.exp(-0.5 * bins.excess[:, 1:] * squares).mean() > 0.5
    # the broken twin: the smallest scales of a bin as its reference
    smallest = np.stack([phi[bins.order[bins.own_bin == j]].min(axis=0) for j in range(len(bins.references))])
    assert (np.exp(-2.0 * phi[bins.order]) - np.exp(-2.0 * smallest[bins.own_bin]) < -1e-3).any()
