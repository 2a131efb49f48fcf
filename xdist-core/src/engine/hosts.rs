//! Which hosts the specs of a run lead to, and who shares one. Pure, but for [`group`], which knows the ways to hosts.
//!
//! All environments on a host share one link, whatever their interpreters, variables and folders are. A spec without a
//! transport of its own (`popen`) is on this host, or on that of the gateway it goes `via`.

use std::sync::Arc;

use execnet_rs::group::Group;
use execnet_rs::transport::socket::SocketTransport;
use execnet_rs::transport::ssh::{Agents, SshTransport};
use execnet_rs::xspec::{Transport, XSpec};
use tokio::sync::Mutex;

/// Keys that make an environment on a host, and not the way to it.
const SURROUNDINGS: [&str; 6] = ["python", "chdir", "nice", "id", "execmodel", "dont_write_bytecode"];
/// Gateways that go through one another, at most.
const LONGEST_WAY: usize = 8;
/// Where workers on other hosts start, unless their spec says it.
pub(super) const FOLDER: &str = "pyexecnetcache";

/// The gateways of a run: what `ssh=` and `socket=` need is registered here. While somebody holds `asking`, users are asked
/// nothing.
pub(super) fn group(asking: &Arc<Mutex<()>>) -> Group {
    let group = Group::new();
    let ssh = SshTransport::new(Agents::of_this_program()).with_terminal().asking(Arc::clone(asking));
    group.register("ssh", Arc::new(ssh));
    group.register("socket", Arc::new(SocketTransport::of_this_user()));
    group
}

/// The hosts of a run, other than this one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Hosts {
    /// Gateways to be made, in this order: those that others go through, then one for each host.
    pub(super) gateways: Vec<XSpec>,
    /// By spec of a worker: the gateway on whose host it lives; None for this host.
    pub(super) of_workers: Vec<Option<usize>>,
}

impl Hosts {
    /// Of `--tx` and `--px`; an error is the text of a usage error.
    pub(super) fn of(specs: &[XSpec], proxies: &[XSpec]) -> Result<Self, String> {
        let mut hosts = Self::default();
        for proxy in proxies {
            if proxy.id().is_none() {
                return Err(format!("`--px {proxy}` has no `id=…`\nhint: `--px id=NAME//…`, and `--tx …//via=NAME`"));
            }
            let gateway = way(proxy, true).map_err(|error| format!("`--px {proxy}`: {error}"))?;
            hosts.gateways.push(gateway);
        }
        let vias: Vec<&str> = specs.iter().chain(proxies).filter_map(XSpec::via).collect();
        let mut made: Vec<(XSpec, usize)> = Vec::new();
        for spec in specs {
            if spec.via().is_none() && is_popen(spec) && !spec.id().is_some_and(|id| vias.contains(&id)) {
                continue;
            }
            // One that others go through has a gateway of its own.
            let named = spec.id().is_some_and(|id| vias.contains(&id));
            let wrong = |error| format!("`--tx {spec}`: {error}");
            let shared = way(spec, named).map_err(wrong)?;
            if !made.iter().any(|(known, _)| *known == shared) {
                made.push((shared, hosts.gateways.len()));
                hosts.gateways.push(way(spec, true).map_err(wrong)?);
            }
        }
        for spec in specs {
            let named = spec.id().is_some_and(|id| vias.contains(&id));
            let own = way(spec, named).ok();
            let own = own.and_then(|own| made.iter().find(|(known, _)| *known == own)).map(|(_, at)| *at);
            hosts.of_workers.push(match own {
                Some(at) => hosts.root(at).map_err(|error| format!("`--tx {spec}`: {error}"))?,
                None => None,
            });
        }
        Ok(hosts)
    }

    /// Whether these are the same hosts, each of which has workers in both or in neither.
    pub(super) fn is_as_good_as(&self, other: &Self) -> bool {
        let used = |hosts: &Self, at| hosts.of_workers.contains(&Some(at));
        self.gateways == other.gateways && (0..self.gateways.len()).all(|at| used(self, at) == used(other, at))
    }

    /// The gateway on whose host one is; None for this host.
    fn root(&self, gateway: usize) -> Result<Option<usize>, String> {
        let mut at = gateway;
        for _ in 0..LONGEST_WAY {
            let spec = &self.gateways[at];
            let Some(via) = spec.via() else { return Ok((!is_popen(spec)).then_some(at)) };
            let next = self.gateways.iter().position(|other| other.id() == Some(via));
            let next = next.ok_or_else(|| {
                format!("no gateway `{via}` to go through\nhint: `--px id={via}//…` makes one, as does a `--tx` with that id")
            })?;
            if !is_popen(spec) {
                return Ok(Some(at));
            }
            at = next;
        }
        Err("it goes through too many gateways, or through itself".to_owned())
    }

    /// The gateway that must be there before one can be made.
    pub(super) fn before(&self, gateway: usize) -> Option<usize> {
        let via = self.gateways[gateway].via()?;
        self.gateways.iter().position(|other| other.id() == Some(via))
    }
}

fn is_popen(spec: &XSpec) -> bool {
    matches!(spec.transport(), Ok(Transport::Popen))
}

/// The part of a spec that leads to a host, with its id or without.
fn way(spec: &XSpec, with_id: bool) -> Result<XSpec, String> {
    spec.transport().map_err(|error| error.to_string())?;
    let kept = spec
        .parts()
        .filter(|(key, _)| (!SURROUNDINGS.contains(key) && !key.starts_with("env:")) || (with_id && *key == "id"));
    let parts = kept.map(|(key, value)| value.map_or_else(|| key.to_owned(), |value| format!("{key}={value}")));
    XSpec::parse(&parts.collect::<Vec<_>>().join("//")).map_err(|error| error.to_string())
}

/// What a host is called before it has told its own name.
pub(super) fn name(gateway: &XSpec) -> String {
    match gateway.transport() {
        Ok(Transport::Ssh { arguments, .. }) => arguments.last().cloned().unwrap_or_default(),
        Ok(Transport::Socket { host, port }) => format!("{host}:{port}"),
        _ => gateway.id().map_or_else(|| gateway.to_string(), str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(tx: &[&str], px: &[&str]) -> Result<Hosts, String> {
        let specs: Vec<XSpec> = tx.iter().flat_map(|text| XSpec::expand(text).unwrap()).collect();
        let proxies: Vec<XSpec> = px.iter().map(|text| XSpec::parse(text).unwrap()).collect();
        Hosts::of(&specs, &proxies)
    }

    #[test]
    fn a_host_has_one_gateway_whatever_runs_there() {
        let found =
            hosts(&["2*ssh=a//python=p", "popen", "ssh=b", "ssh=a//env:A=1//chdir=x", "ssh=a//ssh_config=f"], &[]);
        let found = found.unwrap();
        assert_eq!(
            found.gateways.iter().map(XSpec::as_str).collect::<Vec<_>>(),
            ["ssh=a", "ssh=b", "ssh=a//ssh_config=f"]
        );
        assert_eq!(found.of_workers, [Some(0), Some(0), None, Some(1), Some(0), Some(2)]);
        assert_eq!(name(&found.gateways[1]), "b");
    }

    #[test]
    fn who_goes_through_others_is_where_they_lead() {
        let px = ["id=far//ssh=far", "id=here//popen"];
        let tx = ["popen//via=far", "popen//via=here", "command=x//via=far", "popen//via=mid", "ssh=m//id=mid"];
        let found = hosts(&tx, &px).unwrap();
        let place = |text: &str| found.gateways.iter().position(|gateway| gateway.as_str() == text);
        let (far, mid) = (place("id=far//ssh=far"), place("ssh=m//id=mid"));
        assert_eq!(found.of_workers, [far, None, place("command=x//via=far"), mid, mid]);
        assert_eq!(found.before(place("command=x//via=far").unwrap()), far);
    }

    #[test]
    fn ways_that_lead_nowhere_are_usage_errors() {
        for (tx, px, text) in [
            (&["popen//via=x"][..], &[][..], "no gateway `x`"),
            (&["popen//via=a//id=b", "popen//via=b//id=a"], &[], "through itself"),
            (&["popen"], &["ssh=x"], "has no `id=…`"),
            (&["nothing=x"], &[], "nothing=x"),
        ] {
            let error = hosts(tx, px).unwrap_err();
            assert!(error.contains(text), "{error}");
        }
    }
}
