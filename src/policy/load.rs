//! From a file to policies, with every problem of the file at once.

use super::document;
use super::parse;
use super::problem::Problem;
use super::rule::Policy;

/// What loading may need to know.
#[derive(Clone, Copy, Debug, Default)]
pub struct LoadOptions<'a> {
    /// Signature ids; an agent type that is none of them is a warning. `None`: the built-in ones.
    pub agent_types: Option<&'a [String]>,
}

/// The policies of one file.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub policies: Vec<Source>,
    /// Nothing here refuses the policies.
    pub warnings: Vec<Problem>,
}

/// One policy and its text.
#[derive(Clone, Debug)]
pub struct Source {
    pub policy: Policy,
    /// The lines of the file that are this document, comments included. Loading them alone gives
    /// the same policy.
    pub text: String,
}

/// Parses and validates every document of a file.
///
/// `source` is the name that problems carry; it may be empty.
///
/// # Errors
/// All problems of the file, in the order of their places, warnings among them.
pub fn load(source: &str, bytes: &[u8], options: &LoadOptions<'_>) -> Result<Loaded, Vec<Problem>> {
    let (documents, mut problems) = parse::parse(bytes);
    let mut policies: Vec<Source> = Vec::new();
    for document in documents {
        let (policy, found) = document::read(&document, options);
        problems.extend(found);
        let Some((policy, name_place)) = policy else {
            continue;
        };
        if policies
            .iter()
            .any(|other| other.policy.name == policy.name)
        {
            let message = format!("policy `{}` is in this file twice", policy.name);
            let path = "metadata.name".to_owned();
            problems.push(parse::problem(
                name_place,
                path,
                &message,
                "give each a name of its own",
            ));
        }
        policies.push(Source {
            policy,
            text: document.text,
        });
    }
    problems.truncate(parse::PROBLEMS_MAX);
    problems.sort_by_key(|problem| (problem.line, problem.column));
    for problem in &mut problems {
        problem.source = source.to_owned();
    }
    if problems.iter().any(|problem| !problem.warning) {
        return Err(problems);
    }
    Ok(Loaded {
        policies,
        warnings: problems,
    })
}

#[cfg(test)]
mod tests;
