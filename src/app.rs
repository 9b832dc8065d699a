//! The handles that the features share. Nothing happens in here.

use std::sync::Arc;

use storage::{Millis, Store};

use crate::auth::Auth;
use crate::config::Config;
use crate::shutdown::Tasks;

/// Cheap to clone.
#[derive(Clone)]
pub struct App {
    /// The settings that the process was started with.
    pub config: Arc<Config>,
    /// What is kept.
    pub store: Store,
    /// Who may what.
    pub auth: Auth,
    /// What runs.
    pub tasks: Tasks,
    /// Since when.
    pub started_at: Millis,
}
