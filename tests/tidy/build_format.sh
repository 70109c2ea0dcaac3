#!/bin/sh
# buildifier over every BUILD and .bzl file; prints what it would change.
set -eu
cd "$1"
# shellcheck disable=SC2046
exec tests/tidy/node_modules/.bin/buildifier -mode=diff -lint=off \
  $(git -c safe.directory='*' ls-files -co --exclude-standard WORKSPACE '*.bazel' '*.bzl')
