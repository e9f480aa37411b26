"""How many networks a second the workers of a cluster train: one process against two, and against `fit_many` here.

    python benchmarks/cluster.py [--members 400] [--epochs 200] [--repeats 5]

The network of the Keras post, on worker processes of this machine with one thread each. One repeat of all follows the
other, so that what else the machine does concerns all alike; the ratio is of two neighbours. The first call of each,
which imports and compiles, is not counted. It writes results/bench/cluster.json.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics

import contenders
import report
import workloads

from helpers._base import files, paths
from helpers._base.machine import cores, processor


def measure(members, epochs, repeats):
    """Return networks a second, {contender: one number a repeat}."""
    from distributed import Client, LocalCluster

    import helpers

    trained = contenders.trainer(workloads.find("keras-post"))

    def train():
        trained(members, epochs)

    options = {"threads_per_worker": 1, "dashboard_address": ":0", "silence_logs": 50}
    found = {"here": [], "1 worker": [], "2 workers": []}
    with (
        LocalCluster(n_workers=1, **options) as first,
        LocalCluster(n_workers=2, **options) as second,
        Client(first) as one,
        Client(second) as two,
    ):

        def there(client):
            with helpers.cluster(client):
                train()

        calls = {"here": train, "1 worker": lambda: there(one), "2 workers": lambda: there(two)}
        for call in calls.values():
            call()  # imports and compiles
        for _ in range(repeats):
            for name, call in calls.items():
                found[name].append(members / contenders.seconds(call))
    return found


def main():
    """Measure, print, write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--members", type=int, default=400)
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    rates = measure(options.members, options.epochs, options.repeats)
    pairs = zip(rates["2 workers"], rates["1 worker"], strict=True)
    efficiency = [two / (2 * one) for two, one in pairs]
    record = {
        **vars(options),
        "processor": processor(),
        "cores": cores(),
        "load": os.getloadavg()[0],
        "networks a second": {
            name: [round(v, 2) for v in values] for name, values in rates.items()
        },
        "efficiency at two": [round(value, 3) for value in efficiency],
    }
    files.write(
        paths.checkout() / "results" / "bench" / "cluster.json",
        json.dumps(record, indent=1, sort_keys=True) + "\n",
    )
    for name, values in rates.items():
        print(f"{name}: {report.spread(values, ' networks a second')}")
    print(f"efficiency at two: {report.spread([100 * value for value in efficiency], ' %')}")
    print(f"median {statistics.median(efficiency):.2f}")


if __name__ == "__main__":
    main()
