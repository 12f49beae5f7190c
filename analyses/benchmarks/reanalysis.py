"""How long the re-analysis of an archive takes, part by part.

Usage: python analyses/benchmarks/reanalysis.py ARCHIVE [REPEATS]

Times the command from outside, in new processes: first with an empty cache of compiled code, as on the first run after
installation, then warm; and, in one process that has compiled everything, the fits with their weights summarised. Writes
what it measured, on what and with which command, to analyses/benchmarks/results/.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from importlib.metadata import version
from pathlib import Path

from selfinterp_stats import SelfInterpWarning, fit_choices, read_archive

RESULTS = Path(__file__).parent / "results"
DRAWS = 4000


def time_command(archive: Path, cache: Path | None, repeats: int) -> list[float]:
    """Seconds of wall time of ``selfinterp reanalyze``, each in a new process; with `cache`, starting from it empty."""
    seconds = []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as folder:
            environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache)} if cache else dict(os.environ)
            command = [
                sys.executable,
                "-m",
                "selfinterp_stats",
                "reanalyze",
                str(archive),
                "--out",
                f"{folder}/out",
                "--quiet",
            ]
            started = time.perf_counter()
            subprocess.run(command, check=True, env=environment)
            seconds.append(time.perf_counter() - started)
    return seconds


def time_fits(archive: Path, repeats: int) -> tuple[int, list[float]]:
    """Number of scenarios, and seconds for all fits with the weights summarised, once everything is compiled."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SelfInterpWarning)
        data = read_archive(archive)
    seconds = []
    for _ in range(repeats + 1):  # the first compiles
        started = time.perf_counter()
        fit = fit_choices(data.decisions, data.scenarios, pooling="none", draws=DRAWS)
        fit.weights()
        seconds.append(time.perf_counter() - started)
    return len(fit.contexts), seconds[1:]


def main() -> None:
    """Measure and write."""
    archive, repeats = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 5
    with tempfile.TemporaryDirectory() as cache:
        first = time_command(archive, Path(cache), 1)
    warm = time_command(archive, None, repeats)
    n_fits, fits = time_fits(archive, repeats)
    result = {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "command": f"python analyses/benchmarks/reanalysis.py {archive.name} {repeats}",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end",
        "software": {name: version(name) for name in ("selfinterp-stats", "numpy", "numba", "pandas")},
        "draws": DRAWS,
        "scenarios": n_fits,
        "seconds": {
            "reanalyze, first run after installation": [round(s, 2) for s in first],
            "reanalyze, warm": [round(s, 2) for s in warm],
            "fits and weights, compiled": [round(s, 2) for s in fits],
        },
        "medians": {
            "reanalyze, warm": round(statistics.median(warm), 2),
            "fits and weights, compiled": round(statistics.median(fits), 2),
        },
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"reanalysis-{result['date']}.json"
    path.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
