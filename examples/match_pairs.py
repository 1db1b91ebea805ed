"""Trains a model that decides whether two Chinese texts match.

    pip install 'keras-bert-zh[examples]'
    python examples/match_pairs.py
    python examples/match_pairs.py --checkpoint PATH  # for BERT-base, take a GPU
    python examples/match_pairs.py --train FILE --test FILE --text A --text-b B --label LABEL
    python examples/match_pairs.py --predict FILE     # by the model in --output

The script needs the folder `parts` beside it.

It trains the small checkpoint of the package on the beginnings of 1,500 articles, each with its own
headline and with the headline of the most similar other article. Expected, after two minutes on two
CPU cores:

    accuracy 0.7772 (three seeds: 0.7736 to 0.7800)
    untrained_accuracy 0.7623
    baseline_accuracy 0.7264

All three are measured on 932 other articles. The baseline is the cosine of TF-IDF, and
`untrained_accuracy` uses the vectors before training; the threshold is chosen on validation pairs.
Your own files have two texts and a label in each row, like LCQMC, AFQMC and BQ.

--method towers (the default up to a hidden size of 512) makes a vector of each text, and trains the
vectors to be close if the texts match. --method cross (the default for larger models) reads both
texts at once, and works for any number of labels, such as those of XNLI.

Writes `model.keras`, a model that takes two strings, `labels.json`, and `report.png`.
"""

import argparse
import json
import sys
from collections.abc import Sequence

from parts import outputs, pairs, similarity, task
from parts.defaults import NARROW
from parts.pair_models import fit_cross, fit_towers, probabilities
from parts.picture import Outcome, draw
from parts.texts import count_long

import numpy as np

from keras_bert_zh import BertPreprocess, read_table
from keras_bert_zh.files.new_file import new_file

REPORT, LABELS = "report.png", "labels.json"
METHODS = ("towers", "cross")
HOW = (
    "compare a vector of each text (towers), or read both texts together (cross) "
    f"(default: towers; cross if the hidden size is above {NARROW})"
)


def main(arguments: Sequence[str] | None = None) -> None:
    task.run(parse(arguments), train, predict)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = task.parser(__doc__, "match_pairs", ("text", "text_b", "label"))
    similarity.add_pooling(parser)
    add = parser.add_argument
    add("--method", choices=METHODS, help=HOW)
    rows = "the number of rows to train on, from the beginning; each article makes two pairs"
    task.add_at_hand(parser, "--rows", 1_500, rows, there="4,813 examples", yours="all")
    return task.parse(parser, arguments)


def train(options: argparse.Namespace) -> dict[str, float]:
    """Trains and saves a model. Returns its score and those of others on the test set."""
    with task.errors_end_it():
        data = pairs.read(options) if options.train else pairs.of_news(options.rows)
    if (options.output / LABELS).exists():
        outputs.check_labels(options, data.names, labels_of(options))
    checkpoint = task.begin(options, [REPORT, LABELS])
    method = options.method or ("towers" if checkpoint.config.hidden_size <= NARROW else "cross")
    if len(data.names) > 2:
        method = "cross"
    show_sizes(data, BertPreprocess(checkpoint, max_length=options.max_length), method)
    scores = {}
    if len(data.names) == 2:
        encoder = similarity.sentence_encoder(checkpoint, options)
        untrained = pairs.accuracy_of_cosines(data, similarity.by_model(encoder))
        scores["untrained_accuracy"] = untrained
        baseline = similarity.by_tfidf(data.train.all_texts)
        scores["baseline_accuracy"] = pairs.accuracy_of_cosines(data, baseline)
    else:
        scores["baseline_accuracy"] = pairs.accuracy_of_words(data)
    if method == "towers":
        model, history = fit_towers(encoder, data, options)
    else:
        model, history = fit_cross(checkpoint, data, options)
    outputs.save(model, options)
    with new_file(options.output / LABELS) as new:
        new.write_text(json.dumps(data.names, ensure_ascii=False), encoding="utf-8")
    test = data.test
    found = probabilities(model, test.texts, test.others)
    shown = np.array([f"{a}  |  {b}" for a, b in zip(test.texts, test.others, strict=True)], object)
    outcome = Outcome(shown, test.labels, found)
    draw(
        options.output / REPORT,
        title=f"Fine-tuning {options.checkpoint}, --method {method}",
        history=history,
        baseline=scores["baseline_accuracy"],
        outcome=outcome,
        names=data.names,
    )
    return {"accuracy": outcome.accuracy} | scores


def show_sizes(data: pairs.Data, preprocess: BertPreprocess, method: str) -> None:
    """Prints how many pairs there are, and how much of them is cut."""
    parts, what = [data.train, data.test], "texts" if method == "towers" else "pairs"
    print(
        f"{len(data.train.texts):,} pairs to learn from, {len(data.test.texts):,} to be tested, "
        f"by --method {method}."
    )
    read = [part.different_texts if what == "texts" else tuple(part[:2]) for part in parts]
    train_cut, test_cut = count_long(preprocess, *read)
    print(
        f"--max-length {preprocess.max_length} cuts {train_cut:,} and {test_cut:,} of the {what}."
    )


def labels_of(options: argparse.Namespace) -> list[str]:
    file = options.output / LABELS
    if not file.exists():
        sys.exit(
            f"{file} is missing, which has the labels of the model: train the model again, or pass "
            "another folder as --output."
        )
    return json.loads(file.read_text(encoding="utf-8"))


def predict(options: argparse.Namespace) -> None:
    """Prints the pairs of `--predict` with their labels, by the model in `--output`."""
    model, names = outputs.saved_model(options), labels_of(options)
    with task.errors_end_it():
        table = read_table(options.predict, options.text, text_b=options.text_b)
    texts, others = (np.array(column, object) for column in (table.texts, table.texts_b))
    found = probabilities(model, texts, others)
    task.print_rows(
        ("text", "text_b", "label", "probability"),
        (
            (text, other, names[row.argmax()], f"{row.max():.4f}")
            for text, other, row in zip(texts, others, found, strict=True)
        ),
    )


if __name__ == "__main__":
    main()
