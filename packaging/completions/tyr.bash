# Completions of tyr, tyr-server and tyrd for bash, as `tyr completion bash` prints them.

_tyr() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} at
    local place=${COMP_WORDS[0]##*/} words='' kind=none
    COMPREPLY=()
    # Bash makes three words of --option=value.
    if [[ $word == '=' ]]; then
        word=''
    elif [[ $before == '=' ]]; then
        before=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    for ((at = 1; at < COMP_CWORD; at++)); do
        case "$place ${COMP_WORDS[at]}" in
        "tyr server" | \
            "tyr daemon" | \
            "tyr doctor" | \
            "tyr login" | \
            "tyr hosts" | \
            "tyr hosts list" | \
            "tyr hosts show" | \
            "tyr hosts revoke" | \
            "tyr agents" | \
            "tyr agents list" | \
            "tyr agents show" | \
            "tyr policy" | \
            "tyr policy check" | \
            "tyr policy explain" | \
            "tyr policy test" | \
            "tyr policy apply" | \
            "tyr policy list" | \
            "tyr policy show" | \
            "tyr policy diff" | \
            "tyr policy history" | \
            "tyr policy rollback" | \
            "tyr policy disable" | \
            "tyr policy enable" | \
            "tyr policy assign" | \
            "tyr policy unassign" | \
            "tyr break-glass" | \
            "tyr break-glass start" | \
            "tyr break-glass end" | \
            "tyr audit" | \
            "tyr audit tail" | \
            "tyr audit search" | \
            "tyr enrollment-token" | \
            "tyr enrollment-token create" | \
            "tyr enrollment-token list" | \
            "tyr enrollment-token revoke" | \
            "tyr completion" | \
            "tyr install" | \
            "tyr uninstall" | \
            "tyr version")
            place+=" ${COMP_WORDS[at]}"
            ;;
        esac
    done
    case "$place $before" in
    "tyr server --config") kind=file ;;
    "tyr server --data-dir") kind=folder ;;
    "tyr server --grpc-listen") kind=none ;;
    "tyr server --rest-listen") kind=none ;;
    "tyr server --server-name") kind=none ;;
    "tyr server --database-url") kind=none ;;
    "tyr daemon --config") kind=file ;;
    "tyr daemon --server") kind=none ;;
    "tyr daemon --enroll") kind=none ;;
    "tyr daemon --token-file") kind=file ;;
    "tyr daemon --state-dir") kind=folder ;;
    "tyr daemon --scope") kind=none ;;
    "tyr daemon --label") kind=none ;;
    "tyr daemon --policy") kind=file ;;
    "tyr daemon --signatures") kind=file ;;
    "tyr doctor --output") words='table json' kind=words ;;
    "tyr login --token") kind=none ;;
    "tyr login --ca-file") kind=file ;;
    "tyr login --ca-fingerprint") kind=none ;;
    "tyr hosts list --output") words='table json' kind=words ;;
    "tyr hosts show --output") words='table json' kind=words ;;
    "tyr hosts revoke --output") words='table json' kind=words ;;
    "tyr agents list --host") kind=none ;;
    "tyr agents list --agent-type") words='aider amp autogen claude-agent-sdk claude-code cline codex continue copilot crewai cursor custom droid gemini-cli goose langgraph mcp-server mini-swe-agent open-interpreter openai-agents opencode openhands pi pydantic-ai qwen-code smolagents windsurf' kind=words ;;
    "tyr agents list --limit") kind=none ;;
    "tyr agents list --output") words='table json' kind=words ;;
    "tyr agents show --output") words='table json' kind=words ;;
    "tyr policy check --signatures") kind=file ;;
    "tyr policy check --output") words='table json' kind=words ;;
    "tyr policy explain --file" | "tyr policy explain -f") kind=file ;;
    "tyr policy explain --agent-type") words='aider amp autogen claude-agent-sdk claude-code cline codex continue copilot crewai cursor custom droid gemini-cli goose langgraph mcp-server mini-swe-agent open-interpreter openai-agents opencode openhands pi pydantic-ai qwen-code smolagents windsurf' kind=words ;;
    "tyr policy explain --exe") kind=none ;;
    "tyr policy explain --action") words='file_read file_write exec net_connect tls_connect' kind=words ;;
    "tyr policy explain --resource") kind=none ;;
    "tyr policy explain --at") kind=none ;;
    "tyr policy explain --signatures") kind=file ;;
    "tyr policy explain --output") words='table json' kind=words ;;
    "tyr policy test --file" | "tyr policy test -f") kind=file ;;
    "tyr policy test --cases") kind=file ;;
    "tyr policy test --engine") words='evaluator kernel both' kind=words ;;
    "tyr policy test --signatures") kind=file ;;
    "tyr policy test --output") words='table json' kind=words ;;
    "tyr policy apply --file" | "tyr policy apply -f") kind=file ;;
    "tyr policy apply --output") words='table json' kind=words ;;
    "tyr policy list --output") words='table json' kind=words ;;
    "tyr policy show --version") kind=none ;;
    "tyr policy show --output") words='table json' kind=words ;;
    "tyr policy diff --from") kind=none ;;
    "tyr policy diff --to") kind=none ;;
    "tyr policy diff --output") words='table json' kind=words ;;
    "tyr policy history --output") words='table json' kind=words ;;
    "tyr policy rollback --to") kind=none ;;
    "tyr policy rollback --output") words='table json' kind=words ;;
    "tyr policy disable --reason") kind=none ;;
    "tyr policy disable --output") words='table json' kind=words ;;
    "tyr policy enable --reason") kind=none ;;
    "tyr policy enable --output") words='table json' kind=words ;;
    "tyr policy assign --host") kind=none ;;
    "tyr policy assign --label") kind=none ;;
    "tyr policy assign --agent-type") words='aider amp autogen claude-agent-sdk claude-code cline codex continue copilot crewai cursor custom droid gemini-cli goose langgraph mcp-server mini-swe-agent open-interpreter openai-agents opencode openhands pi pydantic-ai qwen-code smolagents windsurf' kind=words ;;
    "tyr policy assign --mode") words='enforce monitor' kind=words ;;
    "tyr policy assign --version") kind=none ;;
    "tyr policy assign --output") words='table json' kind=words ;;
    "tyr policy unassign --id") kind=none ;;
    "tyr break-glass start --host") kind=none ;;
    "tyr break-glass start --for") kind=none ;;
    "tyr break-glass start --reason") kind=none ;;
    "tyr break-glass start --output") words='table json' kind=words ;;
    "tyr break-glass end --host") kind=none ;;
    "tyr audit tail --lines" | "tyr audit tail -n") kind=none ;;
    "tyr audit tail --verdict") words='allow alert deny' kind=words ;;
    "tyr audit tail --agent") words='aider amp autogen claude-agent-sdk claude-code cline codex continue copilot crewai cursor custom droid gemini-cli goose langgraph mcp-server mini-swe-agent open-interpreter openai-agents opencode openhands pi pydantic-ai qwen-code smolagents windsurf' kind=words ;;
    "tyr audit tail --action") words='file_read file_write exec net_connect tls_connect' kind=words ;;
    "tyr audit tail --host") kind=none ;;
    "tyr audit tail --severity") words='low medium high critical' kind=words ;;
    "tyr audit tail --policy") kind=none ;;
    "tyr audit tail --rule") kind=none ;;
    "tyr audit tail --output") words='table json' kind=words ;;
    "tyr audit search --verdict") words='allow alert deny' kind=words ;;
    "tyr audit search --agent") words='aider amp autogen claude-agent-sdk claude-code cline codex continue copilot crewai cursor custom droid gemini-cli goose langgraph mcp-server mini-swe-agent open-interpreter openai-agents opencode openhands pi pydantic-ai qwen-code smolagents windsurf' kind=words ;;
    "tyr audit search --action") words='file_read file_write exec net_connect tls_connect' kind=words ;;
    "tyr audit search --host") kind=none ;;
    "tyr audit search --severity") words='low medium high critical' kind=words ;;
    "tyr audit search --policy") kind=none ;;
    "tyr audit search --rule") kind=none ;;
    "tyr audit search --kind") words='operation agent_started agent_ended lost policy_applied alarm' kind=words ;;
    "tyr audit search --resource") kind=none ;;
    "tyr audit search --exe") kind=none ;;
    "tyr audit search --user") kind=none ;;
    "tyr audit search --pid") kind=none ;;
    "tyr audit search --since") kind=none ;;
    "tyr audit search --until") kind=none ;;
    "tyr audit search --limit") kind=none ;;
    "tyr audit search --output") words='table json' kind=words ;;
    "tyr enrollment-token create --description") kind=none ;;
    "tyr enrollment-token create --uses") kind=none ;;
    "tyr enrollment-token create --expires") kind=none ;;
    "tyr enrollment-token create --output") words='table json' kind=words ;;
    "tyr enrollment-token list --output") words='table json' kind=words ;;
    "tyr install --prefix") kind=folder ;;
    "tyr install --role") words='cli server daemon all' kind=words ;;
    "tyr install --root") kind=folder ;;
    "tyr install --output") words='table json' kind=words ;;
    "tyr uninstall --output") words='table json' kind=words ;;
    "tyr version --output") words='table json' kind=words ;;
    "tyr-server --config") kind=file ;;
    "tyr-server --data-dir") kind=folder ;;
    "tyr-server --grpc-listen") kind=none ;;
    "tyr-server --rest-listen") kind=none ;;
    "tyr-server --server-name") kind=none ;;
    "tyr-server --database-url") kind=none ;;
    "tyrd --config") kind=file ;;
    "tyrd --server") kind=none ;;
    "tyrd --enroll") kind=none ;;
    "tyrd --token-file") kind=file ;;
    "tyrd --state-dir") kind=folder ;;
    "tyrd --scope") kind=none ;;
    "tyrd --label") kind=none ;;
    "tyrd --policy") kind=file ;;
    "tyrd --signatures") kind=file ;;
    *)
        case $place in
        "tyr")
            words='server daemon doctor login hosts agents policy break-glass audit enrollment-token completion install uninstall version --help' kind=words
            ;;
        "tyr server")
            words='--help --config --data-dir --grpc-listen --rest-listen --server-name --database-url' kind=words
            ;;
        "tyr daemon")
            words='--help --config --server --enroll --token-file --state-dir --scope --label --policy --signatures --tls-capture --release --foreground --print-events' kind=words
            ;;
        "tyr doctor")
            words='--help --output' kind=words
            ;;
        "tyr login")
            words='--help --token --ca-file --ca-fingerprint' kind=words
            ;;
        "tyr hosts")
            words='list show revoke --help' kind=words
            ;;
        "tyr hosts list")
            words='--help --output' kind=words
            ;;
        "tyr hosts show")
            words='--help --output' kind=words
            ;;
        "tyr hosts revoke")
            words='--help --output' kind=words
            ;;
        "tyr agents")
            words='list show --help' kind=words
            ;;
        "tyr agents list")
            words='--help --host --agent-type --all --limit --output' kind=words
            ;;
        "tyr agents show")
            words='--help --output' kind=words
            ;;
        "tyr policy")
            words='check explain test apply list show diff history rollback disable enable assign unassign --help' kind=words
            ;;
        "tyr policy check")
            words='--help --signatures --output' kind=words
            [[ $word == -?* ]] || kind=file
            ;;
        "tyr policy explain")
            words='--help -f --file --agent-type --exe --action --resource --at --signatures --output' kind=words
            ;;
        "tyr policy test")
            words='--help -f --file --cases --engine --signatures --output' kind=words
            ;;
        "tyr policy apply")
            words='--help -f --file --dry-run --output' kind=words
            ;;
        "tyr policy list")
            words='--help --output' kind=words
            ;;
        "tyr policy show")
            words='--help --version --output' kind=words
            ;;
        "tyr policy diff")
            words='--help --from --to --output' kind=words
            ;;
        "tyr policy history")
            words='--help --output' kind=words
            ;;
        "tyr policy rollback")
            words='--help --to --output' kind=words
            ;;
        "tyr policy disable")
            words='--help --reason --output' kind=words
            ;;
        "tyr policy enable")
            words='--help --reason --output' kind=words
            ;;
        "tyr policy assign")
            words='--help --all --host --label --agent-type --mode --version --output' kind=words
            ;;
        "tyr policy unassign")
            words='--help --id --all' kind=words
            ;;
        "tyr break-glass")
            words='start end --help' kind=words
            ;;
        "tyr break-glass start")
            words='--help --host --for --reason --output' kind=words
            ;;
        "tyr break-glass end")
            words='--help --host' kind=words
            ;;
        "tyr audit")
            words='tail search --help' kind=words
            ;;
        "tyr audit tail")
            words='--help -f --follow -n --lines --verdict --agent --action --host --severity --policy --rule --output' kind=words
            ;;
        "tyr audit search")
            words='--help --verdict --agent --action --host --severity --policy --rule --kind --resource --exe --user --pid --since --until --limit --output' kind=words
            ;;
        "tyr enrollment-token")
            words='create list revoke --help' kind=words
            ;;
        "tyr enrollment-token create")
            words='--help --description --uses --expires --output' kind=words
            ;;
        "tyr enrollment-token list")
            words='--help --output' kind=words
            ;;
        "tyr enrollment-token revoke")
            words='--help' kind=words
            ;;
        "tyr completion")
            words='--help bash zsh fish' kind=words
            ;;
        "tyr install")
            words='--help --prefix --role --root --now --dry-run --output' kind=words
            ;;
        "tyr uninstall")
            words='--help --purge --dry-run --output' kind=words
            ;;
        "tyr version")
            words='--help --output' kind=words
            ;;
        "tyr-server")
            words='--help --config --data-dir --grpc-listen --rest-listen --server-name --database-url' kind=words
            ;;
        "tyrd")
            words='--help --config --server --enroll --token-file --state-dir --scope --label --policy --signatures --tls-capture --release --foreground --print-events' kind=words
            ;;
        esac
        ;;
    esac
    case $kind in
    words) mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word") ;;
    file)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        ;;
    folder)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -d -- "$word")
        ;;
    esac
}

complete -F _tyr tyr tyr-server tyrd
