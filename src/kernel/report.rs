//! What libbpf says while it loads: its calls only give an errno, its messages name the program.

use std::cell::RefCell;

use libbpf_rs::PrintLevel;

use super::error::Error;

/// Most bytes of messages that are kept; a verifier's log is as long as it likes.
const KEPT_BYTES_MAX: usize = 1 << 20;

thread_local! {
    static SAID: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// What libbpf would print goes to the log, and is kept for `explain`.
pub(super) fn listen() {
    fn log(_: PrintLevel, text: String) {
        tracing::debug!(target: "libbpf", "{}", text.trim_end());
        SAID.with_borrow_mut(|said| {
            if said.iter().map(String::len).sum::<usize>() < KEPT_BYTES_MAX {
                said.push(text);
            }
        });
    }
    libbpf_rs::set_print(Some((PrintLevel::Warn, log)));
    SAID.take();
}

/// The error of a call, with the part of the object that failed and why, as far as libbpf said.
pub(super) fn explain(what: &str, source: libbpf_rs::Error) -> Error {
    let said = SAID.take();
    match culprit(&said) {
        Some((part, reason)) => Error::Part {
            what: what.to_owned(),
            part,
            reason,
        },
        None => Error::Bpf {
            what: what.to_owned(),
            source,
        },
    }
}

/// The first part that failed, and the reason. For a program that the verifier refused it is the
/// last thing that the verifier said.
fn culprit(said: &[String]) -> Option<(String, String)> {
    let lines = said.iter().flat_map(|text| text.lines());
    let failed = lines.filter_map(|line| {
        let line = line.strip_prefix("libbpf: ").unwrap_or(line);
        let (kind, rest) =
            [("prog", "program"), ("map", "map")]
                .into_iter()
                .find_map(|(short, kind)| {
                    Some((kind, line.strip_prefix(short)?.strip_prefix(" '")?))
                })?;
        let (name, reason) = rest.split_once("': ")?;
        reason
            .contains("fail")
            .then(|| (format!("{kind} {name}"), reason.trim().to_owned()))
    });
    let (part, mut reason) = failed.into_iter().next()?;
    if let Some(last) = verifier_says(said) {
        reason = format!("{reason}: {last}");
    }
    Some((part, reason))
}

fn verifier_says(said: &[String]) -> Option<&str> {
    let log = said
        .iter()
        .find(|text| text.contains("BEGIN PROG LOAD LOG"))?;
    let (_, log) = log.split_once("BEGIN PROG LOAD LOG --")?;
    let (log, _) = log.split_once("-- END PROG LOAD LOG").unwrap_or((log, ""));
    log.lines()
        .map(str::trim)
        .rfind(|line| !line.is_empty() && !line.starts_with("processed "))
}

#[cfg(test)]
mod tests {
    use super::culprit;

    fn said(texts: &[&str]) -> Option<(String, String)> {
        culprit(&texts.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn the_program_and_the_verifiers_last_word_are_named() {
        let found = said(&[
            "libbpf: prog 'lsm_file_open': BPF program load failed: Permission denied\n",
            "libbpf: prog 'lsm_file_open': -- BEGIN PROG LOAD LOG --\n0: R1=ctx()\n\
             ; return 0;\nR0 !read_ok\nprocessed 1 insns (limit 1000000)\n\
             -- END PROG LOAD LOG --\n",
            "libbpf: prog 'lsm_file_open': failed to load: -13\n",
            "libbpf: failed to load object 'enforce'\n",
        ]);
        let reason = "BPF program load failed: Permission denied: R0 !read_ok";
        assert_eq!(
            found,
            Some(("program lsm_file_open".to_owned(), reason.to_owned()))
        );
    }

    #[test]
    fn a_map_is_named() {
        let found = said(&["libbpf: map 'events': failed to create: -EINVAL\n"]);
        let (part, reason) = found.expect("a map");
        assert_eq!(
            (part.as_str(), reason.as_str()),
            ("map events", "failed to create: -EINVAL")
        );
    }

    #[test]
    fn other_talk_names_nothing() {
        assert_eq!(said(&["libbpf: elf: skipping section\n", ""]), None);
        assert_eq!(said(&["libbpf: prog 'one': relo #0\n"]), None);
    }
}
