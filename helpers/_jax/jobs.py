"""What a worker is asked for and what it answers: arrays, texts and numbers, which both sides can unpickle."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

Arrays = dict[str, np.ndarray]


class Model(NamedTuple):
    """A model as a worker builds it.

    Attributes
    ----------
    config : str
        Keras's JSON.
    own : bytes
        Of cloudpickle: ``(functions, objects)``, the caller's functions and what is to be registered with Keras.
    settings : dict
        Keras's, under which the JSON is read and the model run.
    ending : {"", "softmax", "sigmoid"}
        What the outputs pass for the caller's metrics, where the model is trained without it.
    input_shape : tuple of int
        Of one example, for models whose JSON does not say.
    """

    config: str
    own: bytes
    settings: dict[str, Any]
    ending: str
    input_shape: tuple[int, ...]


class Compiled(NamedTuple):
    """What ``compile`` takes: Keras's configuration of an object, or the place of a function in `Model.own`.

    Attributes
    ----------
    optimizer : dict
    loss : dict, str or int
    metrics : list of dict, str or int
        Asked for by the caller.
    usual : tuple of (str, str)
        What is recorded anyway: name, and which function of `metrics.usual`.
    probabilities : bool
        Whether the outputs of what is trained are probabilities instead of logits.
    """

    optimizer: dict[str, Any]
    loss: Any
    metrics: list[Any]
    usual: tuple[tuple[str, str], ...]
    probabilities: bool


class Training(NamedTuple):
    """A training, for all chunks of its members.

    Attributes
    ----------
    model, compiled : Model, Compiled
    batch_size, epochs, first, record_every, seed : int
        ``first`` epochs were done before.
    shuffle : {"member", "shared", False}
    snapshots : tuple of int
    rule : dict or None
        The fields of `stopping.Rule`.
    resumable : bool
        Whether the state is returned.
    width : int
        Members of a chunk.
    own : tuple of str
        Which of the data each member has of its own.
    data : dict of str to numpy.ndarray
        "x" and "y"; "w", "x_val", "y_val", "w_val" where there are such: those that members share.
    like : dict of str to (tuple of int, str)
        Shape and dtype of all data as one member sees them.
    """

    model: Model
    compiled: Compiled
    batch_size: int
    epochs: int
    first: int
    record_every: int
    seed: int
    shuffle: str | bool
    snapshots: tuple[int, ...]
    rule: dict[str, Any] | None
    resumable: bool
    width: int
    own: tuple[str, ...]
    data: Arrays
    like: dict[str, tuple[tuple[int, ...], str]]

    @property
    def examples(self) -> int:
        """Training examples of one member."""
        return self.like["x"][0][0]


class Members(NamedTuple):
    """The members of one chunk; those beyond ``kept`` repeat the last.

    Attributes
    ----------
    start, kept : int
        The number of the first, and how many count.
    weights : list of numpy.ndarray (W, ...)
        In the order of ``get_weights()``.
    masks : dict of int to numpy.ndarray (W, ...)
        By weight index.
    keys : numpy.ndarray (W, 2) uint32
        Of dropout and other noise.
    rates : numpy.ndarray (W,) or None
        Learning rates.
    data : dict of str to numpy.ndarray (W, N, ...)
        What each has of its own.
    state : list of numpy.ndarray (W, ...) or None
        Of an earlier training.
    """

    start: int
    kept: int
    weights: list[np.ndarray]
    masks: dict[int, np.ndarray]
    keys: np.ndarray
    rates: np.ndarray | None
    data: Arrays
    state: list[np.ndarray] | None


class Trained(NamedTuple):
    """What training gives for a chunk; the fields of `engine.train.Trained`."""

    finite: np.ndarray
    stopped: np.ndarray
    best: np.ndarray
    history: Arrays
    weights: list[np.ndarray]
    snapshots: dict[int, list[np.ndarray]]
    state: list[np.ndarray]
