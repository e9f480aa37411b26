"""Nobody's settings change anything; notebooks run without network, home, writable checkout or second core."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import nbformat
import pytest
from test_runner import add_notebook

from tools import surroundings

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture
def hostile(tmp_path):
    """Return an environment in which somebody has configured everything that can be configured."""
    home = tmp_path / "home"
    other = tmp_path / "other"
    config = {
        home / ".keras" / "keras.json": json.dumps(
            {"floatx": "float64", "epsilon": 1e-3, "image_data_format": "channels_first"}
        ),
        home / ".config" / "matplotlib" / "matplotlibrc": "savefig.dpi: 17\nlines.linewidth: 9\n",
        home / ".ipython" / "profile_default" / "startup" / "a.py": "print('STARTED'); SEED = 99",
        home
        / ".ipython"
        / "profile_default"
        / "ipython_config.py": "c.InteractiveShell.xmode = 'x'",
        home / ".jupyter" / "jupyter_config.py": "raise SystemExit('user configuration')",
        other / "helpers" / "__init__.py": "raise SystemExit('another helpers')",
        other / "sitecustomize.py": "print('CUSTOMIZED')",
    }
    for path, content in config.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    settings = {
        "HOME": home, "USERPROFILE": home, "PYTHONPATH": other, "PYTHONWARNINGS": "error",
        "PYTHONSTARTUP": other / "sitecustomize.py", "PYTHONOPTIMIZE": "2",
        "MPLBACKEND": "nonsense", "MPLCONFIGDIR": home / ".config" / "matplotlib",
        "IPYTHONDIR": home / ".ipython", "JUPYTER_CONFIG_DIR": home / ".jupyter",
        "JUPYTER_PATH": other, "PYTEST_ADDOPTS": "--nonsense", "PYTEST_PLUGINS": "nonsense",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "XLA_FLAGS": "--nonsense", "TF_XLA_FLAGS": "--nonsense",
        "TF_DETERMINISTIC_OPS": "1", "TF_ENABLE_ONEDNN_OPTS": "0", "KERAS_BACKEND": "jax",
        "KERAS_MAX_EPOCHS": "1",
    }  # fmt: skip
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG")}
    return kept | {name: str(value) for name, value in settings.items()}


def start(code, environment, *before):
    """Run code as the commands do that make or check results; return what it printed, from JSON."""
    command = [sys.executable, "-E", "-m", "tools.surroundings", *before, "-c", code]
    result = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, encoding="utf-8", timeout=120
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return json.loads(result.stdout)


def test_the_settings_of_keras_matplotlib_and_xla_do_not_count(hostile):
    code = """
import json, os
import keras, matplotlib
import helpers
from helpers._base import paths
from helpers._tensorflow import tf
found = [keras.config.floatx(), keras.config.epsilon(), keras.config.image_data_format()]
found += [keras.config.backend(), keras.config.max_epochs(), matplotlib.rcParams["lines.linewidth"]]
found += [helpers.__file__, str(paths.downloads()), __debug__]
found += [name for name in os.environ if name.startswith(("XLA_", "TF_")) and "LOG_LEVEL" not in name
          and name != "TF2_BEHAVIOR"]
print(json.dumps(found))"""
    found = start(code, hostile)
    downloads = str(pathlib.Path(hostile["HOME"]) / ".keras")  # still found there
    assert found[:6] == ["float32", 1e-7, "channels_last", "tensorflow", None, 1.5]
    assert found[6:9] == [str(ROOT / "helpers" / "__init__.py"), downloads, True]
    assert not {"XLA_FLAGS", "TF_XLA_FLAGS", "TF_DETERMINISTIC_OPS"} & set(found[9:])


def test_a_lesson_opened_by_hand_ignores_keras_json_too_but_not_a_call(hostile):
    code = """
import keras
keras.config.set_epsilon(1e-5)
from helpers import _tensorflow
print(keras.config.floatx(), keras.config.epsilon(), keras.config.image_data_format())"""
    environment = {"HOME": hostile["HOME"], "PATH": hostile["PATH"], "PYTHONPATH": str(ROOT)}
    result = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, encoding="utf-8", timeout=120
    )  # fmt: skip
    assert result.stdout.split() == ["float32", "1e-05", "channels_last"], result.stderr


def test_the_settings_of_pytest_do_not_count(hostile, tmp_path):
    (tmp_path / "test_it.py").write_text("def test_it(worker_id): pass\n", encoding="utf-8")
    options = ["-p", "no:cacheprovider", "-q", "-n", "0", str(tmp_path)]  # worker_id is xdist's
    code = f"import sys, pytest; sys.stdout = sys.stderr; status = int(pytest.main({options}))"
    assert start(f"{code}; sys.stdout = sys.__stdout__; print(status)", hostile) == 0


def test_what_is_asked_for_counts(hostile):
    code = "import json, os, sys; print(json.dumps([os.environ['A'], sys.flags.warn_default_encoding]))"
    assert start(code, hostile, "PYTHONWARNDEFAULTENCODING=1", "A=b=c") == ["b=c", 1]


SHOWS = """\
import os
import matplotlib
print(matplotlib.rcParams["lines.linewidth"], "inline" in matplotlib.get_backend(), os.environ.get("XLA_FLAGS"))"""


def test_a_notebook_does_not_see_anybody_s_settings(hostile, tmp_path):
    path = add_notebook(tmp_path, "01_shows", SHOWS)
    command = [sys.executable, "-E", "-m", "tools.notebooks", "--root", tmp_path]
    result = subprocess.run(
        command, cwd=ROOT, env=hostile, capture_output=True, encoding="utf-8", timeout=120
    )
    assert result.returncode == 0, result.stdout + result.stderr
    cells = nbformat.read(path, as_version=4).cells
    texts = [out.text for cell in cells for out in cell.get("outputs", []) if "text" in out]
    assert texts == ["1.5 True None\n", "full 0\n"]


def test_the_empty_settings_leave_the_rest_alone(tmp_path):
    found = surroundings.clean(
        {"PATH": "/bin", "LANG": "C", "PYTHONPATH": "x", "XLA_A": "y"}, tmp_path
    )
    assert found["PATH"] == "/bin" and found["LANG"] == "C" and "XLA_A" not in found
    assert found["PYTHONPATH"] == str(ROOT)


# Run in namespaces of its own: only loopback, the checkout read-only, one core; then the command.
ALONE = """
import fcntl, os, socket, struct, subprocess, sys
checkout, command = sys.argv[1], sys.argv[2:]
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:  # loopback is there, but down
    fcntl.ioctl(s, 0x8914, struct.pack("16sh14x", b"lo", 1))  # SIOCSIFFLAGS, IFF_UP
for options in (["--bind", checkout], ["-o", "remount,ro,bind"]):
    subprocess.run(["mount", *options, checkout], check=True, timeout=30)
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
os.chdir("/")
os.execv(command[0], command)
"""


def alone(*command, **options):
    """Run a command in network and mount namespaces of its own, or skip where these are not allowed."""
    wrapper = ["unshare", "--net", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    if not sys.platform.startswith("linux") or shutil.which("unshare") is None:
        pytest.skip("namespaces are a thing of Linux, and its command unshare is needed")
    if subprocess.run([*wrapper, "true"], capture_output=True, timeout=30).returncode:
        pytest.skip("this machine does not allow namespaces")
    return subprocess.run(
        [*wrapper, *command], capture_output=True, encoding="utf-8", timeout=240, **options
    )


TRAINS = """\
import matplotlib.pyplot as plt
from helpers import data, fit_many, models, plots
plots.style()
runs = fit_many(lambda: models.mlp((40,), 10, (8,)), data.mnist1d(), members=3, epochs=2, batch_size=100)
figure, ax = plt.subplots(figsize=(3, 2))
_ = ax.plot(runs.history["loss"].T)
plots.show(figure, "Training loss of three networks.", "Three lines that fall from left to right.")"""


@pytest.mark.slow
def test_a_notebook_needs_no_network_home_writable_checkout_or_second_core(tmp_path):
    checkout, out = tmp_path / "näive folder", tmp_path / "out put"
    checkout.mkdir()
    for part in ("helpers", "data", "tools"):
        shutil.copytree(ROOT / part, checkout / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", checkout)
    add_notebook(checkout, "01_trains", TRAINS)
    before = sorted(checkout.rglob("*"))
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    environment = kept | {"PYTHONPATH": str(checkout), "PYTHONDONTWRITEBYTECODE": "1"}  # no HOME
    runner = [sys.executable, "-m", "tools.notebooks", "--out", out]
    result = alone(sys.executable, "-c", ALONE, checkout, *runner, env=environment)
    assert result.returncode == 0, result.stdout + result.stderr
    executed = nbformat.read(out / "01_trains.ipynb", as_version=4)
    outputs = [output for cell in executed.cells for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output.get("name") == "stderr"]
    assert [output for output in outputs if "text/html" in output.get("data", {})]
    assert sorted(checkout.rglob("*")) == before
