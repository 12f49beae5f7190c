"""A formula and a table become design matrices (formulae, the language of Bambi), and nothing is dropped on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from selfinterp_stats.errors import ArgumentError

__all__ = ["Design", "make_design"]

Floats = NDArray[np.float64]

_RANK = 1e-9  # singular values below this share of the largest count as zero, columns scaled to length one
_INTERCEPT = "Intercept"
_TAKEN = ("Intercept", "b", "sd", "sigma", "nu", "chain", "draw")  # names of parameters, and of what draws are labelled by


@dataclass(frozen=True)
class Design:
    """Response and design matrix of a formula.

    Attributes
    ----------
    formula : str
    data : pandas.DataFrame
        The rows, with the columns that the formula names; logical columns are categories False and True, as in R.
    response : str
    y : numpy.ndarray
        Shape (N,).
    names : tuple of str
        Coefficients of the fixed terms, the intercept first where there is one.
    X : numpy.ndarray
        Their columns, (N, P).
    groups : tuple of str
        Group-specific terms, such as ``1|scenario``.
    matrices : formulae.matrices.DesignMatrices
        What the columns are made by for other data.
    """

    formula: str
    data: pd.DataFrame
    response: str
    y: Floats
    names: tuple[str, ...]
    X: Floats
    groups: tuple[str, ...]
    matrices: Any

    @property
    def has_intercept(self) -> bool:
        """Whether the model has an intercept."""
        return _INTERCEPT in self.names

    @property
    def variables(self) -> tuple[str, ...]:
        """Columns of the data that the fixed terms use."""
        used: set[str] = set().union(*(term.var_names for term in self.matrices.common.terms.values()))
        return tuple(column for column in self.data.columns if column in used)

    def evaluate(self, data: pd.DataFrame) -> Floats:
        """Columns of the fixed terms for other values of the variables, (rows, P)."""
        found = self.matrices.common.evaluate_new_data(data).design_matrix
        return np.asarray(found, dtype=np.float64).reshape(len(data), len(self.names))


def make_design(formula: str, data: pd.DataFrame, binary: bool = False) -> Design:
    """Design matrices of a formula.

    Parameters
    ----------
    formula : str
        Such as ``"used_z ~ reported_z * trained + (1 | scenario)"``.
    data : pandas.DataFrame
    binary : bool
        Whether the response has to be False and True, or 0 and 1.

    Raises
    ------
    ArgumentError
        If the formula cannot be read, names what the data do not have, or makes columns that carry no information of
        their own; if a value is missing or infinite; if a group has one row.
    """
    columns, grouping = _read_names(formula, data)
    frame = _prepare(data, columns)
    response = formula.split("~", 1)[0].strip()
    if response in frame and frame[response].isin([False, True]).all():
        frame[response] = frame[response].astype("float64")  # a logical response counts successes
    _check_values(frame)
    _check_groups(frame, grouping)
    _check_levels(frame, grouping)
    matrices = _build(formula, frame)
    _check_offsets(matrices)
    common, y = _take_common(matrices), np.asarray(matrices.response.design_matrix)
    if y.ndim > 1 and y.shape[1] != 1:
        raise ArgumentError(
            "formula",
            expected="a response of one column",
            got=f"{matrices.response.name} with {y.shape[1]} categories",
            remedy="put a numeric column on the left of ~",
        )
    y = np.asarray(y, dtype=np.float64).reshape(-1)
    _check_finite(matrices.response.name, y[:, None], [matrices.response.name])
    _check_finite("the terms", common.to_numpy(), list(common.columns))
    _check_response(matrices.response.name, y, binary)
    names = tuple(common.columns)
    _check_columns(common.to_numpy(), names)
    groups = () if matrices.group is None else tuple(matrices.group.terms)
    return Design(formula, frame, str(matrices.response.name), y, names, common.to_numpy(), groups, matrices)


def _read_names(formula: str, data: pd.DataFrame) -> tuple[list[str], list[tuple[str, ...]]]:
    """Columns that a formula uses and, of these, those that its group-specific terms are grouped by."""
    from formulae import model_description

    if not isinstance(data, pd.DataFrame):
        raise ArgumentError("data", expected="a pandas DataFrame", got=type(data).__name__, remedy="make one of it")
    try:
        model = model_description(formula)
        used = {name for name in model.var_names if name}  # formulae has an empty one for a number
        grouping = {tuple(sorted(term.factor.var_names)) for term in model.group_terms}
    except Exception as error:  # formulae raises whatever comes up while it reads
        raise ArgumentError(
            "formula",
            expected="a formula such as 'used_z ~ reported_z * trained'",
            got=f"{formula!r} ({error})",
            remedy="see the language of formulae, which is that of lme4 and brms",
        ) from error
    if model.response is None:
        raise ArgumentError(
            "formula",
            expected="a response on the left of ~",
            got=repr(formula),
            remedy="write 'used_z ~ reported_z', for example",
        )
    _check_names(model.response.term.name, used, data)
    unknown = sorted(used - set(map(str, data.columns)))
    if unknown:
        raise ArgumentError(
            "formula",
            expected=f"columns of the data ({', '.join(map(str, data.columns))})",
            got=", ".join(unknown),
            remedy="correct the formula or add the columns",
        )
    return [str(column) for column in data.columns if column in used], sorted(grouping)


def _check_names(response: str, used: set[str], data: pd.DataFrame) -> None:
    taken = sorted((used - {response}) & set(_TAKEN))
    if taken:
        raise ArgumentError(
            "formula",
            expected=f"names other than {', '.join(_TAKEN)}, which parameters and draws have",
            got=", ".join(taken),
            remedy="rename the column",
        )
    doubled = sorted({str(name) for name in data.columns[data.columns.duplicated()]} & used)
    if doubled:
        raise ArgumentError(
            "data",
            expected="each column once",
            got=f"{', '.join(doubled)} twice or more",
            remedy="rename or drop one of them",
        )


def _prepare(data: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """A copy in which every column is of numbers or categories."""
    if not len(data):
        raise ArgumentError("data", expected="rows", got="none", remedy="check how the table was made")
    frame = data[list(columns)].reset_index(drop=True)
    for column in columns:
        values = frame[column]
        if isinstance(values.dtype, pd.CategoricalDtype):
            frame[column] = values.cat.remove_unused_categories()
        elif pd.api.types.is_bool_dtype(values.dtype):
            frame[column] = pd.Categorical(values, categories=[v for v in (False, True) if (values == v).any()])
        elif not pd.api.types.is_numeric_dtype(values.dtype):
            frame[column] = pd.Categorical(values, categories=sorted(values.dropna().unique(), key=str))
        else:
            frame[column] = values.astype("float64")
    return frame


def _check_values(frame: pd.DataFrame) -> None:
    found = []
    for column in frame.columns:
        missing = frame[column].isna()
        if not isinstance(frame[column].dtype, pd.CategoricalDtype):
            missing = missing | np.isinf(frame[column].to_numpy(dtype=np.float64))
        rows = np.flatnonzero(missing)
        if len(rows):
            listed = ", ".join(map(str, rows[:5])) + (", ..." if len(rows) > 5 else "")
            found.append(f"{len(rows)} in {column} (rows {listed})")
    if found:
        raise ArgumentError(
            "data",
            expected="neither missing nor infinite values",
            got="; ".join(found),
            remedy="drop these rows yourself, so that it is known what was left out",
        )


def _check_groups(frame: pd.DataFrame, grouping: Sequence[tuple[str, ...]]) -> None:
    for columns in grouping:
        column = ":".join(columns)
        keys = frame[list(columns)].astype(str).agg(":".join, axis=1)
        counts = keys.value_counts()
        single = sorted(map(str, counts.index[counts == 1]))
        if single:
            raise ArgumentError(
                "formula",
                expected=f"at least two rows of every {column}",
                got=f"one row of {', '.join(single[:5])}{', ...' if len(single) > 5 else ''}",
                remedy="leave these groups out, or take the group-specific term out",
            )
        if len(counts) == 1:
            raise ArgumentError(
                "formula",
                expected=f"at least two groups of {column}",
                got=f"{counts.index[0]!r} alone",
                remedy="take the group-specific term out",
            )


def _check_levels(frame: pd.DataFrame, grouping: Sequence[tuple[str, ...]]) -> None:
    """Factors of one level make no column at all, and would go unnoticed."""
    apart = {name for names in grouping for name in names}
    factors = [
        name for name in map(str, frame.columns) if isinstance(frame[name].dtype, pd.CategoricalDtype) and name not in apart
    ]
    single = [name for name in factors if len(frame[name].cat.categories) == 1]
    if single:
        raise _constant(single)


def _constant(names: Sequence[str]) -> ArgumentError:
    return ArgumentError(
        "formula",
        expected="terms that vary",
        got=f"{', '.join(names)}, the same in every row",
        remedy="take the term out; a factor of one level has no effect to estimate",
    )


def _build(formula: str, frame: pd.DataFrame) -> Any:
    from formulae import design_matrices

    try:
        with np.errstate(divide="ignore", invalid="ignore"):  # what is not finite is named below
            return design_matrices(formula, frame, na_action="error")
    except Exception as error:
        raise ArgumentError(
            "formula",
            expected="terms that can be computed from the data",
            got=f"{formula!r} ({type(error).__name__}: {error})",
            remedy="check the functions (np.log, not log) and the types of the columns",
        ) from error


def _check_offsets(matrices: Any) -> None:
    terms = {} if matrices.common is None else matrices.common.terms
    offsets = [name for name, term in terms.items() if term.kind == "offset"]
    if offsets:
        raise ArgumentError(
            "formula",
            expected="terms with coefficients",
            got=", ".join(offsets),
            remedy="subtract it from the response in the table",
        )


def _check_finite(what: str, values: Floats, names: Sequence[str]) -> None:
    wrong = [name for name, column in zip(names, values.T, strict=True) if not np.isfinite(column).all()]
    if wrong:
        raise ArgumentError(
            "formula",
            expected=f"finite values of {what} in every row",
            got=f"others in {', '.join(wrong)}",
            remedy="look where the function is not defined, as a logarithm of zero",
        )


def _take_common(matrices: Any) -> pd.DataFrame:
    if matrices.common is None:
        raise ArgumentError(
            "formula",
            expected="at least one fixed term",
            got="group-specific terms only",
            remedy="leave the intercept in, for example",
        )
    return pd.DataFrame(matrices.common.as_dataframe(), dtype=np.float64)


def _check_response(name: str, y: Floats, binary: bool) -> None:
    if binary and not np.isin(y, (0.0, 1.0)).all():
        raise ArgumentError(
            "formula",
            expected=f"{name} of 0 and 1, or False and True, for family='bernoulli'",
            got=", ".join(f"{value:g}" for value in np.unique(y)[:5]),
            remedy="recode it, or choose another family",
        )
    if not binary and np.ptp(y) == 0:
        raise ArgumentError(
            "formula",
            expected="a response that varies",
            got=f"{name} with {y[0]:g} in every row",
            remedy="check how the table was made",
        )


def _check_columns(X: Floats, names: Sequence[str]) -> None:
    constant = [name for name, column in zip(names, X.T, strict=True) if name != _INTERCEPT and np.ptp(column) == 0]
    if constant and (_INTERCEPT in names or len(constant) > 1):
        raise _constant(constant)
    length = np.sqrt(np.square(X).sum(axis=0))
    _, singular, directions = np.linalg.svd(X / np.where(length > 0, length, 1.0), full_matrices=False)
    if len(X) < X.shape[1] or singular[-1] <= _RANK * singular[0]:
        involved = [name for name, part in zip(names, directions[-1], strict=True) if abs(part) > 1e-6]
        raise ArgumentError(
            "formula",
            expected="columns none of which follows from the others",
            got=f"collinear {', '.join(involved)}" if len(X) >= X.shape[1] else f"{len(names)} columns, {len(X)} rows",
            remedy="take one of them out",
        )
