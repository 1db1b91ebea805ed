"""Writes a TF1 Hub module as Google's was made; imported in a process of its own.

It is google-research/bert's graph with the signature `tokens`. Needs `TF_USE_LEGACY_KERAS=1`, since
Keras 3 has no `tf.layers`.
"""

import pathlib

import tensorflow.compat.v1 as tf1

from benchmarks.workloads import ORIGINAL, TF1_MODULE

_INPUTS = ("input_ids", "input_mask", "segment_ids")


class ModuleWriter:
    """Writes the module from the checkpoint."""

    def __init__(self, place: str):
        from tests.google_research import restore_contrib

        tf1.logging.set_verbosity(tf1.logging.ERROR)
        tf1.disable_v2_behavior()
        restore_contrib()
        _write(pathlib.Path(place, ORIGINAL), pathlib.Path(place, TF1_MODULE))


def _write(source: pathlib.Path, target: pathlib.Path) -> None:
    from bert import modeling

    config = modeling.BertConfig.from_json_file(str(source / "bert_config.json"))
    with tf1.Graph().as_default(), tf1.Session() as session:
        inputs = {name: tf1.placeholder(tf1.int32, [None, None], name) for name in _INPUTS}
        model = modeling.BertModel(
            config=config,
            is_training=False,
            input_ids=inputs["input_ids"],
            input_mask=inputs["input_mask"],
            token_type_ids=inputs["segment_ids"],
            use_one_hot_embeddings=False,
        )
        outputs = {
            "pooled_output": model.get_pooled_output(),
            "sequence_output": model.get_sequence_output(),
        }
        tf1.train.Saver().restore(session, tf1.train.latest_checkpoint(str(source)))
        signature = tf1.saved_model.predict_signature_def(inputs, outputs)
        builder = tf1.saved_model.Builder(str(target))
        builder.add_meta_graph_and_variables(session, [], {"tokens": signature})
        builder.save()
    # By this file hub.load tells modules of TF1; it holds the number of the format, 3.
    (target / "tfhub_module.pb").write_bytes(b"\x08\x03")
