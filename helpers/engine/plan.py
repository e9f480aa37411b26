"""One call of `fit_many`: arguments checked, then chunks trained part by part, then the result."""

from __future__ import annotations

import dataclasses

import numpy as np
import psutil

from helpers._base import checks, seeds
from helpers._tensorflow import tf
from helpers.data import Dataset
from helpers.engine import inference, losses, optimizers, program, resume, runtime
from helpers.engine.layers import is_of_keras
from helpers.engine.optimizers import Optimizer
from helpers.engine.recipe import draw, recipe_of
from helpers.engine.runs import Runs, epoch_orders, order_generator

_LAYER_KEYS = ("l1", "l2", "dropout", "noise_stddev")


class Job:
    """One call of `fit_many`: checked arguments, then chunks to train, then the result."""

    def __init__(
        self,
        model,
        dataset,
        count,
        epochs,
        batch_size,
        shuffle,
        optimizer,
        learning_rate,
        loss,
        vary,
        seed,
    ):
        self.recipe = recipe_of(model)
        self.members = checks.count("members", count)
        self.epochs = checks.count("epochs", epochs, low=0)
        self.batch_size = checks.integer("batch_size", batch_size)
        self.shuffle = checks.one_of("shuffle", shuffle, ("member", "shared", False))
        self.seed = checks.integer("seed", seed, low=0)
        self.optimizer = Optimizer.of(optimizer)
        self._check_dataset(dataset)
        self.loss = losses.resolve(
            loss, dataset.task, self.recipe.output_shape[0], self.recipe.dtype
        )
        self._check_size()
        self._hyperparameters(learning_rate, vary)

    def _check_dataset(self, dataset):
        """Check the data against the model and the number of members."""
        if not isinstance(dataset, Dataset):
            raise TypeError(checks.message("dataset", "a helpers.data.Dataset", dataset))
        stacked = dataset.members
        if stacked is not None and stacked != self.members:
            raise ValueError(
                f"Argument `dataset` is a stack of {stacked}, one per member. Received: members={self.members}."
            )
        if tuple(dataset.input_shape) != self.recipe.input_shape:
            raise ValueError(
                f"Argument `dataset` must have examples of the model's input shape {self.recipe.input_shape}. "
                f"Received: {tuple(dataset.input_shape)}."
            )
        last = self.recipe.layers[-1]
        activation = getattr(last, "activation", None) or last
        final = getattr(activation, "__name__", type(activation).__name__.lower())
        if dataset.task != "regression" and final in ("softmax", "sigmoid"):
            raise ValueError(
                f"Argument `model` ends in {final}, but losses are taken from logits. Leave the final activation out."
            )
        for name in ("y_train", "y_val"):
            y = getattr(dataset, name)
            if y is not None:
                losses.check_targets(
                    f"dataset.{name}",
                    y,
                    dataset.task,
                    self.recipe.output_shape[0],
                    dataset.num_classes,
                )
        self.dataset, self.examples = dataset, dataset.n_train

    def _check_size(self):
        """Refuse, before anything is allocated, what counters or memory cannot hold."""
        steps = -(-self.examples // self.batch_size)
        if self.epochs * steps > checks.MOST:
            expected = f"at most {checks.MOST // steps:,} with {steps:,} steps each"
            raise ValueError(
                checks.message("epochs", expected, self.epochs, "Steps are counted in 32 bits.")
            )
        scores = 2 + 2 * len(losses.metrics(self.dataset.task, self.recipe.output_shape[0]))
        needed = (
            2 * self.recipe.size * np.dtype(self.recipe.dtype).itemsize + 4 * scores * self.epochs
        )
        memory = psutil.virtual_memory().total
        if self.members * needed > memory:
            expected = (
                f"at most {memory // needed:,} for the machine's memory of {memory / 2**30:.0f} GiB"
            )
            remedy = f"Weights and histories take {needed:,} bytes a member."
            raise ValueError(checks.message("members", expected, self.members, remedy))

    def _hyperparameters(self, learning_rate, vary):
        """Build the (M,) tensors of the optimizer, the penalties and the random layers."""
        vary = {} if vary is None else vary
        if not isinstance(vary, dict):
            raise TypeError(checks.message("vary", "a dict of arrays, one value per member", vary))
        if learning_rate is not None and "learning_rate" in vary:
            raise ValueError(
                "Give the learning rates once: as `learning_rate` or in `vary`, not both."
            )
        self.values = dict(self.optimizer.values)
        labels = {
            key: f"optimizer.{key}" for key in self.values
        }  # where a value came from, for errors
        if learning_rate is not None and checks.ndim(learning_rate) == 0:
            learning_rate = (
                learning_rate.item() if isinstance(learning_rate, np.ndarray) else learning_rate
            )
            self.values["learning_rate"] = checks.real("learning_rate", learning_rate, low=0)
            labels["learning_rate"] = "learning_rate"
        elif learning_rate is not None:
            vary = {**vary, "learning_rate": learning_rate}
        known = (*self.optimizer.values, *_LAYER_KEYS)
        self.vary = {}
        for key, values in vary.items():
            label = (
                f"vary[{key!r}]"
                if key != "learning_rate" or learning_rate is None
                else "learning_rate"
            )
            self._check_declared(key, known)
            values = checks.array(
                label, values, shape=(self.members,), remedy="One value per member."
            )
            optimizers.check_hyperparameter(label, key, values)
            self.vary[key], labels[key] = values.copy(), label
        self.static = self.optimizer.static(self.vary)
        hyper = {}
        for key, value in self.values.items():
            values = self.vary.get(key, np.full(self.members, value))
            hyper |= optimizers.host_values(key, values)
        self.penalised, self.random = [], []
        for position, weight in enumerate(self.recipe.weights):
            strengths = {"l1": weight.l1, "l2": weight.l2}
            declared = [key for key, value in strengths.items() if value is not None]
            if weight.trainable and any(strengths[key] or key in self.vary for key in declared):
                self.penalised.append(position)
                for key, value in strengths.items():
                    default = np.full(self.members, value or 0.0)
                    hyper[f"{key}/{position}"] = (
                        self.vary.get(key, default) if key in declared else default
                    )
        for kind in ("dropout", "noise_stddev"):
            for index, value in self.recipe.strengths(kind).items():
                if value or kind in self.vary:
                    self.random.append(index)
                    hyper[f"rate/{index}"] = self.vary.get(kind, np.full(self.members, value))
        with np.errstate(over="ignore"):
            self.hyper = {key: values.astype(self.recipe.dtype) for key, values in hyper.items()}
        for key, values in self.hyper.items():
            if not np.all(np.isfinite(values)):
                kind = key.partition("/")[0].replace("rate", "noise_stddev") if "/" in key else key
                text = f"Argument `{labels.get(kind, 'model')}`: {kind} is too large for {self.recipe.dtype}."
                raise ValueError(f"{text} Received: {hyper[key].max():g}.")

    def _check_declared(self, key, known):
        """Refuse a `vary` key that nothing declares."""
        if key in self.optimizer.values:
            return
        if key in ("l1", "l2"):
            declared = any(getattr(w, key) is not None and w.trainable for w in self.recipe.weights)
            remedy = f"Build the model with a placeholder, such as mlp(..., {key}=0.01)."
        elif key in ("dropout", "noise_stddev"):
            declared = bool(self.recipe.strengths(key))
            remedy = "Build the model with such a layer, such as mlp(..., dropout=0.5)."
        else:
            declared = False
            remedy = f"Known here: {', '.join(known)}."
            if key == "weight_decay":
                remedy = "Use AdamW, or give the optimizer weight_decay=0.0 as a placeholder."
        if not declared:
            owner = (
                "layer of the model" if key in _LAYER_KEYS else f"setting of {self.optimizer.name}"
            )
            raise ValueError(
                f"Argument `vary` has the key {key!r}, which no {owner} declares. {remedy}"
            )

    def start(self, initial_weights, masks):
        """Draw or check the initial weights and the masks."""
        recipe = self.recipe
        if masks is None:
            masks = [None] * len(recipe.weights)
        if not isinstance(masks, (list, tuple)) or len(masks) != len(recipe.weights):
            count = len(masks) if isinstance(masks, (list, tuple)) else type(masks).__name__
            raise ValueError(
                f"Argument `masks` must be a list of {len(recipe.weights)} arrays or None, one per entry of "
                f"get_weights(). Received: {count}."
            )
        self.masks = {}
        for position, (mask, weight) in enumerate(zip(masks, recipe.weights, strict=True)):
            if mask is None:
                continue
            label = f"masks[{position}]"
            mask = checks.array(
                label, mask, shape=(self.members, *weight.shape), dtype=recipe.dtype
            )
            if not weight.trainable:
                raise ValueError(
                    f"Argument `{label}` must be None: {weight.name} is not trained. Received: an array."
                )
            other = mask[(mask != 0) & (mask != 1)]
            if other.size:
                raise ValueError(
                    f"Argument `{label}` must hold only 0 and 1. Received: {other[0]:g} among them."
                )
            self.masks[position] = mask
        self.given = "drawn" if initial_weights is None else "given"
        if initial_weights is None:
            self.initial = draw(recipe, self.members, self.seed)
        else:
            given, _ = inference.check_weights(
                "initial_weights", initial_weights, recipe, self.members
            )
            self.initial = [
                np.array(checks.array(f"initial_weights[{position}]", values, dtype=recipe.dtype))
                for position, values in enumerate(given)
            ]
        for position, mask in self.masks.items():
            self.initial[position] = self.initial[position] * mask

    def keep(self, snapshots, record_every):
        """Plan the compiled program, its parts and what is recorded."""
        if checks.ndim(snapshots) == 0 and not isinstance(snapshots, (set, frozenset)):
            raise TypeError(
                checks.message("snapshots", "a sequence of epochs, such as (0, 100)", snapshots)
            )
        wanted = {checks.integer("snapshots", s, low=0, high=self.epochs) for s in snapshots}
        self.every = checks.count("record_every", record_every)
        recipe, data = self.recipe, self.dataset
        batch = min(self.batch_size, self.examples)
        width = runtime.chunk_width(recipe, batch)
        n_val = 0 if data.x_val is None else data.x_val.shape[1 if data.stacked else 0]
        self.shapes = program.Shapes(
            width=width,
            batch=batch,
            part=runtime.part_length(recipe, self.examples, width),
            n_train=self.examples,
            n_val=n_val,
            stacked=data.stacked,
            shuffled=self.shuffle is not False,
            task=data.task,
            penalised=tuple(self.penalised),
            random=tuple(self.random),
            masked=tuple(sorted(self.masks)),
        )
        self.groups = runtime.chunks(self.members, width)
        self.stops = sorted({*wanted, self.epochs} - {0})
        self.snapshots = {
            epoch: [np.empty_like(w) if epoch else w.copy() for w in self.initial]
            for epoch in sorted(wanted)
        }
        self.final = [w.copy() for w in self.initial]
        scores = losses.metrics(data.task, recipe.output_shape[0])
        names = ["loss", *scores] + ([f"val_{name}" for name in ("loss", *scores)] if n_val else [])
        self.history = {name: np.empty((self.members, self.epochs), np.float32) for name in names}
        self.finite = np.ones(self.members, bool)
        # Keys of the counter-based generator behind dropout and noise, one pair per member.
        self.keys = np.zeros((self.members, 2), np.uint32)
        if self.random:
            for member in range(self.members):
                self.keys[member] = seeds.sequence(self.seed, "dropout", member).generate_state(2)
        self.shared = None if data.stacked else self._tensors(data)

    def _tensors(self, data, chosen=None):
        """Return the data as tensors: whole, or the rows of the chosen members of a stack."""
        arrays = {"x": data.x_train, "y": data.y_train}
        if self.shapes.n_val:
            arrays |= {"x_val": data.x_val, "y_val": data.y_val}
        tensors = {}
        for name, values in arrays.items():
            values = values if chosen is None else values[chosen]
            tensors[name] = tf.constant(
                values.astype(self.recipe.dtype) if values.dtype.kind == "f" else values
            )
        return tensors

    def train(self, index, advance, stop):
        """Train one chunk from start to end, part by part."""
        s, chosen = self.shapes, self.groups[index]
        kept = min(s.width, self.members - index * s.width)
        mine = slice(index * s.width, index * s.width + kept)
        trained = [i for i, w in enumerate(self.recipe.weights) if w.trainable]
        weights = [tf.constant(w[chosen]) for w in self.initial]
        state = optimizers.slots(self.static, [weights[i] for i in trained])
        hyper = {key: tf.constant(values[chosen]) for key, values in self.hyper.items()}
        data = self.shared or self._tensors(self.dataset, chosen)
        masks = [tf.constant(self.masks[i][chosen]) for i in s.masked]
        keys = tf.constant(self.keys[chosen])
        ordered = s.shuffled and s.batch < s.n_train
        shared = self.shuffle == "shared"
        sources = range(1) if shared else range(mine.start, mine.stop)
        generators = (
            [order_generator(self.seed, self.shuffle, m) for m in sources] if ordered else []
        )
        orders = np.zeros((s.part, s.width, s.n_train) if ordered else (1,), np.int32)
        every, last, done = tf.constant(self.every), tf.constant(self.epochs), 0
        for target in self.stops:
            while done < target:
                if stop.is_set():
                    return
                count = min(s.part, target - done)
                if ordered:
                    for slot, generator in enumerate(
                        generators
                    ):  # one for all, or one each and the last repeated
                        stretch = (
                            slice(None)
                            if shared
                            else slice(slot, None if slot + 1 == kept else slot + 1)
                        )
                        orders[:count, stretch] = epoch_orders(generator, s.n_train, count)[
                            :, np.newaxis
                        ]
                arguments = (
                    tf.constant(count),
                    tf.constant(done),
                    every,
                    last,
                    weights,
                    state,
                    hyper,
                    data,
                )
                arguments += (tf.constant(orders), keys, masks)
                step = program.training(
                    self.recipe, self.optimizer, self.static, self.loss, s, arguments
                )
                weights, state, records = step(*arguments)
                self.finite[mine] &= np.isfinite(records["loss"].numpy()[:count, :kept]).all(axis=0)
                with np.errstate(
                    over="ignore"
                ):  # double precision holds losses that the history cannot
                    for name, values in records.items():
                        self.history[name][mine, done : done + count] = values.numpy()[
                            :count, :kept
                        ].T
                done += count
                advance(kept * count)
            if target in self.snapshots:
                for store, values in zip(self.snapshots[target], weights, strict=True):
                    store[mine] = values.numpy()[:kept]
        for store, values in zip(self.final, weights, strict=True):
            store[mine] = values.numpy()[:kept]

    def task(self):
        """Return `train`, which keeps finished chunks where a killed run is to be resumed (see `resume`).

        Not with code of the caller's own, a loss, an activation or a schedule: that could change unnoticed.
        """
        custom = not isinstance(self.loss[0], str) or len(self.recipe.key) > 2
        if custom or (self.optimizer.schedule and not is_of_keras(self.optimizer.schedule)):
            return self.train
        return resume.resumable(self.train, self._filled, self._depends, self.epochs)

    def _filled(self, index):
        """Return the arrays that `train` fills for one chunk."""
        mine = slice(index * self.shapes.width, (index + 1) * self.shapes.width)
        kept = [w for epoch, weights in self.snapshots.items() if epoch for w in weights]
        return [array[mine] for array in (self.finite, *self.history.values(), *self.final, *kept)]

    def _depends(self):
        """Return all that the bits of the chunks depend on, besides the package itself."""
        data, validated = self.dataset, bool(self.shapes.n_val)
        return {
            "model": (*self.recipe.key, self.recipe.dtype, self.loss[0]),
            "data": [data.x_train, data.y_train, *([data.x_val, data.y_val] if validated else [])],
            "weights": [self.initial, self.masks],
            "optimizer": [self.static, self.hyper],
            "random": [self.seed, self.shuffle],
            "length": [
                self.members,
                self.epochs,
                self.batch_size,
                self.every,
                sorted(self.snapshots),
            ],
            "shapes": dataclasses.astuple(self.shapes),
        }

    def runs(self):
        """Return the finished runs."""
        finite = self.finite.copy()
        for values in (
            self.history.values()
        ):  # a validation loss or metric alone may be too large for float32
            finite &= np.isfinite(values).all(axis=1)
        for values in self.final:
            finite &= np.isfinite(values.reshape(self.members, -1)).all(axis=1)
        epochs = np.arange(1, self.epochs + 1)
        recorded = epochs[(epochs % self.every == 0) | (epochs == self.epochs)]
        history = {
            name: np.ascontiguousarray(values[:, recorded - 1])
            for name, values in self.history.items()
        }
        settings = {
            "members": self.members,
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "shuffle": self.shuffle,
            "optimizer": {
                "name": self.optimizer.name,
                **self.values,
                "nesterov": self.optimizer.nesterov,
                "centered": self.optimizer.centered,
            },
            "schedule": self.optimizer.config["learning_rate"] if self.optimizer.schedule else None,
            "loss": self.loss[0]
            if isinstance(self.loss[0], str)
            else getattr(self.loss[0], "__name__", "function"),
            "seed": self.seed,
            "record_every": self.every,
            "task": self.dataset.task,
            "dataset": self.dataset.name,
            "examples": self.examples,
            "varied": sorted(self.vary),
            "masked": sorted(self.masks),
            "initial_weights": self.given,
        }
        return Runs(
            self.recipe,
            settings,
            self.vary,
            history,
            recorded,
            self.initial,
            self.final,
            self.snapshots,
            ~finite,
        )
