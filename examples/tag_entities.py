"""Finds the names of people, places and organisations in Chinese text.

    pip install 'keras-bert-zh[examples]'
    python examples/tag_entities.py
    python examples/tag_entities.py --checkpoint PATH  # for BERT-base, take a GPU
    python examples/tag_entities.py --train FILE --test FILE
    python examples/tag_entities.py --predict FILE     # by the model in --output

The script needs the folder `parts` beside it.

It fine-tunes the small checkpoint of the package with a CRF, on 3,000 lines of the People's Daily.
Expected, after about seven minutes on two CPU cores:

    f1 0.8990 (three seeds: 0.8969 to 0.9019)
    baseline_f1 0.8686

Scores are for whole entities: an entity counts if its type and both ends are right. The baseline is
a CRF on characters and their neighbours. Your own files have a token and its label on each line,
like CoNLL, MSRA, Weibo and Resume, or are JSON Lines like CLUENER; see `parts/tagged.py`. Training
lines that are longer than --max-length are split at the ends of sentences; test lines are read by
windows.

Writes `model.keras`, a model that takes strings and has a method `entities`, and `report.png`:
texts with their entities marked.
"""

import argparse
from collections.abc import Sequence

from parts import character_crf, entity_scores, outputs, task
from parts.entity_picture import draw
from parts.people_daily import load_people_daily
from parts.tagged import Tagged, check_kinds, kinds_of, read_tagged
from parts.texts import table_of
from parts.word_labels import to_tokens

import tensorflow as tf

from keras_bert_zh import TokenTagger
from keras_bert_zh.label_schemes import Span

REPORT = "report.png"
RATES = {"crf": 300.0, "classifier": 10.0}  # They begin with nothing.
BATCH = 64  # Lines whose entities are found at once.
VALIDATION_ROWS = 300  # Enough for the learning curve; recipes are chosen by all of them.


def main(arguments: Sequence[str] | None = None) -> None:
    task.run(parse(arguments), train, predict)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = task.parser(__doc__, "tag_entities", ("text",))
    rows, there = "the number of texts to train on, from the first", "14,115 examples"
    task.add_at_hand(parser, "--rows", 3_000, rows, there=there, yours="all")
    rows = "the number of texts of the example data to test on"
    task.add_at_hand(parser, "--test-rows", 1_000, rows, there="3,025 examples")
    return task.parse(parser, arguments)


def read(options: argparse.Namespace) -> dict[str, list[Tagged]]:
    """Returns the texts of each part; of the user's files, one text in ten is for validation."""
    if not options.train:
        parts = load_people_daily()
        sizes = {"train": options.rows, "validation": VALIDATION_ROWS, "test": options.test_rows}
        return {part: texts[: sizes[part]] for part, texts in parts.items()}
    given, test = read_tagged(options.train)[: options.rows], read_tagged(options.test)
    kinds_of(options.test, test)  # Where there is none, nothing can be measured.
    check_kinds(options.test, test, kinds_of(options.train, given))
    held_out = [tagged for tagged in given if task.is_validation(tagged.text)]
    kept = [tagged for tagged in given if not task.is_validation(tagged.text)]
    return {"train": kept or given, "validation": held_out or given, "test": test}


def train(options: argparse.Namespace) -> dict[str, float]:
    """Trains and saves a model. Returns its score and that of the baseline on the test set."""
    with task.errors_end_it():
        parts = read(options)
        kinds = kinds_of(options.train, [*parts["train"], *parts["validation"]])
    names = ["O", *(f"{prefix}-{kind}" for kind in kinds for prefix in "BI")]
    outputs.check_labels(options, names)
    checkpoint = task.begin(options, [REPORT])
    with task.errors_end_it():  # A checkpoint that is a tagger has labels of its own.
        model = TokenTagger(
            checkpoint,
            names,
            crf=True,
            max_length=options.max_length,
            dtype=task.dtype(options),
            name=options.task,
        )
    data, held_out = (to_tokens(parts[part], model) for part in ("train", "validation"))
    rows = len(data[-1])
    print(
        f"{len(parts['train']):,} texts to learn from, in {rows:,} pieces, and "
        f"{len(parts['test']):,} to be tested."
    )
    model.compile(optimizer=task.optimizer(options, rows, rates=RATES))
    task.fit(model, data, held_out, options)

    test = parts["test"]
    found = find(model, [tagged.text for tagged in test])
    expected = [tagged.spans for tagged in test]
    by_kind = entity_scores.scores(expected, [[span for span, _ in row] for row in found])
    entity_scores.show(by_kind)
    outputs.save(model, options)
    draw(options.output / REPORT, f"Fine-tuning {options.checkpoint}", test, found)
    baseline = character_crf.fit(parts["train"])
    baseline_scores = entity_scores.scores(expected, [baseline(tagged.text) for tagged in test])
    return {"f1": by_kind["all"][2], "baseline_f1": baseline_scores["all"][2]}


def find(model: TokenTagger, texts: Sequence[str]) -> list[list[tuple[Span, float]]]:
    """Returns the entities in each text, and how sure the model is of each."""
    entities = tf.function(
        model.entities, input_signature=[tf.TensorSpec([None], tf.string)], autograph=False
    )
    # Texts of one length together: there is less padding.
    order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
    rows: dict[int, list] = {}
    for begin in range(0, len(texts), BATCH):
        chosen = order[begin : begin + BATCH]
        found = entities(tf.constant([texts[row] for row in chosen]))
        columns = [found[key].to_list() for key in ("label", "start", "end", "score")]
        for row, cells in zip(chosen, zip(*columns, strict=True), strict=True):
            rows[row] = [
                (Span(label.decode(), start, end), score)
                for label, start, end, score in zip(*cells, strict=True)
            ]
    return [rows[row] for row in range(len(texts))]


def predict(options: argparse.Namespace) -> None:
    """Prints the entities in the texts of `--predict`, by the model in `--output`."""
    model = outputs.saved_model(options)
    with task.errors_end_it():
        table = table_of(options.predict, options)
    task.print_rows(
        ("line", "start", "end", "label", "score", "entity"),
        (
            (line, span.start, span.end, span.kind, f"{score:.4f}", text[span.start : span.end])
            for line, text, found in zip(
                table.lines, table.texts, find(model, table.texts), strict=True
            )
            for span, score in found
        ),
    )


if __name__ == "__main__":
    main()
