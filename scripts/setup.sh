#!/usr/bin/env bash
# Installs and starts what Slipway and its tests use. Run as root on Debian it installs what is missing (not with
# SLIPWAY_NO_INSTALL=1); elsewhere it says what is missing, and the tests that need it are skipped. Safe to repeat.
#
#   setup.sh           all that the tests use
#   setup.sh engine    what `npm start` wants: an engine, Compose, Git, Subversion
#   setup.sh demo      what `npm run demo` wants besides: a registry, and a busybox to make images of
set -euo pipefail
cd "$(dirname "$0")/.."
goal=${1:-tests}

# goal, program (or a file that tells as well) and the Debian package it comes in
parts='engine dockerd docker.io
engine docker docker.io
engine docker-compose docker-compose
engine git git
engine svn subversion
demo docker-registry docker-registry
demo busybox busybox-static
tests htpasswd apache2-utils
tests apache2 apache2
tests /usr/lib/apache2/modules/mod_dav_svn.so libapache2-mod-svn
tests sshd openssh-server
tests redis-server redis-server
tests chromium chromium
tests ip iproute2
tests debootstrap debootstrap'
case $goal in
  engine) parts=$(grep '^engine' <<<"$parts") ;;
  demo) parts=$(grep -v '^tests' <<<"$parts") ;;
  tests) ;;
  *) echo "setup.sh: $goal? Use: setup.sh [engine|demo|tests]" >&2; exit 2 ;;
esac
PATH=$PATH:/usr/sbin:/sbin

missing() {
  while read -r _ program package; do
    case $program in
      /*) [ -e "$program" ] ;;
      *) command -v "$program" >/dev/null ;;
    esac || echo "$package"
  done <<<"$parts" | sort -u
}
may_install() { [ "$(id -u)" = 0 ] && [ "${SLIPWAY_NO_INSTALL:-}" != 1 ] && command -v apt-get >/dev/null; }
engine_answers() { docker info >/dev/null 2>&1; }

install_missing() {
  local packages
  mapfile -t packages < <(missing)
  [ ${#packages[@]} -gt 0 ] && may_install || return 0
  echo "installing ${packages[*]}"
  export DEBIAN_FRONTEND=noninteractive
  # Packages must not start services of their own here.
  local policy=/usr/sbin/policy-rc.d
  [ -e $policy ] || { printf '#!/bin/sh\nexit 101\n' >$policy && chmod +x $policy && trap "rm -f $policy" EXIT; }
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
}

start_engine() {
  command -v dockerd >/dev/null && [ "$(id -u)" = 0 ] && [ -z "${DOCKER_HOST:-}" ] || return 0
  engine_answers && return 0
  local log=/var/log/slipway-dockerd.log pid
  pid=$(cat /var/run/docker.pid 2>/dev/null || true)
  # One that was killed leaves its pid file, which keeps the next from starting.
  if [ -n "$pid" ] && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" != dockerd ]; then rm -f /var/run/docker.pid; fi
  echo 'starting dockerd'
  setsid nohup dockerd >"$log" 2>&1 </dev/null &
  for _ in $(seq 300); do
    engine_answers && return 0
    sleep 0.2
  done
  echo "dockerd does not answer; the end of $log:" >&2
  tail -n 20 "$log" >&2
  return 1
}

make_base_image() {
  engine_answers || return 0
  docker image inspect busybox:1.36 >/dev/null 2>&1 && return 0
  docker pull -q busybox:1.36 2>/dev/null || { command -v busybox >/dev/null && scripts/base-image.sh busybox:1.36; }
}

# The first line of what a program says about its version.
version() { { "$@" 2>/dev/null || true; } | sed -n 1p; }
line() { printf '  %-16s %s\n' "$1" "$2"; }
part() { # NAME PROGRAM [ARG...]
  if command -v "$2" >/dev/null; then line "$1" "$(version "${@:2}")"; else line "$1" missing; fi
}

report() {
  line node "$(node --version)"
  if engine_answers; then line engine "$(docker version -f '{{.Server.Version}}')"; else line engine 'no answer'; fi
  part docker docker --version
  if docker compose version >/dev/null 2>&1; then part compose docker compose version; else part compose docker-compose --version; fi
  part registry docker-registry --version
  part git git --version
  part subversion svn --version
  part apache apache2 -v
  part ssh sh -c "ssh -V 2>&1"
  part redis redis-server --version
  part chromium chromium --version
  part htpasswd sh -c 'command -v htpasswd'
  part busybox busybox
  part iproute2 ip -V
  part debootstrap debootstrap --version
  if docker image inspect busybox:1.36 >/dev/null 2>&1; then line base-image busybox:1.36; else line base-image missing; fi
}

install_missing
start_engine
[ "$goal" = tests ] || exit 0
make_base_image
report
left=$(missing | paste -sd' ')
[ -z "$left" ] || echo "missing packages: $left (tests that need them are skipped; with CI=true they fail)"
