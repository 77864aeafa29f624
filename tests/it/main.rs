//! Tests that need no root and no kernel support; some start a private PostgreSQL.

mod bypasses;
mod cli;
mod completions;
mod daemon;
mod manual;
mod policy;
mod server;
mod support;
mod tidy;
mod units;
