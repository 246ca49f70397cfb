#!/bin/sh
# Builds worker.wasm. Needs python3 with venv; componentize-py is put into .tools.
set -eu
cd "$(dirname "$0")"
if [ ! -x .tools/bin/componentize-py ]; then
    python3 -m venv .tools
    .tools/bin/python -m pip install --quiet --disable-pip-version-check --only-binary :all: --no-deps -r requirements.txt
fi
PYTHONDONTWRITEBYTECODE=1 .tools/bin/componentize-py -d wit -w codegen componentize app -o worker.wasm
