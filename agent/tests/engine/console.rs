//! Consoles under load, and input that is not read.

use std::time::{Duration, Instant};

use protocol::*;

use crate::harness::*;

/// Bytes that this process holds.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_flood_the_newest_lines_come_and_nobody_else_notices() {
    let node = Node::new().await;
    let quiet = node.run("while read l; do echo \"echo $l\"; done").await;
    let flood = node.create(spec("while read l; do yes | head -c 2000000000; done")).await;
    let _containers = [Container(quiet.clone()), Container(flood.clone())];
    node.start(&flood).await;
    let before = resident();
    node.command(&flood, "go").await.unwrap();
    let (started, cpu) = (Instant::now(), crate::watch::used());
    let (mut worst, mut most) = (Duration::ZERO, 0);
    for n in 0.. {
        let asked = Instant::now();
        node.command(&quiet, &format!("n{n}")).await.unwrap();
        node.line(&quiet, &format!("echo n{n}")).await;
        worst = worst.max(asked.elapsed());
        most = most.max(resident());
        if started.elapsed() > Duration::from_secs(4) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let cpu = (crate::watch::used() - cpu).as_secs_f64() / started.elapsed().as_secs_f64() * 100.0;
    eprintln!(
        "{cpu:.0} % of a core; worst echo beside a flood: {worst:?}; memory +{} MiB",
        (most.saturating_sub(before)) >> 20
    );
    assert!(worst < Duration::from_secs(2), "{worst:?}");
    assert!(most < before + (96 << 20), "{} MiB more", (most - before) >> 20);
    // The flooded one still obeys.
    node.power(&flood, PowerAction::Kill).await.unwrap();
    node.is(&flood, Status::Stopped).await;
    let tail = ToAgent::ConsoleTail(ConsoleTail { server_id: flood.clone().into(), tail: 1_000 });
    let ToPanel::ConsoleLines(tail) = node.ask(tail).await.unwrap() else { panic!("no lines") };
    assert_eq!(tail.lines.len(), 1_000);
    let ends = Instant::now() + SOON;
    while !node.items(&flood).ends_with(&tail.lines) {
        assert!(Instant::now() < ends, "the newest are not whole");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Numbers have no gaps but those that were told.
    let mut next = None;
    for item in node.items(&flood) {
        match item {
            ConsoleItem::Line(line) => {
                if let Some(next) = next {
                    assert_eq!(line.seq, next);
                }
                next = Some(line.seq + 1);
            }
            ConsoleItem::Skipped { skipped } => next = next.map(|n| n + skipped),
        }
    }
    node.delete(&flood).await;
    node.delete(&quiet).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_of_a_hundred_megabytes_is_cut() {
    let node = Node::new().await;
    let id = node.create(spec("read l; head -c 100000000 /dev/zero | tr '\\0' x; echo; echo after")).await;
    let _container = Container(id.clone());
    node.start(&id).await;
    let before = resident();
    node.command(&id, "go").await.unwrap();
    node.line_within(&id, "after", Duration::from_secs(60)).await;
    assert!(resident() < before + (64 << 20), "{} MiB more", (resident() - before) >> 20);
    let long: Vec<_> = node
        .items(&id)
        .into_iter()
        .filter_map(|item| match item {
            ConsoleItem::Line(line) if line.text.starts_with("xxx") => {
                Some((line.text.len(), line.truncated))
            }
            _ => None,
        })
        .collect();
    assert_eq!(long, [(16 * 1024, true)]);
    node.delete(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn escapes_go_and_colours_stay() {
    let node = Node::new().await;
    let id = node.run("printf '\\033]52;c;eA==\\007a\\033[31mred\\033[0m\\033[2J\\033]0;t\\007<img src=x>\\n'; sleep 1000").await;
    let _container = Container(id.clone());
    let line = node.line(&id, "<img src=x>").await;
    assert_eq!(line.text, "a\u{1b}[31mred\u{1b}[0m<img src=x>");
    assert_eq!(line.stream, Stream::Stdout);
    node.delete(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_shows_without_its_lines_end() {
    let node = Node::new().await;
    let id = node.run("printf 'Password: '; sleep 1000").await;
    let _container = Container(id.clone());
    let ends = Instant::now() + SOON;
    loop {
        let tail = ToAgent::ConsoleTail(ConsoleTail { server_id: id.clone().into(), tail: 1_000 });
        let ToPanel::ConsoleLines(tail) = node.ask(tail).await.unwrap() else { panic!("no lines") };
        if tail.partial.is_some_and(|partial| partial.text == "Password: ") {
            break;
        }
        assert!(Instant::now() < ends, "{:?}", tail.lines);
    }
    assert!(!node.texts(&id).iter().any(|text| text.contains("Password")), "it is no line yet");
    node.delete(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_are_one_line_of_at_most_4000_bytes() {
    let node = Node::new().await;
    let id = node.run("stty -echo; echo up; while read l; do echo \"${#l} bytes\"; done").await;
    let _container = Container(id.clone());
    node.line(&id, "up").await;
    for bad in ["", "a\nb", "a\u{3}", "a\u{1b}[A", &"x".repeat(4_001)] {
        assert_eq!(node.command(&id, bad).await, Err(ErrorCode::Invalid), "{bad:?}");
    }
    node.command(&id, &"x".repeat(4_000)).await.unwrap();
    node.line(&id, "4000 bytes").await;
    node.delete(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_comes_twice_is_typed_once() {
    let node = Node::new().await;
    let id = node.run("stty -echo; echo up; n=0; while read l; do n=$((n+1)); echo \"$n $l\"; done").await;
    let _container = Container(id.clone());
    node.line(&id, "up").await;
    let command =
        || ToAgent::ServerCommand(ServerCommand { server_id: id.clone().into(), command: "hello".into() });
    node.send(command(), "same");
    node.send(command(), "same");
    node.answer("same").await.unwrap();
    node.send(command(), "same");
    node.command(&id, "last").await.unwrap();
    node.line(&id, "2 last").await;
    node.delete(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_game_that_does_not_read_holds_up_nobody() {
    let node = Node::new().await;
    let deaf = node.run("stty -echo -icanon; echo up; sleep 1000").await;
    let other = node.run("while read l; do echo \"echo $l\"; done").await;
    let _containers = [Container(deaf.clone()), Container(other.clone())];
    node.line(&deaf, "up").await;
    let line = "x".repeat(4_000);
    let mut busy = false;
    let asked = Instant::now();
    for _ in 0..2_000 {
        if let Err(code) = node.command(&deaf, &line).await {
            assert_eq!(code, ErrorCode::Busy);
            busy = true;
            break;
        }
    }
    assert!(busy && asked.elapsed() < Duration::from_secs(20));
    let asked = Instant::now();
    node.command(&other, "still here").await.unwrap();
    node.line(&other, "echo still here").await;
    assert!(asked.elapsed() < Duration::from_secs(2));
    node.line(&deaf, "does not read its input").await;
    node.power(&deaf, PowerAction::Stop).await.unwrap();
    node.is(&deaf, Status::Stopped).await;
    node.delete(&deaf).await;
    node.delete(&other).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_go_on_over_a_restart_and_a_tail_can_be_asked_for() {
    let node = Node::new().await;
    let id = node.run("echo first; sleep 1000").await;
    let _container = Container(id.clone());
    let first = node.line(&id, "first").await;
    node.power(&id, PowerAction::Kill).await.unwrap();
    node.is(&id, Status::Stopped).await;
    node.start(&id).await;
    let tail = || ToAgent::ConsoleTail(ConsoleTail { server_id: id.clone().into(), tail: 1_000 });
    let ends = Instant::now() + SOON;
    let all = loop {
        let ToPanel::ConsoleLines(all) = node.ask(tail()).await.unwrap() else { panic!("no lines") };
        let firsts =
            all.lines.iter().filter(|i| matches!(i, ConsoleItem::Line(l) if l.text == "first")).count();
        if firsts == 2 {
            break all.lines;
        }
        assert!(Instant::now() < ends);
    };
    let seqs: Vec<u64> = all
        .iter()
        .filter_map(|item| if let ConsoleItem::Line(line) = item { Some(line.seq) } else { None })
        .collect();
    assert!(seqs.contains(&first.seq));
    assert!(seqs.windows(2).all(|pair| pair[1] == pair[0] + 1), "{seqs:?}");
    node.delete(&id).await;
}
