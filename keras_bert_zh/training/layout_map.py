"""Splits the weights of an encoder and its heads over devices."""

import keras

# By what a path ends with, which axes are split. Of two dense layers, the first gives each device a
# share of its outputs and the second takes them: they are added up once, behind the second.
_SPLIT = {
    r"embeddings/word/embeddings": (None, "model"),
    r"attention/(query|key|value)/kernel": (None, "model"),
    r"attention/(query|key|value)/bias": ("model",),
    r"attention/projection/kernel": ("model", None),
    r"feed_forward/inner/kernel": (None, "model"),
    r"feed_forward/inner/bias": ("model",),
    r"feed_forward/outer/kernel": ("model", None),
    r"pooler/dense/kernel": (None, "model"),
    r"pooler/dense/bias": ("model",),
    r"(classifier|next_sentence|span)/kernel": ("model", None),
    r"masked_lm/dense/kernel": (None, "model"),
    r"masked_lm/dense/bias": ("model",),
}


def layout_map(device_mesh: "keras.distribution.DeviceMesh") -> "keras.distribution.LayoutMap":
    """Returns the layout for `keras.distribution.ModelParallel`, which splits a large model.

    Attention is split by heads, feed-forward layers by their inner width, and so on, along the axis
    `"model"` of the mesh. Another axis, such as `"batch"`, splits batches. Other weights, such as
    those of normalisation layers, are copied to all devices. The optimiser's state is split in the
    same way as the weights. As in Keras, this needs the JAX backend. Make the model inside the
    scope of the distribution:

        mesh = keras.distribution.DeviceMesh((2, 4), ["batch", "model"])
        distribution = keras.distribution.ModelParallel(
            layout_map=layout_map(mesh), batch_dim_name="batch"
        )
        with distribution.scope():
            model = TextClassifier(...)
            ...

    Args:
        device_mesh: keras.distribution.DeviceMesh with an axis `"model"`, whose size divides the
            hidden and the intermediate size. If it also divides the number of heads, each head is
            computed on one device.

    Returns:
        `keras.distribution.LayoutMap`. You may add layouts for your own layers.

    Raises:
        ValueError: if the mesh has no such axis.

    Example:

    >>> import keras
    >>> from keras_bert_zh import layout_map
    >>> mesh = keras.distribution.DeviceMesh((1, 2), ["batch", "model"], ["cpu:0", "cpu:1"])
    >>> layout_map(mesh)["bert_encoder/block_0/feed_forward/inner/kernel"].axes
    (None, 'model')

    Reference:
        Shoeybi et al., Megatron-LM, 2019 (https://arxiv.org/abs/1909.08053).
    """
    if "model" not in device_mesh.axis_names:
        names = list(device_mesh.axis_names)
        raise ValueError(
            f'device_mesh must have an axis "model", got {names}. Make one with '
            'keras.distribution.DeviceMesh((2, 4), ["batch", "model"]).'
        )
    layouts = keras.distribution.LayoutMap(device_mesh)
    for path, axes in _SPLIT.items():
        layouts[f"(.*/)?{path}"] = axes  # Of a whole path.
    return layouts
