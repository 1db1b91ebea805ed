"""Predicts the character for each [MASK] of a Chinese sentence.

    python examples/fill_mask.py
    python examples/fill_mask.py "今天天气很[MASK]" "中国的首都是[MASK][MASK]。" --top 3
    python examples/fill_mask.py --checkpoint PATH_OR_URL

Prints each sentence, and a line for each [MASK]: the five most likely tokens with their
probabilities. If a sentence has several [MASK]s, each is predicted separately. Without sentences,
it uses ten examples. Expected, after a few seconds, among others:

    中国的首都是[MASK]京。
      北 90.0%  南 3.2%  新 0.8%  在 0.4%  大 0.4%
    这本书很有意[MASK]，我看了两遍。
      思 67.3%  味 5.0%  意 4.1%  信 2.3%  观 2.0%
"""

import argparse
import os
import sys
from collections.abc import Sequence

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # None of TensorFlow's notes on CPUs and GPUs.

from keras_bert_zh import BertEncoder, BertPreprocess, MaskedLM, load_checkpoint

# isort: split
import keras
import numpy as np

MASK = "[MASK]"
SENTENCES = (
    "今天天气很[MASK]，我们去公园吧。",
    "中国的首都是[MASK]京。",
    "太阳从[MASK]边升起。",
    "一年有春、夏、[MASK]、冬四个季节。",
    "他生病了，今天没有去[MASK]班。",
    "她在医院当[MASK]生。",
    "这本书很有意[MASK]，我看了两遍。",
    "请把窗户关上，外面太[MASK]了。",
    "我们坐[MASK]车去上海。",
    "房间很干净，[MASK][MASK]员也很热情。",
)


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    checkpoint = load_checkpoint(options.checkpoint)
    if "masked_lm" in checkpoint.missing:
        sys.exit(f"{options.checkpoint} has no masked language model to predict tokens.")
    preprocess = BertPreprocess(checkpoint, special_tokens_in_text=True)
    try:
        rows = [
            encode(text, preprocess, checkpoint.config.max_position_embeddings)
            for text in options.texts
        ]
    except ValueError as error:
        sys.exit(str(error))
    model = MaskedLM(BertEncoder(checkpoint), checkpoint)
    vocabulary = preprocess.vocabulary
    for text, ids in zip(options.texts, rows, strict=True):
        print(text)
        for guesses in guess(model, ids, preprocess.special_ids[MASK], options.top):
            print("  " + "  ".join(f"{vocabulary[token]} {p:.1%}" for token, p in guesses))


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "texts", nargs="*", metavar="TEXT", help=f"sentences with {MASK} (default: ten examples)"
    )
    parser.add_argument(
        "--checkpoint",
        default="small",
        help="a checkpoint with a masked language model (default: %(default)s)",
    )
    parser.add_argument(
        "--top", type=int, default=5, help="how many tokens to print (default: %(default)s)"
    )
    options = parser.parse_args(arguments)
    if options.top < 1:
        parser.error(f"--top must be at least 1, got {options.top}")
    options.texts = options.texts or list(SENTENCES)
    return options


def encode(text: str, preprocess: BertPreprocess, limit: int) -> np.ndarray:
    """Returns the ids of a text, `<int32>[S]`.

    Raises:
        ValueError: if there is no [MASK], or more than `limit` tokens.
    """
    if MASK not in text:
        raise ValueError(f"{text!r} has no {MASK}: write it in place of one character.")
    special = preprocess.special_ids
    ids = [special["[CLS]"], *preprocess.tokenize(text).numpy(), special["[SEP]"]]
    if len(ids) > limit:
        raise ValueError(
            f"{text[:20]!r}... has {len(ids)} tokens with [CLS] and [SEP], and the checkpoint "
            f"takes {limit}: shorten it."
        )
    return np.array(ids, "int32")


def guess(model: MaskedLM, ids: np.ndarray, mask: int, top: int) -> list[list[tuple[int, float]]]:
    """Returns the likeliest tokens of each [MASK] with their probabilities, best first."""
    positions = np.flatnonzero(ids == mask).astype("int32")
    logits = model({"input_ids": ids[None], "mlm_positions": positions[None]})
    probabilities = keras.ops.convert_to_numpy(keras.ops.softmax(logits))[0]
    best = np.argsort(-probabilities, axis=-1)[:, :top]
    return [
        [(int(token), float(row[token])) for token in tokens]
        for row, tokens in zip(probabilities, best, strict=True)
    ]


if __name__ == "__main__":
    main()
