//! The user that an image runs as.

use bollard::Docker;
use bollard::query_parameters::DownloadFromContainerOptionsBuilder;
use futures_util::{StreamExt, pin_mut};

use super::deadline::{LOOK, within};
use super::pull;
use crate::runtime::{EngineError, Fault};

/// The image's user as `uid:gid`; names are looked up in a container created from it.
pub(super) async fn of_image(
    client: &Docker,
    action: String,
    image: &str,
    container: &str,
) -> Result<String, EngineError> {
    let inspect = within(&action, LOOK, client.inspect_image(&pull::with_tag(image))).await?;
    let user = inspect.config.and_then(|config| config.user).unwrap_or_default();
    let (name, group) = user.split_once(':').map_or((user.as_str(), None), |(u, g)| (u, Some(g)));
    if name.is_empty() || name == "root" || name == "0" {
        return Ok("0:0".into());
    }
    if let (Ok(uid), Some(Ok(gid))) = (name.parse::<u32>(), group.map(str::parse::<u32>)) {
        return Ok(format!("{uid}:{gid}"));
    }
    let options = DownloadFromContainerOptionsBuilder::new().path("/etc/passwd").build();
    let bytes = within(&action, LOOK, async {
        let mut all = Vec::new();
        let chunks = client.download_from_container(container, Some(options));
        pin_mut!(chunks);
        while let Some(chunk) = chunks.next().await {
            all.extend_from_slice(&chunk?);
            if all.len() > 1 << 20 {
                break;
            }
        }
        Ok(all)
    })
    .await
    .unwrap_or_default();
    let found = passwd_entry(&String::from_utf8_lossy(&bytes), name);
    match (found, name.parse::<u32>()) {
        (Some(pair), _) => Ok(pair),
        (None, Ok(uid)) => Ok(format!("{uid}:0")),
        (None, Err(_)) => Err(EngineError::new(Fault::Missing, action, format!("it has no user {name:?}"))),
    }
}

/// The `uid:gid` of a user, by name or number, from the text of a password file (inside a tar archive).
fn passwd_entry(text: &str, user: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?.rsplit('\0').next()?;
        let (uid, gid) = (fields.nth(1)?.parse::<u32>().ok()?, fields.next()?.parse::<u32>().ok()?);
        (name == user || user.parse() == Ok(uid)).then(|| format!("{uid}:{gid}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_of_an_image() {
        let tar = format!(
            "passwd{}root:x:0:0:root:/root:/bin/sh\nsteam:x:1000:1001::/home/steam:/bin/sh\n",
            "\0".repeat(506)
        );
        assert_eq!(passwd_entry(&tar, "root").as_deref(), Some("0:0"));
        assert_eq!(passwd_entry(&tar, "steam").as_deref(), Some("1000:1001"));
        assert_eq!(passwd_entry(&tar, "1000").as_deref(), Some("1000:1001"));
        assert_eq!(passwd_entry(&tar, "nobody"), None);
    }
}
