//! Handles the panel's messages. A handler is one function with the name of its message on the wire: `server_start`
//! handles `server_start`. It is in the file of its message family, gets the typed message, and answers through the
//! [`Reply`], at once or from its own task. The dispatch is generated from the list [`each_message_to_agent!`].
//!
//! A request to one server goes into the queue of that server's task: `Supervisor::ask` for what its life cycle decides
//! on, `Supervisor::with` for what only reads or changes its state.

#![allow(clippy::needless_pass_by_value, reason = "a handler gets the message, whether it keeps it or not")]
#![allow(clippy::wildcard_imports, reason = "the dispatch finds each handler by the name of its message")]

mod backups;
mod console;
mod files;
mod host_checks;
mod nodes;
mod parts;
mod players;
mod reach;
mod schedules;
mod servers;
mod stats;
mod transfers;
mod upgrades;

use protocol::each_message_to_agent;
use protocol::{Envelope, ToAgent};
use tokio_util::sync::CancellationToken;

use self::backups::*;
use self::console::*;
use self::files::*;
pub(crate) use self::host_checks::HostChecks;
use self::nodes::*;
pub(crate) use self::parts::Parts;
use self::players::*;
use self::reach::*;
use self::schedules::*;
use self::servers::*;
use self::stats::*;
use self::transfers::*;
use self::upgrades::*;
use crate::link::Inbox;
use crate::panel::reply_cache::{Answers, Reply};

/// Handles messages until the agent exits or the panel hangs up.
pub(crate) async fn run(
    parts: Parts,
    answers: Answers,
    mut from_panel: Inbox<ToAgent>,
    cancel: CancellationToken,
) {
    loop {
        let envelope = tokio::select! {
            () = cancel.cancelled() => return,
            envelope = from_panel.recv() => envelope,
        };
        // The panel is gone: another agent may be started over another link, and must not run beside this one.
        let Some(envelope) = envelope else { return cancel.cancel() };
        let Envelope { message, message_id, .. } = envelope;
        if let Some(reply) = answers.take(message_id, message.server_id()) {
            dispatch(&parts, message, reply);
        }
    }
}

macro_rules! declare_dispatch {
    ($(
        $(#[$doc:meta])*
        $kind:ident : $variant:ident $(($carried:ident : $payload:ty))?, $limits:ident;
    )*) => {
        /// Calls the handler of a message. Handlers do not wait: whatever takes time is done in a spawned task, which
        /// answers.
        fn dispatch(agent: &Parts, message: ToAgent, reply: Reply) {
            match message {
                $(ToAgent::$variant $(($carried))? => $kind(agent, $($carried,)? reply),)*
            }
        }
    };
}

each_message_to_agent!(declare_dispatch);
