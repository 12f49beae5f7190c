"""Claim: intervals of normalised weights hold the weights that an agent used, and how often where it is not as assumed.

    python analyses/studies/interval_coverage.py --replications 1440 --jobs 2

Agents of several kinds decide 25, 50, 100 or 200 times in each of 40 scenarios of five attributes; both models, partial
pooling and the published one, are fitted to the same trials. Counted: true normalised weights inside highest-density
intervals of probability 0.5, 0.8 and 0.95, all of them and those that are not the scenario's largest, and how wide the
latter are. A replication is one agent at one number of trials; 36 make one round of all. Weights of a scenario share a
normalisation and those of a replication its hyperparameters, so errors of the shares are taken over replications.

"from the prior": slopes and position bias with scales drawn anew from partial pooling's priors in every replication;
there 95% intervals of all weights are close to exact. (A weight is 100 or -100 with some probability, and an interval
that ends there holds it whole, so that narrower ones hold more than they say; and which weights are not the largest is
not known to who makes the interval.) Everybody else has uniform weights, divided by the largest, and does not share
partial pooling's assumption of normal slopes. What comes out stands in results/interval-coverage.json.
"""

import argparse
import json
import os
import platform
import warnings
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

RESULTS = Path(__file__).parent / "results"
N_SCENARIOS, N_ATTRIBUTES = 40, 5
TRIALS = (25, 50, 100, 200)
PROBABILITIES = (0.5, 0.8, 0.95)
MODELS = {"partial": "partial", "paper": "none"}
AGENTS = (
    "from the prior",
    "consistency 1",
    "consistency 3",
    "consistency 6",
    "consistency 10",
    "deterministic",
    "lapsing in 10%",
    "lapsing in 25%",
    "place +2",
)
CELLS = [(agent, trials) for agent in AGENTS for trials in TRIALS]


def make_deciders(agent, weights, rng):
    """One decider for each scenario, and the weights that they use, (scenarios, attributes)."""
    from selfinterp_stats.agents import DeterministicDecider, LapsingDecider, LogitDecider

    if agent == "from the prior":
        tau, sigma = 3.0 * np.exp(rng.standard_normal()), 0.5 * np.exp(rng.standard_normal())
        slopes = tau * rng.standard_normal(weights.shape)
        largest = np.abs(slopes).max(axis=1)
        biases = sigma * rng.standard_normal(len(slopes))
        deciders = [LogitDecider(size, bias) for size, bias in zip(largest, biases, strict=True)]
        return deciders, 100.0 * (slopes / largest[:, None])
    kinds = {
        "consistency 1": LogitDecider(1.0),
        "consistency 3": LogitDecider(3.0),
        "consistency 6": LogitDecider(6.0),
        "consistency 10": LogitDecider(10.0),
        "deterministic": DeterministicDecider(),
        "lapsing in 10%": LapsingDecider(LogitDecider(6.0), 0.1),
        "lapsing in 25%": LapsingDecider(LogitDecider(6.0), 0.25),
        "place +2": LogitDecider(6.0, 2.0),
    }
    return [kinds[agent]] * len(weights), weights


def simulate(agent, n_trials, rng):
    """(decisions, scenarios, true normalised weights) of one replication."""
    from selfinterp_stats import Decisions, make_scenarios

    weights = rng.uniform(-1.0, 1.0, (N_SCENARIOS, N_ATTRIBUTES))
    weights = 100.0 * (weights / np.abs(weights).max(axis=1, keepdims=True))  # the quotient first: the largest is 100 then
    deciders, weights = make_deciders(agent, weights, rng)
    a, b = rng.random((2, N_SCENARIOS, n_trials, N_ATTRIBUTES))
    p_a = np.array([decider.probability_of_a(*options) for decider, *options in zip(deciders, a, b, weights, strict=True)])
    chosen = np.where(rng.random(p_a.shape) < p_a, "A", "B")
    names = [f"s{i:03d}" for i in range(N_SCENARIOS)]
    keys = [(name, f"a{k}") for name in names for k in range(N_ATTRIBUTES)]
    scenarios = make_scenarios(pd.DataFrame(keys, columns=["scenario", "attribute"]).assign(low=0.0, high=1.0))
    values = {f"{side}_{k + 1}": v[:, :, k].ravel() for side, v in (("a", a), ("b", b)) for k in range(N_ATTRIBUTES)}
    frame = pd.DataFrame(
        {
            "base_model": "m",
            "preferences": "native",
            "model": "m",
            "scenario": np.repeat(names, n_trials),
            "trial": np.tile(np.arange(n_trials), N_SCENARIOS).astype(str),
            "chosen": chosen.ravel(),
            "p_a": np.nan,
            **values,
        }
    )
    return Decisions(frame), scenarios, weights.ravel()


def replicate(number):
    """Shares of weights inside their intervals, and the intervals' widths, for both models."""
    from selfinterp_stats import SelfInterpWarning, find_hdi, fit_choices

    warnings.simplefilter("ignore", SelfInterpWarning)  # what did not pass its checks is counted
    agent, n_trials = CELLS[number % len(CELLS)]
    decisions, scenarios, truth = simulate(agent, n_trials, np.random.default_rng([number, 20261130]))
    inner = np.abs(truth) < 100.0
    row = {"agent": agent, "trials": n_trials}
    for name, pooling in MODELS.items():
        fit = fit_choices(decisions, scenarios, pooling=pooling, draws=2000, seed=number)
        values = fit.weights().values
        for prob in PROBABILITIES:
            low, high = find_hdi(values, prob)
            held = (low <= truth) & (truth <= high)
            row |= {f"{name}_{prob:g}": held.mean(), f"{name}_inner_{prob:g}": held[inner].mean()}
        failed = (~fit.contexts["converged"]).sum() + (~fit.population["converged"]).sum()
        row |= {f"{name}_width": (high - low)[inner].mean(), f"{name}_failed": failed}
    return {key: value if isinstance(value, str) else round(float(value), 5) for key, value in row.items()}


def summarise(rows):
    """One row for each agent and number of trials: means over replications, and the standard error of the main share."""
    frame = pd.DataFrame(rows).drop(columns="number")
    table = frame.groupby(["agent", "trials"]).mean().reset_index()
    groups = frame.groupby(["agent", "trials"])
    table["replications"] = groups.size().to_numpy()
    for name in MODELS:
        table[f"{name}_0.95_se"] = (groups[f"{name}_0.95"].std() / np.sqrt(groups.size())).to_numpy()
    order = {agent: i for i, agent in enumerate(AGENTS)}
    return table.sort_values(["agent", "trials"], key=lambda s: s.map(order) if s.name == "agent" else s, ignore_index=True)


def draw_figure(table, path):
    """Coverage of 95% intervals, and their widths, over the number of trials: a panel for each agent."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    colours = {"partial": "C0", "paper": "C1"}
    labels = {"partial": "partial pooling", "paper": "published model"}
    figure, axes = plt.subplots(
        2, len(AGENTS), figsize=(1.75 * len(AGENTS), 4.4), sharex=True, sharey="row", layout="constrained"
    )
    for column, agent in enumerate(AGENTS):
        rows = table[table["agent"] == agent]
        for name, colour in colours.items():
            coverage, error = rows[f"{name}_0.95"], 1.96 * rows[f"{name}_0.95_se"]
            axes[0, column].errorbar(
                rows["trials"], coverage, error, color=colour, marker="o", markersize=3, label=labels[name]
            )
            axes[1, column].plot(rows["trials"], rows[f"{name}_width"], color=colour, marker="o", markersize=3)
        axes[0, column].axhline(0.95, color="0.5", linewidth=0.8)
        axes[0, column].set_title(agent, fontsize=9)
        axes[1, column].set(xscale="log", xlabel="trials", xlim=(TRIALS[0] / 1.3, TRIALS[-1] * 1.3))
        axes[1, column].set_xticks(TRIALS, [str(t) for t in TRIALS])
        axes[1, column].minorticks_off()
    axes[1, 0].set_ylim(0, 1.05 * max(table[f"{name}_width"].max() for name in MODELS))
    axes[0, 0].set_ylabel("share of weights inside 95% HDIs", fontsize=8)
    axes[1, 0].set_ylabel("mean width of these HDIs, points", fontsize=8)
    axes[0, -1].legend(fontsize=7, loc="lower right")
    for axis in axes.flat:
        axis.tick_params(labelsize=7)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def main():
    """Run what is missing, and sum up."""
    from replication import add_arguments, run_replications

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser, replications=40 * len(CELLS), results=RESULTS / "interval-coverage.jsonl")
    options = parser.parse_args()
    rows = run_replications(
        replicate,
        range(options.replications),
        results=options.results,
        settings={"n_scenarios": N_SCENARIOS, "n_attributes": N_ATTRIBUTES},
        jobs=options.jobs,
        cluster=options.cluster,
        patience=options.patience,
        label="coverage",
    )
    table = summarise([row for row in rows if "error" not in row])
    columns = [
        "agent",
        "trials",
        "replications",
        "partial_0.95",
        "partial_0.95_se",
        "paper_0.95",
        "partial_width",
        "paper_width",
    ]
    print(table[columns].round(3).to_string(index=False))
    result = {
        "command": f"python analyses/studies/interval_coverage.py --replications {options.replications}",
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "rows": json.loads(table.round(4).to_json(orient="records")),
    }
    options.results.with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n")
    draw_figure(table, options.results.with_suffix(".png"))


if __name__ == "__main__":
    main()
