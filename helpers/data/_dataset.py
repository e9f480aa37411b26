"""The frozen `Dataset` that every loader returns (public as ``helpers.data.Dataset``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field

import numpy as np

from helpers._base import checks

TASKS = ("regression", "binary", "classification")
PARTS = ("train", "val", "test")


def read_only(array: np.ndarray) -> np.ndarray:
    """Return ``array`` itself if nobody can write to its memory, else a read-only copy."""
    owner = array
    while isinstance(owner, np.ndarray) and not owner.flags.writeable:
        owner = owner.base
    if owner is None:
        return array
    copy = np.array(array, order="C")
    copy.setflags(write=False)
    return copy


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Training, validation and test arrays of one task, checked and converted once, at construction.

    Parameters
    ----------
    x_train, x_val, x_test : array_like, shape (N, ...)
        Features, kept as float32; N may differ between the parts, the rest may not.
    y_train, y_val, y_test : array_like
        Regression: (N, outputs), kept as float32; (N,) becomes (N, 1). Otherwise labels (N,), kept as int32.
    task : {"regression", "binary", "classification"}
        Binary labels are 0 and 1.
    name : str
        What to call it in captions.
    num_classes : int, optional
        Of a classification; the largest label plus one where absent, at least 2. Binary: 2. Regression: None.

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit, naming it.

    Notes
    -----
    The arrays are read-only. One that is already read-only and of the right type is kept, not copied, so
    that replicates can share a test set. Two data sets are equal only if they are the same object.
    """

    _: KW_ONLY
    x_train: np.ndarray
    y_train: np.ndarray
    x_val: np.ndarray | None = None
    y_val: np.ndarray | None = None
    x_test: np.ndarray | None = None
    y_test: np.ndarray | None = None
    task: str
    name: str
    num_classes: int | None = None
    # How many members `stack` joined. Never guessed from the number of axes: images have many.
    _members: int | None = field(default=None)

    def __post_init__(self):
        """Check and convert every argument."""
        checks.one_of("task", self.task, TASKS)
        if not isinstance(self.name, str) or not self.name:
            raise TypeError(checks.message("name", "a string that is not empty", self.name))
        for part in PARTS:
            self._convert(part)
        self._convert_labels()
        for part in PARTS:
            for key in (f"x_{part}", f"y_{part}"):
                if getattr(self, key) is not None:
                    object.__setattr__(self, key, read_only(getattr(self, key)))

    def _convert(self, part):
        """Check the shapes of one part and convert it; labels become int32 later, when the classes are known."""
        x_name, y_name = f"x_{part}", f"y_{part}"
        x, y = getattr(self, x_name), getattr(self, y_name)
        if x is None and y is None and part != "train":
            return
        for key, value, other in ((x_name, x, y_name), (y_name, y, x_name)):
            if value is None:
                raise ValueError(
                    checks.message(key, f"an array, as `{other}` is", None, "Give both or neither.")
                )
        x = checks.array(x_name, x, dtype=np.float32)
        y = checks.array(
            y_name, y, dtype=np.float32 if self.task == "regression" else self._label_type(y)
        )
        lead = ("M",) if self.stacked else ()
        if x.ndim < len(lead) + 2 or 0 in x.shape:
            remedy = f"Use {x_name}[:, None] for N examples of one feature." if x.ndim == 1 else ""
            raise ValueError(self._misfit(x_name, (*lead, "N", "..."), x, remedy))
        examples = x.shape[: len(lead) + 1]
        if self.task == "regression" and y.ndim == len(examples):
            y = y[..., None]
        wanted = (*lead, "N", "outputs") if self.task == "regression" else (*lead, "N")
        if y.ndim != len(wanted) or 0 in y.shape:
            remedy = (
                ""
                if self.task == "regression"
                else f"One label an example, for the task {self.task!r}."
            )
            raise ValueError(self._misfit(y_name, wanted, y, remedy))
        if y.shape[: len(examples)] != examples:
            raise ValueError(
                f"Arguments `{x_name}` and `{y_name}` must have the same number of examples. "
                f"Received: shapes {x.shape} and {y.shape}."
            )
        for key, value, first in ((x_name, x, self.x_train), (y_name, y, self.y_train)):
            if part != "train" and value.shape[len(examples) :] != first.shape[len(examples) :]:
                raise ValueError(
                    f"Argument `{key}` must have the shape of `{key[0]}_train` within each example, "
                    f"{first.shape[len(examples) :]}. Received: {value.shape[len(examples) :]}."
                )
        object.__setattr__(self, x_name, x)
        object.__setattr__(self, y_name, y)

    @staticmethod
    def _label_type(y):
        """Whole types stay; float64 lets NaN, fractions and overflow be seen before the cast to int32."""
        return y.dtype if isinstance(y, np.ndarray) and y.dtype.kind in "iu" else np.float64

    @staticmethod
    def _misfit(name, axes, value, remedy=""):
        axes = "(" + ", ".join(axes) + (",)" if len(axes) == 1 else ")")
        text = f"Argument `{name}` must have shape {axes}, no axis empty. Received: shape {value.shape}."
        return text + (f" {remedy}" if remedy else "")

    def _convert_labels(self):
        """Check the labels against the number of classes, which is inferred where it is not given."""
        classes = self.num_classes
        if self.task == "regression":
            if classes is not None:
                raise ValueError(checks.message("num_classes", "None for a regression", classes))
            return
        if self.task == "binary":
            classes = checks.integer("num_classes", 2 if classes is None else classes, 2, 2)
        elif classes is not None:
            classes = checks.count("num_classes", classes, 2)
        high = np.iinfo(np.int32).max if classes is None else classes - 1
        for part in PARTS:
            key, y = f"y_{part}", getattr(self, f"y_{part}")
            if y is not None:
                y = checks.array(key, y, dtype=y.dtype, low=0, high=high)
                object.__setattr__(self, key, checks.array(key, y, dtype=np.int32))
        if classes is None:
            labels = [y for y in (self.y_train, self.y_val, self.y_test) if y is not None]
            classes = max(2, *(int(y.max()) + 1 for y in labels))
        object.__setattr__(self, "num_classes", classes)

    @property
    def stacked(self) -> bool:
        """Whether there is one data set per member, with arrays (M, N, ...) (bool)."""
        return self._members is not None

    @property
    def members(self) -> int | None:
        """How many members a stack has (int), or None for one data set that all members share."""
        return self._members

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one example (tuple of int), as the builders in ``models`` take it."""
        return self.x_train.shape[2 if self.stacked else 1 :]

    @property
    def outputs(self) -> int:
        """Logits or predictions a network for it has (int): 1 for binary, else a class or column each."""
        if self.task == "regression":
            return self.y_train.shape[-1]
        return 1 if self.task == "binary" else self.num_classes

    @property
    def n_train(self) -> int:
        """Training examples of one member (int)."""
        return self.x_train.shape[1 if self.stacked else 0]

    @classmethod
    def stack(cls, datasets: Sequence[Dataset]) -> Dataset:
        """Join data sets of equal shapes into one with a leading member axis.

        Parameters
        ----------
        datasets : sequence of Dataset
            At least one, none of them stacked, of the same task, classes and shapes.

        Returns
        -------
        Dataset
            Arrays (M, N, ...), ``stacked`` True; the name is the first one's. An array that all of them share
            (the same object) is not copied M times: it is a view that repeats it.

        Raises
        ------
        TypeError, ValueError
            If one is no data set or differs from the first; the message names which and how.
        """
        if not np.iterable(datasets):
            raise TypeError(
                checks.message("datasets", "a sequence of at least one Dataset", datasets)
            )
        datasets = list(datasets)
        if not datasets:
            raise ValueError(
                checks.message("datasets", "a sequence of at least one Dataset", datasets)
            )
        for i, dataset in enumerate(datasets):
            if not isinstance(dataset, cls):
                raise TypeError(checks.message(f"datasets[{i}]", "a Dataset", dataset))
            if dataset.stacked:
                raise ValueError(
                    checks.message(f"datasets[{i}]", "a Dataset that is not stacked", dataset)
                )
        keys = [f"{axis}_{part}" for part in PARTS for axis in "xy"]
        for i, dataset in enumerate(datasets):
            for key in ("task", "num_classes", *keys):
                have, want = (
                    getattr(d, key) if key not in keys else np.shape(getattr(d, key)) or None
                    for d in (dataset, datasets[0])
                )
                if have != want:
                    label = f"shape of {key}" if key in keys else key
                    raise ValueError(
                        f"Argument `datasets` must hold equal shapes, tasks and classes. Received: "
                        f"datasets[{i}] has {label} {have!r}, datasets[0] has {want!r}."
                    )
        arrays = {key: cls._join([getattr(d, key) for d in datasets]) for key in keys}
        first = datasets[0]
        return cls(
            **arrays,
            task=first.task,
            name=first.name,
            num_classes=first.num_classes,
            _members=len(datasets),
        )

    @staticmethod
    def _join(arrays):
        """Return the arrays stacked on a new first axis, without a copy where they are one object."""
        if arrays[0] is None:
            return None
        if all(array is arrays[0] for array in arrays):
            return np.broadcast_to(arrays[0], (len(arrays), *arrays[0].shape))
        joined = np.stack(arrays)
        joined.setflags(write=False)
        return joined

    def member(self, i: int) -> Dataset:
        """Return the data set of member ``i``: the ``i``-th of a stack, else the one that all share.

        Parameters
        ----------
        i : int
            From 0; below ``members`` for a stack.

        Returns
        -------
        Dataset
            Not stacked; its arrays are views.
        """
        i = checks.integer("i", i, 0, None if self.members is None else self.members - 1)
        if not self.stacked:
            return self
        arrays = {
            f"{axis}_{part}": getattr(self, f"{axis}_{part}") for part in PARTS for axis in "xy"
        }
        arrays = {key: None if value is None else value[i] for key, value in arrays.items()}
        return Dataset(**arrays, task=self.task, name=self.name, num_classes=self.num_classes)

    def __repr__(self):
        """Return the shapes in one line, without the arrays."""
        sizes = {part: getattr(self, f"y_{part}") for part in PARTS}
        sizes = ", ".join(
            f"{part}={y.shape[1 if self.stacked else 0]}"
            for part, y in sizes.items()
            if y is not None
        )
        classes = "" if self.num_classes is None else f", num_classes={self.num_classes}"
        members = f", members={self.members}" if self.stacked else ""
        return f"Dataset({self.name!r}, {self.task}{classes}, input_shape={self.input_shape}, {sizes}{members})"
