"""Functions for TensorFlow only; `layers/kernels.py` chooses them."""
