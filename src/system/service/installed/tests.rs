use std::path::Path;

use super::*;
use crate::system::service::files::{Kind, PREFIX, text};

/// A root folder with these files.
fn root(files: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    root
}

fn look(files: &[(&str, &str)]) -> Option<Service> {
    Service::below(root(files).path(), PANEL)
}

fn value(service: &Service, name: &str) -> String {
    service.variable(name).unwrap_or_else(|| "nothing".to_owned())
}

#[test]
fn settings_are_read_as_services_read_them() {
    let text = "# PORT=1\n; BIND=1\nPORT=3001\nDATA_DIR=\"/srv/my games\"\nNODE_ID = 'attic'\n\nnonsense\n=x\nA B=c\n\
                export TZ=UTC\nPORT=3002\n";
    let found = pairs(text.lines());
    let found: Vec<_> = found.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(found, [("DATA_DIR", "/srv/my games"), ("NODE_ID", "attic"), ("PORT", "3002")]);
}

#[test]
fn our_own_unit_and_script_are_understood() {
    let unit = text(Kind::Systemd, false, Path::new(PREFIX));
    let script = text(Kind::Openrc, false, Path::new(PREFIX));
    let settings = ("etc/default/ctrl-alt-play", "PORT=3001\n");
    for (manager, file) in [
        (Manager::Systemd, ("etc/systemd/system/ctrl-alt-play.service", unit.as_str())),
        (Manager::OpenRc, ("etc/init.d/ctrl-alt-play", script.as_str())),
    ] {
        let found = look(&[file]).unwrap();
        assert_eq!(found.manager, Some(manager));
        assert!(found.guarded, "{found:?}");
        assert_eq!(value(&found, "DATA_DIR"), "/var/lib/ctrl-alt-play");
        assert_eq!(found.program.as_deref(), Some(Path::new("/usr/local/bin/ctrl-alt-play")));
        let found = look(&[file, settings]).unwrap();
        assert_eq!(value(&found, "PORT"), "3001");
        let moved = ("etc/default/ctrl-alt-play", "DATA_DIR=/srv/games\n");
        let found = look(&[file, moved]).unwrap();
        assert!(found.keeps(Path::new("/srv/games/")) && !found.keeps(Path::new("/srv")), "{found:?}");
    }
    // If both exist, the running service manager's counts.
    let both = [
        ("etc/systemd/system/ctrl-alt-play.service", unit.as_str()),
        ("etc/init.d/ctrl-alt-play", script.as_str()),
        ("run/openrc/softlevel", "default"),
    ];
    assert_eq!(look(&both).unwrap().manager, Some(Manager::OpenRc));
    assert_eq!(look(&both[..2]).unwrap().manager, Some(Manager::Systemd));
    // The agent's service has another name.
    assert!(Service::below(root(&both).path(), AGENT).is_none());
}

#[test]
fn drop_ins_go_before_the_unit_and_settings_before_both() {
    let unit = "[Unit]\nEnvironment=PORT=1\n[Service]\nEnvironment=DATA_DIR=/a \"NODE_ID=the attic\" 'TZ=x y'\n\
                Environment=PORT=2\nEnvironmentFile=-/etc/default/ctrl-alt-play\nExecStart=-/usr/bin/ctrl-alt-play serve\n";
    let at = |end: &str| format!("etc/systemd/system/ctrl-alt-play.service.d/{end}");
    let vendor = ("usr/lib/systemd/system/ctrl-alt-play.service", unit);
    let found = look(&[vendor]).unwrap();
    assert_eq!((value(&found, "DATA_DIR").as_str(), value(&found, "PORT").as_str()), ("/a", "2"));
    assert_eq!((value(&found, "NODE_ID").as_str(), value(&found, "TZ").as_str()), ("the attic", "x y"));
    assert!(!found.guarded);

    let (first, second, third) = (at("10-a.conf"), at("20-b.conf"), at("note.txt"));
    let mut files = vec![
        vendor,
        (first.as_str(), "[Service]\nEnvironment=PORT=3 \\\n  DATA_DIR=%S/games\n"),
        (second.as_str(), "[Service]\nEnvironment=PORT=4\n[Install]\nEnvironment=PORT=5\n"),
        (third.as_str(), "[Service]\nEnvironment=PORT=6\n"),
        ("run/systemd/system/ctrl-alt-play.service.d/20-b.conf", "[Service]\nEnvironment=PORT=7\n"),
    ];
    let found = look(&files).unwrap();
    assert_eq!((value(&found, "PORT").as_str(), value(&found, "DATA_DIR").as_str()), ("4", "/var/lib/games"));
    files.push(("etc/default/ctrl-alt-play", "PORT=8\n"));
    assert_eq!(value(&look(&files).unwrap(), "PORT"), "8");
    let last = at("30-c.conf");
    let taken_back =
        "[Service]\nEnvironment=\nEnvironmentFile=\nEnvironmentFile=/etc/other\nExecStart=\nExecStart=/x\n";
    files.extend([(last.as_str(), taken_back), ("etc/other", "PORT=9\n")]);
    let found = look(&files).unwrap();
    assert_eq!((value(&found, "PORT").as_str(), value(&found, "NODE_ID").as_str()), ("9", "nothing"));
    assert_eq!(value(&found, "DATA_DIR"), "/var/lib/ctrl-alt-play", "where nobody says one");
    assert_eq!(found.program.as_deref(), Some(Path::new("/x")));
    // The administrator's own unit takes precedence over the package's; a masked one does not count.
    files.push(("etc/systemd/system/ctrl-alt-play.service", ""));
    assert_eq!(look(&files[..1]).unwrap().manager, Some(Manager::Systemd));
    assert_eq!(look(&[vendor, files[files.len() - 1]]).map(|found| found.manager), None);
}

#[test]
fn openrcs_own_settings_count_where_the_script_lets_them() {
    let script = text(Kind::Openrc, false, Path::new(PREFIX));
    let found = look(&[
        ("etc/init.d/ctrl-alt-play", script.as_str()),
        ("etc/conf.d/ctrl-alt-play", "DATA_DIR=/srv/games\nPORT=1\nexport BIND=127.0.0.1\n"),
    ])
    .unwrap();
    let values = ["DATA_DIR", "PORT", "BIND"].map(|name| value(&found, name));
    assert_eq!(values, ["/srv/games", "nothing", "127.0.0.1"]);
}

#[test]
fn what_an_uninstalled_service_leaves_is_still_known() {
    assert!(look(&[]).is_none());
    let left = look(&[("etc/default/ctrl-alt-play", "DATA_DIR=/srv/games\n")]).unwrap();
    assert_eq!((left.manager, value(&left, "DATA_DIR").as_str()), (None, "/srv/games"));
    let folder = look(&[("var/lib/ctrl-alt-play/panel.redb", "")]).unwrap();
    assert_eq!((folder.manager, value(&folder, "DATA_DIR").as_str()), (None, "/var/lib/ctrl-alt-play"));
}

#[test]
fn the_program_is_the_same_through_links_and_while_it_is_replaced() {
    let root = root(&[("lib/ctrl-alt-play", ""), ("lib/other", "")]);
    let at = |name: &str| root.path().join(name);
    std::os::unix::fs::symlink(at("lib/ctrl-alt-play"), at("link")).unwrap();
    let mut service = Service::new(Some(Manager::Systemd), PANEL);
    assert!(!service.runs(&at("lib/ctrl-alt-play")));
    service.program = Some(at("link"));
    assert!(service.runs(&at("lib/ctrl-alt-play")) && service.runs(&at("lib/ctrl-alt-play (deleted)")));
    assert!(!service.runs(&at("lib/other")) && !service.runs(&at("lib/gone")));
}
