"""What a long command says while it works: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any

import click

__all__ = ["Steps"]


class Steps:
    """Announce the steps of a command on standard error.

    Parameters
    ----------
    count : int
        Number of steps, the last one being the end.
    quiet : bool
        Whether to say nothing.
    """

    def __init__(self, count: int, *, quiet: bool) -> None:
        self._quiet = quiet
        self._started = time.perf_counter()
        self._bar: Any = None
        if not quiet and sys.stderr.isatty():
            self._bar = click.progressbar(
                length=count, file=sys.stderr, show_eta=False, item_show_func=lambda step: step, label="selfinterp"
            )

    def __enter__(self) -> Steps:
        if self._bar is not None:
            self._bar.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.__exit__(kind, value, trace)

    def begin(self, step: str) -> None:
        """Say that a step begins."""
        if self._bar is not None:
            self._bar.update(1, step)
        elif not self._quiet:
            click.echo(f"[{time.perf_counter() - self._started:5.1f} s] {step}", err=True)
