import numpy as np
import pytest
from helpers.densities import HeavyTails, Skewed, random_gaussians

from selfinterp_stats.engines.newton import find_modes


@pytest.mark.parametrize("n_dimensions", [1, 3, 21])
def test_gaussian_modes_and_covariances(n_dimensions):
    density = random_gaussians(5, n_dimensions, seed=1)
    modes = find_modes(density)
    assert np.allclose(modes.location, density.mean, atol=1e-8)
    covariance = np.einsum("bij,bkj->bik", modes.factor, modes.factor)
    assert np.allclose(covariance, density.covariance, rtol=1e-6)


def test_skewed_modes():
    modes = find_modes(Skewed(3, 2, 0.2))
    assert np.allclose(modes.location, np.log(0.2), atol=1e-9)


def test_a_curvature_that_is_not_positive_still_climbs():
    class Shifted(HeavyTails):
        def derivatives(self, theta):  # the start, 0, lies in a tail, where the log density is convex
            value, gradient, curvature = super().derivatives(theta - 40.0)
            assert self.checked or (np.diagonal(curvature, axis1=1, axis2=2) < 0).all()
            self.checked = True
            return value, gradient, curvature

        checked = False

    modes = find_modes(Shifted(2, 2, 3.0))
    assert np.allclose(modes.location, 40.0, atol=1e-6)
