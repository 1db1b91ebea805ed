"""The names that other formats give to BERT's weights: one table per format, to read and write.

Tables are in forward order; `{i}` stands for the number of a transformer block.
"""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import NamedTuple


class Scheme(NamedTuple):
    """How a format stores weights.

    Attributes:
        names: its names, by our names.
        transposed: patterns of our names of the matrices that it stores as `[out, in]`.
        leftovers: patterns of its names of tensors that may be stored with BERT's weights.
    """

    names: Mapping[str, str]
    transposed: tuple[str, ...]
    leftovers: tuple[str, ...]

    def is_transposed(self, name: str) -> bool:
        """Tells whether the format stores this weight, given by our name, as `[out, in]`."""
        return any(fnmatchcase(name, pattern) for pattern in self.transposed)


_TF1_NAMES = {
    "embeddings.word.embeddings": "bert/embeddings/word_embeddings",
    "embeddings.segment.embeddings": "bert/embeddings/token_type_embeddings",
    "embeddings.position.embeddings": "bert/embeddings/position_embeddings",
    "embeddings.norm.gamma": "bert/embeddings/LayerNorm/gamma",
    "embeddings.norm.beta": "bert/embeddings/LayerNorm/beta",
    "blocks.{i}.attention.query.kernel": "bert/encoder/layer_{i}/attention/self/query/kernel",
    "blocks.{i}.attention.query.bias": "bert/encoder/layer_{i}/attention/self/query/bias",
    "blocks.{i}.attention.key.kernel": "bert/encoder/layer_{i}/attention/self/key/kernel",
    "blocks.{i}.attention.key.bias": "bert/encoder/layer_{i}/attention/self/key/bias",
    "blocks.{i}.attention.value.kernel": "bert/encoder/layer_{i}/attention/self/value/kernel",
    "blocks.{i}.attention.value.bias": "bert/encoder/layer_{i}/attention/self/value/bias",
    "blocks.{i}.attention.projection.kernel": (
        "bert/encoder/layer_{i}/attention/output/dense/kernel"
    ),
    "blocks.{i}.attention.projection.bias": "bert/encoder/layer_{i}/attention/output/dense/bias",
    "blocks.{i}.attention_norm.gamma": "bert/encoder/layer_{i}/attention/output/LayerNorm/gamma",
    "blocks.{i}.attention_norm.beta": "bert/encoder/layer_{i}/attention/output/LayerNorm/beta",
    "blocks.{i}.feed_forward.inner.kernel": "bert/encoder/layer_{i}/intermediate/dense/kernel",
    "blocks.{i}.feed_forward.inner.bias": "bert/encoder/layer_{i}/intermediate/dense/bias",
    "blocks.{i}.feed_forward.outer.kernel": "bert/encoder/layer_{i}/output/dense/kernel",
    "blocks.{i}.feed_forward.outer.bias": "bert/encoder/layer_{i}/output/dense/bias",
    "blocks.{i}.feed_forward_norm.gamma": "bert/encoder/layer_{i}/output/LayerNorm/gamma",
    "blocks.{i}.feed_forward_norm.beta": "bert/encoder/layer_{i}/output/LayerNorm/beta",
    "pooler.dense.kernel": "bert/pooler/dense/kernel",
    "pooler.dense.bias": "bert/pooler/dense/bias",
    "masked_lm.dense.kernel": "cls/predictions/transform/dense/kernel",
    "masked_lm.dense.bias": "cls/predictions/transform/dense/bias",
    "masked_lm.norm.gamma": "cls/predictions/transform/LayerNorm/gamma",
    "masked_lm.norm.beta": "cls/predictions/transform/LayerNorm/beta",
    "masked_lm.bias": "cls/predictions/output_bias",
    "next_sentence.kernel": "cls/seq_relationship/output_weights",
    "next_sentence.bias": "cls/seq_relationship/output_bias",
    "classifier.kernel": "output_weights",
    "classifier.bias": "output_bias",
    "crf.start": "crf/start_transitions",
    "crf.end": "crf/end_transitions",
    "crf.transitions": "crf/transitions",
    "span.kernel": "cls/squad/output_weights",
    "span.bias": "cls/squad/output_bias",
}

# google-research/bert's checkpoints and the TF1 Hub modules made from them: `modeling.py`,
# `run_pretraining.py`, `run_classifier.py`, `run_squad.py`. They may hold the optimiser's slots.
TF1 = Scheme(
    _TF1_NAMES,
    transposed=("next_sentence.kernel", "classifier.kernel", "span.kernel"),
    leftovers=(
        "cls/squad/*",
        "output_weights",
        "output_bias",
        "global_step",
        "*/adam_m",
        "*/adam_v",
        "*/Adam",
        "*/Adam_1",
        "beta1_power",
        "beta2_power",
    ),
)

_HUGGINGFACE_NAMES = {
    "embeddings.word.embeddings": "bert.embeddings.word_embeddings.weight",
    "embeddings.segment.embeddings": "bert.embeddings.token_type_embeddings.weight",
    "embeddings.position.embeddings": "bert.embeddings.position_embeddings.weight",
    "embeddings.task.embeddings": "bert.embeddings.task_type_embeddings.weight",
    "embeddings.norm.gamma": "bert.embeddings.LayerNorm.weight",
    "embeddings.norm.beta": "bert.embeddings.LayerNorm.bias",
    "embeddings.projection.kernel": "bert.embeddings_project.weight",
    "embeddings.projection.bias": "bert.embeddings_project.bias",
    "blocks.{i}.attention.query.kernel": "bert.encoder.layer.{i}.attention.self.query.weight",
    "blocks.{i}.attention.query.bias": "bert.encoder.layer.{i}.attention.self.query.bias",
    "blocks.{i}.attention.key.kernel": "bert.encoder.layer.{i}.attention.self.key.weight",
    "blocks.{i}.attention.key.bias": "bert.encoder.layer.{i}.attention.self.key.bias",
    "blocks.{i}.attention.value.kernel": "bert.encoder.layer.{i}.attention.self.value.weight",
    "blocks.{i}.attention.value.bias": "bert.encoder.layer.{i}.attention.self.value.bias",
    "blocks.{i}.attention.projection.kernel": (
        "bert.encoder.layer.{i}.attention.output.dense.weight"
    ),
    "blocks.{i}.attention.projection.bias": "bert.encoder.layer.{i}.attention.output.dense.bias",
    "blocks.{i}.attention_norm.gamma": "bert.encoder.layer.{i}.attention.output.LayerNorm.weight",
    "blocks.{i}.attention_norm.beta": "bert.encoder.layer.{i}.attention.output.LayerNorm.bias",
    "blocks.{i}.feed_forward.inner.kernel": "bert.encoder.layer.{i}.intermediate.dense.weight",
    "blocks.{i}.feed_forward.inner.bias": "bert.encoder.layer.{i}.intermediate.dense.bias",
    "blocks.{i}.feed_forward.outer.kernel": "bert.encoder.layer.{i}.output.dense.weight",
    "blocks.{i}.feed_forward.outer.bias": "bert.encoder.layer.{i}.output.dense.bias",
    "blocks.{i}.feed_forward_norm.gamma": "bert.encoder.layer.{i}.output.LayerNorm.weight",
    "blocks.{i}.feed_forward_norm.beta": "bert.encoder.layer.{i}.output.LayerNorm.bias",
    "pooler.dense.kernel": "bert.pooler.dense.weight",
    "pooler.dense.bias": "bert.pooler.dense.bias",
    "masked_lm.dense.kernel": "cls.predictions.transform.dense.weight",
    "masked_lm.dense.bias": "cls.predictions.transform.dense.bias",
    "masked_lm.norm.gamma": "cls.predictions.transform.LayerNorm.weight",
    "masked_lm.norm.beta": "cls.predictions.transform.LayerNorm.bias",
    "masked_lm.bias": "cls.predictions.bias",
    "next_sentence.kernel": "cls.seq_relationship.weight",
    "next_sentence.bias": "cls.seq_relationship.bias",
    "classifier.kernel": "classifier.weight",
    "classifier.bias": "classifier.bias",
    "crf.start": "crf.start_transitions",
    "crf.end": "crf.end_transitions",
    "crf.transitions": "crf.transitions",
    "span.kernel": "qa_outputs.weight",
    "span.bias": "qa_outputs.bias",
}

# The ends of the names that Transformers gives its classes, by the task of their head.
HUGGINGFACE_CLASSES = {
    "sequence_classification": "ForSequenceClassification",
    "token_classification": "ForTokenClassification",
    "question_answering": "ForQuestionAnswering",
}

# What stands there before the names of the encoder's weights, where there is more than an encoder.
HUGGINGFACE_PREFIXES = ("bert.", "ernie.", "electra.")

# Transformers' `BertForPreTraining`, `BertForSequenceClassification`, `BertForTokenClassification`
# and `BertForQuestionAnswering`, and what `ErnieModel` and `ElectraModel` have in addition. The
# decoder of the masked LM repeats the word embeddings.
HUGGINGFACE = Scheme(
    _HUGGINGFACE_NAMES,
    transposed=("*.kernel",),
    leftovers=(
        "*embeddings.position_ids",
        "*embeddings.task_type_embeddings.weight",
        "cls.predictions.decoder.*",
        "classifier.*",
        "qa_outputs.*",
    ),
)


def huggingface(prefix: str) -> Scheme:
    """Returns `HUGGINGFACE` with another of its prefixes, or with none."""
    own = HUGGINGFACE_PREFIXES[0]
    names = {
        ours: prefix + name.removeprefix(own) if name.startswith(own) else name
        for ours, name in HUGGINGFACE.names.items()
    }
    return HUGGINGFACE._replace(names=names)


_TF2_HUB_NAMES = {
    "embeddings.word.embeddings": "word_embeddings/embeddings",
    "embeddings.segment.embeddings": "type_embeddings/embeddings",
    "embeddings.position.embeddings": "position_embedding/embeddings",
    "embeddings.norm.gamma": "embeddings/layer_norm/gamma",
    "embeddings.norm.beta": "embeddings/layer_norm/beta",
    "blocks.{i}.attention.query.kernel": "transformer/layer_{i}/self_attention/query/kernel",
    "blocks.{i}.attention.query.bias": "transformer/layer_{i}/self_attention/query/bias",
    "blocks.{i}.attention.key.kernel": "transformer/layer_{i}/self_attention/key/kernel",
    "blocks.{i}.attention.key.bias": "transformer/layer_{i}/self_attention/key/bias",
    "blocks.{i}.attention.value.kernel": "transformer/layer_{i}/self_attention/value/kernel",
    "blocks.{i}.attention.value.bias": "transformer/layer_{i}/self_attention/value/bias",
    "blocks.{i}.attention.projection.kernel": (
        "transformer/layer_{i}/self_attention/attention_output/kernel"
    ),
    "blocks.{i}.attention.projection.bias": (
        "transformer/layer_{i}/self_attention/attention_output/bias"
    ),
    "blocks.{i}.attention_norm.gamma": "transformer/layer_{i}/self_attention_layer_norm/gamma",
    "blocks.{i}.attention_norm.beta": "transformer/layer_{i}/self_attention_layer_norm/beta",
    "blocks.{i}.feed_forward.inner.kernel": "transformer/layer_{i}/intermediate/kernel",
    "blocks.{i}.feed_forward.inner.bias": "transformer/layer_{i}/intermediate/bias",
    "blocks.{i}.feed_forward.outer.kernel": "transformer/layer_{i}/output/kernel",
    "blocks.{i}.feed_forward.outer.bias": "transformer/layer_{i}/output/bias",
    "blocks.{i}.feed_forward_norm.gamma": "transformer/layer_{i}/output_layer_norm/gamma",
    "blocks.{i}.feed_forward_norm.beta": "transformer/layer_{i}/output_layer_norm/beta",
    "pooler.dense.kernel": "pooler_transform/kernel",
    "pooler.dense.bias": "pooler_transform/bias",
    "masked_lm.dense.kernel": "bert/cls/predictions/transform/dense/kernel",
    "masked_lm.dense.bias": "bert/cls/predictions/transform/dense/bias",
    "masked_lm.norm.gamma": "bert/cls/predictions/transform/LayerNorm/gamma",
    "masked_lm.norm.beta": "bert/cls/predictions/transform/LayerNorm/beta",
    "masked_lm.bias": "bert/cls/predictions/output_bias/bias",
}

# TensorFlow Model Garden's SavedModels: full names in the object graph.
TF2_HUB = Scheme(
    _TF2_HUB_NAMES,
    transposed=(),
    leftovers=(
        "_CHECKPOINTABLE_OBJECT_GRAPH",
        "do_lower_case",
        "save_counter",
        "*/save_counter/.ATTRIBUTES/VARIABLE_VALUE",
    ),
)

# Parts of full names in older exports, as regular expressions, and what newer ones have instead:
# Model Garden's `bert_modeling.py` of 2019, and its `transformer_encoder.py` up to release 2.2.
TF2_HUB_OLDER = (
    (r"^bert_model/embedding_postprocessor/type_embeddings$", "type_embeddings/embeddings"),
    (r"^bert_model/embedding_postprocessor/position_embeddings$", "position_embedding/embeddings"),
    (r"^bert_model/embedding_postprocessor/layer_norm/", "embeddings/layer_norm/"),
    (r"^bert_model/word_embeddings/", "word_embeddings/"),
    (r"^bert_model/encoder/", "transformer/"),
    (r"/self_attention_output/", "/self_attention/attention_output/"),
    (r"^[\w/]+/pooler_transform/", "pooler_transform/"),
)

_KERAS_HUB_BLOCK = "layers/transformer_encoder_{i}/"
_KERAS_HUB_ATTENTION = "layers/transformer_encoder_{i}/_self_attention_layer/"
_KERAS_HUB_HEAD = "task/layers/masked_lm_head/"
_KERAS_HUB_NAMES = {
    "embeddings.word.embeddings": "layers/reversible_embedding/vars/0",
    "embeddings.segment.embeddings": "layers/embedding/vars/0",
    "embeddings.position.embeddings": "layers/position_embedding/vars/0",
    "embeddings.norm.gamma": "layers/layer_normalization/vars/0",
    "embeddings.norm.beta": "layers/layer_normalization/vars/1",
    "blocks.{i}.attention.query.kernel": _KERAS_HUB_ATTENTION + "query_dense/vars/0",
    "blocks.{i}.attention.query.bias": _KERAS_HUB_ATTENTION + "query_dense/vars/1",
    "blocks.{i}.attention.key.kernel": _KERAS_HUB_ATTENTION + "key_dense/vars/0",
    "blocks.{i}.attention.key.bias": _KERAS_HUB_ATTENTION + "key_dense/vars/1",
    "blocks.{i}.attention.value.kernel": _KERAS_HUB_ATTENTION + "value_dense/vars/0",
    "blocks.{i}.attention.value.bias": _KERAS_HUB_ATTENTION + "value_dense/vars/1",
    "blocks.{i}.attention.projection.kernel": _KERAS_HUB_ATTENTION + "output_dense/vars/0",
    "blocks.{i}.attention.projection.bias": _KERAS_HUB_ATTENTION + "output_dense/vars/1",
    "blocks.{i}.attention_norm.gamma": _KERAS_HUB_BLOCK + "_self_attention_layer_norm/vars/0",
    "blocks.{i}.attention_norm.beta": _KERAS_HUB_BLOCK + "_self_attention_layer_norm/vars/1",
    "blocks.{i}.feed_forward.inner.kernel": _KERAS_HUB_BLOCK
    + "_feedforward_intermediate_dense/vars/0",
    "blocks.{i}.feed_forward.inner.bias": _KERAS_HUB_BLOCK
    + "_feedforward_intermediate_dense/vars/1",
    "blocks.{i}.feed_forward.outer.kernel": _KERAS_HUB_BLOCK + "_feedforward_output_dense/vars/0",
    "blocks.{i}.feed_forward.outer.bias": _KERAS_HUB_BLOCK + "_feedforward_output_dense/vars/1",
    "blocks.{i}.feed_forward_norm.gamma": _KERAS_HUB_BLOCK + "_feedforward_layer_norm/vars/0",
    "blocks.{i}.feed_forward_norm.beta": _KERAS_HUB_BLOCK + "_feedforward_layer_norm/vars/1",
    "pooler.dense.kernel": "layers/dense/vars/0",
    "pooler.dense.bias": "layers/dense/vars/1",
    "masked_lm.dense.kernel": _KERAS_HUB_HEAD + "_intermediate_dense/vars/0",
    "masked_lm.dense.bias": _KERAS_HUB_HEAD + "_intermediate_dense/vars/1",
    "masked_lm.norm.gamma": _KERAS_HUB_HEAD + "_intermediate_layer_norm/vars/0",
    "masked_lm.norm.beta": _KERAS_HUB_HEAD + "_intermediate_layer_norm/vars/1",
    "masked_lm.bias": _KERAS_HUB_HEAD + "vars/0",
    "next_sentence.kernel": "task/next_sentence/vars/0",
    "next_sentence.bias": "task/next_sentence/vars/1",
}

# Keras Hub's presets: paths in model.weights.h5 and, after `task/`, in task.weights.h5. Keras Hub
# has no next-sentence head and passes over the last two.
KERAS_HUB = Scheme(
    _KERAS_HUB_NAMES,
    transposed=(),
    leftovers=("task/*", "optimizer/*", "*/seed_generator/*"),
)

# A part of these paths, and what its files have there: the first layer of a class has no number.
KERAS_HUB_FIRST = ("layers/transformer_encoder_0/", "layers/transformer_encoder/")

# The axes of these weights in presets, and in SavedModels but those of 2019: heads have their own.
SPLIT_HEADS = {
    "blocks.{i}.attention.query.kernel": ("hidden_size", "num_attention_heads", "head_size"),
    "blocks.{i}.attention.query.bias": ("num_attention_heads", "head_size"),
    "blocks.{i}.attention.key.kernel": ("hidden_size", "num_attention_heads", "head_size"),
    "blocks.{i}.attention.key.bias": ("num_attention_heads", "head_size"),
    "blocks.{i}.attention.value.kernel": ("hidden_size", "num_attention_heads", "head_size"),
    "blocks.{i}.attention.value.bias": ("num_attention_heads", "head_size"),
    "blocks.{i}.attention.projection.kernel": ("num_attention_heads", "head_size", "hidden_size"),
}
