"""Where the time of a training step goes: XLA's kernels of `fit_many`, one by one, as TensorFlow's profiler sees them.

    python benchmarks/kernels.py mnist1d-cnn [--epochs 5] [--top 20]

One chunk of networks on one core (Linux only), so that nothing waits for anything. The profiler adds half a
microsecond a kernel.
"""

from __future__ import annotations

import argparse
import collections
import os
import sys
import tempfile
from pathlib import Path

import workloads


def recorded(call):
    """Return {event: (microseconds, count)} of the host while ``call()`` runs."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    from helpers._tensorflow import tf

    options = tf.profiler.experimental.ProfilerOptions(host_tracer_level=3, python_tracer_level=0)
    with tempfile.TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder, options=options):
            call()
        (path,) = Path(folder).rglob("*.xplane.pb")
        space = xplane_pb2.XSpace()
        space.ParseFromString(path.read_bytes())
    times, counts = collections.Counter(), collections.Counter()
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                name = plane.event_metadata[event.metadata_id].name
                times[name] += event.duration_ps / 1e6
                counts[name] += 1
    return {name: (time, counts[name]) for name, time in times.most_common()}


def measure(workload, epochs):
    """Return the width of a chunk, its microseconds by loop and by kernel: {name: (microseconds, count)} each."""
    from helpers.engine import plan, train

    points = workload.dataset()
    chunk = plan.make(workload.model, points, epochs=epochs, batch_size=workload.batch, members=1)
    train.chunk(chunk, 0)  # compiles
    found = recorded(lambda: train.chunk(chunk, 0))
    inside = {name: value for name, value in found.items() if value[1] >= epochs}
    loops = {name: value for name, value in found.items() if name.startswith("while")}
    skipped = ("while", "call", "ThunkExecutor", "Eager", "TFE", "tf.", "convert", "end:", "__inf")
    kernels = {
        name: v for name, v in inside.items() if not name.startswith(skipped) and "." in name
    }
    return chunk.shapes.width, loops, kernels


def main(arguments=None):
    """Print the kernels of a workload; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("workload")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--top", type=int, default=20, help="how many kernels")
    options = parser.parse_args(arguments)
    try:
        workload = workloads.find(options.workload)
    except ValueError as error:
        parser.error(str(error))
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    width, loops, kernels = measure(workload, options.epochs)
    whole = max(time for time, _ in loops.values())
    print(f"{workload.title}: {width} networks, {whole / options.epochs:,.0f} us an epoch")
    for name, (time, count) in list(kernels.items())[: options.top]:
        print(
            f"{time / whole:6.1%} {count / options.epochs:8.1f} times {time / count:9.2f} us  {name}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
