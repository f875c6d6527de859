#!/usr/bin/env bash
# Installs what demo, test and lint need and this machine lacks.
# usage: deploy/setup.sh postgres|ffmpeg|flac|python|faketime|qemu|valgrind|chromium|ceph|network|lint ...
#
# As root with apt; otherwise the Debian packages are unpacked into .cache/debian, which deploy/with-tools.sh puts on the paths.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=$PWD/.cache
mkdir -p "$cache"

missing=()
need() {
  deploy/with-tools.sh sh -c "command -v $1" > /dev/null 2>&1 || missing+=("$2")
}
need_postgres() {
  compgen -G '/usr/lib/postgresql/*/bin/initdb' > /dev/null || need initdb postgresql
}
need_python() {
  need python3 python3
  python3 -c 'import ensurepip' 2> /dev/null || missing+=(python3-venv)
}

for what in "$@"; do
  case $what in
    postgres) need_postgres ;;
    ffmpeg)
      need ffmpeg ffmpeg
      need sox sox
      need lame lame
      need oggenc vorbis-tools
      need opusenc opus-tools
      ;;
    flac) need flac flac ;;
    python) need_python ;;
    faketime) need faketime faketime ;;
    qemu) need qemu-x86_64 qemu-user ;;
    valgrind) need valgrind valgrind ;;
    chromium)
      need_python
      need chromium chromium
      need chromedriver chromium-driver
      ;;
    # Unpacked below, never installed: its packages would set up services.
    ceph) ;;
    # Only root can make network namespaces; others do without.
    network)
      if [ "$(id -u)" = 0 ]; then
        need ip iproute2
        need nft nftables
      fi
      ;;
    lint)
      need_python
      need kubectl kubernetes-client
      ;;
    *)
      echo "setup.sh: unknown: $what" >&2
      exit 2
      ;;
  esac
done

apt_as_root() {
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -q
  apt-get install -y -q --no-install-recommends "$@"
}

# Everything that apt would install is downloaded and unpacked into a folder; nothing outside .cache changes.
apt_as_user() {
  local apt=$cache/apt into=$1 packages
  shift
  mkdir -p "$apt/lists/partial" "$apt/archives/partial" "$into"
  local options=(-q -o "Dir::State::lists=$apt/lists" -o "Dir::Cache=$apt" -o Debug::NoLocking=1)
  apt-get "${options[@]}" update
  packages=$(apt-get "${options[@]}" install -s --no-install-recommends "$@" | awk '/^Inst/ { print $2 }')
  # shellcheck disable=SC2086 # a list of package names
  (cd "$apt/archives" && apt-get "${options[@]}" download $packages)
  for package in "$apt"/archives/*.deb; do
    dpkg -x "$package" "$into"
    rm "$package"
  done
}

if [ ${#missing[@]} -gt 0 ]; then
  echo "installing: ${missing[*]}" >&2
  if [ "$(id -u)" = 0 ]; then apt_as_root "${missing[@]}" >&2; else apt_as_user "$cache/debian" "${missing[@]}" >&2; fi
fi

# A virtual environment with exactly the packages of a requirements file; made again when the file changes.
venv() {
  local name=$1 requirements=$2
  if cmp -s "$requirements" "$cache/$name/.requirements"; then return; fi
  rm -rf "${cache:?}/$name"
  deploy/with-tools.sh python3 -m venv "$cache/$name"
  "$cache/$name/bin/pip" install -q --disable-pip-version-check -r "$requirements" >&2
  cp "$requirements" "$cache/$name/.requirements"
}

for what in "$@"; do
  case $what in
    ceph)
      if [ ! -e "$cache/ceph/.complete" ]; then
        apt_as_user "$cache/ceph" radosgw ceph-mon ceph-osd >&2
        touch "$cache/ceph/.complete"
      fi
      ;;
    python) venv python tests/requirements.txt ;;
    lint) venv lint deploy/lint-requirements.txt ;;
  esac
done
