"""Trains a classifier from 8, 16 or 32 examples of each class, in a minute.

    pip install 'keras-bert-zh[examples]'
    python examples/few_shot.py
    python examples/few_shot.py --train FILE --test FILE --text sentence  # such as FewCLUE's
    python examples/few_shot.py --predict FILE          # by the model in --output

The script needs the folder `parts` beside it.

The encoder is not trained: each text becomes one vector, BERT's pooled output. A logistic
regression learns from these vectors, and becomes the head of a TextClassifier. No graph is traced
and there are no training steps, so with 32 examples most of the time is for importing TensorFlow
and for the test set. Expected, as the mean over three draws for each number of examples:

    accuracy_8 0.6793
    baseline_accuracy_8 0.5562
    accuracy_16 0.7792
    baseline_accuracy_16 0.6108
    accuracy_32 0.8027
    baseline_accuracy_32 0.6387

The baseline is TF-IDF + logistic regression on the same examples. Vectors and regularisation were
chosen on the validation part of the reviews.

Writes `model.keras`, a model that takes strings, from the last draw.
"""

import argparse
from collections.abc import Sequence

from parts import classification, outputs, task
from parts.classification import Data, Part
from parts.reviews import LABELS, load_reviews
from parts.texts import count_long

import numpy as np
from sklearn.linear_model import LogisticRegression

from keras_bert_zh import TextClassifier

SHOTS = (8, 16, 32)
DRAWS = 3
AT_ONCE = 64  # Texts.


def main(arguments: Sequence[str] | None = None) -> None:
    task.run(parse(arguments), train, classification.predict)


def train(options: argparse.Namespace) -> dict[str, float]:
    """Makes and saves a classifier. Returns scores on the test set, means over the draws."""
    with task.errors_end_it():
        data = classification.read(options, validation=False) if options.train else reviews()
    outputs.check_labels(options, data.names)
    checkpoint = task.begin(options)
    model = classification.make(checkpoint, data, options)
    (cut,) = count_long(model.preprocess, data.test.texts)
    print(f"--max-length {options.max_length} cuts {cut:,} of {len(data.test.texts):,} texts.")
    test, scores = vectors(model, data.test.texts), {}
    shots = options.shots or ((None,) if options.train else SHOTS)
    for count in shots:
        found = [  # of each draw: the score, and that of the baseline
            fit_and_score(model, data, draw(data.train, count, options.seed + number), test)
            for number in range(DRAWS if count else 1)
        ]
        ending = f"_{count}" if count else ""
        for name, values in zip(
            ("accuracy", "baseline_accuracy"), np.transpose(found), strict=True
        ):
            scores[f"{name}{ending}"] = float(np.mean(values))
            print(f"{name}{ending}: from {min(values):.4f} to {max(values):.4f}")
    outputs.save(model, options)
    return scores


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = task.parser(__doc__, "few_shot")
    parser.add_argument(
        "--shots",
        type=int,
        nargs="+",
        help=f"examples of each class to draw, {DRAWS} times (default: {SHOTS}; of --train, all)",
    )
    options = task.parse(parser, arguments)
    if options.shots and min(options.shots) < 1:
        parser.error(f"--shots must be at least 1, got {min(options.shots)}")
    return options


def reviews() -> Data:
    parts = load_reviews()
    return Data(LABELS, parts["train"], parts["validation"], parts["held_out"])


def draw(part: Part, count: int | None, seed: int) -> Part:
    """Returns so many random examples of each class, or all."""
    if count is None:
        return part
    random = np.random.default_rng(seed)
    rows = [
        random.permutation(np.flatnonzero(part.labels == label))[:count]
        for label in np.unique(part.labels)
    ]
    return Part(part.texts[np.concatenate(rows)], part.labels[np.concatenate(rows)])


def fit_and_score(
    model: TextClassifier, data: Data, examples: Part, test: np.ndarray
) -> tuple[float, float]:
    """Gives the model a head learned from the examples. Returns its score and the baseline's."""
    kernel, bias = learn(vectors(model, examples.texts), examples.labels)
    (head,) = model.heads().values()
    head.kernel.assign(kernel)
    head.bias.assign(bias)
    right = (test @ kernel + bias).argmax(axis=-1) == data.test.labels
    baseline = classification.fit_baseline(examples).score(*data.test)
    return float(right.mean()), float(baseline)


def vectors(model: TextClassifier, texts: np.ndarray) -> np.ndarray:
    """Returns BERT's pooled output of texts, `<float32>[rows, D]`, without tracing a graph."""
    found = [
        model.encoder(model.preprocess(list(texts[start : start + AT_ONCE])), as_dict=True)
        for start in range(0, len(texts), AT_ONCE)
    ]
    return np.concatenate([np.float32(outputs["pooled_output"]) for outputs in found])


def learn(vectors: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns kernel `[D, labels]` and bias `[labels]` of a logistic regression.

    It learns from vectors whose mean is 0 and whose mean square length is 1; kernel and bias are
    for the vectors as they are.
    """
    mean = vectors.mean(axis=0)
    length = np.sqrt(np.square(vectors - mean).sum(axis=1).mean())
    learner = LogisticRegression(C=1, max_iter=1000).fit((vectors - mean) / length, labels)
    weights, biases = learner.coef_.T, learner.intercept_
    if len(learner.classes_) == 2:  # It has the difference of the two alone.
        weights, biases = weights * [-0.5, 0.5], biases * [-0.5, 0.5]
    return weights / length, biases - mean @ weights / length


if __name__ == "__main__":
    main()
