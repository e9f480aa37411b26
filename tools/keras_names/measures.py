"""Keras's metrics, each with the targets it is for; or why one is no case."""

from __future__ import annotations

from typing import Any

from helpers._tensorflow import keras
from tools.keras_names.parts import ABSTRACT, TOOLS

M = keras.metrics

# By the kind of data in `training.DATA`: classes with their settings, then functions.
METRICS: dict[str, dict[str, Any]] = {
    "numbers": {
        "ConcordanceCorrelation": {},
        "CosineSimilarity": {},
        "LogCoshError": {},
        "MeanAbsoluteError": {},
        "MeanSquaredError": {},
        "PearsonCorrelation": {},
        "R2Score": {},
        "RootMeanSquaredError": {},
        "concordance_correlation": None,
        "huber": None,
        "log_cosh": None,
        "mean_absolute_error": None,
        "mean_squared_error": None,
        "pearson_correlation": None,
    },
    "positive": {
        "MeanAbsolutePercentageError": {},
        "MeanSquaredLogarithmicError": {},
        "Poisson": {},
        "mean_absolute_percentage_error": None,
        "mean_squared_logarithmic_error": None,
        "poisson": None,
    },
    "shares": {"KLDivergence": {}, "kl_divergence": None},
    "signs": {"Hinge": {}, "SquaredHinge": {}, "hinge": None, "squared_hinge": None},
    "bits": {
        "AUC": {"num_thresholds": 20},
        "Accuracy": {},
        "BinaryAccuracy": {"threshold": 0.4},
        "BinaryCrossentropy": {},
        "BinaryIoU": {"target_class_ids": [0, 1]},
        "FalseNegatives": {},
        "FalsePositives": {},
        "Precision": {},
        "PrecisionAtRecall": {"recall": 0.5},
        "Recall": {},
        "RecallAtPrecision": {"precision": 0.5},
        "SensitivityAtSpecificity": {"specificity": 0.5},
        "SpecificityAtSensitivity": {"sensitivity": 0.5},
        "TrueNegatives": {},
        "TruePositives": {},
        "binary_accuracy": None,
        "binary_crossentropy": None,
        "binary_focal_crossentropy": None,
    },
    "labels": {
        "IoU": {"num_classes": 3, "target_class_ids": [0, 2], "sparse_y_pred": False},
        "MeanIoU": {"num_classes": 3, "sparse_y_pred": False},
        "SparseCategoricalAccuracy": {},
        "SparseCategoricalCrossentropy": {},
        "SparseTopKCategoricalAccuracy": {"k": 2},
        "sparse_categorical_accuracy": None,
        "sparse_categorical_crossentropy": None,
        "sparse_top_k_categorical_accuracy": None,
    },
    "one-hot": {
        "CategoricalAccuracy": {},
        "CategoricalCrossentropy": {},
        "CategoricalHinge": {},
        "F1Score": {"average": "macro"},
        "FBetaScore": {"average": "micro", "beta": 2.0},
        "OneHotIoU": {"num_classes": 3, "target_class_ids": [0, 2]},
        "OneHotMeanIoU": {"num_classes": 3},
        "TopKCategoricalAccuracy": {"k": 2},
        "categorical_accuracy": None,
        "categorical_crossentropy": None,
        "categorical_focal_crossentropy": None,
        "categorical_hinge": None,
        "top_k_categorical_accuracy": None,
    },
}
NO_CASE = {
    **TOOLS,
    "Metric": ABSTRACT,
    "Mean": "a mean of any values, not of targets and outputs",
    "Sum": "a sum of any values, not of targets and outputs",
    "MeanMetricWrapper": "makes a metric of a function: give `metrics` the function itself",
}


def made(name: str, settings: dict[str, Any] | None) -> Any:
    """Return one of Keras's metrics: an instance of a class, or the function."""
    found = getattr(M, name)
    return found if settings is None else found(name=name.lower(), **settings)
