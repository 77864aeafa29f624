//! Enforcement, proved in a virtual machine whose kernel takes BPF LSM programs.

#![allow(unsafe_code, reason = "the tests are system calls")]
#![allow(unreachable_pub, reason = "one crate of tests")]

mod alias;
mod compiler;
mod container;
mod daemon;
mod deputies;
mod exec;
mod file;
mod folder;
mod guard;
mod guest;
mod kernel;
mod lifecycle;
mod lineage;
mod links;
mod mount;
mod names;
mod network;
mod object;
mod preempt;
mod probe;
mod race;
mod recognise;
mod remember;
mod running;
mod sandbox;
mod syscall;
mod upgrade;
