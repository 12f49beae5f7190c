import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from selfinterp_stats import ArgumentError, normalise_draws
from selfinterp_stats.weights.normalise import find_largest

CONTEXT = np.array([0, 0, 0, 1, 1])
slopes = hnp.arrays(float, (5, 7), elements=st.floats(-1e6, 1e6, allow_subnormal=False))


@given(slopes)
def test_bounds(values):
    weights = normalise_draws(values, CONTEXT)
    assert (np.abs(weights) <= 100).all()
    for rows in (slice(0, 3), slice(3, 5)):
        top = np.abs(weights[rows]).max(axis=0)
        assert ((top == 100) | (np.abs(values[rows]).max(axis=0) == 0)).all()
    assert (np.sign(weights) == np.sign(values)).mean() > 0.99  # but for what underflows


@given(slopes, st.floats(1e-3, 1e3))
def test_scale_of_the_slopes_does_not_matter(values, factor):
    assert np.allclose(normalise_draws(values * factor, CONTEXT), normalise_draws(values, CONTEXT), atol=1e-9)


def test_l2():
    values = np.random.default_rng(1).normal(size=(5, 9))
    weights = normalise_draws(values, CONTEXT, "l2")
    assert np.allclose(np.sqrt((weights[:3] ** 2).sum(axis=0)), 100)
    with pytest.raises(ArgumentError, match="scale: expected one of 'max', 'l2'"):
        normalise_draws(values, CONTEXT, "sum")


def test_a_draw_of_zeros_stays():
    assert normalise_draws(np.zeros((5, 2)), CONTEXT).tolist() == np.zeros((5, 2)).tolist()


def test_largest():
    values = np.array([[3.0, 1.0, -2.0], [-1.0, 1.0, 1.0], [0.0, 0.5, 1.0], [1.0, -5.0, 1.0], [2.0, 5.0, 0.0]])
    assert find_largest(values, CONTEXT) == pytest.approx([2.5 / 3, 0.5 / 3, 0, 1.5 / 3, 1.5 / 3])
