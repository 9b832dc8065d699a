//! Tests of the rules over a real store and a real link, with a fake agent at the other end.

use std::collections::BTreeMap;
use std::net::IpAddr;

use protocol::{Ack, ErrorCode, ErrorReport, PowerAction, Status, ToAgent, ToPanel};
use storage::servers::{Behaviour, Limits, Port, Protocol, Server};
use storage::users::{Role, User};

use super::views::ServerStatus;
use super::{OwnPorts, ServerView, Servers};
use crate::agents::tests::World;
use crate::auth::{
    Actor, Admin, Auth, Credentials, DeviceProof, NewSession, Origin, OwnOrigins, Permission, need,
};
use crate::error::{ApiError, Code};
use crate::revision::Expected;
use crate::templates::{Template, Variable};

/// Servers, and an actor with all permissions.
pub(crate) struct Games {
    pub(crate) world: World,
    pub(crate) auth: Auth,
    pub(crate) servers: Servers,
    pub(crate) admin: Admin,
}

impl Games {
    pub(crate) async fn new() -> Self {
        let world = World::new().await;
        let auth = Auth::new(world.store.clone(), b"0123456789abcdef0123456789abcdef", OwnOrigins::new(None));
        let (agents, tasks) = (world.agents.clone(), world.tasks.clone());
        let moves = crate::transfers::Transfers::new(
            world.store.clone(),
            agents,
            Default::default(),
            tasks,
            Vec::new(),
            None,
        );
        let moves = moves.unwrap();
        let servers = Servers::new(
            world.store.clone(),
            auth.clone(),
            world.agents.clone(),
            moves,
            crate::templates::Templates::open(world.store.clone(), world.tasks.clone()).unwrap(),
            world.tasks.clone(),
            OwnPorts(vec![(3000, "its page")]),
        );
        let admin = actor(&world, &auth, "root", Role::Admin).await.admin().unwrap();
        Self { world, auth, servers, admin }
    }

    pub(crate) async fn user(&self, name: &str) -> Actor {
        actor(&self.world, &self.auth, name, Role::User).await
    }

    pub(crate) async fn make(&self, json: &str) -> Result<ServerView, ApiError> {
        self.servers.create(&self.admin, crate::http::parse(json.as_bytes())?).await
    }

    async fn list(&self, actor: &Actor) -> Vec<serde_json::Value> {
        serde_json::from_slice(&self.servers.list_json(actor).await.unwrap()).unwrap()
    }

    fn access<N: crate::auth::Need>(&self, id: &str) -> crate::auth::Permit<N> {
        self.auth.server_access(&self.admin, &id.into(), Permission::View).unwrap().permit().unwrap()
    }
}

async fn actor(world: &World, auth: &Auth, name: &str, role: Role) -> Actor {
    let user = User {
        id: name.into(),
        username: name.into(),
        password_hash: String::new(),
        role,
        created_at: 1,
        last_seen: None,
    };
    let origin = Origin {
        address: IpAddr::from([127, 0, 0, 1]),
        user_agent: String::new(),
        device: DeviceProof::default(),
    };
    let NewSession { record: session, token, .. } = auth.new_session(name, &origin).unwrap();
    let write = world.store.write(move |tx| {
        storage::users::insert(tx, &user)?;
        storage::sessions::insert(tx, &session)
    });
    write.await.unwrap();
    auth.authenticate(&Credentials::Bearer(token)).unwrap().into()
}

/// A server without a template.
pub(crate) fn plain_server() -> Server {
    Server {
        id: "a".into(),
        name: "World".into(),
        node_id: "local".into(),
        template_id: None,
        image: "busybox".into(),
        startup: "game".into(),
        environment: BTreeMap::from([("A".into(), "1".into()), ("B".into(), "2".into())]),
        limits: Limits { memory: 64 << 20, cpu: 50, ..Limits::default() },
        ports: vec![Port { internal: 1, external: 2, protocol: Protocol::Udp }],
        suspended: false,
        created_at: 1,
        updated_at: 1,
        block_lan: false,
        handed_over: false,
        deleting: None,
        template: None,
        start_when_installed: false,
        behaviour: Behaviour::default(),
    }
}

/// A template with a variable of each kind: editable, readable, neither, and an editable secret.
pub(crate) fn templated() -> Template {
    let mut template = crate::templates::list()[0].clone();
    let variable = |name: &str, user_viewable, user_editable, secret| Variable {
        env_variable: name.into(),
        user_viewable,
        user_editable,
        secret,
        rules: if name == "OPEN" { "integer".into() } else { String::new() },
        ..Variable::default()
    };
    template.variables = vec![
        variable("OPEN", true, true, false),
        variable("LOCKED", true, false, false),
        variable("FIXED", false, false, false),
        variable("RCON", true, true, true),
    ];
    template
}

#[tokio::test]
async fn a_new_server_is_handed_to_its_agent() {
    let games = Games::new().await;
    let mut agent = games.world.connect(&"local".into());
    let made =
        games.make(r#"{"name":"World","image":"busybox","environment":{"A":"{{x}} $(id)"}}"#).await.unwrap();
    assert_eq!((made.status, made.node_online), (ServerStatus::Installing, true));
    let told = agent
        .hear_and_ack(|message| match message {
            ToAgent::ServerCreate(create) => Some(create),
            _ => None,
        })
        .await;
    assert_eq!((told.server_id.as_str(), told.environment["A"].as_str()), (made.id.as_str(), "{{x}} $(id)"));
    agent.status(&made.id, Status::Stopped);
    crate::agents::tests::until(|| {
        let server = games.servers.get(&games.access(&made.id)).unwrap();
        (server.status == ServerStatus::Stopped).then_some(())
    })
    .await;
}

#[tokio::test]
async fn without_its_node_a_server_is_kept_and_its_state_unknown() {
    let games = Games::new().await;
    let made = games.make(r#"{"name":"World","image":"busybox"}"#).await.unwrap();
    assert_eq!((made.status, made.node_online), (ServerStatus::Unknown, false));
    let error = games.servers.power(&games.access(&made.id), PowerAction::Start).await.unwrap_err();
    assert_eq!(error.code(), Code::NodeOffline);
    assert_eq!(
        games.servers.delete(&games.admin, &made.id.as_str().into(), false, true).await.unwrap_err().code(),
        Code::NodeOffline
    );
    games.servers.delete(&games.admin, &made.id.as_str().into(), true, true).await.unwrap();
    assert!(games.list(&games.admin).await.is_empty());
}

#[tokio::test]
async fn of_fifty_at_once_one_gets_the_port() {
    let games = Games::new().await;
    let body = r#"{"name":"N","image":"b","ports":[{"internal":1,"external":7777,"protocol":"udp"}]}"#;
    let made = futures_util::future::join_all((0..50).map(|_| games.make(body))).await;
    assert_eq!(made.iter().filter(|one| one.is_ok()).count(), 1);
    for error in made.into_iter().filter_map(Result::err) {
        assert_eq!(error.code(), Code::PortInUse);
        assert!(error.message().contains("\"N\""), "{error}");
    }
    let own = r#"{"name":"N","image":"b","ports":[{"internal":1,"external":3000,"protocol":"tcp"}]}"#;
    let error = games.make(own).await.unwrap_err();
    assert_eq!(error.code(), Code::PortInUse);
    assert!(error.message().contains("the panel's own"), "{error}");
}

#[tokio::test]
async fn default_ports_move_together_to_free_ones() {
    use super::ports::{Excluded, next_free};
    let games = Games::new().await;
    let taken = r#"{"name":"N","image":"b","ports":[{"internal":1,"external":2457,"protocol":"udp"}]}"#;
    games.make(taken).await.unwrap();
    let port = |external, protocol| Port { internal: 1, external, protocol };
    let pick = |wanted: &[Port], excluded: &Excluded| {
        let own = OwnPorts(vec![(3000, "its page")]);
        let found = games.world.store.read_now(|tx| next_free(tx, &"local".into(), wanted, &own, excluded));
        found.map(|ports| ports.iter().map(|port| port.external).collect::<Vec<_>>())
    };
    let none = Excluded::new();
    let pair = [port(2456, Protocol::Udp), port(2457, Protocol::Udp)];
    assert_eq!(pick(&pair, &none).unwrap(), [2458, 2459], "together");
    assert_eq!(pick(&[port(2457, Protocol::Tcp)], &none).unwrap(), [2457], "another protocol");
    assert_eq!(pick(&[port(3000, Protocol::Tcp)], &none).unwrap(), [3001], "not ours");
    assert_eq!(pick(&[port(80, Protocol::Tcp)], &Excluded::from([(80, Protocol::Tcp)])).unwrap(), [81]);
    let top = Excluded::from([(65_535, Protocol::Tcp)]);
    assert_eq!(pick(&[port(65_535, Protocol::Tcp)], &top).unwrap_err().code(), Code::PortInUse);
}

#[tokio::test]
async fn a_change_is_told_to_the_agent_as_it_was_written() {
    let games = Games::new().await;
    let made = games.make(r#"{"name":"World","image":"busybox"}"#).await.unwrap();
    let mut agent = games.world.connect(&"local".into());
    let permit = games.access::<need::Startup>(&made.id);
    let change = crate::http::parse(br#"{"startup":"run"}"#).unwrap();
    let heard = agent.hear_and_ack(|message| match message {
        ToAgent::ServerUpdate(update) => Some(update),
        _ => None,
    });
    let (changed, told) = tokio::join!(games.servers.change(&permit, change, &Expected::Whatever), heard);
    assert_eq!(changed.unwrap().startup.as_deref(), Some("run"));
    assert_eq!((told.server_id, told.startup.as_deref()), (made.id.into(), Some("run")));
}

#[tokio::test]
async fn power_is_the_agents_to_grant() {
    let games = Games::new().await;
    let made = games.make(r#"{"name":"World","image":"busybox"}"#).await.unwrap();
    let mut agent = games.world.connect(&"local".into());
    let permit = games.access::<need::Power>(&made.id);
    let grant = async {
        let id = agent.hear().await.message_id.unwrap();
        agent.answer(&id, ToPanel::Ack(Ack { status: Some(Status::Starting) }));
    };
    let (answer, ()) = tokio::join!(games.servers.power(&permit, PowerAction::Start), grant);
    assert_eq!(answer.unwrap().status, ServerStatus::Starting);
    let refuse = async {
        let id = agent.hear().await.message_id.unwrap();
        let report =
            ErrorReport { code: ErrorCode::AlreadyRunning, message: "It runs.".into(), ..Default::default() };
        agent.answer(&id, ToPanel::Error(report));
    };
    let (answer, ()) = tokio::join!(games.servers.power(&permit, PowerAction::Start), refuse);
    assert_eq!(answer.unwrap_err().code(), Code::AlreadyRunning);
}

#[tokio::test]
async fn a_server_that_its_agent_never_had_can_be_deleted() {
    let games = Games::new().await;
    let made = games.make(r#"{"name":"World","image":"busybox"}"#).await.unwrap();
    let mut agent = games.world.connect(&"local".into());
    let refuse = async {
        let asked = agent.hear().await;
        assert!(matches!(asked.message, ToAgent::ServerDelete(_)));
        let report = ErrorReport { code: ErrorCode::NotFound, ..ErrorReport::default() };
        agent.answer(&asked.message_id.unwrap(), ToPanel::Error(report));
    };
    let id = made.id.as_str().into();
    let (deleted, ()) = tokio::join!(games.servers.delete(&games.admin, &id, false, true), refuse);
    deleted.unwrap();
    let again = games.servers.delete(&games.admin, &made.id.as_str().into(), false, true).await;
    assert_eq!(again.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn grants_open_a_server_and_taking_them_closes_it() {
    let games = Games::new().await;
    let made = games.make(r#"{"name":"World","image":"busybox"}"#).await.unwrap();
    games.make(r#"{"name":"Hidden","image":"busybox"}"#).await.unwrap();
    let jo = games.user("jo").await;
    assert!(games.list(&jo).await.is_empty());
    games
        .servers
        .grant(&games.admin, &made.id.as_str().into(), "jo", [Permission::Power].into(), Expected::Whatever)
        .await
        .unwrap();
    let seen = games.list(&jo).await;
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0]["permissions"], serde_json::json!(["view", "power"]));
    assert_eq!(games.servers.users(&games.admin, &made.id.as_str().into()).await.unwrap()[0].username, "jo");
    let nobody = games
        .servers
        .grant(&games.admin, &made.id.as_str().into(), "nobody", Default::default(), Expected::Whatever)
        .await;
    assert_eq!(nobody.unwrap_err().code(), Code::NotFound);
    games.servers.revoke(&games.admin, &made.id.as_str().into(), "jo", Expected::Whatever).await.unwrap();
    assert!(games.list(&jo).await.is_empty());
    let again = games.servers.revoke(&games.admin, &made.id.as_str().into(), "jo", Expected::Whatever).await;
    assert_eq!(again.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn a_preview_tells_what_stands_in_the_way() {
    let games = Games::new().await;
    games
        .make(r#"{"name":"First","image":"b","ports":[{"internal":1,"external":7777,"protocol":"udp"}]}"#)
        .await
        .unwrap();
    let body =
        r#"{"image":"x y","nodeId":"nowhere","ports":[{"internal":1,"external":7777,"protocol":"udp"}]}"#;
    let request = crate::http::parse(body.as_bytes()).unwrap();
    let preview = serde_json::to_value(games.servers.preview(&games.admin, request).await.unwrap()).unwrap();
    let fields: Vec<_> =
        preview["blockers"].as_array().unwrap().iter().map(|one| one["field"].as_str().unwrap()).collect();
    assert_eq!(fields, ["image", "nodeId"]);
    let body = r#"{"image":"b","ports":[{"internal":1,"external":7777,"protocol":"udp"}]}"#;
    let request = crate::http::parse(body.as_bytes()).unwrap();
    let preview = serde_json::to_value(games.servers.preview(&games.admin, request).await.unwrap()).unwrap();
    assert_eq!(preview["blockers"][0]["code"], "port_in_use");
    assert!(preview["blockers"][0]["message"].as_str().unwrap().contains("First"));
    assert_eq!(preview["warnings"][0]["code"], "node_offline");
    assert_eq!(games.list(&games.admin).await.len(), 1, "nothing was made");
}
