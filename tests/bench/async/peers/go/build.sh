#!/usr/bin/env bash
# Builds gobench into $B (golang-go).
set -euo pipefail
: "${B:?the folder for the program}"
cd "$(dirname "$0")"
GO111MODULE=off go build -o "$B/gobench" main.go
