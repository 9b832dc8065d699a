//! Upgrades as JSON.

use protocol::UpgradeOutcome;
use serde::Serialize;
use utoipa::ToSchema;

use super::install_method::InstallMethod;

/// What there is to upgrade, and how far that is.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Upgrade)]
pub struct UpgradeView {
    /// The panel's version.
    pub current: String,
    /// A newer one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available: Option<OfferView>,
    /// When it was last looked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checked_at: Option<String>,
    /// Why it could not be seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check_error: Option<String>,
    /// It is looked once a day.
    pub checks: bool,
    /// How the next version gets here.
    pub how: InstallMethodName,
    /// Why it does not go by itself, where it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What a person does then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// What goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub running: Option<RunningView>,
    /// Why the last attempt came to nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// What became of the last upgrade.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<OutcomeView>,
    /// Agents of other machines are upgraded at the moment, one after another.
    pub nodes_running: bool,
    /// Why that stopped before its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nodes_failure: Option<String>,
    /// The other machines.
    pub nodes: Vec<NodeUpgradeView>,
}

/// A newer version.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = UpgradeOffer)]
pub struct OfferView {
    /// The newer version.
    pub version: String,
    /// The address of what is written about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
}

/// How the next version gets here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = UpgradeHow)]
pub enum InstallMethodName {
    /// `POST /api/upgrade`.
    Here,
    /// A command in a shell.
    Command,
    /// Another container image.
    Image,
    /// The package manager.
    Package,
    /// The source.
    Checkout,
}

impl From<InstallMethod> for InstallMethodName {
    fn from(how: InstallMethod) -> Self {
        match how {
            InstallMethod::Here => Self::Here,
            InstallMethod::Command => Self::Command,
            InstallMethod::Image => Self::Image,
            InstallMethod::Package => Self::Package,
            InstallMethod::Checkout => Self::Checkout,
        }
    }
}

/// An upgrade of the panel under way.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = UpgradeRunning)]
pub struct RunningView {
    /// To which version.
    pub version: String,
    /// What goes on.
    pub step: UpgradeStep,
    /// Bytes that came.
    pub done: u64,
    /// Bytes that there are; 0 where that is not known.
    pub total: u64,
}

/// What goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = UpgradeStep)]
pub enum UpgradeStep {
    /// The signed list is fetched.
    Checking,
    /// The program is fetched.
    Downloading,
    /// It is tried.
    Trying,
    /// The database is copied aside.
    Copying,
    /// The panel ends and comes back.
    Restarting,
}

/// What became of an upgrade.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = UpgradeOutcome)]
pub struct OutcomeView {
    /// The version before.
    pub from: String,
    /// The version that was to be.
    pub to: String,
    /// Whether the version before runs again.
    pub reverted: bool,
    /// Why it went back to the version before; absent where it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it ended, RFC 3339.
    pub at: String,
}

impl From<UpgradeOutcome> for OutcomeView {
    fn from(told: UpgradeOutcome) -> Self {
        let reverted = told.result == "reverted";
        Self { from: told.from, to: told.to, reverted, reason: told.reason, at: told.at }
    }
}

/// Another machine's agent.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = NodeUpgrade)]
pub struct NodeUpgradeView {
    /// Its node.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Its version, where it says one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Whether it is older than the panel.
    pub older: bool,
    /// Whether the panel can upgrade it now.
    pub can: bool,
    /// Why not, and what a person does there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<NodeUpgradeStep>,
    /// Percent of its program that was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent: Option<u8>,
    /// Why it failed, or what it waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// What goes on with a node's upgrade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = NodeUpgradeStep)]
pub enum NodeUpgradeStep {
    /// Its turn comes, or what goes on there has to end first.
    Waiting,
    /// The program goes there.
    Sending,
    /// It is tried there.
    Trying,
    /// Its agent starts anew.
    Returning,
    /// It has the panel's version.
    Done,
    /// It has not.
    Failed,
}
