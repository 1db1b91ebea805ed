"""Learns to tell good Chinese reviews from bad ones, and measures how well it does.

    pip install 'keras-bert-zh[examples]'
    python examples/classify_reviews.py
    python examples/classify_reviews.py --checkpoint PATH  # for BERT-base, take a GPU

It fine-tunes the small checkpoint that comes with the package on 3,200 reviews. Expected, after
four minutes on two CPU cores (the last digit varies):

    held-out accuracy of TF-IDF + logistic regression  82.6%
    held-out accuracy of BERT                          86.1%

Writes `classifier.keras`, a model that takes strings, and `report.png`: the learning curve, the
confusion matrix and the five most confident mistakes. Learning rates and epochs were chosen by
accuracy on the validation part of the reviews (see reviews.py), never on the held-out part.
"""

import argparse
import json
import os
import pathlib
import sys
import time
import zipfile
from collections.abc import Sequence

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # None of TensorFlow's notes on CPUs and GPUs.

from keras_bert_zh import BertConfig, BertEncoder, BertPreprocess, adamw, load_checkpoint
from keras_bert_zh.files.new_file import new_file

# isort: split
import keras
import numpy as np
import precision
from picture import Outcome, draw, is_report
from reviews import LABELS, Reviews, fit_baseline, load_reviews

QUESTIONS = (
    "房间干净，服务员很热情，下次还会住这里。",
    "电池用了两个小时就没电了，客服也不理人，太失望了。",
    "内容很精彩，孩子特别喜欢，一口气就看完了。",
    "外观还可以，可是发热太厉害，不推荐购买。",
)
NAMES = dict(zip(LABELS, ("差评", "好评"), strict=True))

REPORT, CLASSIFIER = "report.png", "classifier.keras"
MODEL_NAME = "review_classifier"

DEFAULT = "(default: %(default)s)"
BATCH_SIZE = 32
VALIDATION_ROWS = 600  # Enough for the learning curve; recipes are chosen by all of them.


def main(arguments: Sequence[str] | None = None) -> None:
    started = time.perf_counter()
    options = parse(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    check_output(options.output)
    print(f"Fine-tuning {options.checkpoint}.")
    keras.utils.set_random_seed(options.seed)
    parts = load_reviews()
    train, held_out = parts["train"].first(options.rows), parts["held_out"]
    print(f"{len(train.texts):,} reviews to learn from, {len(held_out.texts):,} held out.")

    model = build(options)
    train_cut, held_out_cut = (model.layers[0].count_truncated(p.texts) for p in (train, held_out))
    print(f"--max-length {options.max_length} cuts {train_cut:,} and {held_out_cut:,} of them.")
    history = fit(model, train, parts["validation"].first(VALIDATION_ROWS), options)
    baseline = fit_baseline(train).score(*held_out)
    outcome = Outcome(*held_out, probabilities(model, held_out.texts))
    print(report(baseline, outcome.accuracy))

    names = [f"{label} {name}" for label, name in NAMES.items()]
    draw(
        options.output / REPORT,
        title=f"Fine-tuning {options.checkpoint}",
        history=history,
        baseline=baseline,
        outcome=outcome,
        names=names,
    )
    save(model, options.output / CLASSIFIER)
    answer_again(model, options.output / CLASSIFIER, options.ask)
    print(f"Wrote {options.output / REPORT}. {time.perf_counter() - started:.0f} s in all.")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--checkpoint", default="small", help=f"weights to start from {DEFAULT}")
    parser.add_argument(
        "--rows", type=int, default=3_200, help=f"reviews to train on, of 12,116 {DEFAULT}"
    )
    parser.add_argument(
        "--epochs", type=int, default=2, help=f"how often each of them is seen {DEFAULT}"
    )
    parser.add_argument(
        "--learning-rate",
        type=float,
        help="the highest one (default: 3e-5 for a model 768 wide, and more for narrower ones)",
    )
    parser.add_argument(
        "--max-length", type=int, default=128, help=f"tokens read of each review {DEFAULT}"
    )
    precision.add_option(parser)
    parser.add_argument(
        "--ask",
        nargs="+",
        metavar="TEXT",
        default=QUESTIONS,
        help="your own reviews, to ask about at the end (default: four that it has)",
    )
    parser.add_argument(
        "--output",
        type=pathlib.Path,
        default="out/classify_reviews",
        help=f"the folder for model and picture {DEFAULT}",
    )
    parser.add_argument("--seed", type=int, default=0, help=f"of the random numbers {DEFAULT}")
    options = parser.parse_args(arguments)
    if options.rows < 32:
        parser.error(f"--rows must be at least 32, got {options.rows}")
    if options.epochs < 1:
        parser.error(f"--epochs must be at least 1, got {options.epochs}")
    if options.learning_rate is not None and not 0 < options.learning_rate < float("inf"):
        parser.error(f"--learning-rate must be above 0 and finite, got {options.learning_rate}")
    if options.output.exists() and not options.output.is_dir():
        parser.error(f"--output must be a folder, and {options.output} is a file")
    return options


def check_output(folder: pathlib.Path) -> None:
    """Ends a run, before it trains, that would replace files of another kind."""
    for name, is_ours in {REPORT: is_report, CLASSIFIER: is_classifier}.items():
        file = folder / name
        if file.exists() and not is_ours(file):
            sys.exit(f"{file} is not known to be of this example: name another --output.")


def is_classifier(path: pathlib.Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return "config.json" in archive.namelist() and (
            json.loads(archive.read("config.json"))["config"].get("name") == MODEL_NAME
        )


def build(options: argparse.Namespace) -> keras.Sequential:
    checkpoint = load_checkpoint(options.checkpoint)
    dtype = "mixed_bfloat16" if options.mixed_precision else "float32"
    return keras.Sequential(
        [
            BertPreprocess(checkpoint, max_length=options.max_length),
            BertEncoder(checkpoint, dtype=dtype),
            keras.layers.Dense(len(LABELS), dtype="float32"),
        ],
        name=MODEL_NAME,
    )


def fit(
    model: keras.Model, train: Reviews, validation: Reviews, options: argparse.Namespace
) -> dict[str, list[float]]:
    steps = options.epochs * -(-len(train.texts) // BATCH_SIZE)
    learning_rate = options.learning_rate or default_learning_rate(model.layers[1].config)
    model.compile(
        optimizer=adamw(learning_rate, steps),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model.fit(
        *train,
        validation_data=tuple(validation),
        batch_size=BATCH_SIZE,
        epochs=options.epochs,
        verbose=1 if sys.stdout.isatty() else 2,  # a bar on a terminal, a line an epoch in a log
    ).history


def default_learning_rate(config: BertConfig) -> float:
    """Returns 3e-5 for BERT-base, as its authors chose, and more for narrower models."""
    return 3e-5 * (768 / config.hidden_size) ** 2


def probabilities(model: keras.Model, texts: Sequence[str]) -> np.ndarray:
    logits = model.predict(np.array(texts, dtype=object), batch_size=64, verbose=0)
    return keras.ops.convert_to_numpy(keras.ops.softmax(logits))


def report(baseline: float, bert: float) -> str:
    points = round(100 * bert, 1) - round(100 * baseline, 1)
    verdict = "BERT is better" if points > 0 else "The baseline is better"
    return (
        f"held-out accuracy of TF-IDF + logistic regression  {baseline:.1%}\n"
        f"held-out accuracy of BERT                          {bert:.1%}\n"
        f"{verdict} by {abs(points):.1f} points."
    )


def save(model: keras.Model, path: pathlib.Path) -> None:
    with new_file(path) as new:  # Never half a file.
        model.save(new)


def answer_again(model: keras.Model, path: pathlib.Path, questions: Sequence[str]) -> None:
    """Asks the model and the model read back from the file, which must agree."""
    answers = probabilities(model, questions)
    answers_again = probabilities(keras.saving.load_model(path), questions)
    assert np.allclose(answers, answers_again, atol=1e-3), (answers, answers_again)
    print(f"Saved {path}; read back, it gives the same answers:")
    for question, answer in zip(questions, answers_again, strict=True):
        label = LABELS[answer.argmax()]
        print(f"  {label} {NAMES[label]} {answer.max():6.1%}  {question}")


if __name__ == "__main__":
    main()
