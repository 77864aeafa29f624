//! The evaluator's questions, asked of the kernel program instead.

use std::collections::HashMap;

use super::{DecideEngine, Question};
use crate::kernel::error::Error;
use crate::model::action::Action;
use crate::model::resource::Resource;
use crate::policy::compile::{Alias, Cell, CompileError, Input, Superblock, Target, compile};
use crate::policy::evaluate::{Moment, Request};
use crate::policy::fact::Fact;
use crate::policy::principal::Principal;
use crate::policy::rule::Effective;
use crate::policy::signatures::Signatures;

/// The kernel program did not answer.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    #[error(transparent)]
    Compile(#[from] CompileError),
    #[error(transparent)]
    Kernel(#[from] Error),
}

/// Name that an object with several paths has inside a file system made for it.
const OBJECT: &[u8] = b"/object";

/// Compiles `policies` and asks the kernel program every request, in order. `None`: the kernel
/// does not decide this action (`tls_connect`).
///
/// # Errors
/// The policies do not compile, or the programs cannot be loaded or run; see `DecideEngine`.
pub fn decide_requests(
    policies: &[Effective],
    signatures: &Signatures,
    requests: &[Request],
) -> Result<Vec<Option<Cell>>, RequestError> {
    let mut engine = DecideEngine::new()?;
    let mut answers = vec![None; requests.len()];
    // Tables hold for one moment: requests are taken moment by moment.
    let mut by_moment: HashMap<Option<Moment>, Vec<usize>> = HashMap::new();
    for (index, request) in requests.iter().enumerate() {
        if request.action != Action::TlsConnect {
            by_moment.entry(request.moment).or_default().push(index);
        }
    }
    for (moment, indexes) in by_moment {
        let of_moment: Vec<&Request> = indexes.iter().map(|&index| &requests[index]).collect();
        let cells = decide_at(&mut engine, policies, signatures, moment, &of_moment)?;
        for (index, cell) in indexes.into_iter().zip(cells) {
            answers[index] = Some(cell);
        }
    }
    Ok(answers)
}

fn decide_at(
    engine: &mut DecideEngine,
    policies: &[Effective],
    signatures: &Signatures,
    moment: Option<Moment>,
    requests: &[&Request],
) -> Result<Vec<Cell>, RequestError> {
    let mut slots: Vec<Principal> = Vec::new();
    let mut slot_of: HashMap<Principal, usize> = HashMap::new();
    let mut superblocks: Vec<Superblock> = Vec::new();
    let mut places = Vec::with_capacity(requests.len());
    for request in requests {
        let facts = Principal {
            exe: Fact::Unknown,
            ..request.principal.clone()
        };
        let slot = *slot_of.entry(facts).or_insert_with_key(|facts| {
            slots.push(facts.clone());
            slots.len() - 1
        });
        places.push((slot, file_system(&request.resource, &mut superblocks)));
    }
    let tables = compile(&Input {
        policies,
        signatures,
        host: &Principal::default(),
        superblocks: &superblocks,
        slots: &slots,
        moment,
        unmatched_is_silent: false,
    })?;
    engine.install(&tables)?;
    let questions: Vec<Question<'_>> = requests
        .iter()
        .zip(places)
        .map(|(request, (slot, dev))| Question {
            slot: tables.slots[slot],
            exe: request
                .principal
                .exe
                .known()
                .map_or(Target::Unknown, |exe| Target::Path(exe)),
            action: request.action,
            object: target(&request.resource, dev),
        })
        .collect();
    Ok(engine
        .ask(&questions)?
        .into_iter()
        .map(|answer| answer.cell)
        .collect())
}

/// An object with several paths is on a file system that is mounted at each of them.
fn file_system(resource: &Resource, superblocks: &mut Vec<Superblock>) -> Option<u32> {
    let Resource::Paths(paths) = resource else {
        return None;
    };
    if paths.len() < 2 {
        return None;
    }
    let alias = |path: &Vec<u8>| Alias {
        root: OBJECT.to_vec(),
        mount_point: path.clone(),
    };
    let dev = u32::try_from(superblocks.len() + 1).unwrap_or(u32::MAX);
    superblocks.push(Superblock {
        dev,
        aliases: paths.iter().map(alias).collect(),
    });
    Some(dev)
}

fn target(resource: &Resource, dev: Option<u32>) -> Target<'_> {
    match (resource, dev) {
        (_, Some(dev)) => Target::Inside(dev, OBJECT),
        (Resource::Paths(paths), None) => paths
            .first()
            .map_or(Target::Unknown, |path| Target::Path(path)),
        (Resource::Address { ip, port, protocol }, None) => Target::Address {
            ip: *ip,
            port: *port,
            protocol: *protocol,
        },
        (Resource::ServerName(_) | Resource::Unknown, None) => Target::Unknown,
    }
}
