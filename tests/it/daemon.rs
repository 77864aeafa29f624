//! The daemon on a scripted kernel, with a real server and the command line.

mod alone;
mod compiler;
mod end_to_end;
mod exact;
mod fleet;
mod loss;
mod scripted;
