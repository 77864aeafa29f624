#!/usr/bin/env bash
# The static executable alone in an empty root: what it opens, and whether it installs itself there
# and takes itself back. Needs root.
#
#   tests/package/static.sh EXECUTABLE
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd -P)
tree=$(cd "$here/../.." && pwd -P)
executable=$(realpath "$1")
source "$here/root.sh"

passed=0
fail() {
    printf 'FAIL %s\n' "$1"
    [[ -z ${2:-} ]] || printf '%s\n' "$2" | head -n 40
    exit 1
}
ok() {
    printf 'ok   %s\n' "$1"
    passed=$((passed + 1))
}
# has TEXT WORD WHAT: the text has the word.
has() { [[ $1 == *"$2"* ]] || fail "$3: no '$2'" "$1"; }
# ended WITH WANTED WHAT TEXT: the exit status is the one wanted.
ended() { [[ $1 == "$2" ]] || fail "$3: exit $1, not $2" "$4"; }
# run COMMAND…: its output in $out, standard error too, its status in $status.
run() {
    status=0
    out=$("$@" 2>&1) || status=$?
}

root=$(empty_root "$executable")
scratch=$(mktemp -d "${TMPDIR:-/tmp}/tyr-static.XXXXXX")
trap 'rm -rf "$root" "$scratch"' EXIT

is_alone() {
    local kind headers
    headers=$(readelf --wide --program-headers --dynamic "$executable")
    kind=$(readelf --file-header "$executable" | sed -n 's/ *Type: *\([A-Z]*\).*/\1/p')
    [[ $kind == DYN ]] || fail "it is not position independent but $kind"
    ! grep -Eq 'INTERP|NEEDED' <<<"$headers" || fail "it asks for a loader or a library" "$headers"
    ok "static-pie, no loader, no library"
}

twice() {
    for _ in 1 2; do
        run inside "$root" /tyr doctor
        # Whether this kernel can enforce is not the question here.
        [[ $status == 0 || $status == 1 ]] || fail "doctor: exit $status" "$out"
        has "$out" kernel doctor
    done
    ok "doctor, twice"
    cp "$tree/packaging/policies/production-ai-agents.yaml" "$root/tmp/policy.yaml"
    printf 'kind: Nonsense\n' >"$root/tmp/wrong.yaml"
    for _ in 1 2; do
        run inside "$root" /tyr policy check /tmp/policy.yaml
        ended "$status" 0 "policy check" "$out"
        run inside "$root" /tyr policy check /tmp/wrong.yaml
        ended "$status" 65 "policy check of nonsense" "$out"
    done
    rm "$root"/tmp/*.yaml
    ok "policy check, twice"
}

# opened LOG: every file that was opened, looked at or connected to, without those of the kernel.
opened() {
    grep -oE '(open|openat|openat2|access|stat|newfstatat|statx|readlink|readlinkat|connect|execve)\([^"]*"[^"]*"' "$1" |
        sed -E 's/.*"([^"]*)"/\1/' | grep -Ev '^/(proc|sys|dev)(/|$)' | sort -u
}

# The names' sources of a host with everything: a static executable must load none of them.
names_are_looked_up_inside() {
    mkdir -p "$root/etc"
    printf 'hosts: mymachines resolve [!UNAVAIL=return] files myhostname wins dns\npasswd: sss systemd files\ngroup: sss systemd files\n' \
        >"$root/etc/nsswitch.conf"
    printf '127.0.0.9 known.test\n' >"$root/etc/hosts"
    printf 'nameserver 127.0.0.53\noptions timeout:1 attempts:1\n' >"$root/etc/resolv.conf"
    local name files strange log=$scratch/strace
    for name in known unknown; do
        TRACE="strace -f -qq -s 256 -e trace=%file,%network -o $log" \
            run inside "$root" /tyr login "https://$name.test:7701" --token none
        ended "$status" 69 "login to $name.test" "$out"
        files=$(opened "$log")
        # The exec by chroot itself comes first.
        strange=$(grep -Ev '^(/tyr|/|/etc/(hosts|resolv\.conf|nsswitch\.conf|host\.conf|gai\.conf|services|localtime)|/(var/)?run/nscd/socket)$' <<<"$files" |
            grep -Ev "^($root|/usr/sbin/chroot|/etc/ld\.so|/lib|/usr/lib)" || true)
        [[ -z $strange ]] || fail "looking up $name.test opened more" "$strange"
        # After the executable has started nothing of the host's C library may be asked for.
        strange=$(sed -n '/execve("\/tyr"/,$p' "$log" | grep -E '\.so|/lib|/usr' || true)
        [[ -z $strange ]] || fail "looking up $name.test asked for libraries" "$strange"
        if [[ $name == known ]]; then
            grep -q '127\.0\.0\.9' "$log" || fail "the file hosts was not read" "$out"
        else
            grep -q '127\.0\.0\.53' "$log" || fail "DNS was not asked" "$out"
        fi
    done
    printf '     opened: %s\n' "$(tr '\n' ' ' <<<"$files")"
    rm -r "$root/etc"
    ok "names come from /etc/hosts and DNS, and no library is loaded"
}

# A machine without time-zone files still has the hour of its own zone.
the_zone_is_known() {
    local hour
    hour=$(TZ=JST-9 date +%-H)
    mkdir -p "$root/etc"
    ln -s /usr/share/zoneinfo/Asia/Tokyo "$root/etc/localtime"
    cat >"$root/tmp/hour.yaml" <<YAML
apiVersion: tyr.dev/v1
kind: Policy
metadata:
  name: hour
spec:
  rules:
    - name: now-in-tokyo
      action: file_read
      resource_pattern: "/secret"
      verdict: deny
      severity: low
      condition: context.hour in [$hour, $(((hour + 1) % 24))]
YAML
    run inside "$root" /tyr policy explain -f /tmp/hour.yaml --agent-type claude-code --exe /bin/sh \
        --action file_read --resource /secret
    ended "$status" 0 "policy explain" "$out"
    has "$out" deny "the hour of Tokyo"
    rm -r "$root/etc" "$root/tmp/hour.yaml"
    ok "time zones without files of the host"
}

answer() { python3 -c 'import json,sys; a=json.load(sys.stdin); print(" ".join(sorted({s["action"] for s in a["steps"]})))'; }

# As in a system: root's own lines are there, and must be there afterwards.
seed() {
    mkdir -p "$root/etc"
    printf 'root:x:0:0:root:/root:/bin/sh\n' >"$root/etc/passwd"
    printf 'root:x:0:\n' >"$root/etc/group"
    printf 'root:*:19000::::::\n' >"$root/etc/shadow"
    chmod 640 "$root/etc/shadow"
    : >"$root/etc/.pwd.lock"
    chmod 600 "$root/etc/.pwd.lock"
}

it_installs_itself() {
    local before after
    seed
    before=$(listing "$root")
    run inside "$root" /tyr install --dry-run --output json
    ended "$status" 0 "install --dry-run" "$out"
    [[ $(answer <<<"$out") == create ]] || fail "a dry run in an empty root creates" "$out"
    [[ $(listing "$root") == "$before" ]] || fail "a dry run wrote something"
    run inside "$root" /tyr install
    ended "$status" 0 install "$out"
    for path in usr/local/bin/tyr usr/local/bin/tyrd etc/systemd/system/tyrd.service etc/tyr/daemon.yaml; do
        [[ -e $root/$path || -L $root/$path ]] || fail "no $path" "$out"
    done
    local tyr number
    tyr=$(grep '^tyr:' "$root/etc/passwd") || fail "no user tyr" "$(<"$root/etc/passwd")"
    number=$(cut -d: -f3 <<<"$tyr")
    [[ $(stat -c '%a %u' "$root/var/lib/tyr") == "711 0" ]] || fail "/var/lib/tyr: $(stat -c '%a %u' "$root/var/lib/tyr")"
    [[ $(stat -c '%a %u' "$root/var/lib/tyr/server") == "700 $number" ]] || fail "/var/lib/tyr/server is not its user's"
    [[ $(stat -c '%a %g' "$root/etc/tyr/server.yaml") == "640 $number" ]] || fail "server.yaml is not its group's"
    grep -q 'ExecStart=/usr/local/bin/tyrd' "$root/etc/systemd/system/tyrd.service" || fail "the unit starts something else"
    after=$(listing "$root")
    run inside "$root" /usr/local/bin/tyr install --output json
    ended "$status" 0 "install again" "$out"
    [[ $(answer <<<"$out") == unchanged ]] || fail "a second run changes something" "$out"
    [[ $(listing "$root") == "$after" ]] || fail "a second run wrote something"
    run inside "$root" /usr/local/bin/tyr version
    ended "$status" 0 "the installed executable" "$out"
    ok "install, a dry run before, and a second time: $(wc -l <<<"$after") lines of files as they were"

    echo 'server: example.test:7700' >>"$root/etc/tyr/daemon.yaml"
    echo key >"$root/var/lib/tyr/key.pem"
    run inside "$root" /usr/local/bin/tyr install
    has "$out" "it was edited" "install over an edited file"
    run inside "$root" /usr/local/bin/tyr uninstall --dry-run
    ended "$status" 0 "uninstall --dry-run" "$out"
    [[ -e $root/usr/local/bin/tyr ]] || fail "a dry run removed something"
    run inside "$root" /usr/local/bin/tyr uninstall
    ended "$status" 0 uninstall "$out"
    has "$out" "it was edited; --purge removes it" uninstall
    [[ ! -e $root/usr && ! -e $root/etc/systemd ]] || fail "uninstall left programs" "$(listing "$root")"
    grep -q example.test "$root/etc/tyr/daemon.yaml" || fail "edited configuration is gone"
    [[ -e $root/var/lib/tyr/key.pem ]] || fail "the key is gone"
    after=$(listing "$root")
    run inside "$root" /tyr uninstall
    ended "$status" 0 "uninstall again" "$out"
    [[ $(listing "$root") == "$after" ]] || fail "a second run removed something"
    ok "uninstall keeps what was edited, keys and state, also a second time"

    for _ in 1 2; do
        run inside "$root" /tyr uninstall --purge
        ended "$status" 0 "uninstall --purge" "$out"
        [[ $(listing "$root") == "$before" ]] ||
            fail "a purge leaves something" "$(diff <(echo "$before") <(listing "$root"))"
    done
    ok "uninstall --purge leaves nothing, and may run twice"
}

it_says_what_is_in_the_way() {
    local user before
    user=$(id -u nobody)
    before=$(listing "$root")
    USERSPEC=--userspec=$user:$user run inside "$root" /tyr install
    ended "$status" 77 "install by $user" "$out"
    has "$out" "only root may install" "install by $user"
    USERSPEC=--userspec=$user:$user run inside "$root" /tyr install --dry-run
    ended "$status" 0 "a dry run by $user" "$out"
    mkdir "$root/sealed"
    # shellcheck disable=SC2016
    printf '#!/bin/bash\nmount -t tmpfs -o ro none "$1/sealed"\n' >"$scratch/seal"
    chmod +x "$scratch/seal"
    BEFORE=$scratch/seal run inside "$root" /tyr install --role cli --prefix /sealed
    ended "$status" 74 "a read-only prefix" "$out"
    has "$out" "choose another --prefix" "a read-only prefix"
    rmdir "$root/sealed"
    run inside "$root" /tyr uninstall --purge
    mkdir -p "$root/usr/local/bin"
    echo other >"$root/usr/local/bin/tyr"
    run inside "$root" /tyr install
    ended "$status" 1 "a file in the way" "$out"
    has "$out" /usr/local/bin/tyr "a file in the way"
    rm -r "$root/usr"
    run inside "$root" /tyr install --root / --prefix /usr --role all
    ended "$status" 0 "what a package lays out" "$out"
    for words in install 'install --prefix /usr' uninstall 'uninstall --purge'; do
        # shellcheck disable=SC2086
        run inside "$root" /tyr $words
        ended "$status" 1 "$words beside a package" "$out"
        has "$out" "package manager" "$words beside a package"
    done
    run inside "$root" /tyr install --now --dry-run --root /
    ended "$status" 64 "--now with --root" "$out"
    rm -r "$root/usr" "$root/etc/tyr"
    run inside "$root" /tyr install --now
    ended "$status" 69 "--now without systemd" "$out"
    [[ $(listing "$root") == "$before" ]] ||
        fail "a refusal left something" "$(diff <(echo "$before") <(listing "$root"))"
    ok "not root, a read-only prefix, files and packages of others, no systemd: refused in words"
}

is_alone
twice
names_are_looked_up_inside
the_zone_is_known
it_installs_itself
it_says_what_is_in_the_way
printf 'static: %s passed, 0 failed\n' "$passed"
