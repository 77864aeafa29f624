//! `tyr policy check FILE…`

use serde_json::json;

use super::answer::{Answer, EXIT_DATA, EXIT_OK, File};
use super::load::{LoadOptions, load};
use super::problem::Problem;
use super::rule::Policy;

/// Checks every file. Exit code 65 when one has a problem that is no warning.
///
/// JSON: `{"ok", "policies": [{"file", "name", "rules"}], "problems": [Problem]}`.
pub fn check(files: &[File], options: &LoadOptions<'_>) -> Answer {
    let (policies, problems) = load_all(files, options);
    let ok = problems.iter().all(|problem| problem.warning);
    let mut text = String::new();
    for problem in &problems {
        text.push_str(&format!("{problem}\n"));
    }
    for (file, policy) in &policies {
        let count = policy.rules.len();
        let noun = if count == 1 { "rule" } else { "rules" };
        text.push_str(&format!(
            "{file}: policy `{}`, {count} {noun}: ok\n",
            policy.name
        ));
    }
    let errors = problems.iter().filter(|problem| !problem.warning).count();
    if errors > 0 {
        let noun = if errors == 1 { "problem" } else { "problems" };
        text.push_str(&format!("{errors} {noun}\n"));
    }
    let listed: Vec<_> = policies
        .iter()
        .map(|(file, policy)| json!({ "file": file, "name": policy.name, "rules": policy.rules.len() }))
        .collect();
    let json = json!({ "ok": ok, "policies": listed, "problems": problems });
    Answer {
        text,
        json,
        exit_code: if ok { EXIT_OK } else { EXIT_DATA },
    }
}

/// The policies of the files without errors, and the problems of all. One name in two files is a
/// problem: applied together they would be versions of one policy.
pub(super) fn load_all(
    files: &[File],
    options: &LoadOptions<'_>,
) -> (Vec<(String, Policy)>, Vec<Problem>) {
    let mut policies: Vec<(String, Policy)> = Vec::new();
    let mut problems = Vec::new();
    for file in files {
        let loaded = match load(&file.name, &file.bytes, options) {
            Ok(loaded) => loaded,
            Err(found) => {
                problems.extend(found);
                continue;
            }
        };
        problems.extend(loaded.warnings);
        for source in loaded.policies {
            let name = &source.policy.name;
            if let Some((other, _)) = policies.iter().find(|(_, policy)| policy.name == *name) {
                problems.push(Problem {
                    source: file.name.clone(),
                    line: 0,
                    column: 0,
                    path: "metadata.name".to_owned(),
                    message: format!("policy `{name}` is also in {other}"),
                    help: "give each policy a name of its own".to_owned(),
                    warning: false,
                });
            }
            policies.push((file.name.clone(), source.policy));
        }
    }
    (policies, problems)
}

#[cfg(test)]
mod tests;
