#!/usr/bin/env bash
# Builds tokiobench into $B, with $W as scratch, from Debian's sources (librust-tokio-dev) and any
# cargo; nothing is downloaded.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
: "${B:?the folder for the program}" "${W:?a folder to build in}"
sources=/usr/share/cargo/registry
ls -d "$sources"/tokio-[0-9]* >/dev/null 2>&1 || { echo "librust-tokio-dev is not installed"; exit 1; }
mkdir -p "$W/.cargo" "$W/src"
cp "$here/Cargo.toml" "$W/"
cp "$here/src/main.rs" "$W/src/"
cat >"$W/.cargo/config.toml" <<END
[source.crates-io]
replace-with = "debian"
[source.debian]
directory = "$sources"
[net]
offline = true
END
cd "$W"
cargo build --quiet --release --offline
cp target/release/tokiobench "$B/"
