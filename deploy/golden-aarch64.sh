#!/usr/bin/env bash
# Compares the bits of the sound engine on ARM64 with those that the repository fixes: on an ARM64 machine directly,
# elsewhere cross-compiled and under qemu-aarch64.
#
# Elsewhere it needs: rustup target add aarch64-unknown-linux-gnu; on Debian: gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user
set -euo pipefail
cd "$(dirname "$0")/.."
target=aarch64-unknown-linux-gnu
if [ "$(uname -m)" != aarch64 ]; then
  export CARGO_BUILD_TARGET=$target
  export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
  export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64 -L /usr/aarch64-linux-gnu"
  export CC_aarch64_unknown_linux_gnu=aarch64-linux-gnu-gcc
fi
cargo test --locked -p mixdown-dsp --test golden --test example --test math --test simd
