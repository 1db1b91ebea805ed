"""From texts to batches: batching by length, packing into rows, masking, whole words."""
