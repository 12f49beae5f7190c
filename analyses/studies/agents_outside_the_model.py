"""Claim: what the published choice model finds of agents that do not decide as it assumes.

    python analyses/studies/agents_outside_the_model.py

Agents of each kind decide in 150 bundled scenarios of five attributes; the model is fitted to every scenario by itself, as
in the published analysis. Printed, and written to results/agents-outside-the-model.json: correlation of the weights found
with those used, root mean square error, share of 95% HDIs that hold the used weight (all weights, and those that are not at
the bound), and the slope of found on used weights. Nothing is asserted: these are limits of a model, not faults of code.
"""

import json
import os
import platform
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from selfinterp_stats import Scenarios, fit_choices, load_scenarios, simulate_experiment
from selfinterp_stats.agents import (
    Agent,
    DeterministicDecider,
    IdealPointDecider,
    LapsingDecider,
    LexicographicDecider,
    LogitDecider,
    OneAttributeDecider,
)

RESULTS = Path(__file__).parent / "results" / "agents-outside-the-model.json"
DECIDERS = {
    "logit, consistency 1": LogitDecider(1.0),
    "logit, consistency 3": LogitDecider(3.0),
    "logit, consistency 6": LogitDecider(6.0),
    "logit, consistency 15": LogitDecider(15.0),
    "logit, consistency 6, place +2": LogitDecider(6.0, 2.0),
    "deterministic": DeterministicDecider(),
    "lapsing in 20%": LapsingDecider(LogitDecider(6.0), 0.2),
    "lapsing to A in 30%": LapsingDecider(LogitDecider(6.0), 0.3, 1.0),
    "one attribute": OneAttributeDecider(6.0),
    "ideal point at 0.8": IdealPointDecider(12.0, 0.8),
    "lexicographic": LexicographicDecider(0.1),
}
N_SCENARIOS = 150


def measure(decider, n_trials, scenarios):
    """One row of the table."""
    agent = Agent("m", decider, reporters={})
    experiment = simulate_experiment(scenarios, agents=[agent], n_instilled=0, n_trials=(n_trials, n_trials), seed=20)
    fit = fit_choices(experiment.archive.decisions, experiment.archive.scenarios, pooling="none", seed=1)
    table = fit.weights().table.merge(experiment.weights, on=["scenario", "slot"])
    used = table["used"]
    held = (table["hdi_low"] <= used) & (used <= table["hdi_high"])
    inner = used.abs() < 100
    plug_in = table.merge(fit.plug_in()[["scenario", "slot", "plug_in"]], on=["scenario", "slot"])["plug_in"]
    return {
        "trials": n_trials,
        "r": plug_in.corr(used),
        "rms_error": float(np.sqrt(np.square(plug_in - used).mean())),
        "slope": float(np.polyfit(used, plug_in, 1)[0]),
        "coverage": held.mean(),
        "coverage_inner": held[inner].mean() if inner.any() else float("nan"),
        "exact_sampler": int((fit.contexts["sampler"] == "slice").sum()),
    }


def main():
    """Measure all agents and write the table."""
    every = load_scenarios(n_attributes=[5])
    scenarios = Scenarios(every.frame[every.frame["scenario"].isin(every.names[:N_SCENARIOS])].reset_index(drop=True))
    started = time.perf_counter()
    rows = [
        {"agent": name, **measure(decider, n_trials, scenarios)}
        for name, decider in DECIDERS.items()
        for n_trials in (50, 100)
    ]
    table = pd.DataFrame(rows)
    print(table.round(3).to_string(index=False))
    result = {
        "command": "python analyses/studies/agents_outside_the_model.py",
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "scenarios": N_SCENARIOS,
        "seconds": round(time.perf_counter() - started, 1),
        "rows": json.loads(table.round(4).to_json(orient="records")),
    }
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
