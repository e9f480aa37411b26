"""Early stopping as `keras.callbacks.EarlyStopping` has it, for every member of a chunk by itself, in NumPy.

The rule is that of `engine.stopping`, which decides inside the fast engine's programs; a test compares both.
"""

from __future__ import annotations

from typing import Any

import numpy as np


class Watch:
    """What has been seen of each member.

    Parameters
    ----------
    rule : dict
        The fields of `stopping.Rule`.
    weights : list of numpy.ndarray (W, ...)
        As training begins.
    earlier : list of numpy.ndarray, optional
        What `state` of an earlier training returned.
    """

    def __init__(self, rule: dict[str, Any], weights: list[np.ndarray], earlier: Any = None):
        self.rule, count = rule, len(weights[0])
        self.best = np.zeros(count, np.float32)
        self.wait, self.best_epoch, self.stopped_epoch = np.zeros((3, count), np.int32)
        kept = rule["restore_best_weights"]
        self.best_weights = [w.copy() for w in weights] if kept else []
        if earlier is not None:
            self.best, self.wait, self.best_epoch, self.stopped_epoch, *best = earlier
            self.best_weights = list(best)

    def state(self) -> list[np.ndarray]:
        """Return all of it as arrays (W, ...)."""
        seen = [self.best, self.wait, self.best_epoch, self.stopped_epoch]
        return [*seen, *self.best_weights]

    def active(self) -> np.ndarray:
        """Return which members have not stopped, (W,) bool."""
        return self.stopped_epoch == 0

    def update(self, number: int, value: np.ndarray, weights: Any) -> None:
        """Look at the monitor's values (W,) after epoch ``number``, from 0; ``weights`` returns arrays (W, ...)."""
        rule, active = self.rule, self.active()
        watched = active & (number >= rule["start_from_epoch"])
        # The first value is an improvement whatever it is, NaN included; on NaN there is none.
        better = watched & ((self.best_epoch == 0) | self._improves(value, self.best))
        counts = better
        if rule["baseline"] is not None:
            counts = better & self._improves(value, np.float32(rule["baseline"]))
        self.wait = np.where(counts, 0, self.wait + watched).astype(np.int32)
        # An epoch that improves never stops, however long ago the baseline was beaten; nor does the first.
        stops = watched & ~better & (self.wait >= rule["patience"]) & (number > 0)
        self.best = np.where(better, value, self.best).astype(np.float32)
        self.best_epoch = np.where(better, number + 1, self.best_epoch).astype(np.int32)
        self.stopped_epoch = np.where(stops, number + 1, self.stopped_epoch).astype(np.int32)
        if self.best_weights and better.any():
            for store, now in zip(self.best_weights, weights(), strict=True):
                store[better] = now[better]

    def _improves(self, value: np.ndarray, reference: Any) -> np.ndarray:
        """Whether values (W,) are better: Keras subtracts in double precision and compares in single."""
        delta = self.rule["min_delta"] * (1 if self.rule["mode"] == "min" else -1)
        with np.errstate(invalid="ignore", over="ignore"):
            moved = (value.astype(np.float64) + delta).astype(np.float32)
            return moved < reference if self.rule["mode"] == "min" else moved > reference
