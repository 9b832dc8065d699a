//! `ctrl-alt-play upgrade` killed at various moments. Whatever is left, the same command succeeds afterwards, and the
//! installed program is always complete.

use std::time::Duration;

use serde_json::json;

use super::command::{said, settings};
use super::life::{Counter, set_up};
use crate::harness::download::{Downloads, Fault, Signer, renamed, sha256};
use crate::harness::systemd::{Booted, PROGRAM, VERSION};
use crate::harness::{long, seconds, until};

/// The moment of the kill.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// After this many bytes of the program were downloaded.
    Fetching(usize),
    /// This many milliseconds after this output.
    After(&'static str, u64),
}

use Moment::{After, Fetching};

const FEW: [Moment; 5] = [
    Fetching(20_000_000),
    After("Fetched", 0),
    After("was copied", 0),
    After("Restarting", 0),
    After("Restarting", 500),
];

fn moments() -> Vec<Moment> {
    let mut moments = FEW.to_vec();
    if long() {
        moments.extend([1, 40_000_000, 47_000_000].map(Fetching));
        moments.extend((0..12).map(|step| After("is published", step * 40)));
        moments.extend((1..16).map(|step| After("Fetched", step * 15)));
        moments.extend((1..10).map(|step| After("was copied", step * 3)));
        moments.extend((1..20).map(|step| After("Restarting", step * 80)));
    }
    moments
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_moment_the_next_one_ends_well() {
    let (downloads, signer) = (Downloads::start_for_containers(), Signer::new());
    let booted = Booted::with("ctrl-alt-play", &settings(&downloads, &signer)).await;
    booted.run("systemctl start ctrl-alt-play");
    let admin = set_up(&booted).await;
    let mut counter = Counter::every(0.15, admin, json!({})).await;
    let mut before = sha256(&std::fs::read(booted.program(VERSION)).unwrap());
    for (turn, moment) in moments().into_iter().enumerate() {
        // Of the same length as the first version, and above the previous one.
        let version = format!("0.{}.{}", 2 + turn / 10, turn % 10);
        let program = renamed(&booted.program(VERSION), &version);
        let after = sha256(&program);
        downloads.publish(&signer, &version, &program);
        let when = format!("{version}, killed {moment:?}");
        if let Fetching(bytes) = moment {
            downloads.fault(&format!("-linux-{}", std::env::consts::ARCH), Fault::StallAfter(bytes));
        }
        // Resets the limit of starts in ten minutes, which this test exceeds.
        booted.run("systemctl reset-failed ctrl-alt-play 2>/dev/null || true");
        booted.run(&format!(
            "unset DATA_DIR; setsid {PROGRAM} upgrade --yes </dev/null >/run/said 2>&1 & echo $! >/run/pid"
        ));
        match moment {
            Fetching(bytes) => {
                let part = booted.upgrade("program.part");
                until(&format!("some has come: {when}"), seconds(20), async || {
                    std::fs::metadata(&part).is_ok_and(|part| part.len() >= bytes as u64).then_some(())
                })
                .await;
            }
            After(words, late) => {
                let wait =
                    format!("timeout 20 sh -c 'until grep -q \"{words}\" /run/said; do sleep 0.002; done'");
                booted.run(&wait);
                // Not a wait for something, but a different moment in each run.
                tokio::time::sleep(Duration::from_millis(late)).await;
            }
        }
        booted.run("kill -9 $(cat /run/pid) 2>/dev/null || true; until ! kill -0 $(cat /run/pid) 2>/dev/null; do :; done");
        downloads.heal();

        // The service is restarted now, or was already restarting: either way a complete program starts.
        if turn % 2 == 0 {
            booted.run("systemctl restart ctrl-alt-play");
        }
        let now = booted.run(&format!("sha256sum <{PROGRAM}"));
        assert!([&before, &after].iter().any(|whole| now.starts_with(whole.as_str())), "{when}: {now}");
        let (code, text) = said(&booted, &format!("{PROGRAM} upgrade --yes"));
        assert_eq!(code, Some(0), "{when}: {text}");
        assert_eq!(booted.version(seconds(20)).await, version, "{when}: {text}");
        let now = booted.run(&format!("sha256sum <{PROGRAM}"));
        assert!(now.starts_with(&after), "{when}: {now}");
        counter.counts_on(&when).await;
        let left = "cd \"$DATA_DIR\"; ls -d upgrade/program* upgrade/staged* upgrade/trial copy-by-hand* 2>/dev/null || true";
        assert_eq!(booted.run(left), "", "{when}");
        before = after;
    }
}
