"""How many effective draws a second the engines give, compared in one run on the same trials.

    python analyses/benchmarks/engines.py [--archive FOLDER] [--scenarios 100] [--bambi 10]

Trials are simulated, 50 in each scenario of five attributes by an agent of consistency 6; or, with --archive, those of the
first group of an archive. All engines get the same priors and give 4,000 draws. Measured, each after everything that
compiles has compiled:

- without pooling (the published model): laplace on all scenarios; a PyMC model compiled once by nutpie and given the trials
  of one scenario after another; and one Bambi model for each of a sample of scenarios, sampled by nutpie, compilation
  included, since each has to be compiled;
- with partial pooling: laplace, and the joint model of all scenarios in PyMC, compiled by nutpie.

The PyMC models are written out here, the way a user of nutpie would, for scenarios of one shape; the package's own nuts
engine takes any shapes after one compilation and pays for it by the call.

The figure compared is (smallest bulk effective size over all slopes) / (seconds a scenario). ArviZ's function counts it for
everybody, draws arranged as four chains. It does not see that draws of importance sampling repeat one another; so for
laplace the smaller of this and the effective size of its weights counts. Results go to analyses/benchmarks/results/.
"""

import argparse
import datetime
import json
import os
import platform
import time
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

from selfinterp_stats import (
    Decisions,
    Scenarios,
    SelfInterpWarning,
    fit_choices,
    load_scenarios,
    read_archive,
    simulate_experiment,
)
from selfinterp_stats.agents import Agent, LogitDecider

RESULTS = Path(__file__).parent / "results"
DRAWS, CHAINS = 4000, 4


def take_trials(archive, n_scenarios):
    """Decisions and scenarios of one group."""
    if archive is None:
        every = load_scenarios(n_attributes=[5])
        scenarios = Scenarios(every.frame[every.frame["scenario"].isin(every.names[:n_scenarios])].reset_index(drop=True))
        agent = Agent("m", LogitDecider(6.0), reporters={})
        experiment = simulate_experiment(scenarios, agents=[agent], n_instilled=0, n_trials=(50, 50), seed=1)
        return experiment.archive.decisions, scenarios
    data = read_archive(archive)
    frame = data.decisions.frame
    first = frame[["base_model", "preferences"]].iloc[0]
    own = frame[(frame["base_model"] == first["base_model"]) & (frame["preferences"] == first["preferences"])]
    own = own[own["scenario"].isin(sorted(own["scenario"].unique())[:n_scenarios])]
    return Decisions(own.reset_index(drop=True)), data.scenarios


def count_effective(draws):
    """Bulk effective size, (slopes, draws) to (slopes,)."""
    from arviz_stats.base import array_stats

    chains = draws.reshape(len(draws), CHAINS, -1)
    return np.asarray(array_stats.ess(chains, chain_axis=1, draw_axis=2, method="bulk"))


def measure_laplace(decisions, scenarios, pooling):
    """Row of the table for our engine; the median of five."""
    seconds = []
    for _ in range(6):  # the first compiles
        started = time.perf_counter()
        fit = fit_choices(decisions, scenarios, pooling=pooling, draws=DRAWS, seed=1)
        seconds.append(time.perf_counter() - started)
    bulk = count_effective(fit.slope_draws).min()
    row = describe(len(fit.contexts), float(np.median(seconds[1:])), min(bulk, fit.contexts["ess"].min()))
    passed = bool(fit.contexts["converged"].all() and fit.population["converged"].all())
    row |= {"bulk_ess": round(float(bulk)), "passed_all_checks": passed}
    if len(fit.population):
        # their draws come from a table whose own noise no effective size of draws would show
        known = np.square(fit.population_draws.std(axis=1) / fit.population["mcse"].to_numpy())
        row["hyperparameter_ess"] = round(float(min(count_effective(fit.population_draws).min(), known.min())))
    return row


def arrange(decisions, scenarios, names):
    """Predictors (scenarios, trials, attributes) and choices (scenarios, trials) of scenarios of one shape."""
    x, chosen = [], []
    for name in names:
        frame = decisions.frame[decisions.frame["scenario"] == name]
        declared = scenarios.frame[scenarios.frame["scenario"] == name].sort_values("slot")
        differences = [
            (frame[f"a_{slot}"] - frame[f"b_{slot}"]).to_numpy() / (high - low)
            for slot, low, high in declared[["slot", "low", "high"]].itertuples(index=False)
        ]
        x.append(np.stack(differences, axis=1))
        chosen.append((frame["chosen"] == "A").to_numpy(dtype=np.int64))
    return np.array(x), np.array(chosen)


def measure_fed(x, chosen):
    """Row for one PyMC model, compiled once, that is given each scenario."""
    import nutpie
    import pymc as pm

    with pm.Model() as model:
        data = pm.Data("x", x[0] - x[0].mean(axis=0)), pm.Data("chosen", chosen[0])
        slopes = pm.Normal("slope", 0, 1, shape=x.shape[2])
        intercept = pm.StudentT("intercept", nu=3, mu=0, sigma=2.5)
        pm.Bernoulli("choice", logit_p=intercept + data[0] @ slopes, observed=data[1])
    compiled = nutpie.compile_pymc_model(model)
    sample_nutpie(compiled)  # compiles what is compiled at the first use
    started, traces = time.perf_counter(), []
    for own_x, own_chosen in zip(x, chosen, strict=True):
        traces.append(sample_nutpie(compiled.with_data(x=own_x - own_x.mean(axis=0), chosen=own_chosen)))
    seconds = time.perf_counter() - started
    effective = [count_effective(spread_out(trace.posterior["slope"])).min() for trace in traces]
    return describe(len(x), seconds, min(effective))


def measure_joint(x, chosen):
    """Row for the hierarchical model of all scenarios in PyMC."""
    import nutpie
    import pymc as pm

    n_scenarios, n_trials, n_attributes = x.shape
    context = np.repeat(np.arange(n_scenarios), n_trials)
    with pm.Model() as model:
        tau = pm.LogNormal("tau", np.log(3), 1)
        sigma = pm.LogNormal("sigma_alpha", np.log(0.5), 1)
        slopes = pm.Deterministic("slope", tau * pm.Normal("z", 0, 1, shape=(n_scenarios, n_attributes)))
        intercepts = sigma * pm.Normal("u", 0, 1, shape=n_scenarios)
        eta = intercepts[context] + (x.reshape(-1, n_attributes) * slopes[context]).sum(axis=1)
        pm.Bernoulli("choice", logit_p=eta, observed=chosen.ravel())
    compiled = nutpie.compile_pymc_model(model)
    sample_nutpie(compiled, draws=20, tune=20)
    started = time.perf_counter()
    trace = sample_nutpie(compiled)
    seconds = time.perf_counter() - started
    bulk = count_effective(spread_out(trace.posterior["slope"])).min()
    hyperparameters = [count_effective(spread_out(trace.posterior[name])).min() for name in ("tau", "sigma_alpha")]
    return describe(n_scenarios, seconds, bulk) | {"hyperparameter_ess": round(float(min(hyperparameters)))}


def sample_nutpie(compiled, draws=DRAWS // CHAINS, tune=1000):
    """Draws by nutpie, with its defaults otherwise."""
    import nutpie

    return nutpie.sample(compiled, draws=draws, tune=tune, chains=CHAINS, seed=1, progress_bar=False)


def spread_out(variable):
    """(chain, draw, ...) to (values, chains * draws)."""
    values = variable.to_numpy()
    return values.reshape(values.shape[0] * values.shape[1], -1).T


def describe(n_scenarios, seconds, effective):
    """Figures of one engine."""
    a_scenario = seconds / n_scenarios
    return {
        "scenarios": n_scenarios,
        "seconds": round(seconds, 3),
        "seconds_a_scenario": round(a_scenario, 5),
        "effective_draws": round(float(effective)),
        "rate": round(float(effective) / a_scenario, 1),
    }


def measure_bambi(x, chosen):
    """Row for one Bambi model for each of some scenarios, compilation included."""
    import bambi

    seconds, effective = 0.0, []
    terms = [f"x{k + 1}" for k in range(x.shape[2])]
    for own_x, own_chosen in zip(x, chosen, strict=True):
        data = pd.DataFrame(own_x, columns=terms).assign(chosen=own_chosen)
        priors = {term: bambi.Prior("Normal", mu=0, sigma=1) for term in terms}
        priors["Intercept"] = bambi.Prior("StudentT", nu=3, mu=0, sigma=2.5)
        started = time.perf_counter()
        model = bambi.Model(f"chosen ~ {' + '.join(terms)}", data, family="bernoulli", priors=priors)
        fitted = model.fit(
            inference_method="nutpie", draws=DRAWS // CHAINS, tune=1000, chains=CHAINS, random_seed=1, progress_bar=False
        )
        seconds += time.perf_counter() - started
        draws = np.stack([fitted.posterior[term].to_numpy().ravel() for term in terms])
        effective.append(count_effective(draws).min())
    return describe(len(x), seconds, min(effective))


def main():
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--archive", type=Path, help="take the trials of an archive's first group")
    parser.add_argument("--scenarios", type=int, default=100, metavar="N")
    parser.add_argument("--bambi", type=int, default=10, metavar="N", help="scenarios that Bambi gets")
    options = parser.parse_args()
    warnings.simplefilter("ignore", SelfInterpWarning)
    decisions, scenarios = take_trials(options.archive, options.scenarios)
    names = sorted(decisions.frame["scenario"].unique())
    x, chosen = arrange(decisions, scenarios, names)
    step = max(1, len(names) // options.bambi)
    some = slice(0, step * options.bambi, step)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Bambi and what it builds on, at every model
        tasks = {
            "none, laplace": lambda: measure_laplace(decisions, scenarios, "none"),
            "none, PyMC compiled once and fed": lambda: measure_fed(x, chosen),
            f"none, one Bambi model each (a sample of {options.bambi})": lambda: measure_bambi(x[some], chosen[some]),
            "partial, laplace": lambda: measure_laplace(decisions, scenarios, "partial"),
            "partial, PyMC on the joint model": lambda: measure_joint(x, chosen),
        }
        rows = {}
        for name, task in tasks.items():
            rows[name] = task()
            print(name, rows[name], flush=True)
    flat, fed, bambi, pooled, joint = rows.values()
    ratios = {
        "laplace over PyMC compiled once and fed": flat["rate"] / fed["rate"],
        "laplace over one Bambi model each": flat["rate"] / bambi["rate"],
        "hierarchy: laplace over PyMC": pooled["rate"] / joint["rate"],
        "hierarchy, by bulk effective size alone": pooled["bulk_ess"]
        / pooled["effective_draws"]
        * pooled["rate"]
        / joint["rate"],
    }
    result = {
        "command": "python analyses/benchmarks/engines.py"
        + (f" --archive {options.archive.name}" if options.archive else "")
        + f" --scenarios {options.scenarios} --bambi {options.bambi}",
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end",
        "software": {name: version(name) for name in ("selfinterp-stats", "numba", "pymc", "nutpie", "bambi")},
        "draws": DRAWS,
        "rows": rows,
        "ratios": {name: round(ratio, 1) for name, ratio in ratios.items()},
    }
    print(json.dumps(result, indent=1))
    RESULTS.mkdir(exist_ok=True)
    kind = "simulated" if options.archive is None else options.archive.name
    (RESULTS / f"engines-{kind}-{result['date']}.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
