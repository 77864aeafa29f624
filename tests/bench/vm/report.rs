//! The figures as a table and as JSON, and whether they keep to the budgets.

use std::process::ExitCode;

use super::Scenario;
use super::operation::{OPERATIONS, Operation};

/// Most that 1,000 rules may cost of what one does.
const GROWTH_MAX: f64 = 1.01;
/// Most that an exec may cost of a bare one.
const EXEC_MAX: f64 = 1.05;

/// Instructions of every operation, in the order of `OPERATIONS`.
pub(crate) struct Row {
    scenario: Scenario,
    values: Vec<f64>,
}

impl Row {
    pub(crate) fn new(scenario: Scenario, values: Vec<f64>) -> Row {
        Row { scenario, values }
    }

    fn of(&self, operation: Operation) -> f64 {
        let index = OPERATIONS.iter().position(|one| *one == operation);
        self.values[index.expect("every operation is measured")]
    }

    fn name(&self) -> String {
        match self.scenario {
            Scenario::Bare => "no Tyr".to_owned(),
            Scenario::Ungoverned => "ungoverned".to_owned(),
            Scenario::Silent(1) => "1 rule".to_owned(),
            Scenario::Silent(rules) => format!("{rules} rules"),
            Scenario::Event(rules) => format!("{rules} rules, event"),
        }
    }
}

/// Most instructions that an operation may cost more than without Tyr.
fn budget(scenario: Scenario, operation: Operation, bare: f64) -> Option<f64> {
    use Operation::{
        ConnectFirst, ConnectSix, ConnectTcp, ConnectUdp, Exec, Getppid, Open, OpenFirst,
    };
    match (scenario, operation) {
        (Scenario::Bare, _) => None,
        (_, Getppid) => Some(0.01 * bare),
        (_, Exec) => Some((EXEC_MAX - 1.0) * bare),
        (Scenario::Ungoverned, Open | OpenFirst) => Some(350.0),
        (Scenario::Silent(_), OpenFirst) => Some(3_500.0),
        (Scenario::Silent(_), Open) => Some(900.0),
        (Scenario::Event(_), Open | OpenFirst) => Some(6_500.0),
        (Scenario::Ungoverned | Scenario::Silent(_), ConnectFirst | ConnectUdp | ConnectTcp) => {
            Some(600.0)
        }
        // Only the kernel can read what is in a name behind the 16 bytes that its type has.
        (Scenario::Ungoverned | Scenario::Silent(_), ConnectSix) => Some(750.0),
        _ => None,
    }
}

pub(crate) fn print(rows: &[Row]) {
    let bare = &rows[0];
    println!("\ninstructions per operation; below, what Tyr adds");
    print!("{:>18}", "");
    rows.iter().for_each(|row| print!("{:>17}", row.name()));
    println!();
    for operation in OPERATIONS {
        print!("{:>18}", operation.name());
        rows.iter()
            .for_each(|row| print!("{:>17.1}", row.of(operation)));
        print!("\n{:>18}{:>17}", "", "");
        for row in &rows[1..] {
            print!("{:>+17.1}", row.of(operation) - bare.of(operation));
        }
        println!();
    }
}

pub(crate) fn json(rows: &[Row]) -> String {
    let rows: Vec<serde_json::Value> = rows
        .iter()
        .map(|row| {
            let values = OPERATIONS.map(|operation| {
                let value = (row.of(operation) * 10.0).round() / 10.0;
                (operation.name().to_owned(), value.into())
            });
            let values: serde_json::Map<_, _> = values.into_iter().collect();
            serde_json::json!({ "scenario": row.name(), "instructions": values })
        })
        .collect();
    format!("{:#}\n", serde_json::Value::from(rows))
}

/// Says which budgets do not hold.
pub(crate) fn judge(rows: &[Row]) -> ExitCode {
    let bare = &rows[0];
    let mut failed = 0;
    let mut passed = 0;
    let mut check = |what: String, value: f64, most: f64| {
        if value <= most {
            passed += 1;
        } else {
            failed += 1;
            println!("TOO MUCH: {what}: {value:.1}, at most {most:.1}");
        }
    };
    println!();
    for row in rows {
        for operation in OPERATIONS {
            let without = bare.of(operation);
            if let Some(most) = budget(row.scenario, operation, without) {
                let what = format!("{}, {}", operation.name(), row.name());
                check(what, row.of(operation) - without, most);
            }
        }
    }
    let silent = |rules| {
        rows.iter()
            .find(|row| row.scenario == Scenario::Silent(rules))
    };
    let (one, thousand) = (
        silent(1).expect("measured"),
        silent(1_000).expect("measured"),
    );
    for operation in [Operation::OpenFirst, Operation::Open] {
        let growth = thousand.of(operation) / one.of(operation);
        let what = format!("{}, 1,000 rules in terms of 1", operation.name());
        check(what, growth, GROWTH_MAX);
    }
    println!("{passed} passed, {failed} failed");
    ExitCode::from(u8::from(failed > 0))
}
