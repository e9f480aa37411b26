"""How simple are the functions of random networks on the Boolean machine?

Three measures: Lempel and Ziv's count of words [lempel1976] on the table read as a text, as Valle-Perez et al.
[valle-perez2019] use it; sensitivity, the mean number of inputs whose flip alone changes the answer; leaves, the size
of a decision tree that says the same. Only the first depends on the order of the rows. All are compared with the same
table after its rows were permuted: as many ones, no structure.
"""

from __future__ import annotations

import math

import numpy as np
import scipy.stats
from sklearn.tree import DecisionTreeClassifier

from helpers._base import seeds
from helpers.experiments import boolean

CURVE = 50  # points of a rank-frequency curve
OFTEN = 10  # how often a function must occur to enter the usual rank correlation
MOST = 2000  # functions of a bank whose complexity is counted for it


# ------------------------------------------------------------------------------------------ measures


def words(text):
    """Return the number of words in Lempel and Ziv's exhaustive history of a text.

    Each word is the shortest that did not occur before it, where the earlier copy may overlap it; the last one may be
    cut off by the end.

    Examples
    --------
    >>> words("0001101001000101")  # 0.001.10.100.1000.101
    6
    """
    count, at = 0, 0
    while at < len(text):
        size = 1
        while at + size <= len(text) and text[at : at + size] in text[: at + size - 1]:
            size += 1
        count, at = count + 1, at + size
    return count


def lempel_ziv(table):
    """Return the complexity of a table (P,) bool: log2 P times the words, mean of both directions; constants: log2 P.

    Examples
    --------
    >>> lempel_ziv([False] * 128)
    7.0
    """
    text = "".join("1" if one else "0" for one in table)
    if "1" not in text or "0" not in text:
        return math.log2(len(text))
    return math.log2(len(text)) * (words(text) + words(text[::-1])) / 2


def sensitivity(tables):
    """Return the mean number of inputs whose flip changes the answer, of tables (..., P): parity of I has I."""
    rows = np.arange(tables.shape[-1])
    flips = [rows ^ (1 << bit) for bit in range((len(rows) - 1).bit_length())]
    return sum(np.mean(tables != tables[..., other], axis=-1) for other in flips)


def leaves(table):
    """Return the leaves of a decision tree, grown greedily by scikit-learn, that says the same as a table (P,)."""
    x = boolean.table(len(table).bit_length() - 1)
    return DecisionTreeClassifier(random_state=0).fit(x, table).get_n_leaves()


# ------------------------------------------------------------------------------------------ the experiments


def simpler(seed, n, *, look, minority, machine):
    """Are random networks simpler than their own outputs with the rows permuted?

    Replicate: a block of ``look`` random networks that say each of the two answers to at least ``minority`` rows, and a
    permutation of the rows for each.

    Returns
    -------
    dict
        ``simpler`` (n,): percentage whose Lempel-Ziv complexity is below that of their permuted output, a tie counts
        half; ``ratio`` (n,): mean complexity over that of the permuted; ``again`` (n,): the percentage for
        outputs that were permuted twice; ``smoother, smaller`` (n,): the same percentage
        for sensitivity and for leaves; ``by_words, by_flips, by_leaves`` (n, look): the three measures, ``mixed_words``
        (n, look): the first of the permuted outputs;
        ``words_flips, words_leaves, flips_leaves, agree`` (n,): their rank correlations over the networks of the block,
        and the mean of the three.
    """
    found = []
    for row in range(n):
        generator = seeds.generator(seed, "block", row)
        tables = balanced(generator, look, minority, machine)
        mixed = generator.permuted(tables, axis=1)
        pairs = [measured(tables), measured(mixed)]
        again = np.array([lempel_ziv(one) for one in generator.permuted(tables, axis=1)])
        here = {
            name: 100 * np.mean((own < other) + 0.5 * (own == other))
            for name, own, other in zip(("simpler", "smoother", "smaller"), *pairs, strict=True)
        }
        by = dict(zip(("words", "flips", "leaves"), pairs[0], strict=True))
        for a, b in (("words", "flips"), ("words", "leaves"), ("flips", "leaves")):
            here[f"{a}_{b}"] = scipy.stats.spearmanr(by[a], by[b]).statistic
        here["agree"] = np.mean([here[k] for k in ("words_flips", "words_leaves", "flips_leaves")])
        own, other = again, pairs[1][0]
        here["again"] = 100 * np.mean((own < other) + 0.5 * (own == other))
        here["ratio"] = np.mean(pairs[0][0]) / np.mean(pairs[1][0])
        here["mixed_words"] = pairs[1][0]
        found.append(here | {f"by_{name}": value for name, value in by.items()})
    return {name: np.array([one[name] for one in found], np.float32) for name in found[0]}


def balanced(generator, look, minority, machine):
    """Return the tables (look, P) of the next random networks with both answers to at least ``minority`` rows."""
    kept, count = [], 0
    while count < look:
        tables = boolean.unpacked(
            boolean.functions(generator, 4 * boolean.AT_ONCE, **machine), 2 ** machine["inputs"]
        )
        ones = tables.sum(axis=1)
        kept.append(tables[np.minimum(ones, tables.shape[1] - ones) >= minority])
        count += len(kept[-1])
    return np.concatenate(kept)[:look]


def measured(tables):
    """Return Lempel-Ziv complexity, sensitivity and leaves of tables (N, P): three arrays (N,)."""
    texts = np.array([lempel_ziv(one) for one in tables])
    return texts, sensitivity(tables), np.array([leaves(one) for one in tables])


def ranks(seed, n, *, bank, machine, whole):
    """How often do random networks choose the same function, and is the usual rank correlation one of simplicity?

    Replicate: block i of the bank, drawn anew; ``seed`` is not needed, since the bank has its own. The whole bank, if
    ``whole``, stands under the constants.

    Returns
    -------
    dict
        ``distinct`` (n,): different functions in the block; ``constant`` (n,): percentage of networks that say the
        same to all rows; ``commonest`` (n,): networks of the commonest function; ``correlation`` (n,): rank
        correlation of count and Lempel-Ziv complexity over functions seen ten times or more; ``within`` (n,): the same
        as a mean over groups of equally many ones. Constants: ``rank, count`` (50,): how often the function of that
        rank was found in the whole bank, its first part of a tenth in ``count_tenth``; ``complexity`` (50,): its
        Lempel-Ziv complexity; ``correlation_whole, within_whole, correlation_tenth, distinct_whole`` (1,).
    """
    del seed
    size = min(boolean.BLOCK, bank["networks"])
    found = []
    for row in range(n):
        tables, counts = counted(boolean.block(bank["seed"], row, size, **machine).T)
        often = correlations(tables, counts)
        ones = boolean.unpacked(np.ascontiguousarray(tables.T)).sum(axis=1)
        found.append(
            {
                "distinct": len(counts), "commonest": counts[0],
                "constant": 100 * counts[(ones == 0) | (ones == 128)].sum() / size,
                "correlation": often[0], "within": often[1],
            }
        )  # fmt: skip
    arrays = {name: np.array([one[name] for one in found], np.float32) for name in found[0]}
    if not whole:
        return arrays
    everything = boolean.bank(**bank, **machine)
    tables, counts = counted(everything)
    at = np.unique(np.geomspace(1, len(counts), CURVE).astype(int)) - 1
    tenth_tables, tenth = counted(everything[:, : everything.shape[1] // 10])
    shown = boolean.unpacked(np.ascontiguousarray(tables[:, at].T))
    ends = correlations(tables, counts), correlations(tenth_tables, tenth)
    constants = {
        "rank": at + 1, "count": counts[at], "count_tenth": np.pad(tenth, (0, max(0, at[-1] + 1 - len(tenth))))[at],
        "complexity": [lempel_ziv(one) for one in shown],
        "correlation_whole": [ends[0][0]], "within_whole": [ends[0][1]],
        "correlation_tenth": [ends[1][0]], "within_tenth": [ends[1][1]], "distinct_whole": [len(counts)],
    }  # fmt: skip
    return arrays | {"constants": {k: np.array(v, np.float32) for k, v in constants.items()}}


def counted(tables):
    """Return the different functions of packed tables (words, B), and how often each occurs, the commonest first.

    Sorted by parts, those with the same first byte together: what is in memory at once stays small.
    """
    head = (np.asarray(tables[0]) & 0xFF).astype(np.uint8)
    parts = []
    for byte in range(256):
        some = np.ascontiguousarray(tables[:, head == byte])
        if some.shape[1]:
            some = some[:, np.lexsort(some)]
            new = np.concatenate([[True], (some[:, 1:] != some[:, :-1]).any(axis=0)])
            at = np.flatnonzero(new)
            parts.append((some[:, at], np.diff(np.append(at, some.shape[1]))))
    different, counts = (np.concatenate(one, axis=-1) for one in zip(*parts, strict=True))
    order = np.argsort(-counts, kind="stable")
    return different[:, order], counts[order]


def correlations(tables, counts):
    """Return the rank correlation of count and complexity, over all and within groups of equally many ones.

    Over functions (words, F) that occur ten times or more, at most 2,000 of them, evenly spaced by rank; 0 where there
    are fewer than three.
    """
    often = int(np.sum(counts >= OFTEN))
    if often < 3:
        return 0.0, 0.0
    at = np.unique(np.linspace(0, often - 1, MOST).astype(int))
    shown, counts = boolean.unpacked(np.ascontiguousarray(tables[:, at].T)), counts[at]
    complexity = np.array([lempel_ziv(one) for one in shown])
    ones = shown.sum(axis=1)
    groups = [ones == k for k in np.unique(ones)]
    inside = [
        (scipy.stats.spearmanr(counts[g], complexity[g]).statistic, g.sum())
        for g in groups
        if g.sum() >= 10 and np.ptp(counts[g]) and np.ptp(complexity[g])
    ]
    values, sizes = np.transpose(inside) if inside else ([0.0], [1.0])
    within = np.average(values, weights=sizes)
    return float(scipy.stats.spearmanr(counts, complexity).statistic), float(within)
