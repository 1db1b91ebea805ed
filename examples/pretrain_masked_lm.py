"""Continues pre-training BERT on your own text, or starts from scratch.

    pip install 'keras-bert-zh[examples]'
    python examples/pretrain_masked_lm.py TEXT.txt MORE.txt.xz

The script needs the folder `parts` beside it.

Text files are plain, .xz, .gz or .zst, of any size. Each line is a paragraph, and a blank line ends
a document. They are packed once into rows of 128 tokens, and every hundredth row is held out. The
masked language model is trained for 10,000 steps. It is evaluated before training and every 500
steps, on at most 100 held-out batches, so that evaluation does not take longer for more text. On
new text, val_loss falls.
Expected, in a log:

    ROWS rows to learn from, ROWS held out.
    Before training: val_accuracy: A - val_loss: L
    Epoch 1/20
    500/500 - TIME - TIME/step - accuracy: A - loss: L - val_accuracy: A - val_loss: L
    ...
    Wrote out/pretrain_masked_lm/checkpoint.

The output folder contains

    options.json        the options of the run
    text/               the packed rows
    state.safetensors   the state to resume a killed run, saved every ten minutes
    logs/               curves for `tensorboard --logdir out/pretrain_masked_lm/logs`
    checkpoint/         the result, for `load_checkpoint` and Hugging Face Transformers

Run the same command again to continue where it stopped: the result is the same as without the stop.
KERAS_BACKEND=jax runs it on JAX, also on GPUs and TPUs.
"""

import argparse
import json
import pathlib
import sys
from collections.abc import Collection, Sequence

from parts import precision

import keras
from rich.progress import Progress

from keras_bert_zh import (
    BertConfig,
    BertEncoder,
    BertPreprocess,
    MaskedLM,
    MaskTokens,
    PackedText,
    TrainingState,
    adamw,
    load_checkpoint,
    save_checkpoint,
)
from keras_bert_zh.files.new_file import new_file

OPTIONS = "options.json"
DEFAULT = "(default: %(default)s)"


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    keras.utils.set_random_seed(options.seed)
    checkpoint = None if options.scratch else load_checkpoint(options.checkpoint)
    positions = (options.scratch or checkpoint.config).max_position_embeddings
    if options.sequence_length > positions:
        sys.exit(f"--sequence-length must be at most {positions}, got {options.sequence_length}")
    preprocess = BertPreprocess(checkpoint)
    remember(options)
    text = packed_text(options, preprocess)
    print(f"{text.rows('train'):,} rows to learn from, {text.rows('held_out'):,} held out.")

    model = build(options, checkpoint)
    places = -(-options.sequence_length * 20 // 128)  # 20 of 128 are masked at most.
    mask = MaskTokens(preprocess, seed=options.seed, max_predictions=places)
    train(model, text, mask, options)

    folder = options.output / "checkpoint"
    save_checkpoint(model, folder, preprocess=preprocess, overwrite=True)
    print(f"Wrote {folder}.")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("files", nargs="+", type=pathlib.Path, help="text: plain, .xz, .gz or .zst")
    parser.add_argument("--checkpoint", default="small", help=f"weights to start from {DEFAULT}")
    parser.add_argument(
        "--scratch",
        metavar="4x256",
        type=architecture,
        help="layers x width of an encoder with fresh weights (default: go on with --checkpoint)",
    )
    parser.add_argument(
        "--output",
        type=pathlib.Path,
        default="out/pretrain_masked_lm",
        help=f"the folder of the run {DEFAULT}",
    )
    add_numbers(parser)
    parser.add_argument(
        "--whole-words", action="store_true", help="mask whole words (default: single tokens)"
    )
    precision.add_option(parser)
    options = parser.parse_args(arguments)
    least = dict.fromkeys(("steps", "batch_size", "evaluate_every", "evaluate_batches"), 1)
    least |= {"sequence_length": 3, "save_minutes": 0}
    for name, number in least.items():
        if not getattr(options, name) >= number:
            parser.error(f"--{name.replace('_', '-')} must be at least {number}")
    if not 0 < options.learning_rate < float("inf"):
        parser.error(f"--learning-rate must be above 0 and finite, got {options.learning_rate}")
    if options.output.exists() and not options.output.is_dir():
        parser.error(f"--output must be a folder, and {options.output} is a file")
    return options


def add_numbers(parser: argparse.ArgumentParser) -> None:
    for name, default, meaning in (
        ("--steps", 10_000, "the number of batches to train on"),
        ("--batch-size", 32, "rows in a batch"),
        ("--sequence-length", 128, "tokens in a row"),
        ("--learning-rate", 3e-4, "the highest learning rate, after a tenth of the steps"),
        ("--evaluate-every", 500, "steps from one evaluation to the next"),
        ("--evaluate-batches", 100, "the most held-out batches to evaluate on"),
        ("--save-minutes", 10.0, "minutes from one saved state to the next"),
        ("--seed", 0, "the random seed"),
    ):
        parser.add_argument(name, type=type(default), default=default, help=f"{meaning} {DEFAULT}")


def architecture(text: str) -> BertConfig:
    layers, _, width = text.partition("x")
    if not (layers.isdecimal() and width.isdecimal() and int(layers) and int(width)):
        raise argparse.ArgumentTypeError(f"must be layers x width, such as 4x256, got {text!r}")
    layers, width = int(layers), int(width)
    if width % 32:
        raise argparse.ArgumentTypeError(f"width must be a multiple of 32, got {width}")
    return BertConfig(
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=width // 32,
        intermediate_size=4 * width,
    )


def remember(options: argparse.Namespace) -> None:
    """Writes what the run depends on into its folder, or compares: it must go on as it began."""
    free = ("output", "save_minutes", "evaluate_batches")
    new = {name: str(value) for name, value in vars(options).items() if name not in free}
    file = options.output / OPTIONS
    if not any((options.output / name).exists() for name in ("text", "state.safetensors")):
        options.output.mkdir(parents=True, exist_ok=True)
        check_new(options.output, new.keys())
        with new_file(file) as unfinished:
            unfinished.write_text(json.dumps(new, indent=2, ensure_ascii=False), encoding="utf-8")
        return
    if not file.exists():
        sys.exit(f"{options.output} contains a run without {OPTIONS}: choose another --output.")
    old = read_options(file)
    changed = [f"{name} was {old.get(name)}" for name in new if new[name] != old.get(name)]
    if changed:
        sys.exit(
            f"{options.output} contains a run with other options: {', '.join(changed)}. Use the "
            "same options to continue it, or choose another --output."
        )


def check_new(folder: pathlib.Path, names: Collection[str]) -> None:
    """Ends a run that would begin in a folder of something else, and replace what is in it."""
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith(f".{OPTIONS}.new-") or (
            entry.name == OPTIONS and read_options(entry).keys() == names
        ):
            continue  # Of a run that was stopped before it packed its text.
        sys.exit(
            f"{folder} contains {entry.name}, which this script did not write: choose another "
            "--output."
        )


def read_options(file: pathlib.Path) -> dict[str, str]:
    try:
        options = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return options if isinstance(options, dict) else {}


def packed_text(options: argparse.Namespace, preprocess: BertPreprocess) -> PackedText:
    """Returns the text of the files in rows, packing it the first time."""
    folder = options.output / "text"
    if folder.exists():
        text = PackedText(folder, preprocess)
        for file, (_, size) in zip(options.files, text.files, strict=True):
            # It may be gone: what was packed of it is all that is read.
            if file.exists() and file.stat().st_size != size:
                sys.exit(
                    f"{file} had {size:,} bytes when it was packed, and has "
                    f"{file.stat().st_size:,} now. Name another --output to learn from it as it is."
                )
        return text
    with Progress() as bar:
        packing = bar.add_task("Packing")
        try:
            return PackedText.write(
                options.files,
                folder,
                preprocess,
                sequence_length=options.sequence_length,
                whole_words=options.whole_words,
                progress=lambda read, total: bar.update(packing, completed=read, total=total),
            )
        except (OSError, ValueError, ModuleNotFoundError) as error:
            sys.exit(str(error))


def build(options: argparse.Namespace, checkpoint) -> MaskedLM:
    dtype = "mixed_bfloat16" if options.mixed_precision else "float32"
    encoder = BertEncoder(checkpoint, config=options.scratch, dtype=dtype)
    model = MaskedLM(encoder, checkpoint)
    model.compile(
        optimizer=adamw(options.learning_rate, options.steps),
        loss=keras.losses.SparseCategoricalCrossentropy(
            from_logits=True, reduction="mean_with_sample_weight"
        ),
        weighted_metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
    )
    return model


class Epochs(keras.callbacks.ProgbarLogger):
    """Shows each `fit` as one epoch of this many."""

    def __init__(self, count: int):
        super().__init__()
        self._count = count

    def set_params(self, params: dict) -> None:
        super().set_params(params | {"epochs": self._count})


def train(model: MaskedLM, text: PackedText, mask: MaskTokens, options: argparse.Namespace) -> None:
    """Trains up to the last step, with an epoch ending at every evaluation."""
    state = TrainingState(options.output / "state.safetensors", options.save_minutes)
    step = state.restore(model)
    held_out = None  # Less than a hundred rows leave none.
    if text.rows("held_out"):
        held_out = text.batches(options.batch_size, part="held_out", count=options.evaluate_batches)
        held_out = held_out.map(mask).cache()
    if step:
        print(f"Going on after step {step:,}.")
    elif held_out is not None:
        found = model.evaluate(held_out, verbose=0, return_dict=True)
        accuracy, loss = found["accuracy"], found["loss"]
        print(f"Before training: val_accuracy: {accuracy:.4f} - val_loss: {loss:.4f}")
    progress = Epochs(-(-options.steps // options.evaluate_every))
    board = keras.callbacks.TensorBoard(options.output / "logs", profile_batch=0)
    while step < options.steps:
        epoch = step // options.evaluate_every
        end = min((epoch + 1) * options.evaluate_every, options.steps)
        batches = text.batches(
            options.batch_size, seed=options.seed, start=step, count=end - step
        ).map(mask)
        model.fit(
            batches.prefetch(4),
            steps_per_epoch=end - step,
            initial_epoch=epoch,
            epochs=epoch + 1,
            validation_data=held_out,
            callbacks=[state, progress, board],
            shuffle=False,  # The rows are shuffled already.
            verbose=1 if sys.stdout.isatty() else 2,  # a bar, or a line an epoch in a log
        )
        step = end


if __name__ == "__main__":
    main()
