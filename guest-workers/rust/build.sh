#!/bin/sh
# Builds worker.wasm. Needs cargo with the target: rustup target add wasm32-unknown-unknown
set -eu
cd "$(dirname "$0")"
cargo build --release --target wasm32-unknown-unknown --target-dir "${CARGO_TARGET_DIR:-target}"
"${AB:-ab}" worker pack "${CARGO_TARGET_DIR:-target}"/wasm32-unknown-unknown/release/worker.wasm --out worker.wasm
