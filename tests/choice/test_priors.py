import numpy as np
import pytest
from scipy import stats
from scipy.optimize import approx_fprime

from selfinterp_stats import PAPER_PRIORS, ArgumentError, ChoicePriors, Normal, PooledPriors, StudentT
from selfinterp_stats.choice.priors import resolve_priors

POINTS = np.array([-30.0, -2.0, 0.0, 0.7, 4.0])


@pytest.mark.parametrize(
    ("prior", "reference"),
    [
        (Normal(0.5, 2.0), stats.norm(0.5, 2.0)),
        (StudentT(3, 0, 2.5), stats.t(3, 0, 2.5)),
        (StudentT(7.5, -1, 0.4), stats.t(7.5, -1, 0.4)),
    ],
)
def test_densities_and_their_derivatives(prior, reference):
    difference = reference.logpdf(POINTS) - prior.log_density(POINTS)
    assert np.allclose(difference, difference[0])
    numeric = [approx_fprime([x], lambda v: prior.log_density(v)[0], 1e-6)[0] for x in POINTS]
    assert np.allclose(prior.score(POINTS), numeric, rtol=1e-4, atol=1e-5)
    numeric = [-approx_fprime([x], lambda v: prior.score(v)[0], 1e-6)[0] for x in POINTS]
    assert np.allclose(prior.curvature(POINTS), numeric, rtol=1e-4, atol=1e-5)


def test_printed_as_brms_does():
    assert str(PAPER_PRIORS) == "slopes ~ normal(0, 1); intercept (at centred predictors) ~ student_t(3, 0, 2.5)"


def test_resolve():
    assert resolve_priors("paper", "none") is PAPER_PRIORS
    assert resolve_priors(None, "none") is PAPER_PRIORS
    assert resolve_priors(None, "partial") == PooledPriors()
    mine = ChoicePriors(slopes=StudentT(4, 0, 3))
    assert resolve_priors(mine, "none") is mine
    with pytest.raises(ArgumentError, match="priors: expected 'paper' or a ChoicePriors, got 'flat'"):
        resolve_priors("flat", "none")


@pytest.mark.parametrize(
    "make", [lambda: Normal(0, 0), lambda: Normal(np.nan, 1), lambda: StudentT(-1), lambda: Normal(0, np.inf)]
)
def test_parameters_are_checked(make):
    with pytest.raises(ArgumentError):
        make()
