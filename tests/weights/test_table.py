import numpy as np
import pandas as pd
import pytest

from selfinterp_stats import ArgumentError, make_weights, normalise_draws


@pytest.fixture
def index():
    return pd.DataFrame({"scenario": "s", "slot": [1, 2], "attribute": ["x", "y"], "context": 0})


def test_summaries_are_of_normalised_draws(index):
    """Normalising first and summarising then is not the same as the other way round; the twin shows the difference."""
    rng = np.random.default_rng(1)
    size = rng.gamma(1.0, size=4000)  # decisions more or less consistent
    slopes = np.stack([size * rng.normal(3, 0.5, 4000), size * rng.normal(-2, 0.5, 4000)])
    weights = make_weights(slopes, index, prob=0.8)
    expected = normalise_draws(slopes, np.array([0, 0]))
    assert weights.table["mean"].to_numpy() == pytest.approx(expected.mean(axis=1))
    assert weights.table["median"].to_numpy() == pytest.approx(np.median(expected, axis=1))
    assert weights.table["p_direction"].tolist() == [1.0, 1.0]
    inside = (expected >= weights.table["hdi_low"].to_numpy()[:, None]) & (
        expected <= weights.table["hdi_high"].to_numpy()[:, None]
    )
    coverage = inside.mean(axis=1)
    assert coverage[0] > 0.8  # the atom at 100 cannot be cut
    assert coverage[1] == pytest.approx(0.8, abs=0.005)
    twin_low = 100 * np.quantile(slopes[1], 0.1) / slopes[0].mean()
    assert abs(twin_low - weights.table["hdi_low"].iloc[1]) > 30


def test_draws_from_elsewhere_are_welcome(index):
    weights = make_weights(np.array([[1.0, 2.0], [4.0, 1.0]]), index)
    assert weights.values.tolist() == [[25.0, 100.0], [100.0, 50.0]]
    assert weights.table["k_hat"].isna().all()
    assert weights.draws["attribute"].to_numpy().tolist() == ["x", "y"]


@pytest.mark.parametrize("options", [{"prob": 2}, {"scale": "l1"}])
def test_arguments(index, options):
    with pytest.raises(ArgumentError):
        make_weights(np.ones((2, 4)), index, **options)
