"""Units with a scale of their own, against closed forms: normal means with known noise."""

import numpy as np
import pytest
from helpers.densities import NormalMeans
from scipy import stats

from selfinterp_stats.engines import LearnedScales
from selfinterp_stats.engines.diagnostics import effective_size
from selfinterp_stats.engines.own_scales import draw_own_scales, find_ladder, resample_with_own_scale
from selfinterp_stats.engines.shared import adapt_unit, normalise_weights, propose, weigh_unit

SCALES = LearnedScales(np.log([0.5, 3.0, 0.3]), np.ones(3))
ANCHORS = np.log([[0.5, 0.3], [0.5, 1.0], [0.5, 3.0], [0.5, 9.0]])


def make_unit(seed, count=20_000, anchors=ANCHORS):
    density = NormalMeans(np.array([[0.7, 3.0, -2.5, 4.0]]))
    return density, propose(density, SCALES, anchors, count, [np.random.default_rng(seed)])[0]


def draw_phi(draws, seed=1):
    return np.log([0.6, 2.0, 0.8]) + 0.1 * np.random.default_rng(seed).standard_normal((draws, 3))


def node_probabilities(density, phi):
    """Posterior of the node of the quadrature at each phi."""
    own = SCALES.own_scales(phi[:, 1:])
    sd = np.sqrt(np.exp(2.0 * own) + density.noise**2)
    weight = SCALES.quadrature[1] * np.exp(stats.norm.logpdf(density.y[0, 1:, None, None], 0, sd).sum(axis=0))
    return own, weight / weight.sum(axis=1, keepdims=True)


def test_own_scales_are_drawn_from_their_posterior():
    density, unit = make_unit(1)
    phi = draw_phi(6000)
    found = draw_own_scales(unit, SCALES, phi, np.random.default_rng(2))
    own, probability = node_probabilities(density, phi)
    assert np.array_equal(found[:, 0], phi[:, 0])
    node = np.argmin(np.abs(own - found[:, 1:]), axis=1)
    counts = np.bincount(node, minlength=own.shape[1])
    kept = probability.sum(axis=0) > 5

    def p_value(expected):
        expected = expected[kept] * counts[kept].sum() / expected[kept].sum()
        return stats.chisquare(counts[kept], expected).pvalue

    assert p_value(probability.sum(axis=0)) > 1e-3
    # the broken twin: own scales from their prior
    assert p_value(np.broadcast_to(SCALES.quadrature[1], own.shape).sum(axis=0)) < 1e-6


def test_means_and_their_errors():
    """Over forty sets of proposals, means are off by as much as their Monte-Carlo errors say."""
    phi = draw_phi(2000)
    errors, relative = [], []
    for seed in range(40):
        density, unit = make_unit(seed, count=2000)
        own, probability = node_probabilities(density, phi)
        shrinkage = (probability / (1.0 + np.exp(-2.0 * own))).sum(axis=1).mean()
        exact = density.y[0] * np.r_[(1.0 / (1.0 + np.exp(-2.0 * phi[:, 0]))).mean(), [shrinkage] * 3]
        result, mcse = resample_with_own_scale(unit, SCALES, phi, np.random.default_rng(seed))
        errors.append((result.draws.mean(axis=0) - exact) / mcse)
        relative.append(mcse / result.draws.std(axis=0))
    rms = np.sqrt(np.square(errors).mean(axis=0))
    assert (rms > 0.7).all()
    assert (rms < 1.3).all()
    assert np.max(relative) < 0.1


def test_a_ladder_reaches_scales_that_the_anchors_do_not():
    """Where data say little, an own scale may be tiny: the prior's spike there has to be proposed as well."""
    density = NormalMeans(0.1 * np.ones((1, 7)), noise=0.4)
    rng = np.random.default_rng(3)
    poor = propose(density, SCALES, np.log([[0.5, 3.0]]), 2000, [rng])[0]
    phi = np.log([[0.6, 2.0, 1.5]])
    ladder = find_ladder(poor, SCALES, phi)
    assert ladder[:, 1].min() < -2.0
    served = adapt_unit(density, poor, SCALES.plain, ladder, 2000, rng, by_modes=True)
    before, after = (effective_size(normalise_weights(weigh_unit(unit, SCALES, phi)))[0] for unit in (poor, served))
    assert before < 100
    assert after > 400


@pytest.mark.parametrize("omega", [0.05, 1.0])
def test_a_ladder_ends_where_the_posterior_does(omega):
    _, unit = make_unit(4)
    ladder = find_ladder(unit, SCALES, np.log([[0.6, 3.0, omega]]))
    assert (np.diff(ladder[:, 1]) < 1.0).all()
    reach = np.log(3.0) - ladder[:, 1].min()
    assert reach < 6.0 * omega
