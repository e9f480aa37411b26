"""Why do neural networks generalize? Helpers that train hundreds of Keras networks as one program."""
