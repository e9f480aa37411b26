#!/bin/sh
# Add the extra "bench" of pyproject.toml (JAX and optax) to the environment: add_jax.sh PYTHON. Quick when it is there.
# What is installed already is a constraint, so no pinned package changes; without a network the benchmark runs without.
set -eu
python=$1
if "$python" -c 'import importlib.util as u, sys; sys.exit(not all(map(u.find_spec, ("jax", "optax"))))'; then
    exit 0
fi
mkdir -p build
"$python" -m pip --disable-pip-version-check freeze --exclude-editable >build/constraints.txt
"$python" - >build/bench.txt <<'EOF'
import pathlib, tomllib

project = tomllib.loads(pathlib.Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
print("\n".join(project["optional-dependencies"]["bench"]))
EOF
echo "Installing JAX and optax, for the benchmark only" >&2
"$python" -m pip -qq --no-input install --only-binary :all: -c build/constraints.txt -r build/bench.txt ||
    echo "JAX could not be installed (no network?): the benchmark runs without it." >&2
