"""What TensorFlow alone computes; `layers/kernels.py` chooses it."""
