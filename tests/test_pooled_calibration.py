"""A short run of the calibration study of the hierarchical model, with twins that it catches."""

import importlib.util
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from selfinterp_stats import LogNormal, PooledPriors

pytestmark = [pytest.mark.checkout, pytest.mark.thorough]

N_REPLICATIONS = 80


@cache
def study():
    path = Path(__file__).parents[1] / "analyses" / "studies" / "calibration.py"
    spec = importlib.util.spec_from_file_location("calibration_study", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["calibration_study"] = module
    spec.loader.exec_module(module)
    return module


def smallest(n=N_REPLICATIONS, quantities=None, **settings):
    """Smallest p-value of uniformity over the quantities (Kolmogorov and Smirnov)."""
    with np.errstate(all="ignore"):
        rows = [study().replicate(number, **settings) for number in range(n)]
    table = study().summarise(rows).set_index("quantity")
    return table["ks_p"] if quantities is None else table.loc[list(quantities), "ks_p"]


def test_ranks_are_uniform():
    assert smallest().min() > 1e-4


@pytest.mark.parametrize("model", ["probability"])
def test_ranks_are_uniform_for_options(model):
    assert smallest(50, model=model).min() > 1e-4


def test_twin_with_another_prior():
    """Scales taken to be five times as large as they are, with some confidence."""
    p = smallest(50, quantities=["tau", "sigma_alpha"], priors=PooledPriors(LogNormal(15.0, 0.3), LogNormal(2.5, 0.3)))
    assert p.min() < 1e-4


def test_twin_with_a_flipped_sign():
    assert smallest(50, quantities=["log_likelihood"], change=lambda s, i: (-s, i))["log_likelihood"] < 1e-4


def test_twin_with_scenarios_in_another_order():
    def shuffle(slopes, intercepts):
        k = study().N_ATTRIBUTES
        return np.roll(slopes, k, axis=0), np.roll(intercepts, 1, axis=0)

    assert smallest(50, quantities=["log_likelihood"], change=shuffle)["log_likelihood"] < 1e-4
