//! One way to ask the router, whichever protocol it speaks: PCP, NAT-PMP, then UPnP.

use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::time::Instant;

use super::book::Asked;
use super::error::RouterError;
use super::gateway::{self, Gateway};
use super::pcp::{self, Dialect, Wish};
use super::upnp::{self, Control, Entry};

/// How long a mapping is asked for, in seconds.
const LEASE: u32 = 3600;

/// How a router is asked.
#[derive(Clone, Debug)]
enum Way {
    Pcp(Dialect),
    Upnp(Control),
}

/// The router as it was found.
#[derive(Clone, Debug)]
pub(super) struct Router {
    pub(super) gateway: Gateway,
    way: Option<Way>,
    /// Its address in the internet, where it told.
    pub(super) external: Option<Ipv4Addr>,
    /// For how many seconds the router has had its mappings, and when it said so.
    heard: Option<(u32, Instant)>,
}

/// A port that is forwarded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mapped {
    /// When it is asked for again; `None` if it stays until it is deleted.
    pub(super) renew: Option<Instant>,
}

impl Router {
    /// The router of this machine; nothing is sent yet.
    pub(super) async fn find() -> Result<Self, RouterError> {
        let gateway = gateway::find().await.ok_or(RouterError::NoRouter)?;
        Ok(Self { gateway, way: None, external: None, heard: None })
    }

    /// The protocol by which it forwards ports.
    pub(super) fn via(&self) -> Option<&'static str> {
        Some(match self.way.as_ref()? {
            Way::Pcp(Dialect::Pcp) => "pcp",
            Way::Pcp(Dialect::NatPmp) => "nat-pmp",
            Way::Upnp(_) => "upnp",
        })
    }

    /// Has a port forwarded to this machine. A router that does not answer any more is searched for anew at the next
    /// question: switched off and on, it may answer at another port, or speak another protocol.
    pub(super) async fn map(&mut self, asked: &Asked) -> Result<Mapped, RouterError> {
        let known = self.way.is_some();
        match self.map_by_any(asked).await {
            Err(RouterError::Network(_) | RouterError::Silent) if known => {
                self.way = None;
                self.map_by_any(asked).await
            }
            result => result,
        }
    }

    async fn map_by_any(&mut self, asked: &Asked) -> Result<Mapped, RouterError> {
        if !matches!(self.way, Some(Way::Upnp(_))) {
            match self.map_by_pcp(asked).await {
                Err(error) if self.way.is_none() && !error.is_conflict() => {
                    tracing::debug!(%error, "the router forwards no ports by PCP or NAT-PMP");
                }
                result => return result,
            }
        }
        self.map_by_upnp(asked).await
    }

    async fn map_by_pcp(&mut self, asked: &Asked) -> Result<Mapped, RouterError> {
        let (dialect, granted) = pcp::map(self.gateway, wish(asked, LEASE)).await?;
        if granted.external_port != asked.outside.port {
            // Somebody else has the port, and another one is of no use: players know this one.
            let _ = pcp::map(self.gateway, wish(asked, 0)).await;
            self.way = Some(Way::Pcp(dialect));
            return Err(RouterError::CONFLICT);
        }
        self.way = Some(Way::Pcp(dialect));
        self.external = granted.address.or(self.external);
        self.heard = Some((granted.epoch, Instant::now()));
        // However short or long the router says: neither a flood of questions nor a day of a dead mapping.
        let lease = granted.lease.clamp(60, LEASE);
        Ok(Mapped { renew: Some(Instant::now() + Duration::from_secs(lease.into()) / 2) })
    }

    async fn map_by_upnp(&mut self, asked: &Asked) -> Result<Mapped, RouterError> {
        let control = self.control().await?;
        let (protocol, port) = (asked.outside.protocol, asked.outside.port);
        let permanent = control.add(self.gateway, protocol, port, LEASE).await?;
        if let Ok(address) = control.external_address().await {
            self.external = Some(address);
        }
        let half = Duration::from_secs(LEASE.into()) / 2;
        Ok(Mapped { renew: (!permanent).then(|| Instant::now() + half) })
    }

    async fn control(&mut self) -> Result<Control, RouterError> {
        if let Some(Way::Upnp(control)) = &self.way {
            return Ok(control.clone());
        }
        let control = upnp::discover(self.gateway).await?;
        self.way = Some(Way::Upnp(control.clone()));
        Ok(control)
    }

    /// Ends the forwarding of a port, by each protocol that may have made it.
    pub(super) async fn unmap(&mut self, asked: &Asked) -> Result<(), RouterError> {
        if !matches!(self.way, Some(Way::Upnp(_))) {
            let deleted = pcp::map(self.gateway, wish(asked, 0)).await;
            if self.way.is_some() || deleted.is_ok() {
                return deleted.map(drop);
            }
        }
        let (protocol, port) = (asked.outside.protocol, asked.outside.port);
        self.control().await?.delete(self.gateway, protocol, port).await
    }

    /// Whether it has forgotten all mappings since it was last heard, as one does that is switched off. Only routers with
    /// PCP or NAT-PMP tell. One that does not answer counts as one that forgot: it is asked for all of them again.
    pub(super) async fn has_forgotten(&mut self) -> bool {
        let (Some(Way::Pcp(_)), Some((before, at))) = (&self.way, self.heard) else { return false };
        let Ok(epoch) = pcp::epoch(self.gateway).await else { return true };
        self.heard = Some((epoch, Instant::now()));
        is_another_life(before, epoch, at.elapsed())
    }

    /// Whether it still has this port. Of a router with PCP or NAT-PMP [`Self::has_forgotten`] tells.
    pub(super) async fn still_has(&self, asked: &Asked) -> Result<bool, RouterError> {
        let Some(Way::Upnp(control)) = &self.way else { return Ok(self.way.is_some()) };
        let (protocol, port) = (asked.outside.protocol, asked.outside.port);
        Ok(control.entry(self.gateway, protocol, port).await? == Entry::Ours)
    }
}

/// Whether a router that counted to `before` and, this much later, to `epoch` has begun anew between (RFC 6887, 8.5).
fn is_another_life(before: u32, epoch: u32, later: Duration) -> bool {
    let (counted, passed) = (f64::from(epoch) - f64::from(before), later.as_secs_f64());
    counted < -1.0 || passed + 2.0 < counted - counted / 16.0 || counted + 2.0 < passed - passed / 16.0
}

fn wish(asked: &Asked, lease: u32) -> Wish {
    Wish { protocol: asked.outside.protocol, port: asked.outside.port, lease, nonce: asked.nonce }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_router_that_counts_from_the_beginning_has_forgotten() {
        let later = Duration::from_secs(60);
        assert!(!is_another_life(100, 160, later));
        assert!(!is_another_life(100, 157, later), "clocks drift");
        assert!(is_another_life(100, 5, later));
        assert!(is_another_life(10, 59, later), "it began anew after a moment");
        assert!(is_another_life(100, 100_000, later), "another router has taken its place");
    }
}
