//! The container engine: Docker, or Podman with the same API. The only module that uses the client library.
//!
//! Every call has a deadline, so an engine that hangs blocks nothing. The API version is negotiated at each
//! [`Runtime::probe`]; before the first one, every call fails as if the engine were away.

mod counters;
mod create;
mod deadline;
mod endpoint;
mod engine;
mod engine_info;
mod errors;
mod events;
mod hijack;
mod image;
mod inspect;
mod install;
mod legacy;
mod list;
mod logins;
mod network;
mod own_container;
mod pull;
mod remove_games;
mod restore_test;
mod streams;
mod transport;
mod user;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bollard::errors::Error;
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, KillContainerOptionsBuilder, RemoveContainerOptionsBuilder,
    ResizeContainerTTYOptionsBuilder, StatsOptionsBuilder, WaitContainerOptionsBuilder,
};
use bytes::Bytes;
use futures_util::{StreamExt, pin_mut};
use protocol::{ImageReport, Progress, RegistryLogin, ServerId};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use self::deadline::{ACT, LOOK, late, within};
pub use self::engine::Engine;
use self::engine::{LIST_BYTES, Link};
pub use self::engine_info::{EngineAway, EngineFacts, Limits, facts};
pub use self::remove_games::remove_games;
pub use crate::runtime::EngineError;
use crate::runtime::{
    Attached, Call, Container, ContainerState, Created, EngineInfo, Fault, ForeignContainer,
    InstallContainer, LogRange, LogReader, Owner, Runtime, Told,
};
use crate::stats::Counters;

impl Runtime for Engine {
    fn probe(&self, deadline: Duration) -> Call<'_, EngineInfo> {
        Box::pin(async move {
            let (link, info) = tokio::time::timeout(deadline, self.connect())
                .await
                .map_err(|_| late("reach the container engine", deadline))??;
            if link.podman {
                self.networks.none_of_podman();
            } else {
                self.networks.look(&link.client, deadline, link.endpoint.socket().is_some()).await;
            }
            *self.link.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(link));
            Ok(info)
        })
    }

    fn image_environment<'a>(&'a self, image: &'a str) -> Call<'a, Option<BTreeMap<String, String>>> {
        Box::pin(async move { image::environment(&self.link("look for the image")?.client, image).await })
    }

    fn pull<'a>(&'a self, image: &'a str, progress: &'a watch::Sender<Option<Progress>>) -> Call<'a, ()> {
        Box::pin(async move {
            let action = format!("fetch the image {image}");
            let login = self.logins.header_for(image);
            pull::pull(&*self.link(&action)?, &action, image, &login, progress).await
        })
    }

    fn image_at_registry<'a>(&'a self, image: &'a str) -> Call<'a, ImageReport> {
        Box::pin(async move {
            let action = format!("ask the registry for the image {image}");
            let login = self.logins.header_for(image);
            image::at_registry(&*self.link(&action)?, &action, image, &login).await
        })
    }

    fn log_in(&self, login: RegistryLogin) {
        self.logins.keep(login);
    }

    fn image_user<'a>(&'a self, image: &'a str, container: &'a str) -> Call<'a, String> {
        Box::pin(async move {
            let action = format!("see as whom the image {image} runs");
            user::of_image(&self.link(&action)?.client, action, image, container).await
        })
    }

    fn create<'a>(&'a self, container: &'a Container) -> Call<'a, Created> {
        Box::pin(async move {
            let name = create::name(&container.server_id);
            let action = format!("make the container {name}");
            let link = self.link(&action)?;
            let places = self.places(container, &action)?;
            let options = CreateContainerOptionsBuilder::new().name(&name).build();
            // If it is missing, the engine reports that below.
            let image = image::environment(&link.client, &container.image).await?.unwrap_or_default();
            let (own, network) = self.network(&link, container.block_lan).await?;
            let mut body = create::body(container, &image, &places, link.podman, own);
            body.image = body.image.map(|image| pull::with_tag(&image));
            let made = within(&action, ACT, link.client.create_container(Some(options), body)).await?;
            let warnings = made.warnings.into_iter().chain(network).collect();
            let lan_open = if container.block_lan { self.lan_open(&link).await } else { None };
            Ok(Created { id: made.id, warnings, lan_open })
        })
    }

    fn create_install<'a>(&'a self, container: &'a InstallContainer) -> Call<'a, Created> {
        Box::pin(async move {
            let name = install::name(&container.server_id);
            let action = format!("make the container {name}");
            let link = self.link(&action)?;
            let places = install::Places {
                data_dir: &self.on_host(&self.data_dir, &action)?,
                server: &self.on_host(&container.server_dir, &action)?,
                script: &self.on_host(&container.script_dir, &action)?,
            };
            let options = CreateContainerOptionsBuilder::new().name(&name).build();
            let (own, network) = self.network(&link, container.block_lan).await?;
            let mut body = install::body(container, &places, link.podman, own);
            body.image = body.image.map(|image| pull::with_tag(&image));
            let made = within(&action, ACT, link.client.create_container(Some(options), body)).await?;
            let warnings = made.warnings.into_iter().chain(network).collect();
            let lan_open = if container.block_lan { self.lan_open(&link).await } else { None };
            Ok(Created { id: made.id, warnings, lan_open })
        })
    }

    fn create_test<'a>(&'a self, container: &'a Container) -> Call<'a, Created> {
        Box::pin(async move {
            let name = restore_test::name(&container.server_id);
            let action = format!("make the container {name}");
            let link = self.link(&action)?;
            let places = self.places(container, &action)?;
            let options = CreateContainerOptionsBuilder::new().name(&name).build();
            let image = image::environment(&link.client, &container.image).await?.unwrap_or_default();
            let body = create::body(container, &image, &places, link.podman, None);
            let mut body = restore_test::body(body, &container.server_id);
            body.image = body.image.map(|image| pull::with_tag(&image));
            let made = within(&action, ACT, link.client.create_container(Some(options), body)).await?;
            Ok(Created { id: made.id, warnings: made.warnings, lan_open: None })
        })
    }

    fn inspect_test<'a>(&'a self, server_id: &'a ServerId) -> Call<'a, Option<ContainerState>> {
        Box::pin(async move { self.inspect(&restore_test::name(server_id)).await })
    }

    fn gateway(&self, block_lan: bool) -> Option<String> {
        self.networks.gateway(if block_lan { &network::NO_LAN } else { &network::GAMES })
    }

    fn inspect_install<'a>(&'a self, server_id: &'a str) -> Call<'a, Option<ContainerState>> {
        Box::pin(async move { self.inspect(&install::name(&server_id.into())).await })
    }

    fn start<'a>(&'a self, id: &'a str) -> Call<'a, ()> {
        Box::pin(async move {
            let action = "start the container";
            let link = self.link(action)?;
            within(action, ACT, link.client.start_container(id, None))
                .await
                .map_err(|error| EngineError { message: errors::start_failed(&error.message), ..error })?;
            if !link.podman {
                // Ports may have been published. The next `system_info` reports errors.
                let _ = self.networks.protect(&link.client, false).await;
            }
            Ok(())
        })
    }

    fn attach<'a>(&'a self, id: &'a str, tty: bool) -> Call<'a, Attached> {
        Box::pin(async move {
            streams::attach(&*self.link("connect to the container's terminal")?, id, tty).await
        })
    }

    fn log<'a>(&'a self, id: &'a str, tty: bool, range: LogRange) -> Call<'a, LogReader> {
        Box::pin(async move { streams::log(&*self.link("read the container's log")?, id, tty, range).await })
    }

    fn resize<'a>(&'a self, id: &'a str) -> Call<'a, ()> {
        Box::pin(async move {
            let action = "set the terminal's size";
            let link = self.link(action)?;
            if link.sizes {
                return Ok(());
            }
            let (rows, columns) = create::SIZE;
            let options = ResizeContainerTTYOptionsBuilder::new().h(rows.into()).w(columns.into()).build();
            within(action, LOOK, link.client.resize_container_tty(id, options)).await
        })
    }

    fn wait<'a>(&'a self, id: &'a str) -> Call<'a, i64> {
        Box::pin(async move {
            let action = "wait for the container";
            let link = self.link(action)?;
            let options = WaitContainerOptionsBuilder::new().condition("not-running").build();
            let answers = link.client.wait_container(id, Some(options));
            pin_mut!(answers);
            match answers.next().await {
                Some(Ok(answer)) => Ok(answer.status_code),
                Some(Err(Error::DockerContainerWaitError { code, error }))
                    if code != 0 || error.is_empty() =>
                {
                    Ok(code)
                }
                Some(Err(error)) => Err(errors::failed(action, &error)),
                None => Err(EngineError::new(Fault::Away, action, "the engine hung up")),
            }
        })
    }

    fn signal<'a>(&'a self, id: &'a str, signal: &'a str) -> Call<'a, ()> {
        Box::pin(async move {
            let action = format!("send {signal} to the container");
            let link = self.link(&action)?;
            let options = KillContainerOptionsBuilder::new().signal(signal).build();
            within(&action, LOOK, link.client.kill_container(id, Some(options))).await
        })
    }

    fn unpause<'a>(&'a self, id: &'a str) -> Call<'a, ()> {
        Box::pin(async move {
            let action = "resume the container";
            within(action, LOOK, self.link(action)?.client.unpause_container(id)).await
        })
    }

    fn told<'a>(&'a self, id: &'a str) -> Call<'a, Told> {
        Box::pin(async move {
            let action = "see who stopped the container";
            events::told(&self.link(action)?.client, action, id).await
        })
    }

    fn signals<'a>(&'a self, id: &'a str) -> Call<'a, Vec<String>> {
        Box::pin(async move {
            let action = "see which signals the container was sent";
            events::signals(&self.link(action)?.client, action, id).await
        })
    }

    fn paused_or_not(&self, to: mpsc::Sender<String>) -> Call<'_, ()> {
        Box::pin(async move {
            let action = "follow what happens to containers";
            events::paused_or_not(&self.link(action)?.client, action, &to).await
        })
    }

    fn remove<'a>(&'a self, id: &'a str) -> Call<'a, ()> {
        Box::pin(async move {
            let action = "remove the container";
            let link = self.link(action)?;
            let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
            match within(action, ACT, link.client.remove_container(id, Some(options))).await {
                Err(error) if error.fault == Fault::Missing => Ok(()),
                Err(error) if error.fault == Fault::Conflict => self.until_removed(id, error).await,
                done => done,
            }
        })
    }

    fn inspect<'a>(&'a self, id: &'a str) -> Call<'a, Option<ContainerState>> {
        Box::pin(async move {
            let action = "look at the container";
            let link = self.link(action)?;
            match within(action, LOOK, link.client.inspect_container(id, None)).await {
                Ok(found) => Ok(Some(self.seen(found))),
                Err(error) if error.fault == Fault::Missing => Ok(None),
                Err(error) => Err(error),
            }
        })
    }

    fn inspect_server<'a>(&'a self, server_id: &'a ServerId) -> Call<'a, Option<ContainerState>> {
        Box::pin(async move { self.inspect(&create::name(server_id)).await })
    }

    fn describe<'a>(&'a self, id: &'a str) -> Call<'a, Option<ForeignContainer>> {
        Box::pin(async move {
            let action = "see how the container was made";
            legacy::describe(&self.link(action)?.client, action, id).await
        })
    }

    fn disable_restart<'a>(&'a self, id: &'a str) -> Call<'a, ()> {
        Box::pin(async move {
            let action = "keep the engine from starting the container";
            legacy::disable_restart(&self.link(action)?.client, action, id).await
        })
    }

    fn copy_out<'a>(&'a self, id: &'a str, folder: &'a str, to: mpsc::Sender<Bytes>) -> Call<'a, ()> {
        Box::pin(async move {
            let action = "copy files out of the container";
            legacy::copy_out(&self.link(action)?.client, action, id, folder, to).await
        })
    }

    fn list(&self) -> Call<'_, Vec<(ServerId, Owner)>> {
        Box::pin(async move {
            let action = "list the containers";
            let link = self.link(action)?;
            let filters = hijack::encoded(&format!(r#"{{"label":["{}=true"]}}"#, create::MANAGED));
            let path = format!("{}/containers/json?all=1&filters={filters}", link.prefix);
            let all = hijack::get(&link.endpoint, &path, LIST_BYTES, action);
            let all = tokio::time::timeout(LOOK, all).await.map_err(|_| late(action, LOOK))??;
            let all: list::Containers = serde_json::from_slice(&all)
                .map_err(|error| EngineError::new(Fault::Refused, action, error.to_string()))?;
            let servers = all.0.into_iter().filter_map(|labels| {
                let owner = self.owner(&labels);
                Some((ServerId::from(labels.get(create::SERVER_ID)?.as_str()), owner))
            });
            Ok(servers.collect())
        })
    }

    fn counters<'a>(&'a self, id: &'a str, pid: Option<u32>) -> Call<'a, Counters> {
        Box::pin(async move {
            let action = "see what the container uses";
            let link = self.link(action)?;
            if link.endpoint.socket().is_some()
                && let Some(counters) = pid.and_then(|pid| counters::from_kernel(id, pid))
            {
                return Ok(counters);
            }
            let options = StatsOptionsBuilder::new().stream(false).one_shot(true).build();
            let report = within(action, LOOK, async {
                let reports = link.client.stats(id, Some(options));
                pin_mut!(reports);
                reports.next().await.transpose()
            })
            .await?;
            report
                .and_then(counters::from_engine)
                .ok_or_else(|| EngineError::new(Fault::Missing, action, "it does not run"))
        })
    }
}

impl Engine {
    /// The network to use for a container; and if it cannot be ours, the reason.
    async fn network(
        &self,
        link: &Link,
        block_lan: bool,
    ) -> Result<(Option<&'static str>, Option<String>), EngineError> {
        // Podman isolates its containers with other settings.
        if link.podman {
            return Ok((None, None));
        }
        let wanted = if block_lan { &network::NO_LAN } else { &network::GAMES };
        match self.networks.ensure(&link.client, wanted).await {
            Ok(()) => Ok((Some(wanted.name), None)),
            Err(error) if error.fault == Fault::Away || block_lan => Err(error),
            Err(error) => {
                Ok((None, Some(format!("this game shares the common network, because: {}", error.message))))
            }
        }
    }

    /// Why a game that must not reach the LAN still can; `None` if it cannot.
    async fn lan_open(&self, link: &Link) -> Option<String> {
        if link.podman {
            return Some("Podman has no network of its own for games".to_owned());
        }
        // Written now: the last time may be a minute ago, and the rules may have been removed since.
        self.networks.protect(&link.client, true).await.err()
    }

    /// Someone else is already removing it: waits for that.
    async fn until_removed(&self, id: &str, refusal: EngineError) -> Result<(), EngineError> {
        let end = Instant::now() + ACT;
        while Instant::now() < end {
            match self.inspect(id).await? {
                None => return Ok(()),
                Some(seen) if !seen.removing => break,
                Some(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
        Err(refusal)
    }
}
