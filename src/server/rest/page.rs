//! The page at `/`.

use warp::Reply;
use warp::reply::Response;

use super::Call;

/// Links to what there is; the names are constants, so nothing needs escaping.
pub(super) async fn show(_: Call) -> Response {
    let version = crate::version::VERSION;
    let page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Tyr server</title>\
         <h1>Tyr server {version}</h1>\
         <ul><li><a href=\"/health\">Health</a><li><a href=\"/metrics\">Metrics</a>\
         <li><a href=\"/api/v1/ca.pem\">Certificate authority</a></ul>\
         <p>The REST interface is below <code>/api/v1</code> and takes \
         <code>Authorization: Bearer TOKEN</code>.</p></html>\n"
    );
    warp::reply::html(page).into_response()
}
