"""Encoders that take turns, case by case."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from benchmarks.contest import Contestant
from benchmarks.contestants.table import Entry

# Name of the case, and of the entry.
Job = tuple[str, str]


def prepare(
    contestants: Mapping[str, Contestant],
    jobs: Mapping[str, list[Entry]],
    inputs: Mapping[str, Any],
) -> tuple[dict[str, dict[str, dict[str, float]]], dict[Job, np.ndarray]]:
    """Hands out the inputs; returns seconds by case, entry and phase, and outputs by job."""
    phases: dict[str, dict[str, dict[str, float]]] = {}
    outputs = {}
    for name, entries in jobs.items():
        for entry in entries:
            contestant = contestants[entry.kind]
            arguments = (entry.way, name, inputs[name])
            seconds, outputs[name, entry.name] = contestant.take_turn("prepare", *arguments)
            phases.setdefault(name, {})[entry.name] = contestant.phases | seconds
    return phases, outputs


def take_turns(
    contestants: Mapping[str, Contestant],
    jobs: Mapping[str, list[Entry]],
    rounds: int,
    before: Callable[[], None] = lambda: None,
) -> dict[Job, list[float]]:
    """Returns seconds by job, of each round, before which a function is called."""
    seconds = {(name, entry.name): [] for name, entries in jobs.items() for entry in entries}
    for number in range(rounds):
        before()
        for name, entries in jobs.items():
            # Each comes after another in the next round.
            first = number % len(entries)
            for entry in entries[first:] + entries[:first]:
                taken = contestants[entry.kind].take_turn("run", entry.way, name)
                seconds[name, entry.name].append(taken)
    return seconds
