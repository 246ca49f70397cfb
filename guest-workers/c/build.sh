#!/bin/sh
# Builds worker.wasm. Needs cargo for the bindings, and Zig for the compiler: $ZIG, `zig`, or the one of PyPI, which is put into .tools.
set -eu
cd "$(dirname "$0")"
if [ -z "${ZIG:-}" ]; then
    if command -v zig >/dev/null; then
        ZIG=zig
    else
        [ -x .tools/bin/python ] || python3 -m venv .tools
        .tools/bin/python -m pip install --quiet --disable-pip-version-check --only-binary :all: --no-deps -r requirements.txt
        ZIG=".tools/bin/python -m ziglang"
    fi
fi
mkdir -p bindings
cargo run --quiet --release --locked --manifest-path bindgen/Cargo.toml --target-dir "${CARGO_TARGET_DIR:-target}" -- wit codegen bindings
# $ZIG may be several words.
$ZIG cc -target wasm32-wasi -mexec-model=reactor -Oz -s -I bindings \
    worker.c bindings/codegen.c bindings/codegen_component_type.o -o bindings/worker.wasm
"${AB:-ab}" worker pack bindings/worker.wasm --out worker.wasm
