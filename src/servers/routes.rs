//! `/api/servers`.

use super::body::{
    BackupFirstQuery, ChangeRequest, CommandRequest, CreateRequest, DeleteQuery, GrantRequest, PowerRequest,
    ReinstallRequest, TailQuery,
};
use super::image::ImageView;
use super::preview::Preview;
use super::template_version::VersionView;
use super::trends::TrendView;
use super::views::{ConsoleView, PowerAnswer, ServerUser, ServerView, StatsHistoryView};
use super::{Servers, follow_up};
use crate::auth::{Actor, Admin, Permit, ServerAdmin, need};
use crate::backups::Backups;
use crate::http::header::{CONTENT_DISPOSITION, HeaderMap, HeaderValue};
use crate::http::{DELETE, GET, PATCH, POST, PUT, Route, StatusCode, bytes_of, empty, endpoint, tagged};
use storage::backups::FollowUp;

/// All endpoints of this feature.
pub fn routes(servers: &Servers, backups: &Backups) -> Vec<Route> {
    let mut routes = general(servers);
    routes.extend(running(servers));
    let both = (servers.clone(), backups.clone());
    routes.extend(installing(&both));
    routes.extend(template(&both));
    routes.extend(users(servers));
    routes
}

/// The list, and endpoints of a server as a whole.
fn general(servers: &Servers) -> Vec<Route> {
    vec![
        endpoint(GET, "/api/servers")
            .access::<Actor>()
            .doc("Lists the servers that the caller may see")
            .list_bytes::<ServerView>()
            .handle(servers, |servers, call| async move { servers.list_json(&call.by).await }),
        endpoint(POST, "/api/servers")
            .access::<Admin>()
            .doc("Makes a server; its image is fetched afterwards")
            .secret()
            .body::<CreateRequest>()
            .created::<ServerView>()
            .refusals(&[409, 503, 507])
            .handle(servers, |servers, call| async move { servers.create(&call.by, call.body).await }),
        endpoint(POST, "/api/servers/preview")
            .access::<Admin>()
            .doc("Says what making a server would do; changes nothing")
            .body::<CreateRequest>()
            .ok::<Preview>()
            .handle(servers, |servers, call| async move { servers.preview(&call.by, call.body).await }),
        endpoint(GET, "/api/servers/trends")
            .access::<Actor>()
            .doc("The processor use of the last 10 minutes of each running server that the caller may see, thinned out")
            .list::<TrendView>()
            .handle(servers, |servers, call| async move { servers.trends(&call.by).await }),
        endpoint(GET, "/api/servers/{id}")
            .access::<Permit<need::View>>()
            .doc("One server")
            .secret()
            .ok::<ServerView>()
            .with_headers()
            .handle(servers, |servers, call| async move { servers.get(&call.by).map(with_tag) }),
        endpoint(GET, "/api/servers/{id}/image")
            .access::<Permit<need::Configure>>()
            .doc("What the node and the image's registry say of a server's image: whether it is there, its CPU architectures, whether there is a newer one. Asks the registry, at most once a minute")
            .ok::<ImageView>()
            .refusals(&[503])
            .handle(servers, |servers, call| async move { servers.image(&call.by).await }),
        endpoint(PATCH, "/api/servers/{id}")
            .access::<Permit<need::Startup>>()
            .doc("Changes settings, in force at the next start; left-out keys stay. All but `name` and the template's variables takes `configure`")
            .secret()
            .body::<ChangeRequest>()
            .conditional()
            .ok::<ServerView>()
            .with_headers()
            .refusals(&[409, 503, 507])
            .handle(servers, |servers, call| async move {
                let expected = call.request.expected()?;
                servers.change(&call.by, call.body, &expected).await.map(with_tag)
            }),
        endpoint(DELETE, "/api/servers/{id}")
            .access::<ServerAdmin>()
            .doc("Stops a server, removes its container and its data; its backups are kept as those of a deleted server. Administrators only")
            .query::<DeleteQuery>()
            .no_content()
            .refusals(&[409, 422, 503, 507])
            .handle(servers, |servers, call| async move {
                let DeleteQuery { force, keep_backups } = call.query;
                servers.delete(&call.by, &call.request.id().into(), force, keep_backups).await
            }),
    ]
}

/// Power, console, stats and installation.
fn running(servers: &Servers) -> Vec<Route> {
    vec![
        endpoint(POST, "/api/servers/{id}/power")
            .access::<Permit<need::Power>>()
            .doc("Starts, stops, restarts, kills or resumes a server")
            .body::<PowerRequest>()
            .accepted::<PowerAnswer>()
            .refusals(&[409, 503])
            .handle(servers, |servers, call| async move {
                servers.power(&call.by, call.body.action.into()).await
            }),
        endpoint(POST, "/api/servers/{id}/command")
            .access::<Permit<need::Console>>()
            .doc("Sends the game one line")
            .body::<CommandRequest>()
            .no_content()
            .refusals(&[409, 503])
            .handle(
                servers,
                |servers, call| async move { servers.command(&call.by, call.body.command).await },
            ),
        endpoint(GET, "/api/servers/{id}/console")
            .access::<Permit<need::Console>>()
            .doc("The last lines of the console, oldest first")
            .query::<TailQuery>()
            .ok::<ConsoleView>()
            .refusals(&[422, 503])
            .handle(servers, |servers, call| async move {
                servers.console(&call.by, call.query.tail).await.map(ConsoleView::from)
            }),
        endpoint(GET, "/api/servers/{id}/stats")
            .access::<Permit<need::View>>()
            .doc("What the server used in the last 10 minutes")
            .ok::<StatsHistoryView>()
            .refusals(&[503])
            .handle(servers, |servers, call| async move { servers.stats(&call.by).await }),
        endpoint(POST, "/api/servers/{id}/eula")
            .access::<Permit<need::Configure>>()
            .doc("Accepts the EULA of a game that asks for it by `eula.txt`; counts from the next start on")
            .no_content()
            .refusals(&[409, 503, 507])
            .handle(servers, |servers, call| async move { servers.accept_eula(&call.by).await }),
        endpoint(GET, "/api/servers/{id}/install-log")
            .access::<Permit<need::Console>>()
            .doc("What the last installation printed, as a text file; of more than 3 MiB its beginning and its end")
            .secret()
            .response(200)
            .refusals(&[503])
            .handle(servers, |servers, call| async move {
                let log = servers.install_log(&call.by).await?;
                let mut response = bytes_of(StatusCode::OK, "text/plain; charset=utf-8", log.into_bytes());
                let file = HeaderValue::from_static("attachment; filename=\"install.log\"");
                response.headers_mut().insert(CONTENT_DISPOSITION, file);
                Ok(response)
            }),
        endpoint(DELETE, "/api/servers/{id}/install")
            .access::<Permit<need::Configure>>()
            .doc("Breaks off the fetch of the image, or the install script")
            .no_content()
            .refusals(&[409, 503])
            .handle(servers, |servers, call| async move { servers.cancel_install(&call.by).await }),
    ]
}

/// Its image fetched, and its files installed again.
fn installing(both: &(Servers, Backups)) -> Vec<Route> {
    vec![
        endpoint(POST, "/api/servers/{id}/install")
            .access::<Permit<need::Configure>>()
            .doc("Fetches the image again, and runs the template's install script; as `reinstall` with the files kept")
            .query::<BackupFirstQuery>()
            .accepted::<PowerAnswer>()
            .refusals(&[409, 503, 507])
            .handle(both, |both, call| async move {
                follow_up::install(both, &call.by, FollowUp::Install, call.query.backup_first).await
            }),
        endpoint(POST, "/api/servers/{id}/reinstall")
            .access::<Permit<need::Configure>>()
            .doc("Fetches the image again and runs the template's install script; with `wipe` the server's files are thrown away first")
            .body::<ReinstallRequest>()
            .accepted::<PowerAnswer>()
            .refusals(&[409, 503, 507])
            .handle(both, |both, call| async move {
                let ReinstallRequest { wipe, backup_first } = call.body;
                follow_up::install(both, &call.by, FollowUp::Reinstall { wipe }, backup_first).await
            }),
    ]
}

/// The version of its template that a server has.
fn template(both: &(Servers, Backups)) -> Vec<Route> {
    let (servers, _) = both;
    vec![
        endpoint(GET, "/api/servers/{id}/template")
            .access::<Permit<need::Configure>>()
            .doc("How the version of its template that the server has differs from the present one; 404 where that is gone")
            .ok::<VersionView>()
            .handle(servers, |servers, call| async move { servers.template_version(&call.by) }),
        endpoint(POST, "/api/servers/{id}/template")
            .access::<Permit<need::Configure>>()
            .doc("Takes the present version of its template, in force at the next start. Its variables stay; new ones get their defaults. With `backupFirst` the answer shows the server as it is, and the step is taken once there is a backup")
            .secret()
            .query::<BackupFirstQuery>()
            .conditional()
            .ok::<ServerView>()
            .with_headers()
            .refusals(&[409, 503, 507])
            .handle(both, |both, call| async move {
                let expected = call.request.expected()?;
                let first = call.query.backup_first;
                follow_up::update_template(both, &call.by, &expected, first).await.map(with_tag)
            }),
    ]
}

/// Permissions of users on a server.
fn users(servers: &Servers) -> Vec<Route> {
    vec![
        endpoint(GET, "/api/servers/{id}/users")
            .access::<ServerAdmin>()
            .doc("Who may do what with the server; administrators only")
            .list::<ServerUser>()
            .handle(servers, |servers, call| async move {
                servers.users(&call.by, &call.request.id().into()).await
            }),
        endpoint(PUT, "/api/servers/{id}/users/{user}")
            .access::<ServerAdmin>()
            .doc("Gives somebody exactly these permissions; administrators only")
            .body::<GrantRequest>()
            .conditional()
            .response(204)
            .refusals(&[409, 503, 507])
            .handle(servers, |servers, call| async move {
                let (id, user) = (call.request.id().into(), call.request.param("user"));
                let permissions = call.body.permissions.into_iter().collect();
                let expected = call.request.expected()?;
                let revision = servers.grant(&call.by, &id, user, permissions, expected).await?;
                let mut response = empty(StatusCode::NO_CONTENT);
                response.headers_mut().extend(tagged(&revision));
                Ok(response)
            }),
        endpoint(DELETE, "/api/servers/{id}/users/{user}")
            .access::<ServerAdmin>()
            .doc("Takes all of somebody's permissions; administrators only")
            .conditional()
            .no_content()
            .refusals(&[503, 507])
            .handle(servers, |servers, call| async move {
                let expected = call.request.expected()?;
                servers
                    .revoke(&call.by, &call.request.id().into(), call.request.param("user"), expected)
                    .await
            }),
    ]
}

fn with_tag(view: ServerView) -> (ServerView, HeaderMap) {
    let headers = tagged(&view.revision);
    (view, headers)
}
