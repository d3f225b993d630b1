#!/usr/bin/env bash
# What the tests of tests/server and tests/real need: PostgreSQL with PostGIS, nginx, stac-fastapi on pgstac in a
# virtual environment of its own, and Azurite (npm) in a folder of its own. Runs as often as you like. What cannot be had is named, with the command that
# gets it; the tests which need it are then skipped with that reason.
#
#   tests/server/setup.sh          install what is missing (system packages only as root)
#   tests/server/setup.sh --check  only say what is missing
set -uo pipefail
cd "$(dirname "$0")/../.."

venv=${PGSTAC_VENV:-.venv-pgstac}
azurite=${AZURITE_FOLDER:-.azurite}
azurite_version=3.35.0
constraints=tests/server/constraints-pgstac.txt
packages=(postgresql-15 postgresql-15-postgis-3 nginx-light)
check_only=${1:-}

say() { echo "icefront set-up: $*"; }

missing_programs() {
  compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || echo postgresql
  compgen -G '/usr/share/postgresql/*/extension/postgis.control' >/dev/null || echo postgis
  command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] || echo nginx
}

install_packages() {
  local policy=/usr/sbin/policy-rc.d conf=/etc/postgresql-common/createcluster.conf added=() status
  # The packages must not start services of their own, nor make a database cluster.
  if [ ! -e $policy ]; then printf '#!/bin/sh\nexit 101\n' >$policy; chmod +x $policy; added+=("$policy"); fi
  if [ ! -e $conf ]; then mkdir -p "${conf%/*}"; echo 'create_main_cluster = false' >$conf; added+=("$conf"); fi
  DEBIAN_FRONTEND=noninteractive apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
         -o Dpkg::Options::=--force-confold "${packages[@]}" >/dev/null
  status=$?
  [ ${#added[@]} = 0 ] || rm -f "${added[@]}"
  return $status
}

missing=$(missing_programs | tr '\n' ' ')
if [ -n "$missing" ]; then
  if [ "$check_only" = --check ]; then
    say "missing: $missing"
  elif ! command -v apt-get >/dev/null; then
    say "missing: $missing(no apt-get here; install PostgreSQL, PostGIS and nginx by your system's means)"
  elif [ "$(id -u)" != 0 ]; then
    say "missing: $missing(run: sudo apt-get install ${packages[*]})"
  else
    say "installing ${packages[*]}"
    install_packages || say "apt-get could not install ${packages[*]}; check the network and the package sources"
  fi
fi

stamp=$venv/.constraints
if ! cmp -s "$constraints" "$stamp"; then
  if [ "$check_only" = --check ]; then
    say "missing: $venv with stac-fastapi on pgstac"
  else
    python=$(command -v "${VENV:-.venv}/bin/python" || command -v python3) || { say "no python3 for $venv"; exit 1; }
    say "installing stac-fastapi on pgstac into $venv"
    rm -rf "$venv"
    if "$python" -m venv "$venv" \
       && "$venv/bin/python" -m pip --disable-pip-version-check --no-input install --quiet -r "$constraints"; then
      cp "$constraints" "$stamp"
    else
      rm -rf "$venv"
      say "$venv could not be made (the message is above); it needs Python's venv module and PyPI, or PIP_FIND_LINKS"
    fi
  fi
fi

if [ ! -x "$azurite/node_modules/.bin/azurite-blob" ]; then
  if [ "$check_only" = --check ]; then
    say "missing: $azurite with Azurite"
  elif ! command -v npm >/dev/null; then
    say "missing: Azurite (needs Node.js with npm; Debian: sudo apt-get install nodejs npm)"
  else
    say "installing Azurite into $azurite"
    mkdir -p "$azurite"
    echo '{"private": true}' >"$azurite/package.json"
    (cd "$azurite" && npm install --silent --no-audit --no-fund "azurite@$azurite_version") \
      || { rm -rf "$azurite"; say "npm could not install azurite@$azurite_version; check the network and npm's registry"; }
  fi
fi

[ -z "$(missing_programs)" ] && cmp -s "$constraints" "$stamp"
