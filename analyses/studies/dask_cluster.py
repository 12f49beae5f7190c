"""Claim: a study runs unchanged on a Dask cluster, outlives the loss of a worker, and gives the same rows.

    pip install dask distributed
    python analyses/studies/dask_cluster.py

A small study, 60 fits of simulated decisions, is run by its command line twice: in two processes, and on a cluster of a
scheduler and two workers that this script starts on the loopback interface. Once a third of the rows are there, one worker
and the process that would restart it are killed. Both files of rows are compared, all digits; what was seen is printed and
written to results/dask-cluster.json. Run with the arguments of a study, this script is that study.
"""

import argparse
import contextlib
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from replication import add_arguments, run_replications

RESULTS = Path(__file__).parent / "results" / "dask-cluster.json"
N_REPLICATIONS = 60
N_SCENARIOS = 12
N_TRIALS = 50
LIMIT = 120  # seconds for each of the two runs
OF_A_PLACE = ("process", "cluster")  # what a row says of where it was computed


def replicate(number):
    """One simulated agent, and how far the weights found are from those it used."""
    import numba

    from selfinterp_stats import Scenarios, fit_choices, load_scenarios, simulate_experiment
    from selfinterp_stats.agents import Agent, LogitDecider

    every = load_scenarios(n_attributes=[5])
    scenarios = Scenarios(every.frame[every.frame["scenario"].isin(every.names[:N_SCENARIOS])].reset_index(drop=True))
    agent = Agent("m", LogitDecider(3.0), reporters={})
    n_trials = (N_TRIALS, N_TRIALS)
    experiment = simulate_experiment(scenarios, agents=[agent], n_instilled=0, n_trials=n_trials, seed=number)
    fit = fit_choices(experiment.archive.decisions, experiment.archive.scenarios, seed=number)
    table = fit.weights().table.merge(experiment.weights, on=["scenario", "slot"])
    return {
        "r": float(table["median"].corr(table["used"])),
        "held": int(((table["hdi_low"] <= table["used"]) & (table["used"] <= table["hdi_high"])).sum()),
        "threads": numba.get_num_threads(),
        "process": os.getpid(),
        "cluster": "distributed.worker" in sys.modules,
    }


@contextlib.contextmanager
def start_cluster(folder):
    """Address of a scheduler with two workers, and the workers: process groups of their own, ended with the block."""
    file = folder / "scheduler.json"
    local = ["--scheduler-file", str(file), "--host", "127.0.0.1", "--no-dashboard"]
    worker = ["worker", *local, "--nthreads", "1", "--local-directory", str(folder)]
    started = []
    try:
        with (folder / "cluster.log").open("w") as log:
            for arguments in (["scheduler", *local, "--port", "0"], worker, worker):
                command = [sys.executable, "-m", "dask", *arguments]
                started.append(subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True))
        deadline = time.monotonic() + 60
        while not (file.exists() and file.read_text()):
            if time.monotonic() > deadline or started[0].poll() is not None:
                raise SystemExit(f"the scheduler did not start:\n{(folder / 'cluster.log').read_text()}")
            time.sleep(0.1)
        yield json.loads(file.read_text())["address"], started[1:]
    finally:
        for process in started:
            kill(process)


def kill(process):
    """End a process and all that it started, at once, as a machine that is switched off does."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def count_rows(path):
    """Finished replications in a file."""
    return max(path.read_bytes().count(b"\n") - 1, 0) if path.exists() else 0


def run_study(path, *arguments, victim=None):
    """Rows of the study, run by its command line; seconds; and how many were there when the victim was killed."""
    begun, rows_before = time.monotonic(), None
    command = [sys.executable, __file__, "--results", str(path), *arguments]
    study = subprocess.Popen(command, start_new_session=True)
    try:
        while study.poll() is None:
            if time.monotonic() - begun > LIMIT:
                raise SystemExit(f"the study took longer than {LIMIT} s")
            if victim is not None and rows_before is None and count_rows(path) >= N_REPLICATIONS // 3:
                kill(victim)
                rows_before = count_rows(path)
            time.sleep(0.05)
    finally:
        kill(study)
    if study.returncode:
        raise SystemExit(f"the study ended with status {study.returncode}")
    rows = [json.loads(line) for line in path.read_text().splitlines()[1:]]
    errors = [row["error"] for row in rows if "error" in row]
    if errors:
        raise SystemExit(f"{len(errors)} of {len(rows)} replications failed, one of them so:\n{errors[0]}")
    return sorted(rows, key=lambda row: row["number"]), round(time.monotonic() - begun, 1), rows_before


def demonstrate():
    """Run the study both ways, and write what came of it."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # end what was started, then too
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        here, seconds_here, _ = run_study(folder / "here.jsonl", "--jobs", "2")
        with start_cluster(folder) as (address, workers):
            there, seconds_there, rows_before = run_study(
                folder / "there.jsonl", "--cluster", address, "--patience", "60", victim=workers[0]
            )
    bare = [[{key: row[key] for key in row if key not in OF_A_PLACE} for row in rows] for rows in (here, there)]
    result = {
        "command": "python analyses/studies/dask_cluster.py",
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "versions": {name: version(name) for name in ("joblib", "dask", "distributed", "cloudpickle", "numpy", "numba")},
        "replications": N_REPLICATIONS,
        "rows_here": len(here),
        "rows_on_cluster": len(there),
        "rows_on_cluster_when_a_worker_was_killed": rows_before,
        "rows_equal": bare[0] == bare[1],
        "processes_here": len({row["process"] for row in here}),
        "processes_on_cluster": len({row["process"] for row in there}),
        "all_computed_by_workers": all(row["cluster"] for row in there) and not any(row["cluster"] for row in here),
        "threads_of_a_worker": sorted({row["threads"] for row in there}),
        "seconds_here": seconds_here,
        "seconds_on_cluster": seconds_there,
    }
    print(json.dumps(result, indent=1))
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    as_claimed = result["rows_equal"] and len(there) == N_REPLICATIONS and rows_before
    sys.exit(not (as_claimed and result["all_computed_by_workers"]))


def main():
    """The study, if there are arguments; otherwise what is shown of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser, replications=N_REPLICATIONS, results=None)
    options = parser.parse_args()
    if options.results is None:
        demonstrate()
    run_replications(
        replicate,
        range(options.replications),
        results=options.results,
        settings={"scenarios": N_SCENARIOS, "trials": N_TRIALS},
        jobs=options.jobs,
        cluster=options.cluster,
        patience=options.patience,
        label="small study",
    )


if __name__ == "__main__":
    main()
