"""Trains a classifier of reviews on several devices or hosts; `--way` selects how.

    pip install 'keras-bert-zh[examples,jax]'
    python examples/train_distributed.py --way one        # one device, TensorFlow
    python examples/train_distributed.py --way mirrored   # tf.distribute.MirroredStrategy
    python examples/train_distributed.py --way hosts      # two processes, JAX, DataParallel
    python examples/train_distributed.py --way layout     # weights split over devices, JAX
    python examples/train_distributed.py --way packed     # several texts in a row, JAX

The script needs the folder `parts` beside it.

Each way trains the small checkpoint of the package on the same 32 reviews per step, and prints the
loss of each step. Without a GPU or TPU, devices are simulated: two for `mirrored`, eight for
`layout`. Without dropout, the losses of all ways are equal except for rounding; with `packed`, the
steps have other texts. Expected:

    one: 0.72268 0.68681 0.64763 0.67836 0.64501 0.65143 0.63814 0.64610

On your own hosts, run it on each host with the address of the first one, whose port must be free:

    KERAS_BACKEND=jax python examples/train_distributed.py --way hosts \
        --hosts 2 --address 10.0.0.1:12345 --process 0    # and --process 1 on the other one

Writes `model.keras`, which any of the ways can train; with several hosts, the first host writes it.
"""

import argparse
import contextlib
import math
import os
import pathlib
import socket
import subprocess
import sys
from collections.abc import Sequence

DEFAULT = "(default: %(default)s)"
WAYS = ("one", "mirrored", "hosts", "layout", "packed")
ON_TENSORFLOW = ("one", "mirrored")
SIMULATED = {"layout": 8}


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    if options.process is None:
        start(options, sys.argv[1:] if arguments is None else arguments)
    else:
        train(options)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("--way", choices=WAYS, default="one", help=f"how devices share the work {DEFAULT}")
    add("--checkpoint", default="small", help=f"weights to start from {DEFAULT}")
    add("--steps", type=int, default=8, help=f"batches to learn from {DEFAULT}")
    add("--batch-size", type=int, default=32, help=f"texts per step, on all devices {DEFAULT}")
    add("--max-length", type=int, default=128, help=f"the most tokens of a text {DEFAULT}")
    add("--learning-rate", type=float, default=1e-4, help=f"the highest learning rate {DEFAULT}")
    add("--hosts", type=int, default=2, help=f"processes, for --way hosts {DEFAULT}")
    add("--address", help="HOST:PORT of the first process (default: a free port of this machine)")
    add("--process", type=int, help="the number of this process (default: start all processes)")
    output = pathlib.Path("out/train_distributed")
    add("--output", type=pathlib.Path, default=output, help=f"the folder {DEFAULT}")
    options = parser.parse_args(arguments)
    options.hosts = options.hosts if options.way == "hosts" else 1
    if options.batch_size % options.hosts:
        parser.error(f"--batch-size must be a multiple of --hosts, got {options.batch_size}")
    return options


def start(options: argparse.Namespace, arguments: Sequence[str]) -> None:
    """Runs each process of this way: the backend of Keras is chosen before it is imported."""
    environment = {
        "TF_CPP_MIN_LOG_LEVEL": "3",
        **os.environ,
        "KERAS_BACKEND": "tensorflow" if options.way in ON_TENSORFLOW else "jax",
    }
    if options.way in SIMULATED:
        devices = f"--xla_force_host_platform_device_count={SIMULATED[options.way]}"
        environment["XLA_FLAGS"] = f"{environment.get('XLA_FLAGS', '')} {devices}"
    address = options.address or f"127.0.0.1:{free_port()}"
    command = [sys.executable, __file__, *arguments, "--address", address, "--process"]
    processes = [
        subprocess.Popen([*command, str(number)], env=environment)
        for number in range(options.hosts)
    ]
    failed = [process.args for process in processes if process.wait()]
    if failed:
        sys.exit(f"{len(failed)} of {len(processes)} processes failed; see above.")


def free_port() -> int:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return opened.getsockname()[1]


def train(options: argparse.Namespace) -> None:
    """Trains in this process, and prints the loss of each step."""
    if options.way == "hosts":
        # On a busy CPU, two hosts once stood still without it.
        os.environ.setdefault("JAX_CPU_ENABLE_ASYNC_DISPATCH", "false")
    import keras
    import numpy as np

    if options.way == "hosts":
        keras.distribution.initialize(options.address, options.hosts, options.process)
    with scope(options.way):
        from keras_bert_zh import BertEncoder, BertPreprocess, TextClassifier, adamw

        keras.utils.set_random_seed(0)
        encoder = BertEncoder(options.checkpoint, dropout=0.0)
        preprocess = BertPreprocess(options.checkpoint, max_length=options.max_length)
        model = TextClassifier(encoder, ["negative", "positive"], preprocess=preprocess)
        # By NumPy, since TensorFlow and JAX draw other numbers.
        kernel = model.classifier.kernel
        kernel.assign(np.random.default_rng(0).normal(0, 0.02, kernel.shape))
        loss = keras.losses.SparseCategoricalCrossentropy(
            from_logits=True, reduction="mean_with_sample_weight"
        )
        model.compile(adamw(options.learning_rate, options.steps, warmup=0), loss)
        # An epoch of one step each, so that each has its own loss.
        epochs = {"epochs": options.steps, "steps_per_epoch": 1}
        data = batches(preprocess, options)
        history = model.fit(data, **epochs, shuffle=False, verbose=0).history
    if options.process == 0:
        print(f"{options.way}: {' '.join(f'{loss:.5f}' for loss in history['loss'])}")
        options.output.mkdir(parents=True, exist_ok=True)
        model.save(options.output / "model.keras")


def scope(way: str) -> contextlib.AbstractContextManager:
    """Returns what a model is made and trained inside of, so that devices share the work."""
    if way == "mirrored":
        import tensorflow as tf

        if not tf.config.list_physical_devices("GPU"):
            (cpu,) = tf.config.list_physical_devices("CPU")
            two = [tf.config.LogicalDeviceConfiguration()] * 2
            tf.config.set_logical_device_configuration(cpu, two)
        kind = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
        devices = [device.name for device in tf.config.list_logical_devices(kind)]
        return tf.distribute.MirroredStrategy(devices).scope()
    from keras import distribution

    from keras_bert_zh import layout_map

    if way == "hosts":
        # Each host reads a part of the text of its own.
        return distribution.DataParallel(auto_shard_dataset=False).scope()
    if way == "layout":
        count = len(distribution.list_devices())
        shares = math.gcd(count, 4)
        mesh = distribution.DeviceMesh((count // shares, shares), ["batch", "model"])
        return distribution.ModelParallel(layout_map=layout_map(mesh)).scope()
    return contextlib.nullcontext()


def batches(preprocess, options: argparse.Namespace):
    """Returns batches of this host's share of the reviews, without end."""
    from parts.reviews import load_reviews

    import tensorflow as tf

    from keras_bert_zh import batch_packed

    texts, labels = load_reviews()["train"]
    data = tf.data.Dataset.from_tensor_slices((texts.astype(str), labels))
    data = data.shard(options.hosts, options.process).repeat()
    if options.way == "packed":
        return batch_packed(data, preprocess, rows=options.batch_size // 2).prefetch(2)
    data = data.batch(options.batch_size // options.hosts)
    return data.map(lambda text, label: (preprocess(text), label)).prefetch(2)


if __name__ == "__main__":
    main()
