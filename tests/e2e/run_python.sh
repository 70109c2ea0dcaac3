#!/bin/sh
# Runs a Python test with Debian's interpreter, which has grpcio: run_python.sh TEST.py [ARG...]
# The harness is found from every folder that has such tests.
set -eu
PYTHONPATH=tests/e2e exec /usr/bin/python3 -B "$@"
