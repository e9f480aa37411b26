"""The first fit, looked for after each step of SGD and not only at the end of each epoch.

`boolean_trained` looks at its networks once in an epoch, eight steps of four rows; a network that fitted in between has
been trained on. Here every step is followed by a look at all training rows, in NumPy: the same networks, the same SGD
(binary cross-entropy, no momentum), batches that are drawn without repeats within an epoch.

Axes: M networks, m training rows, B rows of a batch, P rows of the table.
"""

from __future__ import annotations

import numpy as np

from helpers._base import seeds
from helpers.experiments import boolean
from helpers.experiments.boolean_trained import agreement, chosen_rows, shares, slim
from helpers.experiments.random_features import one_thread


def stepped(layers, x, y, rate):
    """Return weights after one step of gradient descent on the mean binary cross-entropy of a batch.

    Parameters
    ----------
    layers : list of ndarray
        Kernels (M, in, out) and biases (M, out) of tanh networks with one logit.
    x, y : ndarray (M, B, I), (M, B)
        A batch for each network; y is 0 or 1.
    rate : float
        The learning rate.
    """
    outputs = [x]
    for kernel, bias in zip(layers[:-2:2], layers[1:-2:2], strict=True):
        outputs.append(np.tanh(outputs[-1] @ kernel + bias[:, None]))
    logits = (outputs[-1] @ layers[-2] + layers[-1][:, None])[..., 0]
    back = ((1 / (1 + np.exp(-logits)) - y) / y.shape[1])[..., None]  # (M, B, 1)
    found = []
    for kernel, bias, below in zip(layers[-2::-2], layers[-1::-2], reversed(outputs), strict=True):
        found = [
            kernel - np.float32(rate) * (below.swapaxes(1, 2) @ back),
            bias - np.float32(rate) * back.sum(axis=1),
            *found,
        ]
        back = (back @ kernel.swapaxes(1, 2)) * (1 - below**2)
    return found


def fits(layers, x, y):
    """Return whether each network gives all rows x (m, I) their answers y (m,), (M,) bool."""
    return (boolean.says_yes(layers, x, "tanh") == y).all(axis=1)


@one_thread
def first_fits(layers, generator, x, y, rows, *, rate, batch, epochs):
    """Train networks on ``rows`` until they fit: which rows of the table are wrong at the first fit?

    Parameters
    ----------
    layers : list of ndarray
        Initial weights.
    generator : numpy.random.Generator
        Of the order of the batches.
    x, y, rows : ndarray (P, I), (P,) of bool, (m,) of int
        The table, and the training rows.
    rate, batch, epochs
        Of SGD; ``batch`` divides m.

    Returns
    -------
    by_step, by_epoch : ndarray (M, P) of bool
        Wrong rows at the first step after which all training rows are given, and at the end of the first epoch after
        which they are; in the end where that does not come.
    step, epoch : ndarray (M,) of int
        When: both 1 after the first; 0 where it does not come.
    """
    count, size = len(layers[0]), len(rows) // batch
    wrong = {kind: np.zeros((count, len(x)), bool) for kind in ("step", "epoch")}
    when = {kind: np.zeros(count, np.int32) for kind in ("step", "epoch")}
    active, seen, wanted = np.arange(count), x[rows], y[rows].astype(np.float32)
    for epoch in range(1, epochs + 1):
        order = generator.permuted(np.tile(np.arange(len(rows)), (count, 1)), axis=1)[active]
        for at in range(size):
            own = order[:, at * batch : (at + 1) * batch]
            layers = stepped(layers, seen[own], wanted[own], rate)
            fit = fits(layers, seen, y[rows])
            for kind in ("step", "epoch") if at == size - 1 else ("step",):
                new = fit & (when[kind][active] == 0)
                when[kind][active[new]] = (epoch - 1) * size + at + 1 if kind == "step" else epoch
                wrong[kind][active[new]] = (
                    boolean.says_yes([w[new] for w in layers], x, "tanh") != y
                )
        keep = when["epoch"][active] == 0
        active, layers = active[keep], [w[keep] for w in layers]
        if not len(active):
            break
    if len(active):
        last = boolean.says_yes(layers, x, "tanh") != y
        wrong["epoch"][active] = last
        never = when["step"][active] == 0
        wrong["step"][active[never]] = last[never]
    return wrong["step"], wrong["epoch"], when["step"], when["epoch"]


def which_rows(seed, n, *, bank, machine, rows, networks, targets, rate, batch, epochs):
    """Which unseen rows does a guess get wrong, and which does SGD at the very step of its first fit?

    Replicate: a training set of ``rows`` rows without repeats; the guesses of the bank that fit it, and ``networks``
    trained ones for each of ``targets``, from initial weights of the machine.

    Returns
    -------
    dict
        For each target T: ``guess_T, step_T, epoch_T`` (n, U): share of guesses, and of trained networks at the first
        step and at the first epoch's end that fits, that are wrong in each unseen row; ``guess_halves_T,
        step_halves_T`` (n, U, 2): of every other one; ``error_guess_T, error_step_T, error_epoch_T`` (n,): means, in
        percent; ``agree_step_T, agree_epoch_T``: rank correlations with the guesses over rows; ``steps_T, epochs_T``:
        mean number until then; ``fitted_T``: percentage that fits; ``commoner_T``: error of always saying the commoner
        answer of the training rows. Shares are in half precision.
    """
    tables = np.array(boolean.bank(**bank, **machine))
    x = boolean.table(machine["inputs"], machine["values"])
    scales = {key: machine[key] for key in ("inputs", "hidden", "sigma_w", "sigma_b")}
    found = []
    for row in range(n):
        seen, unseen = chosen_rows(seed, row, machine, rows)
        here = {}
        for name in targets:
            wanted = boolean.target(name, machine["inputs"])
            places = boolean.accepted(tables, wanted, seen)
            guess, halves = shares(boolean.wrong_rows(tables[:, places], wanted)[:, unseen])
            generator = seeds.generator(seed, "train", name, row)
            start = boolean.drawn(generator, networks, **scales)
            by_step, by_epoch, step, epoch = first_fits(
                start, generator, x, wanted, seen, rate=rate, batch=batch, epochs=epochs
            )
            share, step_halves = shares(by_step[:, unseen])
            later, _ = shares(by_epoch[:, unseen])
            here |= {
                f"guess_{name}": guess, f"step_{name}": share, f"epoch_{name}": later,
                f"guess_halves_{name}": halves, f"step_halves_{name}": step_halves,
                f"error_guess_{name}": 100 * guess.mean(), f"error_step_{name}": 100 * share.mean(),
                f"error_epoch_{name}": 100 * later.mean(),
                f"agree_step_{name}": agreement(guess[None], share[None])[0],
                f"agree_epoch_{name}": agreement(guess[None], later[None])[0],
                f"steps_{name}": float(step.mean()), f"epochs_{name}": float(epoch.mean()),
                f"fitted_{name}": 100.0 * np.mean(epoch > 0),
                f"commoner_{name}": 100.0 * np.mean(wanted[unseen] != (wanted[seen].mean() > 0.5)),
            }  # fmt: skip
        found.append(here)
    return {name: slim(np.array([one[name] for one in found])) for name in found[0]}
