//! What a console shows, to which users, and what it must not do.

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
    // Terminal queries of the game are not answered on its stdin.
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
async fn an_unfinished_line_is_shown_while_it_is_one() {
    let panel = Panel::start().await;
    let game =
        Game::new(&panel, "echo Ready; printf 'name? '; read -r name; echo \"hello $name\"; exec game").await;
    let mut viewer = Viewer::open(&game.admin, &game.id).await;
    game.start().await;
    viewer.until_partial(seconds(10), |text| text == "name? ").await;
    let answer = game.admin.get(&game.path("/console")).await.expect(200).json;
    assert_eq!(answer["partial"]["text"], "name? ", "{answer}");
    assert_eq!(answer["partial"]["stream"], "stdout");
    assert!(!game.lines().await.iter().any(|line| line.contains("name?")), "it is no line yet");
    // Viewers that connect later see it too.
    let mut late = Viewer::open(&game.admin, &game.id).await;
    late.until_partial(seconds(5), |text| text == "name? ").await;
    game.command("Ada").await;
    let lines = viewer.wait("the answer", seconds(5), |text| text == "hello Ada").await;
    assert!(texts(&lines).contains(&"name? Ada"), "the question with what was typed: {lines:?}");
    late.wait("the answer", seconds(5), |text| text == "hello Ada").await;
    assert_eq!(late.partial, None);
    let answer = game.admin.get(&game.path("/console")).await.expect(200).json;
    assert!(answer["partial"].is_null(), "{answer}");
}

#[tokio::test]
async fn a_progress_bar_is_one_line_that_is_replaced_in_place() {
    let panel = Panel::start().await;
    let draw =
        "n=0; while [ $n -lt 25 ]; do n=$((n+1)); printf '\\rDownloading %s%%' $n; sleep 0.2; done; echo";
    let game = Game::new(&panel, &format!("echo Ready; read -r go; {draw}; exec game")).await;
    game.start().await;
    let mut viewer = Viewer::open(&game.admin, &game.id).await;
    game.command("go").await;
    let (mut drawn, mut lines) = (Vec::new(), Vec::new());
    while !texts(&lines).contains(&"Downloading 25%") {
        lines.extend(viewer.batch(seconds(10)).await.expect("open"));
        if drawn.last() != viewer.partial.as_ref() {
            drawn.extend(viewer.partial.clone());
        }
    }
    assert!(drawn.len() >= 15, "five times a second for 5 s: {drawn:?}");
    assert!(drawn.iter().all(|text| text.starts_with("Downloading ") && text.len() <= 15), "{drawn:?}");
    assert_eq!(texts(&lines).iter().filter(|text| text.starts_with("Downloading")).count(), 1, "{lines:?}");
    assert_eq!(viewer.partial, None);
}

#[tokio::test]
async fn a_prompt_that_is_drawn_again_makes_no_lines() {
    let panel = Panel::start().await;
    let work = "for n in 1 2 3 4 5; do sleep 0.7; printf '\\r\\033[K[INFO] line %s\\r\\n> ' $n; done";
    let game = Game::new(&panel, &format!("echo Ready; printf '> '; {work}; read -r word; exec game")).await;
    let mut viewer = Viewer::open(&game.admin, &game.id).await;
    game.start().await;
    let mut lines = viewer.wait("the last line", seconds(20), |text| text == "[INFO] line 5").await;
    lines.extend(viewer.until_partial(seconds(5), |text| text == "> ").await);
    let game_said: Vec<_> = lines.iter().filter(|line| line["stream"] == "stdout").cloned().collect();
    let mut expected = vec!["Ready".to_owned()];
    expected.extend((1..=5).map(|n| format!("[INFO] line {n}")));
    assert_eq!(texts(&game_said), expected);
}

#[tokio::test]
async fn of_a_flood_the_end_is_shown_whole_to_all() {
    let panel = Panel::start().await;
    let game = Game::new(&panel, "seq 1 200000; echo 'panic: the line that explains it'; exit 3").await;
    let mut viewer = Viewer::open(&game.admin, &game.id).await;
    // Does not read during the flood.
    let mut lazy = Viewer::open(&game.admin, &game.id).await;
    let watching = super::beside(async move {
        let lines = viewer.wait("the last line", seconds(60), |text| text.starts_with("panic:")).await;
        (lines, viewer.skipped)
    });
    game.power("start").await.expect(202);
    let (seen, skipped) = watching.await.unwrap();
    game.becomes("crashed", seconds(30)).await;
    let tail = game.console(1_000).await;
    let late = lazy.wait("the last line", seconds(60), |text| text.starts_with("panic:")).await;
    println!(
        "{} lines seen, {skipped} counted; by the lazy one {} and {}",
        seen.len(),
        late.len(),
        lazy.skipped
    );
    for (who, lines, at_least) in
        [("the viewer", &seen, 1_000), ("the lazy one", &late, 1_000), ("the tail", &tail, 900)]
    {
        let texts = texts(lines);
        let end = texts.iter().position(|text| text.starts_with("panic:")).unwrap_or_else(|| panic!("{who}"));
        let numbers: Vec<u32> = texts[..end].iter().filter_map(|text| text.parse().ok()).collect();
        let newest = &numbers[numbers.len().saturating_sub(at_least)..];
        let expected: Vec<u32> = (200_001 - at_least as u32..=200_000).collect();
        assert_eq!(newest, expected, "{who}");
    }
    let start = seen.iter().find(|line| line["text"] == "1").or(seen.first()).unwrap();
    println!("the first line seen is {start}");
    assert_eq!(
        seen.iter().filter(|line| line["text"].as_str().unwrap().parse::<u32>().is_ok()).count() as u64
            + skipped,
        200_000
    );
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
