"""Runs google-research/bert's own graph, from PyPI's bert-tensorflow; in a process of its own."""

import os
import pathlib
import sys
import types

import numpy as np
import tensorflow.compat.v1 as tf

from tests.process import run_python

INPUTS = ("input_ids", "input_mask", "segment_ids")


def compute(folder, arrays):
    """Returns what the original computes from the checkpoint in this folder, by each of `LOADERS`.

    Args:
        folder: the folder.
        arrays: path of an npz with `INPUTS` and `mlm_positions`.
    """
    output = pathlib.Path(arrays).with_name("computed.npz")
    code = "import sys; from tests.google_research import main; main(*sys.argv[1:])"
    # Since Keras 3, tf.layers.dense is in tf_keras alone.
    run_python(code, folder, arrays, output, TF_USE_LEGACY_KERAS="1")
    with np.load(output) as computed:
        return dict(computed)


def main(folder, arrays, output):
    tf.disable_v2_behavior()
    restore_contrib()
    from bert import modeling

    config = modeling.BertConfig.from_json_file(os.path.join(folder, "bert_config.json"))
    prefix = tf.train.latest_checkpoint(folder)
    with np.load(arrays) as given:
        feed = dict(given)
    results = {}
    for name, load in LOADERS.items():
        with tf.Graph().as_default(), tf.Session() as session:
            tensors = _outputs(config, feed)
            load(session, prefix)
            computed = session.run(tensors)
            results |= {f"{name}/{key}": value for key, value in computed.items()}
    np.savez(output, **results)


def _outputs(config, feed):
    from bert import modeling, run_pretraining

    model = modeling.BertModel(
        config=config,
        is_training=False,
        input_ids=tf.constant(feed["input_ids"]),
        input_mask=tf.constant(feed["input_mask"]),
        token_type_ids=tf.constant(feed["segment_ids"]),
        use_one_hot_embeddings=False,
    )
    positions = feed["mlm_positions"]
    _, _, words = run_pretraining.get_masked_lm_output(
        config,
        model.get_sequence_output(),
        model.get_embedding_table(),
        tf.constant(positions),
        tf.zeros_like(positions),
        tf.ones(positions.shape),
    )
    _, _, follows = run_pretraining.get_next_sentence_output(
        config, model.get_pooled_output(), tf.zeros([len(positions)], tf.int32)
    )
    return {
        "sequence_output": model.get_sequence_output(),
        "pooled_output": model.get_pooled_output(),
        "mlm_log_probs": words,
        "next_sentence_log_probs": follows,
    }


def _init_from_checkpoint(session, prefix):
    """As `run_classifier.py` loads a checkpoint."""
    from bert import modeling

    variables = tf.trainable_variables()
    names, _ = modeling.get_assignment_map_from_checkpoint(variables, prefix)
    tf.train.init_from_checkpoint(prefix, names)
    session.run(tf.global_variables_initializer())


def _restore(session, prefix):
    """As a training run is resumed: the checkpoint must hold every variable."""
    tf.train.Saver().restore(session, prefix)


LOADERS = {"init_from_checkpoint": _init_from_checkpoint, "restore": _restore}


def restore_contrib():
    """Lets `from tensorflow.contrib import layers` work, which TensorFlow 2 has no more."""
    contrib = types.ModuleType("tensorflow.contrib")
    contrib.layers = types.SimpleNamespace(layer_norm=_layer_norm)
    sys.modules["tensorflow.contrib"] = contrib


def _layer_norm(inputs, begin_norm_axis, begin_params_axis, scope):
    assert (begin_norm_axis, begin_params_axis) == (-1, -1)
    with tf.variable_scope(scope, "LayerNorm"):
        size = inputs.shape[-1]
        beta = tf.get_variable("beta", [size], initializer=tf.zeros_initializer())
        gamma = tf.get_variable("gamma", [size], initializer=tf.ones_initializer())
        mean, variance = tf.nn.moments(inputs, [-1], keep_dims=True)
        return tf.nn.batch_normalization(inputs, mean, variance, beta, gamma, 1e-12)
