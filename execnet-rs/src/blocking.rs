//! The same for code that is not async: groups, gateways and channels whose methods wait.
//!
//! A [`Group`] has a thread of its own that moves the bytes. Nothing here may be called from async code.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, bounded};
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use crate::channel::{ReceiveError, SendError};
use crate::gateway::{Gateway as AsyncGateway, GatewayError, InterpreterInfo, Process, ProcessRequest, Status};
use crate::process::HowEnded;
use crate::source::Source;
use crate::value::Value;
use crate::xspec::XSpec;

/// Values that a receiver holds before the channel has to wait.
const HELD: usize = 64;

/// The thread that moves the bytes; it ends when the last handle is dropped.
#[derive(Debug)]
struct Driver {
    handle: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Driver {
    fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new().name("execnet".to_owned()).spawn(move || {
            // An error is the other end's being dropped, which means the same.
            let _ = runtime.block_on(stopped);
        })?;
        Ok(Self { handle, stop: Some(stop), thread: Some(thread) })
    }

    fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.handle.block_on(future)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != thread::current().id()
        {
            let _ = thread.join();
        }
    }
}

/// A group of gateways, see [`crate::group::Group`].
#[derive(Clone, Debug)]
pub struct Group {
    group: crate::group::Group,
    driver: Arc<Driver>,
}

impl Group {
    /// An empty group and its thread.
    ///
    /// # Errors
    /// If the system refuses a thread or descriptors.
    pub fn new() -> io::Result<Self> {
        Ok(Self { group: crate::group::Group::new(), driver: Arc::new(Driver::start()?) })
    }

    fn gateway(&self, gateway: AsyncGateway) -> Gateway {
        Gateway { gateway, driver: Arc::clone(&self.driver) }
    }

    /// Makes a gateway.
    ///
    /// # Errors
    /// As [`crate::group::Group::make_gateway`].
    pub fn make_gateway(&self, spec: &str) -> Result<Gateway, GatewayError> {
        Ok(self.gateway(self.driver.wait(self.group.make_gateway(spec))?))
    }

    /// Makes gateways at the same time.
    ///
    /// # Errors
    /// Each its own, see [`crate::group::Group::make_each`].
    pub fn make_each(&self, specs: &[XSpec]) -> Vec<Result<Gateway, GatewayError>> {
        let made = self.driver.wait(self.group.make_each(specs));
        made.into_iter().map(|gateway| Ok(self.gateway(gateway?))).collect()
    }

    /// The gateways, in order.
    pub fn gateways(&self) -> Vec<Gateway> {
        self.group.gateways().into_iter().map(|gateway| self.gateway(gateway)).collect()
    }

    /// Ends all gateways, see [`crate::group::Group::terminate`].
    pub fn terminate(&self, limit: Duration) {
        self.driver.wait(self.group.terminate(limit));
    }
}

/// A gateway, see [`crate::gateway::Gateway`].
#[derive(Clone, Debug)]
pub struct Gateway {
    gateway: AsyncGateway,
    driver: Arc<Driver>,
}

impl Gateway {
    /// Its name in its group.
    pub fn id(&self) -> &str {
        self.gateway.id()
    }

    /// Runs Python source on the host.
    ///
    /// # Errors
    /// As [`crate::gateway::Gateway::remote_exec`].
    pub fn remote_exec(&self, source: impl Into<Source>) -> Result<Channel, GatewayError> {
        let channel = self.driver.wait(self.gateway.remote_exec(source))?;
        Ok(Channel { channel, driver: Arc::clone(&self.driver) })
    }

    /// Runs a process on the host to its end, with what is given as its standard input: its standard output, and how it
    /// ended.
    ///
    /// # Errors
    /// As [`crate::gateway::Gateway::process`].
    pub fn run(&self, request: ProcessRequest, input: &[u8]) -> Result<(Vec<u8>, HowEnded), GatewayError> {
        self.driver.wait(async {
            let mut process: Process = self.gateway.process(request.with_stdin().with_stdout()).await?;
            let (stdin, stdout) = (process.take_stdin(), process.take_stdout());
            let feeding = async {
                if let Some(stdin) = stdin {
                    // A process need not read what it is given.
                    for piece in input.chunks(64 * 1024) {
                        if stdin.send_bytes(piece).await.is_err() {
                            break;
                        }
                    }
                    stdin.finish();
                }
            };
            let reading = async {
                let mut output = Vec::new();
                if let Some(stdout) = &stdout {
                    while let Some(Value::Bytes(piece)) = stdout.next().await? {
                        output.extend_from_slice(&piece);
                    }
                }
                Ok::<_, ReceiveError>((output, process.wait().await?))
            };
            let ((), ended) = tokio::join!(feeding, reading);
            Ok(ended?)
        })
    }

    /// What the interpreter says of itself.
    ///
    /// # Errors
    /// As [`crate::gateway::Gateway::rinfo`].
    pub fn rinfo(&self) -> Result<InterpreterInfo, GatewayError> {
        self.driver.wait(self.gateway.rinfo())
    }

    /// What the interpreter is doing.
    ///
    /// # Errors
    /// As [`crate::gateway::Gateway::remote_status`].
    pub fn remote_status(&self) -> Result<Status, GatewayError> {
        self.driver.wait(self.gateway.remote_status())
    }
}

/// A channel, see [`crate::channel::Channel`]. Iterating over it gives values until the end.
#[derive(Clone, Debug)]
pub struct Channel {
    channel: crate::channel::Channel,
    driver: Arc<Driver>,
}

impl Channel {
    /// Sends a value.
    ///
    /// # Errors
    /// As [`crate::channel::Channel::send`].
    pub fn send(&self, value: impl Into<Value>) -> Result<(), SendError> {
        self.driver.wait(self.channel.send(value))
    }

    /// The next value.
    ///
    /// # Errors
    /// As [`crate::channel::Channel::receive`].
    pub fn receive(&self) -> Result<Value, ReceiveError> {
        self.driver.wait(self.channel.receive())
    }

    /// The next value, if it comes in time.
    ///
    /// # Errors
    /// As [`crate::channel::Channel::receive_within`].
    pub fn receive_within(&self, limit: Duration) -> Result<Value, ReceiveError> {
        self.driver.wait(self.channel.receive_within(limit))
    }

    /// What arrives, as a receiver that can be selected from. The end is the last item. A thread fills it; when the receiver
    /// is dropped, the thread ends with the next value.
    ///
    /// # Errors
    /// If the system refuses a thread.
    pub fn receiver(&self) -> io::Result<Receiver<Result<Value, ReceiveError>>> {
        let (give, take) = bounded(HELD);
        let channel = self.clone();
        thread::Builder::new().name("execnet-receiver".to_owned()).spawn(move || {
            loop {
                let received = channel.receive();
                let last = received.is_err();
                if give.send(received).is_err() || last {
                    return;
                }
            }
        })?;
        Ok(take)
    }

    /// Sends no more.
    pub fn finish(&self) {
        self.channel.finish();
    }

    /// Closes both directions.
    pub fn close(&self) {
        self.channel.close();
    }

    /// Waits until nothing more can arrive.
    ///
    /// # Errors
    /// As [`crate::channel::Channel::wait_close`].
    pub fn wait_close(&self, limit: Option<Duration>) -> Result<(), ReceiveError> {
        self.driver.wait(self.channel.wait_close(limit))
    }
}

/// The values of a channel, until its end.
#[derive(Debug)]
pub struct Values<'a>(&'a Channel);

impl Channel {
    /// The values that come, until the end.
    pub fn iter(&self) -> Values<'_> {
        Values(self)
    }
}

impl<'a> IntoIterator for &'a Channel {
    type Item = Result<Value, ReceiveError>;
    type IntoIter = Values<'a>;

    fn into_iter(self) -> Values<'a> {
        self.iter()
    }
}

impl Iterator for Values<'_> {
    type Item = Result<Value, ReceiveError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.driver.wait(self.0.channel.next()).transpose()
    }
}
