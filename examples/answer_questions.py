"""Trains a model that answers questions from a text, which may be long.

    pip install 'keras-bert-zh[examples]'
    python examples/answer_questions.py
    python examples/answer_questions.py --checkpoint PATH  # for BERT-base, take a GPU
    python examples/answer_questions.py --train FILE --test FILE  # CMRC 2018, DRCD, SQuAD as JSON
    python examples/answer_questions.py --predict FILE     # by the model in --output

The script needs the folder `parts` beside it.

The default questions are news headlines with a blank, such as 支付宝余额为0也被骗走了[MASK]. The
article contains the answer: a number, a title, a quotation or a word in Latin letters. The small
checkpoint is fine-tuned on windows of articles, for 1,601 questions. Expected, after six minutes on
two CPU cores:

    exact_match 0.6794 (three seeds: 0.6735 to 0.6882)
    f1 0.7270 (three seeds: 0.7174 to 0.7359)
    baseline_exact_match 0.6324
    baseline_f1 0.6500

Scores are computed as in CMRC 2018. The baseline is not trained: of all possible answers, it takes
the one whose context has the most pairs of characters in common with the question.

Your own files are JSON in the format of SQuAD or CMRC 2018, or rows in the format of Hugging Face;
see `parts/squad.py`. If they have questions without an answer (SQuAD 2), the model may also return
no answer. The right answer must be in the text; questions of --train for which it is not are left
out.

Writes `model.keras`, a SpanReader, and `answers.tsv`, its answers for the test set.
"""

import argparse
import contextlib
import warnings
from collections.abc import Sequence
from typing import Any

from parts import answer_scores, outputs, task
from parts.news import load_news
from parts.questions import Questions, headlines, windows
from parts.squad import read_questions

import keras
import numpy as np
import tensorflow as tf

from keras_bert_zh import BertPreprocess, Checkpoint, SpanReader, read_table
from keras_bert_zh.files.new_file import new_file

ANSWERS = "answers.tsv"
AT_ONCE = 32  # Questions whose windows are made, or answered, at once.


def main(arguments: Sequence[str] | None = None) -> None:
    task.run(parse(arguments), train, predict)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = task.parser(__doc__, "answer_questions", ("question", "text"))
    add = parser.add_argument
    meaning = "tokens from one window of a text to the next"
    add("--stride", type=int, help=f"{meaning} (default: half of --max-length)")
    task.add_at_hand(parser, "--characters", 1_000, "how much of each article is read")
    return task.parse(parser, arguments)


def train(options: argparse.Namespace) -> dict[str, float]:
    """Trains and saves a model. Returns its scores and those of the baseline on the test set."""
    with task.errors_end_it():
        learned, held_out, test = read(options)
    checkpoint = task.begin(options, [ANSWERS])
    model = build(checkpoint, options)
    data = windows(learned, model.preprocess, options.stride, options.seed)
    rows = len(data[1]["start_logits"])
    print(
        f"{len(learned.texts):,} questions to learn from, in {rows:,} windows, "
        f"and {len(test.texts):,} to be tested."
    )
    model.compile(task.optimizer(options, rows), metrics=None)
    validation = None
    if held_out.texts:
        validation = windows(held_out, model.preprocess, options.stride, options.seed)
    task.fit(model, data, validation, options)
    null = {} if all(learned.answers) else {"null_threshold": 0.0}
    if held_out.texts:
        found = answers(model, held_out, options, **null)
        measured = answer_scores.scores(found["text"], held_out.answers)
        print(f"Validation: exact match {measured['exact_match']:.4f}, F1 {measured['f1']:.4f}.")
    found = answers(model, test, options, **null)["text"]
    with new_file(options.output / ANSWERS) as new, new.open("w", encoding="utf-8") as file:
        table = zip(test.questions, map(" | ".join, test.answers), found, strict=True)
        with contextlib.redirect_stdout(file):
            task.print_rows(("question", "right", "found"), table)
    outputs.save(model, options)
    scores = answer_scores.scores(found, test.answers)
    baseline = answer_scores.scores(answer_scores.baseline(test), test.answers)
    return scores | {f"baseline_{name}": score for name, score in baseline.items()}


def read(options: argparse.Namespace) -> tuple[Questions, Questions, Questions]:
    """Returns questions to learn from, to validate on, and to be tested."""
    if not options.train:
        parts = load_news()
        return tuple(
            headlines(parts[part], options.characters) for part in ("train", "validation", "test")
        )
    found = read_questions(options.train)
    # What is not in its text can't be learned, but for what has no answer at all.
    usable = [row for row, start in enumerate(found.starts) if start >= 0 or not found.answers[row]]
    if len(usable) < len(found.texts):
        count = len(found.texts) - len(usable)
        print(
            f"Questions of {options.train} without their answer in the text, left out: {count:,}."
        )
    held_out = [row for row in usable if task.is_validation(found.texts[row])]
    if len(held_out) == len(usable):
        held_out = []
    learned = sorted(set(usable) - set(held_out))
    if not any(found.answers[row] for row in learned):
        raise ValueError(f"{options.train}: expected answers in their texts, but there are none.")
    test = read_questions(options.test)
    if not any(test.answers):
        raise ValueError(
            f"{options.test}: no question has an answer, so nothing can be measured. Pass a file "
            "with answers as --test, and this one as --predict after a model is trained."
        )
    return found.rows(learned), found.rows(held_out), test


def build(checkpoint: Checkpoint, options: argparse.Namespace) -> SpanReader:
    """Returns a reader that knows blanks. It goes on from a head, if the checkpoint has one."""
    preprocess = BertPreprocess(
        checkpoint, max_length=options.max_length, special_tokens_in_text=not options.train
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The checkpoint has no weights for question answering")
        return SpanReader(
            checkpoint, preprocess=preprocess, dtype=task.dtype(options), name=options.task
        )


def answers(
    model: SpanReader, data: Questions, options: argparse.Namespace, **arguments: Any
) -> dict[str, Any]:
    """Returns what `SpanReader.answers` says of all questions."""
    texts = tf.TensorSpec([None], tf.string)

    @tf.function(input_signature=[texts, texts])
    def answer(questions, texts):
        return model.answers(questions, texts, stride=options.stride, **arguments)

    parts = [slice(begin, begin + AT_ONCE) for begin in range(0, len(data.texts), AT_ONCE)]
    found = [
        answer(tf.constant(data.questions[part]), tf.constant(data.texts[part])) for part in parts
    ]
    joined = keras.tree.map_structure(lambda *parts: np.concatenate(parts), *found)
    return joined | {"text": [text.decode() for text in joined["text"]]}


def predict(options: argparse.Namespace) -> None:
    """Prints the answers to the questions of `--predict`, by the model in `--output`."""
    model = outputs.saved_model(options)
    with task.errors_end_it():
        if options.predict.suffix in (".json", ".jsonl"):
            data = read_questions(options.predict)
        else:
            table = read_table(options.predict, options.question, text_b=options.text)
            pairs = zip(table.texts, table.texts_b, strict=True)
            data = Questions.of([(*pair, (), -1) for pair in pairs])
    found = answers(model, data, options)
    names = ("text", "start", "score", "null_score")
    task.print_rows(
        ("question", *names), zip(data.questions, *(found[name] for name in names), strict=True)
    )


if __name__ == "__main__":
    main()
