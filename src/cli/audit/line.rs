//! One event as one line for a person.

use jiff::tz::TimeZone;

use crate::cli::output::{Paint, plain};
use crate::model::verdict::Verdict;
use crate::wire::rest::EventRecord;

/// Time, host, agent type, verdict, action, resource, rule and policy, executable, lineage.
pub fn text(event: &EventRecord, paint: Paint, zone: &TimeZone) -> String {
    let time = event
        .time
        .to_zoned(zone.clone())
        .strftime("%Y-%m-%d %H:%M:%S%.3f");
    let agent = event.agent_type.as_deref().unwrap_or("-");
    let head = format!(
        "{} {} {}",
        paint.dim(&time.to_string()),
        plain(&event.hostname),
        plain(agent)
    );
    let body = match event.kind.as_str() {
        "operation" => operation(event, paint),
        _ => other(event, paint),
    };
    let mut line = format!("{head} {body}");
    if event.count > 1 && event.kind == "operation" {
        line.push_str(&format!(" x{}", event.count));
    }
    line
}

fn operation(event: &EventRecord, paint: Paint) -> String {
    let verdict = verdict(event, paint);
    let action = event
        .action
        .map_or("-".to_owned(), |action| action.to_string());
    let resource = plain(event.resource.as_deref().unwrap_or("-"));
    let mut text = format!("{verdict} {action} {resource} {}", decided(event));
    if !event.reason.is_empty() {
        text.push_str(&format!(" ({})", plain(&event.reason)));
    }
    text.push_str(&format!(" {}", paint.dim(&process(event))));
    text
}

/// Monitored verdicts are marked: they were reported and not enforced.
fn verdict(event: &EventRecord, paint: Paint) -> String {
    let monitored = if event.enforced == Some(false) && event.verdict == Some(Verdict::Deny) {
        "(monitor)"
    } else {
        ""
    };
    match event.verdict {
        Some(Verdict::Deny) => paint.red(&format!("DENY{monitored}")),
        Some(Verdict::Alert) => paint.yellow("ALERT"),
        Some(Verdict::Allow) => paint.green("ALLOW"),
        None => "-".to_owned(),
    }
}

fn decided(event: &EventRecord) -> String {
    let Some(policy) = &event.policy else {
        return "default".to_owned();
    };
    let version = event
        .policy_version
        .map_or(String::new(), |version| format!("@{version}"));
    let rule = event.rule.as_deref().unwrap_or("-");
    format!("rule={} policy={}{version}", plain(rule), plain(policy))
}

/// `exe[pid] < parent[pid] < … ` up to the agent.
fn process(event: &EventRecord) -> String {
    let mut text = format!("{}[{}]", plain(&event.exe), event.pid);
    for ancestor in &event.lineage {
        text.push_str(&format!(" < {}[{}]", plain(&ancestor.exe), ancestor.pid));
    }
    text
}

fn other(event: &EventRecord, paint: Paint) -> String {
    let detail = |name: &str| event.detail.get(name).and_then(|value| value.as_str());
    let list = |name: &str| {
        let items = event.detail.get(name).and_then(|value| value.as_array());
        let items = items
            .into_iter()
            .flatten()
            .filter_map(|value| value.as_str());
        items.map(plain).collect::<Vec<String>>().join(" ")
    };
    match event.kind.as_str() {
        "agent_started" => format!(
            "{} {} evidence={}",
            paint.green("STARTED"),
            paint.dim(&process(event)),
            plain(detail("evidence").unwrap_or("-"))
        ),
        "agent_ended" => format!("ENDED {}", paint.dim(&process(event))),
        "lost" => format!(
            "{} {} record(s): {}",
            paint.yellow("LOST"),
            event.count,
            plain(detail("cause").unwrap_or("-"))
        ),
        "policy_applied" => {
            let generation = event
                .detail
                .get("generation")
                .and_then(serde_json::Value::as_u64);
            let policies = list("policies");
            let policies = if policies.is_empty() {
                "none".to_owned()
            } else {
                policies
            };
            format!("POLICY generation={} {policies}", generation.unwrap_or(0))
        }
        "alarm" => {
            format!(
                "{} {}",
                paint.red("ALARM"),
                plain(detail("message").unwrap_or("-"))
            )
        }
        kind => plain(kind),
    }
}
