"""Claim: whatever is damaged in an archive, reading it ends in findings of documented kinds, never in another exception.

    python analyses/studies/damaged_archives.py --examples 1000000 --processes 2

Every example is a small archive of the published layout with one file damaged in one way, written to a folder and read
as strictly as possible, or checked and then read; damage that changed nothing is counted by itself. Examples are numbered,
and a number always gives the same example, so that a run goes on where the last one stopped; counts, and whatever went
wrong, stand in results/damaged-archives.json.

Text columns are pandas' former object strings here (an option), which halves the time; the tests use the present ones.
"""

import argparse
import gc
import json
import multiprocessing
import os
import platform
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

RESULTS = Path(__file__).parent / "results" / "damaged-archives.json"
CHUNK = 2_000
CHECKED = 9  # every so many examples are checked, and read if that finds no error; the others are read, strictly
FULL = 10  # every tenth example has all files; the others one file beside that of the scenarios


def prepare():
    """The files that are damaged: two small archives, by number."""
    import pandas as pd

    pd.set_option("future.infer_string", False)
    from selfinterp_stats import make_scenarios, simulate_experiment
    from selfinterp_stats.agents import Agent, Reporter
    from selfinterp_stats.testing import encode_published

    rows = [("tea", "heat", 0, 100), ("tea", "price", 1, 9), ("tea", "leaves", 1, 12)]
    rows += [("bus", "wait", 0, 30), ("bus", "fare", 1, 5), ("bus", "seats", 10, 60), ("bus", "stops", 0, 14)]
    scenarios = make_scenarios(pd.DataFrame(rows, columns=["scenario", "attribute", "low", "high"]))
    stages = ("base", "preference-trained", "introspection-trained")
    archives = []
    for seed, probabilities in ((1, False), (2, True)):
        agent = Agent("m", reporters={stage: Reporter() for stage in stages})
        experiment = simulate_experiment(
            scenarios,
            agents=[agent],
            n_instilled=1 + seed % 2,
            n_trials=(4, 4),
            n_replies=2,
            probabilities=probabilities,
            seed=seed,
        )
        archives.append(encode_published(experiment.archive))
    return archives


def choose_files(archives, number):
    """All files of an archive, or those of the scenarios and one more."""
    number, place = divmod(number, FULL)
    number, which = divmod(number, len(archives))
    files = archives[which]
    if place == 0:
        return files
    others = sorted(set(files) - {"scenarios.csv"})
    partner = others[(number * (FULL - 1) + place) % len(others)]
    return {name: files[name] for name in ("scenarios.csv", partner)}


def try_one(archives, number, folder):
    """Outcome of one example: the kind of damage, and what came of it."""
    from selfinterp_stats import DataError, check_archive, read_archive
    from selfinterp_stats.testing import DAMAGES, ERROR_KINDS, WARNING_KINDS, damage_files, write_files

    kinds = sorted(DAMAGES)
    kind = kinds[number % len(kinds)]
    whole = choose_files(archives, number // len(kinds))
    damaged = damage_files(whole, kind, number)
    if damaged == whole:  # a cell exchanged for its like
        return kind, "unchanged"
    write_files(damaged, folder)
    if number % CHECKED == 0:
        problems = check_archive(folder)
    else:  # reading finds the same, and all of it where a warning counts as an error
        try:
            problems = read_archive(folder, strict=True).problems
        except DataError as error:
            problems = error.problems
    for problem in problems:
        documented = ERROR_KINDS if problem.severity == "error" else WARNING_KINDS
        if problem.kind not in documented or not all((problem.file, problem.found, problem.expected, problem.remedy)):
            raise AssertionError(f"undocumented or unexplained: {problem}")
    if problems.errors:
        return kind, "errors"
    if number % CHECKED == 0:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read_archive(folder)
    return kind, "warnings" if len(problems) else "clean"


def run_chunk(start):
    """Counts and failures of the examples from a number on."""
    archives = prepare()
    gc.disable()  # a tenth of the time; a chunk is small
    counts, failures = Counter(), []
    memory = Path("/dev/shm")
    home = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else None))
    try:
        for number in range(start, start + CHUNK):
            folder = home / str(number)
            try:
                counts[try_one(archives, number, folder)] += 1
            except Exception:
                failures.append({"number": number, "traceback": traceback.format_exc()})
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        shutil.rmtree(home, ignore_errors=True)
        gc.enable()
    return start, [[*key, count] for key, count in counts.items()], failures


def main():
    """Go on from where the last run stopped."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=1_000_000)
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    options = parser.parse_args()
    state = {"examples": 0, "outcomes": {}, "failures": [], "seconds": 0.0}
    if RESULTS.exists():
        state = json.loads(RESULTS.read_text())
    starts = range(state["examples"], options.examples, CHUNK)
    begun = time.perf_counter()
    with multiprocessing.get_context("spawn").Pool(options.processes) as pool:
        for start, counts, failures in pool.imap(run_chunk, starts):  # in order, so that one number says how far it got
            for kind, outcome, count in counts:
                outcomes = state["outcomes"].setdefault(kind, {})
                outcomes[outcome] = outcomes.get(outcome, 0) + count
            state["failures"] += failures
            state["examples"] = start + CHUNK
            now = time.perf_counter()
            state["seconds"], begun = round(state["seconds"] + now - begun, 1), now
            state["command"] = "python analyses/studies/damaged_archives.py"
            state["date"] = datetime.now(UTC).date().isoformat()
            state["machine"] = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
            partial = RESULTS.with_suffix(".partial")
            partial.write_text(json.dumps(state, indent=1, sort_keys=True) + "\n")
            partial.replace(RESULTS)
    print(f"{state['examples']:,} examples, {len(state['failures'])} failures")
    sys.exit(bool(state["failures"]))


if __name__ == "__main__":
    main()
