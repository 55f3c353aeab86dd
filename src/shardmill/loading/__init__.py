"""Images out of shards: by index, in batches of numpy arrays, for TensorFlow and for PyTorch."""
