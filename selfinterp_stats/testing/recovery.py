"""Does an estimator find the weights that an agent used?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from selfinterp_stats.agents import Decider, LogitDecider, find_used_weights
from selfinterp_stats.errors import ArgumentError, check_range, check_sequence
from selfinterp_stats.scenarios import draw_option_pairs, draw_weights, load_scenarios
from selfinterp_stats.seeding import check_seed, make_generator
from selfinterp_stats.tables import Scenarios
from selfinterp_stats.testing.estimators import Estimator, decide, normalise, take_draws

__all__ = ["Recovery", "assert_recovers"]

_SHOWN = 5


@dataclass(frozen=True)
class Recovery:
    """How well the weights were found.

    Attributes
    ----------
    table : pandas.DataFrame
        One row for each scenario-attribute: ``scenario, attribute, truth, estimate, sd, error``, in points.
    r : float
        Pearson's r of estimates with the truth.
    slope : float
        Slope of estimates on the truth; 1 where nothing is stretched or shrunken.
    rms_error : float
        Root mean square of the errors, in points.
    """

    table: pd.DataFrame
    r: float
    slope: float
    rms_error: float


def assert_recovers(
    estimator: Estimator,
    *,
    decider: Decider | None = None,
    scenarios: Scenarios | None = None,
    n_scenarios: int = 30,
    n_attributes: Sequence[int] = (5,),
    n_trials: int = 300,
    max_rms_error: float = 15.0,
    min_r: float = 0.95,
    seed: int = 1,
) -> Recovery:
    """Assert that an estimator finds the used weights of agents, up to a set error.

    Agents with weights drawn as in the published study decide in bundled scenarios, whose attributes have units and ranges
    of all sizes. Estimates are means of the weights normalised in every draw, -100 to 100.

    Parameters
    ----------
    estimator : callable
        From ``Decisions`` and ``Scenarios`` to draws of the slopes: a mapping from each scenario's name to an array of
        shape (draws, attributes), or an array like ``fit.draws["slope"]``.
    decider : Decider, optional
        How the agents decide; ``LogitDecider(8.0)``, where not given.
    scenarios : Scenarios, optional
        Where they decide; bundled ones with `n_attributes`, where not given.
    n_scenarios : int
        How many of the scenarios to use, from the first on.
    n_attributes : sequence of int
        Numbers of attributes that the bundled scenarios may have.
    n_trials : int
        Trials of each scenario.
    max_rms_error : float
        Largest root mean square error that passes, in points.
    min_r : float
        Smallest correlation with the truth that passes.
    seed : int
        Seed of weights, options and choices.

    Returns
    -------
    Recovery
        What was found, if it passes.

    Raises
    ------
    AssertionError
        If it does not, with what was off by how much.
    ArgumentError
        If the estimator returns something else than draws, or an argument has no usable value.

    Examples
    --------
    >>> from selfinterp_stats import fit_choices
    >>> recovery = assert_recovers(lambda decisions, scenarios: fit_choices(decisions, scenarios).draws["slope"])
    >>> recovery.r > 0.97
    True
    """
    check_seed(seed)
    check_sequence("n_attributes", n_attributes, "numbers")
    check_range("n_scenarios", n_scenarios, low=1, high=1_000_000, whole=True)
    check_range("max_rms_error", max_rms_error, low=0.0, high=200.0)
    check_range("min_r", min_r, low=-1.0, high=1.0)
    decider = LogitDecider(8.0) if decider is None else decider
    pool = load_scenarios(n_attributes=n_attributes) if scenarios is None else scenarios
    names = pool.names[:n_scenarios]
    if len(names) < n_scenarios and scenarios is None:
        raise ArgumentError(
            "n_scenarios",
            expected=f"at most {len(names)}, the bundled ones with {', '.join(map(str, n_attributes))} attributes",
            got=str(n_scenarios),
            remedy="allow other numbers of attributes or pass scenarios",
        )
    used = Scenarios(pool.frame[pool.frame["scenario"].isin(names)].reset_index(drop=True))
    sizes = list(used.n_attributes.values())
    driving = [draw_weights(k, make_generator(seed, "recovery", scenario=n))[0] for n, k in zip(names, sizes, strict=True)]
    rngs = [make_generator(seed, "recovery choices", scenario=name) for name in names]
    pairs = draw_option_pairs(used, n_trials=n_trials, purpose="recovery", seed=seed)
    draws = take_draws(estimator(decide(pairs, [decider] * len(names), driving, rngs), used), used)
    recovery = _compare(used, {n: find_used_weights(decider, w) for n, w in zip(names, driving, strict=True)}, draws)
    faults = _find_faults(recovery, max_rms_error, min_r)
    if faults:
        what = f"{len(names)} scenarios with {n_trials} trials each, decided by {decider}"
        raise AssertionError(f"the estimator does not recover the used weights ({what}):\n" + "\n".join(faults))
    return recovery


def _compare(scenarios: Scenarios, truth: dict[str, np.ndarray], draws: dict[str, np.ndarray]) -> Recovery:
    table = scenarios.frame[["scenario", "attribute"]].reset_index(drop=True)
    weights = {name: normalise(values) for name, values in draws.items()}
    # rows of a scenario need not stand together
    places = list(zip(scenarios.frame["scenario"], scenarios.frame["slot"] - 1, strict=True))
    table["truth"] = [float(truth[name][j]) for name, j in places]
    table["estimate"] = [float(weights[name][:, j].mean()) for name, j in places]
    table["sd"] = [float(weights[name][:, j].std()) for name, j in places]
    table["error"] = table["estimate"] - table["truth"]
    spread = table["truth"].var()
    return Recovery(
        table,
        r=float(table["estimate"].corr(table["truth"])) if table["estimate"].std() > 0 else 0.0,
        slope=float(table["estimate"].cov(table["truth"]) / spread) if spread > 0 else float("nan"),
        rms_error=float(np.sqrt(np.square(table["error"]).mean())),
    )


def _find_faults(recovery: Recovery, max_rms_error: float, min_r: float) -> list[str]:
    faults = []
    if not recovery.r >= min_r:  # not a number, where nothing was to be found
        faults.append(f"- r with the true weights is {recovery.r:.3f}, expected at least {min_r:g}{_explain(recovery)}")
    if not recovery.rms_error <= max_rms_error:
        faults.append(
            f"- rms error is {recovery.rms_error:.1f} points, expected at most {max_rms_error:g}; the slope of estimates "
            f"on the truth is {recovery.slope:.2f}"
        )
    if faults:
        worst = recovery.table.iloc[recovery.table["error"].abs().sort_values(ascending=False).index[:_SHOWN]]
        faults.append("- farthest off:\n" + worst.round(1).to_string(index=False))
    return faults


def _explain(recovery: Recovery) -> str:
    if recovery.r < -0.5:
        return ": the sign is turned round"
    within = recovery.table.groupby("scenario")[["truth", "estimate"]].corr().xs("truth", level=1)["estimate"]
    if abs(recovery.r) < 0.3:
        best = within.abs().mean()
        return f": estimates have little to do with the truth (mean |r| within scenarios {best:.2f}); are they shuffled?"
    return ""
