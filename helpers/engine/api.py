"""`fit_many` and `predict_many`: hundreds of Keras networks trained as one compiled program."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from helpers._base import checks
from helpers.data import Dataset
from helpers.engine import arrays, cluster, general, inference, plan, train
from helpers.engine.progress import bar
from helpers.engine.recipe import recipe_of
from helpers.engine.runs import Runs, collect
from helpers.engine.unsupported import Unsupported

ENGINES = ("auto", "fast", "general")


def fit_many(
    model: Any,
    dataset: Any,
    y: Any = None,
    *,
    validation_data: Any = None,
    validation_split: float = 0.0,
    sample_weight: Any = None,
    members: int = 100,
    epochs: int = 200,
    batch_size: int = 32,
    shuffle: str | bool = "member",
    optimizer: Any = None,
    learning_rate: Any = None,
    loss: Any = "auto",
    metrics: Any = None,
    vary: dict[str, Any] | None = None,
    initial_weights: Any = None,
    masks: Any = None,
    snapshots: Iterable[int] = (),
    seed: int = 0,
    record_every: int = 1,
    early_stopping: Any = None,
    resumable: bool = False,
    engine: str = "auto",
    progress: bool = True,
) -> Runs:
    """Train many independent copies of one Keras network as one compiled program.

    Member i ends up where ``keras.Model.fit`` would have taken it from the same initial weights on the same
    batches. Initial weights, batch order and dropout come from separate streams keyed by (seed, member), so arms
    called with the same seed are paired, and more members never change the earlier ones.

    Parameters
    ----------
    model : callable or keras.Model
        A function of no arguments that builds ONE network, or a network, whose values are ignored. Without an input it
        takes the shape of the data. If it is compiled, its optimizer, loss and metrics are used, unless others are
        given here.
    dataset : Dataset or array_like (N, ...)
        Shared by all members, or ``Dataset.stack([...])`` with one per member. Or examples, as `fit` takes them.
    y : array_like, optional
        Their targets: labels (N,) or one-hot (N, classes), or quantities (N,) or (N, outputs); the loss says which.
    validation_data : tuple (x_val, y_val) or (x_val, y_val, weights), optional
        With ``y``.
    validation_split : float
        With ``y``: the share of the last examples that validates, as in Keras.
    sample_weight : array_like (N,) or (M, N), optional
        How much the loss of each training example counts, for all members or for each; as in `fit` a batch's loss is
        the sum of weight times loss over the number of its examples. Metrics are not weighted, as in Keras.
    members : int
        Number of networks, M; refused where their weights and histories would not fit into the machine's memory.
    epochs : int
        Passes over the training examples; 0 only draws the networks.
    batch_size : int
        Examples per step; the last batch of an epoch may be shorter.
    shuffle : {"member", "shared", False}
        A random order per member and epoch, one order for all members, or the stored order. A single full batch is
        never shuffled.
    optimizer : str or keras.optimizers.Optimizer, optional
        SGD, RMSprop, Adam, AdamW or Nadam, schedules included; copied, never changed. Adam if neither this nor the
        model says.
    learning_rate : float or array_like (M,), optional
        Replaces the optimizer's; with a schedule, a factor on it.
    loss : str, keras.losses.Loss or callable
        "auto" is that of a compiled model, else mse for regression and crossentropy otherwise. A crossentropy is taken
        of logits, or of probabilities where the model ends in softmax or sigmoid, as `fit` would; where that cannot be
        seen, an instance says it with ``from_logits``. A function maps targets (M, B[, outputs]) and outputs
        (M, B, outputs) to losses (M, B).
    metrics : list of str, keras.metrics.Metric or callable, optional
        Recorded beside those of ``history`` below, under Keras's names, and as Keras means them: of what the model
        returns. Accuracies, crossentropies, squared and absolute errors; or functions of targets (M, B[, outputs]) and
        outputs (M, B, outputs) to (M, B). Those of a compiled model if None.
    vary : dict of str to array_like (M,), optional
        Per-member values of learning_rate, momentum, beta_1, beta_2, epsilon, rho, weight_decay, l1, l2, dropout or
        noise_stddev; replaces the value in the optimizer or in every layer that declares it.
    initial_weights : list of array_like (M, ...), optional
        In the order of ``get_weights()``; drawn by the layers' initializers if None.
    masks : list of (array_like (M, ...) or None), optional
        0/1 per weight: masked weights are exactly zero throughout.
    snapshots : sequence of int
        Epochs whose weights are kept, 0 for the initial ones.
    seed : int
        Everything random follows from it: initial weights, batch orders, dropout and noise.
    record_every : int
        Keep the history of every k-th epoch and of the last.
    early_stopping : keras.callbacks.EarlyStopping, optional
        Every member stops by itself, when and with the weights that Keras's callback would stop it; all settings but
        ``verbose`` are honoured. "monitor" is a name in the history, and looked at in every epoch whatever
        ``record_every``. The callback is only read.
    resumable : bool
        Keep what `Runs.resume` needs: the weights as they were trained and the optimizer's state (with Adam twice the
        weights), best weights that are to be restored, masks, and a reference to the data set.
    engine : {"auto", "fast", "general"}
        "fast" has formulas of its own for the most used layers, optimizers, losses and metrics. "general" takes every
        Keras model that its configuration can rebuild, and runs Keras's own steps on JAX in worker processes; it needs
        the extra ``general``. "auto": the fast one where it knows everything that is asked for, else the general one,
        which says so. ``runs.settings["engine"]`` tells.
    progress : bool
        Show a bar in live sessions for anything over two seconds.

    Returns
    -------
    Runs
        Histories, weights, snapshots, and methods that predict, evaluate and save.

    Raises
    ------
    TypeError, ValueError
        Before any training, for an argument that does not fit, named.

    Notes
    -----
    ``history["loss"]`` is what Keras reports: the example-weighted mean over the epoch's batches while weights
    change, in training mode, penalties included. ``val_`` metrics are taken at the end of the epoch in inference
    mode. Same call, same bits on the same machine, whatever the number of cores, unless it sums
    over more than about 500 examples or units; between machines only statistically.

    A model in double precision is trained in double precision; ``runs.settings`` says so under "dtype", and under
    "keras" what the user's Keras is set to.

    After a member's early stop its history is NaN. ``runs.stopped_epoch`` and ``runs.best_epoch`` count epochs from 1,
    as ``runs.epochs`` does; 0 where a member did not stop. As in Keras, ``restore_best_weights`` applies also to
    members that do not stop, unless all epochs come before ``start_from_epoch``; a first value that is NaN is never
    improved on; and values are compared in single precision. Each member decides alone: the same bits whatever the
    others do.

    Inside ``with helpers.cluster(client):`` other machines train the members, of the general engine as well.

    What is other in the general engine: outputs may have any shape, and so may targets given as arrays; functions for
    ``loss`` and ``metrics`` are Keras's own kind, of a batch's targets and outputs, written with ``keras.ops``;
    metrics may be any of Keras; ``vary`` takes the learning rate only; an optimizer that averages weights
    (``use_ema``) ends with the averages, as in `fit`. The bits are the same for the same call, too, but of Keras on
    JAX: as near to `fit` as two of Keras's backends are to each other.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers import Dataset, fit_many, models
    >>> x = np.linspace(-1, 1, 8, dtype=np.float32)[:, None]
    >>> line = Dataset(x_train=x, y_train=2 * x, task="regression", name="line")
    >>> runs = fit_many(models.linear((1,), 1), line, members=3, epochs=2, learning_rate=[0.1, 0.01, 0.001])
    >>> runs.history["loss"].shape
    (3, 2)
    """
    asked = {
        "validation_data": validation_data,
        "validation_split": validation_split,
        "sample_weight": sample_weight,
        "members": members,
        "epochs": epochs,
        "batch_size": batch_size,
        "shuffle": shuffle,
        "optimizer": optimizer,
        "learning_rate": learning_rate,
        "loss": loss,
        "metrics": metrics,
        "vary": vary,
        "initial_weights": initial_weights,
        "masks": masks,
        "snapshots": snapshots,
        "seed": seed,
        "record_every": record_every,
        "early_stopping": early_stopping,
        "resumable": resumable,
    }
    planned, kept = _planned(engine, model, dataset, y, asked, progress)
    with bar(progress, planned.work, "network-epochs") as moved:
        if isinstance(planned, general.Plan):
            trained = general.train(planned, moved)
        else:
            trained = train.every_chunk(planned, moved)
    return collect(planned, [trained], dataset=kept)


def _planned(
    engine: str, model: Any, dataset: Any, y: Any, asked: dict[str, Any], progress: bool
) -> tuple[plan.Plan | general.Plan, Dataset | None]:
    """Return the plan of the engine that is to train, and the data set, where `Runs.resume` needs it."""
    if checks.one_of("engine", engine, ENGINES) != "general":
        try:
            return _fast(model, dataset, y, **asked)
        except Unsupported as error:
            if engine == "fast":
                raise
            _say_why(error, checks.flag("progress", progress))
    return general.make(model, dataset, y, **asked), None


def _say_why(error: Unsupported, said: bool) -> None:
    """Say in one line that the general engine trains, or refuse where there is none."""
    missing = general.lacking()
    if missing:
        raise ValueError(f"{error} The general engine knows it. {missing}") from error
    if said:
        reason = str(error).partition(". ")[0].removesuffix(".")
        print(f"The general engine trains these networks (Keras on JAX): {reason}.")


def _fast(
    model: Any,
    dataset: Any,
    y: Any,
    *,
    validation_data: Any,
    validation_split: float,
    sample_weight: Any,
    loss: Any,
    **asked: Any,
) -> tuple[plan.Plan, Dataset]:
    """Return the plan of the fast engine, with the data set that arrays were made."""
    validation_weight = None
    if isinstance(dataset, Dataset):
        given = y is not None or validation_data is not None or validation_split
        if given:
            text = "are for arrays, and `dataset` is a Dataset, which holds its own."
            raise TypeError(f"Arguments `y`, `validation_data` and `validation_split` {text}")
    elif y is not None:
        model = recipe_of(model, np.shape(dataset)[1:])
        meant = (
            model.compiled.get("loss", loss) if isinstance(loss, str) and loss == "auto" else loss
        )
        if isinstance(validation_data, (tuple, list)) and len(validation_data) == 3:
            *validation_data, validation_weight = validation_data
        if sample_weight is not None and validation_split and validation_data is None:
            first = arrays.first_of_validation(len(y), validation_split)
            whole = checks.array("sample_weight", sample_weight)
            sample_weight, validation_weight = whole[..., :first], whole[..., first:]
        dataset = arrays.dataset_of(
            dataset, y, validation_data, validation_split, meant, model.template
        )
    planned = plan.make(
        model,
        dataset,
        loss=loss,
        sample_weight=sample_weight,
        validation_weight=validation_weight,
        **asked,
    )
    return planned, dataset


def predict_many(
    model: Any,
    weights: Sequence[Any],
    x: Any,
    *,
    engine: str = "auto",
    progress: bool = True,
) -> np.ndarray:
    """Return the outputs of many copies of one network, for stacked weights that need not have been trained.

    Parameters
    ----------
    model : callable or keras.Model
        As in `fit_many`.
    weights : list of array_like
        (M, ...) each, in the order of ``get_weights()``.
    x : array_like
        (N, ...) shared by all members, or (M, N, ...).
    engine : {"auto", "fast", "general"}
        As in `fit_many`.
    progress : bool
        Show a bar in live sessions for anything over two seconds.

    Returns
    -------
    numpy.ndarray
        (M, N, outputs), inference mode; (M, N, ...) in the general engine.

    Notes
    -----
    The last bits of a row may depend on how many rows are asked for at once, as the compiled program does.

    Raises
    ------
    TypeError, ValueError
        Weights or inputs that do not fit the model, named.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers import models, predict_many
    >>> slopes, offsets = np.ones((2, 1, 1)), np.array([[0.0], [1.0]])
    >>> predict_many(models.linear((1,), 1), [slopes, offsets], [[3.0]])[:, 0, 0].tolist()
    [3.0, 4.0]
    """
    recipe: Any = None
    if checks.one_of("engine", engine, ENGINES) != "general":
        try:
            recipe = recipe_of(model)
        except Unsupported as error:
            if engine == "fast":
                raise
            _say_why(error, checks.flag("progress", progress))
    if recipe is None:
        whole = general.GeneralModel(model, np.shape(x)[1:])
        weights, count = general.check_weights("weights", weights, whole)
        with bar(progress, count, "networks") as moved:
            return general.predict(whole, weights, x, moved)
    weights, count = inference.check_weights("weights", weights, recipe)
    with bar(progress, count, "networks") as moved:
        return inference.predict(recipe, weights, x, moved, cluster.current())
