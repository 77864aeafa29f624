#!/usr/bin/env bash
# Runs the image with a real engine: as server against a PostgreSQL here, and as
# daemon in a virtual machine that can enforce.
#
#   tests/package/image.sh IMAGE.tar TYR [KERNEL…]
#
# TYR is the executable that is in the image. Without a KERNEL only the server is
# tried; KERNEL is 6.1 or 6.12.
set -euo pipefail

cd "$(dirname "$0")/../.."
# shellcheck source=tests/package/checks.sh
source tests/package/checks.sh
# shellcheck source=tests/package/engine.sh
source tests/package/engine.sh
image=$(realpath -e "$1") tyr=$(realpath -e "$2")
shift 2

work=$(mktemp -d)
# PostgreSQL's user must reach its data.
chmod 711 "$work"
engine_in "$work"
stop() {
    engine_clear
    [[ ! -f $work/postgres/postmaster.pid ]] || as_postgres "$programs/pg_ctl" -D "$work/postgres" -m immediate stop >/dev/null
    rm -rf "$work"
}
trap stop EXIT

programs=$(dirname "$(compgen -G '/usr/lib/postgresql/*/bin/postgres' | sort -V | tail -n1)")
as_postgres() {
    if ((EUID == 0)); then setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; else "$@"; fi
}
free_port() {
    /usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

start_postgres() {
    install -d -m 700 "$work/postgres"
    ((EUID != 0)) || chown postgres:postgres "$work/postgres"
    database=$(free_port)
    as_postgres "$programs/initdb" --auth=trust --username=tyr -D "$work/postgres" >/dev/null
    as_postgres "$programs/pg_ctl" -D "$work/postgres" -w -l "$work/postgres/log" \
        -o "-p $database -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off" start >/dev/null
}

# refused WHAT TEXT ARGUMENT…: a container ends at once and says TEXT.
refused() {
    local what=$1 text=$2 said
    shift 2
    if said=$(engine_run --timeout 60 "$@" 2>&1); then
        not_ok "$what" "it went on: $said"
    elif [[ $said == *"$text"* ]]; then
        ok "$what"
    else
        not_ok "$what" "$said"
    fi
}

# ready CONTAINER: waits until the server says so, and prints its log.
ready() {
    local said
    for _ in $(seq 240); do
        said=$(engine logs "$1" 2>&1)
        if [[ $said == *"is ready"* ]]; then
            printf '%s\n' "$said"
            return
        fi
        [[ $(engine inspect -f '{{.State.Running}}' "$1") == true ]] || break
        sleep 0.5
    done
    printf '%s\n' "$said"
    return 1
}

server() {
    local url log token grpc rest
    echo '-- image as server'
    start_postgres
    url="postgresql://tyr@127.0.0.1:$database/postgres"
    grpc=$(free_port) rest=$(free_port)
    refused 'without a database it says what is missing' 'set DATABASE_URL' "$name" server
    # shellcheck disable=SC2016
    refused 'a role that is none is refused' 'TYR_ROLE is `nonsense`' -e TYR_ROLE=nonsense "$name"
    refused 'the daemon asks for the processes of the host' '--pid=host' "$name" daemon
    refused 'the daemon asks to be root' '--user 0 --privileged' --pid=host "$name" daemon
    same 'it says its version' "$("$tyr" version)" "$(engine_run "$name" version)"
    engine_run -d --name server -e DATABASE_URL="$url" -e TYR_ROLE=server "$name" \
        --grpc-listen "127.0.0.1:$grpc" --rest-listen "127.0.0.1:$rest" >/dev/null
    if log=$(ready server); then ok 'TYR_ROLE makes it a server'; else not_ok 'TYR_ROLE makes it a server' "$log"; fi
    same 'it does not run as root' 65532 "$(engine inspect -f '{{.State.Pid}}' server | xargs -I{} stat -c %u /proc/{})"
    export XDG_CONFIG_HOME=$work/config
    token=$(grep -oE '^ +tyr_[A-Za-z0-9_-]+' <<<"$log" | tr -d ' ' || true)
    check 'people log in' "$tyr" login "127.0.0.1:$rest" --token "$token"
    check 'a policy is applied' "$tyr" policy apply -f packaging/policies/observe.yaml
    check 'it is assigned' "$tyr" policy assign observe --all
    engine stop -t 20 server >/dev/null
    same 'it ends in good order' 0 "$(engine inspect -f '{{.State.ExitCode}}' server)"
    engine rm -f server >/dev/null
    # A second one, by the argument: everything is in the database.
    engine_run -d --name again --read-only --volume data:/var/lib/tyr/server \
        -e DATABASE_URL="$url" "$name" server --grpc-listen "127.0.0.1:$grpc" --rest-listen "127.0.0.1:$rest" >/dev/null
    if log=$(ready again); then ok 'its argument makes it a server'; else not_ok 'its argument makes it a server' "$log"; fi
    check 'what it knew it knows again, also in another container' \
        bash -c "'$tyr' policy show observe | grep -q 'secrets-read'"
    engine rm -f -t 20 again >/dev/null
}

engine load --quiet --input "$image" >/dev/null
name=$(engine images --format '{{.Repository}}:{{.Tag}}' localhost/tyr)
server
# Not below $work: in the guest /tmp is another one.
bundles=$PWD/target/package/bundles
/usr/bin/python3 -B tests/package/bundle.py "$image" "$bundles" \
    'daemon=daemon --policy /etc/tyr/policy.yaml --print-events' 'doctor=doctor' 'release=daemon --release'
for kernel; do
    echo "-- image as daemon, Linux $kernel"
    log=$(mktemp)
    status=0
    KERNEL=$kernel tests/vm/run.sh "tests/package/image-guest.sh $(printf %q "$bundles")" | tee "$log" || status=$?
    counted=$(tr -d '\r' <"$log" | grep -E '^[0-9]+ passed, [0-9]+ failed$' | tail -n1 || true)
    rm -f "$log"
    if [[ $counted =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]] && ((status == 0 || BASH_REMATCH[2] > 0)); then
        passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
    else
        not_ok "Linux $kernel" "status $status, counted: ${counted:-nothing}"
    fi
done
finish
