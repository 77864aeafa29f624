//! Agent types that a policy may name.

use super::nearest;

/// Ids of the signatures that Tyr ships. Operators add their own.
pub const BUILT_IN: [&str; 27] = [
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

/// Help when `id` is none of `known` (`None`: the built-in ones).
pub(super) fn unknown(id: &str, known: Option<&[String]>) -> Option<String> {
    let known: Vec<&str> = match known {
        Some(known) => known.iter().map(String::as_str).collect(),
        None => BUILT_IN.to_vec(),
    };
    if known.contains(&id) {
        return None;
    }
    Some(match nearest::nearest(id, &known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "the rule matches nothing until a signature has this id".to_owned(),
    })
}
