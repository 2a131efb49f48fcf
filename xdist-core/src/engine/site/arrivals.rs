//! What comes from other hosts: themselves, connections of processes there, their loss.

use std::sync::Arc;
use std::time::Duration;

use execnet_rs::gateway::{Gateway, GatewayError};
use execnet_rs::group::Group;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;

use super::super::happening::Happening;
use super::super::hosts::Hosts;
use super::super::link::{Greeting, Link};
use super::{Remote, SiteId};

/// Hosts that are connected to at the same time: one server may stand behind several of them.
const AT_ONCE: usize = 8;
/// A host that does not come up in this time does not.
const PATIENCE: Duration = Duration::from_mins(2);

/// Connects to all hosts at the same time. Dropping what is returned gives up those that have not come.
pub(crate) fn connect_all(group: &Group, hosts: &Hosts, happenings: &mpsc::Sender<Happening>) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    let room = Arc::new(Semaphore::new(AT_ONCE));
    let made: Vec<watch::Sender<Option<bool>>> = hosts.gateways.iter().map(|_| watch::Sender::new(None)).collect();
    for (at, spec) in hosts.gateways.iter().enumerate() {
        let first = hosts.before(at).map(|before| made[before].subscribe());
        let (group, spec, done) = (group.clone(), spec.clone(), made[at].clone());
        let (room, happenings) = (Arc::clone(&room), happenings.clone());
        let used = hosts.of_workers.contains(&Some(at));
        // Sites stand in the order of gateways, behind this host.
        let site = SiteId(at + 1);
        tasks.spawn(async move {
            let via = match first {
                // Who leads there is gone, if nobody says anything.
                Some(mut first) => first.wait_for(Option::is_some).await.is_ok_and(|there| *there == Some(true)),
                None => true,
            };
            let connected = if via {
                let _one_of_few = room.acquire().await;
                match tokio::time::timeout(PATIENCE, group.make(spec.clone())).await {
                    Ok(made) => made.map_err(|error| error.to_string()),
                    Err(_) => Err(format!("nobody answered within {} s", PATIENCE.as_secs())),
                }
            } else {
                Err(format!("the gateway `{}` on the way cannot be reached", spec.via().unwrap_or_default()))
            };
            done.send_replace(Some(connected.is_ok()));
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
    let _ = happenings.send(Happening::SiteLost(site, why)).await;
}

/// Why a host is lost whose connections come to an end: its link's own reason, if that has ended.
async fn loss(gateway: &Gateway, error: &GatewayError) -> String {
    match gateway.agent().await {
        Ok(link) => link.end().map_or_else(|| error.to_string(), |end| end.to_string()),
        Err(error) => error.to_string(),
    }
}
