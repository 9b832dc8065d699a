//! Files that a template keeps from those who may not configure the server: its `file_denylist`.

use ::templates::file_denylist::FileDenylist;
use protocol::FileAction;
use storage::servers::Server;

use crate::auth::{Permission, ServerAccess};
use crate::error::{ApiError, Code};
use crate::templates;

/// What the caller may neither read nor change of a server's files. Empty for whoever may configure it.
pub(crate) struct Denied(FileDenylist);

impl Denied {
    pub(crate) fn of(server: &Server, access: &ServerAccess) -> Self {
        if access.permissions().allow(Permission::Configure) {
            return Self(FileDenylist::default());
        }
        Self(templates::file_denylist(server.template.as_deref()))
    }

    /// The patterns, for the node, which checks the contents of folders.
    pub(super) fn patterns(&self) -> Vec<String> {
        self.0.lines().to_vec()
    }

    /// Whether a path is kept from the caller.
    pub(super) fn hides(&self, path: &str) -> bool {
        self.0.denies(path, false) || self.0.denies(path, true)
    }

    /// 403 for a path that is kept from the caller.
    pub(crate) fn check(&self, path: &str) -> Result<(), ApiError> {
        if self.hides(path) {
            return Err(refused("This file is only for those who may configure the server."));
        }
        Ok(())
    }

    /// The same for what is moved, copied or removed with all that is in it: a file that is denied by its place must not get
    /// another one.
    pub(crate) fn check_tree(&self, path: &str) -> Result<(), ApiError> {
        self.check(path)?;
        if self.0.may_deny_below(path) {
            return Err(refused(
                "This folder has files that are only for those who may configure the server.",
            ));
        }
        Ok(())
    }

    /// 403 for work that would touch what is kept from the caller.
    pub(super) fn check_action(&self, action: &FileAction) -> Result<(), ApiError> {
        match action {
            FileAction::MakeDirectory { path } => self.check(path),
            FileAction::Rename { path, to, .. } | FileAction::Copy { path, to } => {
                self.check_tree(path).and_then(|()| self.check_tree(to))
            }
            FileAction::Chmod { path, .. } => self.check_tree(path),
            FileAction::Delete { paths, .. } => paths.iter().try_for_each(|path| self.check_tree(path)),
            FileAction::Archive { .. } | FileAction::Extract { .. } => self.check_archives(),
            FileAction::Restore { .. } | FileAction::EmptyTrash { .. } => Ok(()),
        }
    }

    /// A link would be another name of such a file: 403 where there may be some.
    pub(super) fn check_links(&self) -> Result<(), ApiError> {
        if self.0.is_empty() {
            return Ok(());
        }
        Err(refused("This server has files that are only for those who may configure it, and so are links."))
    }

    /// Archives could carry such files, and links to them, past the check: 403 where there may be some.
    pub(crate) fn check_archives(&self) -> Result<(), ApiError> {
        if self.0.is_empty() {
            return Ok(());
        }
        Err(refused(
            "This server has files that are only for those who may configure it, and so are archives of its files.",
        ))
    }
}

fn refused(sentence: &str) -> ApiError {
    ApiError::new(Code::Forbidden, sentence)
}
