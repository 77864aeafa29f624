# Completions of tyr, tyr-server and tyrd for fish, as `tyr completion fish` prints them.

# Whether the words so far lead to the command that is given.
function __tyr_at
    set -l words (commandline -opc)
    set -l place (string replace -r '.*/' '' -- $words[1])
    set -e words[1]
    for word in $words
        switch "$place $word"
            case 'tyr server' \
                'tyr daemon' \
                'tyr doctor' \
                'tyr login' \
                'tyr hosts' \
                'tyr hosts list' \
                'tyr hosts show' \
                'tyr hosts revoke' \
                'tyr agents' \
                'tyr agents list' \
                'tyr agents show' \
                'tyr policy' \
                'tyr policy check' \
                'tyr policy explain' \
                'tyr policy test' \
                'tyr policy apply' \
                'tyr policy list' \
                'tyr policy show' \
                'tyr policy diff' \
                'tyr policy history' \
                'tyr policy rollback' \
                'tyr policy disable' \
                'tyr policy enable' \
                'tyr policy assign' \
                'tyr policy unassign' \
                'tyr break-glass' \
                'tyr break-glass start' \
                'tyr break-glass end' \
                'tyr audit' \
                'tyr audit tail' \
                'tyr audit search' \
                'tyr enrollment-token' \
                'tyr enrollment-token create' \
                'tyr enrollment-token list' \
                'tyr enrollment-token revoke' \
                'tyr completion' \
                'tyr install' \
                'tyr uninstall' \
                'tyr version'
                set place "$place $word"
        end
    end
    test "$place" = "$argv"
end

complete -c tyr -f
complete -c tyr -n '__tyr_at tyr' -a server -d 'Run the control plane: gRPC for hosts, REST for people'
complete -c tyr -n '__tyr_at tyr' -a daemon -d 'Govern AI agents on this host'
complete -c tyr -n '__tyr_at tyr' -a doctor -d 'Tell what this kernel can enforce, and prove it'
complete -c tyr -n '__tyr_at tyr' -a login -d 'Keep the address of a server, a token for it, and its CA'
complete -c tyr -n '__tyr_at tyr' -a hosts -d 'List, show and revoke hosts'
complete -c tyr -n '__tyr_at tyr' -a agents -d 'List and show agent sessions'
complete -c tyr -n '__tyr_at tyr' -a policy -d 'Check, apply, assign and explain policies'
complete -c tyr -n '__tyr_at tyr' -a break-glass -d 'For a while, let a host report deny verdicts and not enforce them'
complete -c tyr -n '__tyr_at tyr' -a audit -d 'Follow and search the audit'
complete -c tyr -n '__tyr_at tyr' -a enrollment-token -d 'Create, list and revoke enrolment tokens'
complete -c tyr -n '__tyr_at tyr' -a completion -d 'Print the completions of a shell'
complete -c tyr -n '__tyr_at tyr' -a install -d 'Install Tyr from this one executable'
complete -c tyr -n '__tyr_at tyr' -a uninstall -d 'Take back what `tyr install` laid out, and enforcement off this host'
complete -c tyr -n '__tyr_at tyr' -a version -d 'Print the version'
complete -c tyr -n '__tyr_at tyr' -l help -s h -d 'display usage information'
complete -c tyr -n '__tyr_at tyr server' -l help -s h -d 'display usage information'
complete -c tyr -n '__tyr_at tyr server' -l config -r -F -d 'configuration file (default: /etc/tyr/server.yaml, if it exists)'
complete -c tyr -n '__tyr_at tyr server' -l data-dir -x -a '(__fish_complete_directories)' -d 'folder of the private PostgreSQL and of the first admin token'
complete -c tyr -n '__tyr_at tyr server' -l grpc-listen -x -d 'address for hosts (default: 0.0.0.0:7700)'
complete -c tyr -n '__tyr_at tyr server' -l rest-listen -x -d 'address for REST and the page (default: 0.0.0.0:7701)'
complete -c tyr -n '__tyr_at tyr server' -l server-name -x -d 'name or address that hosts and people reach this server by; may be given several times'
complete -c tyr -n '__tyr_at tyr server' -l database-url -x -d 'postgreSQL to use in place of a private one (also: environment DATABASE_URL)'
complete -c tyr -n '__tyr_at tyr daemon' -l help -s h -d 'display usage information'
complete -c tyr -n '__tyr_at tyr daemon' -l config -r -F -d 'configuration file; default /etc/tyr/daemon.yaml when it is there'
complete -c tyr -n '__tyr_at tyr daemon' -l server -x -d 'address of the server\'s gRPC side, HOST:PORT'
complete -c tyr -n '__tyr_at tyr daemon' -l enroll -x -d 'enrolment token; prefer --token-file'
complete -c tyr -n '__tyr_at tyr daemon' -l token-file -r -F -d 'file with the enrolment token'
complete -c tyr -n '__tyr_at tyr daemon' -l state-dir -x -a '(__fish_complete_directories)' -d 'folder for key, policy and spool; default /var/lib/tyr'
complete -c tyr -n '__tyr_at tyr daemon' -l scope -x -d 'govern only a part of the machine: cgroup:PATH'
complete -c tyr -n '__tyr_at tyr daemon' -l label -x -d 'a label of this host, KEY=VALUE; may be given several times'
complete -c tyr -n '__tyr_at tyr daemon' -l policy -r -F -d 'policy file to enforce without a server; may be given several times'
complete -c tyr -n '__tyr_at tyr daemon' -l signatures -r -F -d 'file with signatures of your own agents; may be given several times'
complete -c tyr -n '__tyr_at tyr daemon' -l tls-capture -d 'capture TLS (not built yet: refused)'
complete -c tyr -n '__tyr_at tyr daemon' -l release -d 'take enforcement off this host and end'
complete -c tyr -n '__tyr_at tyr daemon' -l foreground -d 'log for a person at a terminal, also debug messages'
complete -c tyr -n '__tyr_at tyr daemon' -l print-events -d 'print every event to standard output, one JSON object a line'
complete -c tyr -n '__tyr_at tyr doctor' -l help -s h -d 'display usage information'
complete -c tyr -n '__tyr_at tyr doctor' -l output -x -a 'table json' -d 'table or json'
complete -c tyr -n '__tyr_at tyr login' -l help -s h -d 'display usage information'
complete -c tyr -n '__tyr_at tyr login' -l token -x -d 'token of an administrator, operator or viewer; prefer standard input'
complete -c tyr -n '__tyr_at tyr login' -l ca-file -r -F -d 'PEM file with the CA of the server'
complete -c tyr -n '__tyr_at tyr login' -l ca-fingerprint -x -d 'SHA-256 of the CA certificate, 64 hex digits'
complete -c tyr -n '__tyr_at tyr hosts' -a list -d 'List all hosts'
complete -c tyr -n '__tyr_at tyr hosts' -a show -d 'Show one host'
complete -c tyr -n '__tyr_at tyr hosts' -a revoke -d 'Refuse a host\'s certificate from now on'
complete -c tyr -n '__tyr_at tyr hosts' -l help -s h -d 'display usage information'
complete -c tyr -n '__tyr_at tyr hosts list' -l help -s h -d 'display usage information'
complete -c tyr -n '__tyr_at tyr hosts list' -l output -x -a 'table json' -d 'table or json'
complete -c tyr -n '__tyr_at tyr hosts show' -l help -s h -d 'display usage information'
complete -c tyr -n '__tyr_at tyr hosts show' -l output -x -a 'table json' -d 'table or json'
complete -c tyr -n '__tyr_at tyr hosts revoke' -l help -s h -d 'display usage information'
complete -c tyr -n '__tyr_at tyr hosts revoke' -l output -x -a 'table json' -d 'table or json'
complete -c tyr -n '__tyr_at tyr agents' -a list -d 'List agent sessions, newest first'
complete -c tyr -n '__tyr_at tyr agents' -a show -d 'Show one agent session'
complete -c tyr -n '__tyr_at tyr agents' -l help -s h -d 'display usage information'
complete -c tyr -n '__tyr_at tyr agents list' -l help -s h -d 'display usage information'
complete -c tyr -n '__tyr_at tyr agents list' -l host -x -d 'only on this host (id or name)'
complete -c tyr -n '__tyr_at tyr agents list' -l agent-type -x -a 'aider amp autogen claude-agent-sdk claude-code cline codex continue copilot crewai cursor custom droid gemini-cli goose langgraph mcp-server mini-swe-agent open-interpreter openai-agents opencode openhands pi pydantic-ai qwen-code smolagents windsurf' -d 'only of this agent type, such as claude-code'
complete -c tyr -n '__tyr_at tyr agents list' -l all -d 'also sessions that have ended'
complete -c tyr -n '__tyr_at tyr agents list' -l limit -x -d 'at most this many, 1 to 1000'
complete -c tyr -n '__tyr_at tyr agents list' -l output -x -a 'table json' -d 'table or json'
complete -c tyr -n '__tyr_at tyr agents show' -l help -s h -d 'display usage information'
complete -c tyr -n '__tyr_at tyr agents show' -l output -x -a 'table json' -d 'table or json'
complete -c tyr -n '__tyr_at tyr policy' -a check -d 'Check policy files'
complete -c tyr -n '__tyr_at tyr policy' -a explain -d 'Tell what a policy says about one operation, and where that is enforced'
complete -c tyr -n '__tyr_at tyr policy' -a test -d 'Run test cases against policies'
complete -c tyr -n '__tyr_at tyr policy' -a apply -d 'Check a file of policies on the server and make a new version of each that changed'
complete -c tyr -n '__tyr_at tyr policy' -a list -d 'List all policies'
complete -c tyr -n '__tyr_at tyr policy' -a show -d 'Show a policy: where it holds, and its text as it was applied'
complete -c tyr -n '__tyr_at tyr policy' -a diff -d 'Show what changed between two versions'
complete -c tyr -n '__tyr_at tyr policy' -a history -d 'List the versions of a policy, newest first'
complete -c tyr -n '__tyr_at tyr policy' -a rollback -d 'Make the text of an earlier version the newest version'
complete -c tyr -n '__tyr_at tyr policy' -a disable -d 'Switch a rule off'
complete -c tyr -n '__tyr_at tyr policy' -a enable -d 'Switch a rule on again'
complete -c tyr -n '__tyr_at tyr policy' -a assign -d 'Make a policy hold: on all hosts, one host, or the hosts with a label'
complete -c tyr -n '__tyr_at tyr policy' -a unassign -d 'End assignments of a policy: the one with this id, or all'
complete -c tyr -n '__tyr_at tyr policy' -l help -s h -d 'display usage information'
complete -c tyr -n '__tyr_at tyr policy check' -l help -s h -d 'display usage information'
complete -c tyr -n '__tyr_at tyr policy check' -l signatures -r -F -d 'file with signatures of your own agents; may be given several times'
complete -c tyr -n '__tyr_at tyr policy check' -l output -x -a 'table json' -d 'table or json'
complete -c tyr -n '__tyr_at tyr policy check' -F
complete -c tyr -n '__tyr_at tyr policy explain' -l help -s h -d 'display usage information'
complete -c tyr -n '__tyr_at tyr policy explain' -l file -s f -r -F -d 'file with policies; may be given several times'
complete -c tyr -n '__tyr_at tyr policy explain' -l agent-type -x -a 'aider amp autogen claude-agent-sdk claude-code cline codex continue copilot crewai cursor custom droid gemini-cli goose langgraph mcp-server mini-swe-agent open-interpreter openai-agents opencode openhands pi pydantic-ai qwen-code smolagents windsurf' -d 'type of the agent, such as claude-code'
complete -c tyr -n '__tyr_at tyr policy explain' -l exe -x -d 'path of the executable that acts'
complete -c tyr -n '__tyr_at tyr policy explain' -l action -x -a 'file_read file_write exec net_connect tls_connect' -d 'file_read, file_write, exec, net_connect or tls_connect'
complete -c tyr -n '__tyr_at tyr policy explain' -l resource -x -d 'path, IP:PORT/PROTOCOL, or server name'
complete -c tyr -n '__tyr_at tyr policy explain' -l at -x -d 'at this time, RFC 3339; default now'
complete -c tyr -n '__tyr_at tyr policy explain' -l signatures -r -F -d 'file with signatures of your own agents; may be given several times'
complete -c tyr -n '__tyr_at tyr policy explain' -l output -x -a 'table json' -d 'table or json'
complete -c tyr -n '__tyr_at tyr policy test' -l help -s h -d 'display usage information'
complete -c tyr -n '__tyr_at tyr policy test' -l file -s f -r -F -d 'file with policies; may be given several times'
complete -c tyr -n '__tyr_at tyr policy test' -l cases -r -F -d 'file with test cases'
complete -c tyr -n '__tyr_at tyr policy test' -l engine -x -a 'evaluator kernel both' -d 'who answers: evaluator, kernel (needs root) or both; default evaluator'
complete -c tyr -n '__tyr_at tyr policy test' -l signatures -r -F -d 'file with signatures of your own agents; may be given several times'
complete -c tyr -n '__tyr_at tyr policy test' -l output -x -a 'table json' -d 'table or json'
complete -c tyr -n '__tyr_at tyr policy apply' -l help -s h -d 'display usage information'
complete -c tyr -n '__tyr_at tyr policy apply' -l file -s f -r -F -d 'file with one or more policies; - is standard input'
complete -c tyr -n '__tyr_at tyr policy apply' -l dry-run -d 'check and show what would happen, change nothing'
complete -c tyr -n '__tyr_at tyr policy apply' -l output -x -a 'table json' -d 'table or json'
complete -c tyr -n '__tyr_at tyr policy list' -l help -s h -d 'display usage information'
complete -c tyr -n '__tyr_at tyr policy list' -l output -x -a 'table json' -d 'table or json'
complete -c tyr -n '__tyr_at tyr policy show' -l help -s h -d 'display usage information'
complete -c tyr -n '__tyr_at tyr policy show' -l version -x -d 'this version; default the newest'
complete -c tyr -n '__tyr_at tyr policy show' -l output -x -a 'table json' -d 'table or json'
complete -c tyr -n '__tyr_at tyr policy diff' -l help -s h -d 'display usage information'
complete -c tyr -n '__tyr_at tyr policy diff' -l from -x -d 'older version; default the one before --to'
complete -c tyr -n '__tyr_at tyr policy diff' -l to -x -d 'newer version; default the newest'
complete -c tyr -n '__tyr_at tyr policy diff' -l output -x -a 'table json' -d 'table or json'
complete -c tyr -n '__tyr_at tyr policy history' -l help -s h -d 'display usage information'
complete -c tyr -n '__tyr_at tyr policy history' -l output -x -a 'table json' -d 'table or json'
complete -c tyr -n '__tyr_at tyr policy rollback' -l help -s h -d 'display usage information'
complete -c tyr -n '__tyr_at tyr policy rollback' -l to -x -d 'the version to bring back'
complete -c tyr -n '__tyr_at tyr policy rollback' -l output -x -a 'table json' -d 'table or json'
complete -c tyr -n '__tyr_at tyr policy disable' -l help -s h -d 'display usage information'
complete -c tyr -n '__tyr_at tyr policy disable' -l reason -x -d 'why; kept with the change'
complete -c tyr -n '__tyr_at tyr policy disable' -l output -x -a 'table json' -d 'table or json'
complete -c tyr -n '__tyr_at tyr policy enable' -l help -s h -d 'display usage information'
complete -c tyr -n '__tyr_at tyr policy enable' -l reason -x -d 'why; kept with the change'
complete -c tyr -n '__tyr_at tyr policy enable' -l output -x -a 'table json' -d 'table or json'
complete -c tyr -n '__tyr_at tyr policy assign' -l help -s h -d 'display usage information'
complete -c tyr -n '__tyr_at tyr policy assign' -l all -d 'on every host'
complete -c tyr -n '__tyr_at tyr policy assign' -l host -x -d 'on this host (id or name)'
complete -c tyr -n '__tyr_at tyr policy assign' -l label -x -d 'on hosts with this label, KEY=VALUE'
complete -c tyr -n '__tyr_at tyr policy assign' -l agent-type -x -a 'aider amp autogen claude-agent-sdk claude-code cline codex continue copilot crewai cursor custom droid gemini-cli goose langgraph mcp-server mini-swe-agent open-interpreter openai-agents opencode openhands pi pydantic-ai qwen-code smolagents windsurf' -d 'only for this agent type; may be given several times'
complete -c tyr -n '__tyr_at tyr policy assign' -l mode -x -a 'enforce monitor' -d 'enforce (default), or monitor: report and block nothing'
complete -c tyr -n '__tyr_at tyr policy assign' -l version -x -d 'this version and no newer one; default always the newest'
complete -c tyr -n '__tyr_at tyr policy assign' -l output -x -a 'table json' -d 'table or json'
complete -c tyr -n '__tyr_at tyr policy unassign' -l help -s h -d 'display usage information'
complete -c tyr -n '__tyr_at tyr policy unassign' -l id -x -d 'id of the assignment, as `tyr policy show` prints it'
complete -c tyr -n '__tyr_at tyr policy unassign' -l all -d 'end all assignments of the policy'
complete -c tyr -n '__tyr_at tyr break-glass' -a start -d 'Start it on a host, in place of what it has'
complete -c tyr -n '__tyr_at tyr break-glass' -a end -d 'End it on a host before its time'
complete -c tyr -n '__tyr_at tyr break-glass' -l help -s h -d 'display usage information'
complete -c tyr -n '__tyr_at tyr break-glass start' -l help -s h -d 'display usage information'
complete -c tyr -n '__tyr_at tyr break-glass start' -l host -x -d 'on this host (id or name)'
complete -c tyr -n '__tyr_at tyr break-glass start' -l for -x -d 'how long, such as 15m or 1h; at most 4h'
complete -c tyr -n '__tyr_at tyr break-glass start' -l reason -x -d 'why; kept, and told to the host'
complete -c tyr -n '__tyr_at tyr break-glass start' -l output -x -a 'table json' -d 'table or json'
complete -c tyr -n '__tyr_at tyr break-glass end' -l help -s h -d 'display usage information'
complete -c tyr -n '__tyr_at tyr break-glass end' -l host -x -d 'on this host (id or name)'
complete -c tyr -n '__tyr_at tyr audit' -a tail -d 'Show the newest events, and with -f what happens from now on'
complete -c tyr -n '__tyr_at tyr audit' -a search -d 'Search the audit, newest first'
complete -c tyr -n '__tyr_at tyr audit' -l help -s h -d 'display usage information'
complete -c tyr -n '__tyr_at tyr audit tail' -l help -s h -d 'display usage information'
complete -c tyr -n '__tyr_at tyr audit tail' -l follow -s f -d 'go on with new events until interrupted'
complete -c tyr -n '__tyr_at tyr audit tail' -l lines -s n -x -d 'show this many of the newest events first; default 20'
complete -c tyr -n '__tyr_at tyr audit tail' -l verdict -x -a 'allow alert deny' -d 'only this verdict: allow, alert or deny'
complete -c tyr -n '__tyr_at tyr audit tail' -l agent -x -a 'aider amp autogen claude-agent-sdk claude-code cline codex continue copilot crewai cursor custom droid gemini-cli goose langgraph mcp-server mini-swe-agent open-interpreter openai-agents opencode openhands pi pydantic-ai qwen-code smolagents windsurf' -d 'only this agent: type such as claude-code, or id of a session'
complete -c tyr -n '__tyr_at tyr audit tail' -l action -x -a 'file_read file_write exec net_connect tls_connect' -d 'only this action, such as file_read'
complete -c tyr -n '__tyr_at tyr audit tail' -l host -x -d 'only this host (id or name)'
complete -c tyr -n '__tyr_at tyr audit tail' -l severity -x -a 'low medium high critical' -d 'only this severity or higher'
complete -c tyr -n '__tyr_at tyr audit tail' -l policy -x -d 'only events that this policy decided'
complete -c tyr -n '__tyr_at tyr audit tail' -l rule -x -d 'only events that this rule decided'
complete -c tyr -n '__tyr_at tyr audit tail' -l output -x -a 'table json' -d 'table: one line an event; json: one JSON object a line'
complete -c tyr -n '__tyr_at tyr audit search' -l help -s h -d 'display usage information'
complete -c tyr -n '__tyr_at tyr audit search' -l verdict -x -a 'allow alert deny' -d 'only this verdict: allow, alert or deny'
complete -c tyr -n '__tyr_at tyr audit search' -l agent -x -a 'aider amp autogen claude-agent-sdk claude-code cline codex continue copilot crewai cursor custom droid gemini-cli goose langgraph mcp-server mini-swe-agent open-interpreter openai-agents opencode openhands pi pydantic-ai qwen-code smolagents windsurf' -d 'only this agent: type such as claude-code, or id of a session'
complete -c tyr -n '__tyr_at tyr audit search' -l action -x -a 'file_read file_write exec net_connect tls_connect' -d 'only this action, such as file_read'
complete -c tyr -n '__tyr_at tyr audit search' -l host -x -d 'only this host (id or name)'
complete -c tyr -n '__tyr_at tyr audit search' -l severity -x -a 'low medium high critical' -d 'only this severity or higher'
complete -c tyr -n '__tyr_at tyr audit search' -l policy -x -d 'only events that this policy decided'
complete -c tyr -n '__tyr_at tyr audit search' -l rule -x -d 'only events that this rule decided'
complete -c tyr -n '__tyr_at tyr audit search' -l kind -x -a 'operation agent_started agent_ended lost policy_applied alarm' -d 'only this kind: operation, agent_started, agent_ended, lost, policy_applied or alarm'
complete -c tyr -n '__tyr_at tyr audit search' -l resource -x -d 'only resources that contain this text'
complete -c tyr -n '__tyr_at tyr audit search' -l exe -x -d 'only executables whose path contains this text'
complete -c tyr -n '__tyr_at tyr audit search' -l user -x -d 'only processes of this user'
complete -c tyr -n '__tyr_at tyr audit search' -l pid -x -d 'only this process'
complete -c tyr -n '__tyr_at tyr audit search' -l since -x -d 'from this time on: RFC 3339, or how long ago, such as 2h'
complete -c tyr -n '__tyr_at tyr audit search' -l until -x -d 'before this time: RFC 3339, or how long ago'
complete -c tyr -n '__tyr_at tyr audit search' -l limit -x -d 'at most this many events; default 100'
complete -c tyr -n '__tyr_at tyr audit search' -l output -x -a 'table json' -d 'table or json'
complete -c tyr -n '__tyr_at tyr enrollment-token' -a create -d 'Create a token and print it'
complete -c tyr -n '__tyr_at tyr enrollment-token' -a list -d 'List tokens'
complete -c tyr -n '__tyr_at tyr enrollment-token' -a revoke -d 'Revoke a token'
complete -c tyr -n '__tyr_at tyr enrollment-token' -l help -s h -d 'display usage information'
complete -c tyr -n '__tyr_at tyr enrollment-token create' -l help -s h -d 'display usage information'
complete -c tyr -n '__tyr_at tyr enrollment-token create' -l description -x -d 'what it is for'
complete -c tyr -n '__tyr_at tyr enrollment-token create' -l uses -x -d 'how many machines may use it; default 1'
complete -c tyr -n '__tyr_at tyr enrollment-token create' -l expires -x -d 'how long it may be used, such as 15m, 1h or 7d; default 1h'
complete -c tyr -n '__tyr_at tyr enrollment-token create' -l output -x -a 'table json' -d 'table or json'
complete -c tyr -n '__tyr_at tyr enrollment-token list' -l help -s h -d 'display usage information'
complete -c tyr -n '__tyr_at tyr enrollment-token list' -l output -x -a 'table json' -d 'table or json'
complete -c tyr -n '__tyr_at tyr enrollment-token revoke' -l help -s h -d 'display usage information'
complete -c tyr -n '__tyr_at tyr completion' -l help -s h -d 'display usage information'
complete -c tyr -n '__tyr_at tyr completion' -a 'bash zsh fish'
complete -c tyr -n '__tyr_at tyr install' -l help -s h -d 'display usage information'
complete -c tyr -n '__tyr_at tyr install' -l prefix -x -a '(__fish_complete_directories)' -d 'where to; default /usr/local'
complete -c tyr -n '__tyr_at tyr install' -l role -x -a 'cli server daemon all' -d 'what the host is for: cli, server, daemon or all (default); may be given several times'
complete -c tyr -n '__tyr_at tyr install' -l root -x -a '(__fish_complete_directories)' -d 'write only the files, below this folder, as packages contain them: those of the roles named and no others, no users, no units started'
complete -c tyr -n '__tyr_at tyr install' -l now -d 'enable and start the units, or restart those that run; needs systemd'
complete -c tyr -n '__tyr_at tyr install' -l dry-run -d 'say what would be done, and do nothing'
complete -c tyr -n '__tyr_at tyr install' -l output -x -a 'table json' -d 'table or json'
complete -c tyr -n '__tyr_at tyr uninstall' -l help -s h -d 'display usage information'
complete -c tyr -n '__tyr_at tyr uninstall' -l purge -d 'remove these too, and the user'
complete -c tyr -n '__tyr_at tyr uninstall' -l dry-run -d 'say what would be done, and do nothing'
complete -c tyr -n '__tyr_at tyr uninstall' -l output -x -a 'table json' -d 'table or json'
complete -c tyr -n '__tyr_at tyr version' -l help -s h -d 'display usage information'
complete -c tyr -n '__tyr_at tyr version' -l output -x -a 'table json' -d 'table or json'

complete -c tyr-server -f
complete -c tyr-server -n '__tyr_at tyr-server' -l help -s h -d 'display usage information'
complete -c tyr-server -n '__tyr_at tyr-server' -l config -r -F -d 'configuration file (default: /etc/tyr/server.yaml, if it exists)'
complete -c tyr-server -n '__tyr_at tyr-server' -l data-dir -x -a '(__fish_complete_directories)' -d 'folder of the private PostgreSQL and of the first admin token'
complete -c tyr-server -n '__tyr_at tyr-server' -l grpc-listen -x -d 'address for hosts (default: 0.0.0.0:7700)'
complete -c tyr-server -n '__tyr_at tyr-server' -l rest-listen -x -d 'address for REST and the page (default: 0.0.0.0:7701)'
complete -c tyr-server -n '__tyr_at tyr-server' -l server-name -x -d 'name or address that hosts and people reach this server by; may be given several times'
complete -c tyr-server -n '__tyr_at tyr-server' -l database-url -x -d 'postgreSQL to use in place of a private one (also: environment DATABASE_URL)'

complete -c tyrd -f
complete -c tyrd -n '__tyr_at tyrd' -l help -s h -d 'display usage information'
complete -c tyrd -n '__tyr_at tyrd' -l config -r -F -d 'configuration file; default /etc/tyr/daemon.yaml when it is there'
complete -c tyrd -n '__tyr_at tyrd' -l server -x -d 'address of the server\'s gRPC side, HOST:PORT'
complete -c tyrd -n '__tyr_at tyrd' -l enroll -x -d 'enrolment token; prefer --token-file'
complete -c tyrd -n '__tyr_at tyrd' -l token-file -r -F -d 'file with the enrolment token'
complete -c tyrd -n '__tyr_at tyrd' -l state-dir -x -a '(__fish_complete_directories)' -d 'folder for key, policy and spool; default /var/lib/tyr'
complete -c tyrd -n '__tyr_at tyrd' -l scope -x -d 'govern only a part of the machine: cgroup:PATH'
complete -c tyrd -n '__tyr_at tyrd' -l label -x -d 'a label of this host, KEY=VALUE; may be given several times'
complete -c tyrd -n '__tyr_at tyrd' -l policy -r -F -d 'policy file to enforce without a server; may be given several times'
complete -c tyrd -n '__tyr_at tyrd' -l signatures -r -F -d 'file with signatures of your own agents; may be given several times'
complete -c tyrd -n '__tyr_at tyrd' -l tls-capture -d 'capture TLS (not built yet: refused)'
complete -c tyrd -n '__tyr_at tyrd' -l release -d 'take enforcement off this host and end'
complete -c tyrd -n '__tyr_at tyrd' -l foreground -d 'log for a person at a terminal, also debug messages'
complete -c tyrd -n '__tyr_at tyrd' -l print-events -d 'print every event to standard output, one JSON object a line'
