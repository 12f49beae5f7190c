"""Our compiled k-hat is ArviZ's."""

import numpy as np
import pytest
from arviz_stats.base import array_stats

from selfinterp_stats.engines.diagnostics import pareto_k


@pytest.mark.parametrize("n", [200, 225, 500, 2000, 4001])
@pytest.mark.parametrize("scale", [0.2, 1.0, 4.0])
def test_same_as_arviz(n, scale):
    log_weights = scale * np.random.default_rng(n).standard_t(5, n)
    assert pareto_k(log_weights) == pytest.approx(float(array_stats.psislw(-log_weights)[1]), abs=1e-10)


def test_the_same_weight_for_all_is_exact():
    """Draws of the distribution itself, or of one that it never exceeds by more than a constant factor."""
    assert pareto_k(np.zeros(4000)) == 0
    assert pareto_k(np.r_[np.zeros(1000), np.linspace(-5, -1, 3000)]) == 0


def test_no_tail_is_no_good_sign():
    assert pareto_k(np.r_[0.0, np.full(3999, -1e6)]) == np.inf
