"""Trains vectors of Chinese sentences, and searches with them.

    pip install 'keras-bert-zh[examples]'
    python examples/embed_sentences.py
    python examples/embed_sentences.py --checkpoint PATH  # for BERT-base, take a GPU
    python examples/embed_sentences.py --train FILE --test FILE --text A --text-b B --label SCORE
    python examples/embed_sentences.py --predict FILE     # by the model in --output

The script needs the folder `parts` beside it.

It trains the small checkpoint of the package on 3,000 headlines and their articles: each headline
must find its article among all articles of a batch. For the test, each of 932 other headlines must
find its article among the 932 articles. Expected, after two minutes on two CPU cores:

    recall_at_1 0.6806 (three seeds: 0.6792 to 0.6835)
    mrr 0.7335 (three seeds: 0.7314 to 0.7352)
    untrained_recall_at_1 0.6588
    untrained_mrr 0.7095
    baseline_recall_at_1 0.6513
    baseline_mrr 0.7096

`recall_at_1` is the share of articles in first place, and `mrr` is the mean reciprocal rank. The
baseline is the cosine of TF-IDF. Your own files have two texts and their similarity as a number in
each row, like STS-B; the score is then Spearman's correlation. With --simcse, the model learns from
single texts: each is encoded twice with different dropout. --train then only needs the column
--text, or is a .txt file with one text per line.

Writes `model.keras`, which turns strings into vectors, and `neighbourhoods.png`, a map of the
texts.
"""

import argparse
from collections.abc import Sequence

from parts import outputs, similarity, task
from parts.headlines import load_headlines
from parts.neighbourhoods import draw
from parts.pairs import Pairs, read_numbers
from parts.texts import count_long, table_of

import numpy as np
from scipy.stats import spearmanr

from keras_bert_zh import CoSENT, InBatchNegatives, TwoTowers

MAP = "neighbourhoods.png"
MAPPED = 1_000  # Texts in the picture, at most.
QUESTIONS = ("哪里着火了", "明天会下雪吗", "孩子上学", "警察抓到了小偷")


def main(arguments: Sequence[str] | None = None) -> None:
    task.run(parse(arguments), train, predict)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = task.parser(__doc__, "embed_sentences", ("text", "text_b", "label"))
    similarity.add_pooling(parser)
    add = parser.add_argument
    meaning = "learn from single texts, those of --text (default: from pairs)"
    add("--simcse", action="store_true", help=meaning)
    rows = "the number of rows to train on, from the beginning"
    task.add_at_hand(parser, "--rows", 3_000, rows, there="4,813 examples", yours="all")
    return task.parse(parser, arguments)


def read(options: argparse.Namespace) -> tuple[Pairs, Pairs]:
    """Returns what to learn from, and what to be tested on."""
    if options.train and options.simcse:
        texts = np.array(table_of(options.train, options).texts[: options.rows], object)
        return Pairs(texts, texts, None), read_numbers(options.test, options)
    if options.train:
        train, test = (read_numbers(file, options) for file in (options.train, options.test))
        return train.rows(slice(options.rows)), test
    parts = load_headlines(options.rows)
    train, test = (
        Pairs(parts[name].titles, parts[name].articles, None) for name in ("train", "test")
    )
    return train, test


def train(options: argparse.Namespace) -> dict[str, float]:
    """Trains and saves an encoder. Returns its scores and those of others on the test set."""
    with task.errors_end_it():
        rows, test = read(options)
    checkpoint = task.begin(options, [MAP])
    print(f"{len(rows.texts):,} rows to learn from, {len(test.texts):,} to be tested.")
    noise = {"dropout": 0.1} if options.simcse else {}  # "small" has none of its own.
    encoder = similarity.sentence_encoder(checkpoint, options, name=options.task, **noise)
    parts = [part.different_texts for part in (rows, test)]
    train_cut, test_cut = count_long(encoder.preprocess, *parts)
    print(f"--max-length {options.max_length} cuts {train_cut:,} and {test_cut:,} of the texts.")
    embed = similarity.by_model(encoder)
    others = {"untrained": embed, "baseline": similarity.by_tfidf(rows.all_texts)}
    others_scores = {name: scores(test, other) for name, other in others.items()}

    towers = TwoTowers(encoder)
    if options.simcse:
        rows = Pairs(*[rows.different_texts] * 2, None)
    by_labels = rows.labels is not None
    towers.compile(
        optimizer=task.optimizer(options, len(rows.texts)),
        loss=CoSENT() if by_labels else InBatchNegatives(),
    )
    pairs = (rows.texts, rows.others)
    task.fit(towers, (pairs, rows.labels) if by_labels else (pairs,), None, options)
    outputs.save(encoder, options)
    shown = np.unique(test.texts)[:MAPPED]
    title = f"{len(shown):,} texts, each beside those whose vectors are close to its own"
    draw(options.output / MAP, title, shown, embed(shown))
    if not options.train:
        search(embed, QUESTIONS, shown)
    found = scores(test, embed)
    for name, its in others_scores.items():
        found |= {f"{name}_{key}": value for key, value in its.items()}
    return found


def scores(rows: Pairs, embed: similarity.Embed) -> dict[str, float]:
    """Returns how well vectors do: Spearman's correlation, or how often the other text is found."""
    first, second = embed(rows.texts), embed(rows.others)
    if rows.labels is not None:
        cosines = similarity.of_rows(first, second)
        if np.ptp(cosines) == 0:
            return {"spearman": 0.0}  # There is no order, and spearmanr says NaN.
        return {"spearman": float(spearmanr(cosines, rows.labels).statistic)}
    close = similarity.of_all(first, second)
    places = 1 + (close > close.diagonal()[:, None]).sum(axis=1)
    return {"recall_at_1": float(np.mean(places == 1)), "mrr": float(np.mean(1 / places))}


def search(embed: similarity.Embed, questions: Sequence[str], texts: np.ndarray) -> None:
    """Prints the three texts that are closest to each question."""
    close = similarity.of_all(embed(np.array(questions, object)), embed(texts))
    for question, row in zip(questions, close, strict=True):
        print(f"{question}:")
        for place in np.argsort(-row)[:3]:
            print(f"  {row[place]:.2f}  {texts[place]}")


def predict(options: argparse.Namespace) -> None:
    """Prints for each text of `--predict` the closest other one, by the model in `--output`."""
    encoder = outputs.saved_model(options)
    with task.errors_end_it():
        texts = np.array(table_of(options.predict, options).texts, object)
        if len(set(texts)) < 2:
            raise ValueError(
                f"{options.predict}: expected at least two different texts, to find the closest "
                "other text of each, but there is one. Add texts."
            )
    found = similarity.closest(texts, similarity.by_model(encoder)(texts))
    task.print_rows(
        ("text", "closest", "cosine"),
        (
            (text, texts[row], f"{cosine:.4f}")
            for text, (row, cosine) in zip(texts, found, strict=True)
        ),
    )


if __name__ == "__main__":
    main()
