use tokio::io::AsyncReadExt;
use tokio_util::task::TaskTracker;

use super::*;

struct Desk {
    keyboard: Keyboard,
    port: Arc<Port>,
    _cancel: tokio_util::sync::DropGuard,
}

fn desk() -> Desk {
    let cancel = CancellationToken::new();
    let (keyboard, port, task) = keyboard(&Console::default(), &cancel);
    let tasks = TaskTracker::new();
    tasks.spawn(task);
    let port = Arc::new(port);
    let unheard = Arc::clone(&port.unheard);
    // The terminal's owner reports when it is written.
    tasks.spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_millis(10)).await;
            unheard.written();
        }
    });
    Desk { keyboard, port, _cancel: cancel.drop_guard() }
}

#[tokio::test(start_paused = true)]
async fn a_line_is_answered_when_it_is_written() {
    let desk = desk();
    let (ours, mut theirs) = tokio::io::duplex(64);
    desk.port.inputs.send(Some(Box::new(ours))).await.unwrap();
    assert_eq!(desk.keyboard.type_line("hello".into(), None).await, Ok(()));
    let mut read = [0; 6];
    theirs.read_exact(&mut read).await.unwrap();
    assert_eq!(&read, b"hello\n");
    assert_eq!(desk.port.unheard.take()[0].line, "hello");
}

#[tokio::test(start_paused = true)]
async fn without_a_connection_it_is_refused_soon_and_never_written_later() {
    let desk = desk();
    let asked = Instant::now();
    assert_eq!(desk.keyboard.type_line("one".into(), None).await, Err(NotTyped::Detached));
    assert!(asked.elapsed() <= CONNECTION + PATIENCE);
    let waiting = desk.keyboard.type_line("two".into(), None);
    let (ours, mut theirs) = tokio::io::duplex(64);
    desk.port.inputs.send(Some(Box::new(ours))).await.unwrap();
    assert_eq!(waiting.await, Ok(()), "a connection that comes in time");
    let mut read = [0; 4];
    theirs.read_exact(&mut read).await.unwrap();
    assert_eq!(&read, b"two\n");
    desk.port.inputs.send(None).await.unwrap();
    assert_eq!(desk.keyboard.type_line("three".into(), None).await, Err(NotTyped::Detached));
    drop(theirs);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_closed_is_no_answer() {
    let desk = desk();
    let (ours, theirs) = tokio::io::duplex(64);
    drop(theirs);
    desk.port.inputs.send(Some(Box::new(ours))).await.unwrap();
    assert_eq!(desk.keyboard.type_line("one".into(), None).await, Err(NotTyped::Detached));
}

#[tokio::test(start_paused = true)]
async fn a_game_that_does_not_read_is_said_and_what_was_refused_is_not_written() {
    let desk = desk();
    let (ours, mut theirs) = tokio::io::duplex(4);
    desk.port.inputs.send(Some(Box::new(ours))).await.unwrap();
    assert_eq!(desk.keyboard.type_line("abc".into(), None).await, Ok(()));
    assert_eq!(desk.keyboard.type_line("refused".into(), None).await, Err(NotTyped::Deaf));
    let mut read = [0; 4];
    theirs.read_exact(&mut read).await.unwrap();
    assert_eq!(&read, b"abc\n");
    assert_eq!(desk.keyboard.type_line("def".into(), None).await, Ok(()));
    theirs.read_exact(&mut read).await.unwrap();
    assert_eq!(&read, b"def\n");
}
