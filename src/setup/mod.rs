//! Setup: creates the first account. It requires the setup token, which the panel prints at its start and stores in the
//! data folder, and works only once.

mod restore;
mod restore_routes;
mod routes;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use storage::{ReadTx, Store, WriteTx, meta, sessions, users};
use tokio::sync::{Mutex, MutexGuard};

pub use routes::routes;

use self::restore::Restoration;
use crate::auth::{Auth, Origin, Role, SignedIn};
use crate::error::{ApiError, Code};
use crate::net::mdns::Name;
use crate::system::private_files::{self, FileError};
use crate::system::shutdown::Tasks;
use crate::system::{clock, ids};
use crate::users::{NewUser, Users};

/// File in the data folder with the setup token.
const FILE: &str = "setup-token";
/// Characters of the token: over 200 bits.
const TOKEN_LENGTH: usize = 43;

/// Creates the first account. Cheap to clone.
#[derive(Clone)]
pub struct Setup(Arc<Inner>);

struct Inner {
    store: Store,
    auth: Auth,
    users: Users,
    file: PathBuf,
    name: Name,
    restoration: Restoration,
    /// The setup token; `None` once it was used. Locked for a whole claim: if many arrive at once, the first wins and
    /// the others fail without the cost of a password hash.
    token: Mutex<Option<String>>,
}

impl Setup {
    /// Reads or creates the token while there is no account, and otherwise removes a leftover token file.
    pub fn open(
        store: Store,
        auth: Auth,
        users: Users,
        data_dir: &Path,
        name: Name,
        tasks: Tasks,
    ) -> Result<Self, FileError> {
        let restoration = Restoration::new(data_dir, tasks);
        let file = data_dir.join(FILE);
        let claimed = is_claimed(&store).unwrap_or(true);
        let token = if claimed {
            // The process was killed after it created the account and before it removed the file.
            private_files::remove(&file)?;
            None
        } else {
            Some(private_files::secret(&file, || ids::random(TOKEN_LENGTH))?)
        };
        Ok(Self(Arc::new(Inner { store, auth, users, file, name, restoration, token: Mutex::new(token) })))
    }

    /// The panel's mDNS URL, to show during setup; `None` if there is none.
    pub fn address(&self) -> Option<String> {
        self.0.name.url().ok()
    }

    /// Whether there is no account yet.
    pub fn needed(&self) -> Result<bool, ApiError> {
        Ok(!is_claimed(&self.0.store)?)
    }

    /// Path of the setup page, with the token in the fragment, which browsers do not send to servers. `None` once the
    /// token was used.
    pub async fn link_path(&self) -> Option<String> {
        self.0.token.lock().await.as_ref().map(|token| format!("/setup#token={token}"))
    }

    /// Whether somebody with this token may have another panel restored here: while there is no account. None is made as
    /// long as the answer is held.
    async fn allows(&self, token: &str, origin: &Origin) -> Result<Allowed<'_>, ApiError> {
        let expected = self.0.token.lock().await;
        let Some(right) = expected.as_ref().filter(|_| self.needed().unwrap_or(false)) else {
            return Err(ApiError::new(Code::AlreadySetUp, "This panel has its first account already."));
        };
        self.0.auth.check_setup_token(same(token, right), origin)?;
        Ok(Allowed { _no_account: expected })
    }

    fn restoration(&self) -> &Restoration {
        &self.0.restoration
    }

    /// Creates the first account, an administrator, and signs it in.
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
        if self.0.restoration.is_under_way() {
            return Err(restore::under_way());
        }
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
            // The token is no longer valid; the next start tries again to remove it.
            tracing::warn!(%cause, "the used setup token is still there");
        }
        let device = self.0.auth.new_device(&user);
        Ok(SignedIn { session, user, device })
    }
}

/// Proof of the setup token, by which no account can be made meanwhile.
struct Allowed<'a> {
    _no_account: MutexGuard<'a, Option<String>>,
}

fn is_claimed(store: &Store) -> storage::Result<bool> {
    store.read_now(|tx: &ReadTx| Ok(meta::claimed_at(tx)?.is_some() || users::count(tx)? > 0))
}

/// Compares two strings in constant time.
fn same(given: &str, right: &str) -> bool {
    let differences = given.bytes().zip(right.bytes()).fold(0, |sum, (a, b)| sum | (a ^ b));
    given.len() == right.len() && differences == 0
}
