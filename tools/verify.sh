#!/bin/sh
# Execute the committed notebooks with nbval and compare the cells tagged nbval-check-output: verify.sh PYTHON.
set -eu
set -- "$1" notebooks/[0-9][0-9]_*.ipynb
if [ ! -e "$2" ]; then
    echo "Nothing to verify: there is no notebook in notebooks/." >&2
    exit 1
fi
python=$1
shift
# What the notebooks write goes to build/, never to results/; the user's IPython start-up files are left out.
GENERALIZE_OUT=$(pwd)/build/verify
IPYTHONDIR=$GENERALIZE_OUT/ipython
mkdir -p "$IPYTHONDIR"
export GENERALIZE_OUT IPYTHONDIR
unset MPLBACKEND JUPYTER_PATH
# The notebooks are judged, not nbval's own code: its warnings are no errors.
exec "$python" -m pytest --nbval-lax --nbval-current-env --nbval-cell-timeout=1800 -o filterwarnings=default "$@"
