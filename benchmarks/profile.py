"""The time of a call by kind of operation, compared with that of matrix products alone.

    python -m benchmarks.profile [--write] [--small]

TensorFlow's profiler times the operations of an encoder with fresh weights, one operation after the
other on all cores. The floor is the time of the matrix products of real tokens at the rate of
TensorFlow's fastest matrix product. `--write` saves the report in `benchmarks/RESULTS.md`;
`--small` uses a tiny encoder. Needs no peers.
"""

import argparse
import collections
import pathlib
import re
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from tensorflow.tsl.profiler.protobuf import xplane_pb2

from benchmarks.contest import cores
from benchmarks.contestants.keras_step import keras_step
from benchmarks.contestants.ours import Ceiling, to_tensors
from benchmarks.contestants.training import CLASSES, labels_of
from benchmarks.report import circumstances, table, write_section
from benchmarks.workloads import SIZES, make_case, operations
from keras_bert_zh import BertConfig, BertEncoder

CALLS = (("8x128 full", "float32"), ("8x128 full", "bfloat16"), ("32x128 real", "bfloat16"))
STEPS = (("32x128 real", "float32"), ("32x128 real", "mixed_bfloat16"))
REPEATS = 3
SHOWN = 9
# A step computes each product of the forward pass, and two of its size for the gradients.
_PRODUCTS_OF_A_STEP = 3
# What they do is listed beside them.
_AROUND_OTHERS = re.compile(r"(Stateful)?PartitionedCall|_Arg|_Retval|NoOp")
_OPERATION = re.compile(r"[^:\s]+:([A-Za-z_]\w*)")


class Profile(NamedTuple):
    """What a call was made of.

    Args:
        title: of the call.
        seconds: of the call, without the profiler; the median.
        by_kind: seconds and number of operations by kind, of one call.
        floor: seconds that the matrix products would take.
    """

    title: str
    seconds: float
    by_kind: dict[str, tuple[float, float]]
    floor: float


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--write", action="store_true", help="save the results in RESULTS.md")
    parser.add_argument("--small", action="store_true", help="use a tiny encoder")
    options = parser.parse_args(arguments)
    if options.small and options.write:
        parser.error("--write keeps results of full size: leave --small out.")
    # Operations side by side would count twice.
    tf.config.threading.set_inter_op_parallelism_threads(1)
    report = show(measure(SIZES["small" if options.small else "base"]))
    print(report)
    if options.write:
        write_section("Profile", report)


def measure(sizes: dict[str, int]) -> list[Profile]:
    """Profiles all calls and steps."""
    ceiling = Ceiling("")
    config = BertConfig(**sizes)
    profiles = []
    for name, dtype in CALLS:
        call, case = _make_call(config, name, dtype), make_case(name)
        floor = operations(case.lengths, config.to_dict(), sequence=True) / ceiling.run(dtype)
        profiles.append(_profile(f"hidden states of {name}, {dtype}", call, floor))
    for name, dtype in STEPS:
        step, case = _make_step(config, name, dtype), make_case(name)
        work = operations(case.lengths, config.to_dict(), sequence=False) * _PRODUCTS_OF_A_STEP
        floor = work / ceiling.run(dtype.removeprefix("mixed_"))
        profiles.append(_profile(f"a step of fine-tuning, {name}, {dtype}", step, floor))
    return profiles


def show(profiles: list[Profile]) -> str:
    """Returns the report as Markdown."""
    parts = [
        f"""\
`python -m benchmarks.profile`: an encoder of fresh weights on {cores()} core(s), by kind of
operation, of one call; the operations of a call come one after the other. The floor is what the
matrix products of real tokens take at the rate of TensorFlow's best matrix product.""",
        circumstances(("tensorflow", "keras", "numpy")),
    ]
    for profile in profiles:
        parts.append(
            f"**{profile.title}: {profile.seconds * 1000:,.0f} ms; the floor is "
            f"{profile.floor * 1000:,.0f} ms, a share of {profile.floor / profile.seconds:.2f}.**"
        )
        parts.append(table(("operation", "ms", "share", "number"), _rows(profile.by_kind)))
    return "\n\n".join(parts)


def _rows(by_kind: dict[str, tuple[float, float]]) -> list[tuple[str, ...]]:
    total = sum(seconds for seconds, _ in by_kind.values())
    ordered = sorted(by_kind.items(), key=lambda item: -item[1][0])
    rest = [found for _, found in ordered[SHOWN:]]
    others = (f"{len(rest)} other kinds", tuple(map(sum, zip(*rest, strict=True))) or (0.0, 0.0))
    return [
        (kind, f"{seconds * 1000:,.1f}", f"{seconds / total:.1%}", f"{number:,.0f}")
        for kind, (seconds, number) in [*ordered[:SHOWN], others]
    ]


def _make_call(config: BertConfig, name: str, dtype: str) -> Callable[[], Any]:
    encoder = BertEncoder(None, config=config, dtype=dtype, output_key="sequence_output")
    function, inputs = tf.function(encoder), to_tensors(make_case(name).inputs)
    return lambda: function(inputs)


def _make_step(config: BertConfig, name: str, dtype: str) -> Callable[[], Any]:
    encoder = BertEncoder(None, config=config, dtype=dtype)
    model = keras.Sequential([encoder, keras.layers.Dense(CLASSES, dtype=dtype)])
    inputs = make_case(name).inputs
    return keras_step(model, inputs, labels_of(inputs))


def _profile(title: str, call: Callable[[], Any], floor: float) -> Profile:
    for _ in range(2):
        call()
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return Profile(title, float(np.median(seconds)), _by_kind(call), floor)


def count_kinds(call: Callable[[], Any]) -> dict[str, float]:
    """Returns how many operations of each kind a call runs, after TensorFlow's optimisations."""
    call()
    return {kind: number for kind, (_, number) in _by_kind(call).items()}


def _by_kind(call: Callable[[], Any]) -> dict[str, tuple[float, float]]:
    with tempfile.TemporaryDirectory() as place:
        with tf.profiler.experimental.Profile(place):
            for _ in range(REPEATS):
                call()
        (path,) = pathlib.Path(place).rglob("*.xplane.pb")
        space = xplane_pb2.XSpace.FromString(path.read_bytes())
    seconds, numbers = collections.Counter(), collections.Counter()
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                match = _OPERATION.fullmatch(plane.event_metadata[event.metadata_id].name)
                if match and not _AROUND_OTHERS.match(match[1]):
                    seconds[match[1]] += event.duration_ps / 1e12 / REPEATS
                    numbers[match[1]] += 1 / REPEATS
    return {kind: (seconds[kind], numbers[kind]) for kind in seconds}


if __name__ == "__main__":
    main()
