import numpy as np
import pytest
from scipy import stats

from selfinterp_stats import ArgumentError, find_hdi
from selfinterp_stats.summaries import find_probability_of_direction, find_weighted_correlation


def test_hdi_of_a_skewed_sample_is_no_equal_tailed_interval():
    draws = np.random.default_rng(1).gamma(2.0, size=400_000)
    low, high = find_hdi(draws, 0.9)
    grid = np.linspace(0, 0.1, 20_001)  # probability below the interval; the shortest one wins
    ends = stats.gamma.ppf(grid, 2), stats.gamma.ppf(grid + 0.9, 2)
    best = np.argmin(ends[1] - ends[0])
    assert low == pytest.approx(ends[0][best], abs=0.03)
    assert high == pytest.approx(ends[1][best], abs=0.03)
    tails = np.quantile(draws, [0.05, 0.95])
    assert abs(high - tails[1]) > 0.5  # the mistake that this test is there for


def test_hdi_shapes_and_coverage():
    draws = np.random.default_rng(2).normal(size=(3, 2, 5000))
    low, high = find_hdi(draws, 0.8)
    assert low.shape == high.shape == (3, 2)
    inside = ((draws >= low[..., None]) & (draws <= high[..., None])).mean(axis=-1)
    assert np.allclose(inside, 0.8, atol=0.001)


@pytest.mark.parametrize("prob", [0, 1, -0.5, 95, "0.95", np.nan])
def test_probability_of_an_interval(prob):
    with pytest.raises(ArgumentError, match="prob: expected a number from 0.01 to 0.999"):
        find_hdi(np.arange(10.0), prob)


def test_probability_of_direction():
    draws = np.array([[-1.0, -2.0, 3.0, 0.0], [1.0, 1.0, 1.0, 1.0]])
    assert find_probability_of_direction(draws).tolist() == [0.5, 1.0]


def test_weighted_correlation_counts_weights_as_copies():
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(2, 12))
    copies = rng.integers(0, 4, size=(5, 12))
    found = find_weighted_correlation(x, y, copies.astype(float))
    expected = [np.corrcoef(np.repeat(x, c), np.repeat(y, c))[0, 1] for c in copies]
    assert np.allclose(found, expected, atol=1e-12)


def test_weighted_correlation_is_undefined_for_a_constant():
    x = np.full(6, 0.1)
    assert np.isnan(find_weighted_correlation(x, np.arange(6.0), np.ones((3, 6)))).all()
    assert np.isnan(find_weighted_correlation(np.arange(6.0), x, np.ones((3, 6)))).all()
