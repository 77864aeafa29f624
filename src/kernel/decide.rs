//! The kernel's decision without a hook: questions under `BPF_PROG_TEST_RUN`, answered by the code
//! that the LSM programs include. Needs root and attaches to nothing.

mod requests;
pub(crate) mod skel;

use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use libbpf_rs::{MapCore, MapFlags, Object, ObjectBuilder, ProgramInput};

use super::error::Error;
use super::image::{Pages, cell_of_word};
use crate::model::action::Action;
use crate::model::resource::Protocol;
use crate::policy::compile::{Cell, Compiled, Target};
pub use requests::{RequestError, decide_requests};
use skel::{tyr_answer, tyr_decide_context, tyr_endpoint, tyr_question};

/// `TYR_QUESTIONS_MAX` of the program.
const QUESTIONS_MAX: usize = 256;
/// A path of more bytes than the kernel reads.
const TOO_LONG: u32 = u32::MAX;
/// `struct __sk_buff` programs run on a packet; this one is never looked at.
const PACKET: [u8; 64] = [0; 64];

/// The loaded programs with their own image.
pub struct DecideEngine {
    object: Object,
    generation: u32,
}

/// One operation of one kind of process.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// A slot of the installed tables.
    pub slot: u32,
    /// `Target::Unknown`: not known, or too long.
    pub exe: Target<'a>,
    pub action: Action,
    pub object: Target<'a>,
}

/// What the kernel program found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    pub cell: Cell,
    pub exe_class: u32,
    pub class: u32,
    /// Image that decided.
    pub generation: u32,
    /// Label of the executable as a signature.
    pub signature: u32,
    /// Label of the object as a file that an interpreter opens.
    pub opened: u32,
}

impl DecideEngine {
    /// Loads the programs.
    ///
    /// # Errors
    /// The process may not load programs, or the kernel refuses them.
    pub fn new() -> Result<DecideEngine, Error> {
        let mut builder = ObjectBuilder::default();
        let builder = builder
            .name("tyr_decide")
            .map_err(Error::bpf("name the programs"))?;
        let open = builder
            .open_memory(skel::OBJECT)
            .map_err(Error::bpf("open the programs"))?;
        let object = open
            .load()
            .map_err(Error::bpf("load the decision programs"))?;
        Ok(DecideEngine {
            object,
            generation: 0,
        })
    }

    /// Puts tables in force as the next generation, which is returned.
    ///
    /// # Errors
    /// The tables do not fit, or the kernel has no memory for them.
    pub fn install(&mut self, compiled: &Compiled) -> Result<u32, Error> {
        let generation = self.generation + 1;
        let pages = Pages::new(compiled, generation)?.into_map()?;
        let fd = pages.as_fd().as_raw_fd();
        self.map("image")?
            .update(&0u32.to_ne_bytes(), &fd.to_ne_bytes(), MapFlags::ANY)
            .map_err(Error::bpf("put the image in force"))?;
        self.generation = generation;
        Ok(generation)
    }

    /// Asks every question; answers come in the same order.
    ///
    /// # Errors
    /// Nothing is installed, the program reports a fault, or it cannot be run.
    pub fn ask(&mut self, questions: &[Question<'_>]) -> Result<Vec<Answer>, Error> {
        let mut answers = Vec::with_capacity(questions.len());
        for batch in questions.chunks(QUESTIONS_MAX) {
            for (index, question) in (0u32..).zip(batch) {
                self.write(index, question)?;
            }
            let mut context = tyr_decide_context {
                count: batch.len() as u32,
            };
            let input = ProgramInput {
                // SAFETY: `Plain`: one word.
                context_in: Some(unsafe { plain::as_mut_bytes(&mut context) }),
                ..ProgramInput::default()
            };
            let program = self.program("decide")?;
            let output = program
                .test_run(input)
                .map_err(Error::bpf("run the decision program"))?;
            if output.return_value != 0 {
                return Err(Error::Image(
                    "the decision program stopped early".to_owned(),
                ));
            }
            for index in 0..batch.len() as u32 {
                answers.push(self.read(index)?);
            }
        }
        Ok(answers)
    }

    /// The mean time of one decision as a hook makes it, over `repeat` runs: the process is known,
    /// the path or address is in memory.
    ///
    /// # Errors
    /// As for `ask`.
    pub fn time(&mut self, question: &Question<'_>, repeat: u32) -> Result<Duration, Error> {
        self.ask(std::slice::from_ref(question))?;
        self.run_packet("decide_one", repeat)
    }

    /// What a run costs that decides nothing.
    ///
    /// # Errors
    /// The program cannot be run.
    pub fn time_nothing(&mut self, repeat: u32) -> Result<Duration, Error> {
        self.run_packet("decide_nothing", repeat)
    }

    fn run_packet(&mut self, name: &str, repeat: u32) -> Result<Duration, Error> {
        let input = ProgramInput {
            data_in: Some(&PACKET),
            repeat,
            ..ProgramInput::default()
        };
        let output = self
            .program(name)?
            .test_run(input)
            .map_err(Error::bpf("time a decision"))?;
        if output.return_value != 0 {
            return Err(Error::Image("the timed decision found a fault".to_owned()));
        }
        Ok(output.duration)
    }

    fn map(&self, name: &str) -> Result<libbpf_rs::Map<'_>, Error> {
        let found = self
            .object
            .maps()
            .find(|map| map.name().to_str() == Some(name));
        found.ok_or_else(|| Error::Missing(format!("map {name}")))
    }

    fn program(&mut self, name: &str) -> Result<libbpf_rs::ProgramMut<'_>, Error> {
        let found = self
            .object
            .progs_mut()
            .find(|program| program.name().to_str() == Some(name));
        found.ok_or_else(|| Error::Missing(format!("program {name}")))
    }

    fn write(&self, index: u32, question: &Question<'_>) -> Result<(), Error> {
        let mut words = tyr_question {
            slot: question.slot,
            action: question.action as u32,
            ..tyr_question::default()
        };
        (words.exe_dev, words.exe_length) = place(question.exe, &mut words.exe);
        (words.dev, words.path_length) = place(question.object, &mut words.path);
        if let Target::Address { ip, port, protocol } = question.object {
            words.endpoint = endpoint(ip, port, protocol);
        }
        // SAFETY: `Plain`.
        let bytes = unsafe { plain::as_bytes(&words) };
        self.map("questions")?
            .update(&index.to_ne_bytes(), bytes, MapFlags::ANY)
            .map_err(Error::bpf("write a question"))
    }

    fn read(&self, index: u32) -> Result<Answer, Error> {
        let bytes = self
            .map("answers")?
            .lookup(&index.to_ne_bytes(), MapFlags::ANY)
            .map_err(Error::bpf("read an answer"))?
            .unwrap_or_default();
        let mut answer = tyr_answer::default();
        plain::copy_from_bytes(&mut answer, &bytes).map_err(|_| Error::Layout {
            map: "answers",
            found: bytes.len(),
            expected: size_of::<tyr_answer>(),
        })?;
        let fault = || Error::Image("the decision program found a fault in the image".to_owned());
        if answer.fault != 0 {
            return Err(fault());
        }
        Ok(Answer {
            cell: cell_of_word(answer.cell).ok_or_else(fault)?,
            exe_class: answer.exe_class,
            class: answer.class,
            generation: answer.generation,
            signature: answer.signature,
            opened: answer.opened,
        })
    }
}

/// Device and length of a path, which is copied to where the program reads it.
fn place(target: Target<'_>, buffer: &mut [u8]) -> (u32, u32) {
    let (dev, path) = match target {
        Target::Path(path) => (0, path),
        Target::Inside(dev, path) => (dev, path),
        Target::Address { .. } | Target::Unknown => return (0, TOO_LONG),
    };
    let Some(start) = buffer.get_mut(..path.len()) else {
        return (dev, TOO_LONG);
    };
    start.copy_from_slice(path);
    (dev, path.len() as u32)
}

fn endpoint(ip: IpAddr, port: u16, protocol: Protocol) -> tyr_endpoint {
    let mut found = tyr_endpoint {
        port: port.to_be(),
        ..tyr_endpoint::default()
    };
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            found.address[..4].copy_from_slice(&ip.octets());
            found.length = 4;
        }
        IpAddr::V6(ip) => {
            found.address = ip.octets();
            found.length = 16;
        }
    }
    found.protocol = protocol.number();
    found
}
