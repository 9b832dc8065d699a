//! Applies the template's config files before each start. Failures are reported in the console and do not prevent the
//! start.

use std::collections::BTreeSet;
use std::path::PathBuf;

use protocol::{ServerCreate, TemplateFile};
use tokio_util::sync::CancellationToken;

use super::template;
use crate::console::Console;
use crate::files::{Configured, configure, parts_beside};

/// Files named in one console line.
const NAMED: usize = 8;
/// Files processed in parallel.
const AT_ONCE: usize = 4;
/// Characters of a path shown in a console line.
const SHOWN: usize = 120;

/// Applies all config files in `folder` while no game is using it. `gateway` is the address by which games reach this
/// machine.
pub(super) async fn set_all(
    spec: ServerCreate,
    folder: PathBuf,
    (timezone, gateway): (String, Option<String>),
    console: Console,
    cancel: CancellationToken,
) {
    if spec.template.as_ref().is_none_or(|template| template.config_files.is_empty()) {
        return;
    }
    let work = tokio::task::spawn_blocking(move || {
        let aside = (folder.parent().and_then(std::path::Path::parent))
            .and_then(|data_dir| parts_beside(data_dir, &spec.server_id));
        let mut context = template::context(&spec, &timezone);
        context.docker_interface = gateway.unwrap_or_default();
        let files =
            spec.template.as_ref().map(|template| template.config_files.as_slice()).unwrap_or_default();
        let set = |file: &TemplateFile| match template::config_file(file) {
            _ if cancel.is_cancelled() => Ok(Configured::Absent),
            Ok(file) => configure(&folder, aside.as_ref(), &file, &context).map_err(|fault| {
                let line = fault.line().map(|line| format!(", line {line}")).unwrap_or_default();
                format!("{line} was not set, and is left as it is: {fault}.")
            }),
            Err(why) => Err(format!(" was not set: {why}.")),
        };
        say(&console, files, at_once(files, set));
    });
    // Failures were already reported; if this is cancelled, so is the start.
    let _ = work.await;
}

/// Applies `set` to the files in parallel, since most of the time is disk I/O. Sequential if two entries name the same
/// file.
fn at_once<T: Send>(files: &[TemplateFile], set: impl Fn(&TemplateFile) -> T + Sync) -> Vec<T> {
    let plain = |file: &TemplateFile| {
        let parts = file.path.split('/').filter(|part| !matches!(*part, "" | "."));
        parts.map(str::to_owned).collect::<Vec<_>>()
    };
    let distinct: BTreeSet<_> = files.iter().map(plain).collect();
    let size = if distinct.len() == files.len() { files.len().div_ceil(AT_ONCE) } else { files.len() };
    std::thread::scope(|scope| {
        let threads: Vec<_> = files
            .chunks(size.max(1))
            .map(|files| scope.spawn(|| files.iter().map(&set).collect::<Vec<_>>()))
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap_or_default()).collect()
    })
}

fn say(console: &Console, files: &[TemplateFile], became: Vec<Result<Configured, String>>) {
    let (mut set, mut unchanged) = (Vec::new(), Vec::new());
    for (file, became) in files.iter().zip(became) {
        let path = shown(&file.path);
        match became {
            Ok(Configured::Changed) => set.push(path),
            Ok(Configured::Unchanged) => unchanged.push(path),
            Ok(Configured::Absent) => {}
            Err(why) => console.system(&format!("{path}{why}")),
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
}

fn shown(path: &str) -> String {
    path.trim_start_matches('/').chars().take(SHOWN).collect()
}

fn list(paths: &[String]) -> String {
    let more = paths.len().saturating_sub(NAMED);
    let named = paths[..paths.len() - more].join(", ");
    if more == 0 { named } else { format!("{named} and {more} more") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_is_set_once_and_in_its_place() {
        let files = |paths: &[&str]| -> Vec<TemplateFile> {
            paths
                .iter()
                .map(|path| TemplateFile { path: (*path).into(), ..TemplateFile::default() })
                .collect()
        };
        for paths in [&["a", "b", "c", "d", "e", "f", "g"][..], &["a", "./a", "/a", "b"], &["a"], &[]] {
            let done = at_once(&files(paths), |file| file.path.clone());
            assert_eq!(done, paths);
        }
        let console = Console::default();
        say(
            &console,
            &files(&["/a", "b", "c"]),
            vec![Ok(Configured::Changed), Err(", line 3 was not set.".into()), Ok(Configured::Unchanged)],
        );
        let (lines, _) = console.tail(10);
        let texts = format!("{lines:?}");
        assert!(texts.contains("b, line 3 was not set.") && texts.contains("set a; unchanged c."), "{texts}");
    }
}
