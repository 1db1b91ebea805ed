"""Where TensorFlow will run the code that is being computed or traced."""

import tensorflow as tf
from tensorflow.python.ops import control_flow_util


def in_xla() -> bool:
    """Whether XLA compiles the graph that is being traced, or an outer graph."""
    return control_flow_util.GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())


def on_cpu() -> bool:
    """Whether TensorFlow kernels will run it on a CPU."""
    return not (in_xla() or has_accelerator())


def has_accelerator() -> bool:
    return any(device.device_type != "CPU" for device in tf.config.get_visible_devices())
