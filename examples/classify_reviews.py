"""Trains a classifier of good and bad Chinese reviews, and evaluates it.

    pip install 'keras-bert-zh[examples]'
    python examples/classify_reviews.py
    python examples/classify_reviews.py --checkpoint PATH  # for BERT-base, take a GPU
    python examples/classify_reviews.py --train FILE --test FILE --text TEXT --label LABEL
    python examples/classify_reviews.py --predict FILE     # by the model in --output

The script needs the folder `parts` beside it.

It fine-tunes the small checkpoint of the package on 3,200 reviews. Expected, after three minutes on
two CPU cores:

    accuracy 0.8616 (three seeds: 0.8600 to 0.8640)
    baseline_accuracy 0.8256

The baseline is TF-IDF + logistic regression. Your own files are TSV, CSV or JSON Lines, with any
labels. With --several, a row may have several labels, and the score is micro F1.

Writes `model.keras`, a model that takes strings, and `report.png`: the learning curve, the
confusion matrix and the five most confident mistakes.
"""

import argparse
from collections.abc import Sequence

from parts import classification, outputs, task
from parts.classification import Data
from parts.picture import Outcome, draw
from parts.reviews import LABELS, load_reviews
from parts.texts import count_long

import keras
import numpy as np

QUESTIONS = (
    "房间干净，服务员很热情，下次还会住这里。",
    "电池用了两个小时就没电了，客服也不理人，太失望了。",
    "内容很精彩，孩子特别喜欢，一口气就看完了。",
    "外观还可以，可是发热太厉害，不推荐购买。",
)
REPORT = "report.png"


def main(arguments: Sequence[str] | None = None) -> None:
    task.run(parse(arguments), train, classification.predict)


def train(options: argparse.Namespace) -> dict[str, float]:
    """Trains and saves a model. Returns its score and that of the baseline on the test set."""
    with task.errors_end_it():
        if options.train:
            data = classification.read(options, several=options.several)
        else:
            data = reviews(options.rows)
    outputs.check_labels(options, data.names)
    checkpoint = task.begin(options, [REPORT])
    print(f"{len(data.train.texts):,} texts to learn from, {len(data.test.texts):,} to be tested.")
    model = classification.build(checkpoint, data, options)
    train_cut, test_cut = count_long(model.preprocess, data.train.texts, data.test.texts)
    print(f"--max-length {options.max_length} cuts {train_cut:,} and {test_cut:,} of them.")

    history = classification.fit(model, data, options)
    found = classification.probabilities(model, data.test.texts)
    scores = classification.scores(data, found)
    path = outputs.save(model, options)
    if not data.several:
        draw(
            options.output / REPORT,
            title=f"Fine-tuning {options.checkpoint}",
            history=history,
            baseline=scores["baseline_accuracy"],
            outcome=Outcome(*data.test, found),
            names=data.names,
        )
    if not options.train:
        ask(keras.saving.load_model(path), options.ask)
    return scores


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = task.parser(__doc__, "classify_reviews")
    rows = "the number of rows to train on, from the first"
    task.add_at_hand(parser, "--rows", 3_200, rows, there="12,116 examples", yours="all")
    parser.add_argument(
        "--several", action="store_true", help="a row can have several labels (default: one)"
    )
    meaning = "your own reviews, to classify at the end of a run on the example data"
    task.add_at_hand(parser, "--ask", QUESTIONS, meaning, nargs="+", metavar="TEXT")
    return task.parse(parser, arguments)


def reviews(rows: int) -> Data:
    parts = load_reviews()
    return Data(LABELS, parts["train"].first(rows), parts["validation"], parts["held_out"])


def ask(model: keras.Model, questions: Sequence[str]) -> None:
    """Prints what the model that was read back answers."""
    print("Read back from its file, the model answers:")
    found = classification.probabilities(model, np.array(questions, object))
    for question, answer in zip(questions, found, strict=True):
        print(f"  {model.labels[answer.argmax()]} {answer.max():6.1%}  {question}")


if __name__ == "__main__":
    main()
