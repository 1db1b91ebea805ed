"""Writes the training reviews as a text of the corpus, without their labels.

    pip install 'keras-bert-zh[examples]'
    python -m recipes.small.review_text FOLDER

FOLDER/reviews.txt contains the training part of `examples/parts/reviews.py`, one review per line.
It contains no validation and no test reviews.
"""

import argparse
import pathlib
import sys

from examples.parts.reviews import load_reviews
from keras_bert_zh.files.new_file import new_file


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=pathlib.Path, help="the folder of the corpus")
    options = parser.parse_args()
    file = options.folder / "reviews.txt"
    texts = load_reviews()["train"].texts
    content = ("\n".join(texts) + "\n").encode()
    if file.exists() and file.read_bytes() != content:
        sys.exit(f"{file} exists and has other content: choose another folder, or move the file.")
    with new_file(file) as new:
        new.write_bytes(content)
    print(f"Wrote {len(texts):,} reviews to {file}.")


if __name__ == "__main__":
    main()
