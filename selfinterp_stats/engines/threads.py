"""Threads for work that NumPy and compiled loops do without Python's lock."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache

import numba
from threadpoolctl import ThreadpoolController

__all__ = ["open_threads"]


@contextmanager
def open_threads() -> Iterator[ThreadPoolExecutor]:
    """As many threads as numba would use (``NUMBA_NUM_THREADS``), with those of linear algebra libraries held back.

    Threads of ours that wait for threads of theirs, on processors that are all busy, are slower than one thread alone.
    """
    with _libraries().limit(limits=1, user_api="blas"), ThreadPoolExecutor(numba.get_num_threads()) as pool:
        yield pool


@cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()
