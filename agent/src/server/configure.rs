//! The config files of a server's template, set before each start. What cannot be set is said in the console, and the start
//! goes on.

use std::path::PathBuf;

use protocol::ServerCreate;
use tokio_util::sync::CancellationToken;

use super::template;
use crate::console::Console;
use crate::files::{Configured, configure};

/// Files that one line of the console names.
const NAMED: usize = 8;
/// Characters of a path that a line shows.
const SHOWN: usize = 120;

/// Sets all of them in `folder`, which no game uses meanwhile.
pub(super) async fn set_all(
    spec: ServerCreate,
    folder: PathBuf,
    timezone: String,
    console: Console,
    cancel: CancellationToken,
) {
    if spec.template.as_ref().is_none_or(|template| template.config_files.is_empty()) {
        return;
    }
    let work = tokio::task::spawn_blocking(move || {
        let context = template::context(&spec, &timezone);
        let (mut set, mut unchanged) = (Vec::new(), Vec::new());
        for file in spec.template.iter().flat_map(|template| &template.config_files) {
            if cancel.is_cancelled() {
                return;
            }
            let path = shown(&file.path);
            let file = match template::config_file(file) {
                Ok(file) => file,
                Err(why) => {
                    console.system(&format!("{path} was not set: {why}."));
                    continue;
                }
            };
            match configure(&folder, &file, &context) {
                Ok(Configured::Changed) => set.push(path),
                Ok(Configured::Unchanged) => unchanged.push(path),
                Ok(Configured::Absent) => {}
                Err(fault) => {
                    let line = fault.line().map(|line| format!(", line {line}")).unwrap_or_default();
                    console.system(&format!("{path}{line} was not set, and is left as it is: {fault}."));
                }
            }
        }
        let mut said = Vec::new();
        if !set.is_empty() {
            said.push(format!("set {}", list(&set)));
        }
        if !unchanged.is_empty() {
            said.push(format!("unchanged {}", list(&unchanged)));
        }
        if !said.is_empty() {
            console.system(&format!("Config files: {}.", said.join("; ")));
        }
    });
    // It says itself what fails; broken off, the start is as well.
    let _ = work.await;
}

fn shown(path: &str) -> String {
    path.trim_start_matches('/').chars().take(SHOWN).collect()
}

fn list(paths: &[String]) -> String {
    let more = paths.len().saturating_sub(NAMED);
    let named = paths[..paths.len() - more].join(", ");
    if more == 0 { named } else { format!("{named} and {more} more") }
}
