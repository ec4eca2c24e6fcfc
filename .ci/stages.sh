# What .ci/run and .ci/deep share; they read it with `.`. It moves to the root of the project.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
# Tests panic on purpose by the thousand, and a sanitizer takes a second for the backtrace of each.
export CARGO_TERM_COLOR=never CARGO_INCREMENTAL=0 RUST_BACKTRACE=0
target=${CARGO_TARGET_DIR:-$PWD/target}
export CARGO_TARGET_DIR=$target
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
summary=()

# Ends the stage as one that could not run.
not_run() { echo "$*" > "$scratch/reason"; exit 77; }

# Passes if the command fails and its output holds the text: a check is worth something only if it can fail.
fails_with() {
  local text=$1; shift
  if "$@" > "$scratch/control" 2>&1; then
    echo "negative control: this should have failed: $*"; return 1
  fi
  grep -qF -- "$text" "$scratch/control" && return
  echo "negative control: failed without saying '$text': $*"; cat "$scratch/control"; return 1
}

# Installs a cargo subcommand. An unoptimised build of it is done sooner and fast enough.
cargo_tool() { command -v "$1" >/dev/null || cargo install --quiet --debug --locked "$1" || not_run "cannot install $1"; }

# Runs the tests that the arguments name, and fails if there were none.
some_tests() {
  "$@" 2>&1 | tee "$scratch/tests"
  grep -qE '^test result: ok\. [1-9]' "$scratch/tests" || { echo "no test ran"; return 1; }
}

# Fuzzes every target for so many seconds, from the kept inputs if there are any.
fuzz_for() {
  local names name kept
  cargo +nightly -V > /dev/null 2>&1 || not_run "no nightly toolchain"
  cargo_tool cargo-fuzz
  export CARGO_TARGET_DIR=$target/fuzz
  names=$(cargo +nightly fuzz list)
  [ -n "$names" ] || { echo "no fuzz target"; return 1; }
  # All at once, on all cores.
  cargo +nightly fuzz build
  for name in $names; do
    # New inputs go to the first folder.
    mkdir -p "$scratch/$name"
    echo "-- $name"
    kept=(); if [ -d "fuzz/corpus/$name" ]; then kept=("fuzz/corpus/$name"); fi
    cargo +nightly fuzz run "$name" "$scratch/$name" "${kept[@]}" -- -max_total_time="$1" -timeout=10 -print_final_stats=1
  done
}

# Debian's compiler, which has its own standard library's source beside it and so can build that for any target; and the
# packages given, which may name the number of its LLVM by `@`. Sets `llvm` to that number.
debian_rustc() {
  local packages
  command -v apt-get > /dev/null || not_run "no apt-get to install rustc-web with"
  export DEBIAN_FRONTEND=noninteractive
  if ! dpkg -s rustc-web rust-web-src > /dev/null 2>&1; then
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends rustc-web rust-web-src > "$scratch/apt" || not_run "cannot install rustc-web"
  fi
  llvm=$(/usr/bin/rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
  packages=("${@//@/$llvm}")
  if ! dpkg -s "${packages[@]}" > /dev/null 2>&1; then
    apt-get install -y -qq --no-install-recommends "${packages[@]}" > "$scratch/apt" || not_run "cannot install ${packages[*]}"
  fi
  export RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1
}

# Builds the bare-metal program for a target with the features given; sets `program` to its path.
build_for_board() {
  local triple=$1 upper=${1^^}; shift
  debian_rustc qemu-system-arm lld-@
  export CARGO_TARGET_DIR=$target/bare-metal "CARGO_TARGET_${upper//-/_}_LINKER=/usr/bin/ld.lld-$llvm"
  cargo build -Zbuild-std=core,alloc --release --target "$triple" --manifest-path tests/bare-metal/Cargo.toml "$@" || return
  program=$CARGO_TARGET_DIR/$triple/release/wakeful-bare-metal
}

# Runs the program built last on an emulated board, with the arguments given. One instruction takes 16 ns, however busy
# this machine is. Fails with `timed out` after two minutes, or as many seconds as `patience` says.
on_board() {
  local board=$1 arguments; shift
  arguments=$(printf ',arg=%s' wakeful "$@")
  timeout "${patience:-120}" qemu-system-arm -nographic -monitor none -serial null -machine "$board" -icount shift=4 \
    -semihosting-config "enable=on,target=native$arguments" -kernel "$program" || { [ $? != 124 ] || echo "timed out"; return 1; }
}

# Runs the stages named before `--`, or only those named behind it, and prints how they went. Fails if one failed.
stages() {
  local all=() chosen stage start status line failed=0 began=$SECONDS
  while [ "$1" != -- ]; do all+=("$1"); shift; done
  shift
  chosen=("${all[@]}")
  if [ $# -gt 0 ]; then chosen=("$@"); fi
  for stage in "${chosen[@]}"; do
    case " ${all[*]} " in *" $stage "*) ;; *) echo "no such stage: $stage; there are: ${all[*]}"; exit 2 ;; esac
  done
  for stage in "${chosen[@]}"; do
    echo "== $stage"
    start=$SECONDS
    # A subshell that is no part of a condition, so that `set -e` holds in the stage.
    (set -e; "$stage") < /dev/null 2>&1
    status=$?
    case $status in
      0) line="ok" ;;
      77) line="not run: $(cat "$scratch/reason")" ;;
      *) line="FAILED ($status)"; failed=$((failed + 1)) ;;
    esac
    line="$stage: $line, $((SECONDS - start)) s"
    echo "-- $line"
    summary+=("$line")
  done
  summary+=("${#chosen[@]} stages, $failed failed, $((SECONDS - began)) s")
  echo
  printf '%s\n' "${summary[@]}"
  [ "$failed" = 0 ]
}

# Writes to a file a line for each of the stages in `all`, of its last run, and of the stages named the figures that each has put
# into a file of its name: the lines that the pattern finds. What was not run now stays as it was.
keep_results() {
  local last=$1 pattern=$2 stage ran by; shift 2
  by="$(date +%F), $(rustc -V | cut -d' ' -f1,2), $(nproc) cores"
  touch "$last"
  {
    printf '# The last run of each stage of %s\n\n' "${last%.last.md}"
    for stage in "${all[@]}"; do
      if ran=$(printf '%s\n' "${summary[@]}" | grep "^$stage: "); then echo "- $ran ($by)"; else grep "^- $stage: " "$last"; fi
    done
    for stage in "$@"; do
      printf '\n## %s\n\n```text\n' "$stage"
      if [ -s "$scratch/$stage" ]; then
        grep -E "$pattern" "$scratch/$stage"
      else
        # The lines between the fences that follow this stage's heading.
        awk -v heading="## $stage" '$0 == heading { at = 1 } at && /^```/ { at++; next } at == 2' "$last"
      fi
      printf '```\n'
    done
  } > "$scratch/last"
  mv "$scratch/last" "$last"
}
