//! Finds out whether this process runs in a container of the engine it uses, and what the host mounts into it.
//!
//! The container's id is read from the files that an engine mounts into each container (`/etc/hosts` and others come
//! from `…/containers/ID/`). The host name is not reliable, since anyone can set it. The engine then tells what is
//! mounted where.

use std::path::PathBuf;

use bollard::Docker;

use super::deadline::{LOOK, within};
use crate::host::hostpath::HostPaths;
use crate::runtime::{EngineError, Fault};

/// What our mounts tell about this process.
#[derive(Debug, PartialEq, Eq)]
struct Own {
    id: String,
    /// The writable layer of our root, if it is an overlay.
    upper: Option<String>,
}

/// Looks up our own container, if we are in one.
pub(super) async fn host_paths(client: &Docker) -> Result<HostPaths, EngineError> {
    let text = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let Some(own) = own(&text) else { return Ok(HostPaths::Same) };
    let action = "look at the container that this runs in";
    let found = match within(action, LOOK, client.inspect_container(&own.id, None)).await {
        Ok(found) => found,
        // The container belongs to another engine; ours runs beside us in the same container and sees the same paths.
        Err(error) if error.fault == Fault::Missing => return Ok(HostPaths::Same),
        Err(error) => return Err(error),
    };
    let layers = found.graph_driver.map(|driver| driver.data).unwrap_or_default();
    // A container in another one's network namespace has that one's `/etc/hosts`, and thus its id.
    if let (Some(ours), Some(theirs)) = (&own.upper, layers.get("UpperDir"))
        && ours != theirs
    {
        return Ok(HostPaths::Unknown("it shares the network of another container".into()));
    }
    let mounts = found.mounts.unwrap_or_default().into_iter().filter_map(|mount| {
        // A tmpfs has no source.
        let source = mount.source.filter(|source| source.starts_with('/'))?;
        Some((PathBuf::from(mount.destination?), PathBuf::from(source)))
    });
    let mounts: Vec<_> = mounts.collect();
    tracing::info!(container = &own.id[..12], "this runs in a container of the engine");
    Ok(HostPaths::Mounted(mounts))
}

fn own(mountinfo: &str) -> Option<Own> {
    let mut id = None;
    let mut upper = None;
    for line in mountinfo.lines() {
        let mut fields = line.split(' ');
        let (Some(root), Some(at)) = (fields.nth(3), fields.next()) else { continue };
        match at {
            "/etc/hosts" | "/etc/hostname" | "/etc/resolv.conf" => id = id.or_else(|| id_in(root)),
            "/" => {
                let options = line.rsplit(' ').next().unwrap_or_default();
                upper =
                    options.split(',').find_map(|option| option.strip_prefix("upperdir=")).map(str::to_owned);
            }
            _ => {}
        }
    }
    Some(Own { id: id?, upper })
}

/// The id in `…/containers/ID/…`, or in Podman's `…/overlay-containers/ID/…`.
fn id_in(path: &str) -> Option<String> {
    let mut parts = path.split('/');
    parts.find(|part| *part == "containers" || part.ends_with("-containers"))?;
    // Podman's parent folder is called `containers` as well.
    let id = parts.find(|part| !part.ends_with("-containers"))?;
    let hex = id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    hex.then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4f0c6a9d2b7e8135c0ffee00decafbad4f0c6a9d2b7e8135c0ffee00decafbad";

    #[test]
    fn a_containers_own_id_and_layer() {
        let text = format!(
            "613 520 0:52 / / rw,relatime master:1 - overlay overlay rw,lowerdir=/var/l1:/var/l2,\
             upperdir=/var/lib/docker/overlay2/ab/diff,workdir=/var/lib/docker/overlay2/ab/work\n\
             620 613 254:0 /var/lib/docker/volumes/x/_data /data rw - ext4 /dev/vda rw\n\
             621 613 254:0 /var/lib/docker/containers/{ID}/resolv.conf /etc/resolv.conf rw - ext4 /dev/vda rw\n"
        );
        let own = own(&text).unwrap();
        assert_eq!((own.id.as_str(), own.upper.as_deref()), (ID, Some("/var/lib/docker/overlay2/ab/diff")));
    }

    #[test]
    fn podmans_folders() {
        let root = format!("/containers/overlay-containers/{ID}/userdata/hosts");
        assert_eq!(id_in(&root).as_deref(), Some(ID));
        assert_eq!(id_in("/var/lib/docker/containers/short/hosts"), None);
        assert_eq!(id_in("/etc/hosts"), None);
    }

    /// A host sees the mounts of its containers, at paths with ids in them.
    #[test]
    fn a_host_is_in_no_container() {
        let text = format!(
            "25 1 254:0 / / rw - ext4 /dev/vda rw\n\
             99 25 0:60 / /var/lib/docker/containers/{ID}/mounts/shm rw - tmpfs shm rw\n\
             98 25 0:4 net:[4026532] /run/docker/netns/x rw - nsfs nsfs rw\n"
        );
        assert_eq!(own(&text), None);
    }
}
