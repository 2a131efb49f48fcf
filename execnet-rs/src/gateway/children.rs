//! Processes on a gateway's host that others than the agent have forked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::Signal;
use tokio::sync::{mpsc, oneshot};

use super::process::how_ended;
use super::{Gateway, GatewayError};
use crate::channel::Channel;
use crate::process::HowEnded;
use crate::value::Value;

/// Whom a signal is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signalled {
    /// The process alone.
    Process,
    /// Its group, or the process alone if it leads none.
    Group,
    /// What is left of its group, once it has ended itself.
    Rest,
}

/// Processes on a gateway's host: how they ended, and signals to them. The agent must be an [`crate::agent::Program`].
/// What was watched and lives when the last handle of this is dropped, or the link ends, is killed.
#[derive(Clone, Debug)]
pub struct Descendants {
    /// Orders go through here, so that none is lost where the other side does not take them at once.
    orders: mpsc::UnboundedSender<Value>,
    waiting: Arc<Mutex<Option<Waiting>>>,
}

type Waiting = HashMap<u32, oneshot::Sender<HowEnded>>;

impl Descendants {
    /// Waits for the end of a process, one waiter at a time; `leads` says whether it leads a group of its own. None if the
    /// link ended first. The order is on its way when this returns.
    pub fn watch(&self, pid: u32, leads: bool) -> impl Future<Output = Option<HowEnded>> + Send + 'static + use<> {
        let (tell, told) = oneshot::channel();
        if let Some(waiting) = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            waiting.insert(pid, tell);
        }
        let _ = self.orders.send(Value::dict([("watch", Value::from(pid)), ("leads", leads.into())]));
        async move { told.await.ok() }
    }

    /// Sends a signal. To a process that is gone, there is nothing to send.
    pub fn signal(&self, pid: u32, signal: Signal, whom: Signalled) {
        let to = match whom {
            Signalled::Process => "process",
            Signalled::Group => "group",
            Signalled::Rest => "rest",
        };
        let order = [("signal", Value::from(signal.as_raw())), ("pid", pid.into()), ("to", to.into())];
        let _ = self.orders.send(Value::dict(order));
    }
}

impl Gateway {
    /// Looks after processes on the host that others have forked. The second part tells of processes there that a signal
    /// has stopped.
    ///
    /// # Errors
    /// If the agent there does not look after such processes, or the link has ended.
    ///
    /// # Cancellation
    /// Nobody is looked after then.
    pub async fn descendants(&self) -> Result<(Descendants, mpsc::UnboundedReceiver<u32>), GatewayError> {
        let channel = Channel::open(self.agent().await?, "children")?;
        channel.send(()).await?;
        channel.receive().await?;
        let (orders, mut ordered) = mpsc::unbounded_channel();
        let (stops, stopped) = mpsc::unbounded_channel();
        let waiting = Arc::new(Mutex::new(Some(HashMap::new())));
        let sending = channel.clone();
        tokio::spawn(async move {
            while let Some(order) = ordered.recv().await {
                if sending.send(order).await.is_err() {
                    return;
                }
            }
            sending.close();
        });
        tokio::spawn(hear(channel, Arc::clone(&waiting), stops));
        Ok((Descendants { orders, waiting }, stopped))
    }
}

/// Passes on what the agent tells, until the link ends; then nobody is waited for any more.
async fn hear(channel: Channel, waiting: Arc<Mutex<Option<Waiting>>>, stops: mpsc::UnboundedSender<u32>) {
    while let Ok(said) = channel.receive().await {
        let number = |key: &str| said.get(key).and_then(Value::as_int).and_then(|pid| u32::try_from(pid).ok());
        if let Some(pid) = number("stopped") {
            let _ = stops.send(pid);
        } else if let Some(pid) = number("pid")
            && let Some(waiting) = waiting.lock().unwrap_or_else(PoisonError::into_inner).as_mut()
            && let Some(tell) = waiting.remove(&pid)
        {
            let _ = tell.send(how_ended(&said));
        }
    }
    *waiting.lock().unwrap_or_else(PoisonError::into_inner) = None;
}
