"""Exports the models of a server in a separate process, since this needs TensorFlow.

python -m keras_bert_zh.serving.make '{"source": "small", ...}'
"""

import dataclasses
import json
import os
import pathlib
import sys
from typing import Any

# What tells users what to do, and goes on to them.
ERRORS = (ValueError, TypeError, OSError, ImportError, RuntimeError)

# The folders of the models: the one that MODEL is, and the one that finds tokens for [MASK].
MODEL, FILL_MASK = "model", "fill_mask"


@dataclasses.dataclass(frozen=True)
class Order:
    """Which models to export.

    Args:
        source: str, a `.keras` file, or what `load_checkpoint` takes.
        engine: str, what is to run them.
        dtype: str, as for `export_model`.
        pooling: str, as for SentenceEncoder.
        max_length: int, the most tokens of a text.
        pairs: bool, whether texts are pairs.
        fill_mask: bool, whether a checkpoint finds tokens for `[MASK]` too.
    """

    source: str
    engine: str
    dtype: str | None = None
    pooling: str | None = None
    max_length: int | None = None
    pairs: bool = False
    fill_mask: bool = False


def make(order: Order, folder: pathlib.Path) -> None:
    """Writes the models into a folder.

    Raises:
        ValueError, TypeError, OSError, ImportError: as `load_checkpoint`, the models and
            `export_model` raise them; for options that a `.keras` file has decided.
    """
    from keras_bert_zh.engines.load import FORMATS
    from keras_bert_zh.export.model import export_model
    from keras_bert_zh.export.sources import is_saved_model, model_of, read_saved_model

    format = FORMATS[order.engine]
    if is_saved_model(order.source):
        decided = {"--pooling": order.pooling, "--max-length": order.max_length}
        decided |= {"--pairs": order.pairs or None, "--fill-mask": order.fill_mask or None}
        for name, value in decided.items():
            if value is not None:
                raise ValueError(
                    f"{name} applies to checkpoints only: a .keras file already holds this "
                    "setting. Leave it out."
                )
        export_model(read_saved_model(order.source), folder / MODEL, format, order.dtype)
        return
    from keras_bert_zh.checkpoints import load_checkpoint

    checkpoint = load_checkpoint(order.source)
    pooling = order.pooling
    if pooling is None and order.source == "small" and not order.pairs:
        pooling = "pooled_output"  # For which it is trained.
    model, preprocess = model_of(
        checkpoint, max_length=order.max_length, pairs=order.pairs, pooling=pooling
    )
    export_model(model, folder / MODEL, format, order.dtype, preprocess=preprocess)
    if order.fill_mask:
        model, preprocess = _masked_lm(checkpoint, getattr(model, "encoder", model), order)
        export_model(model, folder / FILL_MASK, format, order.dtype, preprocess=preprocess)


def _masked_lm(checkpoint: Any, encoder: Any, order: Order) -> tuple[Any, Any]:
    """Returns the model that finds tokens, on an encoder that is there, and its preprocess."""
    if "masked_lm" not in checkpoint.parts:
        raise ValueError(
            f"{order.source} has no weights to predict tokens for [MASK]: leave out --fill-mask."
        )
    from keras_bert_zh.export.sources import preprocess_of
    from keras_bert_zh.heads.masked_lm import MaskedLM

    model = MaskedLM(encoder, checkpoint)
    return model, preprocess_of(checkpoint, order.max_length, special_tokens_in_text=True)


def main() -> int:
    """Does what the first argument says, and tells of errors in JSON."""
    arguments: dict[str, Any] = json.loads(sys.argv[1])
    folder = pathlib.Path(arguments.pop("folder"))
    try:
        make(Order(**arguments), folder)
    except ERRORS as error:
        kind = next(kind.__name__ for kind in ERRORS if isinstance(error, kind))
        json.dump({"error": kind, "message": str(error)}, sys.stdout)
        return 2
    return 0


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    status = main()
    sys.stdout.flush()
    os._exit(status)  # To take TensorFlow down takes a second, in which nobody can be served.
