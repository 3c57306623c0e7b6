# Sourced by deploy/up, test/run and test/verify: gets a machine ready, each step only when it is needed.
# Everything is written to stderr, so that callers keep stdout for results.

say() { printf '%s\n' "$*" >&2; }
fail() { say "ikada: $*"; exit 1; }

# Debian packages by name; elsewhere says what to install.
install_packages() {
  if [ "$(uname -s)" = Linux ] && command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    say "installing Debian packages: $*"
    local log; log=$(mktemp)
    if ! { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@"; } >"$log" 2>&1; then
      tail -n 20 "$log" >&2
      fail "apt-get could not install $*: the lines above say why"
    fi
    rm -f "$log"
  else
    fail "please install $* with your system's package manager (as root) and run this again"
  fi
}

setup_node() {
  command -v node >/dev/null || fail "Node.js 20.19 or newer is needed: https://nodejs.org"
  node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' \
    || fail "Node.js 20.19 or newer is needed, this is $(node --version)"
  # rocksdb-native links against libatomic, which slim images lack.
  if [ "$(uname -s)" = Linux ] && ! ldconfig -p 2>/dev/null | grep -q libatomic.so.1; then install_packages libatomic1; fi
}

# node_modules follows the lock file, told by a stamp of its hash.
setup_modules() {
  local wanted; wanted=$(node -e 'const c=require("crypto").createHash("sha256");c.update(require("fs").readFileSync("package-lock.json"));console.log(c.digest("hex"))')
  [ "$(cat node_modules/.ikada-lock 2>/dev/null)" = "$wanted" ] && return
  say "installing npm packages"
  npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2 || fail "npm ci failed: the lines above say why"
  printf '%s' "$wanted" >node_modules/.ikada-lock
}

setup_build() {
  say "building"
  node proto/generate.mjs >&2 && node node_modules/typescript/bin/tsc -b >&2 || fail "the build failed: the lines above say where"
}

engine_answers() { docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

# A Docker engine at the default socket. Where no service manager runs one, dockerd is started here, with its log in $1.
setup_engine() {
  engine_answers && return
  command -v dockerd >/dev/null || install_packages docker.io iptables
  engine_answers && return
  if [ -d /run/systemd/system ]; then systemctl start docker >&2 || fail "systemctl start docker failed: see journalctl -u docker"; else
    [ "$(id -u)" = 0 ] || fail "no Docker engine answers, and only root can start one: start Docker and run this again"
    say "starting dockerd (log: $1)"
    # A crashed engine leaves its pid file behind; dockerd refuses to start over one whose number is in use again.
    if [ -f /var/run/docker.pid ] && ! grep -qs dockerd "/proc/$(cat /var/run/docker.pid)/comm"; then rm -f /var/run/docker.pid; fi
    setsid dockerd >"$1" 2>&1 </dev/null &
    printf '%s' "$!" >"$engine_pid_file"
  fi
  local tries
  for tries in $(seq 1 120); do engine_answers && return; sleep 0.25; done
  fail "the Docker engine did not answer within 30 s: see $1"
}

# Stops the engine that setup_engine started, once it has no container left. One that was there before stays.
engine_pid_file=/var/run/ikada-dockerd.pid
release_engine() {
  local pid; pid=$(cat "$engine_pid_file" 2>/dev/null) || return 0
  if grep -qs dockerd "/proc/$pid/comm"; then
    engine_answers && [ -n "$(docker ps --all --quiet)" ] && return 0
    say "stopping dockerd, which was started for this"
    kill "$pid"
    local tries
    for tries in $(seq 1 120); do [ -d "/proc/$pid" ] || break; sleep 0.25; done
  fi
  rm -f "$engine_pid_file"
}
