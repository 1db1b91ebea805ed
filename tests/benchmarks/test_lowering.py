"""benchmarks/lowering.py: what runs on GPUs and TPUs is lowered for them without one."""

import re

import pytest

from tests.process import run_python

pytestmark = pytest.mark.slow


def test_forward_and_training_step_are_lowered_for_gpus_and_tpus():
    """In both precisions, with padding and with several texts in a row; nothing is a CPU's."""
    printed = run_python(
        """
import jax, jax.export, re
from benchmarks.lowering import DTYPES, PLATFORMS, forward, rows_of, training_step
from benchmarks.workloads import SIZES
from keras_bert_zh import BertConfig, BertEncoder

config = BertConfig(**SIZES["small"])
for dtype, policy in DTYPES.items():
    for make in (forward, training_step):
        for texts in (None, 8):
            function, state = make(BertEncoder(None, config=config, dtype=policy))
            for platform in PLATFORMS:
                exported = jax.export.export(jax.jit(function), platforms=(platform,))
                module = exported(*state, rows_of(4, texts)).mlir_module()
                kinds = re.findall(r"dot_general.*-> tensor<[0-9x]*x(\\w+)>", module)
                calls = sorted(set(re.findall(r"custom_call @(\\w+)", module)))
                print(dtype, make.__name__, texts, platform, len(kinds), sorted(set(kinds)), calls)
""",
        KERAS_BACKEND="jax",
    )
    lines = printed.splitlines()
    assert len(lines) == 16
    for line in lines:
        dtype, name, _, platform, products, kinds, calls = re.fullmatch(
            r"(\w+) (\w+) (\w+) (\w+) (\d+) \[(.*?)\] \[(.*?)\]", line
        ).groups()
        # Of a block six, two of attention, and the pooler; thrice as many with gradients.
        assert int(products) >= 9 * (2 if name == "training_step" else 1), line
        assert kinds == ("'bf16'" if dtype == "bfloat16" else "'f32'"), line
        allowed = {"'cu_threefry2x32_ffi'"} if platform == "cuda" else set()
        assert set(filter(None, calls.split(", "))) <= allowed, line


def test_rows_of_several_texts_take_fewer_operations():
    report = run_python(
        """
from benchmarks.lowering import show_packed
from benchmarks.workloads import SIZES
from keras_bert_zh import BertConfig
print(show_packed(BertConfig(**SIZES["small"])))
""",
        KERAS_BACKEND="jax",
    )
    rows = [line.split(" | ") for line in report.splitlines() if line.startswith("| 1,024 reviews")]
    assert len(rows) == 2
    for row in rows:
        assert float(row[2].rstrip("%")) > 95  # Rows are full,
        assert float(row[3]) > 2  # hold several texts,
        assert float(row[-1].split()[0]) > 1.4  # and take fewer operations, of a small model.
