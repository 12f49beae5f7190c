"""Claim: time grows as the number of scenarios, and 100,000 of them fit in 4 GiB.

    python analyses/benchmarks/scale.py [--sizes 1000 10000 100000] [--draws 200]

Simulated scenarios of five attributes with 50 trials each are fitted, without pooling and through the hierarchy, and
their weights summarised; each size in a process of its own, after one small fit that compiles. Recorded: seconds of the
fit and of the weights, the peak of the memory that the process held (simulated trials included), scenarios that did not
pass their checks, and the slope of log time on log size over the last two sizes. Draws are thinned to 200 for each
scenario, which take 1.2 GB for 100,000; each comes from 2,000 proposals or more all the same. Results:
analyses/benchmarks/results/.

These scenarios say enough of the hyperparameters. Where data do not (a spread of intercepts that may be zero, say),
every scenario may be given further proposals; these are kept in memory, and 100,000 would then take more of it.
"""

import argparse
import datetime
import json
import math
import os
import platform
import resource
import subprocess
import sys
import time
import warnings
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
N_ATTRIBUTES, N_TRIALS = 5, 50


def simulate(n_scenarios):
    """Decisions and scenarios; slopes with standard deviation 4, intercepts with 0.5."""
    import numpy as np
    import pandas as pd

    from selfinterp_stats import Decisions, make_scenarios

    rng = np.random.default_rng(1)
    names = np.array([f"s{i:06d}" for i in range(n_scenarios)])
    attributes = np.tile([f"a{k}" for k in range(N_ATTRIBUTES)], n_scenarios)
    frame = pd.DataFrame({"scenario": np.repeat(names, N_ATTRIBUTES), "attribute": attributes})
    scenarios = make_scenarios(frame.assign(low=0.0, high=1.0))
    n = n_scenarios * N_TRIALS
    columns = {"base_model": "m", "preferences": "native", "model": "m", "scenario": np.repeat(names, N_TRIALS)}
    columns |= {"trial": np.tile(np.arange(N_TRIALS).astype(str), n_scenarios), "chosen": "", "p_a": np.nan}
    eta = np.repeat(rng.normal(0, 0.5, n_scenarios), N_TRIALS)
    for k in range(N_ATTRIBUTES):
        columns[f"a_{k + 1}"], columns[f"b_{k + 1}"] = rng.random(n), rng.random(n)
        slopes = np.repeat(rng.normal(0, 4, n_scenarios), N_TRIALS)
        eta += slopes * (columns[f"a_{k + 1}"] - columns[f"b_{k + 1}"])
    columns["chosen"] = np.where(rng.random(n) < 1 / (1 + np.exp(-eta)), "A", "B")
    return Decisions(pd.DataFrame(columns)), scenarios


def fit_one(n_scenarios, pooling, draws):
    """Measure one fit, in this process."""
    from selfinterp_stats import SelfInterpWarning, fit_choices

    warnings.simplefilter("ignore", SelfInterpWarning)
    fit_choices(*simulate(20), pooling=pooling, draws=draws, seed=1)
    decisions, scenarios = simulate(n_scenarios)
    simulated = read_peak()
    started = time.perf_counter()
    fit = fit_choices(decisions, scenarios, pooling=pooling, draws=draws, seed=1)
    fitted = time.perf_counter()
    fit.weights()
    return {
        "pooling": pooling,
        "scenarios": n_scenarios,
        "seconds_fit": round(fitted - started, 1),
        "seconds_weights": round(time.perf_counter() - fitted, 1),
        "peak_gib": round(read_peak(), 2),
        "peak_gib_simulated": round(simulated, 2),
        "not_converged": int((~fit.contexts["converged"]).sum()),
        "smallest_ess": round(float(fit.contexts["ess"].min())),
        "samplers": {str(name): int(count) for name, count in fit.contexts["sampler"].value_counts().items()},
        "hyperparameters_converged": bool(fit.population["converged"].all()),
    }


def read_peak():
    """Largest resident size of this process so far, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main():
    """Measure every size in a new process, and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--one", nargs=2, metavar=("SIZE", "POOLING"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(fit_one(int(options.one[0]), options.one[1], options.draws)))
        return
    rows, growth = [], {}
    for pooling in ("none", "partial"):
        for size in options.sizes:
            command = [sys.executable, __file__, "--one", str(size), pooling, "--draws", str(options.draws)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            rows.append(json.loads(done.stdout))
            print(rows[-1], flush=True)
        before, last = rows[-2:] if len(options.sizes) > 1 else (rows[-1], rows[-1])
        if last["scenarios"] > before["scenarios"]:
            ratio = math.log(last["seconds_fit"] / before["seconds_fit"])
            growth[pooling] = round(ratio / math.log(last["scenarios"] / before["scenarios"]), 3)
    sizes = " ".join(map(str, options.sizes))
    result = {
        "command": f"python analyses/benchmarks/scale.py --sizes {sizes} --draws {options.draws}",
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end",
        "rows": rows,
        "growth": growth,
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"scale-{result['date']}.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
