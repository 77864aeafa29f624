//! A server in this process, with real sockets.

use std::net::SocketAddr;
use std::sync::Arc;

use tempfile::TempDir;
use tyr::server::config::Config;
use tyr::server::{Running, State};
use tyr::wire::rest::{EnrollmentTokenRequest, EnrollmentTokenSecret, Role};

use super::host::Host;
use super::person::Person;
use super::postgres;

pub(crate) struct TestServer {
    pub running: Running,
    pub admin: Person,
    pub url: String,
    folder: TempDir,
}

pub(crate) fn config(folder: &TempDir, url: &str) -> Config {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    Config {
        data_dir: folder.path().to_owned(),
        grpc_listen: any,
        rest_listen: any,
        database_url: Some(url.to_owned()),
        shutdown_grace_s: 2,
        database_connections_max: 6,
        ..Config::default()
    }
}

impl TestServer {
    /// A server on a database of its own.
    pub(crate) async fn start() -> TestServer {
        TestServer::start_on(&postgres::database().await).await
    }

    /// The first server of a database.
    pub(crate) async fn start_on(url: &str) -> TestServer {
        let folder = postgres::folder();
        let running = tyr::server::start(config(&folder, url))
            .await
            .expect("the server starts");
        let token = running
            .admin_token
            .clone()
            .expect("the first start makes a token");
        let admin = Person::new(&running, &token);
        TestServer {
            running,
            admin,
            url: url.to_owned(),
            folder,
        }
    }

    /// Stops this server and starts another one on its database.
    pub(crate) async fn restart(self) -> TestServer {
        let TestServer {
            running,
            admin,
            url,
            folder,
        } = self;
        running.stop(std::future::pending()).await;
        let running = tyr::server::start(config(&folder, &url))
            .await
            .expect("it starts again");
        assert_eq!(
            running.admin_token, None,
            "only the first start makes a token"
        );
        let admin = Person::new(&running, &admin.token);
        TestServer {
            running,
            admin,
            url,
            folder,
        }
    }

    pub(crate) fn state(&self) -> &Arc<State> {
        &self.running.state
    }

    pub(crate) fn grpc(&self) -> String {
        self.running.grpc.to_string()
    }

    /// An enrolment token.
    pub(crate) async fn token(&self, request: &EnrollmentTokenRequest) -> String {
        let made: EnrollmentTokenSecret = self.admin.post("enrollment-tokens", request).await;
        made.token
    }

    /// A new host.
    pub(crate) async fn host(&self, name: &str) -> Host {
        let token = self.token(&EnrollmentTokenRequest::default()).await;
        Host::enroll(self, &token, name)
            .await
            .expect("the host enrols")
    }

    /// Someone with a token of this role.
    pub(crate) async fn person(&self, role: Role) -> Person {
        let body = serde_json::json!({ "name": format!("a {role}"), "role": role });
        let made: tyr::wire::rest::ApiTokenSecret = self.admin.post("api-tokens", &body).await;
        Person::new(&self.running, &made.token)
    }
}
