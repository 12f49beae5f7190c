"""Claim: the laplace engine gives the posterior that the No-U-Turn sampler gives.

    python analyses/studies/agreement.py [--draws 40000] [--only NAME ...]

Both engines of the package fit the same simulated trials, at so many draws that nuts' smallest bulk and tail effective
sizes reach 10,000 where that can be had. Compared: posterior means of slopes and intercepts, in units of both engines'
Monte-Carlo errors together (root mean square near 1, none beyond 4.5), and the 5, 50 and 95% quantiles of normalised
weights and hyperparameters, in posterior standard deviations. Scenarios whose answers are separated know their slopes
by the prior's tail alone; of them only the normalised weights are judged. A weight that is pinned at 100 or -100 in
nearly all draws has no standard deviation to speak of; half a point stands in for less. Results:
results/agreement.json.
"""

import argparse
import json
import os
import platform
import time
import warnings
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from selfinterp_stats import SelfInterpWarning, fit_choices, make_decisions, make_scenarios

RESULTS = Path(__file__).parent / "results" / "agreement.json"
LEVELS = (0.05, 0.5, 0.95)
CASES = {
    "logit": {"sizes": [5] * 30, "n_trials": 50},
    "two to seven attributes": {"sizes": [2, 3, 5, 7] * 6, "n_trials": 50},
    "few trials": {"sizes": [4] * 12, "n_trials": 15},
    "deterministic": {"sizes": [4] * 12, "n_trials": 30, "deterministic": True},
    "no pooling": {"sizes": [5] * 10, "n_trials": 50, "pooling": "none"},
}


def simulate(sizes, n_trials, deterministic=False):
    """Decisions and scenarios: slopes with standard deviation 4, intercepts with 0.5."""
    rng = np.random.default_rng(7)
    rows, trials = [], []
    for i, k in enumerate(sizes):
        rows += [(f"s{i:03d}", f"a{j}", 0.0, 1.0) for j in range(k)]
        a, b = rng.random((2, n_trials, k))
        eta = rng.normal(0, 0.5) + (a - b) @ rng.normal(0, 4, k)
        chosen = eta > 0 if deterministic else rng.random(n_trials) < 1 / (1 + np.exp(-eta))
        for t in range(n_trials):
            trials += [(f"s{i:03d}", t, f"a{j}", a[t, j], b[t, j], "AB"[1 - chosen[t]]) for j in range(k)]
    scenarios = make_scenarios(pd.DataFrame(rows, columns=["scenario", "attribute", "low", "high"]))
    columns = ["scenario", "trial", "attribute", "a", "b", "chosen"]
    return make_decisions(pd.DataFrame(trials, columns=columns), scenarios), scenarios


def is_separated(fit, decisions, scenarios):
    """Whether answers of each context can be told apart without an error, by its own slopes (linear programming)."""
    from scipy.optimize import linprog

    separated = []
    for name in fit.contexts["scenario"]:
        frame = decisions.frame[decisions.frame["scenario"] == name]
        k = int((scenarios.frame["scenario"] == name).sum())
        x = np.column_stack([frame[f"a_{j + 1}"] - frame[f"b_{j + 1}"] for j in range(k)] + [np.ones(len(frame))])
        signed = x * np.where(frame["chosen"] == "A", 1.0, -1.0)[:, None]
        found = linprog(np.zeros(k + 1), A_ub=-signed, b_ub=-np.ones(len(signed)), bounds=(None, None))
        separated.append(found.status == 0)
    return np.array(separated)


def compare(name, draws):
    """One row of the results."""
    options = dict(CASES[name])
    pooling = options.pop("pooling", "partial")
    decisions, scenarios = simulate(**options)
    fits, seconds = {}, {}
    for inference in ("laplace", "nuts"):
        started = time.perf_counter()
        fits[inference] = fit_choices(decisions, scenarios, pooling=pooling, inference=inference, draws=draws, seed=3)
        seconds[inference] = round(time.perf_counter() - started, 1)
    fast, exact = fits["laplace"], fits["nuts"]
    separated = is_separated(exact, decisions, scenarios)
    own = ~separated[exact.slopes["context"].to_numpy()]
    z = standardise(fast.slope_draws, exact.slope_draws, fast.slopes["mcse"], exact.slopes["mcse"])[own]
    z_intercept = standardise(
        fast.intercept_draws, exact.intercept_draws, fast.contexts["intercept_mcse"], exact.contexts["intercept_mcse"]
    )[~separated]
    weights, reference = fast.weights().values, exact.weights().values
    row = {
        "case": name,
        "scenarios": len(exact.contexts),
        "separated": int(separated.sum()),
        "slopes_judged": len(z),
        "nuts_smallest_ess": round(float(exact.contexts["ess"].min())),
        "laplace_smallest_ess": round(float(fast.contexts["ess"].min())),
        "samplers": {str(k): int(v) for k, v in fast.contexts["sampler"].value_counts().items()},
        "slopes_z_rms": rms(z),
        "slopes_z_largest": largest(z),
        "intercepts_z_rms": rms(z_intercept),
        "intercepts_z_largest": largest(z_intercept),
        "weights_quantiles_largest_gap": find_gaps(weights, reference, smallest=0.5),
        "seconds": seconds,
    }
    if len(exact.population):
        row["hyperparameters_quantiles_largest_gap"] = find_gaps(fast.population_draws, exact.population_draws)
        row["hyperparameters_converged"] = bool(fast.population["converged"].all())
    return row


def standardise(values, reference, error, reference_error):
    """Differences of the means in Monte-Carlo errors of both."""
    return (values.mean(axis=1) - reference.mean(axis=1)) / np.hypot(error, reference_error).to_numpy()


def rms(z):
    """Root mean square, or None of nothing."""
    return round(float(np.sqrt(np.mean(z**2))), 3) if len(z) else None


def largest(z):
    """Largest absolute value, or None of nothing."""
    return round(float(np.abs(z).max()), 2) if len(z) else None


def find_gaps(values, reference, smallest=0.0):
    """Largest difference of each quantile, in standard deviations."""
    spread = np.maximum(reference.std(axis=1), smallest)
    gaps = [np.quantile(values, level, axis=1) - np.quantile(reference, level, axis=1) for level in LEVELS]
    return {f"{level:g}": round(float((np.abs(gap) / spread).max()), 3) for level, gap in zip(LEVELS, gaps, strict=True)}


def main():
    """Compare and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=40_000)
    parser.add_argument("--only", nargs="+", choices=list(CASES), default=list(CASES), metavar="NAME")
    options = parser.parse_args()
    warnings.simplefilter("ignore", SelfInterpWarning)
    rows = []
    for name in options.only:
        rows.append(compare(name, options.draws))
        print(json.dumps(rows[-1]), flush=True)
    result = {
        "command": f"python analyses/studies/agreement.py --draws {options.draws}",
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "rows": rows,
    }
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
