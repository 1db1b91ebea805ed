"""The tasks of a server: from requests to rows of ids, and from outputs to answers."""

import abc
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_bert_zh.export.description import CRF_SCORES, MASKED_LM, SENTENCE_EMBEDDING
from keras_bert_zh.serving.chain import Chain
from keras_bert_zh.serving.errors import RefusedError
from keras_bert_zh.serving.served_model import Row, ServedModel
from keras_bert_zh.text.plain_entities import join_entities, label_table, words_of
from keras_bert_zh.vocabulary import later_pieces

# How many tokens there may be for a `[MASK]`.
MOST_TOKENS = 100

# How many of a text's masks are computed in one row.
_PLACES = 8

# One text, a pair, or ids.
Sent = str | tuple[str, str] | Mapping[str, Sequence[int]]


class Task(abc.ABC):
    """What is done with one model at one endpoint.

    Args:
        model: ServedModel, of a task that this takes.
    """

    def __init__(self, model: ServedModel):
        self.model = model

    def rows(self, param: str, sent: Sent, *, truncate: bool) -> list[Row]:
        """Returns what is to be computed of a text.

        Args:
            param: str, what the text is called in errors.
            sent: the text, or a pair.
            truncate: bool, whether a text that is too long is cut.

        Returns:
            The rows of ids; `rows` of other tasks have more beside them.

        Raises:
            RefusedError: if it can't be computed.
        """
        text, pair = (sent, None) if isinstance(sent, str) else sent
        return self.model.rows(param, text, pair, truncate=truncate)

    def keep(self, row: Row, outputs: list[np.ndarray]) -> list[np.ndarray]:
        """Returns what `answer` needs of the outputs of a row.

        It is called in the computing thread. What it returns are copies: one row must not keep the
        outputs of a whole batch.
        """
        return [value.copy() for value in outputs]

    @abc.abstractmethod
    def answer(self, sent: Sent, rows: list[Row], outputs: list[list[np.ndarray]], **options: Any):
        """Returns the answer for a text, of what was kept of its rows."""


class Embedding(Task):
    """Vectors of texts.

    Attributes:
        size: int, how many numbers a vector has.
    """

    def __init__(self, model: ServedModel):
        super().__init__(model)
        (outputs,) = model.compute(model.rows("", "", truncate=True))
        self.size = len(outputs[0])

    def answer(self, sent, rows, outputs, *, dimensions=None):
        vector = _mean(outputs)[0].astype(np.float32)
        if self.model.described.scaled_after:
            vector = _scaled(vector)
        return vector if dimensions is None else _scaled(vector[:dimensions])


class Labels(Task):
    """The labels of texts, or their values."""

    def answer(self, sent, rows, outputs, *, threshold=0.5):
        (logits,) = _mean(outputs)
        logits = logits.astype(np.float32)
        labels, kind = self.model.described.labels or [], self.model.described.problem_type
        if kind == "regression":
            values = dict(zip(labels, logits.tolist(), strict=True))
            return {"value": logits.item()} if len(values) == 1 else {"values": values}
        if kind == "multi_label_classification":
            chances = 1 / (1 + np.exp(-logits))
            names = [labels[place] for place in np.flatnonzero(chances >= threshold)]
            return {"labels": names, "scores": _named(labels, chances)}
        chances = _softmax(logits)
        best = int(chances.argmax())
        return {
            "label": labels[best],
            "score": chances[best].item(),
            "scores": _named(labels, chances),
        }


class Entities(Task):
    """The entities in texts, of any length."""

    def __init__(self, model: ServedModel):
        super().__init__(model)
        self._table = label_table(model.described.labels or [])
        self._later = np.array(later_pieces(model.vocabulary))
        has_chain = (model.folder / CRF_SCORES).is_file()
        self._chain = Chain(model.folder) if has_chain else None

    def rows(self, param, sent, *, truncate):
        if not isinstance(sent, str):
            return super().rows(param, sent, truncate=truncate)  # Which says what is wrong.
        return [window._asdict() for window in self.model.preprocess.windows(sent, offsets=True)]

    def keep(self, row, outputs):
        return [outputs[0][: len(row["input_ids"])].copy()]

    def answer(self, sent, rows, outputs):
        kept = [np.flatnonzero(row["is_max_context"]) for row in rows]

        def joined(of_rows):
            parts = zip(of_rows, kept, strict=True)
            return np.concatenate([np.asarray(values)[places] for values, places in parts])

        ids, starts, ends = (
            joined(row[key] for row in rows) for key in ("input_ids", "starts", "ends")
        )
        logits = joined(found[0] for found in outputs)
        first, ends = words_of(self._later[ids], ends)
        if not len(first):
            return []
        labels, chances = self._decoded(logits[first].astype(np.float32))
        return join_entities(labels, chances, starts[first], ends, table=self._table, text=sent)

    def _decoded(self, logits):
        if self._chain is None:
            chances = _softmax(logits)
            labels = chances.argmax(1)
        else:
            labels, chances = self._chain.decode(logits), self._chain.marginals(logits)
        return labels, np.take_along_axis(chances, labels[:, None], 1)[:, 0]


class FillMask(Task):
    """The tokens that are most likely where a text has `[MASK]`."""

    def rows(self, param, sent, *, truncate):
        (row,) = super().rows(param, sent, truncate=truncate)
        mask = self.model.special_ids["[MASK]"]
        places = [place for place, token in enumerate(row["input_ids"]) if token == mask]
        if not places:
            raise RefusedError(
                422,
                f"{param} has no [MASK] among the tokens that the model reads: write [MASK] where "
                "a token is to be predicted.",
                param=param,
            )
        # All rows of a batch have as many places as the one with most.
        starts = range(0, len(places), _PLACES)
        return [row | {"mlm_positions": places[i : i + _PLACES]} for i in starts]

    def keep(self, row, outputs):
        logits = outputs[0][: len(row["mlm_positions"]), : len(self.model.vocabulary)]
        chances = _softmax(logits.astype(np.float32))
        best = np.argsort(-chances, axis=1, kind="stable")[:, :MOST_TOKENS]
        return [best, np.take_along_axis(chances, best, 1)]

    def answer(self, sent, rows, outputs, *, top_k=5):
        vocabulary = self.model.vocabulary
        return [
            [
                {"token": vocabulary[token], "token_id": token, "score": score}
                for token, score in zip(ids[:top_k], scores[:top_k], strict=True)
            ]
            for best, chances in outputs
            for ids, scores in zip(best.tolist(), chances.tolist(), strict=True)
        ]


class Outputs(Task):
    """All outputs as they are, as TensorFlow Serving gives them."""

    def rows(self, param, sent, *, truncate):
        if not isinstance(sent, Mapping):
            rows = super().rows(param, sent, truncate=truncate)
            if self.model.described.task == MASKED_LM:
                rows = [row | {"mlm_positions": [*range(len(row["input_ids"]))]} for row in rows]
            return rows
        described = self.model.described
        unknown = sorted(sent.keys() - described.inputs.keys())
        if unknown or "input_ids" not in sent:
            what = f"{unknown[0]!r} is not one of them" if unknown else "input_ids are missing"
            raise RefusedError(
                422, f"{param} takes {', '.join(described.inputs)}, but {what}.", param=param
            )
        length = len(sent["input_ids"])
        if described.task == MASKED_LM:
            sent = {"mlm_positions": [*range(length)], **sent}
        for name, values in sent.items():
            field, most = f"{param}.{name}", described.sizes.get(name, length)
            if name in described.sizes and len(values) != length:
                raise RefusedError(
                    422, f"{field} has {len(values)} ids, but input_ids has {length}.", param=field
                )
            if not values or not all(0 <= value < most for value in values):
                text = f"{field} must have at least one number, each in [0, {most})."
                raise RefusedError(422, text, param=field)
        longest = described.length or described.positions or length
        if not 1 <= length <= longest:
            raise RefusedError(
                413,
                f"{param}.input_ids has {length} ids, but the model takes 1 to {longest}.",
                param=param,
            )
        return [dict(sent)]

    def keep(self, row, outputs):
        described, length = self.model.described, len(row["input_ids"])
        cut = {"sequence_output": length, "start_logits": length, "end_logits": length}
        if described.task == "token_classification":
            cut["logits"] = length
        if described.task == MASKED_LM:
            cut["mlm_logits"] = len(row["mlm_positions"])
        named = zip(described.names, outputs, strict=True)
        return [
            value[: cut.get(name)].copy() if name in cut else value.copy() for name, value in named
        ]

    def answer(self, sent, rows, outputs):
        described = self.model.described
        found = dict(zip(described.names, _mean(outputs), strict=True))
        if described.scaled_after:
            found = {name: _scaled(value) for name, value in found.items()}
        return found if len(found) > 1 else next(iter(found.values()))


# The endpoint that each task of a model has beside that of its outputs.
OF_TASK: dict[str | None, tuple[str, type[Task]]] = {
    SENTENCE_EMBEDDING: ("embeddings", Embedding),
    "sequence_classification": ("predict", Labels),
    "token_classification": ("entities", Entities),
    MASKED_LM: ("fill-mask", FillMask),
}


def _mean(outputs: list[list[np.ndarray]]) -> list[np.ndarray]:
    """Returns the outputs of a text, which are the mean of those of its windows."""
    if len(outputs) == 1:
        return outputs[0]
    return [np.mean(values, axis=0) for values in zip(*outputs, strict=True)]


def _scaled(vector: np.ndarray) -> np.ndarray:
    return vector / max(float(np.linalg.norm(vector)), 1e-12)


def _softmax(logits: np.ndarray) -> np.ndarray:
    chances = np.exp(logits - logits.max(-1, keepdims=True))
    return chances / chances.sum(-1, keepdims=True)


def _named(labels: Sequence[str], chances: np.ndarray) -> dict[str, float]:
    return dict(zip(labels, chances.tolist(), strict=True))
