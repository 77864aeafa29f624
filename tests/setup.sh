#!/usr/bin/env bash
# Installs what building and testing Tyr needs, by package name. Quick when
# everything is there.
#
#   tests/setup.sh [STEP…]     build, check, vm, agents; all of them by default.
#                              only when named: compat, for `make test-compat`;
#                              package, for `make deb` and `make rpm`; release,
#                              for `make release`; debian, for `make test-package`
#
# Debian's packages are installed on the machine, with sudo when not root. The
# rest goes to .cache (or $TYR_CACHE), which may be deleted at any time.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd -P)
cache=$(realpath -m "${TYR_CACHE:-$root/.cache}")
python=/usr/bin/python3
virtme_ng=1.42
cargo_deny=0.20.2
cargo_deb=3.8.0
cargo_cyclonedx=0.5.9
# Both carry the schemas that they check against.
release_checks="cyclonedx-python-lib[json-validation]==11.12.0 kubernetes-validate==1.34.1"

say() { printf 'setup: %s\n' "$*"; }

fail() {
    printf 'setup: %s\n' "$1" >&2
    exit 1
}

as_root() {
    if ((EUID == 0)); then
        "$@"
    else
        command -v sudo >/dev/null || fail "run as root, or install sudo, to run: $*"
        sudo "$@"
    fi
}

apt_get() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq \
        -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@"
}

# Refreshes the package lists once a run.
apt_update() {
    [[ -z ${apt_updated:-} ]] || return 0
    apt_get update
    apt_updated=yes
}

# packages NAME…: installs those that are missing.
packages() {
    local missing=() name status
    command -v dpkg-query >/dev/null || fail "this needs Debian 12 or newer; install the like of: $*"
    for name in "$@"; do
        status=$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null) || true
        [[ $status == installed ]] || missing+=("$name")
    done
    ((${#missing[@]})) || return 0
    say "installing ${missing[*]}"
    apt_update
    apt_get install -y --no-install-recommends "${missing[@]}" >/dev/null
}

# once NAME CONTENT COMMAND…: runs COMMAND unless it has run for this CONTENT.
once() {
    local stamp=$cache/stamps/$1 content=$2
    shift 2
    [[ -f $stamp && $(<"$stamp") == "$content" ]] && return 0
    "$@"
    mkdir -p "$cache/stamps"
    printf '%s\n' "$content" >"$stamp"
}

step_build() {
    command -v cargo >/dev/null || fail "no cargo: install Rust 1.89 or newer, then run this again"
    packages build-essential ca-certificates clang libelf-dev llvm pkg-config \
        protobuf-compiler zlib1g-dev
    install_postgresql
}

# The server's programs only: tests and `tyr server` start their own.
install_postgresql() {
    compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null && return 0
    packages postgresql-common
    as_root sed -i 's/^#\?create_main_cluster.*/create_main_cluster = false/' \
        /etc/postgresql-common/createcluster.conf
    packages postgresql
}

step_check() {
    cargo fmt --version >/dev/null 2>&1 || fail "no rustfmt: rustup component add rustfmt"
    cargo clippy --version >/dev/null 2>&1 || fail "no clippy: rustup component add clippy"
    # The shells that have completions, and what reads manual pages.
    packages bash fish iproute2 mandoc zsh
    if ! command -v cargo-deny >/dev/null; then
        say "building cargo-deny $cargo_deny"
        cargo install --quiet --locked "cargo-deny@$cargo_deny"
    fi
}

step_vm() {
    packages bpftool busybox-static file iproute2 kmod python3-venv qemu-system-x86 xz-utils
    install_qemu
    once virtme-ng "$virtme_ng $python" install_virtme_ng
    install_kernel 6.1 linux-image-amd64
    install_kernel 6.12 linux-image-6.12-amd64
    # The guest mounts the modules of its kernel here.
    [[ -d /lib/modules ]] || as_root mkdir -p /lib/modules
}

# QEMU before 8.1 may keep a translation of code that was changed while it translated it. Linux 6.1
# then stands still and 6.12 panics, now and then, while programs are attached. ("accel/tcg: Always
# lock pages before translation" mends it.) Where Debian's is older, that of its backports is
# unpacked. It is not installed: other users of the machine keep theirs.
install_qemu() {
    local apt codename package scratch site
    dpkg --compare-versions "$(dpkg-query -W -f '${Version}' qemu-system-x86)" lt 1:8.1 || return 0
    [[ ! -x $cache/qemu/usr/bin/qemu-system-x86_64 ]] || return 0
    codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    site=$(apt-get indextargets --format '$(REPO_URI)' \
        'Created-By: Packages' 'Component: main' "Codename: $codename" | head -n1)
    scratch=$(mktemp -d)
    chmod 0755 "$scratch"
    mkdir "$scratch/lists" "$scratch/packages"
    echo "deb $site $codename-backports main" >"$scratch/sources.list"
    apt=(apt-get -qq -o "Dir::Etc::SourceList=$scratch/sources.list" -o Dir::Etc::SourceParts=/dev/null
        -o "Dir::State::Lists=$scratch/lists" -o "Dir::Cache=$scratch/packages" -o APT::Sandbox::User=)
    say "unpacking a newer QEMU from $codename-backports"
    if "${apt[@]}" update 2>"$scratch/said" &&
        (cd "$scratch/packages" && "${apt[@]}" download qemu-system-x86 qemu-system-data 2>"$scratch/said"); then
        rm -rf "$cache/qemu" "$cache/qemu.new"
        for package in "$scratch"/packages/*.deb; do
            dpkg-deb -x "$package" "$cache/qemu.new"
        done
        mv "$cache/qemu.new" "$cache/qemu"
    else
        say "there is none, so a virtual machine may stop while programs are attached: $(tail -n1 "$scratch/said")"
    fi
    rm -rf "$scratch"
}

install_virtme_ng() {
    say "installing virtme-ng $virtme_ng"
    rm -rf "$cache/vng"
    "$python" -m venv "$cache/vng"
    "$cache/vng/bin/pip" --quiet --disable-pip-version-check install "virtme-ng==$virtme_ng"
}

# install_kernel NAME META: unpacks the kernel that META depends on. It is not
# installed: no hook runs and this machine never boots it.
install_kernel() {
    local name=$1 meta=$2 package scratch
    compgen -G "$cache/kernels/$name/lib/modules/*/modules.dep" >/dev/null && return 0
    apt_update
    package=$(apt-cache depends --important "$meta" |
        awk '$1 == "Depends:" && $2 ~ /^linux-image-[0-9]/ { print $2; exit }')
    [[ -n $package ]] || fail "no package $meta: add Debian's main and security archives to APT"
    say "unpacking $package"
    scratch=$(mktemp -d)
    (cd "$scratch" && apt-get -qq download "$package" 2>/dev/null) ||
        fail "cannot download $package: check APT's sources"
    rm -rf "$cache/kernels/$name"
    mkdir -p "$cache/kernels/$name"
    dpkg-deb -x "$scratch"/*.deb "$cache/kernels/$name"
    rm -rf "$scratch"
    PATH=$PATH:/usr/sbin depmod -b "$cache/kernels/$name" "${package#linux-image-}"
}

step_agents() {
    packages iproute2 python3-venv util-linux
    if ! command -v npm >/dev/null; then
        packages nodejs npm
    fi
    once npm "$(<"$root/tests/agents/npm.txt")" install_npm_agents
    once python "$(<"$root/tests/agents/python.txt") $python" install_python_agents
}

install_npm_agents() {
    local names
    mapfile -t names <"$root/tests/agents/npm.txt"
    say "installing ${names[*]}"
    rm -rf "$cache/agents/npm"
    mkdir -p "$cache/agents/npm"
    npm install --prefix "$cache/agents/npm" --no-audit --no-fund --no-save --loglevel=error "${names[@]}" >/dev/null
}

install_python_agents() {
    say "installing $(tr '\n' ' ' <"$root/tests/agents/python.txt")"
    rm -rf "$cache/agents/python"
    "$python" -m venv "$cache/agents/python"
    "$cache/agents/python/bin/pip" --quiet --disable-pip-version-check \
        install --requirement "$root/tests/agents/python.txt"
}

# What the compatibility checks run: tools that agents use, and suites of system calls.
step_compat() {
    local version
    packages python3
    version=$(/usr/bin/python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    packages bubblewrap build-essential gdb git iproute2 liburing-dev "libpython$version-testsuite" \
        patch perl python3-venv rsync strace stress-ng sudo util-linux
}

# What makes packages and looks into them.
step_package() {
    packages binutils cpio dpkg-dev lintian python3 rpm rpmlint strace util-linux
    if ! command -v cargo-deb >/dev/null; then
        say "building cargo-deb $cargo_deb"
        cargo install --quiet --locked "cargo-deb@$cargo_deb"
    fi
}

# The empty Debian that they are tried on.
step_debian() {
    packages debootstrap dpkg-dev e2fsprogs qemu-system-x86 util-linux
    install_qemu
    once debian "$(sha256sum <"$root/tests/package/debian.sh")" install_debian
}

install_debian() {
    say "making an empty Debian 12"
    as_root "$root/tests/package/debian.sh" "$cache/debian" >/dev/null
}

# What a release is made with besides its packages, and what looks at it.
step_release() {
    packages binutils podman python3-venv runc util-linux
    if ! command -v cargo-cyclonedx >/dev/null; then
        say "building cargo-cyclonedx $cargo_cyclonedx"
        cargo install --quiet --locked "cargo-cyclonedx@$cargo_cyclonedx"
    fi
    once release "$release_checks $python" install_release_checks
}

install_release_checks() {
    local names
    read -ra names <<<"$release_checks"
    say "installing ${names[*]}"
    rm -rf "$cache/release"
    "$python" -m venv "$cache/release"
    "$cache/release/bin/pip" --quiet --disable-pip-version-check install "${names[@]}"
}

mkdir -p "$cache"
(($#)) || set -- build check vm agents
for step in "$@"; do
    case $step in
    build | check | vm | agents | compat | package | debian | release) "step_$step" ;;
    *) fail "no step '$step': choose from build, check, vm, agents, compat, package, debian, release" ;;
    esac
done
