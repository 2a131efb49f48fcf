//! Another host of the run: a gateway, and on its one link what processes there need.

use std::sync::Arc;
use std::time::Duration;

use execnet_rs::gateway::{Connections, Descendants, Directory, Gateway, Process, ProcessRequest, Stored};
use tokio::sync::watch;

use super::super::page;
use crate::python;

/// The stop page's file.
pub(crate) const PAGE: &str = "page";
/// Whose the Python package is in the host's cache directory.
const OWNER: &str = "xdist";
/// Services of an agent that is there take no longer to come up; its link is watched beside.
const SERVICES: Duration = Duration::from_mins(1);

/// What serves the run on another host.
#[derive(Debug)]
pub(crate) struct Remote {
    pub(crate) gateway: Gateway,
    /// Small files and named pipes: what the run's directory is on this host.
    pub(crate) directory: Directory,
    pub(crate) descendants: Descendants,
    pub(crate) connections: Arc<Connections>,
    package: Stored,
    /// The name that the host gives itself.
    pub(crate) host: String,
    /// The agent's working directory.
    pub(crate) cwd: String,
    /// How many processes the kernel had killed there for want of memory when this began.
    pub(crate) oom_kills: Option<u64>,
    /// Orders to make files and pipes whose answers are awaited.
    unsettled: watch::Sender<usize>,
}

/// An order whose answer is awaited: nobody is told of the file before.
pub(crate) struct Pending(Option<Arc<Remote>>);

impl Drop for Pending {
    fn drop(&mut self) {
        if let Some(remote) = self.0.take() {
            remote.unsettled.send_modify(|count| *count = count.saturating_sub(1));
        }
    }
}

impl Remote {
    /// Has the agent at the end of a gateway serve the run. Also returned: who tells of processes there that were stopped.
    pub(crate) async fn begin(gateway: Gateway) -> Result<(Self, tokio::sync::mpsc::UnboundedReceiver<u32>), String> {
        let services = async {
            let (key, files) = (python::digest(), python::files());
            tokio::try_join!(
                gateway.directory(),
                gateway.descendants(),
                gateway.listen(),
                gateway.store(OWNER, &key, files),
                gateway.host_info(),
            )
        };
        let served = tokio::time::timeout(SERVICES, services).await;
        let (directory, (descendants, stops), connections, package, info) = served
            .map_err(|_| format!("its agent did not answer within {} s", SERVICES.as_secs()))?
            .map_err(|error| error.to_string())?;
        let remote = Self {
            gateway,
            directory,
            descendants,
            connections: Arc::new(connections),
            package,
            host: info.host,
            cwd: info.cwd,
            oom_kills: info.oom_kills,
            unsettled: watch::Sender::new(0),
        };
        Ok((remote, stops))
    }

    /// Where a file of the directory is, on the host.
    pub(crate) fn path_of(&self, name: &str) -> String {
        format!("{}/{name}", self.directory.path())
    }

    /// How many processes the kernel has killed there for want of memory.
    pub(crate) async fn oom_kills(&self) -> Option<u64> {
        self.gateway.host_info().await.ok()?.oom_kills
    }

    /// The folder of the Python package there.
    pub(crate) fn package(&self) -> String {
        format!("{}/xdist_worker", self.package.path())
    }

    /// The socket to which processes there connect.
    pub(crate) fn socket(&self) -> &str {
        self.connections.path()
    }

    /// Notes that an order is under way. Whoever is told of what it makes is told when all of them are answered.
    pub(crate) fn pending(self: &Arc<Self>) -> Pending {
        self.unsettled.send_modify(|count| *count += 1);
        Pending(Some(Arc::clone(self)))
    }

    /// Waits until all files and pipes are there that were asked for.
    pub(crate) async fn settled(&self) {
        // It cannot end before this, which holds it.
        let _ = self.unsettled.subscribe().wait_for(|count| *count == 0).await;
    }

    /// Starts a process once its pipes are there.
    pub(crate) async fn start(&self, request: ProcessRequest) -> Result<Process, String> {
        self.settled().await;
        self.gateway.process(request).await.map_err(|error| error.to_string())
    }

    /// Makes the stop page for so many workers.
    pub(crate) fn make_page(self: &Arc<Self>, workers: u32) {
        let pending = self.pending();
        let made = self.directory.write(PAGE, 0, vec![0; page::size(workers)]);
        tokio::spawn(async move {
            if let Err(error) = made.await {
                tracing::debug!("the stop page cannot be made: {error}");
            }
            drop(pending);
        });
    }

    /// No worker there starts a further test.
    pub(crate) fn stop(&self) {
        // Whoever does not take it is told to stop by message, too.
        drop(self.directory.write(PAGE, 0, vec![1]));
    }
}
