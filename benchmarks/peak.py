"""The highest rate of requests that a server answers in time."""

import math
from collections.abc import Callable

from benchmarks.load import Run

# Seconds that 99 of 100 requests may take at most.
LIMIT = 1.0
# Bisecting ends where the rate that failed is at most so many times the one that held.
CLOSE = 1.1
# Requests of a run: of fewer, the 99th percentile is the longest text alone.
FEWEST = 100
# Halving ends here; a run of so few requests a second would take minutes.
_LEAST = 0.5


def holds(run: Run) -> bool:
    """Returns whether all requests were answered, and 99 of 100 in time."""
    return not run.failed and run.percentile(0.99) < LIMIT


def find_peak(measure: Callable[[float], Run], rate: float) -> Run | None:
    """Doubles a rate until it fails twice, then bisects between the last two.

    Args:
        measure: returns the run at a rate.
        rate: the first one; it is halved until one holds.

    Returns:
        The run at the highest rate that held, or `None` if none did.
    """
    best, failed = None, math.inf
    while best is None or failed > CLOSE * best.rate:
        run = measure(rate)
        if not holds(run):  # It may have been bad luck: nothing lower is searched then.
            run = measure(rate)
        if holds(run):
            best = run
        else:
            failed = rate
        if best is None:
            rate /= 2
            if rate < _LEAST:
                return None
        else:
            rate = 2 * rate if failed == math.inf else math.sqrt(best.rate * failed)
    return best
