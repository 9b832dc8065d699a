//! The emergency kit: what somebody needs to get at backups without this panel.

use std::fmt::Write as _;

use protocol::NodeId;
use storage::backups::Repository;
use storage::backups::repositories::{self, Place};
use storage::backups::targets::{self, Location, Target};

use super::no_target;
use crate::agents::local;
use crate::auth::Admin;
use crate::backups::Backups;
use crate::backups::repositories::new_repository;
use crate::error::ApiError;
use crate::system::clock::{self, rfc3339};

impl Backups {
    /// The kit of a target.
    pub(super) async fn target_kit(&self, admin: &Admin, id: &str) -> Result<String, ApiError> {
        let target = self.store.read_now(|tx| targets::get(tx, id))?.ok_or_else(no_target)?;
        let place = |node_id: Option<NodeId>| Place { target_id: Some(target.id.clone()), node_id };
        let places: Vec<Place> = if target.location.is_shared() {
            vec![place(None)]
        } else {
            let nodes = self.store.read_now(storage::nodes::list)?;
            nodes.into_iter().map(|node| place(Some(node.id))).collect()
        };
        let mut text = head(&format!("the backup target \"{}\"", target.name));
        text.push_str(&access(&target));
        for place in places {
            let node = place.node_id.clone();
            let repository = self.known_or_new(place).await?;
            if let Some(node) = node {
                let _ = write!(text, "\nBackups of the node {node}, on that machine\n");
            }
            let address = address(&target.location, &repository);
            text.push_str(&commands(&repository, &address, &options(&target.location)));
        }
        tracing::warn!(target = id, by = %admin, "the emergency kit of a backup target was given out");
        Ok(text)
    }

    /// The kit of a node's own repository.
    pub(super) async fn node_kit(&self, admin: &Admin, node_id: &NodeId) -> Result<String, ApiError> {
        self.known_node(node_id)?;
        let repository = self.known_or_new(Place { target_id: None, node_id: Some(node_id.clone()) }).await?;
        let mut text = head(&format!("the backups on the node {node_id}"));
        let folder = if *node_id == local::NODE_ID {
            self.data_dir.display().to_string()
        } else {
            text.push_str("They lie in the data folder of that machine, which is /var/lib/ctrl-alt-play where nothing else was set.\n");
            "/var/lib/ctrl-alt-play".to_owned()
        };
        text.push_str(&commands(&repository, &format!("{folder}/backups/{}", repository.id), ""));
        tracing::warn!(node = %node_id, by = %admin, "the emergency kit of a node's backups was given out");
        Ok(text)
    }

    async fn known_or_new(&self, place: Place) -> Result<Repository, ApiError> {
        Ok(self.store.write(move |tx| repositories::keep(tx, &place, new_repository())).await?)
    }
}

fn head(what: &str) -> String {
    format!(
        "Emergency kit for {what}\n\
         Made by Ctrl+Alt+Play on {}\n\n\
         Keep this where you still have it when the panel and its disk are gone: on paper, or in a password manager.\n\
         Whoever has it can read and delete the backups.\n\n",
        rfc3339(clock::now()).chars().take(10).collect::<String>()
    )
}

/// How the target is reached.
fn access(target: &Target) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:<20}{value}");
    };
    match &target.location {
        Location::Folder { path } => line("Folder", path),
        Location::S3 { endpoint, region, bucket, prefix, access_key, secret_key } => {
            line("S3 address", endpoint);
            line("Region", region);
            line("Bucket", bucket);
            line("Folder", prefix);
            line("Access key", access_key);
            line("Secret key", secret_key);
            text.push_str(&format!(
                "\nexport AWS_ACCESS_KEY_ID={}\nexport AWS_SECRET_ACCESS_KEY={}\nexport AWS_DEFAULT_REGION={}\n",
                quoted(access_key),
                quoted(secret_key),
                quoted(region)
            ));
        }
        Location::Rest { url, user, password } => {
            line("REST server", url);
            line("User", user);
            line("Password", password);
            if !user.is_empty() {
                text.push_str(&format!(
                    "\nexport RESTIC_REST_USERNAME={}\nexport RESTIC_REST_PASSWORD={}\n",
                    quoted(user),
                    quoted(password)
                ));
            }
        }
        Location::Sftp { host, port, user, path, password, private_key, host_key } => {
            line("SSH server", host);
            line("Port", &port.to_string());
            line("User", user);
            line("Folder", path);
            line("Its key", host_key.as_deref().unwrap_or("not known yet"));
            if let Some(password) = password {
                line("Password", password);
            }
            if let Some(key) = private_key {
                text.push_str(&format!(
                    "\nPrivate key, to be kept as ~/.ssh/backup-target (mode 600):\n{}\n",
                    key.trim()
                ));
            }
        }
    }
    text
}

/// As restic names it.
fn address(location: &Location, repository: &Repository) -> String {
    match location {
        Location::Folder { path } => format!("{path}/{}", repository.id),
        Location::S3 { endpoint, bucket, prefix, .. } => {
            let folder = if prefix.is_empty() { String::new() } else { format!("/{prefix}") };
            format!("s3:{endpoint}/{bucket}{folder}")
        }
        Location::Rest { url, .. } => format!("rest:{url}/"),
        Location::Sftp { host, port, user, path, .. } => {
            let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
            format!("sftp://{user}@{host}:{port}/{path}")
        }
    }
}

/// What `ctrl-alt-play restore` needs beside the address.
fn options(location: &Location) -> String {
    let Location::Sftp { password, private_key, host_key, .. } = location else { return String::new() };
    let mut text = String::new();
    if private_key.is_some() {
        text.push_str(" --sftp-key ~/.ssh/backup-target");
    } else if password.is_some() {
        text.push_str(" # with SFTP_PASSWORD in the environment");
    }
    match host_key {
        Some(key) => format!(" --host-key {}{text}", quoted(key)),
        None => text,
    }
}

fn commands(repository: &Repository, address: &str, more: &str) -> String {
    format!(
        "\nRepository          {}\nPassword            {}\n\n\
         # With restic 0.14 or newer (apt install restic). These only read.\n\
         export RESTIC_REPOSITORY={}\n\
         export RESTIC_PASSWORD={}\n\
         restic snapshots\n\
         restic restore latest --target /tmp/restored\n\n\
         # Never forget or prune with restic while a panel still uses it.\n\n\
         # The whole panel, where it has backups here: on a machine without one, in the same shell.\n\
         ctrl-alt-play restore --from {}{more}\n",
        repository.id,
        repository.password,
        quoted(address),
        quoted(&repository.password),
        quoted(address)
    )
}

/// For a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_what_was_meant() {
        for text in ["plain", "it's", "a\"b$c`d\\", "x y"] {
            let run = std::process::Command::new("sh")
                .args(["-c", &format!("printf %s {}", quoted(text))])
                .output()
                .unwrap();
            assert_eq!(String::from_utf8(run.stdout).unwrap(), text);
        }
    }
}
