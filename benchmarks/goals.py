"""The goals of the package next to the measured results."""

from collections.abc import Iterable
from typing import NamedTuple

from benchmarks.contest import Spread
from benchmarks.report import table
from benchmarks.workloads import TEXT_CASE


class Goal(NamedTuple):
    """A figure to reach.

    Args:
        what: what is compared.
        case: with which inputs.
        must: what has to be reached.
        aim: what should be.
        at_most: whether less is better.
    """

    what: str
    case: str
    must: float
    aim: float
    at_most: bool = False

    def verdict(self, measured: Spread | None) -> str:
        """Returns what the median reaches."""
        if measured is None:
            return "not measured"
        sign = -1 if self.at_most else 1
        if sign * measured.median >= sign * self.aim:
            return "aim reached"
        return "reached" if sign * measured.median >= sign * self.must else "missed"


class RatioGoal(NamedTuple):
    """A goal for seconds of a peer over ours, by their names among the contestants."""

    goal: Goal
    ours: str
    peer: str


ENCODER = tuple(
    RatioGoal(Goal(f"{ours} against {peer}", case, must, aim), f"ours {ours}", peer)
    for ours, peer, case, must, aim in (
        ("float32", "Keras Hub jit float32", "32x128 real", 2.7, 3.0),
        ("float32", "ONNX Runtime float32", "8x512 real", 3.5, 4.0),
        ("float32", "Keras Hub jit float32", "8x128 full", 0.95, 1.05),
        ("bfloat16", "OpenVINO bfloat16", "32x128 real", 2.1, 3.0),
        ("bfloat16", "OpenVINO bfloat16", "8x512 real", 2.5, 3.0),
        ("bfloat16", "OpenVINO bfloat16", "8x128 full", 0.85, 1.0),
        ("bfloat16", "OpenVINO bfloat16", "1x16", 0.45, 1.0),
        ("bfloat16, SavedModel", "OpenVINO bfloat16", "1x16", 0.45, 1.0),
    )
)
_ENGINES = (
    ("ONNX Runtime float32", (2.6, 3.6), (3.2, 4.3)),
    ("ONNX Runtime int8", (2.6, 3.6), (3.2, 4.3)),
    ("OpenVINO bfloat16", (2.5, 3.3), (3.0, 4.0)),
    ("OpenVINO int8", (3.2, 4.1), (3.8, 5.0)),
)
REAL, FULL = ("32x128 real", "8x512 real"), ("1x16", "8x128 full")
ENGINES = tuple(
    RatioGoal(Goal(name, case, *goal), f"{name}, ours", f"{name}, usual")
    for name, must, aim in _ENGINES
    for case, *goal in (
        *zip(REAL, must, aim, strict=True),
        *((case, 0.95, 1.1) for case in FULL),
    )
)
BEST = tuple(
    Goal("best of ours against the best of the usual ones", case, must, aim)
    for case, must, aim in zip(REAL, (3.2, 4.1), (3.8, 5.0), strict=True)
)
BEST_AGAINST_BFLOAT16 = tuple(
    RatioGoal(
        Goal("best of ours against OpenVINO bfloat16", case, must, aim),
        "",
        "OpenVINO bfloat16, usual",
    )
    for case, must, aim in zip(REAL, (4.5, 5.8), (5.5, 7.0), strict=True)
)
BEST_INT8 = tuple(
    Goal("best int8 of ours against the best usual int8", case, must, 1.3)
    for case, must in zip(FULL, (0.95, 1.1), strict=True)
)
TEXT = RatioGoal(
    Goal("float32 from text against Keras Hub's preprocessor and backbone", TEXT_CASE, 2.5, 4.0),
    "ours float32",
    "Keras Hub jit float32",
)
CEILING_CASE = "8x128 full"
CEILING = {
    "float32": Goal("share of the ceiling, float32", CEILING_CASE, 0.85, 0.92),
    "bfloat16": Goal("share of the ceiling, bfloat16", CEILING_CASE, 0.7, 0.85),
}

FINETUNE_CASE = "32x128 real"
FINETUNE = tuple(
    RatioGoal(
        Goal(f"fine-tuning, {ours} against {peer}", FINETUNE_CASE, must, aim), f"ours {ours}", peer
    )
    for ours, peer, must, aim in (
        ("float32", "Keras Hub jit float32", 3.0, 4.0),
        ("mixed_bfloat16", "PyTorch bfloat16 autocast", 2.5, 3.5),
        ("mixed_bfloat16", "Keras Hub jit mixed_bfloat16", 2.5, 3.5),
    )
)
MEMORY = tuple(
    RatioGoal(
        Goal(f"peak memory, {ours} over {peer}", FINETUNE_CASE, 0.55, 0.35, at_most=True),
        f"ours {ours}",
        peer,
    )
    for ours, peer in (
        ("float32", "Keras Hub jit float32"),
        ("float32, `remat=True`", "Keras Hub jit float32"),
        ("mixed_bfloat16", "Keras Hub jit mixed_bfloat16"),
        ("mixed_bfloat16, `remat=True`", "Keras Hub jit mixed_bfloat16"),
    )
)


def goals_table(measured: Iterable[tuple[Goal, Spread | None]]) -> str:
    """Returns a Markdown table of goals and what was measured for them."""
    rows = [
        (
            goal.what,
            goal.case,
            f"{goal.must:g}",
            f"{goal.aim:g}",
            "" if spread is None else spread.show(".2f"),
            goal.verdict(spread),
        )
        for goal, spread in measured
    ]
    return table(("goal", "case", "must", "aim", "measured", ""), rows)
