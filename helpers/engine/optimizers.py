"""SGD, momentum, Nesterov, RMSprop, Adam, AdamW and Nadam as pure functions with a hyperparameter per member.

The formulas are Keras's, to the order of operations where it matters in float32; a test compares every one.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from helpers._base import checks
from helpers._tensorflow import keras, tf
from helpers.engine.unsupported import Unsupported

# Hyperparameters with their admissible ranges: low, high, high_open.
_RANGES = {
    "learning_rate": (0, np.inf, False),
    "momentum": (0, 1, False),
    "beta_1": (0, 1, True),
    "beta_2": (0, 1, True),
    "rho": (0, 1, True),
    "epsilon": (0, np.inf, False),
    "weight_decay": (0, np.inf, False),
    # of layers, for `vary`
    "l1": (0, np.inf, False),
    "l2": (0, np.inf, False),
    "dropout": (0, 1, True),
    "noise_stddev": (0, np.inf, False),
}
_DECLARES = {
    "SGD": ("momentum",),
    "RMSprop": ("rho", "momentum", "epsilon"),
    "Adam": ("beta_1", "beta_2", "epsilon"),
    "AdamW": ("beta_1", "beta_2", "epsilon"),
    "Nadam": ("beta_1", "beta_2", "epsilon"),
}
# Products of 1 - 0.96^i / 2 for i = 1, 2, ...: of Nadam's momentum. In single precision the factors end as 1.
_NADAM = np.cumprod(np.concatenate([[1.0], 1.0 - 0.5 * 0.96 ** np.arange(1, 1000)]))
_REFUSED = (
    "clipnorm",
    "clipvalue",
    "global_clipnorm",
    "use_ema",
    "amsgrad",
    "loss_scale_factor",
    "gradient_accumulation_steps",
)


class Static(NamedTuple):
    """What of an optimizer shapes the compiled program, hashable: everything but the values.

    Attributes
    ----------
    name : str
        "SGD", "RMSprop", "Adam", "AdamW" or "Nadam".
    declared : tuple of str
        The hyperparameters that it has, sorted.
    schedule : str or None
        The configuration of the learning-rate schedule.
    nesterov, centered, momentum : bool
        Which terms the formula has.
    """

    name: str
    declared: tuple[str, ...]
    schedule: str | None
    nesterov: bool
    centered: bool
    momentum: bool


@dataclass(frozen=True)
class Optimizer:
    """A Keras optimizer, read once: texts and numbers only, so that it can be pickled.

    Attributes
    ----------
    name : str
        "SGD", "RMSprop", "Adam", "AdamW" or "Nadam".
    values : dict of str to float
        Its hyperparameters; with a schedule, ``learning_rate`` is the factor on it, 1.
    schedule : dict or None
        The learning-rate schedule as Keras serializes it.
    nesterov, centered : bool
        Of SGD and RMSprop.
    of_keras : bool
        Whether the schedule, if there is one, is Keras's own.
    """

    name: str
    values: dict[str, float]
    schedule: dict | None
    nesterov: bool
    centered: bool
    of_keras: bool

    @classmethod
    def of(cls, optimizer) -> Optimizer:
        """Read ``optimizer``, a Keras name or instance; the instance is never changed.

        Raises
        ------
        TypeError, ValueError
            Not an optimizer, one without a member version, or a setting that is not honoured, named.
        """
        if isinstance(optimizer, str):
            try:
                optimizer = keras.optimizers.get(optimizer)
            except Exception as error:  # KeyError and others for names of Keras's wrappers
                names = ", ".join(_DECLARES)
                raise ValueError(
                    checks.message("optimizer", f"one of {names}", optimizer)
                ) from error
        if not isinstance(optimizer, keras.optimizers.Optimizer):
            raise TypeError(
                checks.message("optimizer", "a name or a keras.optimizers instance", optimizer)
            )
        name = type(optimizer).__name__
        if name not in _DECLARES or not type(optimizer).__module__.startswith("keras."):
            raise Unsupported(checks.message("optimizer", f"one of {', '.join(_DECLARES)}", name))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter(
                    "ignore"
                )  # Keras warns of a lambda for a rate, which is refused below
                config = optimizer.get_config()
        except Exception as error:  # a class where an instance belongs, ...
            text = "Argument `optimizer` must have a configuration that Keras can write."
            raise ValueError(
                f"{text} Received: {name}, {type(error).__name__}: {str(error)[:200]}"
            ) from error
        for key in _REFUSED:
            if config.get(key):
                raise Unsupported(
                    f"Optimizer {name} has {key}={config[key]!r}, which the fast engine does not honour."
                )
        if getattr(optimizer, "_exclude_from_weight_decay", None) or getattr(
            optimizer, "_exclude_from_weight_decay_pattern", None
        ):
            raise ValueError(
                f"Optimizer {name} excludes variables from weight decay, which fit_many does not honour."
            )
        rate, schedule, of_keras = config["learning_rate"], None, True
        if isinstance(rate, dict):
            schedule = rate
            try:
                copy = keras.optimizers.schedules.deserialize(rate)
                if not isinstance(copy, keras.optimizers.schedules.LearningRateSchedule):
                    raise TypeError("a function, which comes back as its name")
                of_keras = type(copy).__module__.startswith("keras.")
            except (TypeError, ValueError) as error:
                raise ValueError(
                    f"Optimizer {name}: its learning-rate schedule {rate.get('class_name')!r} cannot be copied. "
                    "Use one of keras.optimizers.schedules, or register yours with "
                    "keras.saving.register_keras_serializable."
                ) from error
            rate = 1.0
        values = {"learning_rate": rate, **{key: config[key] for key in _DECLARES[name]}}
        if config.get("weight_decay") is not None:
            values["weight_decay"] = config["weight_decay"]
        for key, value in values.items():
            try:
                values[key] = float(value if not isinstance(value, (str, bytes)) else None)
            except (TypeError, ValueError, OverflowError) as error:
                raise TypeError(checks.message(f"optimizer.{key}", "a number", value)) from error
            check_hyperparameter(f"optimizer.{key}", key, values[key])
        return cls(
            name,
            values,
            schedule,
            bool(config.get("nesterov", False)),
            bool(config.get("centered", False)),
            of_keras,
        )

    def rate_schedule(self):
        """Return the schedule, a function of the number of steps taken, or None."""
        if self.schedule is None:
            return None
        found = keras.optimizers.schedules.deserialize(self.schedule)
        # XLA divides by multiplying, and may end a little above 1, of whose complement no root can be taken.
        return _polynomial(found) if type(found) is _POLYNOMIAL and not found.cycle else found

    def static(self, varied) -> Static:
        """Return what shapes the compiled program.

        Parameters
        ----------
        varied : collection of str
            Keys that differ between members: a varied momentum needs its slots even where the template's is 0.
        """
        return Static(
            name=self.name,
            declared=tuple(sorted(self.values)),
            schedule=None if self.schedule is None else repr(self.schedule),
            nesterov=self.nesterov,
            centered=self.centered,
            momentum=self.values.get("momentum", 0.0) != 0.0 or "momentum" in varied,
        )


_POLYNOMIAL = keras.optimizers.schedules.PolynomialDecay


def _polynomial(schedule):
    """Return Keras's polynomial decay as a function that is finite after its end."""

    def rate(step):
        start = tf.constant(schedule.initial_learning_rate, tf.float32)
        end, power = (
            tf.cast(value, start.dtype) for value in (schedule.end_learning_rate, schedule.power)
        )
        steps = tf.cast(schedule.decay_steps, start.dtype)
        left = tf.maximum(1.0 - tf.minimum(tf.cast(step, start.dtype), steps) / steps, 0.0)
        return (start - end) * tf.pow(left, power) + end

    return rate


def check_hyperparameter(name, key, values):
    """Refuse ``values``, one or an array, outside the range of hyperparameter ``key``; ``name`` is for the error."""
    low, high, high_open = _RANGES[key]
    for value in np.unique(values):
        checks.real(name, float(value), low=low, high=high, high_open=high_open)


def host_values(key, values):
    """Return the tensors' values for one hyperparameter, {key: (M,), ...}, computed in float64 on the host.

    1 - beta_2 = 0.001 would lose five digits if it were subtracted in float32; Keras subtracts in Python. The
    powers in Adam's bias correction, on the other hand, Keras takes of a float32 tensor, in double precision too.
    """
    values = np.asarray(values, np.float64)
    if key in ("beta_1", "beta_2"):
        return {key: values.astype(np.float32).astype(np.float64), f"1-{key}": 1.0 - values}
    if key == "rho":
        return {key: values, f"1-{key}": 1.0 - values}
    return {key: values}


def slot_names(static):
    """Return the names of what the optimizer keeps of each variable."""
    wanted = {"SGD": [], "RMSprop": ["velocity"]}.get(static.name, ["m", "v"])
    if static.momentum and static.name in ("SGD", "RMSprop"):
        wanted = [*wanted, "momentum"]
    if static.centered:
        wanted = [*wanted, "mean"]
    return wanted


def slots(static, variables):
    """Return the optimizer's initial state, lists of zero tensors shaped like the variables, by name."""
    return {slot: [tf.zeros_like(v) for v in variables] for slot in slot_names(static)}


def update(static, schedule, hyper, step, variables, gradients, state, last=False):
    """Take one step for every member.

    Parameters
    ----------
    static : Static
        From `Optimizer.static`.
    schedule : callable or None
        Step to learning rate, from `Optimizer.rate_schedule`.
    hyper : dict of str to tensor (M,)
        From `host_values`.
    step : scalar int tensor
        Steps taken before this one.
    variables, gradients : list of tensor (M, ...)
        The trainable weights and the gradient of each member's own loss.
    state : dict of str to list of tensor (M, ...)
        From `slots`, or the last call.
    last : bool
        Whether arrays have M last, (..., M).

    Returns
    -------
    variables, state
        New ones.

    References
    ----------
    [kingma2015], [loshchilov2019]; Nadam: [dozat2016]
    """
    name = static.name
    rate = hyper["learning_rate"]  # (M,)
    if schedule is not None:
        rate = rate * tf.cast(schedule(step), rate.dtype)
    if name in ("Adam", "AdamW"):
        count = tf.cast(step + 1, rate.dtype)
        corrected = tf.sqrt(1.0 - tf.pow(hyper["beta_2"], count)) / (
            1.0 - tf.pow(hyper["beta_1"], count)
        )
    elif name == "Nadam":
        count = tf.cast(step + 1, rate.dtype)
        decay = tf.constant(0.96, rate.dtype)
        now, after = (
            hyper["beta_1"] * (1.0 - 0.5 * tf.pow(decay, count + ahead)) for ahead in (0.0, 1.0)
        )
        products = tf.constant(_NADAM, rate.dtype)
        passed = tf.gather(products, tf.minimum(step + 1, len(_NADAM) - 1))
        passed = passed * tf.pow(hyper["beta_1"], count)  # Keras's u_product
        second = 1.0 - tf.pow(hyper["beta_2"], count)

    new, kept = [], {slot: [] for slot in state}
    for position, (w, g) in enumerate(zip(variables, gradients, strict=True)):

        def spread(values, rank=w.shape.rank):  # (M,) to (M, 1, ...)
            return values if last else tf.reshape(values, [-1] + [1] * (rank - 1))

        def slot(key, value, position=position):
            kept[key].append(value)
            return value

        old = {key: values[position] for key, values in state.items()}
        lr = spread(rate)
        if "weight_decay" in static.declared:
            w = w - w * spread(hyper["weight_decay"]) * lr
        if name in ("Adam", "AdamW"):
            m = slot("m", old["m"] + (g - old["m"]) * spread(hyper["1-beta_1"]))
            v = slot("v", old["v"] + (tf.square(g) - old["v"]) * spread(hyper["1-beta_2"]))
            w = w - m * spread(rate * corrected) / (tf.sqrt(v) + spread(hyper["epsilon"]))
        elif name == "Nadam":
            m = slot("m", old["m"] + (g - old["m"]) * spread(hyper["1-beta_1"]))
            v = slot("v", old["v"] + (tf.square(g) - old["v"]) * spread(hyper["1-beta_2"]))
            ahead = m * spread(after) / spread(1.0 - passed * after)
            ahead += g * spread(1.0 - now) / spread(1.0 - passed)
            w = w - ahead * lr / (tf.sqrt(v / spread(second)) + spread(hyper["epsilon"]))
        elif name == "RMSprop":
            rho, rest = spread(hyper["rho"]), spread(hyper["1-rho"])
            v = slot("velocity", rho * old["velocity"] + rest * tf.square(g))
            spreadth = v
            if static.centered:
                spreadth = v - tf.square(slot("mean", rho * old["mean"] + rest * g))
            step_size = lr * g / tf.sqrt(spreadth + spread(hyper["epsilon"]))
            if static.momentum:
                step_size = slot(
                    "momentum", spread(hyper["momentum"]) * old["momentum"] + step_size
                )
            w = w - step_size
        elif static.momentum:  # SGD
            factor = spread(hyper["momentum"])
            m = slot("momentum", old["momentum"] * factor - g * lr)
            w = w + (m * factor - g * lr if static.nesterov else m)
        else:
            w = w - g * lr
        new.append(w)
    return new, kept
