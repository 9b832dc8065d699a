//! Whatever one brings.

use storage::servers::{Behaviour, ContainerUser, StartupMode, Stop};

use super::parts::memory;
use crate::templates::template::Template;

pub(super) fn template() -> Template {
    Template {
        id: "any-image".into(),
        name: "Any image".into(),
        description: "Any container image, run the way it wants to be run.".into(),
        architectures: Vec::new(),
        image: String::new(),
        startup: String::new(),
        startup_editable: false,
        ports: Vec::new(),
        memory: memory(64, 1024),
        eula: None,
        variables: Vec::new(),
        behaviour: Behaviour {
            user: ContainerUser::Image,
            data_path: "/data".into(),
            working_dir: Some(String::new()),
            read_only_root: false,
            startup_mode: StartupMode::Shell,
            stop: Stop::Signal("SIGTERM".into()),
            stop_timeout_secs: 30,
            ready: None,
            architectures: Vec::new(),
        },
        notes: "Runs as the image's own user, in its own folder, with its own command where the startup line is empty. \
                The server's files are at /data inside."
            .into(),
    }
}
