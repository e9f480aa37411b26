"""`Runs`: what `fit_many` returns, with what made it."""

from __future__ import annotations

import copy
import dataclasses
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from helpers._base import checks
from helpers._tensorflow import keras
from helpers.data import Dataset
from helpers.engine import draws, general, inference, plan, stopping, train
from helpers.engine.continuation import Continuation
from helpers.engine.plan import Plan
from helpers.engine.progress import bar
from helpers.engine.recipe import recipe_of, unstack
from helpers.engine.scores import Score

_SCHEMA = 1
_STOPS = ("stopped_epoch", "best_epoch")


class Runs:
    """M trained networks: weights, histories and the settings behind them.

    Attributes
    ----------
    history : dict of str to numpy.ndarray
        (M, E) float32 by metric: "loss", "mse" or "crossentropy" and "accuracy", and the same with "val_". NaN in the
        epochs after a member's early stop.
    epochs : numpy.ndarray
        (E,) the recorded epochs.
    initial_weights, weights : list of numpy.ndarray
        (M, ...) in the order of Keras's ``get_weights()``: as training began, and as it left them.
    snapshots : dict of int to list of numpy.ndarray
        By epoch, like ``weights``: as training was at the end of that epoch, and from a member's early stop on as it
        stopped, before the best weights are restored.
    diverged : numpy.ndarray
        (M,) bool: a weight, or a loss or metric of ``history`` (validation included), was not finite at some epoch
        that the member was trained in.
    stopped_epoch : numpy.ndarray
        (M,) int: the last epoch of the members that stopped early, counted from 1 as in ``epochs`` (one more than
        Keras's callback has, which counts from 0); 0 for members that did not stop.
    best_epoch : numpy.ndarray
        (M,) int: the epoch of the best value that early stopping saw, counted from 1; 0 where it saw none.
    settings : dict
        What made the runs: members, epochs, batch_size, shuffle, optimizer, schedule, loss, seed, task, examples, ...
    vary : dict of str to numpy.ndarray
        (M,) settings that differed between members.

    Notes
    -----
    `batches`, `to_frame`, `save` and `load` serve those who use the package as a library.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers import Dataset, fit_many, models
    >>> x = np.linspace(-1, 1, 6, dtype=np.float32)[:, None]
    >>> line = Dataset(x_train=x, y_train=2 * x, task="regression", name="line")
    >>> runs = fit_many(models.linear((1,), 1), line, members=2, epochs=3, batch_size=4, snapshots=(1,))
    >>> runs.predict(x).shape
    (2, 6, 1)
    >>> sorted(runs.evaluate(x, 2 * x))
    ['mse']
    >>> [w.shape for w in runs.weights_at([1, 3])]
    [(2, 1, 1), (2, 1)]
    >>> runs.model(member=1, epoch=1).count_params()
    2
    >>> [len(rows) for rows in runs.batches(member=0)[0]]
    [4, 2]
    >>> list(runs.to_frame().columns)
    ['member', 'epoch', 'loss', 'mse']
    """

    def __init__(
        self,
        recipe,
        settings,
        vary,
        history,
        epochs,
        initial_weights,
        weights,
        snapshots,
        diverged,
        stopped_epoch,
        best_epoch,
        continuation=None,
    ):
        self._recipe = recipe
        self.settings, self.vary = settings, vary
        self.history, self.epochs = history, epochs
        self.initial_weights, self.weights, self.snapshots = initial_weights, weights, snapshots
        self.diverged = diverged
        self.stopped_epoch, self.best_epoch = stopped_epoch, best_epoch
        self._continuation: Continuation | general.Continuation | None = continuation

    @property
    def members(self) -> int:
        """Number of networks, M."""
        return int(self.settings["members"])

    def __len__(self):
        return self.members

    def __repr__(self):
        s = self.settings
        text = (
            f"Runs({s['members']} members of {self._recipe.size:,} parameters, {s['epochs']} epochs"
        )
        text += f", batch_size={s['batch_size']}, {s['optimizer']['name']}, seed={s['seed']}"
        counts = {
            "stopped early": np.count_nonzero(self.stopped_epoch),
            "diverged": np.count_nonzero(self.diverged),
        }
        return text + "".join(f", {n} {what}" for what, n in counts.items() if n) + ")"

    def _member(self, member):
        return checks.integer("member", member, low=0, high=self.members - 1)

    def _at(self, epoch):
        """Return the weights of an epoch: None for the final ones, a snapshot, the last, or 0."""
        if epoch is not None:
            epoch = checks.integer("epoch", epoch, low=0)
        if (
            epoch in self.snapshots
        ):  # first: where the best are restored, the final weights are other ones
            return self.snapshots[epoch]
        if epoch is None or epoch == self.settings["epochs"]:
            return self.weights
        if epoch == 0:
            return self.initial_weights
        kept = sorted({0, *self.snapshots, self.settings["epochs"]})
        raise ValueError(
            checks.message(
                "epoch",
                f"one of the kept epochs {kept}",
                epoch,
                "Ask fit_many for it with snapshots=(...).",
            )
        )

    def weights_at(self, epochs: Any) -> list[np.ndarray]:
        """Return the weights of every member at an epoch of its own.

        Parameters
        ----------
        epochs : int or array_like of int (M,)
            Kept epochs: 0, the last, or snapshots.

        Returns
        -------
        list of numpy.ndarray
            (M, ...) each, copies, in the order of ``get_weights()``.

        Raises
        ------
        ValueError
            For an epoch that was not kept, with those that were.
        """
        epochs = checks.array("epochs", epochs, dtype=np.int64, low=0)
        if epochs.shape not in ((), (self.members,)):
            raise ValueError(
                checks.message(
                    "epochs", f"one epoch, or one for each of {self.members} members", epochs
                )
            )
        epochs = np.broadcast_to(epochs, self.members)
        found = [np.empty_like(w) for w in self.weights]
        for epoch in np.unique(epochs):
            chosen = epochs == epoch
            for target, source in zip(found, self._at(int(epoch)), strict=True):
                target[chosen] = source[chosen]
        return found

    def batches(self, member: int) -> list[list[np.ndarray]]:
        """Return the batches that a member was trained on.

        Parameters
        ----------
        member : int
            Its number, from 0.

        Returns
        -------
        list of list of numpy.ndarray
            Per epoch until the member stopped, the index arrays into the training examples, batch by batch.
        """
        s, member = self.settings, self._member(member)
        n, size = s["examples"], min(s["batch_size"], s["examples"])
        epochs = int(self.stopped_epoch[member]) or s["epochs"]
        cuts = list(range(size, n, size))
        if (
            s["shuffle"] is False or not cuts
        ):  # one full batch: its order means nothing and is never shuffled
            return [np.split(np.arange(n), cuts)] * epochs
        generator = draws.order_generator(s["seed"], s["shuffle"], member)
        orders = draws.epoch_orders(generator, n, epochs)
        return [np.split(order, cuts) for order in orders]

    def model(self, member: int, epoch: int | None = None) -> Any:
        """Return a fresh ordinary Keras model holding one member.

        Parameters
        ----------
        member : int
            Its number, from 0.
        epoch : int or None
            The last (None), 0, or one of the snapshots.

        Returns
        -------
        keras.Model
            Uncompiled. Strengths that were varied per member are those of the template.
        """
        return self._recipe.keras_model(unstack(self._at(epoch), self._member(member)))

    def predict(self, x: Any, epoch: int | None = None) -> np.ndarray:
        """Return what the model returns, of all members, in inference mode: logits, probabilities, predictions.

        Parameters
        ----------
        x : array_like
            (N, ...), or (M, N, ...) with inputs of their own for each member.
        epoch : int or None
            The last (None), 0, or one of the snapshots.

        Returns
        -------
        numpy.ndarray
            (M, N, outputs).
        """
        if isinstance(self._recipe, general.GeneralModel):
            return general.predict(self._recipe, self._at(epoch), x)
        return inference.predict(self._recipe, self._at(epoch), x)

    def evaluate(self, x: Any, y: Any, epoch: int | None = None) -> dict[str, np.ndarray]:
        """Return each member's mean squared error, or crossentropy and accuracy, and the metrics that were asked for.

        Without penalties and weights. Metrics that are functions of one's own are left out: files do not hold them.

        Parameters
        ----------
        x, y : array_like
            Examples and targets, shared (N, ...) or per member (M, N, ...).
        epoch : int or None
            The last (None), 0, or one of the snapshots.

        Returns
        -------
        dict of str to numpy.ndarray
            (M,) per metric, inference mode.
        """
        recipe, probabilities = self._recipe, self.settings.get("outputs") == "probabilities"
        if isinstance(recipe, general.GeneralModel):
            return general.evaluate(recipe, self._at(epoch), x, y, self.settings)
        if probabilities and recipe.without_ending is not None:
            recipe, probabilities = recipe.without_ending, False
        task = self.settings["task"]
        asked = tuple(Score(*score) for score in self.settings.get("metrics", ()))
        return inference.score(recipe, self._at(epoch), x, y, task, probabilities, asked)

    def to_frame(self) -> pd.DataFrame:
        """Return the history as a tidy table.

        Returns
        -------
        pandas.DataFrame
            One row per member and recorded epoch that it was trained in: member, epoch, the varied settings, the
            metrics.
        """
        recorded = len(self.epochs)
        columns = {
            "member": np.repeat(np.arange(self.members), recorded),
            "epoch": np.tile(self.epochs, self.members),
        }
        columns |= {key: np.repeat(values, recorded) for key, values in self.vary.items()}
        frame = pd.DataFrame(columns | {k: values.ravel() for k, values in self.history.items()})
        last = np.where(self.stopped_epoch, self.stopped_epoch, self.settings["epochs"])
        trained = columns["epoch"] <= np.repeat(last, recorded)
        return frame if trained.all() else frame[trained].reset_index(drop=True)

    def resume(
        self,
        epochs: int,
        *,
        snapshots: Iterable[int] = (),
        dataset: Dataset | None = None,
        progress: bool = True,
    ) -> Runs:
        """Train every member further, from the kept state of its optimizer; return all of it as new runs.

        The result is what one call of `fit_many` for all epochs would have returned, bit for bit: weights, history,
        snapshots and ``diverged``. These runs stay as they are.

        Parameters
        ----------
        epochs : int
            How many MORE epochs, whatever the number so far. Keras counts otherwise: its ``fit(epochs=b,
            initial_epoch=a)`` stops at epoch b, after b - a more.
        snapshots : sequence of int
            Epochs whose weights are kept besides those so far, counted from the start of the whole training: from the
            last epoch of these runs on.
        dataset : Dataset, optional
            The data that the runs were trained on. Needed for runs that were loaded from files, which hold no data;
            never for runs of the general engine, which hold it, and whose files cannot be resumed.
        progress : bool
            Show a bar in live sessions for anything over two seconds.

        Returns
        -------
        Runs
            With the initial weights and the history of the whole training; can be resumed again.

        Raises
        ------
        TypeError, ValueError
            Runs that were trained without ``resumable=True``, other data than they were trained on, a loss function
            of one's own that files do not hold, or an argument that does not fit, named.

        Notes
        -----
        It goes on from the weights of the training, whatever has been done to ``weights`` since. Batch orders and
        noise go on where they were, and so does a learning-rate schedule: one that has ended stays at its end.

        The history has the rows of one call. With ``record_every=k`` the last epoch of the first training was recorded
        in any case; its row is left out unless it is a k-th epoch, or the last of all.

        With early stopping, members that had stopped stay as they are, and the others go on waiting where they were.
        (Another ``fit`` in Keras would forget both, and go on from restored weights.)

        Examples
        --------
        >>> import numpy as np
        >>> from helpers import Dataset, fit_many, models
        >>> x = np.linspace(-1, 1, 6, dtype=np.float32)[:, None]
        >>> line = Dataset(x_train=x, y_train=2 * x, task="regression", name="line")
        >>> runs = fit_many(models.linear((1,), 1), line, members=2, epochs=3, resumable=True)
        >>> runs.resume(2).epochs.tolist()
        [1, 2, 3, 4, 5]
        """
        if self._continuation is None:
            remedy = "Train them with fit_many(..., resumable=True)."
            raise ValueError(f"These runs do not hold what `resume` needs. {remedy}")
        dataset = self._continuation.dataset if dataset is None else dataset
        planned = self._continuation.planned(
            self._recipe, self.settings, self.vary, self.initial_weights, dataset, epochs
        )
        first = self.settings["epochs"]
        kept = plan.check_snapshots(snapshots, first, planned.epochs)
        with bar(progress, planned.work, "network-epochs") as moved:
            if isinstance(planned, general.Plan):
                planned = general.with_snapshots(planned, kept)
                trained: Any = general.train(planned, moved)
            else:
                planned = dataclasses.replace(planned, snapshots=kept)
                trained = train.every_chunk(planned, moved)
        return collect(planned, [trained], dataset=dataset, before=self)

    def save(self, folder: str | Path) -> None:
        """Write the runs to a folder: ``runs.json`` and ``arrays.npz``, no pickle.

        Written aside and renamed: an interruption leaves what was there before. What `resume` needs is written too,
        where it was kept, but no data and no loss function of one's own.

        Parameters
        ----------
        folder : path
            Replaced if it holds earlier runs; anything else there is refused.
        """
        folder = checks.folder("folder", folder).resolve()
        files = {path.name for path in folder.iterdir()} if folder.exists() else set()
        if files and (files - {"runs.json", "arrays.npz"} or "runs.json" not in files):
            raise ValueError(
                checks.message(
                    "folder", "empty, new, or a folder of earlier runs only", str(folder)
                )
            )
        arrays = {name: getattr(self, name) for name in ("epochs", "diverged", *_STOPS)}
        arrays |= {f"history/{key}": value for key, value in self.history.items()}
        arrays |= {f"vary/{key}": value for key, value in self.vary.items()}
        stages = {"initial": self.initial_weights, "final": self.weights, **self.snapshots}
        for stage, weights in stages.items():
            arrays |= {f"weights/{stage}/{i}": w for i, w in enumerate(weights)}
        text = {"schema": _SCHEMA, "model": self._recipe.config, "settings": self.settings}
        if isinstance(self._continuation, Continuation):
            text["resume"] = self._continuation.text()
            arrays |= {f"resume/{key}": v for key, v in self._continuation.arrays().items()}
        folder.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        old = aside.with_name(aside.name + "-old")
        try:
            np.savez(aside / "arrays.npz", **arrays)
            (aside / "runs.json").write_text(
                json.dumps(text, indent=1, sort_keys=True), encoding="utf-8"
            )
            aside.chmod(0o755)  # mkdtemp makes folders that only their owner can read
            if folder.exists():
                os.replace(folder, old)
            os.replace(aside, folder)
        except BaseException:
            if old.exists() and not folder.exists():
                os.replace(old, folder)
            raise
        finally:
            shutil.rmtree(aside, ignore_errors=True)
            if folder.exists():
                shutil.rmtree(old, ignore_errors=True)

    @classmethod
    def load(cls, folder: str | Path) -> Runs:
        """Read runs that `save` wrote.

        Raises
        ------
        FileNotFoundError
            The folder holds no runs.
        ValueError
            They were written in a format of another version.
        """
        folder = checks.folder("folder", folder)
        if not (folder / "runs.json").exists():
            raise FileNotFoundError(
                f"Folder {str(folder)!r} holds no runs.json. Write it with Runs.save(folder)."
            )
        text = json.loads((folder / "runs.json").read_text(encoding="utf-8"))
        if text.get("schema") != _SCHEMA:
            raise ValueError(
                f"{folder / 'runs.json'} has schema {text.get('schema')!r}; this version reads {_SCHEMA}."
            )
        model = keras.models.model_from_json(text["model"])
        with np.load(folder / "arrays.npz", allow_pickle=False) as stored:
            arrays = dict(stored)

        def part(prefix):
            return {
                key.removeprefix(prefix): value
                for key, value in arrays.items()
                if key.startswith(prefix)
            }

        stages = {}
        for key, value in part("weights/").items():
            stage, position = key.split("/")
            stages.setdefault(stage, {})[int(position)] = value
        stages = {stage: [found[i] for i in range(len(found))] for stage, found in stages.items()}
        initial, final = stages.pop("initial"), stages.pop("final")
        snapshots = {
            int(stage): weights
            for stage, weights in sorted(stages.items(), key=lambda item: int(item[0]))
        }
        diverged = arrays["diverged"]
        never = np.zeros(
            len(diverged), np.int32
        )  # files of earlier versions know no early stopping
        resume = text.get("resume")
        of_general = text["settings"].get("engine") == "general"
        return cls(
            general.GeneralModel(model, tuple(text["settings"]["input_shape"]))
            if of_general
            else recipe_of(model),
            text["settings"],
            part("vary/"),
            part("history/"),
            arrays["epochs"],
            initial,
            final,
            snapshots,
            diverged,
            *(arrays.get(name, never) for name in _STOPS),
            None if resume is None else Continuation.read(resume, part("resume/")),
        )


def collect(
    planned: Plan | general.Plan,
    chunks: Sequence[Any],
    *,
    dataset: Dataset | None = None,
    before: Runs | None = None,
) -> Runs:
    """Return the finished runs.

    Parameters
    ----------
    planned : plan.Plan or general.Plan
        From `plan.make` or `general.make`.
    chunks : sequence of train.Trained or jobs.Trained
        Of all members, in order: one for each chunk, or one for all from `every_chunk` or `general.train`.
    dataset : Dataset, optional
        What a resumable plan was made of; without it, `Runs.resume` asks for it.
    before : Runs, optional
        What was continued: its history and snapshots come first.

    Returns
    -------
    Runs
        With the initial weights and settings of the planned.
    """
    if isinstance(planned, general.Plan):
        (whole,) = chunks
    else:
        flat = [each.flat() for each in chunks]
        arrays = [p[0] if len(p) == 1 else np.concatenate(p) for p in zip(*flat, strict=True)]
        whole = train.filled(planned, arrays)
    if len(whole.finite) != planned.members:
        raise ValueError(
            f"All {planned.members} members are needed. Received: {len(whole.finite)}."
        )
    epochs = np.arange(1, planned.epochs + 1)
    recorded = epochs[(epochs % planned.record_every == 0) | (epochs == planned.epochs)]
    history = _history(planned, whole, recorded, before)

    # Of training, every epoch counts; kept apart from what is seen after it, which more epochs may replace.
    finite = whole.finite.copy()
    ran = stopping.ran(whole.stopped, epochs[planned.first :])
    for name, values in whole.history.items():
        if not name.startswith("val_"):
            finite &= (np.isfinite(values) | ~ran).all(axis=1)
    # A validation loss or metric alone may be too large for float32, or a weight after the last step.
    diverged = ~finite
    ran = stopping.ran(whole.stopped, recorded)
    for values in history.values():
        diverged |= ~(np.isfinite(values) | ~ran).all(axis=1)
    for values in whole.weights:
        diverged |= ~np.isfinite(values.reshape(planned.members, -1)).all(axis=1)

    kept = {} if before is None else dict(before.snapshots)
    for epoch in planned.snapshots:
        kept[epoch] = whole.snapshots[epoch] if epoch else [w.copy() for w in planned.initial]
    return Runs(
        planned.given,
        copy.deepcopy(planned.settings),
        copy.deepcopy(planned.vary),
        history,
        recorded,
        [w.copy() for w in planned.initial],
        whole.weights,
        kept,
        diverged,
        whole.stopped,
        whole.best,
        _continuation(planned, finite, whole.state, dataset) if planned.resumable else None,
    )


def _continuation(
    planned: Plan | general.Plan, finite: np.ndarray, state: list[np.ndarray], dataset: Any
) -> Continuation | general.Continuation:
    """Return what `Runs.resume` needs of a training."""
    if isinstance(planned, general.Plan):
        return general.Continuation(planned, finite, state)
    return Continuation.of(planned, finite, state, dataset)


def _history(
    planned: Plan | general.Plan, whole: Any, recorded: np.ndarray, before: Runs | None
) -> dict[str, np.ndarray]:
    """Return the history (M, E) of the recorded epochs, those of runs before first.

    The last epoch of those is recorded in any case, and is left out unless it is due in the whole training too.
    """
    new = recorded[recorded > planned.first] - 1 - planned.first
    found = {name: np.ascontiguousarray(values[:, new]) for name, values in whole.history.items()}
    if before is None:
        return found
    old = np.isin(before.epochs, recorded)
    return {
        name: np.concatenate([before.history[name][:, old], values], axis=1)
        for name, values in found.items()
    }
