"""The package's one exception family, its one warning category, and the shape of their messages.

Every error that the package raises on purpose is a :class:`SelfInterpError`, so ``except SelfInterpError`` catches them
all and nothing else. Its text always has the same four parts: which argument, what was expected, what was got, and what
to do about it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["ArgumentError", "SelfInterpError", "SelfInterpWarning", "check_choice", "check_range", "check_sequence"]


class SelfInterpError(Exception):
    """Base class of all errors raised on purpose by the package."""


class SelfInterpWarning(UserWarning):
    """Category of all warnings issued by the package."""


class ArgumentError(SelfInterpError, ValueError):
    """An argument has a value that the function cannot work with.

    Parameters
    ----------
    argument : str
        Name of the argument, as the caller wrote it.
    expected, got : str
        What was expected and what was there instead.
    remedy : str
        What the caller can do.

    Examples
    --------
    >>> raise ArgumentError("draws", expected="a whole number of at least 100", got="3", remedy="pass draws=4000")
    Traceback (most recent call last):
    ...
    selfinterp_stats.errors.ArgumentError: draws: expected a whole number of at least 100, got 3; pass draws=4000
    """

    def __init__(self, argument: str, *, expected: str, got: str, remedy: str) -> None:
        self.argument = argument
        self.expected = expected
        self.got = got
        self.remedy = remedy
        super().__init__(f"{argument}: expected {expected}, got {got}; {remedy}")


def check_choice(argument: str, value: str, choices: Iterable[str]) -> None:
    """Raise :class:`ArgumentError` unless `value` is one of `choices`."""
    allowed = list(choices)
    if value not in allowed:
        listed = ", ".join(repr(c) for c in allowed)
        raise ArgumentError(
            argument,
            expected=f"one of {listed}",
            got=repr(value),
            remedy=f"pass {argument}={allowed[0]!r}, for example",
        )


def check_range(
    argument: str, value: float, *, low: float, high: float, whole: bool = False, remedy: str | None = None
) -> None:
    """Raise :class:`ArgumentError` unless `value` is a number between `low` and `high`, both included."""
    is_number = isinstance(value, (int, float)) or hasattr(value, "__float__")
    fits = is_number and not isinstance(value, bool) and low <= float(value) <= high
    if fits and whole:
        fits = hasattr(value, "__index__")  # 50.0 would count as whole here and fail as a shape later on
    if not fits:
        kind = "a whole number" if whole else "a number"
        limit = f"from {low:g} to {high:g}" if high != float("inf") else f"of at least {low:g}"
        raise ArgumentError(
            argument, expected=f"{kind} {limit}", got=repr(value), remedy=remedy or f"choose {argument} in that range"
        )


def check_sequence(argument: str, value: object, of: str) -> None:
    """Raise :class:`ArgumentError` unless `value` is a list or tuple, or something like it, of one or more."""
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence) or not len(value):
        raise ArgumentError(
            argument, expected=f"a sequence of {of}, one or more", got=repr(value), remedy=f"pass {argument}=[...]"
        )
