//! A download host with HTTPS: which certificates are trusted, and no downgrade to HTTP.

use std::path::Path;
use std::process::Command;

use super::NEXT;
use crate::harness::authority::Authority;
use crate::harness::binary;
use crate::harness::download::{Downloads, Fault, Signer, VERSION, as_version, install, script};

struct Machine<'m> {
    folder: &'m Path,
    signer: &'m Signer,
}

impl Machine<'_> {
    /// `ctrl-alt-play upgrade` from this host; the trusted authorities are in a file.
    fn said(&self, base: &str, authorities: Option<&Path>, args: &[&str]) -> (Option<i32>, String) {
        let mut command = Command::new(self.folder.join("bin/ctrl-alt-play"));
        command.arg("upgrade").args(args).env("DATA_DIR", self.folder.join("data"));
        command.env("CTRL_ALT_PLAY_DOWNLOAD", base).env("CTRL_ALT_PLAY_KEY", self.signer.key());
        command.env("UPGRADE_TIMES", "stall=5000").env_remove("SSL_CERT_FILE").env_remove("SSL_CERT_DIR");
        if let Some(file) = authorities {
            command.env("SSL_CERT_FILE", file);
        }
        let output = command.output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&text).into_owned())
    }
}

#[test]
fn an_authority_of_ones_own_is_believed_and_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    install(&folder.path().join("bin/ctrl-alt-play"), &std::fs::read(binary()).unwrap());
    std::fs::create_dir(folder.path().join("data")).unwrap();
    let signer = Signer::new();
    let machine = Machine { folder: folder.path(), signer: &signer };
    let (ours, theirs) = (Authority::new(), Authority::new());
    let (known, other) = (folder.path().join("ours.pem"), folder.path().join("theirs.pem"));
    ours.write(&known);
    theirs.write(&other);
    let host = |issued: &crate::harness::authority::Issued| {
        let downloads = Downloads::with("127.0.0.1:0", None, issued.tls());
        downloads.publish(&signer, VERSION, &script(VERSION));
        downloads
    };

    let good = host(&ours.issue("127.0.0.1"));
    let expired = host(&ours.issue_until("127.0.0.1", 2020));
    let another = host(&ours.issue("elsewhere.example"));
    let own = host(&ours.own());
    for (host, authorities, words) in [
        (&own, Some(&known), "an authority's own (a self-signed one)"),
        (&good, None, "an authority that is not known here; SSL_CERT_FILE names"),
        (&good, Some(&other), "an authority that is not known here"),
        (&expired, Some(&known), "its certificate has expired, or the clock here is wrong"),
        (&another, Some(&known), "its certificate is for another name"),
        (&good, Some(&folder.path().join("none.pem")), "none.pem: "),
    ] {
        let (code, text) =
            machine.said(&host.base, authorities.map(std::path::PathBuf::as_path), &["--check"]);
        assert!(code == Some(69) && text.contains(words), "{words}: {code:?} {text}");
        assert!(!text.contains("Https"), "{text}");
        assert_eq!(host.asked(), Vec::<String>::new(), "{words}");
    }
    let (code, text) = machine.said(&good.base, Some(&known), &["--check"]);
    assert!(code == Some(0) && text.contains("is the newest version"), "{code:?} {text}");

    // A redirect to another host with HTTPS, as GitHub does.
    let files = host(&ours.issue("127.0.0.1"));
    files.publish(&signer, NEXT, &as_version(NEXT));
    good.fault("", Fault::Moved(files.base.clone()));
    let (code, text) = machine.said(&good.base, Some(&known), &["--yes"]);
    assert!(code == Some(0) && text.contains("Restart what runs it"), "{code:?} {text}");
    assert!(files.asked().iter().any(|path| path.contains("-linux-")), "{:?}", files.asked());
    // With HTTP, an attacker on the network could redirect anywhere.
    let plain = Downloads::start();
    plain.publish(&signer, "0.9.9", &script("0.9.9"));
    good.heal();
    good.fault("", Fault::Moved(plain.base.clone()));
    let (code, text) = machine.said(&good.base, Some(&known), &["--check"]);
    assert!(
        code == Some(69) && text.contains("where nothing is safe from others on the way"),
        "{code:?} {text}"
    );
    assert!(text.contains(&plain.base), "{text}");
    assert_eq!(plain.asked(), Vec::<String>::new());
    // A redirect from HTTP to HTTPS is allowed.
    plain.fault("", Fault::Moved(files.base));
    let (code, text) = machine.said(&plain.base, Some(&known), &["--check"]);
    assert!(code == Some(0) && text.contains("is the newest version"), "{code:?} {text}");
}
