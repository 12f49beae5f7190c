"""Claim: intervals of the shares of rules are right (simulation-based calibration of `compare_rules`).

    python analyses/studies/rule_shares.py --replications 300 --jobs 2

Shares are drawn from their prior, Dirichlet(1, ..., 1), a rule for each of 30 scenarios from the shares, each rule's tau
and rate of lapses from theirs, slopes and intercepts from these, and 40 choices between options with four attributes;
rules are written out here once more. The true shares are ranked among the draws: ranks are uniform if the posterior is
right, but for the spread of intercepts, which `compare_rules` takes from the fit as if it were known. Rows go to
results/rule-shares.jsonl as they come; the table of all that is there goes to results/rule-shares.json.
"""

import argparse
import json
import warnings
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

RESULTS = Path(__file__).parent / "results"
RULES = ("additive", "ideal points", "interactions", "largest attribute", "lapse")
RATES = (0.05, 0.1, 0.2, 0.4)
N_SCENARIOS, N_TRIALS, N_ATTRIBUTES, DRAWS = 30, 40, 4, 2000


def list_predictors(rule, u, v):
    """Differences between options A and B, at u and v within -1/2..1/2, of what each rule looks at."""
    pairs = list(combinations(range(N_ATTRIBUTES), 2))
    columns = {
        "ideal points": 4.0 * (u**2 - v**2),
        "interactions": np.column_stack([4.0 * (u[:, i] * u[:, j] - v[:, i] * v[:, j]) for i, j in pairs]),
    }
    return np.hstack([u - v, columns[rule]]) if rule in columns else u - v


def decide(rule, tau, rate, sigma, u, v, rng):
    """Whether A is chosen in each trial."""
    predictors = list_predictors(rule, u, v)
    if rule == "largest attribute":
        predictors = predictors[:, [rng.integers(N_ATTRIBUTES)]]
    log_odds = rng.normal(0.0, sigma) + predictors @ rng.normal(0.0, tau, predictors.shape[1])
    chance = 1.0 / (1.0 + np.exp(-log_odds))
    if rule == "lapse":
        chance = rate / 2.0 + (1.0 - rate) * chance
    return rng.random(len(u)) < chance


def replicate(number):
    """Ranks of the true shares, between 0 and 1, and whether 95% HDIs hold them."""
    from selfinterp_stats import Decisions, SelfInterpWarning, compare_rules, fit_choices, make_scenarios

    rng = np.random.default_rng([number, 20261201])
    shares = rng.dirichlet(np.ones(len(RULES)))
    taus = 3.0 * np.exp(rng.standard_normal(len(RULES)))
    rate, sigma = rng.choice(RATES), 0.5 * np.exp(0.5 * rng.standard_normal())
    tables = []
    for s in range(N_SCENARIOS):
        r = rng.choice(len(RULES), p=shares)
        a, b = rng.random((2, N_TRIALS, N_ATTRIBUTES))
        chosen = np.where(decide(RULES[r], taus[r], rate, sigma, a - 0.5, b - 0.5, rng), "A", "B")
        values = {f"{side}_{k + 1}": x[:, k] for side, x in (("a", a), ("b", b)) for k in range(N_ATTRIBUTES)}
        labels = {"base_model": "m", "preferences": "native", "model": "m", "scenario": f"s{s:03d}"}
        trial = np.arange(N_TRIALS).astype(str)
        tables.append(pd.DataFrame({**labels, "trial": trial, "chosen": chosen, "p_a": np.nan, **values}))
    keys = [(f"s{s:03d}", f"a{k}", 0.0, 1.0) for s in range(N_SCENARIOS) for k in range(N_ATTRIBUTES)]
    scenarios = make_scenarios(pd.DataFrame(keys, columns=["scenario", "attribute", "low", "high"]))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", SelfInterpWarning)
        fit = fit_choices(Decisions(pd.concat(tables, ignore_index=True)), scenarios, draws=1000, seed=number)
        found = compare_rules(fit, draws=DRAWS)
    table = found.table.set_index("rule")
    row = {"warned": len(caught)}
    for r, rule in enumerate(RULES):
        row[rule] = float((found.values[r] < shares[r]).mean())
        row[f"held {rule}"] = bool(table.loc[rule, "share_hdi_low"] <= shares[r] <= table.loc[rule, "share_hdi_high"])
        row[f"width {rule}"] = float(table.loc[rule, "share_hdi_high"] - table.loc[rule, "share_hdi_low"])
    return row


def summarise(rows):
    """One row for each rule: uniformity of the ranks, coverage of equal-tailed intervals and of 95% HDIs, their width."""
    from scipy import stats

    frame, table = pd.DataFrame(rows), []
    for rule in RULES:
        ranks = frame[rule].to_numpy()
        row = {"rule": rule, "replications": len(ranks), "ks_p": stats.kstest(ranks, "uniform").pvalue}
        for prob in (0.5, 0.8, 0.95):
            row[f"cover_{prob:g}"] = float((np.abs(ranks - 0.5) < prob / 2).mean())
        row |= {"hdi_0.95": float(frame[f"held {rule}"].mean()), "hdi_width": float(frame[f"width {rule}"].mean())}
        table.append(row)
    return pd.DataFrame(table)


def main():
    """Run what is missing, and sum up."""
    from replication import add_arguments, run_replications

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser, replications=300, results=RESULTS / "rule-shares.jsonl")
    options = parser.parse_args()
    rows = run_replications(
        replicate,
        range(options.replications),
        results=options.results,
        settings={"scenarios": N_SCENARIOS, "trials": N_TRIALS, "attributes": N_ATTRIBUTES},
        jobs=options.jobs,
        cluster=options.cluster,
        patience=options.patience,
        label="rule shares",
    )
    table = summarise([row for row in rows if "error" not in row])
    print(table.round(3).to_string(index=False))
    (RESULTS / "rule-shares.json").write_text(json.dumps(table.to_dict("records"), indent=1) + "\n")


if __name__ == "__main__":
    main()
