"""What the worker processes of the general engine run: Keras on JAX, M copies of any model at once.

Nothing here imports TensorFlow. The process that calls `fit_many` imports `jobs` alone; see `engine.general`.
"""
