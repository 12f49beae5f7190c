"""PyMC's log densities against densities written with SciPy, and its posterior against that of the other engine."""

from functools import cache, partial

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit

from selfinterp_stats.choice.density import ChoiceDensity, ChoiceLikelihood
from selfinterp_stats.choice.models import build_pooled, build_unpooled, specify_model
from selfinterp_stats.choice.priors import Beta, ChoicePriors, Gamma, LogNormal, Normal, PooledPriors, StudentT
from selfinterp_stats.engines import sample_laplace
from selfinterp_stats.engines.nuts import sample_nuts
from selfinterp_stats.errors import ArgumentError

SIZES = (3, 1, 4)  # attributes of each context
TRIALS = (25, 4, 30)


def _trials(seed=1, response="choice"):
    """Three contexts, none with the same number of attributes as another."""
    rng = np.random.default_rng(seed)
    context = np.repeat(np.arange(3), TRIALS)
    used = (np.arange(4) < np.array(SIZES)[:, None]).astype(int)
    x = rng.uniform(-1, 1, (len(context), 4)) * used[context]
    data = {"x": x, "context": context, "used": used}
    if response == "choice":
        return data | {"s": rng.choice([-1.0, 1.0], len(context))}
    return data | {"y": rng.normal(0, 3, len(context)), "censored": rng.choice([-1, 0, 0, 1], len(context))}


@cache
def _plain():
    from pytensor.compile.mode import Mode

    return Mode(linker="py", optimizer="fast_compile")


def _model(build, data):
    model = build()
    for name, value in data.items():
        model.set_data(name, value)
    return model


def _log_density(build, data):
    """Function of a point, with the Jacobian of PyMC's transformations."""
    return _model(build, data).compile_logp(mode=_plain())


def _split(values):
    """Slopes by context."""
    return np.split(values, np.cumsum(SIZES)[:-1])


@pytest.mark.parametrize("priors", [ChoicePriors(), ChoicePriors(StudentT(2, 0.1, 1.5), Normal(0.3, 2.0))])
def test_unpooled_is_the_density_of_the_other_engine(priors):
    build, values = specify_model(priors)
    data = _trials()
    log_density = _log_density(build, data | values)
    differences = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        point = {"slope_raw": rng.normal(0, 3, sum(SIZES)), "intercept_raw": rng.normal(0, 3, 3)}
        other = 0.0
        for s, slopes in enumerate(_split(point["slope_raw"])):
            rows = data["context"] == s
            x = np.ascontiguousarray(data["x"][rows, : SIZES[s]])
            likelihood = ChoiceLikelihood(x, data["s"][rows], np.array([0, TRIALS[s]]))
            theta = np.concatenate([[point["intercept_raw"][s]], slopes])
            other += ChoiceDensity(likelihood, priors).evaluate(theta[None, None])[0, 0]
        differences.append(log_density(point) - other)
    assert np.ptp(differences) < 1e-8


POOLED = PooledPriors(tau=LogNormal(2.0, 0.7), sigma_alpha=LogNormal(0.4, 1.2), noise=LogNormal(0.6, 0.8))
STUDENT = PooledPriors(slope_df=Gamma(3.0, 0.2))
SPREAD = PooledPriors(omega=LogNormal(0.3, 0.9))
LAPSES = PooledPriors(lapse=Beta(2.0, 15.0))
EVERYTHING = PooledPriors(omega=LogNormal(0.2, 1.0), slope_df=Gamma(2.0, 0.1), lapse=Beta(1.0, 19.0))


def _point(priors, response, seed):
    """Values of the parameters without constraints."""
    rng = np.random.default_rng(seed)
    point = {
        "log_tau": rng.normal(0.5, 0.5),
        "log_sigma_alpha": rng.normal(-0.5, 0.5),
        "slope_raw": rng.normal(0, 1.5, sum(SIZES)),
        "intercept_raw": rng.normal(0, 1, 3),
    }
    if priors.omega is not None:
        point |= {"log_omega": rng.normal(-1, 0.5), "tau_z": rng.normal(0, 1, 3)}
    if priors.slope_df is not None:
        point |= {"slope_df_log__": rng.normal(2, 0.5)}
    if priors.lapse is not None:
        point |= {"lapse_logodds__": rng.normal(-2, 0.5)}
    if response == "probability":
        point |= {"log_noise": rng.normal(-0.5, 0.5, 3)}
    return point


def _pooled_reference(priors, data, point, centred):
    """Log density of a hierarchy, context by context, as the formulas have it."""

    def scale(prior, log_value):
        return stats.norm.logpdf(log_value, np.log(prior.median), prior.sd).sum()

    total = scale(priors.tau, point["log_tau"]) + scale(priors.sigma_alpha, point["log_sigma_alpha"])
    tau, sigma_alpha = np.full(3, np.exp(point["log_tau"])), np.exp(point["log_sigma_alpha"])
    lapse, family = 0.0, stats.norm
    if priors.omega is not None:
        total += scale(priors.omega, point["log_omega"]) + stats.norm.logpdf(point["tau_z"]).sum()
        tau = tau * np.exp(np.exp(point["log_omega"]) * point["tau_z"])
    if priors.slope_df is not None:
        df = np.exp(point["slope_df_log__"])
        prior = stats.gamma(priors.slope_df.shape, scale=1 / priors.slope_df.rate)
        total += prior.logpdf(df) + np.log(df)
        family = stats.t(df)
    if priors.lapse is not None:
        lapse = expit(point["lapse_logodds__"])
        total += stats.beta(priors.lapse.a, priors.lapse.b).logpdf(lapse) + np.log(lapse * (1 - lapse))
    if "y" in data:
        total += scale(priors.noise, point["log_noise"])
    for s, raw in enumerate(_split(point["slope_raw"])):
        slopes = raw if centred else tau[s] * raw
        intercept = point["intercept_raw"][s] * (1 if centred else sigma_alpha)
        total += family.logpdf(slopes / tau[s]).sum() - centred * len(slopes) * np.log(tau[s])
        total += stats.norm.logpdf(intercept / sigma_alpha) - centred * np.log(sigma_alpha)
        for n in np.flatnonzero(data["context"] == s):
            eta = intercept + data["x"][n, : SIZES[s]] @ slopes
            if "s" in data:
                total += np.log(lapse / 2 + (1 - lapse) * expit(data["s"][n] * eta))
            else:
                # never below a thousandth
                given = stats.norm(eta, np.hypot(np.exp(point["log_noise"][s]), 1e-3))
                # the true logit is at or below y, is y, or is at or above it
                part = (given.logcdf, given.logpdf, given.logsf)[data["censored"][n] + 1]
                total += part(data["y"][n])
    return total


@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize(
    ("priors", "response"),
    [
        (POOLED, "choice"),
        (STUDENT, "choice"),
        (SPREAD, "choice"),
        (LAPSES, "choice"),
        (EVERYTHING, "choice"),
        (POOLED, "probability"),
    ],
    ids=["pooled", "student", "spread", "lapses", "everything", "probability"],
)
def test_pooled_is_what_its_formulas_say(priors, response, centred):
    data = _trials(response=response)
    build, values = specify_model(priors, response=response, centred=centred)
    log_density = _log_density(build, data | values)
    for seed in range(3):
        point = _point(priors, response, seed)
        assert log_density(point) == pytest.approx(_pooled_reference(priors, data, point, centred), rel=1e-9, abs=1e-7)


def test_twin_with_the_other_tail_is_caught():
    data = _trials(response="probability")
    build, values = specify_model(POOLED, response="probability", centred=False)
    log_density = _log_density(build, data | values)
    point, turned = _point(POOLED, "probability", 0), data | {"censored": -data["censored"]}
    assert abs(log_density(point) - _pooled_reference(POOLED, turned, point, False)) > 1


def test_gradients_far_in_the_tails():
    """Censored rows a thousand standard deviations off on either side."""
    build, values = specify_model(POOLED, response="probability")
    data = {"x": np.zeros((4, 1)), "context": np.zeros(4, dtype=int), "used": np.ones((1, 1), dtype=int)}
    data |= {"y": np.array([-500.0, 500.0, -500.0, 500.0]), "censored": np.array([-1, -1, 1, 1])}
    point = {name: np.zeros(1) for name in ("slope_raw", "intercept_raw")} | {"log_tau": 0.0, "log_sigma_alpha": 0.0}
    point |= {"log_noise": np.log([0.5])}
    gradient = _model(build, data | values).compile_dlogp(mode=_plain())(point)
    assert np.isfinite(gradient).all()
    # d/d(log noise) of log Phi(-1000) is z^2 + 1 to first order, from two rows; the other two are flat
    prior = -(np.log(0.5) - np.log(POOLED.noise.median)) / POOLED.noise.sd**2
    variance = 0.25 + 1e-6  # of which the floor has no part in the derivative
    assert gradient[-1] == pytest.approx(2 * (500.0**2 / variance + 1) * 0.25 / variance + prior, rel=1e-6)


def test_deterministics():
    data = _trials()
    build, values = specify_model(EVERYTHING)
    point = _point(EVERYTHING, "choice", 3)
    model = _model(build, data | values)
    names = [variable.name for variable in model.deterministics]
    outputs = model.replace_rvs_by_values(model.deterministics)
    evaluate = model.compile_fn(outputs, inputs=model.value_vars, mode=_plain(), on_unused_input="ignore")
    found = dict(zip(names, evaluate(point), strict=True))
    tau = np.exp(point["log_tau"] + np.exp(point["log_omega"]) * point["tau_z"])
    assert np.allclose(found["tau_context"], tau)
    assert np.allclose(found["intercept"], np.exp(point["log_sigma_alpha"]) * point["intercept_raw"])
    assert found["slope"].shape == (3, 4)
    for s, raw in enumerate(_split(point["slope_raw"])):
        assert np.allclose(found["slope"][s, : SIZES[s]], tau[s] * raw)
        assert not found["slope"][s, SIZES[s] :].any()


def test_draws_are_those_of_the_other_engine():
    rng = np.random.default_rng(5)
    context = np.repeat([0, 1], 40)
    x = rng.uniform(-1, 1, (80, 2))
    x -= np.array([x[context == s].mean(axis=0) for s in range(2)])[context]
    eta = np.array([0.5, -1.0])[context] + (x * np.array([[2.0, -1.0], [0.0, 3.0]])[context]).sum(axis=1)
    s = np.where(rng.random(80) < expit(eta), 1.0, -1.0)
    build, values = specify_model(ChoicePriors())
    data = {"x": x, "s": s, "context": context, "used": np.ones((2, 2), dtype=int)} | values
    found = sample_nuts(build, data, draws=2000, chains=2, tune=500, seed=3)
    density = ChoiceDensity(ChoiceLikelihood(x, s, np.array([0, 40, 80])), ChoicePriors())
    other = sample_laplace(density, 4000, [np.random.default_rng(i) for i in range(2)])
    nuts = np.concatenate([found.values["intercept"][..., None], found.values["slope"]], axis=-1)
    assert found.values["slope"].shape == (2, 2000, 2, 2)
    spread = other.draws.std(axis=1)
    error = spread * np.sqrt(1 / 1500 + 1 / other.ess.min())
    assert (np.abs(nuts.mean(axis=(0, 1)) - other.draws.mean(axis=1)) < 4.5 * error).all()
    assert np.allclose(nuts.std(axis=(0, 1)), spread, rtol=0.1)


@pytest.mark.parametrize(("priors", "response"), [(EVERYTHING, "choice"), (POOLED, "probability")])
def test_every_part_can_be_sampled(priors, response, capfd):
    build, values = specify_model(priors, response=response)
    found = sample_nuts(build, _trials(response=response) | values, draws=100, chains=1, tune=300, seed=3)
    expected = {"slope": (3, 4), "intercept": (3,), "tau": (), "sigma_alpha": ()}
    expected |= (
        {"noise": (3,)} if response == "probability" else {"omega": (), "tau_context": (3,), "lapse": (), "slope_df": ()}
    )
    assert {name: found.values[name].shape[2:] for name in expected} == expected
    assert all(np.isfinite(values).all() for values in found.values.values())
    assert found.values["tau"].std() > 0
    assert capfd.readouterr() == ("", "")


def test_builders_are_compiled_once_for_equal_models():
    first, second = (specify_model(PooledPriors(tau=LogNormal(median))) for median in (1.0, 2.0))
    assert (first[0].func, first[0].keywords) == (second[0].func, second[0].keywords)
    assert first[1]["log_tau_location"] != second[1]["log_tau_location"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (partial(build_unpooled, slopes="cauchy"), "slopes: expected one of 'normal', 'student'"),
        (partial(build_unpooled, intercept="flat"), "intercept"),
        (partial(build_pooled, slopes="laplace"), "slopes"),
        (partial(build_pooled, response="rating"), "response"),
        (partial(build_pooled, response="probability", lapses=True), "lapses: expected choices to lapse in"),
        (partial(specify_model, ChoicePriors(), response="probability"), "response: expected one of 'choice'"),
    ],
)
def test_arguments(call, message):
    with pytest.raises(ArgumentError, match=message):
        call()
