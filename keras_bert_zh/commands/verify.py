"""`verify A B`: checks whether two checkpoints are the same model.

It compares the outputs of the encoders, and the weights and the labels of the heads.
"""

import argparse

import numpy as np
from rich.console import Console
from rich.table import Table

from keras_bert_zh.arguments import check_int, check_number
from keras_bert_zh.checkpoints import Checkpoint, load_checkpoint
from keras_bert_zh.checkpoints.assign import ignoring_pooler
from keras_bert_zh.checkpoints.names import HEADS, part_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("first", metavar="A", help="a path or a URL, as for load_checkpoint")
    parser.add_argument("second", metavar="B", help="the other checkpoint")
    parser.add_argument(
        "--tolerance",
        type=float,
        default=1e-5,
        help="the largest difference of outputs that counts as equal (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=0, help="the seed of the random inputs")


def run(arguments: argparse.Namespace) -> int:
    check_number("--tolerance", arguments.tolerance, 0)
    check_int("--seed", arguments.seed, 0)
    first, second = load_checkpoint(arguments.first), load_checkpoint(arguments.second)
    sizes = (
        "vocab_size",
        "hidden_size",
        "max_position_embeddings",
        "type_vocab_size",
        "task_type_vocab_size",
    )
    for size in sizes:
        values = [getattr(checkpoint.config, size) for checkpoint in (first, second)]
        if values[0] != values[1]:
            raise ValueError(
                f"{arguments.first} has {size}={values[0]} and {arguments.second} has "
                f"{size}={values[1]}: the outputs of these models can't be compared."
            )
    inputs = random_inputs(first, arguments.seed)
    differences = _differences(_outputs(first, inputs), _outputs(second, inputs), inputs)
    differences |= _differences_of_heads(first, second)
    same = {
        name: getattr(first, name) == getattr(second, name)
        for name in ("vocabulary", "lowercase", "head", "pooling")
        if None not in (getattr(first, name), getattr(second, name))
    }
    alone = {
        name: "only in B" if name in first.missing else "only in A"
        for name in sorted({*first.missing} ^ {*second.missing})
    }
    for name in ("head", "pooling"):
        lacks = [getattr(checkpoint, name) is None for checkpoint in (first, second)]
        if lacks[0] != lacks[1]:
            alone[name] = "only in B" if lacks[0] else "only in A"
    Console().print(_table(differences, same, alone, arguments.tolerance))
    close = all(difference <= arguments.tolerance for difference in differences.values())
    # A format that has no lowercase flag, or no place for a pooling, is no other model.
    alone_may_be = {"lowercase", "pooling"}
    return 0 if close and all(same.values()) and not alone.keys() - alone_may_be else 1


def random_inputs(checkpoint: Checkpoint, seed: int) -> dict[str, np.ndarray]:
    """Returns rows of all lengths up to 64 positions, of all segments and task types."""
    config = checkpoint.config
    generator = np.random.default_rng(seed)
    length = min(64, config.max_position_embeddings)
    shape = (8, length)
    lengths = np.linspace(1, length, shape[0]).astype("int32")
    inputs = {
        "input_ids": generator.integers(0, config.vocab_size, shape, "int32"),
        "input_mask": (np.arange(length) < lengths[:, None]).astype("int32"),
        "segment_ids": generator.integers(0, config.type_vocab_size, shape, "int32"),
    }
    if config.task_type_vocab_size:
        inputs["task_type_ids"] = generator.integers(0, config.task_type_vocab_size, shape, "int32")
    return inputs


def _outputs(checkpoint: Checkpoint, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    from keras_bert_zh.encoder import BertEncoder

    with ignoring_pooler():  # It is not compared then.
        encoder = BertEncoder(checkpoint)
    outputs = encoder(inputs, as_dict=True)
    wanted = {"sequence_output"} if "pooler" in checkpoint.missing else outputs.keys()
    return {name: np.asarray(outputs[name]) for name in sorted(wanted)}


def _differences(first: dict, second: dict, inputs: dict) -> dict[str, float]:
    found = {}
    for name in first.keys() & second.keys():
        difference = np.abs(first[name] - second[name])
        if name == "sequence_output":  # What stands in padding has no meaning.
            difference *= inputs["input_mask"][:, :, None]
        found[name] = float(difference.max())
    return found


def _differences_of_heads(first: Checkpoint, second: Checkpoint) -> dict[str, float]:
    """Returns the largest difference of weights of each head that both have."""
    found: dict[str, float] = {}
    for name in first.weights:
        head = part_of(name)
        if head in HEADS and name in second.weights:
            difference = _largest(first.weights[name], second.weights[name])
            found[head] = max(found.get(head, 0.0), difference, key=_nan_first)
    return found


def _largest(one: np.ndarray, other: np.ndarray) -> float:
    # Classifiers may have different numbers of labels.
    return float(np.abs(one - other).max()) if one.shape == other.shape else np.inf


def _nan_first(difference: float) -> float:
    return np.inf if np.isnan(difference) else difference


def _table(
    differences: dict[str, float], same: dict[str, bool], alone: dict[str, str], tolerance: float
) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("compared")
    table.add_column("largest difference", justify="right")
    table.add_column("")
    for name, difference in sorted(differences.items()):
        table.add_row(name, f"{difference:.2g}", "same" if difference <= tolerance else "DIFFERENT")
    for name, equal in same.items():
        table.add_row(name, "", "same" if equal else "DIFFERENT")
    for name, where in alone.items():
        table.add_row(name, "", where)
    return table
