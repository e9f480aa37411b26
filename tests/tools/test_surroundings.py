"""The notebooks run without network, home or a writable checkout, from any folder, under any path, on one core."""

import os
import pathlib
import shutil
import subprocess
import sys

import nbformat
import pytest

ROOT = pathlib.Path(__file__).parents[2]
PARTS = ("helpers", "data", "notebooks", "tools", "requirements.txt")

# Run in namespaces of its own: only loopback, the checkout read-only, one core; then the command.
ALONE = """
import fcntl, os, socket, struct, subprocess, sys
checkout, command = sys.argv[1], sys.argv[2:]
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:  # loopback is there, but down
    fcntl.ioctl(s, 0x8914, struct.pack("16sh14x", b"lo", 1))  # SIOCSIFFLAGS, IFF_UP
for options in (["--bind", checkout], ["-o", "remount,ro,bind"]):
    subprocess.run(["mount", *options, checkout], check=True)
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
os.chdir("/")
os.execv(command[0], command)
"""


def alone(*command, **options):
    """Run a command in network and mount namespaces of its own, or skip where these are not allowed."""
    wrapper = ["unshare", "--net", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    if not sys.platform.startswith("linux") or shutil.which("unshare") is None:
        pytest.skip("namespaces are a thing of Linux, and its command unshare is needed")
    if subprocess.run([*wrapper, "true"], capture_output=True).returncode:
        pytest.skip("this machine does not allow namespaces")
    return subprocess.run(
        [*wrapper, *command], capture_output=True, text=True, timeout=600, **options
    )


@pytest.mark.slow
@pytest.mark.notebook
def test_a_notebook_needs_no_network_home_writable_checkout_or_second_core(tmp_path):
    checkout, out = tmp_path / "näive folder", tmp_path / "out put"
    for part in PARTS:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        checkout.mkdir(exist_ok=True)
        copy(ROOT / part, checkout / part)
    before = sorted(checkout.rglob("*"))
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    environment = kept | {"PYTHONPATH": str(checkout), "PYTHONDONTWRITEBYTECODE": "1"}  # no HOME
    runner = [
        sys.executable,
        checkout / "tools" / "run_notebooks.py",
        "--profile",
        "quick",
        "--out",
        out,
        "01",
    ]
    result = alone(sys.executable, "-c", ALONE, checkout, *runner, env=environment)
    assert result.returncode == 0, result.stdout + result.stderr
    executed = nbformat.read(out / "notebooks" / "01_overfitting.ipynb", as_version=4)
    outputs = [
        output for cell in executed.cells if cell.cell_type == "code" for output in cell.outputs
    ]
    assert not [output for output in outputs if output.get("name") == "stderr"]
    assert (out / "claims" / "01_overfitting.json").exists()
    assert sorted(checkout.rglob("*")) == before
