#!/usr/bin/env bash
# Make or refresh the virtual environment:  tools/setup-venv.sh EXTRAS   (comma-separated extras, may be empty)
#
# Packages come from where pip is set up to take them, in the versions of constraints.txt. On Linux without an
# NVIDIA driver PyTorch's CPU index is added when pip has no source of its own; ICEFRONT_TORCH_INDEX=URL names
# another index, ICEFRONT_TORCH_INDEX= (empty) none.
set -euo pipefail

extras=${1-}
venv=${VENV:-.venv}

fail() { printf '\nicefront set-up: %s\n' "$*" >&2; exit 1; }

apt_install() { # apt_install WHY PACKAGE...: install Debian packages, or say how
  local why=$1; shift
  command -v apt-get >/dev/null || fail "$why; install the equivalent of: $*"
  [ "$(id -u)" = 0 ] || fail "$why; run: sudo apt-get install $*"
  echo "icefront set-up: $why; installing $*"
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null; } \
    || fail "$why, and apt-get could not install $*; check the network and the package sources"
}

is_recent() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
  local candidate
  for candidate in "${PYTHON:-}" python3.11 python3 python3.12 python3.13; do
    if [ -n "$candidate" ] && is_recent "$candidate"; then command -v "$candidate"; return; fi
  done
  return 1
}

if ! is_recent "$venv/bin/python"; then
  python=$(find_python) || { apt_install "Python 3.11 or later is missing" python3 python3-venv; python=$(find_python); } \
    || fail "no Python 3.11 or later found; install one and name it: make PYTHON=/path/to/python3 …"
  "$python" -c 'import ensurepip, venv' 2>/dev/null \
    || apt_install "Python's venv module is missing" "python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv"
  "$python" -m venv "$venv"
fi
pip="$venv/bin/python -m pip --disable-pip-version-check --no-input"

cpu_index=https://download.pytorch.org/whl/cpu
index=()
if [ -n "${ICEFRONT_TORCH_INDEX+set}" ]; then
  [ -z "$ICEFRONT_TORCH_INDEX" ] || index=(--extra-index-url "$ICEFRONT_TORCH_INDEX")
elif [ "$(uname -sm)" = "Linux x86_64" ] && ! command -v nvidia-smi >/dev/null; then
  sources=$($pip config list)
  if ! grep -qE 'index-url|find-links|no-index' <<<"$sources" \
     && "$venv/bin/python" -c 'import sys, urllib.request as u; u.urlopen(sys.argv[1] + "/torch/", timeout=10)' $cpu_index 2>/dev/null; then
    index=(--extra-index-url $cpu_index)
  fi
fi

echo "icefront set-up: installing into $venv (extras: ${extras:-none})"
$pip install --quiet -c constraints.txt "${index[@]}" -e ".${extras:+[$extras]}" \
  || fail "pip could not install the packages (its message is above). They come from PyPI unless pip is set up otherwise;
without a network, put the wheels of constraints.txt in a folder and set PIP_FIND_LINKS=FOLDER PIP_NO_INDEX=1"

check() { "$venv/bin/python" -c 'import rasterio, pyogrio, torch, numba, scipy.linalg' 2>&1 >/dev/null; }
if ! message=$(check); then
  case $message in
    *libexpat*) apt_install "the wheels need libexpat" libexpat1 ;;
    *libgomp*) apt_install "the wheels need libgomp" libgomp1 ;;
    *libstdc++*) apt_install "the wheels need libstdc++" libstdc++6 ;;
  esac
  message=$(check) || fail "the packages are installed but do not load: $(tail -n 1 <<<"$message")"
fi
