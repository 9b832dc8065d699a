//! `packaging/guard.sh` alone: shell scripts as programs, a folder as the machine, full disks and planted symlinks.
//! `guard_killed` kills it; `upgrade` tests it with the real program under a real systemd.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use sha2::{Digest, Sha256};

use crate::harness::as_root;
use crate::harness::download::{self, Signer, VERSION, as_version, install};
use crate::harness::systemd::NEXT;

pub(super) const OLD: &str = "#!/bin/sh\necho ctrl-alt-play 1.0.0\n";
pub(super) const NEW: &str = "#!/bin/sh\necho ctrl-alt-play 1.1.0\n";
const DATABASE: &str = "all that is kept";
/// Id of a user that is not root.
const SERVICE: u32 = 4321;

/// A machine: a program, a data folder with a database, and a folder of commands that can kill the guard.
pub(super) struct Machine {
    pub(super) dir: tempfile::TempDir,
    data: PathBuf,
}

impl Machine {
    fn new() -> Self {
        Self::below(&std::env::temp_dir())
    }

    pub(super) fn below(place: &Path) -> Self {
        let dir = tempfile::tempdir_in(place).unwrap();
        let data = dir.path().join("data");
        Self::at(dir, data)
    }

    fn at(dir: tempfile::TempDir, data: PathBuf) -> Self {
        fs::create_dir_all(data.join("upgrade")).unwrap();
        fs::create_dir(dir.path().join("bin")).unwrap();
        let machine = Self { dir, data };
        script(&machine.program(), OLD);
        fs::write(machine.database(), DATABASE).unwrap();
        machine
    }

    pub(super) fn program(&self) -> PathBuf {
        self.dir.path().join("bin/ctrl-alt-play")
    }

    fn database(&self) -> PathBuf {
        self.data.join("panel.redb")
    }

    fn upgrade(&self, name: &str) -> PathBuf {
        self.data.join("upgrade").join(name)
    }

    /// Stages a program like the upgrade command.
    pub(super) fn stage(&self, version: &str, program: &str) {
        script(&self.upgrade("program"), program);
        fs::write(self.upgrade("staged"), format!("{version} {}\n", sha256(program))).unwrap();
    }

    pub(super) fn guard(&self, command: &str) -> Command {
        let mut guard = Command::new("setsid");
        guard
            .args(["--wait", "sh", concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/guard.sh"), command])
            .arg(self.program())
            .env("DATA_DIR", &self.data)
            .env("CTRL_ALT_PLAY_USER", "nobody-of-this-name")
            .env_remove("JOURNAL_STREAM")
            .stdin(Stdio::null())
            .stderr(Stdio::null());
        guard
    }

    pub(super) fn start(&self) -> ExitStatus {
        self.guard("start").status().unwrap()
    }

    /// Runs the guard's stop hook with this result of the service.
    pub(super) fn ended(&self, result: &str) -> ExitStatus {
        self.guard("stop")
            .env("SERVICE_RESULT", result)
            .env("EXIT_CODE", "exited")
            .env("EXIT_STATUS", "1")
            .status()
            .unwrap()
    }

    /// The text of the installed program.
    pub(super) fn runs(&self) -> String {
        assert_eq!(fs::metadata(self.program()).unwrap().permissions().mode() & 0o777, 0o755);
        fs::read_to_string(self.program()).unwrap()
    }

    pub(super) fn outcome(&self) -> String {
        fs::read_to_string(self.upgrade("outcome")).unwrap_or_default()
    }

    pub(super) fn on_trial(&self) -> bool {
        self.upgrade("trial").exists()
    }

    /// The program can be started now: the state is either the old or the new one, and nothing in between.
    pub(super) fn consistent(&self, when: &str) {
        let database = fs::read_to_string(self.database()).unwrap();
        assert_eq!(database, DATABASE, "{when}");
        assert!(!self.upgrade("staged").exists() && !self.upgrade("back").exists(), "{when}");
        match self.runs().as_str() {
            OLD => assert!(!self.on_trial(), "{when}: the old program on trial"),
            NEW => {
                assert!(self.on_trial(), "{when}: the new program without a way back");
                assert_eq!(fs::read_to_string(self.upgrade("before.redb")).unwrap(), DATABASE, "{when}");
            }
            other => panic!("{when}: {other}"),
        }
    }

    /// Damage that a broken new program may do.
    pub(super) fn spoil(&self) {
        fs::write(self.database(), "scribbles").unwrap();
    }
}

pub(super) fn script(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn sha256(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_new_program_is_put_in_place_and_stays_when_it_is_well() {
    let machine = Machine::new();
    assert!(machine.start().success());
    assert_eq!(machine.runs(), OLD);
    machine.stage("1.1.0", NEW);
    assert!(machine.start().success());
    machine.consistent("after the swap");
    let trial = fs::read_to_string(machine.upgrade("trial")).unwrap();
    assert_eq!(trial, format!("from=1.0.0\nto=1.1.0\nattempts=1\nsha256={}\n", sha256(NEW)));
    // The new program confirms that it works, and continues to write.
    fs::remove_file(machine.upgrade("trial")).unwrap();
    machine.spoil();
    assert!(machine.ended("exit-code").success());
    assert!(machine.start().success());
    assert_eq!(machine.runs(), NEW);
    assert_eq!(fs::read_to_string(machine.database()).unwrap(), "scribbles");
    let left: Vec<_> = fs::read_dir(machine.data.join("upgrade")).unwrap().flatten().collect();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(fs::read_dir(machine.program().parent().unwrap()).unwrap().count(), 1);
}

#[test]
fn one_that_fails_goes_with_what_it_wrote() {
    let machine = Machine::new();
    machine.stage("1.1.0", NEW);
    machine.start();
    machine.spoil();
    assert!(machine.ended("exit-code").success());
    machine.consistent("after the failure");
    assert_eq!(machine.runs(), OLD);
    let outcome = machine.outcome();
    assert!(
        outcome.starts_with("from=1.0.0\nto=1.1.0\nresult=reverted\nreason=it ended with 1\nat=20"),
        "{outcome}"
    );
    machine.start();
    machine.consistent("and after another start");
}

#[test]
fn a_stop_by_hand_is_no_failure_and_two_starts_are_enough() {
    let machine = Machine::new();
    machine.stage("1.1.0", NEW);
    machine.start();
    assert!(machine.ended("success").success());
    assert!(machine.on_trial());
    // Two power cuts.
    machine.start();
    assert!(machine.on_trial(), "one cut is no proof");
    machine.spoil();
    machine.start();
    machine.consistent("after two");
    assert_eq!(machine.runs(), OLD);
    assert!(machine.outcome().contains("reason=it was started 2 times"), "{}", machine.outcome());
}

/// The service's user can write to the folder, so its content is not trusted: the installed program verifies the
/// signature.
#[test]
fn what_root_did_not_put_there_has_to_be_signed() {
    let signer = Signer::new();
    let (old, new) = (as_version(VERSION), as_version(NEXT));
    let as_service = |machine: &Machine, words: (&str, &str)| {
        install(&machine.program(), &old);
        install(&machine.upgrade("program"), &new);
        fs::write(machine.upgrade("staged"), format!("{NEXT} {}\n", download::sha256(&new))).unwrap();
        fs::write(machine.upgrade("sums"), words.0).unwrap();
        fs::write(machine.upgrade("sums.minisig"), words.1).unwrap();
        for path in ["program", "staged", "sums", "sums.minisig", ""] {
            chown(machine.upgrade(path), Some(SERVICE), Some(SERVICE)).unwrap();
        }
    };
    let runs = |machine: &Machine| fs::read(machine.program()).unwrap() == new;
    let start = |machine: &Machine, key: Option<&str>| {
        let mut guard = machine.guard("start");
        guard.env_remove("CTRL_ALT_PLAY_KEY");
        if let Some(key) = key {
            guard.env("CTRL_ALT_PLAY_KEY", key);
        }
        assert!(guard.status().unwrap().success());
    };
    let key = signer.key();
    let (sums, signature) = signer.list(NEXT, &new);
    let (_, forged) = Signer::new().list(NEXT, &new);
    let (other_sums, other) = signer.list(NEXT, b"another program");
    let (old_sums, old_signature) = signer.list("0.0.9", &new);
    let key_in_folder = format!("download_key = \"{key}\"\n");
    for (what, words, known) in [
        ("no signature", ("", ""), Some(&key)),
        ("a signature of somebody else", (sums.as_str(), forged.as_str()), Some(&key)),
        ("another program's", (&other_sums, &other), Some(&key)),
        ("another version's", (&old_sums, &old_signature), Some(&key)),
        ("a key that the service wrote down itself", (&sums, &signature), None),
    ] {
        let machine = Machine::new();
        as_service(&machine, words);
        fs::write(machine.data.join("config.toml"), &key_in_folder).unwrap();
        start(&machine, known.map(String::as_str));
        assert!(!runs(&machine) && !machine.on_trial(), "{what}");
        assert!(
            machine.outcome().contains("reason=the new program is not signed"),
            "{what}: {}",
            machine.outcome()
        );
        assert!(!machine.upgrade("staged").exists() && !machine.upgrade("sums").exists(), "{what}");
    }
    // A symlink in place of the list is not followed.
    let machine = Machine::new();
    as_service(&machine, (&sums, &signature));
    let aside = machine.dir.path().join("sums");
    fs::rename(machine.upgrade("sums"), &aside).unwrap();
    symlink(&aside, machine.upgrade("sums")).unwrap();
    start(&machine, Some(&key));
    assert!(!runs(&machine), "a link");

    let machine = Machine::new();
    as_service(&machine, (&sums, &signature));
    start(&machine, Some(&key));
    assert!(runs(&machine) && machine.on_trial(), "{}", machine.outcome());
    assert!(!machine.upgrade("sums").exists() && !machine.upgrade("sums.minisig").exists());
}

#[test]
fn an_agent_has_no_database() {
    let machine = Machine::new();
    fs::remove_file(machine.database()).unwrap();
    machine.stage("1.1.0", NEW);
    machine.start();
    assert_eq!((machine.runs().as_str(), machine.on_trial()), (NEW, true));
    machine.ended("watchdog");
    assert_eq!((machine.runs().as_str(), machine.on_trial()), (OLD, false));
    assert!(!machine.database().exists());
}

type Damage = fn(&Machine);

#[test]
fn what_is_not_what_was_checked_is_refused_and_the_old_one_starts() {
    let damage: [(&str, Damage); 7] = [
        ("not the one that was checked", |m| script(&m.upgrade("program"), "#!/bin/sh\nrm -rf /\n")),
        ("is not there", |m| fs::remove_file(m.upgrade("program")).unwrap()),
        ("is not there", |m| {
            fs::rename(m.upgrade("program"), m.upgrade("elsewhere")).unwrap();
            symlink("elsewhere", m.upgrade("program")).unwrap();
        }),
        ("not readable", |m| fs::write(m.upgrade("staged"), "").unwrap()),
        ("not readable", |m| fs::write(m.upgrade("staged"), "1.1.0 abc\n").unwrap()),
        ("not readable", |m| fs::write(m.upgrade("staged"), format!("$(id) {} x\n", sha256(NEW))).unwrap()),
        ("the database", |m| {
            fs::rename(m.database(), m.data.join("other")).unwrap();
            symlink("other", m.database()).unwrap();
        }),
    ];
    for (reason, damage) in damage {
        let machine = Machine::new();
        machine.stage("1.1.0", NEW);
        damage(&machine);
        assert!(machine.start().success(), "{reason}");
        assert_eq!((machine.runs().as_str(), machine.on_trial()), (OLD, false), "{reason}");
        assert!(!machine.upgrade("staged").exists(), "{reason}");
        let outcome = machine.outcome();
        assert!(outcome.contains("result=reverted") && outcome.contains(reason), "{reason}: {outcome}");
    }
}

#[test]
fn the_same_program_again_is_no_upgrade() {
    let machine = Machine::new();
    machine.stage("1.0.0", OLD);
    machine.start();
    machine.consistent("the same program");
    assert!(!machine.upgrade("program").exists());
}

#[test]
fn another_program_that_somebody_put_there_ends_the_trial() {
    let machine = Machine::new();
    machine.stage("1.1.0", NEW);
    machine.start();
    let third = "#!/bin/sh\necho ctrl-alt-play 1.2.0\n";
    script(&machine.program(), third);
    machine.start();
    assert_eq!((machine.runs().as_str(), machine.on_trial()), (third, false));
}

/// Restarted again while the first start is still preparing: systemd kills the guard, and the new program has not
/// failed.
#[test]
fn a_start_that_is_cut_off_by_another_one_is_no_verdict() {
    let machine = Machine::new();
    machine.stage("1.1.0", NEW);
    assert!(machine.start().success());
    assert!(machine.guard("stop").env("SERVICE_RESULT", "signal").status().unwrap().success());
    assert!(machine.on_trial() && machine.runs() == NEW);
    assert!(machine.start().success());
    machine.consistent("the start after it");
    assert_eq!(machine.runs(), NEW);
    // A running program that is killed by a signal has failed.
    machine.spoil();
    assert!(machine.ended("signal").success());
    machine.consistent("after a signal");
    assert_eq!(machine.runs(), OLD);
}

/// The service's user owns the data folder, and may have put anything there.
#[test]
fn links_in_the_folder_lead_nowhere() {
    let machine = Machine::new();
    let outside = machine.dir.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("canary"), "sings").unwrap();
    for name in ["trial.new", "outcome.new", "outcome.back.new", "before.redb.new", "before.redb", "outcome"]
    {
        symlink(outside.join("canary"), machine.upgrade(name)).unwrap();
    }
    machine.stage("1.1.0", NEW);
    machine.start();
    machine.consistent("with links in the way");
    machine.spoil();
    machine.ended("exit-code");
    machine.consistent("and back");
    assert_eq!(fs::read_to_string(outside.join("canary")).unwrap(), "sings");
    assert!(fs::symlink_metadata(machine.upgrade("outcome")).unwrap().is_file());

    // The whole folder replaced by a symlink.
    fs::remove_dir_all(machine.data.join("upgrade")).unwrap();
    symlink(&outside, machine.data.join("upgrade")).unwrap();
    machine.stage("1.1.0", NEW);
    assert!(machine.start().success());
    assert_eq!(machine.runs(), OLD, "a folder behind a link is not looked into");
}

/// Small file systems for the program and the data folder.
struct Full {
    machine: Option<Machine>,
    places: Vec<PathBuf>,
}

impl Full {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("data");
        fs::create_dir(&place).unwrap();
        let at = place.to_str().unwrap();
        assert!(as_root("mount", &["-t", "tmpfs", "-o", "size=1m,mode=0700", "cap-guard", at]), "needs root");
        Self { places: vec![place.clone()], machine: Some(Machine::at(dir, place)) }
    }

    fn fill(&self) -> PathBuf {
        let filler = self.machine.as_ref().unwrap().data.join("filler");
        let mut file = File::create(&filler).unwrap();
        while std::io::Write::write_all(&mut file, &[1; 4096]).is_ok() {}
        filler
    }
}

impl Drop for Full {
    fn drop(&mut self) {
        for place in &self.places {
            as_root("umount", &["-l", place.to_str().unwrap()]);
        }
        drop(self.machine.take());
    }
}

#[test]
fn a_full_disk_stops_an_upgrade_and_no_way_back() {
    let full = Full::new();
    let machine = full.machine.as_ref().unwrap();
    machine.stage("1.1.0", NEW);
    let filler = full.fill();
    assert!(machine.start().success());
    machine.consistent("no room for a copy of the database");
    assert_eq!(machine.runs(), OLD);

    fs::remove_file(&filler).unwrap();
    machine.stage("1.1.0", NEW);
    machine.start();
    assert_eq!(machine.runs(), NEW);
    machine.spoil();
    full.fill();
    assert!(machine.ended("exit-code").success());
    machine.consistent("back on a full disk");
    assert_eq!(machine.runs(), OLD);
    assert!(machine.outcome().contains("result=reverted"), "{}", machine.outcome());

    // A start that cannot be recorded fails.
    fs::remove_file(machine.data.join("filler")).unwrap();
    machine.stage("1.1.0", NEW);
    machine.start();
    full.fill();
    assert!(machine.start().success());
    machine.consistent("a start on a full disk");
    assert_eq!(machine.runs(), OLD);
}

#[test]
fn the_folder_becomes_the_services() {
    let machine = Machine::new();
    let mine = |command: &str| machine.guard(command).env("CTRL_ALT_PLAY_USER", "nobody").status().unwrap();
    let data = &machine.data;
    fs::create_dir_all(data.join("servers/a/world")).unwrap();
    fs::create_dir_all(data.join("servers/.incoming-b")).unwrap();
    fs::create_dir(data.join("secrets")).unwrap();
    fs::write(data.join("servers/a/world/level"), "x").unwrap();
    fs::write(data.join("secrets/jwt"), "x").unwrap();
    let outside = machine.dir.path().join("outside");
    fs::write(&outside, "x").unwrap();
    symlink(&outside, data.join("link")).unwrap();
    for name in ["servers/a", "servers/a/world", "servers/a/world/level"] {
        chown(data.join(name), Some(988), Some(988)).unwrap();
    }
    assert!(mine("start").success());
    let owner = |path: &Path| fs::symlink_metadata(path).unwrap().uid();
    let nobody = owner(data);
    assert_ne!(nobody, 0, "the folder itself");
    for name in ["servers", "secrets", "secrets/jwt", "panel.redb", "upgrade", "link"] {
        assert_eq!(owner(&data.join(name)), nobody, "{name}");
    }
    for name in ["servers/a", "servers/a/world", "servers/a/world/level"] {
        assert_eq!(owner(&data.join(name)), 988, "{name}");
    }
    assert_eq!(owner(&outside), 0);

    // Files that the guard writes there belong to the service's user, also a restored database.
    machine.stage("1.1.0", NEW);
    assert!(mine("start").success());
    assert_eq!(owner(&machine.upgrade("trial")), nobody);
    machine.spoil();
    machine
        .guard("stop")
        .env("CTRL_ALT_PLAY_USER", "nobody")
        .env("SERVICE_RESULT", "timeout")
        .status()
        .unwrap();
    for name in ["panel.redb", "upgrade/outcome"] {
        assert_eq!(owner(&data.join(name)), nobody, "{name}");
    }
    assert_eq!(owner(&machine.program()), 0);

    // A missing data folder is created.
    fs::remove_dir_all(data).unwrap();
    assert!(mine("start").success());
    let made = fs::metadata(data).unwrap();
    assert_eq!((made.uid(), made.mode() & 0o777), (nobody, 0o700));
}
