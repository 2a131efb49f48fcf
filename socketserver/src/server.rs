//! The server: everything that happens comes to one loop, which owns who is trying, who is in, and how it ends.

mod announce;
mod keyring;
mod signals;

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use execnet_rs::transport::socket::connect::set_up;
use execnet_rs::transport::socket::noise::ServerKey;
use execnet_rs::transport::socket::private::PrivateError;
use execnet_rs::transport::socket::sealed::Sealer;
use execnet_rs::transport::socket::token::TokenId;
use execnet_rs::transport::socket::verdict::Verdict;
use jiff::Timestamp;
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, JoinSet};

use self::keyring::Keyring;
use self::signals::Signals;
use crate::arguments::Arguments;
use crate::audit::Audit;
use crate::door::{self, Guest, House};
use crate::gate::{self, Gate, Limits, Offence, Source, Ticket};
use crate::sessions::{Handover, Processes};
use crate::store::{Entry, StoreError};
use crate::watch::Watch;
use crate::{FAILED, USAGE_ERROR, complain, listen};

/// How long a client may take to read why it may not stay.
const REFUSING: Duration = Duration::from_secs(1);

/// How long to wait when the system has no descriptor left.
const BREATH: Duration = Duration::from_millis(100);

/// What the tasks share.
struct Shared {
    keyring: Keyring,
    gate: Mutex<Gate>,
    audit: Audit,
}

impl Shared {
    fn gate(&self) -> MutexGuard<'_, Gate> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl House for Shared {
    fn key(&self) -> &ServerKey {
        self.keyring.key()
    }

    fn token(&self, id: TokenId) -> Option<Entry> {
        self.keyring.get(id)
    }

    fn may_compute(&self) -> bool {
        self.gate().may_compute(Instant::now())
    }
}

/// Somebody who is trying.
struct Stranger {
    source: Source,
    peer: SocketAddr,
    task: AbortHandle,
}

/// A session that goes on.
struct Live {
    token: TokenId,
    end: Option<oneshot::Sender<&'static str>>,
}

struct Server {
    shared: Arc<Shared>,
    processes: Processes,
    max_sessions: usize,
    oneshot: bool,
    greeting: JoinSet<(Ticket, Result<Guest, Offence>)>,
    strangers: HashMap<Ticket, Stranger>,
    running: JoinSet<u64>,
    live: HashMap<u64, Live>,
    /// How many sessions there have been.
    served: u64,
    /// The tasks that accept.
    accepting: Vec<AbortHandle>,
    stopping: bool,
}

/// Serves until it is told to stop.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    // The key is in this process, and tests run as the same user.
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return complain(&format_args!("cannot start: {error}"), FAILED),
    };
    runtime.block_on(async {
        let listeners = match listen::open(&arguments.address) {
            Ok(listeners) => listeners,
            Err(error) => return complain(&error, USAGE_ERROR),
        };
        let mut server = match Server::new(arguments) {
            Ok(server) => server,
            Err(error) => return complain(&error, FAILED),
        };
        match server.serve(listeners, arguments.grace).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => complain(&error, FAILED),
        }
    })
}

impl Server {
    fn new(arguments: &Arguments) -> Result<Self, StoreError> {
        let failed = |path: &str| {
            let path = path.into();
            |error| StoreError::from(PrivateError::System { path, error })
        };
        let log = arguments.log.as_deref();
        let audit = Audit::open(log).map_err(failed(&log.unwrap_or("".as_ref()).to_string_lossy()))?;
        let gate = Mutex::new(Gate::new(Limits::default()));
        let shared = Shared { keyring: Keyring::open()?, gate, audit };
        Ok(Self {
            shared: Arc::new(shared),
            processes: Processes::adopt().map_err(failed("processes"))?,
            max_sessions: usize::from(arguments.max_sessions),
            oneshot: arguments.oneshot,
            greeting: JoinSet::new(),
            strangers: HashMap::new(),
            running: JoinSet::new(),
            live: HashMap::new(),
            served: 0,
            accepting: Vec::new(),
            stopping: false,
        })
    }

    async fn serve(&mut self, listeners: Vec<TcpListener>, grace: Duration) -> io::Result<()> {
        let addresses = listeners.iter().map(TcpListener::local_addr).collect::<io::Result<Vec<_>>>()?;
        let mut signals = Signals::new()?;
        let watch = Watch::begin(self.shared.keyring.store().tokens_directory())?;
        let (arrive, mut arrived) = mpsc::channel(1);
        for listener in listeners {
            self.accepting.push(tokio::spawn(accept(listener, arrive.clone())).abort_handle());
        }
        drop(arrive);
        self.shared.audit.say("listening", json!({ "addresses": addresses, "pid": std::process::id() }));
        announce::print(&addresses, &self.shared.keyring.entries());
        let mut patience = std::pin::pin!(tokio::time::sleep(gate::CENTURY));
        loop {
            tokio::select! {
                Some((stream, peer)) = arrived.recv(), if !self.stopping => self.arrive(stream, peer),
                Some(greeted) = self.greeting.join_next() => if let Ok((ticket, greeted)) = greeted {
                    self.greeted(ticket, greeted);
                },
                Some(ended) = self.running.join_next() => if let Ok(session) = ended {
                    self.live.remove(&session);
                },
                () = watch.changed() => self.reload(),
                name = signals.next() => if self.stopping {
                    self.end_all(|_| true, "the server stops");
                } else {
                    self.shared.audit.say("stopping", json!({ "signal": name, "sessions": self.live.len() }));
                    self.stop();
                    let end = tokio::time::Instant::now().checked_add(grace);
                    patience.as_mut().reset(end.unwrap_or_else(|| tokio::time::Instant::now() + gate::CENTURY));
                },
                () = &mut patience => self.end_all(|_| true, "the server stops"),
            }
            if self.stopping && self.running.is_empty() {
                self.shared.audit.tell_left_out();
                self.shared.audit.say("stopped", json!({ "sessions": self.served }));
                return Ok(());
            }
        }
    }

    /// Nobody comes in any more.
    fn stop(&mut self) {
        self.stopping = true;
        self.accepting.drain(..).for_each(|task| task.abort());
        self.greeting.abort_all();
        self.strangers.clear();
    }

    /// A connection.
    fn arrive(&mut self, stream: TcpStream, peer: SocketAddr) {
        let source = Source::from(peer.ip());
        let now = Instant::now();
        let entry = self.shared.gate().enter(source, now);
        let gate::Entry::Enter { ticket, instead_of } = entry else {
            return self.shared.audit.say_of_stranger("barred", json!({ "peer": peer }));
        };
        if let Some(stranger) = instead_of.and_then(|ticket| self.strangers.remove(&ticket)) {
            stranger.task.abort();
            self.offended(&stranger, Offence::TooSlow);
        }
        let shared = Arc::clone(&self.shared);
        let task = self.greeting.spawn(async move { (ticket, door::greet(stream, shared.as_ref()).await) });
        self.strangers.insert(ticket, Stranger { source, peer, task });
    }

    fn offended(&self, stranger: &Stranger, offence: Offence) {
        self.shared.gate().punish(stranger.source, offence, Instant::now());
        self.shared.audit.say_of_stranger("turned_away", json!({ "peer": stranger.peer, "why": offence.as_str() }));
    }

    /// A handshake is over.
    fn greeted(&mut self, ticket: Ticket, greeted: Result<Guest, Offence>) {
        self.shared.gate().leave(ticket);
        let Some(stranger) = self.strangers.remove(&ticket) else { return };
        match greeted {
            Err(offence) => self.offended(&stranger, offence),
            Ok(guest) => {
                self.shared.gate().forgive(stranger.source);
                match self.may_stay(&guest) {
                    Ok(()) => self.begin(guest, stranger.peer),
                    Err(why) => self.refuse(guest, stranger.peer, why),
                }
            }
        }
    }

    fn may_stay(&self, guest: &Guest) -> Result<(), String> {
        let entry = &guest.entry;
        if self.stopping {
            return Err("the server stops".to_owned());
        }
        if !self.shared.keyring.has(entry.token.id()) {
            return Err(format!("the token `{}` was revoked", entry.name));
        }
        if let Some(expires) = entry.expires.filter(|_| entry.is_expired(Timestamp::now())) {
            return Err(format!("the token `{}` expired at {expires:.0}", entry.name));
        }
        if self.live.len() >= self.max_sessions {
            return Err(format!("all {} sessions of the server are in use", self.max_sessions));
        }
        Ok(())
    }

    fn refuse(&mut self, guest: Guest, peer: SocketAddr, why: String) {
        self.shared.audit.say(
            "refused",
            json!({
                "peer": peer, "token": guest.entry.token.id().to_string(), "token_name": guest.entry.name,
                "client": guest.introduction, "why": why,
            }),
        );
        tokio::spawn(async move {
            let _ = tokio::time::timeout(REFUSING, say(guest, &Verdict::Refused(why))).await;
        });
    }

    /// A session begins.
    fn begin(&mut self, guest: Guest, peer: SocketAddr) {
        let _ = set_up(&guest.stream);
        let mut process = match self.processes.start(&guest.stream) {
            Ok(process) => process,
            Err(error) => return self.refuse(guest, peer, format!("no session process can be started: {error}")),
        };
        let session = self.served;
        self.served += 1;
        let (end, wanted) = oneshot::channel();
        let token = guest.entry.token.id();
        self.live.insert(session, Live { token, end: Some(end) });
        self.shared.audit.say(
            "session_began",
            json!({
                "session": session, "peer": peer, "token": token.to_string(), "token_name": guest.entry.name,
                "client": guest.introduction, "pid": process.pid(),
            }),
        );
        let shared = Arc::clone(&self.shared);
        self.running.spawn(async move {
            let began = Instant::now();
            let handover = Handover { keys: guest.keys.clone(), peer: peer.to_string() };
            // The server's first frame goes before the session's, and who does not take it is not served.
            let welcomed = tokio::time::timeout(door::DEADLINE, say(guest, &Verdict::Welcome)).await;
            if welcomed.is_ok_and(|said| said.is_ok()) {
                let _ = process.begin(&handover).await;
            } else {
                process.forsake().await;
            }
            let wanted = async { wanted.await.unwrap_or("the server stops") };
            let words = process.end(wanted).await;
            let seconds = (began.elapsed().as_secs_f64() * 1000.0).round() / 1000.0;
            shared.audit.say(
                "session_ended",
                json!({
                    "session": session, "why": words.end, "seconds": seconds,
                    "received": words.received, "sent": words.sent,
                }),
            );
            session
        });
        if self.oneshot {
            self.stop();
        }
    }

    fn end_all(&mut self, of: impl Fn(&Live) -> bool, why: &'static str) {
        for live in self.live.values_mut().filter(|live| of(live)) {
            if let Some(end) = live.end.take() {
                let _ = end.send(why);
            }
        }
    }

    /// Reads the tokens again, and ends the sessions of those that are gone.
    fn reload(&mut self) {
        for why in self.shared.keyring.reload() {
            self.shared.audit.say("bad_token_file", json!({ "why": why }));
        }
        let shared = Arc::clone(&self.shared);
        self.end_all(|live| !shared.keyring.has(live.token), "its token was revoked");
    }
}

/// Accepts for as long as somebody takes the connections.
async fn accept(listener: TcpListener, arrive: mpsc::Sender<(TcpStream, SocketAddr)>) {
    loop {
        match listener.accept().await {
            Ok(connection) => {
                if arrive.send(connection).await.is_err() {
                    return;
                }
            }
            // Mostly that there is no descriptor left; until there is, others wait in the system's queue.
            Err(_) => tokio::time::sleep(BREATH).await,
        }
    }
}

/// Says the server's first frame, and lets go of the connection.
async fn say(mut guest: Guest, verdict: &Verdict) -> io::Result<()> {
    let mut frame = Vec::new();
    Sealer::new(&guest.keys.send, 0)?.seal(&verdict.to_bytes(), &mut frame)?;
    guest.stream.write_all(&frame).await
}
