//! What comes from other hosts: themselves, connections of processes there, their loss.

use std::sync::Arc;
use std::time::Duration;

use execnet_rs::gateway::{Gateway, GatewayError};
use execnet_rs::group::Group;
use execnet_rs::mux::LinkEnd;
use execnet_rs::transport::ConnectError;
use execnet_rs::xspec::Transport;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;

use super::super::happening::Happening;
use super::super::hosts::Hosts;
use super::super::link::{Greeting, Link};
use super::{Remote, SiteId};

/// Hosts that are connected to at the same time: one server may stand behind several of them.
const AT_ONCE: usize = 8;
/// A host whose connection was broken from outside learns of it when it says something, which it does every few seconds.
const UNAWARE: Duration = Duration::from_secs(4);
/// A host that does not come up in this time does not.
const PATIENCE: Duration = Duration::from_mins(2);

/// Connects to all hosts at the same time. Dropping what is returned gives up those that have not come.
pub(crate) fn connect_all(group: &Group, hosts: &Hosts, happenings: &mpsc::Sender<Happening>) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    let room = Arc::new(Semaphore::new(AT_ONCE));
    let made: Vec<watch::Sender<Option<Result<(), String>>>> =
        hosts.gateways.iter().map(|_| watch::Sender::new(None)).collect();
    for (at, spec) in hosts.gateways.iter().enumerate() {
        let first = hosts.before(at).map(|before| made[before].subscribe());
        let (group, spec, done) = (group.clone(), spec.clone(), made[at].clone());
        let (room, happenings) = (Arc::clone(&room), happenings.clone());
        let used = hosts.of_workers.contains(&Some(at));
        // Sites stand in the order of gateways, behind this host.
        let site = SiteId(at + 1);
        tasks.spawn(async move {
            let on_the_way = match first {
                Some(mut first) => first.wait_for(Option::is_some).await.ok().and_then(|there| there.clone()),
                None => Some(Ok(())),
            };
            let connected = match on_the_way.unwrap_or_else(|| Err("it is gone".to_owned())) {
                Ok(()) => {
                    let _one_of_few = room.acquire().await;
                    match tokio::time::timeout(PATIENCE, group.make(spec.clone())).await {
                        Ok(Err(GatewayError::Connect(error @ ConnectError::Refused(_)))) => {
                            let _ = happenings.send(Happening::SiteRefuses(site)).await;
                            Err(error.to_string())
                        }
                        Ok(made) => made.map_err(|error| error.to_string()),
                        Err(_) => Err(format!("nobody answered within {} s", PATIENCE.as_secs())),
                    }
                }
                Err(why) => Err(format!("the gateway `{}` on the way: {why}", spec.via().unwrap_or_default())),
            };
            done.send_replace(Some(connected.as_ref().map(drop).map_err(Clone::clone)));
            if used || connected.is_err() {
                serve(site, connected, happenings).await;
            }
        });
    }
    tasks
}

/// A host from its first answer to its loss.
async fn serve(site: SiteId, connected: Result<Gateway, String>, happenings: mpsc::Sender<Happening>) {
    let begun = match connected {
        Ok(gateway) => Remote::begin(gateway).await,
        Err(why) => Err(why),
    };
    let (remote, mut stops) = match begun {
        Ok((remote, stops)) => (Arc::new(remote), stops),
        Err(why) => {
            let _ = happenings.send(Happening::SiteUp(site, Err(why))).await;
            return;
        }
    };
    if happenings.send(Happening::SiteUp(site, Ok(Arc::clone(&remote)))).await.is_err() {
        return;
    }
    let why = loop {
        tokio::select! {
            accepted = remote.connections.accept() => match accepted {
                Ok((connection, pid)) => {
                    let (remote, happenings) = (Arc::clone(&remote), happenings.clone());
                    tokio::spawn(async move {
                        let happening = match Link::greet_there(remote, connection, site, pid).await {
                            Ok(Greeting::Hello(link)) => Happening::Connected(link),
                            Ok(Greeting::Unusable(why)) => Happening::Unusable(site, pid, why),
                            Err(why) => Happening::Stranger(why),
                        };
                        let _ = happenings.send(happening).await;
                    });
                }
                Err(error) => break loss(&remote.gateway, &error).await,
            },
            Some(pid) = stops.recv() => {
                let _ = happenings.send(Happening::Stopped(site, pid)).await;
            }
        }
    };
    if is_unaware(&remote.gateway).await {
        // Its tests are run elsewhere from here on.
        tokio::time::sleep(UNAWARE).await;
    }
    let _ = happenings.send(Happening::SiteLost(site, why)).await;
}

/// Whether a host may not know yet that it is lost. What was silent for long has ended; where nothing lies between, an end of
/// the stream is its own system's word; anything else may be known on this side alone.
async fn is_unaware(gateway: &Gateway) -> bool {
    let spec = gateway.spec();
    let direct = matches!(spec.transport(), Ok(Transport::Socket { .. })) && spec.via().is_none();
    let Ok(link) = gateway.agent().await else { return false };
    match link.end() {
        Some(LinkEnd::Broken(_)) => true,
        Some(LinkEnd::Lost) => !direct,
        _ => false,
    }
}

/// Why a host is lost whose connections come to an end: its link's own reason, if that has ended.
async fn loss(gateway: &Gateway, error: &GatewayError) -> String {
    match gateway.agent().await {
        Ok(link) => link.end().map_or_else(|| error.to_string(), |end| end.to_string()),
        Err(error) => error.to_string(),
    }
}
