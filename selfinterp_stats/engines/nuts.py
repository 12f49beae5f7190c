"""The No-U-Turn sampler: PyMC models through nutpie, the reference that faster engines are held against.

A model is built and compiled once in a process, whatever the shapes of the data that it is then given. nutpie's own way
with PyMC models fixes the number of parameters, and with it those shapes, when it compiles. So the log density and its
gradient are compiled here, with an array for each parameter, and nutpie is handed a function of a vector.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from selfinterp_stats.engines.protocol import Floats
from selfinterp_stats.errors import ArgumentError, check_choice, check_range

if TYPE_CHECKING:
    import pymc as pm

__all__ = ["ChainAccuracy", "NutsDraws", "load_pymc", "sample_nuts"]

_JITTER = 1.0  # chains start so far from the support point, at most, in every parameter


@dataclass(frozen=True)
class ChainAccuracy:
    """How far the draws of one variable can be trusted; arrays of the variable's own shape.

    Attributes
    ----------
    r_hat : numpy.ndarray
        Rank-normalised split R-hat; NaN for a constant.
    ess_bulk, ess_tail, ess_mean : numpy.ndarray
        Effective number of draws for the centre, for the 5 and 95% quantiles, and for the mean.
    """

    r_hat: Floats
    ess_bulk: Floats
    ess_tail: Floats
    ess_mean: Floats


@dataclass(frozen=True)
class NutsDraws:
    """Draws of a model's variables.

    Attributes
    ----------
    values : dict of str to numpy.ndarray
        Parameters, on the scale that the model has them on, and deterministics, shape (chains, draws, ...) each.
    divergences : int
        Divergent transitions after tuning, of all chains.
    """

    values: dict[str, Floats]
    divergences: int

    def accuracy(self) -> dict[str, ChainAccuracy]:
        """R-hat and effective sizes of every variable."""
        return {name: _judge(draws) for name, draws in self.values.items()}


def sample_nuts(
    build: Callable[[], pm.Model],
    data: Mapping[str, object],
    *,
    draws: int,
    tune: int = 1000,
    chains: int = 4,
    cores: int | None = None,
    seed: int,
    keep: Sequence[str] | None = None,
    target_accept: float = 0.8,
) -> NutsDraws:
    """Draw from the posterior of a PyMC model.

    Parameters
    ----------
    build : callable
        A function without arguments, or a ``functools.partial`` with hashable ones, that returns a ``pymc.Model`` whose
        data are ``pm.Data``. Equal functions and arguments are compiled once.
    data : mapping of str to array_like
        Values of the model's ``pm.Data``, of any shapes that fit together.
    draws, tune : int
        Draws of each chain that are kept, and those before them that are not.
    chains, cores : int
        Number of chains, and how many of them run at a time: by default as many as there are processors. Draws do not
        depend on the cores.
    seed : int
        Seed; the same call gives the same draws.
    keep : sequence of str, optional
        Variables to return, by default all.
    target_accept : float
        Acceptance probability that the step size is tuned for; nearer to 1 takes smaller steps.

    Returns
    -------
    NutsDraws

    Raises
    ------
    ArgumentError
        If PyMC or nutpie is missing, or an argument has no usable value.
    """
    for name, value in (("draws", draws), ("tune", tune), ("chains", chains), ("cores", 1 if cores is None else cores)):
        check_range(name, value, low=1, high=10_000_000, whole=True)
    check_range("seed", seed, low=0, high=2**63 - 1, whole=True, remedy="pass a whole number that is not negative")
    check_range("target_accept", target_accept, low=0.1, high=0.9999)
    load_pymc()
    whole = build if isinstance(build, partial) else partial(build)
    compiled = _compile(whole.func, whole.args, tuple(sorted(whole.keywords.items())))  # partials are never equal
    arrays = _arrange(data, compiled.data)
    for name in keep or ():
        check_choice("keep", name, compiled.names)
    starts = [np.asarray(start, dtype=np.float64) for start in compiled.start(*arrays)]
    settings = {"draws": draws, "tune": tune, "chains": chains, "cores": cores, "seed": seed}
    points, divergences = _sample(compiled, starts, arrays, target_accept=target_accept, **settings)
    return NutsDraws(_expand(compiled, points, starts, arrays, keep or compiled.names), divergences)


def load_pymc() -> Any:
    """The module ``pymc``; raises ArgumentError unless it and nutpie are installed."""
    # without a C++ compiler PyTensor logs how slow it will be; but what has to be fast is compiled by numba
    logger = logging.getLogger("pytensor.configdefaults")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # PyMC's ArviZ announces its successor once a day, if not all parts of that are installed
            warnings.filterwarnings("ignore", message="\\s*ArviZ is undergoing", category=FutureWarning)
            import arviz  # noqa: F401
        import nutpie  # noqa: F401
        import pymc
    except ModuleNotFoundError as error:
        raise ArgumentError(
            "inference",
            expected="an engine whose packages are installed",
            got=f"'nuts' without {error.name}",
            remedy="run pip install 'selfinterp-stats[nuts]'",
        ) from error
    finally:
        logger.setLevel(level)
    return pymc


@dataclass(frozen=True)
class _Compiled:
    """Functions of a model's data, and those of its parameters without constraints followed by its data."""

    data: dict[str, NDArray[Any]]  # as built, in the order in which the functions take them
    names: tuple[str, ...]  # of what `expand` gives
    start: Callable[..., list[Floats]]  # support points, from the data alone
    density: Callable[..., tuple[Any, ...]]  # log density and its gradient by each parameter
    expand: Callable[..., list[Floats]]  # parameters as the model has them, and deterministics


@cache
def _compile(
    function: Callable[..., pm.Model], arguments: tuple[Any, ...], keywords: tuple[tuple[str, Any], ...]
) -> _Compiled:
    import numba
    import pytensor
    from pymc import pytensorf
    from pymc.initial_point import make_initial_point_expression
    from pytensor.compile.mode import Mode
    from pytensor.graph.replace import clone_replace
    from pytensor.graph.traversal import graph_inputs

    model = function(*arguments, **dict(keywords))
    parameters = [model.rvs_to_values[variable] for variable in model.free_RVs]
    shown = [*model.free_RVs, *model.deterministics]
    start = make_initial_point_expression(
        free_rvs=model.free_RVs,
        rvs_to_transforms=model.rvs_to_transforms,
        initval_strategies=model.rvs_to_initial_values,
        return_transformed=True,
    )
    log_density = pytensorf.rewrite_pregrad(model.logp())
    graphs = [*start, log_density, *pytensor.grad(log_density, parameters), *model.replace_rvs_by_values(shown)]
    inputs = {variable.name: variable.type(name=variable.name) for variable in model.data_vars}
    # by name, since the graph of the starting points holds copies of the data
    graphs = clone_replace(graphs, {leaf: inputs[leaf.name] for leaf in graph_inputs(graphs) if leaf.name in inputs})
    data, n = list(inputs.values()), len(parameters)
    plain = Mode(linker="py", optimizer="fast_compile")  # for what runs once or once a draw: compiling would take longer
    with model, warnings.catch_warnings():
        # some of PyTensor's rewrites ask which BLAS its C code is to be linked to, though none is written here
        warnings.filterwarnings("ignore", message="PyTensor could not link to a BLAS", category=UserWarning)
        begin, inner, expand = (
            pytensorf.compile([*first, *data], part, mode=mode, on_unused_input="ignore")
            for first, part, mode in (
                ([], graphs[:n], plain),
                (parameters, graphs[n : 2 * n + 1], "NUMBA"),
                (parameters, graphs[2 * n + 1 :], plain),
            )
        )
    jitted = inner.vm.jit_fn
    return _Compiled(
        data={variable.name: np.asarray(variable.get_value()) for variable in model.data_vars},
        names=tuple(variable.name for variable in shown),
        start=begin,
        # chains run on threads: one at a time, unless the interpreter's lock is given up
        density=numba.njit(nogil=True)(lambda *values: jitted(*values)),
        expand=expand,
    )


def _arrange(data: Mapping[str, object], declared: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
    """The data in the order and of the types of the compiled functions."""
    if set(data) != set(declared):
        raise ArgumentError(
            "data",
            expected=f"the data of the model ({', '.join(sorted(declared))})",
            got=", ".join(sorted(data)),
            remedy="pass all that it declares as pm.Data and nothing else",
        )
    arrays = []
    for name, built in declared.items():
        given = np.asarray(data[name])
        array = np.array(given, dtype=built.dtype, order="C")
        if array.ndim != built.ndim or (array.dtype.kind in "iu" and not np.array_equal(array, given)):
            raise ArgumentError(
                f"data[{name!r}]",
                expected=f"{built.dtype} values with {built.ndim} dimensions",
                got=f"{given.dtype} values with {given.ndim}",
                remedy="convert them",
            )
        arrays.append(array)
    return arrays


def _sample(compiled: _Compiled, starts: list[Floats], arrays: list[NDArray[Any]], **settings: Any) -> tuple[Floats, int]:
    """Points of all chains as one array (chains, draws, D), and the number of divergences."""
    import nutpie
    from numba import NumbaWarning
    from nutpie.compiled_pyfunc import from_pyfunc

    centre = np.concatenate([start.ravel() for start in starts])

    def evaluate(point: Floats) -> tuple[float, Floats]:
        value, *parts = compiled.density(*_cut(point, starts), *arrays)
        gradient = np.concatenate([part.ravel() for part in parts])
        # nutpie takes a value that is not finite for a divergence
        return float(value) if np.isfinite(gradient).all() else np.nan, gradient

    with warnings.catch_warnings():
        # PyTensor filters it as well, but once and for all, when it is imported
        warnings.filterwarnings("ignore", message=".*Cannot cache compiled function", category=NumbaWarning)
        evaluate(centre)  # numba compiles on the first call, which is better not made by many threads at once
    model = from_pyfunc(
        len(centre),
        make_logp_fn=lambda: evaluate,
        make_expand_fn=lambda *_: lambda point: {"point": point.copy()},
        expanded_dtypes=[np.dtype(np.float64)],
        expanded_shapes=[centre.shape],
        expanded_names=["point"],
        make_initial_point_fn=lambda key: centre + np.random.default_rng(key).uniform(-_JITTER, _JITTER, len(centre)),
    )
    # not blocking, since otherwise an interrupt from the keyboard returns what is there as if it were all
    sampler = nutpie.sample(model, **settings, save_warmup=False, progress_bar=False, blocking=False)
    try:
        trace = sampler.wait()
    except BaseException:
        sampler.cancel()
        raise
    return trace.posterior["point"].to_numpy(), int(trace.sample_stats["diverging"].sum())


def _cut(point: Floats, like: list[Floats]) -> list[Floats]:
    """Arrays of the shapes of others, from a vector in which they follow one another."""
    parts, end = [], 0
    for array in like:
        end += array.size
        parts.append(point[end - array.size : end].reshape(array.shape))
    return parts


def _expand(
    compiled: _Compiled, points: Floats, starts: list[Floats], arrays: list[NDArray[Any]], wanted: Sequence[str]
) -> dict[str, Floats]:
    values: dict[str, Floats] = {}
    for place in np.ndindex(points.shape[:2]):
        for name, value in zip(compiled.names, compiled.expand(*_cut(points[place], starts), *arrays), strict=True):
            if name in wanted:
                values.setdefault(name, np.empty(points.shape[:2] + np.shape(value)))[place] = value
    return values


def _judge(draws: Floats) -> ChainAccuracy:
    from arviz_stats.base import array_stats

    axes = {"chain_axis": 0, "draw_axis": 1}
    with np.errstate(invalid="ignore"):  # for a constant R-hat is 0 / 0
        r_hat = np.asarray(array_stats.rhat(draws, **axes))
    bulk = np.asarray(array_stats.ess(draws, **axes, method="bulk"))
    tail = np.asarray(array_stats.ess(draws, **axes, method="tail", prob=(0.05, 0.95)))
    return ChainAccuracy(r_hat, bulk, tail, np.asarray(array_stats.ess(draws, **axes, method="mean")))
