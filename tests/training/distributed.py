"""Trains small models on JAX, on one device, as one of two hosts, or with weights split.

    KERAS_BACKEND=jax python -m tests.training.distributed WAY FOLDER PROCESS ADDRESS

Prints JSON. It is run by `test_hosts.py`.
"""

import contextlib
import json
import pathlib
import sys

import jax
import keras
import numpy as np
from safetensors.numpy import load_file, save_file

from keras_bert_zh import (
    BertConfig,
    BertEncoder,
    MaskedLM,
    TextClassifier,
    TrainingState,
    adamw,
    layout_map,
)

CONFIG = BertConfig(
    vocab_size=53,
    hidden_size=16,
    num_hidden_layers=1,
    num_attention_heads=4,
    intermediate_size=24,
    max_position_embeddings=11,
    hidden_dropout_prob=0.0,
    attention_probs_dropout_prob=0.0,
)
HOSTS = 2
STEPS = 4


def main(way, folder, process=0, address=""):
    hosts, process = HOSTS if way == "hosts" else 1, int(process)
    if hosts > 1:
        keras.distribution.initialize(address, hosts, process)
    with scope_of(way):
        kinds = (TextClassifier, MaskedLM)
        losses = {kind.__name__: trained(kind, hosts, process)[1] for kind in kinds}
        found = {"losses": losses, "split": split(), "devices": jax.device_count()}
        if way != "layout":
            found["resumed"] = resumed(pathlib.Path(folder) / way, hosts, process)
    print(json.dumps(found))


def scope_of(way):
    distribution = keras.distribution
    if way == "hosts":
        return distribution.DataParallel(auto_shard_dataset=False).scope()
    if way == "layout":
        mesh = distribution.DeviceMesh((2, 4), ["batch", "model"])
        return distribution.ModelParallel(layout_map=layout_map(mesh)).scope()
    return contextlib.nullcontext()


def data_of(kind, hosts, process):
    """This host's share of what all learn from: every other row, as of lines of a file."""
    rng = np.random.default_rng(0)
    ids = rng.integers(0, 53, (8 * STEPS, 11)).astype("int32")
    mask = np.int32(np.arange(11) < rng.integers(2, 12, (8 * STEPS, 1)))
    inputs, labels = {"input_ids": ids, "input_mask": mask}, np.arange(8 * STEPS) % 2
    if kind is MaskedLM:
        inputs["mlm_positions"], labels = np.int32([[0, 1]] * 8 * STEPS), ids[:, :2]
    share = slice(process, None, hosts)
    return {name: values[share] for name, values in inputs.items()}, labels[share]


def made(kind):
    keras.utils.set_random_seed(0)
    encoder = BertEncoder(None, config=CONFIG)
    model = MaskedLM(encoder) if kind is MaskedLM else TextClassifier(encoder, ["a", "b"])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(adamw(0.01, STEPS, warmup=0), loss)
    return model


def trained(kind, hosts, process, *callbacks, model=None, steps=slice(None)):
    """Returns a model and the loss of each step."""
    model = model or made(kind)
    inputs, labels = data_of(kind, hosts, process)
    size, losses = 8 // hosts, []
    for step in range(STEPS)[steps]:
        rows = slice(step * size, (step + 1) * size)
        batch = {name: values[rows] for name, values in inputs.items()}, labels[rows]
        history = model.fit(*batch, batch_size=size, verbose=0, callbacks=[*callbacks]).history
        losses += history["loss"]
    return model, losses


def split():
    """What share of some weights a device has."""
    model = made(TextClassifier)
    model.optimizer.build(model.trainable_variables)
    block = model.encoder.blocks[0]
    variables = {
        "query": block.attention.query.kernel,
        "outer": block.feed_forward.outer.kernel,
        "words": model.encoder.embeddings.word.embeddings,
        "classifier": model.classifier.kernel,
        "norm": block.attention_norm.gamma,
    }
    index = model.optimizer._get_variable_index(block.attention.query.kernel)
    variables["momentum"] = model.optimizer._momentums[index]
    return {
        name: np.prod(value.sharding.shard_shape(value.shape)) / value.size
        for name, value in ((name, variable.value) for name, variable in variables.items())
    }


def resumed(folder, hosts, process):
    """Trains with a stop, and says what came of it."""
    state = TrainingState(folder / "state")
    trained(TextClassifier, hosts, process, state, steps=slice(2))
    model, again = made(TextClassifier), TrainingState(folder / "state")
    step = again.restore(model)
    _, losses = trained(TextClassifier, hosts, process, again, model=model, steps=slice(step, None))
    own = folder / f"state_of_{process}"
    trained(TextClassifier, hosts, process, TrainingState(own), steps=slice(1))
    files = sorted(file.name for file in folder.iterdir())
    apart = folder.with_name(f"{folder.name}_{process}")  # Where the other host lists no files.
    apart.mkdir()
    other, damaged = apart / "other", apart / "damaged"
    arrays = load_file(folder / "state")
    changed = min(name for name, array in arrays.items() if array.dtype == np.float32)
    save_file(arrays | {changed: arrays[changed] + np.float32(process)}, other)
    damaged.write_bytes(b"" if process else (folder / "state").read_bytes())
    errors = [error_of_restoring(file) for file in (own, other, damaged)]
    return {"step": step, "losses": losses, "errors": errors, "files": files}


def error_of_restoring(file):
    try:
        TrainingState(file).restore(made(TextClassifier))
    except (RuntimeError, ValueError) as error:
        return str(error)
    return ""


if __name__ == "__main__":
    main(*sys.argv[1:])
