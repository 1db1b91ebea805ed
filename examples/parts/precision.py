"""The option that all examples share which train: whether products are computed in bfloat16."""

import argparse
import pathlib


def add_option(parser: argparse.ArgumentParser) -> None:
    """Adds `--mixed-precision` and `--no-mixed-precision`."""
    automatic = multiplies_bfloat16()
    parser.add_argument(
        "--mixed-precision",
        action=argparse.BooleanOptionalAction,
        default=automatic,
        help="products in bfloat16, weights in float32 (default: on if the CPU has AVX512-BF16 or "
        f"AMX; on this machine: {'on' if automatic else 'off'})",
    )


def multiplies_bfloat16(cpuinfo: pathlib.Path = pathlib.Path("/proc/cpuinfo")) -> bool:
    """Tells whether the processor has instructions for bfloat16, as far as Linux says so."""
    if not cpuinfo.exists():
        return False
    return not {"avx512_bf16", "amx_bf16"}.isdisjoint(cpuinfo.read_text().split())
