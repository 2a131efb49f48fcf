//! Gateways that belong together: ordered, named, brought up at the same time, ended together.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;

use crate::channel::{Channel, MultiChannel};
use crate::gateway::{Gateway, GatewayError};
use crate::source::Source;
use crate::transport::{Connected, Transport, run_command};
use crate::xspec::{self, XSpec};

/// Gateways in the order in which they were made. Clones are handles of the same group.
#[derive(Clone, Default)]
pub struct Group {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    members: Mutex<Members>,
    transports: Mutex<HashMap<&'static str, Arc<dyn Transport>>>,
}

#[derive(Default)]
struct Members {
    gateways: Vec<Gateway>,
    /// Names of gateways, also of those that are being made.
    taken: Vec<String>,
    /// The number of the next name.
    next: usize,
}

impl Group {
    /// An empty group.
    pub fn new() -> Self {
        Self::default()
    }

    /// The group of this process, for programs that need one only.
    pub fn default_group() -> &'static Self {
        static GROUP: OnceLock<Group> = OnceLock::new();
        GROUP.get_or_init(Self::new)
    }

    /// Has a transport used for a key of specs: `ssh` (also for `vagrant_ssh`) or `socket` (also with `installvia`).
    pub fn register(&self, key: &'static str, transport: Arc<dyn Transport>) {
        self.inner.transports.lock().unwrap_or_else(PoisonError::into_inner).insert(key, transport);
    }

    fn members(&self) -> MutexGuard<'_, Members> {
        self.inner.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The gateways, in order.
    pub fn gateways(&self) -> Vec<Gateway> {
        self.members().gateways.clone()
    }

    /// The gateway of an id.
    pub fn get(&self, id: &str) -> Option<Gateway> {
        self.members().gateways.iter().find(|gateway| gateway.id() == id).cloned()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.members().gateways.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes the id of a spec, or the next free one of `gw0`, `gw1`…
    ///
    /// # Errors
    /// If the id is taken.
    fn allocate_id(&self, spec: &XSpec) -> Result<Reserved, GatewayError> {
        let mut members = self.members();
        let id = if let Some(id) = spec.id() {
            if members.taken.iter().any(|taken| taken == id) {
                return Err(GatewayError::SecondId(id.to_owned()));
            }
            id.to_owned()
        } else {
            loop {
                let id = format!("gw{}", members.next);
                members.next += 1;
                if !members.taken.contains(&id) {
                    break id;
                }
            }
        };
        members.taken.push(id.clone());
        Ok(Reserved { group: self.clone(), id: Some(id) })
    }

    /// Makes a gateway: connects to its host, if that is another one. Interpreters start when they are needed first.
    ///
    /// # Errors
    /// If the spec is wrong, or the host cannot be reached; then the group is as before.
    ///
    /// # Cancellation
    /// What was started is ended.
    pub async fn make_gateway(&self, spec: &str) -> Result<Gateway, GatewayError> {
        self.make(XSpec::parse(spec)?).await
    }

    /// Makes a gateway of a spec that was read before.
    ///
    /// # Errors
    /// As [`Group::make_gateway`].
    ///
    /// # Cancellation
    /// As [`Group::make_gateway`].
    pub async fn make(&self, spec: XSpec) -> Result<Gateway, GatewayError> {
        let gateway = self.connect(self.allocate_id(&spec)?, spec).await?;
        self.members().gateways.push(gateway.clone());
        Ok(gateway)
    }

    /// Makes gateways at the same time. They stand in the group, and in the result, in the order of the specs; ids are given
    /// in that order too. One that goes `via` another one of them waits for it.
    ///
    /// # Errors
    /// Each its own.
    ///
    /// # Cancellation
    /// Those that were made stay in the group, what was started for others is ended.
    pub async fn make_each(&self, specs: &[XSpec]) -> Vec<Result<Gateway, GatewayError>> {
        let mut results: Vec<Option<Result<Gateway, GatewayError>>> = Vec::new();
        let mut places = Vec::new();
        for spec in specs {
            let (place, result) = match self.allocate_id(spec) {
                Ok(place) => (Some(place), None),
                Err(error) => (None, Some(Err(error))),
            };
            places.push(place);
            results.push(result);
        }
        let ids: Vec<Option<String>> = places.iter().map(|place| place.as_ref()?.id.clone()).collect();
        let mut making = JoinSet::new();
        let mut waiting: Vec<usize> = (0..specs.len()).filter(|index| results[*index].is_none()).collect();
        loop {
            let (ready, later): (Vec<usize>, Vec<usize>) = waiting.into_iter().partition(|index| {
                let via = specs[*index].via();
                let other = ids.iter().position(|id| id.is_some() && id.as_deref() == via);
                other.is_none_or(|other| results[other].is_some())
            });
            waiting = later;
            for index in ready {
                if let Some(place) = places[index].take() {
                    let (group, spec) = (self.clone(), specs[index].clone());
                    making.spawn(async move { (index, group.connect(place, spec).await) });
                }
            }
            match making.join_next().await {
                Some(Ok((index, made))) => {
                    if let Ok(gateway) = &made {
                        self.members().gateways.push(gateway.clone());
                    }
                    results[index] = Some(made);
                }
                Some(Err(_)) => {}
                None => break,
            }
        }
        // What still waits goes round in a circle.
        for index in waiting {
            results[index] = Some(Err(GatewayError::NoVia(specs[index].via().unwrap_or_default().to_owned())));
        }
        drop(places);
        let order: HashMap<&str, usize> =
            ids.iter().enumerate().filter_map(|(at, id)| Some((id.as_deref()?, at))).collect();
        // Those of before stay in front: sorting is stable.
        self.members().gateways.sort_by_key(|gateway| order.get(gateway.id()).map_or(0, |at| at + 1));
        let gone = || Err(GatewayError::Answer("the task that made it is gone".to_owned()));
        results.into_iter().map(|made| made.unwrap_or_else(gone)).collect()
    }

    async fn connect(&self, place: Reserved, spec: XSpec) -> Result<Gateway, GatewayError> {
        let via = match spec.via() {
            Some(name) => Some(self.get(name).ok_or_else(|| GatewayError::NoVia(name.to_owned()))?),
            None => None,
        };
        let key = match spec.transport()? {
            xspec::Transport::Popen => return Ok(Gateway::beside(place.keep(), spec, via)),
            xspec::Transport::Command { argv } => {
                let connected = run_command(&argv, via.as_ref()).await?;
                return Self::greet(place, spec, connected).await;
            }
            xspec::Transport::Ssh { .. } => "ssh",
            xspec::Transport::Socket { .. } | xspec::Transport::InstalledSocket { .. } => "socket",
        };
        let transport = self.inner.transports.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned();
        let transport = transport.ok_or(GatewayError::NoTransport(key))?;
        let connected = transport.connect(&spec, via.as_ref()).await?;
        Self::greet(place, spec, connected).await
    }

    async fn greet(place: Reserved, spec: XSpec, connected: Connected) -> Result<Gateway, GatewayError> {
        let gateway = Gateway::at(place.id.clone().unwrap_or_default(), spec, connected).await?;
        place.keep();
        Ok(gateway)
    }

    /// Runs source on every gateway.
    ///
    /// # Errors
    /// The first one; on the others the source was started.
    ///
    /// # Cancellation
    /// Source that was sent may run; its channels are closed.
    pub async fn remote_exec(&self, source: impl Into<Source>) -> Result<MultiChannel, GatewayError> {
        let source = source.into();
        let mut starting = JoinSet::new();
        for (index, gateway) in self.gateways().into_iter().enumerate() {
            let source = source.clone();
            starting.spawn(async move { (index, gateway.remote_exec(source).await) });
        }
        let mut channels = starting.join_all().await;
        channels.sort_by_key(|(index, _)| *index);
        channels.into_iter().map(|(_, channel)| channel).collect()
    }

    /// Tells all agents on other hosts that this process will be silent for a while, `longest` at most, because it is about
    /// to be stopped, and waits until they know, `patience` at most. Silence is no fault there until what is returned is
    /// dropped.
    ///
    /// # Cancellation
    /// Whoever was told is told that the silence is over.
    pub async fn pause(&self, longest: Duration, patience: Duration) -> Pause {
        let seconds = i64::try_from(longest.as_secs()).unwrap_or(i64::MAX);
        let mut telling = JoinSet::new();
        for channel in self.gateways().iter().filter_map(Gateway::pausing) {
            telling.spawn(async move {
                let told = async {
                    channel.send(seconds).await.ok()?;
                    channel.receive().await.ok()
                };
                tokio::time::timeout(patience, told).await.ok().flatten().map(|_| channel)
            });
        }
        Pause { _told: telling.join_all().await.into_iter().flatten().collect() }
    }

    /// Ends all gateways, those first through which no other one goes. Each has until `limit` to end by itself; then its
    /// processes are killed. Always returns, and leaves no gateway behind.
    ///
    /// # Cancellation
    /// Gateways that have not ended yet stay in the group; call it again.
    pub async fn terminate(&self, limit: Duration) {
        loop {
            let members = self.gateways();
            let vias: Vec<&str> = members.iter().filter_map(Gateway::goes_via).collect();
            let (inner, outer): (Vec<_>, Vec<_>) =
                members.iter().cloned().partition(|gateway| vias.contains(&gateway.id()));
            // Ids are unique and a gateway is made after the one it goes through: somebody is always outermost.
            let leaving = if outer.is_empty() { inner } else { outer };
            if leaving.is_empty() {
                return;
            }
            let mut ending = JoinSet::new();
            for gateway in &leaving {
                let gateway = gateway.clone();
                ending.spawn(async move { gateway.terminate(limit).await });
            }
            ending.join_all().await;
            let mut members = self.members();
            members.gateways.retain(|gateway| !leaving.iter().any(|gone| gone.id() == gateway.id()));
            members.taken.retain(|taken| !leaving.iter().any(|gone| gone.id() == taken));
        }
    }
}

/// A time in which agents do not wonder that this process is silent, see [`Group::pause`]. It ends when this is dropped.
#[derive(Debug)]
pub struct Pause {
    _told: Vec<Channel>,
}

/// A name that is free again unless its gateway comes to be.
struct Reserved {
    group: Group,
    id: Option<String>,
}

impl Reserved {
    fn keep(mut self) -> String {
        self.id.take().unwrap_or_default()
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        if let Some(id) = &self.id {
            self.group.members().taken.retain(|taken| taken != id);
        }
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.gateways().iter().map(|gateway| gateway.spec().as_str().to_owned())).finish()
    }
}
