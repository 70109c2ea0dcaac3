#!/bin/sh
# Runs a checker over the source tree this test was built from: run_on_source.sh CHECKER [ARG...]
set -eu
root=$(dirname "$(readlink -f WORKSPACE)")
checker=$1
shift
case $checker in
  *.py) exec /usr/bin/python3 "$root/tests/tidy/$checker" "$root" "$@" ;;
  *) exec "$root/tests/tidy/$checker" "$root" "$@" ;;
esac
