//! An agent that is a program of its own: it looks after every process on its host that comes of its link, and leaves
//! none behind, even if it is killed itself.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::broadcast;

use super::{Service, serve_with, stdio};
use crate::guard::{ALIVE, Guard};
use crate::link::{LinkError, Options};
use crate::mux::{LinkEnd, Side};
use crate::process::{Children, OpenFiles};

/// At the end, processes that were left behind are killed; waiting for that has an end too.
const LAST_GRACE: Duration = Duration::from_secs(2);
/// Processes that were stopped, of which nobody has taken note yet.
const STOPS: usize = 64;

/// What the services of one agent share.
#[derive(Clone, Debug, Default)]
pub(super) struct Care {
    guard: Option<Arc<Mutex<Option<Guard>>>>,
    stops: Option<broadcast::Sender<u32>>,
    files: Option<OpenFiles>,
    own: BTreeMap<String, Arc<dyn Service>>,
}

impl Care {
    fn guard(&self, tell: impl FnOnce(&mut Guard)) {
        if let Some(guard) = &self.guard
            && let Some(guard) = guard.lock().unwrap_or_else(PoisonError::into_inner).as_mut()
        {
            tell(guard);
        }
    }

    /// A process group that must not outlive the agent.
    pub(super) fn group(&self, leader: u32) {
        self.guard(|guard| guard.group(leader));
    }

    /// A process that must not outlive the agent.
    pub(super) fn process(&self, pid: u32) {
        self.guard(|guard| guard.process(pid));
    }

    /// The leader of a group is gone; the others of it must not outlive the agent.
    pub(super) fn rest(&self, leader: u32) {
        self.guard(|guard| guard.rest(leader));
    }

    /// A process, or a group, that has ended.
    pub(super) fn forget(&self, pid: u32) {
        self.guard(|guard| guard.forget(pid));
    }

    /// A directory that must not outlive the agent.
    pub(super) fn directory(&self, path: &Path) {
        self.guard(|guard| guard.directory(path));
    }

    /// A service of the program itself.
    pub(super) fn service(&self, name: &str) -> Option<Arc<dyn Service>> {
        self.own.get(name).cloned()
    }

    /// Processes that a signal stops.
    pub(super) fn stops(&self) -> Option<broadcast::Receiver<u32>> {
        self.stops.as_ref().map(broadcast::Sender::subscribe)
    }

    /// Gives a new process the user's limit on open files.
    pub(super) fn limit_files(&self, pid: u32) {
        if let Some(files) = &self.files {
            files.restore_for(pid);
        }
    }
}

/// A program that is an agent and nothing else.
#[derive(Debug)]
pub struct Program {
    children: Children,
    care: Care,
}

impl Program {
    /// Makes this process an agent, which reaps all its descendants (see [`Children`]). Inside a tokio runtime, once.
    ///
    /// A program that has itself started as a [`Guard`] gives it along: if this process is killed, what it has started is
    /// killed and its directories are removed.
    ///
    /// # Errors
    /// If the system does not let it.
    pub fn begin(guard: Option<Guard>) -> io::Result<Self> {
        let files = OpenFiles::raise();
        let (children, mut stopped) = Children::adopt()?;
        let stops = broadcast::Sender::new(STOPS);
        let telling = stops.clone();
        tokio::spawn(async move {
            while let Some(pid) = stopped.recv().await {
                // Nobody may want to know.
                let _ = telling.send(pid);
            }
        });
        let guard = guard.map(|guard| Arc::new(Mutex::new(Some(guard))));
        let care = Care { guard, stops: Some(stops), files: Some(files), ..Care::default() };
        tokio::spawn({
            let care = care.clone();
            async move {
                // A host whose agent was stopped does not go on without it.
                let mut beats = tokio::time::interval(ALIVE);
                loop {
                    beats.tick().await;
                    care.guard(Guard::alive);
                }
            }
        });
        Ok(Self { children, care })
    }

    /// Adds a service. Those that every agent has keep their names.
    #[must_use]
    pub fn with_service(mut self, name: &str, service: Arc<dyn Service>) -> Self {
        self.care.own.insert(name.to_owned(), service);
        self
    }

    /// Serves one link until it ends, and ends every process that comes of it, but for those in a session of their own.
    ///
    /// # Errors
    /// As [`super::serve`].
    ///
    /// # Cancellation
    /// As [`super::serve`]; what others have forked for it stays.
    pub async fn serve<R, W>(self, reader: R, writer: W, options: Options) -> Result<LinkEnd, LinkError>
    where
        R: AsyncRead + Send + Unpin + 'static,
        W: AsyncWrite + Send + Unpin + 'static,
    {
        let end = serve_with(reader, writer, options, self.care.clone()).await;
        self.children.end_all(LAST_GRACE, None).await;
        let guard = self.care.guard.as_ref();
        if let Some(guard) = guard.and_then(|guard| guard.lock().unwrap_or_else(PoisonError::into_inner).take()) {
            guard.dismiss();
        }
        end
    }

    /// Serves one link over this process's standard input and output, as [`super::serve_stdio`] does.
    ///
    /// # Errors
    /// As [`super::serve`].
    ///
    /// # Cancellation
    /// As [`Program::serve`].
    pub async fn serve_stdio(self) -> Result<LinkEnd, LinkError> {
        let (reader, writer) = stdio::take()?;
        self.serve(reader, writer, Options::new(Side::Acceptor, "stdio")).await
    }
}
