"""The compiled step: one chunk of members advanced by a number of epochs.

Axes in comments: M members of the chunk, E epochs of the call, N examples, B batch, D inputs, C outputs; every array of
a member has M first; tiny networks are trained with M last (see `tiny`). Members never meet: what is summed over M is
only the loss, for one backward pass instead of M.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import Any, NamedTuple

from helpers._tensorflow import tf
from helpers.engine import inference, losses, optimizers, runtime, scores, stopping, tiny
from helpers.engine.hyper import Hyper
from helpers.engine.layers import Context
from helpers.engine.noise import Source
from helpers.engine.scores import Score
from helpers.engine.stopping import Rule


@dataclass(frozen=True)
class Shapes:
    """All that the training program's shape depends on besides recipe, optimizer and loss."""

    width: int
    batch: int
    part: int
    n_train: int
    n_val: int  # 0: no validation set
    stacked: bool
    shuffled: bool
    task: str
    penalised: tuple[int, ...]  # weight indices with an L1 or L2 penalty
    random: tuple[int, ...]  # layer indices of Dropout and GaussianNoise that are switched on
    masked: tuple[int, ...]  # weight indices with a mask
    tiny: bool  # members last
    stopping: Rule | None = None  # of early stopping
    probabilities: bool = False  # whether the outputs are those, instead of logits
    asked: tuple[Score, ...] = ()  # metrics beside the usual ones
    weighted: str = ""  # whose examples have weights: "shared" by members, or each member's "own"
    val_weighted: bool = False  # whether those of validation do

    @property
    def ordered(self) -> bool:
        """Whether examples are drawn in a random order: one full batch is the same in any."""
        return self.shuffled and self.batch < self.n_train


class State(NamedTuple):
    """What training changes.

    Attributes
    ----------
    weights : list of tensor (M, ...)
        In the order of ``get_weights()``.
    slots : dict of str to list of tensor (M, ...)
        The optimizer's, from `optimizers.slots`, for the trained weights.
    watch : stopping.Watch or ()
        Of early stopping; empty without, and during an epoch.
    """

    weights: list[Any]
    slots: dict[str, list[Any]]
    watch: Any = ()


class Inputs(NamedTuple):
    """What training reads.

    Attributes
    ----------
    hyper : Hyper
        (M,) each.
    data : dict of str to tensor
        "x" (N, D...) and "y" (N,) or (N, C), shared; or a stack with M first. "x_val" and "y_val" alike, if any.
        "w" (N,) or (M, N) and "w_val" are the weights of the examples, if these have some.
    orders : tensor (E, M, N) int32
        The order of the examples in each epoch; (1,) zeros where they are taken as stored.
    keys : tensor (M, 2) uint32
        Of the noise.
    masks : list of tensor (M, ...)
        In the order of ``Shapes.masked``.
    """

    hyper: Hyper
    data: dict[str, Any]
    orders: Any
    keys: Any
    masks: list[Any]


def training(recipe, optimizer, static, loss, shapes, example):
    """Return the program that advances one chunk by a number of epochs.

    Parameters
    ----------
    recipe : Recipe
        Architecture.
    optimizer, static : Optimizer, Static
        The optimizer and its `Optimizer.static`.
    loss : str, Loss or callable
        From `losses.resolve`.
    shapes : Shapes
        Shapes and switches.
    example : tuple
        Arguments of a first call, for their shapes.

    Returns
    -------
    callable
        ``(count, first, every, last, state, inputs)`` to ``(state, history)``: ``count`` epochs from number ``first``
        on. Validation is due at every ``every``-th epoch and after ``last`` epochs. history[name] is (part, M), of
        which the first ``count`` rows are filled, or fewer where all members have stopped.
    """
    key = ("training", recipe.key, recipe.dtype, static, loss, shapes)

    def build():
        function = _training_function(
            recipe, static, optimizer.rate_schedule(), losses.per_example(loss), shapes
        )
        # Code of the caller's own could change unnoticed, see `Plan.of_keras`; a loss function is no text.
        of_keras = recipe.of_keras and optimizer.of_keras
        return runtime.compiled(function, *example, key=of_keras and (*key[:-1], astuple(shapes)))

    return runtime.cached(key, build)


def penalty(weights, hyper, last=False):
    """Return each member's L1 and L2 penalty, (M,); 0.0 without any. Weights have M first, or last."""
    total = 0.0
    for position in hyper.l1:
        w = weights[position]  # (M, ...)
        axes = list(range(w.shape.rank))[:-1] if last else list(range(1, w.shape.rank))
        total += hyper.l1[position] * tf.reduce_sum(tf.abs(w), axes)
        total += hyper.l2[position] * tf.reduce_sum(tf.square(w), axes)
    return total


def _training_function(recipe, static, schedule, loss, s):
    """Return the uncompiled function behind `training`."""
    network = recipe.network()
    small = tiny.network(recipe) if s.tiny else None
    examples = 0 if s.tiny else 1  # the axis of losses: (B, M) or (M, B)
    trained = [i for i, w in enumerate(recipe.weights) if w.trainable]
    measured = scores.functions(s.task, recipe.output_shape[0], s.probabilities, s.asked)
    names = ["loss", *measured]
    full, rest = divmod(s.n_train, s.batch)  # whole batches of an epoch, and the size of the last
    steps = full + bool(rest)

    def step(state, inputs, number, x, y, counts=None):
        """One optimizer step on x (M, B, D...), weighted by counts (M, B); return the state and {name: (M,) sum}."""
        rows = x.shape[1]  # B
        weights = list(state.weights)
        source = Source(inputs.keys, tf.cast(number, tf.uint32))
        context = Context(True, inputs.hyper.rates, source)
        watched = [weights[i] for i in trained]
        with tf.GradientTape() as tape:
            tape.watch(watched)
            for i, w in zip(trained, watched, strict=True):
                weights[i] = w
            if small is None:
                logits = network(x, weights, context)  # (M, B, C)
            else:
                y, logits = tiny.rows_first(y), small(x, weights)  # (B, M[, 1]), (B, M, 1)
            each = loss(y, logits)  # (M, B) or (B, M)
            if counts is not None:
                each *= tiny.rows_first(counts) if s.tiny else counts
            summed = tf.reduce_sum(each, examples)  # (M,)
            lost = summed / rows + penalty(weights, inputs.hyper, s.tiny)
            # Summed over members, never averaged: each sees its own gradient and nothing of M.
            total = tf.reduce_sum(lost)
        gradients = tape.gradient(total, watched, unconnected_gradients="zero")  # (M, ...) each

        # A pruned weight has no gradient, or momentum would move it; and it is set to zero after the step.
        masks = dict(zip(s.masked, inputs.masks, strict=True))
        gradients = [
            g * masks[i] if i in masks else g for i, g in zip(trained, gradients, strict=True)
        ]
        watched, slots = optimizers.update(
            static,
            schedule,
            inputs.hyper.optimizer,
            number,
            watched,
            gradients,
            state.slots,
            s.tiny,
        )
        for i, w in zip(trained, watched, strict=True):
            weights[i] = w * masks[i] if i in masks else w
        for i, value in context.updates.items():  # moving averages of batch norm
            weights[i] = value

        sums = {"loss": lost * rows}  # (M,): the mean over examples, once divided by N
        for name, score in measured.items():
            same = score is loss and counts is None
            sums[name] = summed if same else tf.reduce_sum(score(y, logits), examples)
        return State(weights, slots), sums

    def batch(data, order, first, rows):
        """Return rows ``first`` to ``first + rows`` of the epoch's order (M, N): x, y (M, B, ...) and any w (M, B)."""
        axis = int(s.stacked)  # of the examples
        arrays = [(data["x"], axis), (data["y"], axis)]
        if s.weighted:
            arrays.append((data["w"], int(s.weighted == "own")))
        if s.ordered:
            picked = tf.slice(order, [0, first], [s.width, rows])  # (M, B)
            # Shared: every member picks its rows of the same (N, D...). Stacked: of its own.
            return tuple(tf.gather(v, picked, batch_dims=own, axis=own) for v, own in arrays)

        def cut(values, own):
            begin, size = [0] * values.shape.rank, list(values.shape)
            begin[own], size[own] = first, rows
            return inference.as_members(tf.slice(values, begin, size), s.width, bool(own))

        return tuple(cut(v, own) for v, own in arrays)

    def epoch(number, state, inputs, order):
        """One pass over the training data; returns the state and {metric: (M,) mean over the epoch}."""
        start = number * steps  # optimizer steps taken before
        sums = {name: tf.zeros([s.width], recipe.dtype) for name in names}

        def body(i, state, sums):
            rows = batch(inputs.data, order, i * s.batch, s.batch)
            state, more = step(state, inputs, start + i, *rows)
            return i + 1, state, tf.nest.map_structure(tf.add, sums, more)

        if full:
            loop = (tf.constant(0), state, sums)
            if full > 1:
                loop = tf.while_loop(lambda i, *_: i < full, body, loop)
            else:  # a single round needs no loop
                loop = body(*loop)
            _, state, sums = loop
        if rest:  # the short last batch has a step of its own: batch norm must see its rows only
            rows = batch(inputs.data, order, full * s.batch, rest)
            state, more = step(state, inputs, start + full, *rows)
            sums = tf.nest.map_structure(tf.add, sums, more)
        return state, scores.finished(
            {name: value / s.n_train for name, value in sums.items()}, s.asked
        )

    def validate(weights, inputs):
        """Return {"val_" metric: (M,)} in inference mode, penalties in the loss as Keras has them."""
        x, y = inputs.data["x_val"], inputs.data["y_val"]
        weights = tiny.turned(weights, back=True) if s.tiny else weights
        every = {"loss": loss, **measured}
        counts = inputs.data["w_val"] if s.val_weighted else None
        sums = inference.sums(network, weights, x, y, s.width, s.stacked, every, counts)
        found = {f"val_{name}": value / s.n_val for name, value in sums.items()}
        found["val_loss"] += penalty(weights, inputs.hyper)
        return scores.finished(found, s.asked)

    def advance(count, first, every, last, state, inputs):
        if s.tiny:
            state, inputs = tiny.turned(state), inputs._replace(masks=tiny.turned(inputs.masks))
        keep = scores.recorded(s.task, recipe.output_shape[0], s.n_val, s.asked)
        # Rows for the longest part, so that a shorter one does not compile anew: (E, M).
        records = {name: tf.zeros([s.part, s.width], recipe.dtype) for name in keep}

        def body(e, state, records):
            number = first + e
            order = inputs.orders[e] if s.ordered else None  # (M, N)
            new, row = epoch(number, state._replace(watch=()), inputs, order)  # {metric: (M,)}
            if s.n_val:
                due = tf.logical_or((number + 1) % every == 0, number + 1 == last)
                blank = {f"val_{name}": tf.zeros([s.width], recipe.dtype) for name in names}
                row |= tf.cond(due, lambda: validate(new.weights, inputs), lambda: blank)
            # Not a TensorArray: one of dynamic size is empty under XLA.
            records = {
                name: tf.tensor_scatter_nd_update(records[name], [[e]], [row[name]])
                for name in keep
            }
            if s.stopping is not None:  # a member that has stopped stays as it was
                value = row[s.stopping.monitor]
                new = stopping.update(s.stopping, number, state, new, value, s.tiny)
            return e + 1, new, records

        def goes_on(e, state, _):
            if s.stopping is None:
                return e < count
            return tf.logical_and(e < count, tf.reduce_any(stopping.running(state.watch)))

        loop = (tf.constant(0), state, records)
        _, state, records = tf.while_loop(goes_on, body, loop)
        return tiny.turned(state, back=True) if s.tiny else state, records

    return advance
