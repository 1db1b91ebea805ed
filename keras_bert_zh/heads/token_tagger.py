"""TokenTagger: predicts a label for each token."""

from collections.abc import Iterable
from typing import Any

import keras
from keras import ops

from keras_bert_zh.arguments import check_flag_or_none
from keras_bert_zh.checkpoints import Checkpoint
from keras_bert_zh.encoder import BertEncoder
from keras_bert_zh.heads.chain import chain_loss, rules_of, tokens_of_text
from keras_bert_zh.heads.fine_tuned import FineTuned, head_of
from keras_bert_zh.heads.on_text import Source, are_ids, opened
from keras_bert_zh.heads.targets import (
    check_length,
    check_numbers,
    check_of_tokens,
    weights_of_classes,
)
from keras_bert_zh.heads.token_weights import token_weights
from keras_bert_zh.layers import kernels
from keras_bert_zh.layers.crf import CRF
from keras_bert_zh.layers.with_mask import WithMask
from keras_bert_zh.preprocess import BertPreprocess

_TASK = "token_classification"


@keras.saving.register_keras_serializable("keras_bert_zh")
class TokenTagger(FineTuned, keras.Model):
    """Predicts the label of each token, with a dense layer on the last hidden states.

    From a checkpoint that was fine-tuned for this task, it is that model, with its labels. From any
    other checkpoint, it has a fresh head, which `fit` trains on labels `<int32>[B, S]`. The logits
    have a Keras mask, so losses and metrics leave out padding. They include `[CLS]` and `[SEP]`:
    give these a label, or weights of 0 in `sample_weight` `<float>[B, S]`. The loss that
    `compile(optimizer)` chooses is the weighted mean over all tokens of a batch. With one weight
    for each text, `<float>[B]`, or with `class_weight`, the weights also apply to tokens. The
    pooler is not used, not trained and not saved in checkpoints.

    With a CRF, the logits are the inputs of the CRF, which scores sequences of labels; `decode`
    returns the labels. The chain consists of the tokens of the text, without padding, `[CLS]` and
    `[SEP]`, and so does the Keras mask of the logits. In training, tokens with a weight of 0 in
    `sample_weight` `<float>[B, S]` are removed from the chain, and all other weights count as 1;
    weights `<float>[B]` are weights of texts. The loss is always the negative log-likelihood of the
    labels, summed over all texts and divided by the number of tokens in the chains. Metrics get the
    logits. Give the CRF a higher learning rate than the encoder, as in
    `adamw(..., rates={"crf": 100.0})`. If the labels are named by BIO or BIOES, it obeys the rules
    of the scheme.

    Args:
        source: anything that `load_checkpoint` takes; or a BertEncoder, for its further options or
            for a fresh head instead of the checkpoint's.
        labels: sequence of K different str, the names of the outputs. `None`: the labels of the
            checkpoint's head. If these are only `LABEL_0`, `LABEL_1` and so on, this renames them.
        crf: bool, whether a `CRF` follows the logits. `None`: as in the checkpoint. Before it is
            trained, a fresh CRF only changes labels that break the rules.
        preprocess: BertPreprocess. `None`: the checkpoint's. With an encoder there is none, and
            the model can't take strings.
        max_length: int, S, for the checkpoint's preprocess. `None`: 128, or the number of
            positions if it is smaller.
        dropout: float in [0, 1), in training: replaces the checkpoint's rates in the encoder and
            before the head. With an encoder, only before the head. `None`: as the checkpoint says;
            before the head, the default is the rate of the encoder.
        dtype: a dtype policy such as `"mixed_bfloat16"`. An encoder has its own.
        **kwargs: `name` and `trainable`, as for every Keras model.

    Call arguments:
        inputs: the inputs of `BertPreprocess`, `<string>[B]`, ragged words or a pair of these; or
            the dict of `<int32>[B, S]` that it returns.
        training: bool, whether dropout is active.

    Returns:
        `<float32>[B, S, K]`, logits, even if the encoder computes in half precision; `<float64>`
        for a float64 encoder. The logits of padding are meaningless.

    Attributes:
        labels: tuple of K str.
        crf: CRF, or `None`.
        preprocess: BertPreprocess, or `None`.
        encoder: BertEncoder.

    Raises:
        ValueError: if labels are required and missing, or differ from those of the checkpoint's
            head; preprocess and encoder do not match; or the model is called with strings and has
            no preprocess or Keras runs on JAX.
        TypeError: if `source` or `preprocess` has a wrong type.
        OSError: if the checkpoint can't be found or downloaded.

    Example:

    >>> from keras_bert_zh import TokenTagger
    >>> model = TokenTagger("small", labels=["O", "B-LOC", "I-LOC"], max_length=16)
    >>> model(["我在北京"]).shape, model.labels
    (TensorShape([1, 16, 3]), ('O', 'B-LOC', 'I-LOC'))

    Reference:
        `BertForTokenClassification` in Hugging Face Transformers. For the CRF, Lafferty, McCallum
        and Pereira, 2001.
    """

    def __init__(
        self,
        source: Source,
        labels: Iterable[str] | None = None,
        *,
        crf: bool | None = None,
        preprocess: BertPreprocess | None = None,
        max_length: int | None = None,
        dropout: float | None = None,
        **kwargs: Any,
    ):
        source = opened(source)
        head = head_of(source, _TASK, labels)
        super().__init__(
            source,
            output_key="sequence_output",
            preprocess=preprocess,
            max_length=max_length,
            dropout=None if isinstance(source, BertEncoder) else dropout,
            **kwargs,
        )
        # A layer of its own dtype, since it would round the logits to the encoder's.
        self.with_mask = WithMask(dtype=self.compute_dtype, name="with_mask")
        self.crf = None
        if _has_crf(source) if check_flag_or_none("crf", crf) is None else crf:
            rules = rules_of(head.labels or ())
            self.crf = CRF(head.outputs, rules, dtype=self.compute_dtype, name="crf")
        self.add_head(source, head, dropout)

    def heads(self):
        return super().heads() | ({} if self.crf is None else {"crf": self.crf})

    def own_loss(self):
        if self.crf is not None:
            return None  # It has weights, so that `compute_loss` is where it is.
        return keras.losses.SparseCategoricalCrossentropy(
            from_logits=True, reduction="mean_with_sample_weight"
        )

    def compile(self, optimizer="rmsprop", loss="auto", *args, **kwargs):
        if self.crf is not None and loss is not None and loss != "auto":
            raise ValueError(
                "A tagger with a CRF is trained with the loss of the CRF: leave loss out, got "
                f"{loss!r}."
            )
        super().compile(optimizer, loss, *args, **kwargs)

    def own_metrics(self):
        return {"weighted_metrics": [keras.metrics.SparseCategoricalAccuracy("accuracy")]}

    def targets(self, y):
        check_of_tokens(y)
        if self.own_compiled:
            check_numbers(y, self.labels, 2)
        return y

    def weighted(self, arguments):
        check_length(arguments.get("x"), arguments.get("y"), self.preprocess)
        weights = arguments.pop("class_weight", None)
        if weights is not None and self.crf is not None:
            raise ValueError(
                "A CRF is trained on whole texts, not on single labels: leave class_weight out."
            )
        if weights is not None:
            weights = weights_of_classes(weights, self.labels)
        return token_weights(arguments, weights)

    def call(self, inputs, training=None):
        tokens = self._tokens(inputs)
        hidden, mask = self.encoded(tokens, training)
        if self.crf is not None:
            mask = tokens_of_text(tokens)
        return self.with_mask((self.logits(hidden, training), mask))

    def decode(self, logits, mask):
        """Returns the label of each token, and its probability.

        Args:
            logits: `<float>[B, S, K]`, as returned by the model.
            mask: `<bool>[B, S]`, which tokens to label. With a CRF they are its chain: the tokens
                of the text, without `[CLS]`, `[SEP]` and padding.

        Returns:
            The numbers of the labels, `<int32>[B, S]`, and their probabilities, `<float32>[B, S]`,
            by softmax; with a CRF, the probabilities of the labels of the best sequence by
            `CRF.marginals`. Both are 0 outside the mask.
        """
        mask = ops.cast(mask, "bool")
        if self.crf is None:
            chances = ops.softmax(logits, axis=-1)
            labels = ops.where(mask, ops.cast(ops.argmax(logits, axis=-1), "int32"), 0)
        else:
            chances = self.crf.marginals(logits, mask)
            labels, _ = self.crf.decode(logits, mask)
        chance = ops.take_along_axis(chances, ops.expand_dims(labels, -1), axis=-1)[..., 0]
        return labels, ops.where(mask, chance, 0.0)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        if self.crf is None:
            return super().compute_loss(x, y, y_pred, sample_weight, training)
        # Texts are for TensorFlow alone, where tensors keep their mask.
        mask = tokens_of_text(x) if are_ids(x) else y_pred._keras_mask
        return chain_loss(self.crf, y, y_pred, mask, sample_weight)

    def entities(self, texts: Any, *, stride: int | None = None) -> dict[str, Any]:
        """Returns the entities in texts, found by the labels of their words.

        The label of a word is the label of its first piece, as `align_labels` trains it by
        default. As in seqeval and conlleval, an entity begins at B and S, after E and S, where the
        type of entity changes, and at I or E without an entity before it; M is read as I. If the
        labels are plain names, neighbouring words with the same label are one entity. Long texts
        are split into windows; each token is labelled in the window where it has the most
        context, and all labels of a text are decoded together. All texts are one batch: for many
        texts, map this over the batches of a dataset. A model that `export` wrote has this
        function too. TensorFlow backend only.

        Args:
            texts: `<string>[B]`, as for `BertPreprocess` but no pairs and not split into words.
            stride: int, the number of tokens from the start of a window to the start of the next
                one. `None`: half of `max_length`.

        Returns:
            dict of ragged `[B, (entities)]`: `text <string>`; `start` and `end` `<int32>`, such
            that the entity is `text[start:end]` in Python; `label <string>`, without B- or I-; and
            `score <float32>`, the mean probability of the labels of its words.
            Bytes that are not valid UTF-8 do not count as characters.

        Example:

        >>> from keras_bert_zh import TokenTagger
        >>> model = TokenTagger("small", labels=["O", "B-LOC", "I-LOC"])  # To be trained.
        >>> found = model.entities(["我在北京", ""])
        >>> found["text"].shape, found["start"].shape
        (TensorShape([2, None]), TensorShape([2, None]))
        """
        kernels.require_tensorflow("entities")
        return self._entities(texts, lambda ids: self(ids, training=False), stride)

    def _entities(self, texts, call, stride=None):
        from keras_bert_zh.heads.entities import find_entities  # It imports TensorFlow.

        self.check_strings()
        return find_entities(self, texts, call, stride)

    def endpoints(self, call):
        if self.preprocess is None or self.takes_pairs:
            return {}
        return {"entities": lambda texts: self._entities(texts, call)}

    def compute_output_spec(self, inputs, training=None):
        batch, length, _ = self.encoded_spec(inputs).shape
        return keras.KerasTensor((batch, length, self.head.outputs), self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "crf": self.crf is not None}


def _has_crf(source: Checkpoint | BertEncoder) -> bool:
    """Tells whether a checkpoint has the weights of a CRF, and the head that they belong to."""
    return isinstance(source, Checkpoint) and "crf" in source.parts
