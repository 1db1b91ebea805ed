"""What the scripts share. Nothing here is run by itself.

It is imported before TensorFlow, which then writes none of its notes on CPUs and GPUs.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras_bert_zh  # noqa: F401 (It keeps TensorFlow quiet while it is imported, too.)
