#!/bin/sh
# Runs a Python test with Debian's interpreter, which has grpcio: run_python.sh TEST.py [ARG...]
set -eu
exec /usr/bin/python3 -B "$@"
