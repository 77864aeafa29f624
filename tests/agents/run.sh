#!/usr/bin/env bash
# Runs a real agent against the scripted LLM.
#
#   tests/agents/run.sh AGENT SCRIPT.json TRANSCRIPT.jsonl [PROMPT]
#
# AGENT is claude-code, codex or langgraph. The agent runs as an unprivileged
# user with an empty environment and dummy keys. scripted_llm.py says what
# SCRIPT and TRANSCRIPT hold. Exits with the agent's status, 124 when it took
# too long.
#
#   AGENT_HOME     its home directory (a new one, removed at the end)
#   AGENT_USER     its user, when started by root (tyr-agent if there, else nobody)
#   AGENT_NET      private: a network namespace of its own, with loopback only
#                  (needs root); host: this one. host inside a test machine,
#                  private elsewhere
#   AGENT_TIMEOUT  seconds (600)
#   AGENT_REQUESTS file for every request that the agent makes
#   AGENTS_DIR     where the agents are (where tests/setup.sh put them)
set -euo pipefail

fail() {
    printf 'agent: %s\n' "$1" >&2
    exit 125
}

here=$(cd "$(dirname "$0")" && pwd -P)
[[ $# == 3 || $# == 4 ]] || fail "usage: $0 AGENT SCRIPT.json TRANSCRIPT.jsonl [PROMPT]"
agent=$1 script=$(realpath "$2") transcript=$(realpath -m "$3")
prompt=${4:-Run the scripted steps.}
cache=$(realpath -m "${TYR_CACHE:-$here/../../.cache}")
agents=${AGENTS_DIR:-$cache/agents}
[[ -d $agents/npm && -d $agents/python ]] || fail "no agents in $agents: run 'make setup'"

net=${AGENT_NET:-private}
[[ -z ${VM_KERNEL:-} ]] || net=${AGENT_NET:-host}
if [[ $net == private && -z ${AGENT_IN_NETNS:-} ]]; then
    ((EUID == 0)) || fail "a private network needs root; AGENT_NET=host uses this machine's"
    # shellcheck disable=SC2016
    AGENT_IN_NETNS=yes exec unshare --net -- sh -c 'ip link set lo up && exec "$0" "$@"' "$0" "$@"
fi

scratch=$(mktemp -d "${TMPDIR:-/tmp}/agent.XXXXXX")
chmod 0711 "$scratch"
llm=''
# shellcheck disable=SC2317
cleanup() {
    [[ -z $llm ]] || kill "$llm" 2>/dev/null || true
    rm -rf "$scratch"
}
trap cleanup EXIT

as_agent=()
user=$(id -un)
if ((EUID == 0)); then
    user=nobody
    ! getent passwd tyr-agent >/dev/null || user=tyr-agent
    user=${AGENT_USER:-$user}
    as_agent=(setpriv --reuid="$user" --regid="$(id -g "$user")" --clear-groups --)
fi
"${as_agent[@]}" test -x "$agents/npm/node_modules" ||
    fail "user $user cannot reach $agents: set AGENTS_DIR to a mount or copy of it that $user can"
home=${AGENT_HOME:-$scratch/home}
work=$home/work
mkdir -p "$home" "$work"
((EUID != 0)) || chown "$user:$(id -g "$user")" "$home" "$work"

requests=()
[[ -z ${AGENT_REQUESTS:-} ]] || requests=("$(realpath -m "$AGENT_REQUESTS")")
/usr/bin/python3 "$here/scripted_llm.py" "$script" "$transcript" "$scratch/port" "${requests[@]}" &
llm=$!
for ((i = 0; i < 600; i++)); do
    [[ -s $scratch/port ]] && break
    kill -0 "$llm" 2>/dev/null || fail "the scripted LLM did not start"
    sleep 0.1
done
url=http://127.0.0.1:$(<"$scratch/port")

env=(PATH=/usr/local/bin:/usr/bin:/bin HOME="$home" USER="$user" LOGNAME="$user"
    SHELL=/bin/bash LANG=C.UTF-8 TERM=dumb)

# As the agent's user, so that what it makes there is its own.
make_file() {
    # shellcheck disable=SC2016
    "${as_agent[@]}" sh -c 'mkdir -p "${1%/*}" && cat >"$1"' - "$1"
}

case $agent in
claude-code)
    env+=(ANTHROPIC_BASE_URL="$url" ANTHROPIC_API_KEY=dummy DISABLE_AUTOUPDATER=1
        CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1 DISABLE_TELEMETRY=1 DISABLE_ERROR_REPORTING=1
        BASH_DEFAULT_TIMEOUT_MS=600000 API_TIMEOUT_MS=600000)
    start=("$agents/npm/node_modules/.bin/claude" -p "$prompt"
        --dangerously-skip-permissions --output-format text)
    ;;
codex)
    make_file "$home/.codex/config.toml" <<CONFIG
model = "scripted"
model_provider = "scripted"
approval_policy = "never"
check_for_update_on_startup = false

[analytics]
enabled = false

[model_providers.scripted]
name = "scripted"
base_url = "$url/v1"
env_key = "SCRIPTED_KEY"
wire_api = "responses"
stream_idle_timeout_ms = 600000
CONFIG
    env+=(SCRIPTED_KEY=dummy CODEX_HOME="$home/.codex")
    start=("$agents/npm/node_modules/.bin/codex" exec --skip-git-repo-check
        --dangerously-bypass-approvals-and-sandbox "$prompt")
    ;;
langgraph)
    make_file "$work/langgraph_agent.py" <"$here/langgraph_agent.py"
    env+=(OPENAI_BASE_URL="$url/v1" OPENAI_API_KEY=dummy LANGSMITH_TRACING=false
        PYTHONDONTWRITEBYTECODE=1)
    start=("$agents/python/bin/python" langgraph_agent.py "$prompt")
    ;;
*) fail "no agent '$agent': choose claude-code, codex or langgraph" ;;
esac

cd "$work"
status=0
timeout --kill-after=10 "${AGENT_TIMEOUT:-600}" \
    "${as_agent[@]}" env -i "${env[@]}" "${start[@]}" </dev/null || status=$?
exit "$status"
