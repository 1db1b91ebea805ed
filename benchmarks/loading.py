"""Seconds and peak memory to load a full-size checkpoint into an encoder.

    python -m benchmarks.loading [PATH ...]

Writes fresh weights of BERT-base with the Chinese vocabulary in every format that the package
writes, and in every kind of file that a Hugging Face folder may have, and reads them back. You can
add paths of other full-size checkpoints. Each is read in its own process, five times in turns, from
a warm disk cache. Linux only.
"""

import argparse
import dataclasses
import json
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator

import numpy as np

from benchmarks.report import circumstances, table, write_section
from benchmarks.weight_writers import write_others
from keras_bert_zh import (
    BertConfig,
    BertEncoder,
    BertPreprocess,
    Checkpoint,
    load_checkpoint,
    save_checkpoint,
)
from keras_bert_zh.export.checkpoint import FORMATS

ROUNDS = 5
DATA = pathlib.Path(__file__).parents[1] / "tests" / "fixtures"
VERSIONS = ("tensorflow", "keras", "safetensors", "h5py", "msgpack", "numpy")
_MIB = 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", metavar="PATH", nargs="*", help="other full-size checkpoints")
    parser.add_argument("--once", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.once:
        print(json.dumps(measure(arguments.paths[0])))
        return
    with tempfile.TemporaryDirectory() as place:
        names = _write_all(pathlib.Path(place)) | dict.fromkeys(arguments.paths)
        replies = {path: [] for path in names}
        for _ in range(ROUNDS):
            for path in names:
                replies[path].append(_in_a_process(path))
    rows = [_row(names[path], measured) for path, measured in replies.items()]
    body = f"""\
`python -m benchmarks.loading`: BERT-base, vocabulary 21,128, from the files to a `BertEncoder`.
Each in a process of its own, {ROUNDS} rounds in turns, warm disk cache; median (range). Peak memory
is what is added to the process at most, over the size of the weights.

{circumstances(VERSIONS)}

{table(("format", "tensors", "seconds", "peak memory / weights"), rows)}

{_differences()}"""
    write_section("Loading", body)
    print(body)


def measure(path: str) -> dict[str, object]:
    """Builds an encoder from a checkpoint in this process, which has built a small one before."""
    sizes = {"vocab_size": 99, "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    BertEncoder(None, config=BertConfig(**sizes, intermediate_size=64))
    before, peak, done = _memory(), [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.002):
            peak[0] = max(peak[0], _memory())

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    start = time.perf_counter()
    encoder = BertEncoder(path)
    seconds = time.perf_counter() - start
    done.set()
    watcher.join()
    size = sum(4 * np.prod(weight.shape) for weight in encoder.named_variables().values())
    checkpoint = load_checkpoint(path)
    return {
        "format": checkpoint.format,
        "tensors": len(checkpoint.weights),
        "seconds": seconds,
        "peak": (max(peak[0], _memory()) - before) / float(size),
        "mebibytes": float(size) / _MIB,
    }


def _memory() -> int:
    pages = pathlib.Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * 4096


def _write_all(place: pathlib.Path) -> dict[str, str | None]:
    """Returns the paths, and what to call each if its format does not tell."""
    encoder = BertEncoder(None, config=BertConfig())
    preprocess = BertPreprocess(None)
    written: dict[str, str | None] = {}
    for format in FORMATS:
        save_checkpoint(encoder, place / format, format, preprocess=preprocess)
        written[str(place / format)] = None
        if format == "huggingface":
            others = write_others(place / format)
            written |= {str(path): f"Hugging Face folder ({name})" for name, path in others.items()}
    return written


def _in_a_process(path: str) -> dict[str, object]:
    command = [sys.executable, "-m", "benchmarks.loading", "--once", path]
    result = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(result.stdout.splitlines()[-1])


def _row(name: str | None, measured: list[dict[str, object]]) -> tuple[str, ...]:
    def spread(key: str) -> str:
        values = [reply[key] for reply in measured]
        return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"

    first = measured[0]
    return name or first["format"], str(first["tensors"]), spread("seconds"), spread("peak")


def _differences() -> str:
    with np.load(DATA / "tiny_golden.npz") as golden:
        inputs = {name: golden[name] for name in ("input_ids", "input_mask", "segment_ids")}
        rows = []
        for checkpoint in _tiny():
            outputs = BertEncoder(checkpoint, padding_free=False)(inputs, as_dict=True)
            largest = [np.abs(outputs[key] - golden[key]).max() for key in outputs]
            missing = ", ".join(checkpoint.missing) or "nothing"
            rows.append((checkpoint.format, *(f"{value:.1e}" for value in largest), missing))
    header = ("format", "`pooled_output`", "`sequence_output`", "not in the files")
    return (
        "Largest difference to the original TF1 graph, with one set of random weights that the\n"
        f"tools of each format wrote (2 layers, hidden size 32):\n\n{table(header, rows)}"
    )


def _tiny() -> Iterator[Checkpoint]:
    """Yields one set of random weights in every format and kind of file."""
    for folder in sorted(DATA.glob("tiny_*/")):
        yield load_checkpoint(folder)
    for file in sorted((DATA / "weight_files").iterdir()):
        with tempfile.TemporaryDirectory() as place:
            for name in ("config.json", "vocab.txt"):
                shutil.copy(DATA / "tiny_huggingface" / name, place)
            shutil.copy(file, pathlib.Path(place, file.name.replace("_before_1.6", "")))
            yield dataclasses.replace(
                load_checkpoint(place), format=f"Hugging Face folder ({file.name})"
            )


if __name__ == "__main__":
    main()
