//! Records of the ring buffer: bytes to values, everything checked.

#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::own::{Act, OwnRule};
use crate::model::action::Action;
use crate::model::verdict::Verdict;

/// One record, as the kernel wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A decision.
    Operation(Origin, Operation),
    /// A session became an agent; the file that showed it.
    AgentStarted(Origin, Program),
    /// A process of a session runs a new program.
    ProcessExeced(Origin, Program),
    /// The last thread of a process of a session ended.
    ProcessExited(Origin, Program),
}

/// Who, where and when: `struct tyr_event_header`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// CLOCK_BOOTTIME, nanoseconds.
    pub boot_ns: u64,
    pub session: u64,
    /// When the process (not the thread) was born, CLOCK_BOOTTIME.
    pub start_boot_ns: u64,
    pub exec_boot_ns: u64,
    pub cgroup_id: u64,
    pub tgid: u32,
    pub tid: u32,
    pub parent_tgid: u32,
    pub uid: u32,
    pub gid: u32,
    /// Image that decided; 0 when there was none.
    pub generation: u32,
    /// Name of the thread, for display only; a process chooses it.
    pub comm: Vec<u8>,
}

/// `struct tyr_operation`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    pub action: Action,
    pub verdict: Verdict,
    /// The verdict is reported and was not enforced.
    pub monitored: bool,
    /// Some rule matched; false is the default.
    pub matched: bool,
    pub reason: Reason,
    /// `enum tyr_hook`.
    pub hook: u32,
    /// Number of the innermost agent's type; 0 when it is not known.
    pub agent_type: u32,
    pub object: Object,
    pub exe: Place,
}

/// What an operation was about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Object {
    File(Place),
    /// Something that self-protection refused and that no rule could be about.
    Act(Act),
    Address {
        /// `None`: an address that rules cannot describe, or a socket that can reach any.
        ip: Option<IpAddr>,
        port: u16,
        /// `IPPROTO_*`.
        protocol: u16,
    },
}

/// A file: its file system, its inode, and its path inside the file system.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// `super_block.s_dev`; 0 when there is none.
    pub dev: u32,
    /// 0 when it does not exist or is not known.
    pub ino: u64,
    /// Empty is the root of the file system, or not known.
    pub path: Vec<u8>,
}

/// `struct tyr_process`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    pub agent_type: u32,
    /// `TYR_TASK_*`.
    pub flags: u32,
    pub file: Place,
}

/// Why a verdict is what it is: `enum tyr_reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    Cell,
    Unsettled,
    TooLong,
    Fault,
    /// Tyr protects itself.
    Own(OwnRule),
    Moved,
}

impl Reason {
    /// For people; empty for a plain answer of the policy.
    pub fn text(self) -> &'static str {
        match self {
            Reason::Cell => "",
            Reason::Unsettled => "path not settled",
            Reason::TooLong => "path too long",
            Reason::Fault => "kernel fault",
            Reason::Own(_) => "tyr protects itself",
            Reason::Moved => "new name lies under other rules",
        }
    }
}

/// The bytes are not a record of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("kernel record of {length} bytes: {problem}")]
pub struct BadRecord {
    pub length: usize,
    pub problem: &'static str,
}

const CELL_MONITORED: u32 = 0x4;
const CELL_MATCHED: u32 = 0x8;
const PATH_MAX: usize = 4096;
const EXE_MAX: usize = 256;

impl Record {
    /// # Errors
    /// The lengths do not agree, or a value is none that the kernel side writes.
    pub fn parse(bytes: &[u8]) -> Result<Record, BadRecord> {
        let bad = |problem| BadRecord {
            length: bytes.len(),
            problem,
        };
        let mut reader = Reader { rest: bytes };
        let kind = reader.u32().ok_or(bad("shorter than its header"))?;
        let length = reader.u32().ok_or(bad("shorter than its header"))?;
        if usize::try_from(length) != Ok(bytes.len()) {
            return Err(bad("its length field says otherwise"));
        }
        let origin = reader.origin().ok_or(bad("shorter than its header"))?;
        let record = match kind {
            1 => Record::Operation(origin, operation(&mut reader).map_err(bad)?),
            2 => Record::AgentStarted(origin, program(&mut reader).map_err(bad)?),
            3 => Record::ProcessExeced(origin, program(&mut reader).map_err(bad)?),
            4 => Record::ProcessExited(origin, program(&mut reader).map_err(bad)?),
            _ => return Err(bad("unknown kind")),
        };
        if reader.rest.is_empty() {
            Ok(record)
        } else {
            Err(bad("bytes left over"))
        }
    }

    /// Who, where and when.
    pub fn origin(&self) -> &Origin {
        match self {
            Record::Operation(origin, _)
            | Record::AgentStarted(origin, _)
            | Record::ProcessExeced(origin, _)
            | Record::ProcessExited(origin, _) => origin,
        }
    }
}

fn operation(reader: &mut Reader<'_>) -> Result<Operation, &'static str> {
    const SHORT: &str = "shorter than an operation";
    let mut word = || reader.u32().ok_or(SHORT);
    let action = word()?;
    let verdict = word()?;
    let cell = word()?;
    let reason = word()?;
    let hook = word()?;
    let agent_type = word()?;
    let dev = word()?;
    let exe_dev = word()?;
    let ino = reader.u64().ok_or(SHORT)?;
    let address: [u8; 16] = reader.array().ok_or(SHORT)?;
    let mut half = || reader.u16().ok_or(SHORT);
    let address_len = half()?;
    let port = half()?;
    let protocol = half()?;
    let path_len = usize::from(half()?);
    let exe_len = usize::from(half()?);
    let own_rule = half()?;
    reader.bytes(4).ok_or(SHORT)?;
    if path_len > PATH_MAX || exe_len > EXE_MAX {
        return Err("a path longer than its limit");
    }
    let path = reader.bytes(path_len).ok_or(SHORT)?.to_vec();
    let exe = reader.bytes(exe_len).ok_or(SHORT)?.to_vec();
    let action = Action::ALL
        .into_iter()
        .find(|known| *known as u32 == action)
        .ok_or("unknown action")?;
    let reason = read_reason(reason, own_rule)?;
    let object = if let Reason::Own(rule) = reason
        && !rule.is_about_file()
    {
        Object::Act(Act {
            rule,
            argument: dev,
            tgid: ino,
            comm: path,
        })
    } else if action.takes_path() {
        Object::File(Place { dev, ino, path })
    } else {
        Object::Address {
            ip: ip(&address, address_len)?,
            port,
            protocol,
        }
    };
    Ok(Operation {
        action,
        verdict: [Verdict::Allow, Verdict::Alert, Verdict::Deny]
            .into_iter()
            .find(|known| *known as u32 == verdict)
            .ok_or("unknown verdict")?,
        monitored: cell & CELL_MONITORED != 0,
        matched: cell & CELL_MATCHED != 0,
        reason,
        hook,
        agent_type,
        object,
        exe: Place {
            dev: exe_dev,
            ino: 0,
            path: exe,
        },
    })
}

fn read_reason(reason: u32, own_rule: u16) -> Result<Reason, &'static str> {
    Ok(match reason {
        0 => Reason::Cell,
        1 => Reason::Unsettled,
        2 => Reason::TooLong,
        3 => Reason::Fault,
        4 => Reason::Own(OwnRule::from_number(own_rule).ok_or("unknown rule of self-protection")?),
        5 => Reason::Moved,
        _ => return Err("unknown reason"),
    })
}

fn ip(address: &[u8; 16], length: u16) -> Result<Option<IpAddr>, &'static str> {
    match length {
        0 => Ok(None),
        4 => {
            let [a, b, c, d, ..] = *address;
            Ok(Some(Ipv4Addr::new(a, b, c, d).into()))
        }
        16 => Ok(Some(Ipv6Addr::from(*address).into())),
        _ => Err("an address of unknown length"),
    }
}

fn program(reader: &mut Reader<'_>) -> Result<Program, &'static str> {
    const SHORT: &str = "shorter than a process record";
    let agent_type = reader.u32().ok_or(SHORT)?;
    let dev = reader.u32().ok_or(SHORT)?;
    let ino = reader.u64().ok_or(SHORT)?;
    let flags = reader.u32().ok_or(SHORT)?;
    let length = reader.u32().ok_or(SHORT)?;
    let length = usize::try_from(length).map_err(|_| SHORT)?;
    if length > EXE_MAX {
        return Err("a path longer than its limit");
    }
    let path = reader.bytes(length).ok_or(SHORT)?.to_vec();
    Ok(Program {
        agent_type,
        flags,
        file: Place { dev, ino, path },
    })
}

/// Takes values from the front.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.try_into().ok()
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_ne_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_ne_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_ne_bytes)
    }

    /// The rest of the header, after kind and length.
    fn origin(&mut self) -> Option<Origin> {
        Some(Origin {
            boot_ns: self.u64()?,
            session: self.u64()?,
            start_boot_ns: self.u64()?,
            exec_boot_ns: self.u64()?,
            cgroup_id: self.u64()?,
            tgid: self.u32()?,
            tid: self.u32()?,
            parent_tgid: self.u32()?,
            uid: self.u32()?,
            gid: self.u32()?,
            generation: self.u32()?,
            comm: {
                let comm: [u8; 16] = self.array()?;
                comm.split(|&byte| byte == 0)
                    .next()
                    .unwrap_or_default()
                    .to_vec()
            },
        })
    }
}
