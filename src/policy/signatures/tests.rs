use super::{FIRST_OPERATOR_NUMBER, Signatures};

const IDS: [&str; 27] = [
    "claude-code",
    "codex",
    "cursor",
    "copilot",
    "gemini-cli",
    "qwen-code",
    "opencode",
    "cline",
    "droid",
    "goose",
    "amp",
    "pi",
    "aider",
    "mini-swe-agent",
    "open-interpreter",
    "openhands",
    "windsurf",
    "continue",
    "autogen",
    "langgraph",
    "crewai",
    "openai-agents",
    "claude-agent-sdk",
    "pydantic-ai",
    "smolagents",
    "mcp-server",
    "custom",
];

#[test]
fn builtin_numbers_never_change() {
    let signatures = Signatures::builtin();
    assert_eq!(signatures.ids().collect::<Vec<_>>(), IDS);
    for (number, id) in (1..).zip(IDS) {
        assert_eq!(signatures.number(id), Some(number));
        assert_eq!(signatures.id(number), Some(id));
    }
    assert_eq!(
        (
            signatures.number("cobol"),
            signatures.id(0),
            signatures.id(28)
        ),
        (None, None, None)
    );
}

#[test]
fn real_agents_are_recognised() {
    let signatures = Signatures::builtin();
    let lib = "/usr/local/lib/node_modules";
    let exe = [
        (
            format!("{lib}/@anthropic-ai/claude-code/bin/claude.exe"),
            "claude-code",
        ),
        (
            "/home/ann/.local/share/claude/versions/2.1.330".into(),
            "claude-code",
        ),
        (
            format!(
                "{lib}/@openai/codex/node_modules/@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl/bin/codex"
            ),
            "codex",
        ),
        (format!("{lib}/opencode-ai/bin/opencode.exe"), "opencode"),
        (
            format!("{lib}/cline/node_modules/@cline/cli-linux-x64/bin/cline"),
            "cline",
        ),
        (format!("{lib}/droid/bin/droid"), "droid"),
        (
            format!("{lib}/@github/copilot/node_modules/@github/copilot-linux-x64/copilot"),
            "copilot",
        ),
        (
            "/home/ann/.local/share/cursor-agent/versions/2026.1/node".into(),
            "cursor",
        ),
    ];
    for (path, id) in exe {
        let number = signatures.recognise(path.as_bytes()).exe;
        assert_eq!(
            number.and_then(|number| signatures.id(number)),
            Some(id),
            "{path}"
        );
    }
    let packages = "/srv/venv/lib/python3.11/site-packages";
    let open = [
        (
            format!("{lib}/@google/gemini-cli/bundle/gemini.js"),
            "gemini-cli",
        ),
        (format!("{lib}/@qwen-code/qwen-code/cli.js"), "qwen-code"),
        (
            format!("{lib}/@mariozechner/pi-coding-agent/dist/cli.js"),
            "pi",
        ),
        (
            format!("{packages}/langgraph/graph/__pycache__/state.cpython-311.pyc"),
            "langgraph",
        ),
        (
            "/usr/lib/python3/dist-packages/aider/main.py".into(),
            "aider",
        ),
        (
            format!("{packages}/agents/__pycache__/__init__.cpython-311.pyc"),
            "openai-agents",
        ),
        (format!("{packages}/mcp/server/stdio.py"), "mcp-server"),
    ];
    for (path, id) in open {
        let number = signatures.recognise(path.as_bytes()).open;
        assert_eq!(
            number.and_then(|number| signatures.id(number)),
            Some(id),
            "{path}"
        );
    }
    for interpreter in [
        "/usr/bin/python3.11",
        "/usr/bin/node",
        "/opt/py/bin/python3",
    ] {
        let found = signatures.recognise(interpreter.as_bytes());
        assert!(found.interpreter && found.exe.is_none(), "{interpreter}");
    }
    for other in [
        "/usr/bin/bash",
        "/usr/bin/git",
        "/usr/bin/python3-config",
        "/usr/bin/claudette",
    ] {
        let found = signatures.recognise(other.as_bytes());
        assert!(
            !found.interpreter && found.exe.is_none() && found.open.is_none(),
            "{other}"
        );
    }
}

#[test]
fn operators_extend_the_list() {
    let file = |text: &str| ("own.yaml".to_owned(), text.to_owned());
    let signatures = Signatures::with_files(&[
        file("signatures:\n- {id: zeta, exe: [/opt/zeta]}\n- {id: codex, exe: [/opt/codex/run]}\n"),
        file("interpreters: [/opt/ruby]\nsignatures:\n- {id: beta, name: Beta, exe: [/usr/bin/node]}\n"),
    ])
    .unwrap();
    assert_eq!(signatures.number("beta"), Some(FIRST_OPERATOR_NUMBER));
    assert_eq!(signatures.number("zeta"), Some(FIRST_OPERATOR_NUMBER + 1));
    assert_eq!(signatures.recognise(b"/opt/codex/run").exe, Some(2));
    assert_eq!(
        signatures.recognise(b"/usr/bin/node").exe,
        Some(FIRST_OPERATOR_NUMBER)
    );
    assert!(signatures.recognise(b"/opt/ruby").interpreter);
    assert_eq!(signatures.ids().count(), 29);
}

#[test]
fn wrong_files_are_refused() {
    for (text, part) in [
        ("signatures:\n- {id: a, exes: [/x]}\n", "exes"),
        ("signatures:\n- {id: A}\n", "lower-case"),
        ("signatures:\n- {id: a}\n- {id: a}\n", "twice"),
        ("signatures:\n- {id: a, exe: [/x/]}\n", "trailing slash"),
        ("other: 1\n", "other"),
        ("- 1\n", "own.yaml"),
    ] {
        let error = Signatures::with_files(&[("own.yaml".into(), text.into())]).unwrap_err();
        assert!(error.to_string().contains(part), "{text}: {error}");
    }
    let mut many = String::from("signatures:\n");
    for index in 0..513 {
        many.push_str(&format!("- id: s{index}\n"));
    }
    let error = Signatures::with_files(&[("own.yaml".into(), many)]).unwrap_err();
    assert!(error.to_string().contains("more than 512"), "{error}");
}
