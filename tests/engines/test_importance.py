"""Integrals of densities, against closed forms and quadrature."""

import numpy as np
import pytest
from helpers.densities import Gaussians
from scipy.integrate import quad

from selfinterp_stats.choice.density import ChoiceLikelihood
from selfinterp_stats.engines import weigh_points
from selfinterp_stats.engines.scales import Conditioned


def make_gaussians(n_dimensions, n_problems=200, seed=1):
    rng = np.random.default_rng(seed)
    root = rng.standard_normal((n_problems, n_dimensions, n_dimensions))
    covariance = root @ root.transpose(0, 2, 1) + 0.1 * np.eye(n_dimensions)
    truth = 0.5 * np.linalg.slogdet(2.0 * np.pi * covariance)[1]
    return Gaussians(rng.standard_normal((n_problems, n_dimensions)), covariance), truth


def generators(count):
    return [np.random.default_rng([b, 7]) for b in range(count)]


@pytest.mark.parametrize("n_dimensions", [1, 6, 50])
def test_evidence_of_gaussians(n_dimensions):
    density, truth = make_gaussians(n_dimensions)
    found = weigh_points(density, 400, generators(200))
    z = (found.log_evidence - truth) / found.log_evidence_error
    assert 0.85 < np.sqrt(np.mean(z**2)) < 1.15
    assert np.abs(z.mean()) < 4.0 / np.sqrt(len(z)) + found.log_evidence_error.mean()
    assert found.log_evidence_error.max() < 0.2
    assert found.weights.sum(axis=1) == pytest.approx(np.ones(200))


def test_twin_without_scale_is_caught():
    density, truth = make_gaussians(6)
    found = weigh_points(density, 400, generators(200))
    broken = found.log_evidence + 0.5 * np.linalg.slogdet(density.precision)[1]
    z = (broken - truth) / found.log_evidence_error
    assert np.sqrt(np.mean(z**2)) > 5.0


def test_expectations():
    density, _ = make_gaussians(3)
    found = weigh_points(density, 400, generators(200))
    assert found.points.shape == (200, 400, 3)
    mean = np.einsum("bp,bpd->bd", found.weights, found.points)
    sd = np.sqrt(np.diagonal(density.covariance, axis1=1, axis2=2))
    z = (mean - density.mean) / sd * np.sqrt(found.ess)[:, None]
    assert 0.85 < np.sqrt(np.mean(z**2)) < 1.15


def test_evidence_of_choices():
    rng = np.random.default_rng(3)
    x, s = rng.uniform(-1, 1, (15, 1)), np.where(rng.random(15) < 0.7, 1.0, -1.0)
    likelihood = ChoiceLikelihood(x, s, np.array([0, 15]))
    found = weigh_points(Conditioned(likelihood, np.log([0.5, 4.0])), 20_000, generators(1))

    def outer(slope):
        def inner(intercept):
            z = s * (intercept + x[:, 0] * slope)
            return np.exp(-np.log1p(np.exp(-z)).sum() - 2.0 * intercept**2 - slope**2 / 32.0)

        return quad(inner, -4.0, 4.0)[0]

    assert found.log_evidence[0] == pytest.approx(np.log(quad(outer, -30.0, 30.0)[0]), abs=0.02)
