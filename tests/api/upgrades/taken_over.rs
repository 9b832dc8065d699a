//! A compromised panel cannot run its own program on a node: only what the release key has signed.

use std::path::Path;

use serde_json::{Value, json};

use super::NEXT;
use crate::harness::download::{Signer, VERSION, as_version, sha256};
use crate::harness::fake::{FakePanel, Peer};
use crate::harness::guarded::Guarded;
use crate::harness::node::Node;
use crate::harness::seconds;

/// An agent under a guard, connected to a fake panel.
struct Victim {
    service: Guarded,
    node: Node,
    peer: Peer,
    asked: u32,
}

impl Victim {
    async fn of(panel: &FakePanel, key: Option<&str>) -> Self {
        let service = Guarded::new(&as_version(VERSION));
        let wrapper = service.wrapper();
        let wrapper: Vec<&str> = wrapper.iter().map(String::as_str).collect();
        let mut builder = Node::builder().under(&wrapper);
        for (name, value) in Guarded::env() {
            builder = builder.env(name, value);
        }
        if let Some(key) = key {
            builder = builder.env("CTRL_ALT_PLAY_KEY", key);
        }
        let node = builder.start(&panel.address, "attic", "a-secret-of-tests");
        let peer = panel.agent(seconds(20)).await;
        Self { service, node, peer, asked: 0 }
    }

    /// The answer to an offer of this program, with this release manifest and signature.
    async fn offer(&mut self, version: &str, program: &[u8], words: (&str, &str)) -> Value {
        self.asked += 1;
        let id = format!("offer-{}", self.asked);
        let data = json!({
            "version": version, "size": program.len(), "sha256": sha256(program), "transferId": "t1",
            "token": "once", "sums": words.0, "signature": words.1,
        });
        self.peer.say_with(&id, "upgrade_receive", data).await;
        self.peer.find("an answer", seconds(10), |message| message["messageId"] == *id).await
    }

    async fn refuses(&mut self, version: &str, program: &[u8], words: (&str, &str), code: &str) {
        let answer = self.offer(version, program, words).await;
        assert_eq!((&answer["type"], &answer["data"]["code"]), (&json!("error"), &json!(code)), "{answer}");
    }

    fn upgrade(&self, name: &str) -> bool {
        self.node.data().join("upgrade").join(name).exists()
    }
}

/// A program that prints the right version, and leaves a marker file when executed.
fn spy(mark: &Path) -> Vec<u8> {
    format!("#!/bin/sh\ntouch {}\necho ctrl-alt-play {NEXT}\n", mark.display()).into_bytes()
}

#[tokio::test]
async fn its_programs_do_not_run_here() {
    let panel = FakePanel::new().await;
    let (signer, stranger) = (Signer::new(), Signer::new());
    let folder = tempfile::tempdir().unwrap();
    let mark = folder.path().join("it-ran");
    let program = spy(&mark);
    let mut victim = Victim::of(&panel, Some(&signer.key())).await;

    victim.refuses(NEXT, &program, ("", ""), "invalid").await;
    let (sums, forged) = stranger.list(NEXT, &program);
    victim.refuses(NEXT, &program, (&sums, &forged), "invalid").await;
    // Valid signatures, but of another list, of another version, or for other bytes.
    let (own, signature) = signer.list(NEXT, b"the real program");
    victim.refuses(NEXT, &program, (&own, &signature), "invalid").await;
    victim.refuses(NEXT, &program, (&sums, &signature), "invalid").await;
    let (other, signature) = signer.list("0.1.8", &program);
    victim.refuses(NEXT, &program, (&other, &signature), "invalid").await;
    victim.refuses("0.0.9", &program, (&other, &signature), "conflict").await;
    // Longer than any list, or not text: not even read.
    for odd in ["x".repeat(70_000), "\0".repeat(5_000)] {
        victim.refuses(NEXT, &program, (&sums, &odd), "BAD_MESSAGE").await;
        victim.refuses(NEXT, &program, (&odd, &signature), "BAD_MESSAGE").await;
    }
    let long = "x".repeat(60_000);
    victim.refuses(NEXT, &program, (&sums, &long), "invalid").await;
    victim.refuses(NEXT, &program, (&long, &signature), "invalid").await;
    assert!(!mark.exists() && !victim.upgrade("program.part") && !victim.upgrade("staged"));
    assert_eq!(victim.service.version(), VERSION);

    // A signed offer is accepted, and the agent opens the stream for the bytes.
    let (sums, signature) = signer.list(NEXT, &program);
    let (answer, ()) =
        tokio::join!(victim.offer(NEXT, &program, (&sums, &signature)), panel.hang_up(seconds(10)));
    assert_eq!(answer["data"]["code"], "conflict", "{answer}");
    assert!(!mark.exists());

    // Without a key the agent accepts nothing from a panel, whoever signed it.
    let mut keyless = Victim::of(&panel, None).await;
    keyless.refuses(NEXT, &program, (&sums, &signature), "not_supported").await;
    assert!(!mark.exists());
}
