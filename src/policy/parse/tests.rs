use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::policy::tree::Text;

fn tree(text: &str) -> Node {
    let (mut documents, problems) = parse(text.as_bytes());
    assert!(problems.is_empty(), "{text}: {problems:?}");
    assert_eq!(documents.len(), 1, "{text}");
    documents.remove(0).root
}

fn at(line: u32, column: u32) -> Place {
    Place { line, column }
}

/// The node behind a path of field names and indexes.
fn find<'n>(node: &'n Node, path: &[&str]) -> &'n Node {
    path.iter().fold(node, |node, step| match &node.value {
        Value::Mapping(entries) => {
            &entries
                .iter()
                .find(|entry| entry.key == *step)
                .expect("the field")
                .node
        }
        Value::Sequence(items) => &items[step.parse::<usize>().expect("an index")],
        _ => panic!("{step}: not a list or mapping"),
    })
}

#[test]
fn every_key_and_value_has_its_place() {
    let root = tree(
        "a: 1\nbü: {c: 'x', d: [y, \"z\"]}\n# note\nlist:\n  - p: q\n    r: |\n      one\n      two\n  -   s\n",
    );
    let table: [(&[&str], Place); 9] = [
        (&["a"], at(1, 4)),
        (&["bü"], at(2, 5)),
        (&["bü", "c"], at(2, 9)),
        (&["bü", "d"], at(2, 17)),
        (&["bü", "d", "1"], at(2, 21)),
        (&["list"], at(5, 3)),
        (&["list", "0"], at(5, 5)),
        (&["list", "0", "p"], at(5, 8)),
        (&["list", "1"], at(9, 7)),
    ];
    for (path, place) in table {
        assert_eq!(find(&root, path).place, place, "{path:?}");
    }
    let Value::Mapping(entries) = &find(&root, &["list", "0"]).value else {
        panic!("a mapping")
    };
    assert_eq!(
        (entries[0].key_place, entries[1].key_place),
        (at(5, 5), at(6, 5))
    );
}

#[test]
fn offsets_in_strings_have_their_place() {
    // Text with one field `a`, byte offset, place.
    let table = [
        ("a: plain text", 6, at(1, 10)),
        ("a: 'quoted text'", 7, at(1, 12)),
        ("a: \"quoted text\"", 0, at(1, 5)),
        ("a: \"esc\\taped\"", 5, at(1, 4)),
        ("a: ünïcode x", 10, at(1, 12)),
        ("a: |\n  one\n  two\n", 4, at(3, 3)),
        ("a: |\n  one\n    two\n", 7, at(3, 6)),
        ("a: |-\n\n  one\n\n  two", 6, at(5, 3)),
        ("a: |2\n   one\n  two\n", 1, at(2, 4)),
        ("a: |\r\n  one\r\n  two\r\n", 5, at(3, 4)),
        ("x:\n  - a: |\n      one\n      two\n", 5, at(4, 8)),
        ("a: >\n  one\n  two\n", 4, at(2, 3)),
        ("a: 'it''s'", 3, at(1, 4)),
    ];
    for (text, offset, place) in table {
        let root = tree(text);
        let node = match &root.value {
            Value::Mapping(entries) if entries[0].key == "x" => find(&root, &["x", "0", "a"]),
            _ => find(&root, &["a"]),
        };
        assert_eq!(node.place_in_text(offset), place, "{text:?}");
    }
}

#[test]
fn plain_scalars_have_the_types_of_yaml_1_2() {
    let strings = [
        "yes",
        "on",
        "No",
        "y",
        "1.2.3",
        "0x",
        "1e",
        "1_000",
        "12:30",
        "2026-01-01",
        ".",
        "e1",
        "0b1",
    ];
    for text in strings {
        let root = tree(&format!("a: {text}"));
        let found =
            matches!(&find(&root, &["a"]).value, Value::Text(Text { value, .. }) if value == text);
        assert!(found, "{text}: {:?}", find(&root, &["a"]).value);
    }
    for text in [
        "1", "-1", "+1", "1.5", ".5", "1.", "1e3", "-1.5E-3", "0x1F", "0o17", ".inf", "-.INF",
        ".nan", "007",
    ] {
        let root = tree(&format!("a: {text}"));
        assert!(
            matches!(find(&root, &["a"]).value, Value::Number(_)),
            "{text}"
        );
    }
    for text in ["", "~", "null", "Null", "NULL"] {
        let root = tree(&format!("a: {text}"));
        assert!(matches!(find(&root, &["a"]).value, Value::Null), "{text}");
    }
    for text in ["true", "True", "FALSE"] {
        let root = tree(&format!("a: {text}"));
        assert!(
            matches!(find(&root, &["a"]).value, Value::Bool(_)),
            "{text}"
        );
    }
    let root = tree("a: !!str 123");
    assert!(matches!(&find(&root, &["a"]).value, Value::Text(text) if text.value == "123"));
}

#[test]
fn aliases_are_copies_with_the_place_of_the_anchor() {
    let root = tree("a: &x [1, two]\nb: *x\n");
    assert_eq!(find(&root, &["b", "1"]).place, at(1, 11));
}

#[test]
fn documents_keep_their_text() {
    let text = "# head\na: 1\n---\n# second\nb: 2\n...\n# third\n---\nc: 3\n---\n---\nd: 4";
    let (documents, problems) = parse(text.as_bytes());
    assert!(problems.is_empty(), "{problems:?}");
    let found: Vec<(&str, u32)> = documents
        .iter()
        .map(|document| (document.text.as_str(), document.first_line))
        .collect();
    assert_eq!(
        found,
        [
            ("# head\na: 1\n", 1),
            ("---\n# second\nb: 2\n...\n", 3),
            ("# third\n---\nc: 3\n", 7),
            ("---\nd: 4\n", 11),
        ]
    );
}

#[test]
fn limits_are_exact() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(parse(nested(NESTING_MAX).as_bytes()).1.is_empty());
    assert_eq!(parse(nested(NESTING_MAX + 1).as_bytes()).1.len(), 1);
    let documents = |count: usize| "---\na\n".repeat(count);
    assert!(parse(documents(DOCUMENTS_MAX).as_bytes()).1.is_empty());
    assert_eq!(parse(documents(DOCUMENTS_MAX + 1).as_bytes()).1.len(), 1);
    let comment = |bytes: usize| format!("a\n#{}", "x".repeat(bytes - 3));
    assert!(parse(comment(FILE_BYTES_MAX).as_bytes()).1.is_empty());
    assert_eq!(parse(comment(FILE_BYTES_MAX + 1).as_bytes()).1.len(), 1);
}

#[test]
fn large_inputs_take_time_in_proportion() {
    let fill = |piece: &str| piece.repeat(FILE_BYTES_MAX / piece.len());
    let pieces = [
        "[",
        "{",
        "a, ",
        "- ",
        "-\n",
        "? ",
        "a: b\n",
        "\"",
        "'",
        "|",
        "|\n",
        "&a ",
        "*a ",
        "!",
        "%",
        "#",
        ",",
        ":",
        "---\n",
        "...\n",
        "é",
        "\t",
        " ",
        "\n",
        "a",
        "[a, ",
        "{a: ",
        "- a: |\n    b\n",
        "\\",
    ];
    let mut inputs: Vec<String> = pieces.iter().map(|piece| fill(piece)).collect();
    inputs.push(format!("[{}]", fill("a, ").split_off(16)));
    inputs.push(format!("[{}]", fill("'é\u{e9}', ").split_off(17)));
    inputs.push(format!("{{{}}}", fill("a: b, ").split_off(16)));
    inputs.push(format!(
        "- &a \"{}\"\n{}",
        "x".repeat(500_000),
        "- *a\n".repeat(50_000)
    ));
    for input in inputs {
        let begun = std::time::Instant::now();
        drop(parse(input.as_bytes()));
        let beginning: String = input.chars().take(12).collect();
        // A minute is a hundred times what the slowest takes; a square would take hours.
        assert!(
            begun.elapsed().as_secs() < 60,
            "{beginning:?}: {:?}",
            begun.elapsed()
        );
    }
}

/// The tree as JSON, without places.
fn json(node: &Node) -> serde_json::Value {
    match &node.value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(value) => (*value).into(),
        Value::Number(text) => text
            .parse::<i64>()
            .expect("the files have small numbers")
            .into(),
        Value::Text(text) => text.value.clone().into(),
        Value::Sequence(items) => items.iter().map(json).collect(),
        Value::Mapping(entries) => entries
            .iter()
            .map(|entry| (entry.key.clone(), json(&entry.node)))
            .collect(),
    }
}

#[test]
fn another_yaml_parser_reads_the_same() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut count = 0;
    for folder in ["packaging/policies", "tests/policy/suite"] {
        for entry in fs::read_dir(root.join(folder)).expect("the folder is part of the tree") {
            let path = entry.expect("the folder can be read").path();
            if path.extension().is_none_or(|extension| extension != "yaml") {
                continue;
            }
            let text = fs::read_to_string(&path).expect("text");
            for document in parse(text.as_bytes()).0 {
                let other: serde_json::Value =
                    serde_yml::from_str(&document.text).expect("the other parser takes it");
                assert_eq!(json(&document.root), other, "{}", path.display());
                count += 1;
            }
        }
    }
    assert!(count > 20, "{count} documents");
}

/// Pieces of YAML that have a meaning of their own.
const PIECES: [&str; 26] = [
    "a", ":", " ", "\n", "  ", "- ", "? ", "[", "]", "{", "}", ",", "&a ", "*a", "|", ">", "'",
    "\"", "#", "%", "---\n", "...\n", "!!str ", "\t", "\\", "é",
];

proptest! {
    #[test]
    fn no_input_stops_the_parser(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let (_, problems) = parse(&bytes);
        prop_assert!(problems.iter().all(|problem| problem.line > 0 && problem.column > 0));
    }

    #[test]
    fn no_yaml_stops_the_parser(pieces in proptest::collection::vec(0..PIECES.len(), 0..60)) {
        let text: String = pieces.iter().map(|index| PIECES[*index]).collect();
        let lines = u32::try_from(text.lines().count().max(1) + 1).expect("few");
        let (_, problems) = parse(text.as_bytes());
        prop_assert!(problems.iter().all(|p| p.line > 0 && p.line <= lines && p.column > 0));
    }
}
