"""Numbered, independent replications of a simulation study: in parallel, with a progress bar, taken up again after a kill.

A study is a script beside this file; its options are those of `add_arguments`, the same for every study:

    from replication import add_arguments, run_replications

    def replicate(number):
        ...  # everything random here comes from a generator seeded with the number
        return {"error_of_r": 0.02, "held": True}

    rows = run_replications(
        replicate, range(options.replications), results=options.results, jobs=options.jobs, cluster=options.cluster,
        patience=options.patience, label="coverage", settings={"trials": 100},
    )

`--jobs 2` computes in two processes here, through joblib (1.5 or newer: on older ones `--patience` waits for ever).
`--cluster tcp://ADDRESS:8786` computes on a Dask cluster (pip install joblib dask distributed) whose workers have this
project installed under the same Python version, one thread each:

    dask scheduler
    dask worker tcp://ADDRESS:8786 --nthreads 1 --nworkers 16     # on every machine

Every worker process gets one thread of numba and of the BLAS; `--jobs 1` computes in the script's own process, with the
threads that it has, and is for debugging.
"""

import contextlib
import json
import multiprocessing
import os
import sys
import time
import traceback
from pathlib import Path

import click

ONE_THREAD = dict.fromkeys(
    ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)
PATIENCE = 3600.0  # seconds
SYNC_EVERY = 5.0  # seconds; what is written survives a kill of the script at once, and a power cut once it is synced
WAIT_FOR_WORKERS = 60  # seconds


def add_arguments(parser, *, replications, results):
    """Give a study's parser the options that every study has, with this study's defaults."""
    parser.add_argument("--replications", type=int, default=replications, metavar="N", help="numbers 0 to N - 1")
    parser.add_argument("--jobs", type=int, default=-1, metavar="N", help="processes here; -1: one for each core")
    parser.add_argument("--cluster", metavar="ADDRESS", help="compute on this Dask scheduler instead: tcp://host:8786")
    parser.add_argument("--results", type=Path, default=results, metavar="FILE", help="JSON lines, added to")
    parser.add_argument("--patience", type=float, default=PATIENCE, metavar="SECONDS", help="stop if none ends for so long")


def run_replications(
    task, numbers, *, results, settings=None, jobs=-1, cluster=None, patience=PATIENCE, label="replications"
):
    """Rows of a study: those that its file already has, and those computed now for the numbers that it has not.

    `task(number)` returns a dict that JSON can write, without the keys "number" and "error"; it depends on nothing but its
    number and, through functools.partial, on `settings`. It goes to the workers by pickle: a function of the script travels
    whole, with the globals it uses, but this file is not there for it, so a task must not use anything from here.

    The file `results` begins with a line of the label and the settings, which a later run must repeat, and gets a line for
    each finished replication, in order of completion; one run at a time may write to it. A replication that raises gives
    {"number": ..., "error": traceback} and is tried again by the next run. How many did is said on standard error. One
    that ends its whole process (memory, say) ends the run as well: at once here, after `patience` seconds on a cluster.

    Returns the rows of every number in the file, read back from JSON and sorted by number: they are the same for any number
    of jobs, on a cluster or not. It is for the caller to decide what to do about rows with an "error".
    """
    path = Path(results)
    header = json.dumps({"study": label, "settings": settings or {}}, sort_keys=True) + "\n"
    rows, whole = _read_rows(path, header.encode())
    unfinished = {"error": "not yet tried"}
    todo = [number for number in sorted({int(n) for n in numbers}) if "error" in rows.get(number, unfinished)]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.truncate(whole)
        if not whole:
            file.write(header.encode())
            file.flush()
        if todo:
            synced = time.monotonic()
            with (
                _workers(jobs, cluster),
                contextlib.closing(_compute(task, todo, patience)) as lines,
                click.progressbar(lines, length=len(todo), label=label, file=sys.stderr) as bar,
            ):
                for line in bar:
                    file.write(line.encode() + b"\n")
                    file.flush()
                    if time.monotonic() - synced > SYNC_EVERY:
                        os.fsync(file.fileno())
                        synced = time.monotonic()
                    row = json.loads(line)
                    rows[row["number"]] = row
        os.fsync(file.fileno())
    failed = sum("error" in row for row in rows.values())
    if failed:
        click.echo(f"{label}: {failed} of {len(rows)} replications failed; see the rows with an error in {path}", err=True)
    return [rows[number] for number in sorted(rows)]


def _read_rows(path, header):
    """Rows of earlier runs by number, the last of each, and how many bytes of the file are whole lines."""
    rows, whole = {}, 0
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    if lines and lines[0] != header and not (len(lines) == 1 and header.startswith(lines[0])):
        found = lines[0][:500].decode(errors="replace").rstrip()
        raise SystemExit(
            f"{path} is of another study or has other settings. Its first line is\n  {found}\nand this run's is\n"
            f"  {header.decode()}Name another file with --results, or remove this one."
        )
    for place, line in enumerate(lines):
        try:
            record = json.loads(line)
            if not line.endswith(b"\n"):
                raise ValueError("torn")
            if place:
                rows[int(record["number"])] = record
        except (ValueError, KeyError, TypeError):
            if place == len(lines) - 1:  # a kill in the middle of writing it
                break
            raise SystemExit(f"{path}, line {place + 1}, is no replication: {line[:80]!r}. Remove the line.") from None
        whole += len(line)
    return rows, whole


@contextlib.contextmanager
def _workers(jobs, cluster):
    """Have joblib compute in processes of this machine, or on a cluster, within the block."""
    import joblib

    if cluster is None:
        with joblib.parallel_config(backend="loky", n_jobs=jobs, inner_max_num_threads=1):
            yield
        return
    try:
        import distributed
    except ImportError:
        raise SystemExit("--cluster needs Dask, here and on the workers: pip install dask distributed") from None

    class OneThread(distributed.WorkerPlugin):
        """Before a worker's first replication, and on workers that join later."""

        name = "one-thread"
        variables = ONE_THREAD

        def setup(self, worker):  # noqa: ARG002
            if "numba" not in sys.modules:  # numba refuses a change once its threads have started
                os.environ.update(self.variables)

    try:
        client = distributed.Client(cluster)
        client.register_plugin(OneThread())
        # While a cluster has a single thread joblib computes everything in the script's own process.
        client.wait_for_workers(2, timeout=WAIT_FOR_WORKERS)
    except OSError as error:
        raise SystemExit(f"No Dask cluster of two workers or more at {cluster}: {error}") from None
    with client, joblib.parallel_config(backend="dask"):
        yield


def _compute(task, numbers, patience):
    """One line of JSON for each number, as they are finished."""
    import joblib

    # A function within a function is pickled by value, as it must be: workers cannot import this file.
    def attempt(number):
        try:
            row = task(number)
            if not row.keys().isdisjoint(("number", "error")):
                raise ValueError(f"a row must not have its own number or error: {row}")
            return json.dumps({"number": number, **row})
        except Exception:
            return json.dumps({"number": number, "error": traceback.format_exc()})

    parallel = joblib.effective_n_jobs(None) > 1
    outcomes = joblib.Parallel(
        return_as="generator_unordered",
        pre_dispatch="all",  # workers that join a cluster later find work waiting
        # joblib on Dask never hears of a replication that the scheduler gave up, after four workers died of it.
        timeout=patience if parallel else None,
    )(joblib.delayed(attempt)(number) for number in numbers)
    try:
        yield from outcomes
    except multiprocessing.TimeoutError:
        raise SystemExit(f"No replication finished in {patience:g} seconds; run again to go on from here.") from None
