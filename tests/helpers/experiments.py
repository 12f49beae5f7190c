"""Small simulated experiments in the published layout.

The agents here share no code with the package: the likelihood is written out once more, with the csv module and NumPy
alone, so that a mistake of a model cannot hide in the data that it is tried on.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

WORDS = ("price", "size", "noise", "light", "distance", "age", "warmth", "storage", "view", "upkeep")


@dataclass(frozen=True)
class Experiment:
    """What was simulated: names, ranges and true weights of each scenario."""

    names: list[str]
    low: list[np.ndarray]
    high: list[np.ndarray]
    weights: dict[str, list[np.ndarray]] = field(default_factory=dict)  # preferences -> weights, -100..100


def simulate(
    n_scenarios: int = 12, n_attributes: Sequence[int] = (5,), seed: int = 1, prefix: str = "scenario"
) -> Experiment:
    """Scenarios with ranges and true weights, the largest of each scenario at 100 or -100."""
    rng = np.random.default_rng(seed)
    names, low, high = [], [], []
    weights: dict[str, list[np.ndarray]] = {"instilled": [], "native": []}
    for i in range(n_scenarios):
        k = n_attributes[i % len(n_attributes)]
        names.append(f"{prefix}_{i:03d}")
        low.append(np.round(rng.uniform(0, 50, k), 1))
        high.append(np.round(low[-1] + rng.uniform(5, 100, k), 1))
        for drawn in weights.values():
            raw = rng.uniform(-1, 1, k)
            drawn.append(np.round(100 * raw / np.abs(raw).max()))
    return Experiment(names, low, high, weights)


def choose(x: np.ndarray, weights: np.ndarray, consistency: float, bias: float, rng: np.random.Generator) -> np.ndarray:
    """Choices of a logit agent from standardised differences x (trials, attributes)."""
    utility = bias + consistency * (x * weights / 100.0).sum(axis=1)
    return np.where(rng.random(len(x)) < 1.0 / (1.0 + np.exp(-utility)), "A", "B")


def write_archive(
    folder: Path,
    experiment: Experiment,
    *,
    base_model: str = "agent-1",
    n_trials: int = 40,
    n_replies: int = 4,
    consistency: float = 6.0,
    bias: float = 0.3,
    noise: dict[str, float] | None = None,
    seed: int = 1,
    shared_files: bool = True,
) -> None:
    """Write an archive in the published layout for one base model."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng([seed, 99])
    noise = noise or {"base": 200.0, "preference-trained": 60.0, "introspection-trained": 25.0}
    width = max(len(low) for low in experiment.low)
    if shared_files:
        _write_scenarios(folder, experiment, width)
        _write_rows(
            folder / "instilled_weights.csv",
            ["scenario", *(f"attr{j + 1}" for j in range(width))],
            [
                [name, *_pad(w.astype(int), width)]
                for name, w in zip(experiment.names, experiment.weights["instilled"], strict=True)
            ],
        )
    for preferences, mark in (("instilled", ""), ("native", "_latent")):
        half = len(experiment.names) // 2
        part = range(half) if preferences == "instilled" else range(half, len(experiment.names))
        _write_decisions(
            folder / f"{base_model}_instilled{mark}_selections.csv",
            experiment,
            preferences,
            part,
            f"ft:{base_model}:preferences",
            (n_trials, consistency, bias, width),
            rng,
        )
        middle = part[len(part) // 2]
        files = {
            f"{base_model}{mark}_weight_reports.csv": ("base", base_model, part),
            f"{base_model}_instilled{mark}_weight_reports.csv": (
                "preference-trained",
                f"ft:{base_model}:preferences",
                part,
            ),
            f"{base_model}_itrained_first_3_of_6_40ex{mark}_weight_reports.csv": (
                "introspection-trained",
                f"ft:{base_model}:first",
                range(middle, part.stop),
            ),
            f"{base_model}_itrained_last_3_of_6_40ex{mark}_weight_reports.csv": (
                "introspection-trained",
                f"ft:{base_model}:last",
                range(part.start, middle),
            ),
        }
        for name, (reporter, model, members) in files.items():
            _write_reports(folder / name, experiment, preferences, members, model, (n_replies, noise[reporter], width), rng)


def _write_scenarios(folder: Path, experiment: Experiment, width: int) -> None:
    slots = range(1, width + 1)
    header = ["scenario", "question"]
    header += [f"attr{j}" for j in slots] + [f"attr{j}_min" for j in slots] + [f"attr{j}_max" for j in slots]
    rows = []
    for i, name in enumerate(experiment.names):
        k = len(experiment.low[i])
        attributes = [WORDS[(i + j) % len(WORDS)] + ("" if j < len(WORDS) else "_2") for j in range(k)]
        row = [name, f"Which {name} would you prefer?", *_pad(attributes, width)]
        rows.append([*row, *_pad(experiment.low[i], width), *_pad(experiment.high[i], width)])
    _write_rows(folder / "scenarios.csv", header, rows)


def _options(
    experiment: Experiment, i: int, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    low, high = experiment.low[i], experiment.high[i]
    a, b = np.round(rng.uniform(low, high, (2, count, len(low))), 1)
    return a, b, (a - b) / (high - low)


def _write_decisions(
    path: Path,
    experiment: Experiment,
    preferences: str,
    part: range,
    model: str,
    settings: tuple[int, float, float, int],
    rng: np.random.Generator,
) -> None:
    n_trials, consistency, bias, width = settings
    header = ["model", "scenario", "selection", *_option_header(width)]
    rows = []
    for i in part:
        a, b, x = _options(experiment, i, n_trials, rng)
        chosen = choose(x, experiment.weights[preferences][i], consistency, bias, rng)
        for t in range(n_trials):
            rows.append([model, experiment.names[i], chosen[t], *_pad(a[t], width), *_pad(b[t], width)])
    _write_rows(path, header, rows)


def _write_reports(
    path: Path,
    experiment: Experiment,
    preferences: str,
    part: range,
    model: str,
    settings: tuple[int, float, int],
    rng: np.random.Generator,
) -> None:
    n_replies, noise, width = settings
    slots = range(1, width + 1)
    header = ["explaining_model", "version", "scenario", *(f"report_attr{j}" for j in slots), *_option_header(width)]
    rows = []
    for i in part:
        a, b, _ = _options(experiment, i, n_replies, rng)
        truth = experiment.weights[preferences][i]
        error = rng.normal(0, noise, len(truth))
        for t in range(n_replies):
            reply = np.clip(np.round(truth + error + rng.normal(0, 15, len(truth))), -100, 100).astype(int)
            row = [model, "simulated", experiment.names[i], *_pad(reply, width)]
            rows.append([*row, *_pad(a[t], width), *_pad(b[t], width)])
    _write_rows(path, header, rows)


def _option_header(width: int) -> list[str]:
    return [f"{side}_attribute_{j}" for side in "AB" for j in range(1, width + 1)]


def _pad(values: Sequence[object] | np.ndarray, width: int) -> list[object]:
    return [*values, *[""] * (width - len(values))]


def _write_rows(path: Path, header: list[str], rows: list[list[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
