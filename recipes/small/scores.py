"""Measures the checkpoint on unseen text: accuracy on reviews, and on masked tokens.

    pip install 'keras-bert-zh[examples]'
    python -m recipes.small.scores                     # fine-tuned with three seeds
    python -m recipes.small.scores --corpus FOLDER     # masked accuracy, too

Reviews are classified as in `examples/classify_reviews.py`, after training on 3,200 rows. The
baseline is character TF-IDF and logistic regression on the same rows.
"""

import argparse
import os
import pathlib
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # None of TensorFlow's notes on CPUs and GPUs.

from keras_bert_zh import BertEncoder, BertPreprocess, MaskedLM, load_checkpoint

# isort: split
import numpy as np

from recipes.small.corpus import Corpus
from recipes.small.held_out import HeldOut

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "examples"))
import classify_reviews

ROWS = 2_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name, default, meaning in (
        ("--checkpoint", "small", "checkpoint to measure"),
        ("--rows", 3_200, "reviews to fine-tune on"),
        ("--seeds", 3, "number of fine-tuning runs"),
    ):
        shown = f"{meaning} (default: %(default)s)"
        parser.add_argument(name, type=type(default), default=default, help=shown)
    parser.add_argument(
        "--corpus",
        type=pathlib.Path,
        help="the folder that it was trained on (default: none, and no masked accuracy)",
    )
    options = parser.parse_args()
    if options.corpus is not None:
        accuracy = masked_accuracy(options.checkpoint, options.corpus)
        print(f"masked accuracy, held-out text: {accuracy:.3f}", flush=True)
    scores = []
    for seed in range(options.seeds):
        arguments = ["--checkpoint", options.checkpoint, "--rows", str(options.rows)]
        with tempfile.TemporaryDirectory() as output:
            arguments += ["--seed", str(seed), "--output", output]
            found = classify_reviews.train(classify_reviews.parse(arguments))
        print(f"TF-IDF + logistic regression: {found['baseline_accuracy']:.4f}")
        scores.append(found["accuracy"])
        print(f"seed {seed}: {scores[-1]:.4f}", flush=True)
    print(f"mean {np.mean(scores):.4f}, from {min(scores):.4f} to {max(scores):.4f}")


def masked_accuracy(source: str | os.PathLike, folder: pathlib.Path) -> float:
    """Returns the share of masked tokens in held-out text that the checkpoint predicts."""
    checkpoint = load_checkpoint(source)
    preprocess = BertPreprocess(checkpoint)
    held_out = HeldOut(Corpus(folder, preprocess), preprocess, ROWS)
    return held_out.masked_accuracy(MaskedLM(BertEncoder(checkpoint), checkpoint))


if __name__ == "__main__":
    main()
