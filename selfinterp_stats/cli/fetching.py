"""The subcommand that downloads a published archive, and what it says meanwhile."""

from __future__ import annotations

import shlex
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import click

__all__ = ["fetch_command"]

_INTERRUPTED = 130


@click.command(
    "fetch",
    epilog="Examples:\n\n  selfinterp fetch plunkett-2025\n\n"
    "  selfinterp fetch plunkett-2025 --out trials --base-url https://mirror.example.org/self-interpretability/",
)
@click.argument("name")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the files.  [default: NAME]")
@click.option("--base-url", metavar="URL", help="Address of a mirror; the repository's paths follow it.")
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
def fetch_command(name: str, out: Path | None, base_url: str | None, quiet: bool) -> int:
    """Download the published archive NAME (plunkett-2025).

    Fixed by a commit on GitHub and the SHA-256 of each file. Files that are there already are skipped, so the same command
    goes on after an interruption; a file with other contents is never overwritten. GitHub's address could not be tried
    where this was developed; --base-url names another one.
    """
    from selfinterp_stats.archive import fetch_archive
    from selfinterp_stats.archive.fetching import load_registry

    folder = Path(name) if out is None else out
    try:
        with _Transfer(load_registry(name).size, quiet=quiet) as transfer:
            fetch_archive(name, folder, base_url=base_url, progress=transfer)
    except KeyboardInterrupt:
        # what the other commands say, that nothing was written, would not be true
        click.echo(
            "selfinterp: interrupted; files fetched by then are complete and stay, the same command fetches the rest",
            err=True,
        )
        return _INTERRUPTED
    if not quiet:
        fetched, skipped = transfer.fetched, transfer.skipped
        click.echo(f"{folder}: {fetched} file{'s' * (fetched != 1)} fetched, {skipped} skipped (already there)")
        click.echo(f"To analyse them: selfinterp reanalyze {shlex.quote(str(folder))} --out results")
    return 0


class _Transfer:
    """Count files, and show their bytes on standard error: a bar on a terminal, a line for each file elsewhere.

    Parameters
    ----------
    size : int
        Size of all files together, in bytes.
    quiet : bool
        Whether to say nothing.
    """

    def __init__(self, size: int, *, quiet: bool) -> None:
        self.fetched = 0
        self.skipped = 0
        self._current: str | None = None
        self._done = 0
        self._quiet = quiet
        self._started = time.perf_counter()
        self._bar: Any = None
        if not quiet and sys.stderr.isatty():
            self._bar = click.progressbar(
                length=size, file=sys.stderr, show_pos=True, item_show_func=lambda name: name, label="bytes"
            )

    def __enter__(self) -> _Transfer:
        if self._bar is not None:
            self._bar.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.__exit__(kind, value, trace)

    def __call__(self, name: str, done: int, total: int) -> None:
        """Take note that `done` of the `total` bytes of a file have come."""
        if name != self._current:
            self._current, self._done = name, 0
            # a file that is fetched begins at 0
            self.skipped += done == total
            self._say(f"{name}: already there" if done == total else f"{name} ({total:,} bytes)")
        elif done == total:
            self.fetched += 1
        if self._bar is not None:
            self._bar.update(done - self._done, name)
        self._done = done

    def _say(self, line: str) -> None:
        if self._bar is None and not self._quiet:
            click.echo(f"[{time.perf_counter() - self._started:5.1f} s] {line}", err=True)
