//! What a console shows, to whom, and what it never does.

use serde_json::json;

use super::game::Game;
use super::viewer::{Viewer, texts};
use crate::harness::{Panel, seconds, until};

const MIB: u64 = 1 << 20;

#[tokio::test]
async fn two_viewers_see_the_same() {
    let panel = Panel::start().await;
    let game = Game::running(&panel, "count 0.01 300").await;
    let mut first = Viewer::open(&game.admin, &game.id).await;
    let mut second = Viewer::open(&game.admin, &game.id).await;
    let over = |text: &str| text == "Counted to 300";
    let (first, second) =
        tokio::join!(first.wait("the end", seconds(30), over), second.wait("the end", seconds(30), over));
    let both = first.len().min(second.len()).min(150);
    assert_eq!(first[first.len() - both..], second[second.len() - both..]);
    let numbers: Vec<String> = (1..=300).map(|n| n.to_string()).collect();
    let seen = texts(&first);
    let seen: Vec<&&str> = seen.iter().filter(|text| text.parse::<u32>().is_ok()).collect();
    let tail = &numbers[numbers.len() - seen.len()..];
    assert!(seen.iter().zip(tail).all(|(seen, number)| **seen == number.as_str()), "{seen:?}");
}

#[tokio::test]
async fn a_late_viewer_gets_the_last_two_hundred() {
    let panel = Panel::start().await;
    let game = Game::running(&panel, "count 0 500").await;
    game.says("Loading the world", seconds(20)).await;
    let ready = async || (game.console(1).await[0]["text"] == "Ready").then_some(());
    until("the game is ready", seconds(10), ready).await;
    game.command("last words").await;
    game.says("You said: last words", seconds(5)).await;
    let mut viewer = Viewer::open(&game.admin, &game.id).await;
    let lines = viewer.batch(seconds(5)).await.unwrap();
    assert_eq!(lines.len(), 200, "{:?} … {:?}", lines.first(), lines.last());
    let texts = texts(&lines);
    let end = ["500", "Counted to 500", "Loading the world", "Ready", "last words", "You said: last words"];
    assert_eq!(texts[194..], end);
    assert_eq!(texts[0], "306");
}

#[tokio::test]
async fn the_tail_has_bounds() {
    let panel = Panel::start().await;
    let game = Game::running(&panel, "count 0 1500").await;
    game.says("Loading the world", seconds(20)).await;
    let ready = async || (game.console(1).await[0]["text"] == "Ready").then_some(());
    until("the game is ready", seconds(10), ready).await;
    game.command("last words").await;
    game.says("You said: last words", seconds(5)).await;
    for (tail, lines) in [(1, 1), (2, 2), (100, 100), (1_000, 1_000)] {
        assert_eq!(game.console(tail).await.len(), lines);
    }
    assert_eq!(game.console(1).await[0]["text"], "You said: last words");
    let default = game.admin.get(&game.path("/console")).await.expect(200).json;
    assert_eq!(default["lines"].as_array().map(Vec::len), Some(100));
    for bad in ["0", "1001", "-1", "x", "1e3", ""] {
        game.admin.get(&game.path(&format!("/console?tail={bad}"))).await.refused(422, "invalid");
    }
}

#[tokio::test]
async fn escapes_and_markup_are_text() {
    let panel = Panel::start().await;
    let game = Game::running(&panel, "markup").await;
    game.command("after").await;
    game.says("You said: after", seconds(5)).await;
    let lines = game.lines().await;
    let has = |text: &str| lines.iter().any(|line| line == text);
    assert!(has("\u{1b}[31mred\u{1b}[0m and \u{1b}[1;32mbold green\u{1b}[0m"), "colours stay: {lines:#?}");
    for text in [
        "title",
        "cleared",
        "link",
        "asked",
        "<script>document.title=\"run\"</script><img src=x onerror=alert(1)>",
        "&lt;b&gt; &amp; \"quotes\" 'single'",
        "bad utf-8: \u{fffd}\u{fffd} and half: \u{fffd}",
    ] {
        assert!(has(text), "{text:?} in {lines:#?}");
    }
    for line in &lines {
        let plain = line.replace("\u{1b}[31m", "").replace("\u{1b}[0m", "").replace("\u{1b}[1;32m", "");
        let bad = |c: char| {
            (c.is_control() && c != '\t') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        assert!(!plain.contains(bad), "{line:?}");
    }
    // Nothing that the game asked of the terminal was answered into its stdin.
    assert_eq!(lines.iter().filter(|line| line.starts_with("You said:")).count(), 1, "{lines:#?}");
}

#[tokio::test]
async fn a_line_of_a_hundred_megabytes_is_cut() {
    let panel = Panel::start().await;
    let game = Game::new(&panel, "long-line 100").await;
    let mut viewer = Viewer::open(&game.admin, &game.id).await;
    let before = panel.resident();
    game.start().await;
    let mut most = before;
    let mut all = Vec::new();
    let until = std::time::Instant::now() + seconds(60);
    while !texts(&all).contains(&"Long line over") {
        assert!(std::time::Instant::now() < until, "{} lines", all.len());
        if let Ok(Ok(lines)) = tokio::time::timeout(seconds(1), viewer.batch(seconds(2))).await {
            all.extend(lines);
        }
        most = most.max(panel.resident());
    }
    assert!(most < before + 64 * MIB, "{before} grew to {most} bytes");
    let long = all.iter().find(|line| line["truncated"] == true).expect("a cut line");
    let text = long["text"].as_str().unwrap();
    assert!(text.len() <= 16 * 1024 && text.len() > 1_000, "{} bytes", text.len());
    assert!(text.bytes().all(|byte| byte == b'x'));
    assert!(all.len() < 2_000, "one line, not many: {}", all.len());
    game.command("alive").await;
    game.says("You said: alive", seconds(5)).await;
}

#[tokio::test]
async fn noise_is_harmless() {
    let panel = Panel::start().await;
    let game =
        Game::new(&panel, "echo Ready; head -c 8000000 /dev/urandom; echo; echo Over; exec game").await;
    let mut viewer = Viewer::open(&game.admin, &game.id).await;
    let before = panel.resident();
    game.start().await;
    let lines = viewer.wait("the end of the noise", seconds(60), |text| text == "Over").await;
    assert!(panel.resident() < before + 64 * MIB, "{before} grew to {} bytes", panel.resident());
    for line in &lines {
        let text = line["text"].as_str().unwrap();
        assert!(text.len() <= 16 * 1024);
        assert!(!text.contains(|c: char| c.is_control() && c != '\t' && c != '\u{1b}'), "{text:?}");
    }
    assert_eq!(panel.anonymous().get("/health").await.expect(200).json["status"], "ok");
}

#[tokio::test]
async fn an_unfinished_line_is_shown_after_a_while() {
    let panel = Panel::start().await;
    let game =
        Game::new(&panel, "echo Ready; printf 'name? '; read -r name; echo \"hello $name\"; exec game").await;
    let mut viewer = Viewer::open(&game.admin, &game.id).await;
    game.start().await;
    viewer.wait("the question", seconds(10), |text| text.starts_with("name?")).await;
    game.command("Ada").await;
    viewer.wait("the answer", seconds(5), |text| text.ends_with("hello Ada")).await;
}

#[tokio::test]
async fn a_console_is_for_those_who_may_see_it() {
    let panel = Panel::start().await;
    let game = Game::running(&panel, "game").await;
    let stranger = panel.user("stranger").await;
    let mut live = crate::harness::Live::open(&stranger).await;
    let topic = format!("console:{}", game.id);
    live.subscribe(&[&topic]).await;
    let code = live.wait(seconds(5), |message| message["error"]["code"].as_str().map(str::to_owned)).await;
    assert!(matches!(code.as_str(), "not_found" | "forbidden"), "{code}");
    stranger.get(&game.path("/console")).await.refused(404, "not_found");
    stranger.post(&game.path("/command"), json!({ "command": "stop" })).await.refused(404, "not_found");
    stranger.post(&game.path("/power"), json!({ "action": "kill" })).await.refused(404, "not_found");
    game.becomes("running", seconds(1)).await;
}
