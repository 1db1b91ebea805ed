"""Writes the model card of an exported model."""

import pathlib

from keras_bert_zh.checkpoints.writers.model_card import SIGNED
from keras_bert_zh.export.description import DESCRIPTION, Description
from keras_bert_zh.messages import listing

_FORMATS = {
    "onnx": "ONNX, for ONNX Runtime, OpenVINO and others",
    "savedmodel": "a SavedModel, for TensorFlow and tensorflow-text",
    "litert": "LiteRT (formerly TensorFlow Lite)",
}
_TAKES = {
    "texts": '["今天天气很好"]',
    "pairs": '(["今天天气很好"], ["今天是晴天"])',
    "ids": '{"input_ids": [[101, 102]]}',
}


def exported_card(described: Description) -> str:
    """Returns the page, in Markdown."""
    example = _TAKES.get(described.takes)
    paragraphs = [
        "# A BERT for prediction",
        f"The format is {_FORMATS.get(described.format, described.format)}, with weights in "
        f"{described.dtype}. `{DESCRIPTION}` describes everything that is needed to run it.",
        f"{_served(described)}Inputs: {_names(described.inputs.values())}." + _sizes(described),
        f"Outputs: {_names(described.names)}.",
    ]
    if described.labels is not None:
        paragraphs.append(f"Labels: {listing(described.labels, 30)}.")
    if example is not None:
        code = (
            f'from keras_bert_zh import ExportedModel\n\nExportedModel("FOLDER").predict({example})'
        )
        paragraphs.append(f"```python\n{code}\n```")
    paragraphs.append(f"`FOLDER` is the folder of this page. {SIGNED}")
    return "\n\n".join(paragraphs) + "\n"


def is_ours(card: pathlib.Path) -> bool:
    """Tells whether this package wrote the page."""
    return SIGNED.encode() in card.read_bytes()


def _names(names) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _served(described: Description) -> str:
    texts = {"texts": "`text`", "pairs": "`text_a` and `text_b`"}.get(described.takes)
    if described.format != "savedmodel" or texts is None:
        return ""
    return (
        f"The signature `serving_default` takes {texts}, strings `[batch]`; `tokens` takes the "
        "inputs below. "
    )


def _sizes(described: Description) -> str:
    if not described.sizes:
        return ""
    length = described.length or f"up to {described.positions}"
    mask = described.inputs.get("input_mask")
    kind = "int64" if mask == "attention_mask" else "int32"
    meaning = f"; `{mask}` is 1 for tokens and 0 for padding" if mask else ""
    return f" Ids are {kind}, `[batch, length]`, of {length} tokens{meaning}."
