"""The choice models in PyMC, for the sampler that faster engines are held against.

The builders share no code with the densities of those engines. They take arguments that say which model; all else is data,
the parameters of priors too, so that neither other trials nor other priors need compiling.

Data of every model, for N trials of S contexts of up to K attributes:

``x``, (N, K)
    Predictors; 0 where the context has no such attribute.
``context``, (N,)
    Context of each trial, 0 to S - 1.
``used``, (S, K)
    1 where the context has the attribute, and 0 elsewhere. Only slopes in use are parameters; the others are 0.
``s``, (N,)
    Choices, +1 for A and -1 for B. Or, where the response is a probability:
``y``, ``censored``, (N,)
    Logit of the probability of A, and whether the true logit is at or below it (-1), is it (0), or is at or above it
    (+1), as where a probability was rounded to 0 or 1.

The logit is ``intercept[context] + sum_k x[:, k] * slope[context, k]``. Every model has the deterministics ``slope``,
(S, K), and ``intercept``, (S,), in log odds.
"""

from __future__ import annotations

from functools import partial
from math import log, pi
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from selfinterp_stats.choice.density import SMALLEST_NOISE
from selfinterp_stats.choice.priors import ChoicePriors, Normal, PooledPriors
from selfinterp_stats.engines.nuts import load_pymc
from selfinterp_stats.errors import ArgumentError, check_choice

if TYPE_CHECKING:
    from collections.abc import Callable

    import pymc as pm

__all__ = ["build_paired", "build_pooled", "build_unpooled", "specify_model"]


def specify_model(
    priors: ChoicePriors | PooledPriors, *, response: str = "choice", centred: bool | None = None
) -> tuple[Callable[[], pm.Model], dict[str, NDArray[np.float64]]]:
    """Builder of the model that has these priors, and their parameters as data.

    Parameters
    ----------
    priors : ChoicePriors or PooledPriors
        Of the model without pooling, or with it.
    response : {"choice", "probability"}
        As for :func:`build_pooled`; without pooling there are choices only.
    centred : bool, optional
        As for :func:`build_pooled`; by default where the response is a probability.

    Returns
    -------
    build : callable
        Gives the model, and takes no arguments.
    data : dict of str to numpy.ndarray
        Scalars, to be joined with the trials.

    Examples
    --------
    >>> from selfinterp_stats import PAPER_PRIORS
    >>> build, data = specify_model(PAPER_PRIORS)
    >>> sorted(data)
    ['intercept_df', 'intercept_location', 'intercept_scale', 'slope_location', 'slope_scale']
    """
    values: dict[str, float] = {}
    if isinstance(priors, ChoicePriors):
        check_choice("response", response, ("choice",))
        families = []
        for name, prior in (("slope", priors.slopes), ("intercept", priors.intercept)):
            families.append("normal" if isinstance(prior, Normal) else "student")
            if isinstance(prior, Normal):
                values |= {f"{name}_location": prior.mean, f"{name}_scale": prior.sd}
            else:
                values |= {f"{name}_df": prior.df, f"{name}_location": prior.location, f"{name}_scale": prior.scale}
        build = partial(build_unpooled, *families)
    else:
        scales = {"tau": priors.tau, "sigma_alpha": priors.sigma_alpha, "omega": priors.omega}
        scales |= {"noise": priors.noise if response == "probability" else None}
        for name, scale in scales.items():
            if scale is not None:
                values |= {f"log_{name}_location": log(scale.median), f"log_{name}_sd": scale.sd}
        if priors.slope_df is not None:
            values |= {"slope_df_shape": priors.slope_df.shape, "slope_df_rate": priors.slope_df.rate}
        if priors.lapse is not None:
            values |= {"lapse_a": priors.lapse.a, "lapse_b": priors.lapse.b}
        build = partial(
            build_pooled,
            centred=response == "probability" if centred is None else centred,
            slopes="normal" if priors.slope_df is None else "student",
            spread=priors.omega is not None,
            lapses=priors.lapse is not None,
            response=response,
        )
    return build, {name: np.asarray(value, dtype=np.float64) for name, value in values.items()}


def build_unpooled(slopes: str = "normal", intercept: str = "student") -> pm.Model:
    """Every context by itself.

    Predictors are to be centred within each context: the prior of the intercept is one at centred predictors, and so is the
    intercept itself.

    Parameters
    ----------
    slopes, intercept : {"normal", "student"}
        Families of the priors. Their parameters are the data ``slope_location`` and ``slope_scale``,
        ``intercept_location`` and ``intercept_scale``, and for a Student-t ``slope_df`` or ``intercept_df``.

    Returns
    -------
    pymc.Model
        With ``slope`` and ``intercept``.
    """
    check_choice("slopes", slopes, ("normal", "student"))
    check_choice("intercept", intercept, ("normal", "student"))
    pm = load_pymc()
    with pm.Model() as model:
        data = _declare(pm, "choice")
        values = _draw_family(pm, "slope", slopes, data["used"].sum())
        coefficients = pm.Deterministic("slope", _place(pm, values, data["used"]))
        constants = _draw_family(pm, "intercept", intercept, data["used"].shape[0])
        pm.Deterministic("intercept", constants)
        eta = _predict(data, constants, coefficients)
        pm.Potential("log_likelihood", _log_sigmoid(pm, data["s"] * eta).sum())
    return model


def build_pooled(
    *,
    centred: bool = False,
    slopes: str = "normal",
    spread: bool = False,
    lapses: bool = False,
    response: str = "choice",
) -> pm.Model:
    """Contexts that share the spread of their slopes and that of their intercepts. ::

        slope_sk ~ Normal(0, tau),               log tau ~ Normal
        intercept_s ~ Normal(0, sigma_alpha),    log sigma_alpha ~ Normal

    Predictors are not centred: the intercept is that between equal options. Parameters of the priors are data, for the
    normal ones ``log_tau_location``, ``log_tau_sd`` and so on.

    Parameters
    ----------
    centred : bool
        Sample slopes and intercepts themselves, not their ratio to their spread. The posterior is the same; the sampler
        finds it sooner if data leave little doubt about each slope, as probabilities do or some hundreds of choices in
        each context, and not at all if choices are deterministic.
    slopes : {"normal", "student"}
        ``student``: slope_sk ~ Student-t(slope_df, 0, tau), slope_df ~ Gamma(``slope_df_shape``, ``slope_df_rate``);
        Gamma(2, 0.1) is that of [1]_.
    spread : bool
        Spreads differ: slope_sk ~ Normal(0, tau_s), tau_s = tau * exp(omega * z_s), z_s ~ Normal(0, 1), log omega ~ Normal.
    lapses : bool
        A share of the choices is a coin toss: P(A) = lapse / 2 + (1 - lapse) * sigmoid(logit), lapse ~ Beta(``lapse_a``,
        ``lapse_b``). All contexts share it: lapses come from the decider and from how it was asked, and within a context
        some tens of choices do not tell them from smaller slopes.
    response : {"choice", "probability"}
        ``probability``: y ~ Normal(logit, noise_s), log noise_s ~ Normal, and tail probabilities where y is censored.

    Returns
    -------
    pymc.Model
        With ``slope``, ``intercept``, ``tau``, ``sigma_alpha`` and, if they are part of it, ``slope_df``, ``omega``,
        ``tau_context``, (S,), ``lapse`` and ``noise``, (S,).

    References
    ----------
    .. [1] Juárez and Steel (2010), "Model-based clustering of non-Gaussian panel data based on skew-t distributions",
       Journal of Business & Economic Statistics 28.
    """
    check_choice("slopes", slopes, ("normal", "student"))
    check_choice("response", response, ("choice", "probability"))
    if lapses and response == "probability":
        raise ArgumentError(
            "lapses", expected="choices to lapse in", got="probabilities", remedy="leave lapses out of the model"
        )
    pm = load_pymc()
    import pytensor.tensor as pt

    with pm.Model() as model:
        data = _declare(pm, response)
        used = data["used"]
        n_contexts, n_slopes = used.shape[0], used.sum()
        tau = pm.Deterministic("tau", pt.exp(_draw_log(pm, "log_tau")))
        sigma_alpha = pm.Deterministic("sigma_alpha", pt.exp(_draw_log(pm, "log_sigma_alpha")))
        scale = tau
        if spread:
            omega = pm.Deterministic("omega", pt.exp(_draw_log(pm, "log_omega")))
            by_context = tau * pt.exp(omega * pm.Normal("tau_z", 0.0, 1.0, shape=(n_contexts,)))
            pm.Deterministic("tau_context", by_context)
            scale = by_context[used.nonzero()[0]]
        family = partial(pm.Normal, mu=0.0)
        if slopes == "student":
            df = pm.Gamma("slope_df", alpha=pm.Data("slope_df_shape", 2.0), beta=pm.Data("slope_df_rate", 0.1))
            family = partial(pm.StudentT, nu=df, mu=0.0)
        values = _draw_scaled(family, "slope_raw", scale, n_slopes, centred)
        coefficients = pm.Deterministic("slope", _place(pm, values, used))
        constants = _draw_scaled(partial(pm.Normal, mu=0.0), "intercept_raw", sigma_alpha, n_contexts, centred)
        pm.Deterministic("intercept", constants)
        eta = _predict(data, constants, coefficients)
        if response == "probability":
            log_noise = _draw_log(pm, "log_noise", shape=(n_contexts,))
            pm.Deterministic("noise", pt.exp(log_noise))
            likelihood = _log_censored_normal(data, eta, log_noise[data["context"]])
        else:
            likelihood = _log_sigmoid(pm, data["s"] * eta)
        if lapses:
            lapse = pm.Beta("lapse", alpha=pm.Data("lapse_a", 1.0), beta=pm.Data("lapse_b", 19.0))
            likelihood = pt.logaddexp(pt.log(lapse / 2), pt.log1p(-lapse) + likelihood)
        pm.Potential("log_likelihood", likelihood.sum())
    return model


def build_paired() -> pm.Model:
    """Contexts of two conditions, those of the first and then, in the same order, those of the second.

    The i-th slope of both conditions is bivariate normal with standard deviations ``tau``, (2,), and correlation ``rho``,
    intercepts likewise with ``sigma_alpha`` and ``rho_alpha``; correlations are uniform in -1..1. Choices only.

    Returns
    -------
    pymc.Model
        With ``slope``, ``intercept``, ``tau``, ``sigma_alpha``, ``rho`` and ``rho_alpha``.
    """
    pm = load_pymc()
    import pytensor.tensor as pt

    with pm.Model() as model:
        data = _declare(pm, "choice")
        used = data["used"]
        n_contexts, n_slopes = used.shape[0], used.sum()

        def draw(name: str, scale_name: str, correlation: str, size: Any) -> Any:
            scale = pm.Deterministic(scale_name, pt.exp(_draw_log(pm, f"log_{scale_name}", shape=(2,))))
            r = pm.Uniform(correlation, -1.0, 1.0)
            z = pm.Normal(f"{name}_raw", 0.0, 1.0, shape=(size,))
            half = size // 2
            return pt.concatenate([scale[0] * z[:half], scale[1] * (r * z[:half] + pt.sqrt(1.0 - r**2) * z[half:])])

        coefficients = pm.Deterministic("slope", _place(pm, draw("slope", "tau", "rho", n_slopes), used))
        constants = pm.Deterministic("intercept", draw("intercept", "sigma_alpha", "rho_alpha", n_contexts))
        pm.Potential("log_likelihood", _log_sigmoid(pm, data["s"] * _predict(data, constants, coefficients)).sum())
    return model


def _declare(pm: Any, response: str) -> dict[str, Any]:
    """Containers of the trials, with one trial that others replace."""
    first = {"x": np.zeros((1, 1)), "context": np.zeros(1, dtype=np.int64), "used": np.ones((1, 1), dtype=np.int64)}
    if response == "choice":
        first |= {"s": np.ones(1)}
    else:
        first |= {"y": np.zeros(1), "censored": np.zeros(1, dtype=np.int64)}
    return {name: pm.Data(name, value) for name, value in first.items()}


def _draw_log(pm: Any, name: str, shape: tuple[Any, ...] = ()) -> Any:
    return pm.Normal(name, pm.Data(f"{name}_location", 0.0), pm.Data(f"{name}_sd", 1.0), shape=shape)


def _draw_family(pm: Any, name: str, family: str, size: Any) -> Any:
    location, scale = pm.Data(f"{name}_location", 0.0), pm.Data(f"{name}_scale", 1.0)
    if family == "normal":
        return pm.Normal(f"{name}_raw", mu=location, sigma=scale, shape=(size,))
    return pm.StudentT(f"{name}_raw", nu=pm.Data(f"{name}_df", 3.0), mu=location, sigma=scale, shape=(size,))


def _draw_scaled(family: Callable[..., Any], name: str, scale: Any, size: Any, centred: bool) -> Any:
    """Variables of a family with mean 0; where not centred, the family's own scale is 1."""
    if centred:
        return family(name, sigma=scale, shape=(size,))
    return scale * family(name, sigma=1.0, shape=(size,))


def _place(pm: Any, values: Any, used: Any) -> Any:
    """Slopes in use, row after row, as (S, K) with 0 elsewhere."""
    math = pm.math
    position = math.maximum(used.ravel().cumsum() - 1, 0)
    return (used.ravel() * values[position]).reshape(used.shape)


def _predict(data: dict[str, Any], intercept: Any, slope: Any) -> Any:
    import pytensor.tensor as pt

    x, context = data["x"], data["context"]
    # numba gathers single numbers, and adds up their gradients, in two thirds of the time that it takes for rows
    flat = (context[:, None] * x.shape[1] + pt.arange(x.shape[1])).ravel()
    return intercept[context] + (x * slope.ravel()[flat].reshape(x.shape)).sum(axis=1)


def _log_sigmoid(pm: Any, z: Any) -> Any:
    # half the time of Bernoulli(logit_p=...), which checks probabilities and evaluates both outcomes
    return 0.5 * (z - abs(z)) - pm.math.log1pexp(-abs(z))


def _log_censored_normal(data: dict[str, Any], eta: Any, log_noise: Any) -> Any:
    import pytensor.tensor as pt

    censored = data["censored"]
    log_sd = 0.5 * pt.log(pt.exp(2.0 * log_noise) + SMALLEST_NOISE**2)
    z = (data["y"] - eta) * pt.exp(-log_sd)
    exact = -0.5 * (z**2 + log(2 * pi)) - log_sd
    # the true logit is at or below y: Phi(z); at or above: Phi(-z)
    return pt.where(pt.eq(censored, 0), exact, _log_normal_cdf(-pt.sign(censored) * z))


def _log_normal_cdf(z: Any) -> Any:
    import pytensor.tensor as pt

    # each branch sees only arguments that it is accurate for: gradients of the one not chosen would be infinite times zero
    low, high = pt.minimum(z, -1.0), pt.maximum(z, -1.0)
    left = pt.log(pt.erfcx(-low / 2**0.5) / 2) - 0.5 * low**2
    return pt.where(z < -1.0, left, pt.log1p(-0.5 * pt.erfc(high / 2**0.5)))
