"""SpanReader: finds the answer to a question in a text."""

from typing import Any

import keras
from keras import ops

from keras_bert_zh.arguments import check_int, check_number
from keras_bert_zh.checkpoints import Checkpoint, Head
from keras_bert_zh.checkpoints.assign import warn_of_lacking
from keras_bert_zh.heads.fine_tuned import FineTuned
from keras_bert_zh.heads.on_text import Source, are_ids, opened
from keras_bert_zh.layers import kernels
from keras_bert_zh.messages import says_it_all
from keras_bert_zh.preprocess import BertPreprocess

_KEYS = ("start_logits", "end_logits")

# The most tokens that an answer has by default.
MAX_ANSWER_LENGTH = 50

# Of positions that are no token: as BERT leaves them out of attention.
_NO_TOKEN = -10_000.0


@keras.saving.register_keras_serializable("keras_bert_zh")
class SpanReader(FineTuned, keras.Model):
    """Predicts the first and the last token of the answer to a question in a text.

    From a checkpoint that was fine-tuned for this task, it is that model. From any other
    checkpoint, it has a fresh head, which `fit` trains on a dict of `start_logits` and
    `end_logits`, each `<int32>[B]`: the positions of the two tokens, or 0, the position of `[CLS]`,
    if there is no answer. `span_labels` creates these. The pooler is not used, not trained and not
    saved in checkpoints.

    Args:
        source: anything that `load_checkpoint` takes; or a BertEncoder, for its further options or
            for a fresh head instead of the checkpoint's.
        preprocess: BertPreprocess. `None`: the checkpoint's. With an encoder there is none, and
            the model can't take strings.
        max_length: int, S, for the checkpoint's preprocess. `None`: 128, or the number of
            positions if it is smaller.
        dropout: float in [0, 1), replaces the checkpoint's rates in training. An encoder has its
            own.
        dtype: a dtype policy such as `"mixed_bfloat16"`. An encoder has its own.
        **kwargs: `name` and `trainable`, as for every Keras model.

    Call arguments:
        inputs: a pair, as for `BertPreprocess`: the questions `<string>[B]` and the texts
            `<string>[B]`; or the dict of `<int32>[B, S]` that it returns.
        training: bool, whether dropout is active.

    Returns:
        dict of `start_logits` and `end_logits`, each `<float32>[B, S]`, even if the encoder
        computes in half precision; `<float64>` for a float64 encoder. For padding they are
        -10,000, so that it is never part of an answer.

    Attributes:
        preprocess: BertPreprocess, or `None`.
        encoder: BertEncoder.

    Raises:
        ValueError: if preprocess and encoder do not match, or if the model is called with strings
            and has no preprocess or Keras runs on JAX.
        TypeError: if `source` or `preprocess` has a wrong type.
        OSError: if the checkpoint can't be found or downloaded.

    Example:

    >>> from keras_bert_zh import BertEncoder, BertPreprocess, SpanReader
    >>> preprocess = BertPreprocess("small", max_length=32)
    >>> model = SpanReader(BertEncoder("small"), preprocess=preprocess)  # With a fresh head.
    >>> outputs = model((["谁写的？"], ["这本书是鲁迅写的。"]))
    >>> outputs["start_logits"].shape, outputs["end_logits"].shape
    (TensorShape([1, 32]), TensorShape([1, 32]))

    Reference:
        `BertForQuestionAnswering` in Hugging Face Transformers; `create_model` in
        google-research/bert `run_squad.py`.
    """

    takes_pairs = True

    def __init__(
        self,
        source: Source,
        *,
        preprocess: BertPreprocess | None = None,
        max_length: int | None = None,
        dropout: float | None = None,
        **kwargs: Any,
    ):
        source = opened(source)
        super().__init__(
            source,
            output_key="sequence_output",
            preprocess=preprocess,
            max_length=max_length,
            dropout=dropout,
            **kwargs,
        )
        if isinstance(source, Checkpoint) and "span" not in source.parts:
            warn_of_lacking("span", stacklevel=3)
        self.add_head(source, Head("question_answering"))

    def own_loss(self):
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def own_metrics(self):
        return {
            "metrics": {key: [keras.metrics.SparseCategoricalAccuracy("accuracy")] for key in _KEYS}
        }

    def call(self, inputs, training=None):
        if not are_ids(inputs):
            self.check_strings()
            _check_pairs(inputs)
        hidden, mask = self.encoded(inputs, training)
        found = ops.unstack(self.logits(hidden, training), 2, axis=-1)
        return {
            key: ops.where(ops.cast(mask, "bool"), scores, _NO_TOKEN)
            for key, scores in zip(_KEYS, found, strict=True)
        }

    def answers(
        self,
        questions: Any,
        texts: Any,
        *,
        stride: int | None = None,
        max_answer_length: int = MAX_ANSWER_LENGTH,
        null_threshold: float | None = None,
    ) -> dict[str, Any]:
        """Returns the answers to questions, copied from the texts.

        Long texts are split into windows. The answer is the most probable span of all windows,
        by the product of the probabilities of its start and end in the window. All questions are
        one batch: for many questions, use `dataset.batch(32).map(model.answers)`. A model that
        `export` wrote has this function too, with the default arguments. TensorFlow backend only.

        Args:
            questions, texts: each `<string>[B]`, as for `BertPreprocess` but not split into words.
            stride: int, the stride of the windows, as for `BertPreprocess.windows`.
            max_answer_length: int, the maximum number of tokens of an answer.
            null_threshold: float from -1 to 1, for models that are trained on questions without
                an answer: a question has no answer if `null_score - score` is above it. Start with
                0 and choose the value on held-out data. `None`: every text that is not empty has
                an answer.

        Returns:
            dict of `text <string>[B]`; `start` and `end` `<int32>[B]`, such that the answer is
            `text[start:end]` in Python; `score <float32>[B]`, its probability; and `null_score
            <float32>[B]`, the lowest probability of `[CLS]` as the answer in any window. Without an
            answer, `text` is empty, and `start` and `end` are 0.

        Example:

        >>> from keras_bert_zh import BertEncoder, BertPreprocess, SpanReader
        >>> preprocess = BertPreprocess("small", max_length=32)
        >>> model = SpanReader(BertEncoder("small"), preprocess=preprocess)  # To be trained.
        >>> found = model.answers(["谁写的？"], ["这本书是鲁迅写的。" * 9], max_answer_length=3)
        >>> found["text"].shape, bool(found["end"][0] > found["start"][0])
        (TensorShape([1]), True)

        Reference:
            `write_predictions` in google-research/bert `run_squad.py`, which compares logits.
        """
        kernels.require_tensorflow("answers")
        check_int("max_answer_length", max_answer_length, 1)
        if null_threshold is not None:
            check_number("null_threshold", null_threshold, -1)
        return self._answers(
            (questions, texts),
            lambda ids: self(ids, training=False),
            stride=stride,
            max_length=max_answer_length,
            null_threshold=null_threshold,
        )

    def _answers(self, pairs, call, **options):
        from keras_bert_zh.heads.answers import find_answers  # It imports TensorFlow.

        self.check_strings()
        return find_answers(self.preprocess, pairs, call, **options)

    def endpoints(self, call):
        if self.preprocess is None or not self.takes_pairs:
            return {}
        return {"answers": lambda pairs: self._answers(pairs, call, max_length=MAX_ANSWER_LENGTH)}

    def compute_output_spec(self, inputs, training=None):
        shape = self.encoded_spec(inputs).shape[:2]
        return {key: keras.KerasTensor(shape, self.compute_dtype) for key in _KEYS}


@says_it_all
def _check_pairs(inputs: Any) -> None:
    from keras_bert_zh.text.inputs import split_pair  # It imports TensorFlow.

    if len(split_pair(inputs)) == 1:
        raise ValueError(
            "SpanReader takes pairs of a question and a text, got single texts: pass the tuple "
            "(questions, texts)."
        )
