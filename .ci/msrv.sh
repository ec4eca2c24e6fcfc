#!/usr/bin/env bash
# Prints the path of a rustc of the version that Cargo.toml promises, for `RUSTC=… cargo check`.
#
# Takes rustup's toolchain of that version where there is one. Otherwise unpacks Debian's rustc-web, with its standard
# library and LLVM, into PREFIX; nothing is installed. Exits 77 with the reason on stderr where neither can be had.
#
#   usage: .ci/msrv.sh PREFIX VERSION
set -euo pipefail
mkdir -p "$1"
prefix=$(cd "$1" && pwd)
version=$2

if command -v rustup >/dev/null && rustup run "$version" rustc -V >/dev/null 2>&1; then
  rustup which --toolchain "$version" rustc
  exit
fi
if [ ! -x "$prefix/rustc" ]; then
  command -v apt-get >/dev/null || { echo "no rustup toolchain $version and no apt-get" >&2; exit 77; }
  # Every reader below reads to the end: one that stops early kills its writer, which `pipefail` takes for a failure.
  packaged() { apt-cache madison rustc-web | awk -v want="$version." 'index($3, want) == 1 && !n++ { print $3 }'; }
  deb=$(packaged)
  [ -n "$deb" ] || { apt-get update -qq >&2 || true; deb=$(packaged); }
  [ -n "$deb" ] || { echo "no rustup toolchain $version and no package rustc-web $version" >&2; exit 77; }
  llvm=$(apt-cache show "rustc-web=$deb" "libstd-rust-web-$version=$deb" | grep -o 'libllvm[0-9]*' | sort -u | tail -n 1)
  rm -rf "$prefix/debs" "$prefix/root"
  mkdir -p "$prefix/debs"
  (cd "$prefix/debs" && apt-get download -qq "rustc-web=$deb" "libstd-rust-web-dev=$deb" "libstd-rust-web-$version=$deb" "$llvm" >&2)
  for package in "$prefix"/debs/*.deb; do dpkg-deb -x "$package" "$prefix/root"; done
  rm -rf "$prefix/debs"
  cat > "$prefix/rustc" <<WRAPPER
#!/bin/sh
LD_LIBRARY_PATH=$prefix/root/usr/lib/$(uname -m)-linux-gnu exec $prefix/root/usr/bin/rustc "\$@"
WRAPPER
  chmod +x "$prefix/rustc"
fi
"$prefix/rustc" -V >&2
echo "$prefix/rustc"
