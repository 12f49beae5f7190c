"""Claim: intervals of the joint model of two conditions are right (simulation-based calibration of `compare_conditions`).

    python analyses/studies/conditions_calibration.py --replications 200 --jobs 2

Both conditions' tau, sigma_alpha and the correlations between them are drawn from their priors, slopes and intercepts of
eight scenarios from these, and 30 choices in each condition. Correlation and cosine between the true normalised weights of
these very scenarios are ranked among their draws, which are functions of the model's parameters alone, and the 95% HDIs of
the hyperparameters are to hold the true ones. Beside them the same correlation from two fits that know nothing of each
other, whose draws are paired at random: it is attenuated. Rows go to results/conditions.jsonl as they come, the table of
all that is there to results/conditions.json.
"""

import argparse
import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

RESULTS = Path(__file__).parent / "results"
N_SCENARIOS, N_TRIALS, N_ATTRIBUTES, DRAWS = 8, 30, 4, 1000
PARAMETERS = ("tau_a", "tau_b", "rho", "sigma_alpha_a", "sigma_alpha_b", "rho_alpha")


def draw_pair(scales, rho, size, rng):
    """Two variables with these standard deviations and this correlation, (2, size)."""
    first, second = rng.standard_normal((2, size))
    return np.stack([scales[0] * first, scales[1] * (rho * first + np.sqrt(1.0 - rho**2) * second)])


def normalise(slopes):
    """Slopes (scenarios, attributes) over the largest of each scenario, as one vector."""
    return (slopes / np.abs(slopes).max(axis=1, keepdims=True)).ravel()


def find_cosine(x, y):
    """Cosine of the angle between two vectors."""
    return float(x @ y / np.sqrt((x @ x) * (y @ y)))


def simulate(rng):
    """(decisions, scenarios, hyperparameters, true weights of both conditions)."""
    from selfinterp_stats import Decisions, make_scenarios

    tau, sigma = 3.0 * np.exp(rng.standard_normal(2)), 0.5 * np.exp(rng.standard_normal(2))
    rho, rho_alpha = rng.uniform(-1.0, 1.0, 2)
    truth = dict(zip(PARAMETERS, (*tau, rho, *sigma, rho_alpha), strict=True))
    slopes = draw_pair(tau, rho, N_SCENARIOS * N_ATTRIBUTES, rng).reshape(2, N_SCENARIOS, N_ATTRIBUTES)
    intercepts = draw_pair(sigma, rho_alpha, N_SCENARIOS, rng)
    tables = []
    for c, condition in enumerate(("off", "on")):
        for s in range(N_SCENARIOS):
            a, b = rng.random((2, N_TRIALS, N_ATTRIBUTES))
            log_odds = intercepts[c, s] + (a - b) @ slopes[c, s]
            chosen = np.where(rng.random(N_TRIALS) < 1.0 / (1.0 + np.exp(-log_odds)), "A", "B")
            values = {f"{side}_{k + 1}": x[:, k] for side, x in (("a", a), ("b", b)) for k in range(N_ATTRIBUTES)}
            labels = {"base_model": "m", "preferences": "native", "model": "m", "trigger": condition}
            labels |= {"scenario": f"s{s:03d}"}
            trial = [f"{condition}{t}" for t in range(N_TRIALS)]
            tables.append(pd.DataFrame({**labels, "trial": trial, "chosen": chosen, "p_a": np.nan, **values}))
    keys = [(f"s{s:03d}", f"a{k}", 0.0, 1.0) for s in range(N_SCENARIOS) for k in range(N_ATTRIBUTES)]
    scenarios = make_scenarios(pd.DataFrame(keys, columns=["scenario", "attribute", "low", "high"]))
    decisions = Decisions(pd.concat(tables, ignore_index=True), ("trigger",))
    return decisions, scenarios, truth, [normalise(part) for part in slopes]


def replicate(number):
    """Ranks between 0 and 1, and which intervals hold the truth."""
    from selfinterp_stats import SelfInterpWarning, compare_conditions, fit_choices

    rng = np.random.default_rng([number, 20261202])
    decisions, scenarios, truth, weights = simulate(rng)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", SelfInterpWarning)
        found = compare_conditions(decisions, scenarios, "trigger", draws=DRAWS, seed=number)
        apart = fit_choices(decisions, scenarios, by=("trigger",), draws=DRAWS, seed=number).weights().values
    exact = {"r": float(np.corrcoef(*weights)[0, 1]), "cosine": find_cosine(*weights)}
    row = {name: float((found.values[f"{name}_these"][0] < value).mean()) for name, value in exact.items()}
    pairs = apart.reshape(2, -1, DRAWS).transpose(2, 0, 1)
    row["r of separate fits"] = float((np.array([np.corrcoef(*pair)[0, 1] for pair in pairs]) < exact["r"]).mean())
    population = found.population.set_index("parameter")
    for name in PARAMETERS:
        low, high = population.loc[name, ["hdi_low", "hdi_high"]]
        row[f"held {name}"] = bool(low <= truth[name] <= high)
    return row | {"true_r": exact["r"], "true_rho": truth["rho"], "warned": len(caught)}


def summarise(rows):
    """Coverage and uniformity of what is ranked, and coverage of the hyperparameters' HDIs."""
    from scipy import stats

    frame, table = pd.DataFrame(rows), []
    for name in ("r", "cosine", "r of separate fits"):
        ranks = frame[name].to_numpy()
        row = {"quantity": name, "replications": len(ranks), "ks_p": float(stats.kstest(ranks, "uniform").pvalue)}
        for prob in (0.5, 0.8, 0.95):
            row[f"cover_{prob:g}"] = float((np.abs(ranks - 0.5) < prob / 2).mean())
        table.append(row)
    for name in PARAMETERS:
        table.append({"quantity": name, "replications": len(frame), "cover_0.95": float(frame[f"held {name}"].mean())})
    return pd.DataFrame(table)


def main():
    """Run what is missing, and sum up."""
    from replication import add_arguments, run_replications

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser, replications=200, results=RESULTS / "conditions.jsonl")
    options = parser.parse_args()
    rows = run_replications(
        replicate,
        range(options.replications),
        results=options.results,
        settings={"scenarios": N_SCENARIOS, "trials": N_TRIALS, "attributes": N_ATTRIBUTES},
        jobs=options.jobs,
        cluster=options.cluster,
        patience=options.patience,
        label="conditions",
    )
    table = summarise([row for row in rows if "error" not in row])
    print(table.round(3).to_string(index=False))
    (RESULTS / "conditions.json").write_text(json.dumps(table.to_dict("records"), indent=1) + "\n")


if __name__ == "__main__":
    main()
