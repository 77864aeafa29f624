//! What the tests of the server share: a PostgreSQL for the whole run, servers, hosts and people.

pub(crate) mod host;
pub(crate) mod packaged;
pub(crate) mod person;
pub(crate) mod postgres;
pub(crate) mod server;
