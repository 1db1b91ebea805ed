"""How the weights of an encoder and its heads are split over devices."""

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
    """Returns how `keras.distribution.ModelParallel` splits weights, for models that are too large.

    Attention is split by heads, feed-forward layers by their inner width, and so on, along the axis
    `"model"` of the mesh; another axis, such as `"batch"`, splits batches. What is left out, such
    as normalisations, all devices hold. Weights and what the optimiser keeps of them are split
    alike. JAX backend only, as in Keras. Make the model inside of the distribution:

        mesh = keras.distribution.DeviceMesh((2, 4), ["batch", "model"])
        distribution = keras.distribution.ModelParallel(
            layout_map=layout_map(mesh), batch_dim_name="batch"
        )
        with distribution.scope():
            model = TextClassifier(...)
            ...

    Args:
        device_mesh: keras.distribution.DeviceMesh with an axis `"model"`, whose size divides the
            hidden and the intermediate size. Where it divides the number of heads, each head is
            computed on one device.

    Returns:
        `keras.distribution.LayoutMap`, to which you may add layouts for layers of your own.

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
