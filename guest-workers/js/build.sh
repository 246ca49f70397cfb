#!/bin/sh
# Builds worker.wasm on QuickJS. Needs node and npm.
set -eu
cd "$(dirname "$0")"
[ -x node_modules/.bin/componentize-qjs ] || npm install --ignore-scripts --no-audit --no-fund --silent
node_modules/.bin/componentize-qjs --sync --world codegen --wit wit --js worker.js -o worker.wasm
