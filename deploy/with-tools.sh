#!/usr/bin/env bash
# Runs a command with the tools that deploy/setup.sh unpacked on its paths. usage: deploy/with-tools.sh COMMAND ...
set -euo pipefail
cache=$(cd "$(dirname "$0")/.." && pwd)/.cache
debian=$cache/debian
if [ -d "$cache/lint/bin" ]; then PATH=$PATH:$cache/lint/bin; fi
if [ -d "$debian" ]; then
  for bin in "$debian"/usr/lib/postgresql/*/bin "$debian/usr/bin"; do
    if [ -d "$bin" ]; then PATH=$PATH:$bin; fi
  done
  for lib in "$debian"/usr/lib/*-linux-gnu "$debian"/usr/lib/*-linux-gnu/*/ "$debian"/lib/*-linux-gnu; do
    if [ -d "$lib" ]; then LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}${lib%/}; fi
  done
  export LD_LIBRARY_PATH
fi
export PATH
exec "$@"
