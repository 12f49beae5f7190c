"""Random numbers that depend on what they are for and on nothing else."""

from __future__ import annotations

import hashlib

import numpy as np

from selfinterp_stats.errors import check_range

__all__ = ["check_draws", "check_seed", "make_generator"]


def check_seed(seed: int) -> None:
    """Raise ArgumentError unless `seed` can be a seed."""
    check_range("seed", seed, low=0, high=2**63 - 1, whole=True, remedy="pass a whole number that is not negative")


def check_draws(draws: int) -> None:
    """Raise ArgumentError unless `draws` can be a number of draws."""
    check_range("draws", draws, low=100, high=1_000_000, whole=True, remedy="pass draws=4000, for example")


def make_generator(seed: int, purpose: str, /, **labels: object) -> np.random.Generator:
    """Random numbers keyed by a seed, a purpose and labels, such as a group and a scenario.

    The same key gives the same numbers whatever else is computed, in whichever order and on however many threads.

    Examples
    --------
    >>> rng = make_generator(1, "fit", model="m", scenario="flat")
    >>> same = make_generator(1, "fit", model="m", scenario="flat")
    >>> rng.random() == same.random()
    True
    """
    text = "\x1f".join([purpose, *(f"{name}={value}" for name, value in labels.items())])
    words = np.frombuffer(hashlib.sha256(text.encode()).digest(), dtype="<u4")
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, *words.tolist()])))
