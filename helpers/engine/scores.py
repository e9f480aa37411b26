"""What the history holds beside the loss: metrics per example, of targets (M, B, ...) and outputs (M, B, outputs).

Of every training mean squared error, or crossentropy and accuracy; and what the caller asks for, as Keras means it: of
what the model returns, without sample weights and penalties. All are means over examples, or the root of one; others,
such as an area under a curve, need the predictions of a whole epoch.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from helpers._base import checks
from helpers._tensorflow import keras, tf
from helpers.engine import losses
from helpers.engine.losses import Loss
from helpers.engine.unsupported import kind_of_error

M = keras.metrics
_KINDS = {
    **dict.fromkeys(("mse", "MSE", "mean_squared_error", M.MeanSquaredError), "mse"),
    **dict.fromkeys(("mae", "MAE", "mean_absolute_error", M.MeanAbsoluteError), "mae"),
    **dict.fromkeys(("root_mean_squared_error", M.RootMeanSquaredError), "rmse"),
    **dict.fromkeys(("accuracy", "acc"), "accuracy"),
    **dict.fromkeys(("binary_accuracy", M.BinaryAccuracy), "binary_accuracy"),
    **dict.fromkeys(
        (
            *("categorical_accuracy", "sparse_categorical_accuracy"),
            *(M.CategoricalAccuracy, M.SparseCategoricalAccuracy),
        ),
        "class_accuracy",
    ),
    **dict.fromkeys(
        (
            *("top_k_categorical_accuracy", "sparse_top_k_categorical_accuracy"),
            *(M.TopKCategoricalAccuracy, M.SparseTopKCategoricalAccuracy),
        ),
        "top_k",
    ),
    **dict.fromkeys(("crossentropy", "ce"), "crossentropy"),
    **dict.fromkeys(("binary_crossentropy", "bce", M.BinaryCrossentropy), "binary_crossentropy"),
    **dict.fromkeys(
        (
            *("categorical_crossentropy", "sparse_categorical_crossentropy"),
            *(M.CategoricalCrossentropy, M.SparseCategoricalCrossentropy),
        ),
        "class_crossentropy",
    ),
}
_OF_NUMBERS = {"mse", "mae", "rmse"}
_OF_ONE_OUTPUT = {
    *_OF_NUMBERS,
    "accuracy",
    "crossentropy",
    "binary_accuracy",
    "binary_crossentropy",
}
_OF_CLASSES = {"accuracy", "crossentropy", "class_accuracy", "class_crossentropy", "top_k"}
_RISING = {"accuracy", "binary_accuracy", "class_accuracy", "top_k"}
_DEFAULTS = {"binary_accuracy": 0.5, "top_k": 5.0}
_HONOURED = {"threshold", "k", "label_smoothing", "from_logits"}


class Score(NamedTuple):
    """A metric that the caller asked for.

    Attributes
    ----------
    name : str
        In the history.
    kind : str or callable
        What is computed; a function of the caller's own maps targets and outputs to (M, B).
    setting : float
        Threshold of a binary accuracy, k of "top_k", label smoothing of a crossentropy.
    from_logits : bool
        Whether a crossentropy takes what the model returns for logits.
    ending : {"", "softmax", "sigmoid"}
        What the model ends in, where it is trained without it.
    """

    name: str
    kind: str | Callable[..., Any]
    setting: float = 0.0
    from_logits: bool = False
    ending: str = ""

    def function(self, usual: Mapping[str, Callable]) -> Callable[..., Any]:
        """Return the function of targets (M, B, ...) and the outputs of what is trained to (M, B)."""
        if self.kind in ("accuracy", "crossentropy"):
            return usual[self.kind]
        inner = self.kind if callable(self.kind) else self._formula()

        def of_the_model(y, outputs):
            if self.ending:
                outputs = (
                    tf.nn.sigmoid(outputs) if self.ending == "sigmoid" else tf.nn.softmax(outputs)
                )
            return inner(y, outputs)

        return of_the_model

    def _formula(self):
        if self.kind in _OF_NUMBERS:
            formula = losses.per_example("mae" if self.kind == "mae" else "mse")
            return lambda y, outputs: formula(_as_outputs(y, outputs), outputs)
        if self.kind == "top_k":
            return lambda y, outputs: _among_the_first(y, outputs, self.setting)
        if self.kind.endswith("accuracy"):
            return lambda y, outputs: _accuracy(y, outputs, self.setting)
        name = "binary_" if self.kind.startswith("binary") else "sparse_categorical_"
        loss = Loss(f"{name}crossentropy", smoothing=self.setting, from_logits=self.from_logits)
        return losses.per_example(loss)


def usual(task: str, outputs: int, probabilities: bool = False) -> dict[str, Callable[..., Any]]:
    """Return what is always recorded: {name in the history: function of targets and outputs to (M, B)}.

    ``probabilities``: whether outputs are probabilities instead of logits.
    """
    if task == "regression":
        return {"mse": losses.per_example("mse")}
    name = losses.default(task, outputs)
    if probabilities:
        crossentropy = losses.per_example(Loss(name, from_logits=False))
        return {"crossentropy": crossentropy, "accuracy": _accuracy_of_probabilities}
    return {"crossentropy": losses.per_example(name), "accuracy": _accuracy}


def functions(
    task: str, outputs: int, probabilities: bool = False, asked: Sequence[Score] = ()
) -> dict[str, Callable[..., Any]]:
    """Return all that is recorded beside the loss, by name."""
    found = usual(task, outputs, probabilities)
    return found | {score.name: score.function(found) for score in asked}


def recorded(task: str, outputs: int, validated: int, asked: Sequence[Score] = ()) -> list[str]:
    """Return the names in the history, in order; those of validation where there is a validation set."""
    names = ["loss", *usual(task, outputs), *(score.name for score in asked)]
    return names + [f"val_{name}" for name in names] if validated else names


def rising(asked: Sequence[Score]) -> set[str]:
    """Return the names of which more is better, those of validation too."""
    names = {"accuracy", *(score.name for score in asked if score.kind in _RISING)}
    return names | {f"val_{name}" for name in names}


def finished(
    means: dict[str, Any], asked: Sequence[Score], root: Callable = tf.sqrt
) -> dict[str, Any]:
    """Return means over examples as they are recorded: roots where these were asked for."""
    rooted = {score.name for score in asked if score.kind == "rmse"}
    return {
        name: root(value) if name.removeprefix("val_") in rooted else value
        for name, value in means.items()
    }


def resolve(
    metrics: Any, task: str, outputs: int, ending: str = "", dtype: str = "float32"
) -> tuple[Score, ...]:
    """Return what the caller asks for beside what is recorded anyway.

    Parameters
    ----------
    metrics : sequence of str, keras.metrics.Metric, callable or Score
        As in ``compile``, recorded under the names that Keras gives them.
    task : str
        Of the data set.
    outputs : int
        Of the model.
    ending : {"", "softmax", "sigmoid"}
        What the model ends in, where it is trained without it.
    dtype : str
        Of the model.

    Raises
    ------
    TypeError, ValueError
        A metric that is unknown, no mean over examples, or does not fit task and outputs, or a name that is taken.
    """
    if isinstance(metrics, str) or not isinstance(metrics, (list, tuple)):
        expected = "a list of names, keras.metrics instances or functions"
        raise TypeError(checks.message("metrics", expected, metrics))
    found: dict[str, Score] = {}
    always = usual(task, outputs)
    for given in metrics:
        score = given if isinstance(given, Score) else _score(given)
        if callable(score.kind):
            losses.check_function("metrics", score.kind, task, outputs, dtype)
        else:
            _check_fit(score, task, outputs)
        score = score._replace(ending=score.ending or ending)
        if score.name in always and score.name == score.kind:
            continue
        if score.name in ("loss", *always) or score.name in found:
            remedy = 'Give it another: keras.metrics.Metric(..., name="...").'
            raise ValueError(
                f"Argument `metrics` must hold names that are not taken. Received: {score.name!r}. {remedy}"
            )
        found[score.name] = score
    return tuple(found.values())


def of_compiled(
    metrics: Sequence[Any], task: str, outputs: int, ending: str = ""
) -> tuple[Score, ...]:
    """Return what of a compiled model's metrics is recorded beside the usual ones; warn of the others."""
    found: list[Score] = []
    other = []
    for given in metrics:
        try:
            if callable(_score(given).kind):  # written for arrays without members
                raise ValueError
            found = list(resolve([*found, given], task, outputs, ending))
        except (TypeError, ValueError):
            other.append(given)
    if other:
        warnings.warn(
            f"fit_many does not record the metrics {other} of the compiled model; `runs.predict` gives what they need.",
            stacklevel=2,
        )
    return tuple(found)


def _score(given):
    """Return the `Score` of what the caller gave."""
    if isinstance(given, (str, M.Metric)):
        kind = _KINDS.get(given if isinstance(given, str) else type(given))
        if kind is None:
            shown = given if isinstance(given, str) else type(given).__name__
            remedy = "`runs.predict` gives what others need."
            expected = (
                "means over examples: accuracies, crossentropies, squared and absolute errors"
            )
            raise kind_of_error(keras.metrics.get, given)(
                checks.message("metrics", expected, shown, remedy)
            )
        setting = _DEFAULTS.get(kind, 0.0)
        return Score(given, kind, setting) if isinstance(given, str) else _of_keras(given, kind)
    name = getattr(given, "__name__", type(given).__name__)
    if str(getattr(given, "__module__", "")).startswith("keras.") and name in _KINDS:
        return _score(name)  # a function of Keras
    if callable(given) and not isinstance(given, type):
        return Score(name, given)
    raise TypeError(checks.message("metrics", "names, keras.metrics instances or functions", given))


def _of_keras(metric, kind):
    """Return the `Score` of an instance; refuse a setting that is not honoured here."""
    given = losses.settings("metrics", metric, _HONOURED)
    setting = given.get("threshold", given.get("k", given.get("label_smoothing", 0.0)))
    return Score(metric.name, kind, float(setting), bool(given.get("from_logits", False)))


def _check_fit(score, task, outputs):
    """Refuse a metric that means nothing for this task and number of outputs."""
    if task == "regression":
        allowed, where = _OF_NUMBERS, "a regression"
    elif outputs == 1:
        allowed, where = _OF_ONE_OUTPUT, "two classes and one output"
    else:
        allowed, where = _OF_CLASSES, "one output for each class"
    if score.kind not in allowed:
        raise ValueError(
            f"Argument `metrics` holds {score.name!r}, which means nothing for {where}."
        )


def _as_outputs(y, outputs):
    """Return labels (M, B) as numbers (M, B, 1); quantities as they are."""
    return y if y.shape.rank == outputs.shape.rank else tf.cast(y, outputs.dtype)[..., tf.newaxis]


def _among_the_first(y, outputs, k):
    own = tf.gather(outputs, y, axis=-1, batch_dims=2)[..., tf.newaxis]  # (M, B, 1)
    above = tf.reduce_sum(tf.cast(outputs > own, outputs.dtype), axis=-1)
    return tf.cast(above < k, outputs.dtype)


def _accuracy_of_probabilities(y, outputs):
    return _accuracy(y, outputs, 0.5)


def _accuracy(y, outputs, threshold=0):
    if outputs.shape[-1] == 1:
        predicted = tf.cast(outputs[..., 0] > threshold, y.dtype)
    else:
        predicted = tf.argmax(outputs, axis=-1, output_type=y.dtype)
    return tf.cast(tf.equal(predicted, y), outputs.dtype)
