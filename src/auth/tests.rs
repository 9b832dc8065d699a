use std::time::Duration;

use storage::sessions::{self, Session};
use storage::users::User;
use storage::{Millis, WriteTx};
use tokio::time::timeout;

use super::*;
use crate::system::clock;

const DAY: Millis = 24 * 60 * 60 * 1000;

struct Fixture {
    auth: Auth,
    store: Store,
    user: User,
    _folder: tempfile::TempDir,
}

fn from(address: &str) -> Origin {
    Origin { address: address.parse().unwrap(), user_agent: "test".into(), device: DeviceProof::default() }
}

impl Fixture {
    async fn new(role: Role) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let auth = Auth::new(store.clone(), b"a secret of some length, for tests", OwnOrigins::default());
        let password_hash = auth.hash_password("right password".into()).await.unwrap();
        let (id, username) = ("u1".to_owned(), "Mira".to_owned());
        let user = User { id, username, password_hash, role, created_at: clock::now(), last_seen: None };
        let record = user.clone();
        store.write(move |tx: &WriteTx| storage::users::insert(tx, &record)).await.unwrap();
        Self { auth, store, user, _folder: folder }
    }

    async fn signed_in(&self, change: impl FnOnce(&mut Session) + Send) -> Credentials {
        let NewSession { mut record, token, .. } =
            self.auth.new_session(&self.user.id, &from("192.0.2.1")).unwrap();
        change(&mut record);
        self.store.write(move |tx: &WriteTx| sessions::insert(tx, &record)).await.unwrap();
        Credentials::Bearer(token)
    }

    async fn try_password(&self, password: &str, address: &str) -> Code {
        match self.auth.sign_in("mira", password.into(), &from(address)).await {
            Ok(_) => Code::Conflict, // stands for "signed in"
            Err(error) => error.code(),
        }
    }
}

#[tokio::test]
async fn a_session_is_over_when_it_was_not_used_for_a_week_or_its_time_is_up() {
    let fixture = Fixture::new(Role::User).await;
    let now = clock::now();
    let fresh = fixture.signed_in(|_| ()).await;
    assert_eq!(fixture.auth.authenticate(&fresh).unwrap().username(), "Mira");
    let rested = fixture.signed_in(|session| session.last_used = now - 6 * DAY).await;
    assert!(fixture.auth.authenticate(&rested).is_ok());
    let forgotten = fixture.signed_in(|session| session.last_used = now - 8 * DAY).await;
    assert_eq!(fixture.auth.authenticate(&forgotten).unwrap_err().code(), Code::Unauthenticated);
    let expired = fixture.signed_in(|session| session.expires_at = now - 1).await;
    assert_eq!(fixture.auth.authenticate(&expired).unwrap_err().code(), Code::Unauthenticated);
}

#[tokio::test]
async fn a_watch_tells_of_a_new_role_and_of_the_end() {
    let fixture = Fixture::new(Role::User).await;
    let caller = fixture.auth.authenticate(&fixture.signed_in(|_| ()).await).unwrap();
    let mut watch = fixture.auth.watch(&caller);
    // The first check is immediate; after it, nothing happens.
    assert!(!watch.changed().await.unwrap().is_admin());
    assert!(timeout(Duration::from_millis(50), watch.changed()).await.is_err());
    let mut promoted = fixture.user.clone();
    promoted.role = Role::Admin;
    fixture.store.write(move |tx: &WriteTx| storage::users::update(tx, &promoted)).await.unwrap();
    fixture.auth.changed("somebody else");
    assert!(timeout(Duration::from_millis(50), watch.changed()).await.is_err());
    fixture.auth.changed(&fixture.user.id);
    assert!(watch.changed().await.unwrap().is_admin());
    assert!(fixture.auth.end_session(caller.user_id(), caller.session_id()).await.unwrap());
    let told = timeout(Duration::from_secs(2), watch.changed()).await.unwrap();
    assert_eq!(told.unwrap_err(), SessionEnded);
}

#[tokio::test]
async fn nobody_ends_somebody_elses_session() {
    let fixture = Fixture::new(Role::User).await;
    let caller = fixture.auth.authenticate(&fixture.signed_in(|_| ()).await).unwrap();
    assert!(!fixture.auth.end_session("u2", caller.session_id()).await.unwrap());
    assert!(fixture.auth.refresh(&caller).is_some());
}

#[tokio::test]
async fn a_known_device_is_let_in_and_strangers_have_a_reserve() {
    let fixture = Fixture::new(Role::User).await;
    let first = fixture.auth.sign_in("mira", "right password".into(), &from("198.51.100.7")).await.unwrap();
    let device = first.device.unwrap();
    let proof = DeviceProof { cookies: vec![device.cookie], key: Some(device.key) };
    let known = |password: &str| {
        let origin = Origin { device: proof.clone(), ..from("203.0.113.1") };
        let password = password.to_owned();
        let auth = fixture.auth.clone();
        async move { auth.sign_in("mira", password, &origin).await }
    };
    // Until the account's reserve is used up.
    let mut refused = 0;
    for stranger in 1..=40 {
        let address = format!("203.0.113.{stranger}");
        match fixture.try_password("wrong password", &address).await {
            Code::BadCredentials => {}
            Code::TooManyRequests => refused += 1,
            code => panic!("{code:?}"),
        }
    }
    assert!(refused >= 20, "{refused}");
    let again = known("right password").await.unwrap();
    assert!(again.device.is_none(), "it is known already");
    // A stolen device allows ten guesses.
    for _ in 0..10 {
        assert_eq!(known("wrong password").await.err().unwrap().code(), Code::BadCredentials);
    }
    assert_eq!(known("wrong password").await.err().unwrap().code(), Code::TooManyRequests);
}

#[tokio::test]
async fn a_session_is_shown_by_both_halves_or_by_its_token() {
    let fixture = Fixture::new(Role::User).await;
    let new = fixture.auth.new_session(&fixture.user.id, &from("192.0.2.1")).unwrap();
    let record = new.record.clone();
    fixture.store.write(move |tx: &WriteTx| sessions::insert(tx, &record)).await.unwrap();
    let other = Halves::make(&new.record.id);
    let Halves { cookie, key } = new.halves;
    let may = |values: &[&str], key: Option<&str>| {
        let values = values.iter().map(ToString::to_string).collect();
        fixture.auth.authenticate(&Credentials::Cookie { values, key: key.map(str::to_owned) }).is_ok()
    };
    assert!(may(&[&cookie], Some(&key)));
    assert!(may(&["x", &other.cookie, "", &cookie, &new.token], Some(&key)), "beside foreign ones");
    let many: Vec<_> = (0..500).map(|n| format!("a{n}.b")).collect();
    let mut many: Vec<&str> = many.iter().map(String::as_str).collect();
    many.push(&cookie);
    assert!(may(&many, Some(&key)));
    for (values, half) in [
        (vec![cookie.as_str()], None),
        (vec![cookie.as_str()], Some(other.key.as_str())),
        (vec![cookie.as_str()], Some(cookie.as_str())),
        (vec![key.as_str()], Some(key.as_str())),
        (vec![other.cookie.as_str()], Some(key.as_str())),
        (vec![new.token.as_str()], Some(key.as_str())),
        (vec![new.token.as_str()], None),
        (vec![], Some(key.as_str())),
        (vec![cookie.as_str()], Some("")),
        (vec![cookie.as_str()], Some("garbage")),
    ] {
        assert!(!may(&values, half), "{values:?} {half:?}");
    }
    for half in [&cookie, &key] {
        assert!(fixture.auth.authenticate(&Credentials::Bearer(half.clone())).is_err());
    }
    // Of a session from an earlier version only the token is accepted.
    let old = fixture.auth.new_session(&fixture.user.id, &from("192.0.2.1")).unwrap();
    let record = Session { cookie_hash: None, key_hash: None, ..old.record };
    fixture.store.write(move |tx: &WriteTx| sessions::insert(tx, &record)).await.unwrap();
    assert!(!may(&[&old.halves.cookie], Some(&old.halves.key)));
    assert!(fixture.auth.authenticate(&Credentials::Bearer(old.token)).is_ok());
}

#[tokio::test]
async fn servers_that_may_not_be_seen_are_not_there() {
    let fixture = Fixture::new(Role::User).await;
    let actor = Actor::from(fixture.auth.authenticate(&fixture.signed_in(|_| ()).await).unwrap());
    let error = fixture.auth.server_access(&actor, &"nothing".into(), Permission::View).unwrap_err();
    assert_eq!(error.code(), Code::NotFound);
    assert!(actor.admin().is_err());
    assert!(Actor::Shell { uid: 0 }.admin().is_ok());
}

#[test]
fn no_token_is_shown_by_debug() {
    for credentials in [
        Credentials::Bearer("a.token.here".into()),
        Credentials::Cookie { values: vec!["a.token.here".into()], key: Some("a.token.here".into()) },
    ] {
        assert!(!format!("{credentials:?}").contains("token"), "{credentials:?}");
    }
}
