"""Ground floor: argument checks, seeds, files, paths. No TensorFlow."""
