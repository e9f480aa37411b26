"""The layers that Keras exports, each as a branch of a model, or with the reason why it is none.

A branch is fed by a Dense layer of its own and ends in one output of the model. With the mean squared error the
branches do not know of each other: each trains as if it stood alone, and one model tests many layers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from helpers._tensorflow import keras

L = keras.layers
WIDTH = 12  # numbers of an example; the last four are whole numbers from 0 to 3

# What a branch's layer is fed with.
KINDS = {
    "vector": (6,),
    "sequence": (6, 4),
    "image": (6, 6, 3),
    "volume": (4, 4, 4, 2),
    "cube": (2, 2, 2, 2),
    "rows": (3, 6, 2),  # a film of rows of pixels
    "film": (3, 4, 4, 2),
    "films": (2, 3, 3, 3, 1),  # a film of volumes
    "signal": (64,),
    "wave": (64, 1),
    "whole": (4,),  # whole numbers
}

VECTOR: dict[str, Callable[[Any], Any]] = {
    "Activation": lambda x: L.Activation("tanh")(x),
    "ActivityRegularization": lambda x: L.ActivityRegularization(l1=0.01, l2=0.01)(x),
    "Add": lambda x: L.Add()([x, 2 * x]),
    "Average": lambda x: L.Average()([x, x * x]),
    "BatchNormalization": lambda x: L.BatchNormalization(momentum=0.75)(x),
    "Concatenate": lambda x: L.Concatenate()([x, x * x]),
    "Dense": lambda x: L.Dense(3, "relu")(x),
    "Dot": lambda x: L.Dot(axes=1)([x, keras.ops.tanh(x)]),
    "ELU": lambda x: L.ELU()(x),
    "Flatten": lambda x: L.Flatten()(x),
    "Identity": lambda x: L.Identity()(x),
    "LayerNormalization": lambda x: L.LayerNormalization()(x),
    "LeakyReLU": lambda x: L.LeakyReLU()(x),
    "Maximum": lambda x: L.Maximum()([x, x * x]),
    "Minimum": lambda x: L.Minimum()([x, x * x]),
    "Multiply": lambda x: L.Multiply()([x, x + 1]),
    "Normalization": lambda x: L.Normalization(mean=0.5, variance=2.0)(x),
    "PReLU": lambda x: L.PReLU("ones")(x),
    "RMSNormalization": lambda x: L.RMSNormalization()(x),
    "ReLU": lambda x: L.ReLU()(x),
    "RepeatVector": lambda x: L.RepeatVector(2)(x),
    "Rescaling": lambda x: L.Rescaling(0.5, 1.0)(x),
    "Reshape": lambda x: L.Reshape((2, 3))(x),
    "Softmax": lambda x: L.Softmax()(x),
    "Subtract": lambda x: L.Subtract()([x, x * x]),
    "UnitNormalization": lambda x: L.UnitNormalization()(x),
    "add": lambda x: L.add([x, 2 * x]),
    "average": lambda x: L.average([x, x * x]),
    "concatenate": lambda x: L.concatenate([x, x * x]),
    "dot": lambda x: L.dot([x, keras.ops.tanh(x)], axes=1),
    "maximum": lambda x: L.maximum([x, x * x]),
    "minimum": lambda x: L.minimum([x, x * x]),
    "multiply": lambda x: L.multiply([x, x + 1]),
    "subtract": lambda x: L.subtract([x, x * x]),
}
SEQUENCE: dict[str, Callable[[Any], Any]] = {
    "AdaptiveAveragePooling1D": lambda x: L.AdaptiveAveragePooling1D(4)(x),
    "AdaptiveMaxPooling1D": lambda x: L.AdaptiveMaxPooling1D(4)(x),
    "AdditiveAttention": lambda x: L.AdditiveAttention()([x, keras.ops.tanh(x)]),
    "Attention": lambda x: L.Attention(use_scale=True)([x, keras.ops.tanh(x)]),
    "AveragePooling1D": lambda x: L.AveragePooling1D(2)(x),
    "Bidirectional": lambda x: L.Bidirectional(L.GRU(2))(x),
    "Conv1D": lambda x: L.Conv1D(3, 2, padding="causal")(x),
    "Conv1DTranspose": lambda x: L.Conv1DTranspose(3, 3, strides=2)(x),
    "Cropping1D": lambda x: L.Cropping1D(1)(x),
    "DepthwiseConv1D": lambda x: L.DepthwiseConv1D(3)(x),
    "EinsumDense": lambda x: L.EinsumDense("abc,cd->abd", (6, 3), bias_axes="d")(x),
    "GRU": lambda x: L.GRU(3)(x),
    "GlobalAveragePooling1D": lambda x: L.GlobalAveragePooling1D()(x),
    "GlobalMaxPooling1D": lambda x: L.GlobalMaxPooling1D()(x),
    "GroupNormalization": lambda x: L.GroupNormalization(2)(x),
    "GroupQueryAttention": lambda x: L.GroupQueryAttention(2, 4, 2)(x, x),
    "LSTM": lambda x: L.LSTM(3, return_sequences=True)(x),
    "Masking": lambda x: L.SimpleRNN(2)(L.Masking()(keras.ops.relu(x))),
    "MaxPooling1D": lambda x: L.MaxPooling1D()(x),
    "MultiHeadAttention": lambda x: L.MultiHeadAttention(2, 3)(x, x, use_causal_mask=True),
    "Permute": lambda x: L.Permute((2, 1))(x),
    "RNN": lambda x: L.RNN([L.GRUCell(2), L.SimpleRNNCell(2)])(x),
    "SeparableConv1D": lambda x: L.SeparableConv1D(3, 2)(x),
    "SimpleRNN": lambda x: L.SimpleRNN(3, unroll=True)(x),
    "TimeDistributed": lambda x: L.TimeDistributed(L.Dense(2))(x),
    "UpSampling1D": lambda x: L.UpSampling1D()(x),
    "ZeroPadding1D": lambda x: L.ZeroPadding1D()(x),
    # a cell is no layer of a model by itself
    "GRUCell": lambda x: L.RNN(L.GRUCell(3))(x),
    "LSTMCell": lambda x: L.RNN(L.LSTMCell(3))(x),
    "SimpleRNNCell": lambda x: L.RNN(L.SimpleRNNCell(3))(x),
    "StackedRNNCells": lambda x: L.RNN(L.StackedRNNCells([L.LSTMCell(2), L.GRUCell(2)]))(x),
}
IMAGE: dict[str, Callable[[Any], Any]] = {
    "AdaptiveAveragePooling2D": lambda x: L.AdaptiveAveragePooling2D(4)(x),
    "AdaptiveMaxPooling2D": lambda x: L.AdaptiveMaxPooling2D(4)(x),
    "AveragePooling2D": lambda x: L.AveragePooling2D(2)(x),
    "CenterCrop": lambda x: L.CenterCrop(4, 4)(x),
    "Conv2D": lambda x: L.Conv2D(3, 2, strides=2)(x),
    "Conv2DTranspose": lambda x: L.Conv2DTranspose(2, 3, strides=2, padding="same")(x),
    "Cropping2D": lambda x: L.Cropping2D(1)(x),
    "DepthwiseConv2D": lambda x: L.DepthwiseConv2D(3)(x),
    "GlobalAveragePooling2D": lambda x: L.GlobalAveragePooling2D()(x),
    "GlobalMaxPooling2D": lambda x: L.GlobalMaxPooling2D()(x),
    "MaxPooling2D": lambda x: L.MaxPooling2D()(x),
    "Pipeline": lambda x: L.Pipeline([L.Rescaling(0.5), L.Conv2D(2, 3)])(x),
    "Resizing": lambda x: L.Resizing(4, 5)(x),
    "SeparableConv2D": lambda x: L.SeparableConv2D(3, 2)(x),
    "Solarization": lambda x: L.Solarization(value_range=(-1, 1))(x),
    "UpSampling2D": lambda x: L.UpSampling2D(interpolation="bilinear")(x),
    "ZeroPadding2D": lambda x: L.ZeroPadding2D()(x),
    "AutoContrast": lambda x: L.AutoContrast(value_range=(-1, 1))(x),
    "ContrastLimitedAdaptiveHistogramEqualization": lambda x: (
        L.ContrastLimitedAdaptiveHistogramEqualization(value_range=(-1, 1), tile_grid_size=(2, 2))(
            x
        )
    ),
}
VOLUME: dict[str, Callable[[Any], Any]] = {
    "AdaptiveAveragePooling3D": lambda x: L.AdaptiveAveragePooling3D(2)(x),
    "AdaptiveMaxPooling3D": lambda x: L.AdaptiveMaxPooling3D(2)(x),
    "AveragePooling3D": lambda x: L.AveragePooling3D(2)(x),
    "Conv3D": lambda x: L.Conv3D(2, 2)(x),
    "Conv3DTranspose": lambda x: L.Conv3DTranspose(2, 2)(x),
    "Cropping3D": lambda x: L.Cropping3D(1)(x),
    "GlobalAveragePooling3D": lambda x: L.GlobalAveragePooling3D()(x),
    "GlobalMaxPooling3D": lambda x: L.GlobalMaxPooling3D()(x),
    "MaxPooling3D": lambda x: L.MaxPooling3D()(x),
    "ZeroPadding3D": lambda x: L.ZeroPadding3D()(x),
}
OTHER: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "UpSampling3D": ("cube", lambda x: L.UpSampling3D()(x)),
    "ConvLSTM1D": ("rows", lambda x: L.ConvLSTM1D(2, 2)(x)),
    "ConvLSTM2D": ("film", lambda x: L.ConvLSTM2D(2, 2)(x)),
    "ConvLSTM3D": ("films", lambda x: L.ConvLSTM3D(1, 2)(x)),
    "MelSpectrogram": (
        "signal",
        lambda x: (
            L.MelSpectrogram(16, 8, sampling_rate=64, num_mel_bins=4, min_freq=1)(x)
            / 64  # decibels
        ),
    ),
    # Not "log": near silence its slope is so steep that rounding alone takes two trainings apart.
    "STFTSpectrogram": ("wave", lambda x: L.STFTSpectrogram("magnitude", 16, 8, 16)(x)),
    "SpectralNormalization": ("vector", lambda x: L.SpectralNormalization(L.Dense(3))(x)),
    "CategoryEncoding": ("whole", lambda x: L.CategoryEncoding(4, "multi_hot")(x)),
    "Discretization": ("whole", lambda x: L.Discretization([0.5, 1.5])(x)),
    "Embedding": ("whole", lambda x: L.Embedding(4, 3)(x)),
    "ReversibleEmbedding": ("whole", lambda x: L.ReversibleEmbedding(4, 3)(x)),
    "Hashing": ("whole", lambda x: L.Hashing(3)(keras.ops.cast(x, "int32"))),
    "HashedCrossing": (
        "whole",
        lambda x: L.HashedCrossing(3)(
            [keras.ops.cast(x[:, :1], "int32"), keras.ops.cast(x[:, 1:2], "int32")]
        ),
    ),
    "IntegerLookup": (
        "whole",
        lambda x: L.IntegerLookup(vocabulary=[0, 1, 2])(keras.ops.cast(x, "int32")),
    ),
}

# Layers that draw at random in training, each with the kind of its input.
RANDOM: dict[str, tuple[str, Callable[[], Any]]] = {
    "AlphaDropout": ("vector", lambda: L.AlphaDropout(0.5)),
    "AugMix": ("image", lambda: L.AugMix((-1, 1))),
    "CutMix": ("image", lambda: L.CutMix()),
    "Dropout": ("vector", lambda: L.Dropout(0.5)),
    "GaussianDropout": ("vector", lambda: L.GaussianDropout(0.5)),
    "GaussianNoise": ("vector", lambda: L.GaussianNoise(0.5)),
    "MixUp": ("image", lambda: L.MixUp()),
    "RandAugment": ("image", lambda: L.RandAugment((-1, 1), num_ops=1)),
    "RandomBrightness": ("image", lambda: L.RandomBrightness(0.5, (-1, 1))),
    "RandomColorDegeneration": ("image", lambda: L.RandomColorDegeneration(0.5, (-1, 1))),
    "RandomColorJitter": ("image", lambda: L.RandomColorJitter((-1, 1), 0.5, 0.5)),
    "RandomContrast": ("image", lambda: L.RandomContrast(0.5, (-1, 1))),
    "RandomCrop": ("image", lambda: L.RandomCrop(4, 4)),
    "RandomElasticTransform": (
        "image",
        lambda: L.RandomElasticTransform(1.0, value_range=(-1, 1)),
    ),
    "RandomErasing": ("image", lambda: L.RandomErasing(1.0, value_range=(-1, 1))),
    "RandomFlip": ("image", lambda: L.RandomFlip()),
    "RandomGaussianBlur": ("image", lambda: L.RandomGaussianBlur(1.0, value_range=(-1, 1))),
    "RandomGrayscale": ("image", lambda: L.RandomGrayscale(0.5)),
    "RandomHue": ("image", lambda: L.RandomHue(0.5, (-1, 1))),
    "RandomInvert": ("image", lambda: L.RandomInvert(0.5, (-1, 1))),
    "RandomPerspective": ("image", lambda: L.RandomPerspective(1.0)),
    "RandomPosterization": ("image", lambda: L.RandomPosterization(3, (-1, 1))),
    "RandomRotation": ("image", lambda: L.RandomRotation(0.5)),
    "RandomSaturation": ("image", lambda: L.RandomSaturation(0.5, (-1, 1))),
    "RandomSharpness": ("image", lambda: L.RandomSharpness(0.5, (-1, 1))),
    "RandomShear": ("image", lambda: L.RandomShear(0.5, 0.5)),
    "RandomTranslation": ("image", lambda: L.RandomTranslation(0.5, 0.5)),
    "RandomZoom": ("image", lambda: L.RandomZoom(0.5)),
    "SpatialDropout1D": ("sequence", lambda: L.SpatialDropout1D(0.5)),
    "SpatialDropout2D": ("image", lambda: L.SpatialDropout2D(0.5)),
    "SpatialDropout3D": ("volume", lambda: L.SpatialDropout3D(0.5)),
}

# They round: what comes before them learns nothing.
NO_GRADIENT = {
    "ContrastLimitedAdaptiveHistogramEqualization",
    "RandomHue",
    "RandomPosterization",
    "RandomSaturation",
}
# Layers that do nothing at rate 0, where they are as exact as others.
STILL: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "AlphaDropout": ("vector", lambda x: L.AlphaDropout(0.0)(x)),
    "Dropout": ("vector", lambda x: L.Dropout(0.0)(x)),
    "GaussianDropout": ("vector", lambda x: L.GaussianDropout(0.0)(x)),
    "GaussianNoise": ("vector", lambda x: L.GaussianNoise(0.0)(x)),
    "SpatialDropout1D": ("sequence", lambda x: L.SpatialDropout1D(0.0)(x)),
    "SpatialDropout2D": ("image", lambda x: L.SpatialDropout2D(0.0)(x)),
    "SpatialDropout3D": ("volume", lambda x: L.SpatialDropout3D(0.0)(x)),
}

ABSTRACT = "a base for others, which computes nothing by itself"
TOOL = "makes or describes layers and is none"
TEXT = "works on strings, which no network computes with: apply it to the data before"
FOREIGN = "wraps a model of another library, which Keras cannot rebuild from a configuration"
NO_CASE = {
    "Layer": ABSTRACT,
    "Wrapper": ABSTRACT,
    "Input": TOOL,
    "InputLayer": TOOL,
    "InputSpec": TOOL,
    "deserialize": TOOL,
    "serialize": TOOL,
    "StringLookup": TEXT,
    "TextVectorization": TEXT,
    "FlaxLayer": FOREIGN,
    "JaxLayer": FOREIGN,
    "TFSMLayer": FOREIGN,
    "TorchModuleWrapper": FOREIGN,
    "MaxNumBoundingBoxes": "works on bounding boxes beside an image: apply it to the data before",
    "Equalization": "Keras itself cannot build a model with it: the output it announces is its input",
    "Lambda": "Python code of one's own: see the test of it",
}


def exact() -> dict[str, tuple[str, Callable[[Any], Any]]]:
    """Return every case that draws nothing at random: {name: (kind of input, function of a tensor)}."""
    kinds = {"vector": VECTOR, "sequence": SEQUENCE, "image": IMAGE, "volume": VOLUME}
    found = {name: (kind, one) for kind, table in kinds.items() for name, one in table.items()}
    return {**found, **OTHER}


def random() -> dict[str, tuple[str, Callable[[Any], Any]]]:
    """Return the layers that draw at random as `exact` returns the others."""
    return {name: (kind, lambda x, make=make: make()(x)) for name, (kind, make) in RANDOM.items()}


def branch(inputs: Any, kind: str, name: str, layer: Callable[[Any], Any]) -> Any:
    """Return a branch's output (B, 1) for the model's input (B, 12)."""
    if kind == "whole":
        x = inputs[:, -4:]
    else:
        shape = KINDS[kind]
        x = L.Dense(math.prod(shape), "tanh", name=f"{name}_before")(inputs)
        x = L.Reshape(shape)(x)
    return L.Dense(1, name=f"{name}_after")(L.Flatten()(layer(x)))
