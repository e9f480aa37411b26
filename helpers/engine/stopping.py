"""Early stopping as `keras.callbacks.EarlyStopping` has it, for every member by itself.

Axes in comments: M members of the chunk; every array of a member has M first.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import numpy as np

from helpers._base import checks
from helpers._tensorflow import keras, tf


class Rule(NamedTuple):
    """When a member stops: the settings of Keras's callback, its "auto" mode resolved.

    Attributes
    ----------
    monitor : str
        A name of the history.
    mode : {"min", "max"}
        Whether small or large values are good.
    min_delta : float
        An improvement is larger than that; never negative.
    patience : int
        Epochs without improvement after which a member stops.
    baseline : float or None
        The wait starts anew only with an improvement that also beats this.
    restore_best_weights : bool
        Whether training ends with the weights of the best epoch.
    start_from_epoch : int
        Epochs that are not looked at.
    """

    monitor: str
    mode: str
    min_delta: float
    patience: int
    baseline: float | None
    restore_best_weights: bool
    start_from_epoch: int


class Watch(NamedTuple):
    """What has been seen of each member.

    Attributes
    ----------
    best : tensor (M,) float32
        The best value of the monitor; any number before ``best_epoch`` is set.
    wait : tensor (M,) int32
        Epochs since the last improvement that counts.
    best_epoch, stopped_epoch : tensor (M,) int32
        Counted from 1; 0 where there is none.
    best_weights : list of tensor (M, ...)
        Of the best epoch; empty unless they are restored.
    """

    best: Any
    wait: Any
    best_epoch: Any
    stopped_epoch: Any
    best_weights: list[Any]


def rule(callback: Any, monitors: Sequence[str], rising: Collection[str]) -> Rule | None:
    """Return the rule behind Keras's callback, which is only read and may have been used before.

    Parameters
    ----------
    callback : keras.callbacks.EarlyStopping, Rule or None
        None for no early stopping, a rule as it is.
    monitors : sequence of str
        The names in the history.
    rising : collection of str
        Those of which more is better.

    Raises
    ------
    TypeError, ValueError
        Something else, a subclass, or a setting that is not honoured, named.
    """
    if callback is None or isinstance(callback, Rule):
        return callback
    name, expected = "early_stopping", "a keras.callbacks.EarlyStopping instance or None"
    if not isinstance(callback, keras.callbacks.EarlyStopping):
        raise TypeError(checks.message(name, expected, callback))
    if type(callback) is not keras.callbacks.EarlyStopping:
        remedy = "The code of a subclass cannot enter the compiled program."
        raise ValueError(checks.message(name, expected, type(callback).__name__, remedy))
    remedy = "Keras's default is 'val_loss', which needs a data set with validation examples."
    monitor = checks.one_of(f"{name}.monitor", callback.monitor, monitors, remedy)
    mode = checks.one_of(f"{name}.mode", callback.mode, ("auto", "min", "max"))
    if mode == "auto":  # the directions that Keras gives its metrics of these names
        mode = "max" if monitor in rising else "min"
    baseline = callback.baseline
    return Rule(
        monitor=monitor,
        mode=mode,
        # A callback that has been used has its sign changed.
        min_delta=abs(checks.real(f"{name}.min_delta", callback.min_delta)),
        patience=checks.count(f"{name}.patience", callback.patience, low=0),
        baseline=None if baseline is None else checks.real(f"{name}.baseline", baseline),
        restore_best_weights=checks.flag(
            f"{name}.restore_best_weights", callback.restore_best_weights
        ),
        start_from_epoch=checks.count(f"{name}.start_from_epoch", callback.start_from_epoch, low=0),
    )


def start(rule: Rule | None, weights: Sequence[Any]) -> Watch | tuple[()]:
    """Return what has been seen before the first epoch; nothing where no rule is given."""
    if rule is None:
        return ()

    def zeros(dtype: Any) -> Any:
        return tf.zeros([weights[0].shape[0]], dtype)  # (M,)

    best = [tf.identity(w) for w in weights] if rule.restore_best_weights else []
    return Watch(zeros(tf.float32), *(zeros(tf.int32) for _ in range(3)), best)


def running(watch: Watch) -> Any:
    """Return which members have not stopped, (M,) bool."""
    return tf.equal(watch.stopped_epoch, 0)


def ran(stopped: np.ndarray, epochs: np.ndarray) -> np.ndarray:
    """Return whether members (M,) that stopped at these epochs, 0 for never, were trained in others (E,): (M, E)."""
    return (stopped == 0)[:, np.newaxis] | (epochs <= stopped[:, np.newaxis])


def update(rule: Rule, number: Any, before: Any, after: Any, value: Any, last: bool = False) -> Any:
    """Return the state after an epoch: that of before for members that had stopped.

    The order of the steps is that of ``EarlyStopping.on_epoch_end``.

    Parameters
    ----------
    rule : Rule
        The same for all members.
    number : scalar int tensor
        Of the epoch, from 0 as Keras counts.
    before, after : program.State
        Before the epoch, with a `Watch`, and after it.
    value : tensor (M,)
        Of the monitor.
    last : bool
        Whether arrays have M last, (..., M).
    """

    def choose(flags: Any, these: Any, others: Any) -> Any:
        """Return these tensors (M, ...) for the members flagged and the others for the rest."""

        def one(this: Any, other: Any) -> Any:
            shape = [-1] if last else [-1] + [1] * (this.shape.rank - 1)
            return tf.where(tf.reshape(flags, shape), this, other)

        return tf.nest.map_structure(one, these, others)

    seen = before.watch
    active = running(seen)
    watched = tf.logical_and(active, number >= rule.start_from_epoch)
    # The first value is an improvement whatever it is, NaN included; on NaN there is none.
    better = watched & (tf.equal(seen.best_epoch, 0) | _improves(rule, value, seen.best))
    counts = better
    if rule.baseline is not None:
        counts = better & _improves(rule, value, tf.constant(rule.baseline, tf.float32))
    wait = tf.where(counts, 0, seen.wait + tf.cast(watched, tf.int32))
    # An epoch that improves never stops, however long ago the baseline was beaten; nor does the first.
    stops = watched & ~better & (wait >= rule.patience) & (number > 0)
    watch = Watch(
        best=tf.where(better, tf.cast(value, tf.float32), seen.best),
        wait=wait,
        best_epoch=tf.where(better, number + 1, seen.best_epoch),
        stopped_epoch=tf.where(stops, number + 1, seen.stopped_epoch),
        best_weights=choose(better, after.weights, seen.best_weights) if seen.best_weights else [],
    )
    weights, slots = (
        choose(active, getattr(after, name), getattr(before, name)) for name in ("weights", "slots")
    )
    return before._replace(weights=weights, slots=slots, watch=watch)


def _improves(rule: Rule, value: Any, reference: Any) -> Any:
    """Whether values (M,) are better than a float32 reference.

    Keras subtracts in double precision and compares in single, in double-precision models too.
    """
    delta = tf.constant(rule.min_delta, tf.float64)
    value = tf.cast(value, tf.float64)
    if rule.mode == "min":
        return tf.cast(value + delta, tf.float32) < reference
    return tf.cast(value - delta, tf.float32) > reference
