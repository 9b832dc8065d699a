//! The first account. Whoever has the setup token (the machine's owner, who sees it printed or in the data folder) makes it,
//! once.

mod routes;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use storage::{ReadTx, Store, WriteTx, meta, sessions, users};
use tokio::sync::Mutex;

pub use routes::routes;

use crate::auth::{Auth, Origin, Role, SignedIn};
use crate::error::{ApiError, Code};
use crate::net::mdns::Name;
use crate::system::private_files::{self, FileError};
use crate::system::{clock, ids};
use crate::users::{NewUser, Users};

/// The file in the data folder that holds the token.
const FILE: &str = "setup-token";
/// Over 200 bits.
const TOKEN_LENGTH: usize = 43;

/// The way to the first account. Cheap to clone.
#[derive(Clone)]
pub struct Setup(Arc<Inner>);

struct Inner {
    store: Store,
    auth: Auth,
    users: Users,
    file: PathBuf,
    name: Name,
    /// One at a time: of a hundred right claims the first wins, and the others need no hash to learn that.
    token: Mutex<Option<String>>,
}

impl Setup {
    /// Reads or makes the token while there is no account; heals what a kill left behind.
    pub fn open(
        store: Store,
        auth: Auth,
        users: Users,
        data_dir: &Path,
        name: Name,
    ) -> Result<Self, FileError> {
        let file = data_dir.join(FILE);
        let claimed = is_claimed(&store).unwrap_or(true);
        let token = if claimed {
            // The account was made, and the process ended before the file was gone.
            private_files::remove(&file)?;
            None
        } else {
            Some(private_files::secret(&file, || ids::random(TOKEN_LENGTH))?)
        };
        Ok(Self(Arc::new(Inner { store, auth, users, file, name, token: Mutex::new(token) })))
    }

    /// Where the panel is found by name, for whoever is about to write it down. Nobody needs it from us later.
    pub fn address(&self) -> Option<String> {
        self.0.name.url().ok()
    }

    /// Whether there is no account yet.
    pub fn needed(&self) -> Result<bool, ApiError> {
        Ok(!is_claimed(&self.0.store)?)
    }

    /// What to print: the path below the panel's address, with the token where no server ever sees it.
    pub async fn link_path(&self) -> Option<String> {
        self.0.token.lock().await.as_ref().map(|token| format!("/setup#token={token}"))
    }

    /// Makes the first account and signs it in.
    pub async fn claim(
        &self,
        token: &str,
        username: String,
        password: String,
        origin: &Origin,
    ) -> Result<SignedIn, ApiError> {
        let mut expected = self.0.token.lock().await;
        let Some(right) = expected.as_ref().filter(|_| self.needed().unwrap_or(true)) else {
            return Err(ApiError::new(Code::AlreadySetUp, "This panel has its first account already."));
        };
        self.0.auth.check_setup_token(same(token, right), origin)?;
        let user = self.0.users.prepare(NewUser { username, password, role: Role::Admin }).await?;
        let session = self.0.auth.new_session(&user.id, origin)?;
        let (record, session_record) = (user.clone(), session.record.clone());
        self.0
            .store
            .write(move |tx: &WriteTx| -> storage::Result<()> {
                meta::claim(tx, clock::now())?;
                users::insert(tx, &record)?;
                sessions::insert(tx, &session_record)
            })
            .await?;
        *expected = None;
        if let Err(cause) = private_files::remove(&self.0.file) {
            // Worth nothing any more; the next start tries again.
            tracing::warn!(%cause, "the used setup token is still there");
        }
        let device = self.0.auth.new_device(&user);
        Ok(SignedIn { session, user, device })
    }
}

fn is_claimed(store: &Store) -> storage::Result<bool> {
    store.read_now(|tx: &ReadTx| Ok(meta::claimed_at(tx)?.is_some() || users::count(tx)? > 0))
}

/// Compares in a time that tells nothing of where they differ.
fn same(given: &str, right: &str) -> bool {
    let differences = given.bytes().zip(right.bytes()).fold(0, |sum, (a, b)| sum | (a ^ b));
    given.len() == right.len() && differences == 0
}
