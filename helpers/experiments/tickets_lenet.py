"""LeNet-300-100 on the MNIST subset: do its tickets win, at each rival's own learning rate?

The network, pruning shares and optimizer of Frankle and Carbin [frankle2019], on 3,000 images instead of 55,000 and for
800 steps instead of 50,000. The words are those of `helpers.experiments.tickets`.
"""

from __future__ import annotations

import numpy as np

from helpers import data, models, pruning
from helpers._base import seeds
from helpers.data import Dataset
from helpers.experiments import tickets


def draw(seed, row=0, *, train=3000, validation=500, test=1500):
    """Return trial ``row``: another split of the same 5,000 images."""
    own = seeds.integer(seed, "split", row)
    whole = data.mnist_small(n_train=train + validation, n_test=test, seed=own)
    return data.split(whole, val=validation, seed=own)


def rivals(seed, n, *, sizes, rates, rounds, kinds, search, epochs, batch):
    """How do LeNet's tickets fare against their rivals, at each learning rate and at each rival's own?

    ``search``: ``rate`` and ``epochs`` of each round; the rate is the paper's, and one of ``rates``. Replicate: a split
    of the images, and initial weights.

    Returns
    -------
    dict
        For dense and each arm of ``kinds``, after all rounds, ``accuracy_ARM, rate_ARM, errors_ARM`` (n,), at its own
        rate, and ``sweep_ARM`` (n, K). What `tickets.stops` returns, at the rate of the search. ``constants``:
        ``rates``, ``left`` (share of weights).
    """
    net, how = models.lenet_300_100, {"epochs": epochs, "batch": batch}
    sets = Dataset.stack([draw(seed, row, **sizes) for row in range(n)])
    start = tickets.begin(seed, n, net)
    new = tickets.begin(seeds.integer(seed, "new", 0), n, net)
    masks, _ = tickets.search(
        seed,
        sets,
        net,
        start,
        rate=search["rate"],
        rounds=rounds,
        epochs=search["epochs"],
        batch=batch,
    )
    given = {"dense": (start, None), **tickets.arms(seed, start, new, masks[-1], kinds)}
    each = {
        kind: tickets.compete(seed, sets, net, *arm, rates=rates, each=True, **how)
        for kind, arm in given.items()
    }
    found = tickets.stored(each) | tickets.stops(
        each["dense"], each["ticket"], np.full(n, search["rate"]), rates=rates, epochs=epochs,
        steps=int(np.ceil(sets.x_train.shape[1] / batch)),
    )  # fmt: skip
    left = pruning.share_remaining(masks[-1])[:1]
    constants = {"rates": np.array(rates, np.float32), "left": left.astype(np.float32)}
    return found | {"constants": constants}
