"""The random bits of dropout and noise layers, drawn inside the compiled program.

A counter-based generator without state: a bit depends on (member key, step, draw, element) and on nothing else, so a
member's bits are the same in whatever slot of whatever chunk. Keras's own generators would draw one stream for all.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from helpers._tensorflow import tf


class Source(NamedTuple):
    """Where the bits of one optimizer step come from.

    Attributes
    ----------
    keys : tensor (M, 2) uint32
        Of each member, from `draws.noise_keys`.
    step : scalar uint32 tensor
        The number of the optimizer step.
    """

    keys: object
    step: object


def _mix(bits):
    """One round of a 32-bit integer hash (multiply, xor-shift); every input bit reaches every output bit."""
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        bits = tf.bitwise.bitwise_xor(bits, _shift(bits, shift)) * tf.constant(factor, tf.uint32)
    return tf.bitwise.bitwise_xor(bits, _shift(bits, 16))


def _shift(bits, places):
    return tf.bitwise.right_shift(bits, tf.constant(places, tf.uint32))


def random_bits(source, stream, shape):
    """Return uint32 bits (M, *shape) that depend on (member key, step, stream, element) and nothing else.

    Parameters
    ----------
    source : Source
        Member keys and step.
    stream : int
        Which draw of the step this is.
    shape : list of int
        Per member.
    """
    keys = source.keys
    salt = _mix(source.step * tf.constant(0x9E3779B9, tf.uint32) + tf.constant(stream, tf.uint32))
    first, second = (
        _mix(tf.bitwise.bitwise_xor(keys[:, :1], salt)),
        _mix(keys[:, 1:] + salt),
    )  # (M, 1)
    count = int(np.prod(shape))
    element = tf.range(count, dtype=tf.int32)
    element = tf.cast(element, tf.uint32)[tf.newaxis, :]  # (1, elements)
    bits = _mix(_mix(tf.bitwise.bitwise_xor(element, first)) + second)
    return tf.reshape(bits, [keys.shape[0], *shape])


def uniform(source, stream, shape, dtype):
    """Return uniforms (M, *shape) in [0, 1) from the upper 24 bits; arguments as in `random_bits`."""
    bits = _shift(random_bits(source, stream, shape), 8)
    return tf.cast(tf.cast(bits, tf.int32), dtype) * (2.0**-24)
