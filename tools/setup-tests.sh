#!/usr/bin/env bash
# System packages which some tests need: PostgreSQL, PostGIS and nginx (tests/server), Chromium (browser tests).
# What cannot be installed is named here, and the tests that need it are skipped with that reason.
set -euo pipefail

if [ -x tests/server/setup.sh ]; then
  tests/server/setup.sh || echo "icefront set-up: the servers could not be set up; the tests that need them are skipped"
fi

if ! command -v chromium >/dev/null; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null \
     && apt-get update -qq \
     && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null; then
    echo "icefront set-up: installed chromium"
  else
    echo "icefront set-up: chromium is missing (Debian: sudo apt-get install chromium fonts-dejavu-core); browser tests are skipped"
  fi
fi
