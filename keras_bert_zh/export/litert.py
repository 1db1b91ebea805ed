"""The format "litert", which LiteRT runs on phones and other devices."""

import contextlib
import io
import pathlib
import re
import tempfile

import tensorflow as tf
from tensorflow.lite.python.convert_phase import ConverterError

from keras_bert_zh.export.formats import LITERT, Written
from keras_bert_zh.export.of_ids import OfIds, uncompiled
from keras_bert_zh.files.freed_memory import give_back
from keras_bert_zh.heads.constants import Constants
from keras_bert_zh.heads.saved_model import save, without_gradients
from keras_bert_zh.layers.tensorflow.layout import with_padding


def write(source: OfIds, folder: pathlib.Path, dtype: str | None) -> Written:
    """Writes a LiteRT model with ids as inputs, any batch size and length, and no Flex operators.

    Padding is computed too: LiteRT has no shapes that depend on values. The model is converted from
    a function, because Keras's `export(format="litert")` only takes models without strings, and
    does not name the inputs of a Sequential.
    """
    specs = source.specs()
    constants = Constants(source.variables)
    module = tf.Module()
    module.call = tf.function(constants.within(lambda **ids: source.named(source(ids))))
    with uncompiled(source), with_padding():
        traced = module.call.get_concrete_function(**specs)
    with tempfile.TemporaryDirectory(dir=folder) as place:
        save(module, {"serving_default": traced}, place, constants)
        with without_gradients():
            model = _converted(place, dtype)
    (folder / LITERT).write_bytes(_in_int8(model) if dtype == "int8" else model)
    give_back()
    return Written({name: name for name in specs}, dtype or "float32")


def _converted(place: str, dtype: str | None) -> bytes:
    converter = tf.lite.TFLiteConverter.from_saved_model(place)
    if dtype == "float16":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    try:
        return converter.convert()
    except ConverterError as error:
        names = ", ".join(sorted(set(re.findall(r"'tf\.(\w+)' op", str(error)))))
        raise ValueError(
            f"LiteRT has no operator for {names or 'a layer'} in this model. This happens with "
            "layers that process a text step by step. Export it with format='onnx' or 'savedmodel'."
        ) from error


def _in_int8(model: bytes) -> bytes:
    """Returns the model with its product weights in int8, with one scale per row.

    The other operand of each product is rounded at run time.
    """
    from ai_edge_quantizer import quantizer, recipe

    made = quantizer.Quantizer(model, recipe.dynamic_wi8_afp32())
    with contextlib.redirect_stderr(io.StringIO()):  # One of its bars can't be switched off.
        found = made.quantize(enable_progress_bar=False, enable_progress_report=False)
    return bytes(found.quantized_model)
