"""A Boolean machine: networks with so few possible inputs that each is a table, and tables can be counted.

Seven inputs of -1 or +1 make 128 rows; a network 7-40-40-1 says yes where its output is above 0, so that it is one of
2^128 tables (functions). Weights drawn at random [valle-perez2019] make a distribution over functions; its *bank* is a
large sample of it, drawn once, from the seed in its recipe: a data file that many experiments read. It lies under
``build/banks`` (or in the user's cache), never among the results, and is made anew where it is missing: about four
minutes for ten million networks.

Axes: B networks, P rows of the table, I inputs. A table is kept as bits: P / 64 words of 64 (128 rows: two).
"""

from __future__ import annotations

import concurrent.futures
import functools
import hashlib
import itertools
import json
import math
import os

import numpy as np
import scipy.stats

from helpers._base import checks, paths, seeds
from helpers.experiments.random_features import one_thread

AT_ONCE = 32  # networks evaluated together: what fits into the processor's cache
BLOCK = 100_000  # networks that one generator draws
WORD = 64  # bits
VALUES = {"signs": (-1.0, 1.0), "bits": (0.0, 1.0)}  # what an input can be
ACTIVATIONS = ("tanh", "relu")


# ------------------------------------------------------------------------------------------ the machine


@functools.cache
def table(inputs=7, values="signs"):
    """Return all inputs in counting order, (P, I) float32: the first input changes least often."""
    checks.one_of("values", values, tuple(VALUES))
    return np.array(list(itertools.product(VALUES[values], repeat=inputs)), np.float32)


@functools.cache
def quantiles():
    """Return 65,536 equally likely values of the standard normal distribution, float32, the middle of each class."""
    return scipy.stats.norm.ppf((np.arange(2**16) + 0.5) / 2**16).astype(np.float32)


def normal(generator, shape):
    """Return normal numbers rounded to `quantiles`, float32: five times as fast as exact ones, which took most time."""
    places = np.frombuffer(generator.bytes(2 * math.prod(shape)), "<u2")
    return np.take(quantiles(), places).reshape(shape)


def drawn(generator, count, *, inputs, hidden, sigma_w, sigma_b):
    """Return kernels (B, in, out) and biases (B, out) of random networks, in the order of ``get_weights()``.

    Weights are normal with standard deviation sigma_w / sqrt(in), biases with sigma_b.
    """
    layers = []
    for fan_in, units in itertools.pairwise([inputs, *hidden, 1]):
        kernel = normal(generator, (count, fan_in, units))
        kernel *= np.float32(sigma_w / fan_in**0.5)
        layers += [kernel, normal(generator, (count, units)) * np.float32(sigma_b)]
    return layers


def says_yes(layers, x, activation):
    """Return where networks say yes at x (P, I): (B, P) bool."""
    bend = np.tanh if activation == "tanh" else _relu
    hidden = x
    for kernel, bias in zip(layers[:-2:2], layers[1:-2:2], strict=True):
        hidden = np.matmul(hidden, kernel)
        hidden += bias[:, None, :]
        hidden = bend(hidden)
    return (np.matmul(hidden, layers[-2]) + layers[-1][:, None, :])[..., 0] > 0


def _relu(x):
    return np.maximum(x, 0)


def functions(
    generator,
    count,
    *,
    inputs=7,
    hidden=(40, 40),
    activation="tanh",
    values="signs",
    sigma_w=1.0,
    sigma_b=0.2,
):
    """Return the tables of ``count`` random networks, packed: (B, words) uint64.

    Parameters
    ----------
    generator : numpy.random.Generator
        Of the block.
    count : int
        Networks.
    inputs, hidden, activation, values, sigma_w, sigma_b
        The machine: number and kind of its inputs, widths, "tanh" or "relu", scales of weights and biases.
    """
    checks.one_of("activation", activation, ACTIVATIONS)
    x, found = table(inputs, values), []
    for first in range(0, count, AT_ONCE):
        layers = drawn(
            generator,
            min(AT_ONCE, count - first),
            inputs=inputs,
            hidden=hidden,
            sigma_w=sigma_w,
            sigma_b=sigma_b,
        )
        found.append(packed(says_yes(layers, x, activation)))
    return np.concatenate(found)


def packed(tables):
    """Return tables (..., P) bool as words of 64 bits, (..., words) uint64; fewer than 64 rows fill one word."""
    tables = np.asarray(tables, bool)
    missing = -tables.shape[-1] % WORD
    whole = np.pad(tables, [(0, 0)] * (tables.ndim - 1) + [(0, missing)])
    return np.packbits(whole, axis=-1, bitorder="little").view("<u8")


def unpacked(words, rows=128):
    """Return packed tables (..., words) as bools, (..., P)."""
    bits = np.unpackbits(
        np.ascontiguousarray(words).view(np.uint8), axis=-1, bitorder="little", count=rows
    )
    return bits.astype(bool)


# ------------------------------------------------------------------------------------------ the bank


def bank(*, networks, seed, **machine):
    """Return the tables of ``networks`` random networks, words first: (words, B) uint64, from the file or made anew.

    Parameters
    ----------
    networks : int
        A multiple of 100,000, or fewer; block i is drawn by a generator of its own.
    seed : int
        Of the bank alone: whoever names the same bank gets the same networks.
    machine
        As `functions` has it.
    """
    if networks <= BLOCK:
        return np.ascontiguousarray(block(seed, 0, networks, **machine).T)
    recipe = json.dumps({"networks": networks, "seed": seed, **machine}, sort_keys=True)
    probe = functions(
        seeds.generator(seed, "probe"), AT_ONCE, **machine
    )  # another machine, another file
    name = hashlib.sha256(recipe.encode() + probe.tobytes()).hexdigest()[:16]
    path = paths.build() / "banks" / f"{name}.npy"
    if not path.is_file():
        made = _made(networks, seed, machine)
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_name(f".{name}.{os.getpid()}.npy")
        np.save(aside, made)
        os.replace(aside, path)
    return np.load(path, mmap_mode="r")


def block(seed, number, count=BLOCK, **machine):
    """Return block ``number`` of the bank with that seed, (B, words) uint64."""
    return functions(seeds.generator(seed, "bank", number), count, **machine)


@one_thread
def _made(networks, seed, machine):
    """Return a bank, its blocks drawn on all cores: each has a generator of its own, so that order does not matter."""
    sizes = [min(BLOCK, networks - first) for first in range(0, networks, BLOCK)]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        parts = pool.map(lambda at: block(seed, *at, **machine), enumerate(sizes))
        return np.ascontiguousarray(np.concatenate(list(parts)).T)


def accepted(tables, target, rows):
    """Return which networks of a bank agree with a target in all given rows: their places, (A,).

    Parameters
    ----------
    tables : ndarray (words, B) uint64
        A bank.
    target : ndarray (P,) bool
        What is asked for.
    rows : ndarray of int
        The training rows.

    Returns
    -------
    ndarray (A,) of int
    """
    seen = np.zeros(len(target), bool)
    seen[rows] = True
    wanted, mask = packed(target), packed(seen)
    found = []
    for first in range(0, tables.shape[1], BLOCK):
        part = tables[:, first : first + BLOCK]
        left = np.arange(part.shape[1])
        for words, bits, asked in zip(part, wanted, mask, strict=True):
            if asked:
                left = left[
                    (words[left] if len(left) < len(words) else words) & asked == bits & asked
                ]
        found.append(left + first)
    return np.concatenate(found)


def wrong_rows(tables, target):
    """Return where tables (words, A) differ from a target (P,): (A, P) bool."""
    return unpacked(np.ascontiguousarray(tables.T), len(target)) != target


# ------------------------------------------------------------------------------------------ what is asked for


def target(name, inputs=7):
    """Return a named function as a table, (P,) bool.

    ``x1`` .. ``x7``: that input alone; ``and2``, ``or2``, ``parity2``: of the first two; ``maj3``: at least two of
    the first three; ``maj7``: more than half of all.

    Raises
    ------
    ValueError
        For another name.
    """
    yes = table(inputs) > 0
    found = {f"x{number + 1}": yes[:, number] for number in range(inputs)}
    found |= {
        "and2": yes[:, :2].all(axis=1),
        "or2": yes[:, :2].any(axis=1),
        "parity2": yes[:, 0] != yes[:, 1],
        "maj3": yes[:, :3].sum(axis=1) >= 2,
        f"maj{inputs}": yes.sum(axis=1) > inputs / 2,
    }
    if name not in found:
        raise ValueError(f"Argument `name` must be one of {', '.join(found)}. Received: {name!r}.")
    return found[name]


def signs_exact(seed, n, *, inputs):
    """Does a bias-free perceptron say yes to each number of rows exactly once, over all signs of its weights?

    Weights of random sizes, each with both signs: of the 2^I networks one says yes to 0 rows of {0, 1}^I, one to 1, and
    so on to 2^I - 1. So with weights of a symmetric distribution each number of yeses has the probability 2^-I exactly
    [mingard2019]. Replicate: the sizes.

    Returns
    -------
    dict
        ``off`` (n,): how many numbers of yeses do not occur exactly once.
    """
    x, off = table(inputs, "bits").astype(float), []
    for row in range(n):
        sizes = seeds.generator(seed, "sizes", row).random(inputs)
        yeses = ((table(inputs) * sizes) @ x.T > 0).sum(axis=1)
        off.append(np.sum(np.bincount(yeses, minlength=len(x)) != 1))
    return {"off": np.array(off, np.int32)}
