"""Writes a checkpoint as a SavedModel that replaces the TF1 Hub module."""

import pathlib
import tempfile
from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from keras_bert_zh.checkpoints import Checkpoint, names
from keras_bert_zh.checkpoints.assign import ignoring_pooler
from keras_bert_zh.checkpoints.schemes import TF1
from keras_bert_zh.checkpoints.variables import named_variables
from keras_bert_zh.checkpoints.writers.parts import (
    check_embeddings,
    check_path,
    finite,
    without_head,
    write_vocabulary,
)
from keras_bert_zh.encoder import BertEncoder
from keras_bert_zh.heads.masked_lm_head import MaskedLMHead
from keras_bert_zh.input_keys import INPUT_KEYS
from keras_bert_zh.layers import kernels
from keras_bert_zh.layers.encoder_outputs import OUTPUT_KEYS
from keras_bert_zh.vocabulary import is_lowercase

Tensors = dict[str, tf.Tensor]

# As in the old module: batches and texts of any length.
INPUTS = {key: tf.TensorSpec((None, None), tf.int32, name=key) for key in INPUT_KEYS}
POSITIONS = {"mlm_positions": tf.TensorSpec((None, None), tf.int32, name="mlm_positions")}


def write(checkpoint: Checkpoint, folder: pathlib.Path) -> None:
    """Writes the SavedModel to this folder, which exists and is empty. Only TensorFlow runs it.

    It has the signatures of the TF1 Hub module: `tokens`; `mlm`, if the checkpoint has that head;
    `tokenization_info`, if it has a vocabulary. You can also call and train it, like reusable
    SavedModels of TF2. It includes the encoder's checks of its inputs.

    The head of a fine-tuned model is left out, with a warning.

    Without a pooler in the checkpoint there is no `pooled_output`: asking for it is an error, so
    nobody gets the output of random weights. If the checkpoint does not say whether text is
    lower-cased, this is guessed from the vocabulary, as in `BertPreprocess`.

    Raises:
        ValueError: if Keras uses another backend, or a weight or a token can't be written.
        OSError: if a file can't be written.

    Reference:
        https://www.tensorflow.org/hub/reusable_saved_models; the signatures are those of
        google/bert_chinese_L-12_H-768_A-12 on tfhub.dev.
    """
    _check(checkpoint, folder)
    checkpoint = without_head(checkpoint, "The Hub module", stacklevel=5)
    network = _Network(checkpoint)
    module = _Module()
    # The reader looks here. They are more than the variables: next_sentence has no signature.
    module.weights = network.weights
    module.variables = module.trainable_variables = network.encoder_weights
    module.regularization_losses = []
    module.__call__ = _callable(network)
    with tempfile.TemporaryDirectory() as assets:
        _attach_files(module, checkpoint, pathlib.Path(assets))
        try:
            tf.saved_model.save(module, str(folder), signatures=_signatures(module, network))
        except tf.errors.OpError as error:
            raise OSError(f"{folder} can't be written: {error.message}") from error


def _check(checkpoint: Checkpoint, folder: pathlib.Path) -> None:
    kernels.require_tensorflow("A SavedModel of the Hub module")
    check_embeddings(checkpoint.config)
    check_path(folder)


class _Module(tf.Module):
    """The object that is saved; `write` sets its attributes."""

    # In place of tf.Module's properties, which a SavedModel does not keep.
    variables: Sequence[tf.Variable] = ()
    trainable_variables: Sequence[tf.Variable] = ()


class _Network:
    """The layers, which compute with TensorFlow variables instead of their own.

    In Keras, every kernel has the name `kernel`. Here each has its name in the old module: tf_keras
    saves weights by name, and optimisers recognise biases and normalisation weights by name.

    Attributes:
        weights: dict of the variables by our names, the encoder's and those of the heads.
        encoder_weights: list of the encoder's variables.
        outputs: list of the keys of the encoder's outputs.
    """

    def __init__(self, checkpoint: Checkpoint):
        config, found = checkpoint.config, checkpoint.parts
        with ignoring_pooler():  # A fresh one is left out.
            # The old module computes padding, too, and its users may compile it with XLA.
            self.encoder = BertEncoder(
                checkpoint, output_key=None, dtype="float32", padding_free=False
            )
        self.masked_lm = MaskedLMHead(
            vocab_size=config.vocab_size,
            hidden_size=config.hidden_size,
            activation=config.hidden_act,
            epsilon=config.layer_norm_eps,
            initializer_range=None,
            dtype="float32",
        )
        encoder = self.encoder.named_variables()
        self.weights = {}
        for ours, name in names.translation(TF1.names, config.num_hidden_layers, found).items():
            # Memory is shared with the encoder, which has read its weights, until one is changed.
            own = encoder[ours].value if ours in encoder else finite(ours, checkpoint.weights[ours])
            self.weights[ours] = tf.Variable(own, name=name)
            finite(ours, self.weights[ours].numpy())
        self.encoder_weights = [self.weights[name] for name in encoder if name in self.weights]
        self.outputs = [key for key in OUTPUT_KEYS if key != "pooled_output" or "pooler" in found]
        self._replaced = named_variables(self, config, ("pooler", "masked_lm"))

    def encode(self, inputs: Tensors, training: bool) -> Tensors:
        with self._scope(training):
            outputs = self.encoder(inputs, training=training)
        return {key: outputs[key] for key in self.outputs}

    def score(self, sequence: tf.Tensor, positions: tf.Tensor) -> tf.Tensor:
        """Returns the logits of the masked LM as the old module does, `<float>[B * P, V]`."""
        with self._scope(training=False):
            table = self.encoder.embeddings.word.embeddings
            logits = self.masked_lm(sequence, positions, table)
        return tf.reshape(logits, (-1, self.masked_lm.vocab_size))

    def _scope(self, training: bool) -> keras.StatelessScope:
        state = [
            (replaced, self.weights[name] if name in self.weights else tf.zeros(replaced.shape))
            for name, replaced in self._replaced.items()
        ]
        if training:
            # Keras counts its random seeds up in variables; here each call draws them.
            state += [
                (seed, tf.random.uniform(seed.shape, maxval=tf.int64.max, dtype=tf.int64))
                for seed in self.encoder.non_trainable_variables
            ]
        return keras.StatelessScope(state)


def _callable(network: _Network) -> Callable:
    def call(inputs, training=False):
        return network.encode(inputs, training)

    function = tf.function(call, autograph=False)
    for training in (False, True):
        function.get_concrete_function(INPUTS, training=training)
    return function


def _signatures(module: _Module, network: _Network) -> dict[str, Callable]:
    call = module.__call__

    def tokens(**inputs):
        return call(inputs)

    def mlm(mlm_positions, **inputs):
        outputs = call(inputs)
        logits = network.score(outputs["sequence_output"], mlm_positions)
        return outputs | {"mlm_logits": logits}

    def tokenization_info():
        return {"vocab_file": module.vocab_file.asset_path, "do_lower_case": module.do_lower_case}

    def traced(function, inputs):
        return tf.function(function, autograph=False).get_concrete_function(**inputs)

    signatures = {"tokens": traced(tokens, INPUTS)}
    if "masked_lm.bias" in network.weights:
        signatures["mlm"] = traced(mlm, INPUTS | POSITIONS)
    if hasattr(module, "vocab_file"):
        signatures["tokenization_info"] = traced(tokenization_info, {})
    return signatures


def _attach_files(module: _Module, checkpoint: Checkpoint, folder: pathlib.Path) -> None:
    """Attaches files, which saving copies from the folder, and the settings of the tokeniser."""
    config, vocabulary = folder / "bert_config.json", folder / "vocab.txt"
    config.write_text(checkpoint.config.to_json())
    module.bert_config = tf.saved_model.Asset(str(config))
    lowercase = checkpoint.lowercase
    if checkpoint.vocabulary is not None:
        write_vocabulary(vocabulary, checkpoint.vocabulary)
        module.vocab_file = tf.saved_model.Asset(str(vocabulary))
        if lowercase is None:
            lowercase = is_lowercase(checkpoint.vocabulary)
    if lowercase is not None:
        module.do_lower_case = tf.Variable(lowercase, trainable=False, name="do_lower_case")
