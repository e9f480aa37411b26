#!/bin/sh
# Add the extra "site" of pyproject.toml to the environment: add_site.sh DIR. Quick when it is there.
# requirements-site.txt was resolved under requirements.txt, so no package that is there changes.
set -eu
dir=$1
locked=pyproject.toml # on other platforms the ranges are what is installed
[ "$(uname -s) $(uname -m)" != "Linux x86_64" ] || locked=requirements-site.txt
state=$(cksum "$locked")
if [ -f "$dir/.site" ] && [ "$(cat "$dir/.site")" = "$state" ]; then
    exit 0
fi
rm -f "$dir/.site"
pip() { "$dir/bin/python" -m pip -qq --no-input "$@"; } # errors only
echo "Installing Sphinx and what else the site needs (about 200 MB)" >&2
if [ "$locked" = requirements-site.txt ]; then
    pip install --require-hashes --only-binary :all: -r requirements-site.txt
else
    pip install -e ".[site]"
fi
pip check
printf '%s\n' "$state" >"$dir/.site"
