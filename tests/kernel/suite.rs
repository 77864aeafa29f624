//! The cases of `tests/policy/suite`, and objects with several names, asked of the kernel program.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use tyr::kernel::decide::decide_requests;
use tyr::model::action::Action;
use tyr::model::resource::Resource;
use tyr::policy::LoadOptions;
use tyr::policy::answer::File;
use tyr::policy::evaluate::{Request, evaluate};
use tyr::policy::fact::Fact;
use tyr::policy::principal::Principal;
use tyr::policy::signatures::Signatures;
use tyr::policy::suite::{TestArguments, judge, load_suite};

use crate::random::Random;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/policy/suite")
}

fn file(name: &str) -> File {
    let bytes = fs::read(folder().join(name)).expect("the file is part of the tree");
    File {
        name: name.to_owned(),
        bytes,
    }
}

/// The real path on a system that has the symlinks of `symlinks.txt`.
fn resolver() -> impl Fn(&Path) -> Option<PathBuf> {
    let text = String::from_utf8(file("symlinks.txt").bytes).expect("text");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let links: HashMap<PathBuf, PathBuf> = lines
        .filter_map(|line| line.split_once(' '))
        .map(|(from, to)| (from.into(), to.into()))
        .collect();
    move |path| {
        let mut real = path.to_path_buf();
        while let Some((from, to)) = links.iter().find(|(from, _)| real.starts_with(from)) {
            let rest = real
                .strip_prefix(from)
                .expect("it starts with it")
                .to_path_buf();
            real = if rest.as_os_str().is_empty() {
                to.clone()
            } else {
                to.join(rest)
            };
        }
        Some(real)
    }
}

#[test]
fn the_kernel_program_passes_every_case() {
    let resolver = resolver();
    let signatures = Signatures::builtin();
    let (mut asked, mut failures) = (0, Vec::new());
    for entry in fs::read_dir(folder()).expect("the folder is part of the tree") {
        let name = entry.expect("the folder can be read").file_name();
        let Some(name) = name
            .to_str()
            .and_then(|name| name.strip_suffix(".cases.yaml"))
        else {
            continue;
        };
        let files = [file(&format!("{name}.yaml"))];
        let cases = file(&format!("{name}.cases.yaml"));
        let arguments = TestArguments {
            files: &files,
            cases: &cases,
        };
        let suite = load_suite(&arguments, &LoadOptions::default(), Some(&resolver));
        let (policies, cases) = suite.unwrap_or_else(|answer| panic!("{name}: {}", answer.text));
        let requests: Vec<Request> = cases.iter().map(|case| case.request.clone()).collect();
        let cells = decide_requests(&policies, &signatures, &requests).expect("the program runs");
        for (case, cell) in cases.iter().zip(cells) {
            let Some(cell) = cell else {
                assert_eq!(case.request.action, Action::TlsConnect);
                continue;
            };
            asked += 1;
            if let Some(failure) = judge(case, cell.verdict, None).failure {
                failures.push(format!(
                    "{name}.cases.yaml:{}: {}: {failure}",
                    case.line, case.name
                ));
            }
        }
    }
    assert!(
        failures.is_empty(),
        "{} failures:\n{}",
        failures.len(),
        failures.join("\n")
    );
    assert!(asked >= 200, "{asked} cases");
}

#[test]
fn objects_with_several_names_match_by_any() {
    for seed in 1..=20 {
        let mut random = Random::new(seed);
        let policies = random.policies();
        let requests: Vec<Request> = (0..60)
            .map(|_| Request {
                principal: Principal {
                    exe: random.exe(),
                    ..random.principal()
                },
                action: [Action::FileRead, Action::FileWrite, Action::Exec][random.below(3)],
                resource: Resource::Paths((0..=random.below(3)).map(|_| random.path()).collect()),
                moment: random.moment(),
            })
            .collect();
        let signatures = Signatures::default();
        let cells = decide_requests(&policies, &signatures, &requests).expect("the program runs");
        for (request, cell) in requests.iter().zip(cells) {
            let wanted = evaluate(&policies, request);
            let cell = cell.expect("the kernel decides paths");
            assert_eq!(
                (cell.verdict, cell.monitored, cell.matched),
                (wanted.verdict, !wanted.enforced, wanted.deciding.is_some()),
                "seed {seed}: {request:?}\n{policies:#?}"
            );
        }
        assert!(
            requests
                .iter()
                .any(|request| request.principal.exe == Fact::Unknown)
        );
    }
}
