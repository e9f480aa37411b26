"""Workers of a dask cluster: the bits of this process, whoever dies; who is let in; what is refused; Ctrl-C."""

import _thread
import contextlib
import doctest
import logging
import os
import pathlib
import pickle
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from distributed import Client, LocalCluster
from making import make

import helpers
from helpers import Dataset, models
from helpers._tensorflow import keras, tf
from helpers.claims import registry
from helpers.engine import cluster, door, inference, parcels, plan, runtime
from helpers.engine.api import fit_many, predict_many
from helpers.engine.general import pool, running
from helpers.engine.places import Places
from helpers.experiments import run, store

WAIT = 120  # seconds at most for anything
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")


def build():
    return models.mlp((1,), 1, hidden=(4,), dropout=0.2, l2=0.01, batch_norm=True)


@pytest.fixture
def own():
    """Return the builder of a model with an activation that only this process has registered."""

    @keras.saving.register_keras_serializable("cluster")
    def bent(x):
        return x + 0.25 * x * x

    layers = keras.layers
    yield lambda: keras.Sequential([keras.Input((1,)), layers.Dense(3, bent), layers.Dense(1)])
    keras.saving.get_custom_objects().pop("cluster>bent")


def clipped():
    """Train with a loss that reads one of Keras's settings, set otherwise than in a new process."""
    keras.config.set_epsilon(0.2)
    try:
        start = keras.Input((1,))
        heads = [keras.layers.Dense(1, activation="sigmoid")(start) for _ in range(2)]
        model = keras.Model(start, keras.layers.Average()(heads))
        data = make("binary", (1,), 12, outputs=2)
        loss = keras.losses.BinaryCrossentropy(from_logits=False)
        return fit_many(model, data, members=7, epochs=3, loss=loss)
    finally:
        keras.config.set_epsilon(1e-7)


@pytest.fixture(autouse=True)
def narrow(monkeypatch):
    """Have three members in a chunk: workers take the width that is sent to them."""
    monkeypatch.setattr(runtime, "chunk_width", lambda recipe, rows: 3)


@pytest.fixture
def near():
    """Return the client of a cluster in this process: two workers that are threads."""
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0"}
    with Client(processes=False, **options) as client:
        yield client


def until(condition, patience=WAIT):
    """Wait for something, not for ever."""
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.2)  # who looks too often keeps the others from working


def same(a, b):
    """Whether two runs are equal to the bit, in all that they hold."""
    everything = [
        [*runs.weights, *runs.history.values(), *(w for s in runs.snapshots.values() for w in s)]
        for runs in (a, b)
    ]
    equal = all(np.array_equal(x, y, equal_nan=True) for x, y in zip(*everything, strict=True))
    return equal and a.settings == b.settings and np.array_equal(a.diverged, b.diverged)


def many(n):
    """Return so many points of a noisy line."""
    return make("regression", (1,), n, val=3)


def stacked():
    return Dataset.stack([make("regression", (1,), 12, seed=seed) for seed in range(7)])


def cubed(y, outputs):
    return tf.reduce_mean(tf.abs(outputs - y) ** 3, axis=-1)


CASES = {
    "plain": lambda: fit_many(
        build, many(12), members=7, epochs=4, batch_size=5, snapshots=(0, 2), vary={"l2": np.linspace(0, 0.1, 7)}
    ),
    "a data set each": lambda: fit_many(
        build, stacked(), members=7, epochs=4, batch_size=5, shuffle="shared"
    ),
    "stopped early": lambda: fit_many(
        build, many(12), members=7, epochs=9, early_stopping=keras.callbacks.EarlyStopping("loss")
    ),
    "masks": lambda: fit_many(
        models.linear((1,), 1), many(12), members=7, epochs=2, masks=[np.arange(7).reshape(7, 1, 1) % 2, None]
    ),
    "weights and metrics of one's own": lambda: fit_many(
        build, many(12), members=7, epochs=4, batch_size=5, metrics=["mae", cubed],
        sample_weight=np.random.default_rng(0).uniform(0, 2, (7, 12)),
    ),
    "resumed": lambda: fit_many(
        build, many(12), members=7, epochs=4, batch_size=5, resumable=True
    ).resume(3),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_workers_train_to_the_same_bits(near, case):
    here = CASES[case]()
    with helpers.cluster(near):
        assert same(CASES[case](), here)


def gated():
    return keras.Sequential([keras.Input((1,)), keras.layers.PReLU(), keras.layers.Dense(1)])


def general():
    return fit_many(gated, many(12), members=12, epochs=3, batch_size=5, snapshots=(0, 2))


def test_workers_train_in_the_general_engine_to_the_same_bits(near):
    here = general()
    with helpers.cluster(near):
        there = general()
    assert there.settings["engine"] == "general" and same(there, here)


@pytest.mark.slow
def test_processes_train_in_the_general_engine_to_the_same_bits():
    here = general()
    options = {"n_workers": 1, "threads_per_worker": 2, "dashboard_address": ":0"}
    with LocalCluster(**options) as local, Client(local) as client, helpers.cluster(client):
        assert same(general(), here)


def test_a_worker_with_another_general_engine_is_refused_and_named(near, monkeypatch):
    monkeypatch.setattr(running, "about", iter([{"jax": "1"}, {"jax": "2"}, {"jax": "2"}]).__next__)
    with helpers.cluster(near), pytest.raises(RuntimeError, match="jax 2, not 1"):
        general()
    monkeypatch.undo()
    refused = pickle.loads(pickle.dumps(pool.Refused("ValueError", "why", "where")))
    assert (refused.kind, refused.text, str(refused)) == ("ValueError", "why", "ValueError: why")


@pytest.mark.parametrize("per_member", [False, True])
def test_workers_predict_the_same_bits(near, monkeypatch, per_member):
    monkeypatch.setattr(inference, "PREDICT_ROWS", 4)  # several blocks
    runs = fit_many(build, many(12), members=7, epochs=0)
    x = np.random.default_rng(0).normal(size=(7, 10, 1) if per_member else (10, 1))
    here = predict_many(build, runs.weights, x)
    with helpers.cluster(near):
        assert np.array_equal(predict_many(build, runs.weights, x), here)


@contextlib.contextmanager
def processes():
    """Give a client of two worker processes, one of which may use one core only."""
    logging.getLogger("distributed.nanny").setLevel(logging.ERROR)  # how it ends what is left
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as local,
        Client(local) as client,
    ):
        if hasattr(os, "sched_setaffinity"):
            first, core = sorted(client.nthreads())[0], min(os.sched_getaffinity(0))
            client.run(os.sched_setaffinity, 0, {core}, workers=[first])
        yield client


def killed_at_work(client):
    """Kill a worker once it has been given chunks; return a thread that is at it, and the id of the victim."""
    address, pid = sorted(client.run(os.getpid).items())[-1]

    def kill():
        until(lambda: any(str(key).startswith("helpers") for key in client.processing()[address]))
        os.kill(pid, signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    return thread, pid


def experiment():
    """Train the first rows of a registered experiment; return the digest of its arrays."""
    known = registry.load()
    one = known.experiments["keras_post/another_start"]
    return store.digest(run.compute(one, known, store.Place(seed=1001), n=12))


@pytest.mark.slow
@pytest.mark.timeout(1200)  # of three processes that import TensorFlow
def test_processes_that_die_or_are_alone_or_have_other_cores_train_to_the_same_bits(own):
    tasks = {
        "settings": clipped,
        "many": CASES["plain"],
        # Sums over large batches are split among threads: the worker with one core must split them as we do.
        "large batch": lambda: fit_many(build, many(3000), members=7, epochs=2, batch_size=2900),
        "own code": lambda: fit_many(
            own, many(12), members=7, epochs=2, loss=lambda y, p: abs(y - p)[..., 0]
        ),
    }
    here, rows = {name: task() for name, task in tasks.items()}, experiment()
    with processes() as client, helpers.cluster(client):
        for name, task in tasks.items():
            assert same(task(), here[name]), name
            programs = client.run(lambda: len(sys.modules["helpers.engine.runtime"]._cache))
            # Compiled once, whatever the number of chunks; other settings of Keras make them forget the earlier ones.
            assert name == "own code" or set(programs.values()) == {1 + (name == "large batch")}
        thread, pid = killed_at_work(client)
        assert experiment() == rows
        thread.join(WAIT)
        until(lambda: len(client.nthreads()) == 2, 5 * WAIT)  # a new one starts
        assert pid not in client.run(os.getpid).values()
        client.cluster.scale(1)
        until(lambda: len(client.nthreads()) == 1)
        assert same(CASES["plain"](), here["many"])


def test_ctrl_c_cancels_what_is_under_way(near, line):
    def interrupt():
        """Press Ctrl-C as soon as a worker trains, however long the way there took."""
        with contextlib.suppress(AssertionError):
            until(lambda: any(near.processing().values()))
        _thread.interrupt_main()

    # A KeyboardInterrupt outside of `raises` ends the process that tests.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            threading.Thread(target=interrupt, daemon=True).start()
            with helpers.cluster(near):
                fit_many(build, line, members=60, epochs=10**6, batch_size=1, record_every=10**5)
    finally:
        signal.signal(signal.SIGINT, before)
    # Chunks that run are left within a call of their program.
    until(lambda: not any(near.processing().values()))
    until(lambda: not any(w.state.executing_count for w in near.cluster.workers.values()))
    assert cluster.current() is None


def test_nothing_of_a_call_stays_on_the_cluster(near, line):
    with helpers.cluster(near):
        fit_many(build, line, members=7, epochs=1)
    until(lambda: not near.cluster.scheduler.tasks)


def test_data_travel_once_and_a_chunk_takes_its_members_only():
    sizes = []
    for members, examples in ((6, 10), (6, 1000), (60, 10)):
        made = plan.make(build, many(examples), members=members, epochs=1, batch_size=10)
        parcel = parcels.training(made)
        rows = parcel.rows(runtime.chunk(0, members, 3))
        sizes.append((len(pickle.dumps(rows)), len(parcel.head)))
    assert len({size for size, _ in sizes}) == 1
    assert max(head for _, head in sizes) - min(head for _, head in sizes) < 20  # of numbers


def test_each_worker_gets_chunks_for_its_threads_and_no_more():
    places, stop = Places(lambda: {"a": 1, "b": 2, "none": 0}), threading.Event()
    with contextlib.ExitStack() as stack:
        found = [stack.enter_context(places.taken(stop)) for _ in range(6)]
        assert sorted(found) == ["a", "a", "b", "b", "b", "b"]
        threading.Timer(0.3, stop.set).start()
        assert stack.enter_context(places.taken(stop)) is None  # waited
    with places.taken(threading.Event()) as first:
        assert first in ("a", "b")


def test_workers_that_all_go_are_missed_once(monkeypatch):
    monkeypatch.setattr("helpers.engine.places.FRESH", 0.0)
    monkeypatch.setattr("helpers.engine.places.SILENCE", 0.05)
    there = {"a": 1}
    places = Places(lambda: there)
    with places.taken(threading.Event()):
        places.look()  # says nothing: there is one
        there.clear()
        places.look()
        time.sleep(0.1)
        with pytest.warns(UserWarning, match="has had no workers.*waits") as said:
            places.look()
            places.look()
        assert len(said) == 1
        there["b"] = 1
        places.look()


def test_an_error_in_a_worker_is_raised_here(near, line):
    def loss(y, outputs):
        if y.shape[1] == 5:
            raise ZeroDivisionError("of mine")
        return abs(y - outputs)[..., 0]

    with helpers.cluster(near), pytest.raises(ZeroDivisionError, match="of mine"):
        fit_many(build, line, members=7, epochs=1, batch_size=5, loss=loss)


def test_code_that_cannot_be_sent_is_refused_before_anything_is(near, line):
    lock = threading.Lock()

    def loss(y, outputs):
        with lock:
            return (y - outputs)[..., 0] ** 2

    with helpers.cluster(near), pytest.raises(TypeError, match="`loss`.*Define"):
        fit_many(build, line, members=7, epochs=1, loss=loss)
    assert not near.cluster.scheduler.tasks


@contextlib.contextmanager
def strangers(tmp_path):
    """Give the address of a scheduler whose two workers have another NumPy, and no helpers."""
    texts = {
        "numpy": ("numpy-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: numpy\nVersion: 1.0\n"),
        "helpers": ("sitecustomize.py", "import sys\nsys.modules['helpers'] = None\n"),
    }  # fmt: skip
    with LocalCluster(
        n_workers=0, processes=False, dashboard_address=":0", host="tcp://127.0.0.1"
    ) as local:
        workers = []
        for name, (file, text) in texts.items():
            path = tmp_path / name / file
            path.parent.mkdir(parents=True)
            path.write_text(text, encoding="utf-8")
            command = [sys.executable, "-m", "distributed.cli.dask_worker", local.scheduler_address]
            command += [
                "--no-nanny",
                "--nthreads",
                "1",
                "--no-dashboard",
                "--death-timeout",
                str(WAIT),
            ]
            environment = {**os.environ, "PYTHONPATH": str(tmp_path / name)}
            workers.append(
                subprocess.Popen(
                    command,
                    env=environment,
                    cwd=tmp_path,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
            )
        try:
            until(lambda: len(local.scheduler.workers) == 2)
            yield local.scheduler_address
        finally:
            for worker in workers:
                worker.kill()
                worker.wait(WAIT)


@pytest.mark.filterwarnings("ignore:Mismatched versions")  # dask says so too
def test_workers_that_are_other_ones_are_refused_and_named(tmp_path):
    with (
        strangers(tmp_path) as address,
        pytest.raises(RuntimeError) as refused,
        helpers.cluster(address),
    ):
        pass
    text = str(refused.value)
    assert f"numpy 1.0 instead of {np.__version__}" in text
    assert "no helpers" in text and text.count("tcp://") == 2 and "make env" in text


def test_a_worker_that_comes_later_is_compared_too():
    ours = door.wanted()
    assert door.enter(ours).__name__ == "helpers.engine.worker"
    with pytest.raises(RuntimeError, match="keras .* instead of 0.0.*make env"):
        door.enter({**ours, "versions": {**ours["versions"], "keras": "0.0"}})
    with pytest.raises(RuntimeError, match=r"client\.restart"):
        door.enter({**ours, "threads": 10**6})


def test_other_sources_are_another_state(monkeypatch):
    from helpers.engine import resume

    before = door.versions()
    monkeypatch.setitem(resume.SOURCES, "experiments/xor.py", "changed")
    assert door.versions() == before  # no worker runs it
    monkeypatch.setitem(resume.SOURCES, "engine/train.py", "changed")
    assert door.differences(before, door.versions()) == ["another state of helpers"]


def test_another_processor_is_told(near, line, monkeypatch):
    monkeypatch.setattr(cluster, "processor", lambda: "an older model")
    with pytest.warns(UserWarning, match="an older model"), helpers.cluster(near) as found:
        assert found.others == found.processors != set()


def test_without_the_extra_one_sentence_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ImportError, match="`cluster`.*pip install"), helpers.cluster("tcp://a:1"):
        pass


@pytest.mark.parametrize(
    ("client", "kind"),
    [
        (3, TypeError),
        ("", ValueError),
        ("a:b:c", ValueError),
        ("tls://127.0.0.1:9", ValueError),  # without certificates
        ("tcp://127.0.0.1:9", TimeoutError),
        ("nowhere.json", TimeoutError),
    ],
)
def test_what_is_no_cluster_is_refused(client, kind):
    with pytest.raises(kind, match="`client`"), helpers.cluster(client, timeout=0.5):
        pass


def test_whoever_takes_the_connection_and_is_silent_is_refused():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(TimeoutError, match="`client`"), helpers.cluster(address, timeout=0.2):
            pass


def test_a_client_that_is_closed_is_refused_before_and_named_afterwards(near, line):
    with Client(near.cluster) as client, helpers.cluster(client):
        client.close()
        with pytest.raises(ConnectionError, match="client was closed"):
            fit_many(build, line, members=7, epochs=1)
    with pytest.raises(ValueError, match="`client`.*open"), helpers.cluster(client):
        pass


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The cluster has had no workers")  # the client waits as long
def test_a_scheduler_that_ends_ends_the_call(line):
    options = {"processes": False, "n_workers": 1, "dashboard_address": ":0"}
    with LocalCluster(**options) as local, Client(local.scheduler_address, timeout=5) as client:

        def end():
            with contextlib.suppress(AssertionError):
                until(lambda: any(client.processing().values()))
            local.close()

        thread = threading.Thread(target=end)
        thread.start()
        with pytest.raises(ConnectionError, match="scheduler has ended"), helpers.cluster(client):
            fit_many(build, line, members=7, epochs=10**6, batch_size=1, record_every=10**5)
        thread.join(WAIT)


def test_clusters_inside_clusters(near, line):
    with Client(near.cluster) as client, helpers.cluster(near) as outer:
        with helpers.cluster(client) as inner:
            assert cluster.current() is inner
        assert cluster.current() is outer
        with pytest.raises(TypeError), helpers.cluster(3):
            pass
        assert cluster.current() is outer
    assert cluster.current() is None


def test_a_worker_that_dies_while_it_is_compared_is_left_out(near, monkeypatch):
    found = cluster.Cluster(near)
    alive, dead = sorted(near.nthreads())
    one = door.described()
    for error, says in ((OSError("gone"), None), (ValueError("strange"), "strange")):
        monkeypatch.setattr(near, "run", lambda *_, e=error, **__: {alive: one, dead: e})
        with pytest.raises(ValueError, match=says) if says else contextlib.nullcontext():
            found.greet(WAIT)
    assert found.processors == {one["processor"]}


def test_a_cluster_without_workers_is_refused():
    with (
        Client(processes=False, n_workers=0, dashboard_address=":0") as client,
        pytest.raises(TimeoutError, match="no workers.*timeout="),
        helpers.cluster(client, timeout=0.2),
    ):
        pass


def test_the_examples_run(capsys):
    assert doctest.testmod(cluster).failed == 0
    page = (pathlib.Path(__file__).parents[2] / "docs/many_machines.md").read_text("utf-8")
    example = re.search(r"```python\n(.*?)```", page, re.DOTALL).group(1)
    near = 'LocalCluster(processes=False, dashboard_address=":0", '
    example = example.replace("LocalCluster(", near).replace("members=500", "members=7")
    exec(example, {"__name__": "__main__"})
    assert float(capsys.readouterr().out) > 0
