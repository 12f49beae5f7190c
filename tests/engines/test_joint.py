"""The engine of paired hierarchies against quadrature and closed forms, on likelihoods that know nothing of choices."""

import numpy as np
import pytest
from helpers.densities import PairedMeans

from selfinterp_stats.engines import LearnedCovariances, sample_joint
from selfinterp_stats.seeding import make_generator

pytestmark = pytest.mark.thorough

PRIOR = LearnedCovariances(np.log([[0.5, 0.5], [3.0, 3.0]]), np.ones((2, 2)))


def sample(density, *, draws=4000, seed=1):
    densities = density if isinstance(density, list) else [density]
    out = [np.empty((d.shape[0], draws, d.shape[1])) for d in densities]

    def store(i, b, values):
        out[i][b] = values

    result = sample_joint(densities, PRIOR, draws, lambda what, i, b: make_generator(seed, what, i=i, b=b), store)
    return result, out if isinstance(density, list) else out[0]


def paired_means(seed, n_units=20, size=3, tau=(2.0, 3.0), rho=0.6, sigma=(0.8, 0.5), rho_alpha=0.3):
    rng = np.random.default_rng(seed)
    sides = []
    for scales, r, count in ((sigma, rho_alpha, 1), (tau, rho, size)):
        z = rng.standard_normal((2, n_units, count))
        sides.append((scales[0] * z[0], scales[1] * (r * z[0] + np.sqrt(1 - r**2) * z[1])))
    theta = np.concatenate([sides[0][0], sides[1][0], sides[0][1], sides[1][1]], axis=1)
    return PairedMeans(theta + rng.standard_normal(theta.shape)), theta


def tabulate(density, pair, n=60):
    """Posterior of two log scales and a transformed correlation on a grid: pairs are normal with known noise."""
    left, right = density.pairs[pair]
    a, b = density.y[:, left].ravel(), density.y[:, right].ravel()
    location = PRIOR.location[pair]

    def weigh(axes):
        first, second, z = np.meshgrid(*axes, indexing="ij")
        v1, v2 = np.exp(2 * first) + 1, np.exp(2 * second) + 1
        c = np.tanh(z) * np.exp(first + second)
        determinant = v1 * v2 - c**2
        squares = v2 * (a @ a) + v1 * (b @ b) - 2 * c * (a @ b)
        log_density = -0.5 * len(a) * np.log(determinant) - 0.5 * squares / determinant
        log_density += -0.5 * (first - location[0]) ** 2 - 0.5 * (second - location[1]) ** 2 - 2 * np.log(np.cosh(z))
        weight = np.exp(log_density - log_density.max())
        return weight / weight.sum()

    axes = [np.linspace(-5, 3.5, n), np.linspace(-5, 3.5, n), np.linspace(-6, 6, n)]
    weight = weigh(axes)
    for i, axis in enumerate(axes):  # again where the posterior is
        inside = np.flatnonzero(weight.sum(axis=tuple({0, 1, 2} - {i})) > 1e-6)
        axes[i] = np.linspace(axis[max(inside[0] - 1, 0)], axis[min(inside[-1] + 1, n - 1)], n)
    return axes, weigh(axes)


def grid_values(axes):
    """Scales and correlations at the points of a grid."""
    first, second, z = np.meshgrid(*axes, indexing="ij")
    return np.exp(first), np.exp(second), np.tanh(z)


@pytest.mark.parametrize(
    ("n_units", "size", "rho", "draws"), [(3, 2, 0.6, 16_000), (20, 3, -0.3, 4000), (12, 3, -0.97, 4000)]
)
def test_hyperparameters_against_quadrature(n_units, size, rho, draws):
    density, _ = paired_means(3, n_units, size, rho=rho)
    result, _ = sample(density, draws=draws)
    assert result.settled
    assert result.converged.all()
    for pair in (0, 1):
        axes, weight = tabulate(density, pair)
        phi = result.phi[:, 3 * pair : 3 * pair + 3]
        for i, (axis, transform) in enumerate(zip(axes, (np.exp, np.exp, np.tanh), strict=True)):
            marginal, found = weight.sum(axis=tuple({0, 1, 2} - {i})), transform(phi[:, i])
            mean = marginal @ transform(axis)
            sd = np.sqrt(marginal @ np.square(transform(axis) - mean))
            assert abs(found.mean() - mean) < 0.1 * sd
            reached = np.cumsum(marginal) - 0.5 * marginal
            for level in (0.05, 0.5, 0.95):
                assert abs(np.quantile(found, level) - transform(np.interp(level, reached, axis))) < 0.15 * sd


def test_units_against_closed_form():
    """Means of the variables, in Monte-Carlo standard errors: as large as claimed. The twin ignores the partner."""
    standardised, ignoring = [], []
    for seed in range(2):
        density, _ = paired_means(seed, 20, 3)
        result, draws = sample(density, seed=seed)
        for pair, (left, right) in enumerate(density.pairs):
            axes, weight = tabulate(density, pair)
            s1, s2, r = grid_values(axes)
            c = r * s1 * s2
            determinant = (s1**2 + 1) * (s2**2 + 1) - c**2
            own = (weight * (s1**2 * (s2**2 + 1) - c**2) / determinant).sum()
            other = (weight * c / determinant).sum()
            exact = own * density.y[:, left] + other * density.y[:, right]
            error = draws[:, :, left].mean(axis=1) - exact
            claimed = result.mean_errors[0][:, left]
            standardised.append((error / claimed).ravel())
            if pair:
                ignoring.append((error + other * density.y[:, right]) / claimed)
    z = np.concatenate(standardised)
    assert np.abs(z).max() < 4.5
    assert 0.8 < np.sqrt(np.mean(z**2)) < 1.2
    assert np.abs(np.concatenate(ignoring)).max() > 10


def test_batches_share_the_hyperparameters_and_seeds_repeat():
    small, large = paired_means(1, 8, 2)[0], paired_means(2, 8, 4)[0]
    result, draws = sample([small, large], draws=500)
    again, same = sample([small, large], draws=500)
    assert [part.shape for part in draws] == [(8, 500, 6), (8, 500, 10)]
    assert np.array_equal(result.phi, again.phi)
    assert all(np.array_equal(a, b) for a, b in zip(draws, same, strict=True))
    assert not np.array_equal(result.phi, sample([small, large], draws=500, seed=2)[0].phi)
