//! Agents that know the first part of the protocol only: they repeat no ids, so requests go to them one at a time, each
//! ended by the next status of that server, the next error, or a deadline.

use std::time::Duration;

use agent::protocol::{Ack, ErrorReport, PowerAction, ServerRef, ServerStatus, ToAgent, ToPanel};

/// Such an agent answers a stop once the container has ended, for which it waits 30 s.
const STOP: Duration = Duration::from_secs(40);
const OTHERS: Duration = Duration::from_secs(10);

/// The message in words of the first part and how long its answer may take; nothing where there are no such words.
pub(super) fn spoken(message: ToAgent) -> Result<(ToAgent, Duration), Box<ErrorReport>> {
    let of = |server_id: String| ServerRef { server_id };
    Ok(match message {
        ToAgent::ServerPower(power) => match power.action {
            PowerAction::Start => (ToAgent::ServerStart(of(power.server_id)), OTHERS),
            PowerAction::Stop => (ToAgent::ServerStop(of(power.server_id)), STOP),
            PowerAction::Restart => (ToAgent::ServerRestart(of(power.server_id)), STOP),
            PowerAction::Kill => return Err(unable("kill a server")),
        },
        ToAgent::ServerStop(of) => (ToAgent::ServerStop(of), STOP),
        ToAgent::ServerRestart(of) => (ToAgent::ServerRestart(of), STOP),
        ToAgent::ServerDelete(of) => (ToAgent::ServerDelete(of), STOP),
        message @ (ToAgent::ServerCreate(_)
        | ToAgent::ServerStart(_)
        | ToAgent::ServerCommand(_)
        | ToAgent::SystemInfoRequest) => (message, OTHERS),
        ToAgent::ServerUpdate(_) => return Err(unable("change a server")),
        ToAgent::ServerReinstall(_) | ToAgent::InstallCancel(_) => {
            return Err(unable("install a server again"));
        }
        ToAgent::ServerSuspend(_) | ToAgent::ServerUnsuspend(_) => return Err(unable("suspend a server")),
        ToAgent::FileRead(_) | ToAgent::FileWrite(_) => return Err(unable("serve files")),
        ToAgent::ConsoleSubscribe(_)
        | ToAgent::ConsoleUnsubscribe(_)
        | ToAgent::ConsoleTail(_)
        | ToAgent::StatsSubscribe(_)
        | ToAgent::StatsHistory(_)
        | ToAgent::HostCheck(_)
        | ToAgent::ServerDescribe(_) => return Err(unable("do that")),
        ToAgent::TransferMeasure(_)
        | ToAgent::TransferPrepare(_)
        | ToAgent::TransferSend(_)
        | ToAgent::TransferReceive(_)
        | ToAgent::TransferDiscard(_) => return Err(unable("move a server")),
    })
}

fn unable(what: &str) -> Box<ErrorReport> {
    Box::new(ErrorReport {
        code: "not_supported".into(),
        message: format!(
            "The agent of this node cannot {what}: it is of another make, and knows the basic messages only."
        ),
        ..ErrorReport::default()
    })
}

/// Whose next status ends the request.
pub(super) fn server_of(message: &ToAgent) -> Option<String> {
    Some(match message {
        ToAgent::ServerCreate(spec) => spec.server_id.clone(),
        ToAgent::ServerStart(of)
        | ToAgent::ServerStop(of)
        | ToAgent::ServerRestart(of)
        | ToAgent::ServerDelete(of) => of.server_id.clone(),
        ToAgent::ServerCommand(command) => command.server_id.clone(),
        _ => return None,
    })
}

/// A status is all the answer that there is.
pub(super) fn answer(status: &ServerStatus) -> ToPanel {
    ToPanel::Ack(Ack { status: Some(status.status.clone()) })
}
