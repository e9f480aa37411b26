#!/bin/sh
# Build the environment: make_env.sh DIR [PYTHON]. Done again only when the lock or the checkout has changed.
# DIR/.ready holds what it was built from and is written last; DIR/.incomplete stands while packages are installed,
# so an interrupted set-up is recognised and started again.
set -eu

dir=$1
wanted=${2:-}
case $wanted in "~/"*) wanted=$HOME/${wanted#"~/"} ;; esac # one command or path, spaces and all
here=$(pwd)
needs="Python 3.11, 3.12 or 3.13 (TensorFlow 2.21 has no wheel for other versions)"

say() { printf '%s\n' "$*" >&2; }

locked=pyproject.toml # on other platforms the ranges are what is installed
[ "$(uname -s) $(uname -m)" != "Linux x86_64" ] || locked=requirements.txt
state="$here $(cksum "$locked")"
runs() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1; }

if [ -f "$dir/.ready" ] && [ "$(cat "$dir/.ready")" = "$state" ] && runs "$dir/bin/python"; then
    exit 0
fi

if [ -e "$dir" ] && [ ! -f "$dir/pyvenv.cfg" ] && [ ! -f "$dir/.incomplete" ] && [ -n "$(ls -A "$dir")" ]; then
    say "$dir exists and is not a virtual environment: name another folder with VENV=DIR."
    exit 1
fi

if [ -f "$dir/.incomplete" ] || ! runs "$dir/bin/python" || ! "$dir/bin/python" -m pip --version >/dev/null 2>&1; then
    # A command on the PATH may be a shim that fails when run: only one that runs counts.
    chosen= bare=
    if [ -n "$wanted" ]; then set -- "$wanted"; else set -- python3.13 python3.12 python3.11 python3 python; fi
    for python in "$@"; do
        runs "$python" || continue
        if "$python" -c 'import venv, ensurepip' >/dev/null 2>&1; then
            chosen=$python
            break
        fi
        bare=$python
    done
    if [ -z "$chosen" ] && [ -n "$bare" ]; then
        version=$("$bare" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        say "$bare is Python $version, but without the modules venv and ensurepip that build an environment."
        say "Install them (Debian, Ubuntu: apt install python$version-venv), or name another with PYTHON=COMMAND."
        exit 1
    elif [ -z "$chosen" ] && [ -n "$wanted" ]; then
        say "PYTHON=$wanted does not run or has another version. Needed: $needs."
        exit 1
    elif [ -z "$chosen" ]; then
        say "No suitable Python found on the PATH. Needed: $needs. Install one, or name it with PYTHON=COMMAND."
        exit 1
    fi
    say "Building $dir with $("$chosen" -V)"
    mkdir -p "$dir"
    : >"$dir/.incomplete"
    "$chosen" -m venv --clear "$dir"
fi

rm -f "$dir/.ready"
: >"$dir/.incomplete"
pip() { "$dir/bin/python" -m pip -qq --no-input "$@"; } # errors only
if [ "$locked" = requirements.txt ]; then
    say "Installing the pinned packages (one to five minutes, about 2 GB)"
    pip install --require-hashes --only-binary :all: -r requirements.txt
    pip install --no-deps --no-build-isolation -e .
else
    say "The lock holds for Linux x86-64 only: installing by the ranges in pyproject.toml"
    pip install -e ".[test]"
fi
pip check
printf '%s\n' "$state" >"$dir/.ready"
rm -f "$dir/.incomplete"
say "Ready: $dir"
