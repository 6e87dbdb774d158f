#!/bin/sh
# Installs what the tests need besides Python packages: a browser, `ip` for simulated hosts, and locales.
set -eu
missing=""
# Chromium without windows loads a page in two thirds of the time.
command -v chromium-headless-shell >/dev/null || command -v chromium >/dev/null || missing="$missing chromium-headless-shell"
command -v ip >/dev/null || missing="$missing iproute2"
[ ! -d /etc/apt ] || [ -e /usr/share/i18n/locales/en_US ] || missing="$missing locales"
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  # shellcheck disable=SC2086
  apt-get install -y -qq --no-install-recommends $missing >/dev/null
else
  echo "The tests need:$missing. Install what your system calls so, for instance as root: apt-get install$missing" >&2
fi
