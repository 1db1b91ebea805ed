"""The file with the description of an exported model: everything that is needed to run it."""

import dataclasses
import json
import os
import pathlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from keras_bert_zh.arguments import is_int
from keras_bert_zh.checkpoints.head import TASKS
from keras_bert_zh.checkpoints.readers.json_files import read_json

if TYPE_CHECKING:
    from keras_bert_zh.preprocess import BertPreprocess

DESCRIPTION = "export.json"
VOCABULARY = "vocab.txt"

# The scores of a CRF behind the logits: `transitions <float32>[K, K]`, `start` and `end`
# `<float32>[K]`, with what its rules rule out.
CRF_SCORES = "crf.safetensors"

# What a BertPreprocess is made with again, beside its vocabulary.
_OF_PREPROCESS = ("lowercase", "max_length", "word_ids", "warn_of_cuts", "special_tokens_in_text")

# What models are for: the heads of checkpoints, and what can be made of others.
SENTENCE_EMBEDDING, MASKED_LM = "sentence_embedding", "masked_lm"

# What a model takes: texts, or pairs of them alone; ids alone; or tensors by their names.
TAKES = ("texts", "pairs", "ids", "tensors")


@dataclasses.dataclass(frozen=True)
class Description:
    """Everything that is needed to run an exported model, except its file and its vocabulary.

    Args:
        format: str, the format of the model's file.
        dtype: str, the dtype that it computes in.
        version: str, the version of this package that wrote it.
        takes: `"texts"`, `"pairs"`, `"ids"` or `"tensors"`.
        inputs: dict, for each of our input names the name in the model's file: the names of the
            ids, or of the model's own tensors.
        outputs: the structure of the outputs, in which each output is its name in the model's
            file: str, or dicts and lists of str.
        sizes: dict, the number of possible values of each kind of ids.
        positions: int, the largest number of tokens in a row.
        length: int, the only possible length of a row, or `None` if any length is possible.
        preprocess: dict, the arguments of BertPreprocess except its vocabulary, or `None`.
        stride: int, the distance between the windows of long texts; `None` if texts are cut.
        scaled_after: bool, whether vectors must be scaled to length 1 after the mean over the
            windows.
        prompt: str, the text that is put before each text; may be empty.
        lower_first: bool, whether texts are lower-cased before they are tokenised.
        text_names: list of str, the names of the texts in a dict, in the order of a pair; `None`
            if they have no names of their own.
        labels: list of str, the names of the outputs, or `None`.
        problem_type: str, or `None`.
        task: str, the meaning of the outputs: the task of a `Head`, `SENTENCE_EMBEDDING` or
            `MASKED_LM`; `None` for anything else.
        of_texts_alone: bool, whether only texts, and not their ids, give the right outputs.
    """

    format: str
    dtype: str
    version: str
    takes: str
    inputs: Mapping[str, str]
    outputs: Any
    sizes: Mapping[str, int] = dataclasses.field(default_factory=dict)
    positions: int | None = None
    length: int | None = None
    preprocess: Mapping[str, Any] | None = None
    stride: int | None = None
    scaled_after: bool = False
    prompt: str = ""
    lower_first: bool = False
    text_names: list[str] | None = None
    labels: list[str] | None = None
    problem_type: str | None = None
    task: str | None = None
    of_texts_alone: bool = False

    def __post_init__(self) -> None:
        wrong = [name for name, fits in self._fits().items() if not fits]
        if wrong:
            raise ValueError(f"{wrong[0]} can't be {getattr(self, wrong[0])!r}.")

    def _fits(self) -> dict[str, bool]:
        """Tells for each field whether it is valid, if it would otherwise cause an error later."""
        names = self.names
        counts = (self.positions, self.length, self.stride)
        return {
            "format": isinstance(self.format, str),
            "takes": self.takes in TAKES,
            "inputs": bool(self.inputs) and _are(self.inputs, str),
            "outputs": bool(names) and all(isinstance(name, str) for name in names),
            "sizes": _are(self.sizes, int) and (self.takes == "tensors" or bool(self.sizes)),
            **{
                name: count is None or (is_int(count) and count > 0)
                for name, count in zip(("positions", "length", "stride"), counts, strict=True)
            },
            "preprocess": self.preprocess is None or set(self.preprocess) == set(_OF_PREPROCESS),
            "prompt": isinstance(self.prompt, str),
            "task": self.task in (None, *TASKS, SENTENCE_EMBEDDING, MASKED_LM),
            **{
                name: names is None or all(isinstance(each, str) for each in names)
                for name, names in (("text_names", self.text_names), ("labels", self.labels))
            },
        }

    @property
    def names(self) -> list[str]:
        """The names of the outputs in the model's file, in the order of the structure."""
        return [*_leaves(self.outputs)]

    def packed(self, outputs: list[Any]) -> Any:
        """Returns outputs, given in the order of `names`, in their structure."""
        return _with_leaves(self.outputs, iter(outputs))

    def write(self, folder: pathlib.Path) -> None:
        """Writes the file."""
        # Inputs keep their order.
        text = json.dumps(dataclasses.asdict(self), ensure_ascii=False, indent=2)
        (folder / DESCRIPTION).write_text(text + "\n", encoding="utf-8")


def read_description(folder: str | os.PathLike) -> Description:
    """Reads the file.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: if the file is damaged, or was written by a newer version of this package.
    """
    path = pathlib.Path(folder) / DESCRIPTION
    if not path.is_file():
        raise FileNotFoundError(
            f"{folder} has no {DESCRIPTION}, which export_model writes next to each model: pass a "
            "folder that export_model has written."
        )
    fields = read_json(path)
    known = {field.name: field for field in dataclasses.fields(Description)}
    unknown = sorted(fields.keys() - known.keys())
    needed = [name for name, field in known.items() if _is_needed(field)]
    missing = [name for name in needed if name not in fields]
    if unknown or missing:
        what = f"does not know {unknown}" if unknown else f"needs {missing}"
        raise ValueError(
            f"{path} was written by version {fields.get('version')!r} of keras_bert_zh, but this "
            f"version {what}: export the model again."
        )
    try:
        return Description(**fields)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path} is damaged: {error}") from error


def is_exported(source: str | os.PathLike) -> bool:
    """Tells whether a source is a folder that `export_model` wrote."""
    return pathlib.Path(source, DESCRIPTION).is_file()


def arguments_of(preprocess: "BertPreprocess") -> dict[str, Any]:
    """Returns the arguments that recreate a preprocess, except its vocabulary."""
    return {name: getattr(preprocess, name) for name in _OF_PREPROCESS}


def preprocess_in(folder: str | os.PathLike, description: Description) -> "BertPreprocess | None":
    """Returns the preprocess of an exported model, if it has one."""
    if description.preprocess is None:
        return None
    from keras_bert_zh.preprocess import BertPreprocess  # It imports TensorFlow.

    path = pathlib.Path(folder) / VOCABULARY
    return BertPreprocess(None, vocabulary=path, **description.preprocess)


def _leaves(structure: Any) -> Iterator[Any]:
    """Yields the leaves of dicts and lists in the order of `keras.tree`, without TensorFlow."""
    if isinstance(structure, Mapping):
        structure = [structure[key] for key in sorted(structure)]
    if isinstance(structure, (list, tuple)):
        for part in structure:
            yield from _leaves(part)
    else:
        yield structure


def _with_leaves(structure: Any, leaves: Iterator[Any]) -> Any:
    """Returns a structure of dicts and lists with new leaves."""
    if isinstance(structure, Mapping):
        found = {key: _with_leaves(structure[key], leaves) for key in sorted(structure)}
        return {key: found[key] for key in structure}
    if isinstance(structure, (list, tuple)):
        return [_with_leaves(part, leaves) for part in structure]
    return next(leaves)


def _are(fields: Any, kind: type) -> bool:
    return isinstance(fields, Mapping) and all(isinstance(v, kind) for v in fields.values())


def _is_needed(field: dataclasses.Field) -> bool:
    return field.default is field.default_factory is dataclasses.MISSING
