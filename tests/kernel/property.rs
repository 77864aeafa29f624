//! Kernel programs and the reference evaluator give the same answer.

use tyr::kernel::decide::{Answer, DecideEngine, Question};
use tyr::model::action::Action;
use tyr::model::resource::Resource;
use tyr::policy::compile::{Compiled, Input, Superblock, Target, compile};
use tyr::policy::evaluate::{Request, evaluate};
use tyr::policy::fact::Fact;
use tyr::policy::moment::Moment;
use tyr::policy::principal::Principal;
use tyr::policy::rule::Effective;
use tyr::policy::signatures::Signatures;

use crate::random::Random;

const POLICIES: u64 = 120;
const EVENTS: usize = 200;
/// `TYR_TEST_SEED` chooses another one.
const SEED: u64 = 20_261_121;

/// One policy set with everything that was random about it.
struct Round {
    seed: u64,
    policies: Vec<Effective>,
    superblocks: Vec<Superblock>,
    slots: Vec<Principal>,
    moment: Option<Moment>,
}

/// One operation as the kernel sees it.
struct Event {
    slot: usize,
    exe: Fact<Vec<u8>>,
    action: Action,
    resource: Resource,
    dev: Option<u32>,
    inside: Vec<u8>,
}

impl Round {
    fn new(seed: u64, random: &mut Random) -> Round {
        Round {
            seed,
            policies: random.policies(),
            superblocks: random.superblocks(),
            slots: (0..4).map(|_| random.principal()).collect(),
            moment: random.moment(),
        }
    }

    fn compile(&self) -> Compiled {
        let signatures = Signatures::default();
        let input = Input {
            policies: &self.policies,
            signatures: &signatures,
            host: &Principal::default(),
            superblocks: &self.superblocks,
            slots: &self.slots,
            moment: self.moment,
            unmatched_is_silent: false,
        };
        compile(&input).unwrap_or_else(|error| panic!("seed {}: {error}", self.seed))
    }

    fn event(&self, random: &mut Random) -> Event {
        let (action, resource, dev, inside) = random.object(&self.superblocks);
        let slot = random.below(self.slots.len());
        Event {
            slot,
            exe: random.exe(),
            action,
            resource,
            dev,
            inside,
        }
    }

    fn check(&self, event: &Event, answer: &Answer) {
        let request = Request {
            principal: Principal {
                exe: event.exe.clone(),
                ..self.slots[event.slot].clone()
            },
            action: event.action,
            resource: event.resource.clone(),
            moment: self.moment,
        };
        let wanted = evaluate(&self.policies, &request);
        let wanted = (wanted.verdict, !wanted.enforced, wanted.deciding.is_some());
        let cell = answer.cell;
        assert_eq!(
            (cell.verdict, cell.monitored, cell.matched),
            wanted,
            "seed {}: evaluator on the right\n{request:?}\nfile system {:?}, inside {:?}\n{:?}\n{:#?}",
            self.seed,
            event.dev,
            String::from_utf8_lossy(&event.inside),
            self.superblocks,
            self.policies,
        );
    }
}

impl Event {
    fn question(&self, tables: &Compiled) -> Question<'_> {
        let object = match &self.resource {
            Resource::Address { ip, port, protocol } => Target::Address {
                ip: *ip,
                port: *port,
                protocol: *protocol,
            },
            _ => match self.dev {
                Some(dev) => Target::Inside(dev, &self.inside),
                None => Target::Path(&self.inside),
            },
        };
        Question {
            slot: tables.slots[self.slot],
            exe: self
                .exe
                .known()
                .map_or(Target::Unknown, |exe| Target::Path(exe)),
            action: self.action,
            object,
        }
    }
}

#[test]
fn kernel_and_evaluator_agree() {
    let seed = std::env::var("TYR_TEST_SEED")
        .ok()
        .and_then(|text| text.parse().ok());
    let first = seed.unwrap_or(SEED);
    let mut engine = DecideEngine::new().expect("the decision programs load");
    let mut verdicts = [0usize; 3];
    for seed in first..first + POLICIES {
        let mut random = Random::new(seed);
        let round = Round::new(seed, &mut random);
        let tables = round.compile();
        let generation = engine.install(&tables).expect("the image is installed");
        let events: Vec<Event> = (0..EVENTS).map(|_| round.event(&mut random)).collect();
        let questions: Vec<Question<'_>> =
            events.iter().map(|event| event.question(&tables)).collect();
        let answers = engine.ask(&questions).expect("the program answers");
        for (event, answer) in events.iter().zip(&answers) {
            assert_eq!(answer.generation, generation);
            round.check(event, answer);
            verdicts[answer.cell.verdict as usize] += 1;
        }
    }
    println!(
        "seeds from {first}: {} pairs, allow/alert/deny {verdicts:?}",
        verdicts.iter().sum::<usize>()
    );
    assert!(verdicts.iter().sum::<usize>() >= 10_000);
    assert!(
        verdicts.iter().all(|&count| count >= 1_000),
        "one-sided test: {verdicts:?}"
    );
}
