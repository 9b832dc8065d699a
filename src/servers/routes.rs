//! `/api/servers`.

use super::Servers;
use super::body::{
    ChangeRequest, CommandRequest, CreateRequest, ForceQuery, GrantRequest, PowerRequest, TailQuery,
};
use super::preview::Preview;
use super::views::{ConsoleView, PowerAnswer, ServerUser, ServerView, StatsHistoryView};
use crate::auth::{Admin, Caller, Permission, Permit, need};
use crate::http::{
    Access, DELETE, Doc, Filter, GET, PATCH, POST, PUT, Route, accepted, admin, caller, created, id, ids,
    json, no_content, ok, permit, query, route, with,
};

/// All endpoints of this feature.
pub fn routes(servers: &Servers) -> Vec<Route> {
    vec![
        list(servers),
        create(servers),
        preview(servers),
        get(servers),
        change(servers),
        delete(servers),
        power(servers),
        command(servers),
        console(servers),
        stats(servers),
        install(servers),
        cancel_install(servers),
        users(servers),
        grant(servers),
        revoke(servers),
    ]
}

fn list(servers: &Servers) -> Route {
    route(
        GET,
        "/api/servers",
        Access::SignedIn,
        Doc::new("Lists the servers that the caller may see").list::<ServerView>(200),
        with(servers)
            .and(caller())
            .then(|servers: Servers, caller: Caller| async move { servers.list(&caller).await })
            .map(ok),
    )
}

fn create(servers: &Servers) -> Route {
    route(
        POST,
        "/api/servers",
        Access::Admin,
        Doc::new("Makes a server; its image is fetched afterwards")
            .body::<CreateRequest>()
            .answer::<ServerView>(201)
            .refusals(&[409, 503, 507]),
        with(servers)
            .and(admin())
            .and(json::<CreateRequest>())
            .then(|servers: Servers, admin: Admin, body: CreateRequest| async move {
                servers.create(&admin, body).await
            })
            .map(created),
    )
}

fn preview(servers: &Servers) -> Route {
    route(
        POST,
        "/api/servers/preview",
        Access::Admin,
        Doc::new("Says what making a server would do; changes nothing")
            .body::<CreateRequest>()
            .answer::<Preview>(200),
        with(servers)
            .and(admin())
            .and(json::<CreateRequest>())
            .then(|servers: Servers, admin: Admin, body: CreateRequest| async move {
                servers.preview(&admin, body).await
            })
            .map(ok),
    )
}

fn get(servers: &Servers) -> Route {
    route(
        GET,
        "/api/servers/{id}",
        Access::Server(Permission::View),
        Doc::new("One server").answer::<ServerView>(200),
        with(servers)
            .and(permit::<need::View>())
            .map(|servers: Servers, permit: Permit<need::View>| servers.get(&permit))
            .map(ok),
    )
}

fn change(servers: &Servers) -> Route {
    route(
        PATCH,
        "/api/servers/{id}",
        Access::Server(Permission::Startup),
        Doc::new("Changes settings, in force at the next start; left-out keys stay. All but `name` and the template's variables takes `configure`")
            .body::<ChangeRequest>()
            .answer::<ServerView>(200)
            .refusals(&[409, 503, 507]),
        with(servers)
            .and(permit::<need::Startup>())
            .and(json::<ChangeRequest>())
            .then(|servers: Servers, permit: Permit<need::Startup>, body: ChangeRequest| async move {
                servers.change(&permit, body).await
            })
            .map(ok),
    )
}

/// Only for administrators; but whoever may not even see the server learns nothing of it.
fn delete(servers: &Servers) -> Route {
    route(
        DELETE,
        "/api/servers/{id}",
        Access::ServerAdmin,
        Doc::new("Stops a server, removes its container and its data; administrators only")
            .query::<bool>("force", "Forget it even where its node is offline")
            .plain(204)
            .refusals(&[409, 422, 503, 507]),
        with(servers)
            .and(admin())
            .and(id())
            .and(query::<ForceQuery>())
            .then(|servers: Servers, admin: Admin, id: String, query: ForceQuery| async move {
                servers.delete(&admin, &id, query.force).await
            })
            .map(no_content),
    )
}

fn power(servers: &Servers) -> Route {
    route(
        POST,
        "/api/servers/{id}/power",
        Access::Server(Permission::Power),
        Doc::new("Starts, stops, restarts, kills or resumes a server")
            .body::<PowerRequest>()
            .answer::<PowerAnswer>(202)
            .refusals(&[409, 503]),
        with(servers)
            .and(permit::<need::Power>())
            .and(json::<PowerRequest>())
            .then(|servers: Servers, permit: Permit<need::Power>, body: PowerRequest| async move {
                servers.power(&permit, body.action.into()).await
            })
            .map(accepted),
    )
}

fn command(servers: &Servers) -> Route {
    route(
        POST,
        "/api/servers/{id}/command",
        Access::Server(Permission::Console),
        Doc::new("Sends the game one line").body::<CommandRequest>().plain(204).refusals(&[409, 503]),
        with(servers)
            .and(permit::<need::Console>())
            .and(json::<CommandRequest>())
            .then(|servers: Servers, permit: Permit<need::Console>, body: CommandRequest| async move {
                servers.command(&permit, body.command).await
            })
            .map(no_content),
    )
}

fn console(servers: &Servers) -> Route {
    route(
        GET,
        "/api/servers/{id}/console",
        Access::Server(Permission::Console),
        Doc::new("The last lines of the console, oldest first")
            .query::<u32>("tail", "How many lines: 1 to 1,000, 100 when left out")
            .answer::<ConsoleView>(200)
            .refusals(&[422, 503]),
        with(servers)
            .and(permit::<need::Console>())
            .and(query::<TailQuery>())
            .then(|servers: Servers, permit: Permit<need::Console>, query: TailQuery| async move {
                servers.console(&permit, query.tail).await.map(ConsoleView::from)
            })
            .map(ok),
    )
}

fn stats(servers: &Servers) -> Route {
    route(
        GET,
        "/api/servers/{id}/stats",
        Access::Server(Permission::View),
        Doc::new("What the server used in the last 10 minutes")
            .answer::<StatsHistoryView>(200)
            .refusals(&[503]),
        with(servers)
            .and(permit::<need::View>())
            .then(|servers: Servers, permit: Permit<need::View>| async move { servers.stats(&permit).await })
            .map(ok),
    )
}

fn install(servers: &Servers) -> Route {
    route(
        POST,
        "/api/servers/{id}/install",
        Access::Server(Permission::Configure),
        Doc::new("Fetches the image again").answer::<PowerAnswer>(202).refusals(&[409, 503]),
        with(servers)
            .and(permit::<need::Configure>())
            .then(|servers: Servers, permit: Permit<need::Configure>| async move {
                servers.install(&permit).await
            })
            .map(accepted),
    )
}

fn cancel_install(servers: &Servers) -> Route {
    route(
        DELETE,
        "/api/servers/{id}/install",
        Access::Server(Permission::Configure),
        Doc::new("Breaks off the fetch of the image").plain(204).refusals(&[409, 503]),
        with(servers)
            .and(permit::<need::Configure>())
            .then(|servers: Servers, permit: Permit<need::Configure>| async move {
                servers.cancel_install(&permit).await
            })
            .map(no_content),
    )
}

fn users(servers: &Servers) -> Route {
    route(
        GET,
        "/api/servers/{id}/users",
        Access::ServerAdmin,
        Doc::new("Who may do what with the server; administrators only").list::<ServerUser>(200),
        with(servers)
            .and(admin())
            .and(id())
            .then(
                |servers: Servers, admin: Admin, id: String| async move { servers.users(&admin, &id).await },
            )
            .map(ok),
    )
}

fn grant(servers: &Servers) -> Route {
    route(
        PUT,
        "/api/servers/{id}/users/{user}",
        Access::ServerAdmin,
        Doc::new("Gives somebody exactly these permissions; administrators only")
            .body::<GrantRequest>()
            .plain(204)
            .refusals(&[409, 503, 507]),
        with(servers)
            .and(admin())
            .and(ids())
            .and(json::<GrantRequest>())
            .then(|servers: Servers, admin: Admin, server: String, user: String, body: GrantRequest| async move {
                let permissions = body.permissions.into_iter().map(Permission::from).collect();
                servers.grant(&admin, &server, &user, permissions).await
            })
            .map(no_content),
    )
}

fn revoke(servers: &Servers) -> Route {
    route(
        DELETE,
        "/api/servers/{id}/users/{user}",
        Access::ServerAdmin,
        Doc::new("Takes all of somebody's permissions; administrators only").plain(204).refusals(&[503, 507]),
        with(servers)
            .and(admin())
            .and(ids())
            .then(|servers: Servers, admin: Admin, server: String, user: String| async move {
                servers.revoke(&admin, &server, &user).await
            })
            .map(no_content),
    )
}
