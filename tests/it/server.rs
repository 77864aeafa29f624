//! The server as hosts and people meet it: real PostgreSQL, real TLS.

mod audit;
mod builtin;
mod database;
mod enrollment;
mod export;
mod policies;
mod rest;
mod schema;
mod startup;
