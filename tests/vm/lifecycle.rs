//! Images change under load, the loader dies, its successor finds everything.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use libc::EPERM;
use tyr::kernel::load::{LoadOptions, Programs};
use tyr::kernel::object::EnforcementMode;

use crate::guest::*;
use crate::syscall::*;

#[test]
fn no_operation_sees_half_of_an_image() {
    fill(&folder("swap"), &["secret"]);
    let rule = deny("file_read", "/tmp/vm/swap/secret");
    let other = format!("{rule}{}", deny("file_read", "/tmp/vm/swap/another"));
    let _turn = policy(&rule);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut generation = 0;
            while !stop.load(Ordering::Relaxed) {
                let next = install(if generation % 2 == 0 { &other } else { &rule });
                assert!(next > generation);
                generation = next;
            }
        });
        let opened = as_agent(|| {
            let path = c("/tmp/vm/swap/secret");
            let mut opened = 0;
            for _ in 0..1000 {
                // SAFETY: the path ends with NUL.
                opened += i32::from(unsafe { libc::open(path.as_ptr(), libc::O_RDONLY) } >= 0);
            }
            opened
        });
        stop.store(true, Ordering::Relaxed);
        assert_eq!(opened, 0);
    });
    assert_eq!(counts()["faults"], 0);
}

#[test]
fn a_refined_session_follows_its_slot() {
    fill(&folder("refine"), &["secret"]);
    let _turn = policy(&deny("file_read", "/tmp/vm/refine/secret"));
    assert_eq!(as_agent(|| read("/tmp/vm/refine/secret")), EPERM);
    let sessions = GUEST.programs.sessions().unwrap();
    let (number, _) = sessions.last().unwrap();
    let generation = GUEST.programs.generation().unwrap();
    assert!(
        GUEST
            .programs
            .refine_session(*number, generation, 1)
            .unwrap()
    );
    assert!(
        GUEST
            .programs
            .refine_session(*number, generation + 1, 2)
            .unwrap()
    );
    assert!(
        GUEST
            .programs
            .refine_session(*number, generation + 2, 3)
            .unwrap()
    );
    let refined = GUEST.programs.session(*number).unwrap().unwrap().refined;
    assert_eq!(refined.len(), 2);
    assert!(refined.contains(&(generation + 1, 2)) && refined.contains(&(generation + 2, 3)));
    GUEST.programs.remove_session(*number).unwrap();
    assert_eq!(GUEST.programs.session(*number).unwrap(), None);
    assert!(
        !GUEST
            .programs
            .refine_session(*number, generation, 1)
            .unwrap()
    );
    GUEST.programs.remove_session(*number).unwrap();
}

#[test]
fn sessions_end_with_their_last_thread() {
    let _turn = policy(&deny("file_read", "/nowhere"));
    assert_eq!(as_agent(|| 0), 0);
    let live = GUEST.programs.live_sessions().unwrap();
    let sessions = GUEST.programs.sessions().unwrap();
    let (number, _) = sessions.last().expect("the session of the agent");
    assert!(!live.contains(number), "{live:?}");
}

/// Enforcement outlives the process that loaded it; the next one adopts it without a gap.
#[test]
fn the_programs_outlive_their_loader() {
    const DIR: &str = "/sys/fs/bpf/tyr-outlive";
    fill(&folder("outlive"), &["secret"]);
    let _turn = policy(&deny("file_read", "/nowhere"));
    let options = LoadOptions {
        pin_dir: Some(PathBuf::from(DIR)),
        scope: None,
        mode_limit: EnforcementMode::Lsm,
    };
    // The loader: attaches, puts a policy in force, starts an agent, and is killed.
    let (from, to) = pipe();
    use std::io::Read;
    use std::os::fd::AsRawFd;
    // SAFETY: the child is killed below.
    let loader = unsafe { libc::fork() };
    if loader == 0 {
        let programs = Programs::load(&options).expect("load");
        install_in(&programs, &deny("file_read", "/tmp/vm/outlive/secret"));
        // SAFETY: the agent waits in a pipe that only the test ends.
        let agent = unsafe { libc::fork() };
        if agent == 0 {
            std::thread::sleep(Duration::from_secs(3600));
        }
        tag_in(&programs, agent);
        // SAFETY: four bytes.
        unsafe { libc::write(to.as_raw_fd(), (&raw const agent).cast(), 4) };
        std::thread::sleep(Duration::from_secs(3600));
    }
    drop(to);
    let mut agent = [0; 4];
    std::fs::File::from(from)
        .read_exact(&mut agent)
        .expect("the loader's answer");
    let agent = i32::from_ne_bytes(agent);
    // SAFETY: both are children that this test made.
    unsafe { libc::kill(loader, libc::SIGKILL) };
    wait(loader);
    let adopted = Programs::load(&options).expect("adopt");
    assert!(adopted.adopted());
    assert_eq!(adopted.generation().unwrap(), 1);
    assert!(
        adopted
            .live_tasks()
            .unwrap()
            .iter()
            .any(|task| task.tgid == agent.cast_unsigned())
    );
    let deny_again = in_child_of(&adopted, || read("/tmp/vm/outlive/secret"));
    assert_eq!(deny_again, EPERM, "the image that the dead loader wrote");
    // SAFETY: a child of the loader, which this test made.
    unsafe { libc::kill(agent, libc::SIGKILL) };
    adopted.release().expect("release");
    assert!(!std::path::Path::new(DIR).exists());
}
