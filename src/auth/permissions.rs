//! Permissions on one server. The list below is the only one: the names in API, document and database, the types used
//! by the rules, and what a permission includes are all generated from it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Properties of a permission in the list.
struct Row {
    /// Name in the API and in the database. Never renamed, because records and scripts contain it.
    name: &'static str,
    /// Names in records of earlier versions.
    earlier: &'static [&'static str],
    /// Permissions that are included.
    includes: &'static [Permission],
    /// Whether administrators have it on every server without a grant.
    administrators: bool,
}

macro_rules! permissions {
    (
        may be granted {
            $(
                $(#[$doc:meta])*
                $name:ident = $word:tt,
                earlier: [$($earlier:tt),*], includes: [$($includes:ident),*], administrators: $administrators:tt;
            )*
        }
        administrators only { $($(#[$only_doc:meta])* $only:ident = $only_word:tt;)* }
    ) => {
        /// One thing that somebody may do with a server.
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize, ToSchema,
        )]
        #[schema(as = GrantedPermission)]
        pub enum Permission {
            $($(#[$doc])* #[serde(rename = $word $(, alias = $earlier)*)] $name,)*
        }

        /// One thing that the caller may do with a server.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
        #[schema(as = Permission)]
        pub enum PermissionName {
            $($(#[$doc])* #[serde(rename = $word)] $name,)*
            $($(#[$only_doc])* #[serde(rename = $only_word)] $only,)*
        }

        impl Permission {
            /// All permissions that can be granted, from least to most.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            const fn row(self) -> Row {
                match self {
                    $(Self::$name => Row {
                        name: $word,
                        earlier: &[$($earlier),*],
                        includes: &[$(Self::$includes),*],
                        administrators: $administrators,
                    },)*
                }
            }
        }

        impl From<Permission> for PermissionName {
            fn from(permission: Permission) -> Self {
                match permission {
                    $(Permission::$name => Self::$name,)*
                }
            }
        }

        /// Permissions that only administrators have.
        const ADMINISTRATORS_ONLY: &[PermissionName] = &[$(PermissionName::$only),*];

        /// The permissions as types: `Permit<need::Power>`.
        pub mod need {
            use super::{Need, Permission};

            $(
                $(#[$doc])*
                #[derive(Clone, Debug)]
                pub struct $name;

                impl Need for $name {
                    const PERMISSION: Permission = Permission::$name;
                }
            )*
        }
    };
}

permissions! {
    may be granted {
        /// See that it is there and how it is.
        View = "view", earlier: [], includes: [], administrators: true;
        /// Read and use its console.
        Console = "console", earlier: [], includes: [View], administrators: true;
        /// Start and stop it.
        Power = "power", earlier: [], includes: [View], administrators: true;
        /// Kick, ban and name operators in the game, and speak to its players.
        Players = "players", earlier: [], includes: [View], administrators: true;
        /// See and download its files.
        FilesRead = "files_read", earlier: [], includes: [View], administrators: true;
        /// Change its files.
        Files = "files", earlier: [], includes: [View, FilesRead], administrators: true;
        /// See, make, restore and delete its backups.
        Backups = "backups", earlier: [], includes: [View], administrators: true;
        /// See, change and run its schedules. One does nothing that its author may not do.
        Schedules = "schedules", earlier: [], includes: [View], administrators: true;
        /// Rename it, and change those variables that its template lets users change. `edit` is taken as well.
        Startup = "startup", earlier: ["edit"], includes: [View], administrators: true;
        /// Change its image, limits, ports, environment and startup line.
        Configure = "configure", earlier: [], includes: [View, Startup], administrators: true;
    }
    administrators only {
        /// Delete it, and decide who may do what with it.
        Delete = "delete";
    }
}

/// A type that stands for a permission.
pub trait Need: Clone + Send + Sync + 'static {
    /// The permission.
    const PERMISSION: Permission;
}

impl Permission {
    /// Name in the API and in the database.
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// The permission with this name in a record. Names of later versions are unknown and allow nothing.
    pub fn read(name: &str) -> Option<Self> {
        let known = |permission: &Self| permission.name() == name || permission.row().earlier.contains(&name);
        Self::ALL.iter().copied().find(known)
    }

    /// The permissions in a grant's record.
    pub fn of_record(names: &BTreeSet<String>) -> BTreeSet<Self> {
        names.iter().filter_map(|name| Self::read(name)).collect()
    }
}

/// The permissions of a user on one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permissions {
    admin: bool,
    granted: BTreeSet<Permission>,
}

impl Permissions {
    /// Those of an administrator, on any server.
    pub(super) fn administrator() -> Self {
        Self { admin: true, granted: BTreeSet::new() }
    }

    /// Those of a user with these grants.
    pub(crate) fn granted(granted: impl IntoIterator<Item = Permission>) -> Self {
        Self { admin: false, granted: granted.into_iter().collect() }
    }

    /// Those of a user with a grant's record.
    pub(super) fn of_record(names: &BTreeSet<String>) -> Self {
        Self { admin: false, granted: Permission::of_record(names) }
    }

    /// Whether they belong to an administrator.
    pub fn is_admin(&self) -> bool {
        self.admin
    }

    /// Whether `need` is granted, directly or included in another permission.
    pub fn allow(&self, need: Permission) -> bool {
        let brings = |held: &Permission| *held == need || held.row().includes.contains(&need);
        (self.admin && need.row().administrators) || self.granted.iter().any(brings)
    }

    /// All of them, by their names in the API.
    pub fn names(&self) -> Vec<PermissionName> {
        let allowed = Permission::ALL.iter().copied().filter(|permission| self.allow(*permission));
        let only: &[_] = if self.admin { ADMINISTRATORS_ONLY } else { &[] };
        allowed.map(PermissionName::from).chain(only.iter().copied()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(permissions: &Permissions) -> String {
        serde_json::to_string(&permissions.names()).unwrap()
    }

    #[test]
    fn any_permission_lets_one_see() {
        assert_eq!(names(&Permissions::granted([Permission::Power])), r#"["view","power"]"#);
        assert_eq!(
            names(&Permissions::granted([Permission::Configure])),
            r#"["view","startup","configure"]"#
        );
        assert_eq!(names(&Permissions::granted([Permission::Startup])), r#"["view","startup"]"#);
        assert_eq!(names(&Permissions::granted([])), "[]");
        assert_eq!(
            names(&Permissions::administrator()),
            r#"["view","console","power","players","files_read","files","backups","schedules","startup","configure","delete"]"#
        );
    }

    /// `edit` covered what is now `startup` and `configure`; it is read as `startup`, the safer of the two.
    #[test]
    fn records_of_earlier_and_later_versions_are_read() {
        for permission in Permission::ALL {
            assert_eq!(Permission::read(permission.name()), Some(*permission));
            let written = serde_json::to_value(permission).unwrap();
            assert_eq!(written, permission.name(), "the API and the records have one name");
        }
        let record = ["view", "files", "edit", "fly"].map(str::to_owned).into();
        let read = Permissions::of_record(&record);
        assert_eq!(read, Permissions::granted([Permission::View, Permission::Files, Permission::Startup]));
    }
}
