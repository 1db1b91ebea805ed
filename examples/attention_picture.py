"""Draws the attention between the tokens of a Chinese sentence, for each head of a block.

    pip install 'keras-bert-zh[examples]'
    python examples/attention_picture.py
    python examples/attention_picture.py "房间很干净。" --block 1 --checkpoint PATH_OR_URL

The script needs the folder `parts` beside it.

Writes `out/attention.png`: a square for each head, with a row for each token, dark where that token
attends. In block 3 of the small checkpoint some heads attend to the same word (手机, 出租) and
others to neighbours; a token for which a head finds nothing attends to [CLS]. Takes a few seconds.
"""

import argparse
import pathlib
import sys
from collections.abc import Sequence

from parts.picture import FAINT, SOFTWARE, is_report, style

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from keras_bert_zh import BertEncoder, BertPreprocess, load_checkpoint
from keras_bert_zh.files.new_file import new_file

TEXT = "我把手机忘在出租车上了。"
COLUMNS = 4


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    if options.output.exists() and not (options.output.is_file() and is_report(options.output)):
        sys.exit(f"{options.output} was not written by this example: choose another --output.")
    checkpoint = load_checkpoint(options.checkpoint)
    blocks, longest = checkpoint.config.num_hidden_layers, checkpoint.config.max_position_embeddings
    block = max(blocks // 2, 1) if options.block is None else options.block
    if not 1 <= block <= blocks:
        sys.exit(f"--block must be from 1 to {blocks} for {options.checkpoint}, got {block}.")
    preprocess = BertPreprocess(checkpoint, max_length=min(options.max_length, longest))
    tokens, maps = attention(BertEncoder(checkpoint), preprocess, options.text, block)
    title = f"Block {block} of {blocks} of {options.checkpoint}"
    options.output.parent.mkdir(parents=True, exist_ok=True)
    draw(options.output, title, tokens, maps)
    print(f"Wrote {options.output}: {len(maps)} heads, {len(tokens)} tokens.")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "text",
        nargs="?",
        default=TEXT,
        help="a sentence, preferably short (default: %(default)s)",
    )
    parser.add_argument(
        "--checkpoint", default="small", help="the checkpoint to show (default: %(default)s)"
    )
    parser.add_argument(
        "--block", type=int, help="the number of the block, from 1 (default: the middle one)"
    )
    parser.add_argument(
        "--max-length", type=int, default=32, help="the most tokens to show (default: %(default)s)"
    )
    parser.add_argument(
        "--output",
        type=pathlib.Path,
        default=pathlib.Path("out/attention.png"),
        help="the picture (default: %(default)s)",
    )
    options = parser.parse_args(arguments)
    if options.max_length < 3:
        parser.error(f"--max-length must be at least 3, got {options.max_length}")
    return options


def attention(
    encoder: BertEncoder, preprocess: BertPreprocess, text: str, block: int
) -> tuple[list[str], np.ndarray]:
    """Returns the tokens of a text, and how much they look at each other, `<float32>[N, S, S]`."""
    inputs = preprocess([text])
    length = int(inputs["input_mask"].numpy().sum())
    tokens = [preprocess.vocabulary[token] for token in inputs["input_ids"][0, :length].numpy()]
    maps = encoder(inputs, as_dict=True, attention=True)["attention"][block - 1]
    return tokens, np.asarray(maps)[0, :, :length, :length]


def draw(path: pathlib.Path, title: str, tokens: Sequence[str], maps: np.ndarray) -> Figure:
    """Writes a square for each head as a PNG."""
    rows = -(-len(maps) // COLUMNS)
    side = 1.2 + 0.17 * len(tokens)
    with matplotlib.rc_context(style() | {"font.size": 9}):
        figure = Figure(figsize=(side * COLUMNS, side * rows + 0.6), dpi=100, layout="constrained")
        figure.suptitle(title, x=0.01, ha="left", fontsize=14)
        squares = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
        for number, square in enumerate(squares):
            if number >= len(maps):
                square.set_axis_off()
                continue
            square.set_title(f"head {number + 1}", fontsize=10, color=FAINT)
            square.imshow(maps[number], cmap="Blues", vmin=0, vmax=1)
            square.set_yticks(range(len(tokens)), tokens)
            square.set_xticks(range(len(tokens)), tokens)
            for name in square.get_xticklabels():
                name.set_rotation(90 if len(name.get_text()) > 1 else 0)
            square.tick_params(length=0)
            square.spines[:].set_visible(False)
        with new_file(path) as new:
            figure.savefig(new, metadata={"Software": SOFTWARE})
    return figure


if __name__ == "__main__":
    main()
