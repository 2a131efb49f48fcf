//! The thread that watches: events of the file system in, changes that count out.
//!
//! An event only says where to look; what counts is what is found there. So a burst of events is one look at each path,
//! an editor's detour over a temporary file is no change of its own, and events that were lost cost a look at everything.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use notify::event::{AccessKind, AccessMode, EventKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

use super::own_writes::{OwnWrites, Verdict};
use super::rules::{Rules, global_patterns};
use super::snapshot::{Change, Snapshot};
use super::state::Changes;

/// After an event it is waited so long for the next one.
const QUIET: Duration = Duration::from_millis(20);
/// However many come, changes are told this late at most.
const LATEST: Duration = Duration::from_millis(200);
/// Events that took place before the end of a run are heard of so long after it at most.
const MARK: Duration = Duration::from_millis(500);
/// How often it is looked whether a directory that was deleted is back.
const RETURN: Duration = Duration::from_millis(250);
/// How often to look where the system sends no events, unless the user says otherwise.
pub const POLL: Duration = Duration::from_secs(1);

/// What to watch, and how.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Directories; files too, which are watched alone.
    pub roots: Vec<PathBuf>,
    /// Files and directories that the run writes.
    pub outputs: Vec<PathBuf>,
    /// Look that often, instead of waiting for events.
    pub poll: Option<Duration>,
    /// What was written since then has changed before anybody watched.
    pub since: SystemTime,
    /// Where the run that is on leaves word of what it writes.
    pub record: PathBuf,
}

/// What a watcher tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// Files have changed.
    Changed(Changes),
    /// Something that the user should know.
    Notice(String),
}

enum Message {
    Event(notify::Result<notify::Event>),
    Add(Vec<PathBuf>, SystemTime),
    Begin(PathBuf, SystemTime),
    End(SystemTime),
    Leave,
}

/// A thread that watches. Dropped, it ends.
#[derive(Debug)]
pub struct Watch {
    orders: Sender<Message>,
}

impl Watch {
    /// Starts to watch; what is found arrives at the other end.
    ///
    /// # Errors
    /// If there can be no thread.
    pub fn start(settings: Settings) -> std::io::Result<(Self, mpsc::UnboundedReceiver<Told>)> {
        let (orders, taken) = unbounded();
        let (tell, told) = mpsc::unbounded_channel();
        let events = orders.clone();
        thread::Builder::new().name("watch".to_owned()).spawn(move || {
            let mut watcher = Watcher::new(settings, events, tell);
            watcher.begin();
            watcher.work(&taken);
        })?;
        Ok((Self { orders }, told))
    }

    /// These are to be watched too; what was written there since then has changed before anybody watched.
    pub fn add(&self, roots: Vec<PathBuf>, since: SystemTime) {
        let _ = self.orders.send(Message::Add(roots, since));
    }

    /// A run begins, whose processes leave word of what they write in this file.
    pub fn run_begins(&self, record: PathBuf) {
        let _ = self.orders.send(Message::Begin(record, SystemTime::now()));
    }

    /// The run is over.
    pub fn run_ended(&self) {
        let _ = self.orders.send(Message::End(SystemTime::now()));
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.orders.send(Message::Leave);
    }
}

struct Watcher {
    settings: Settings,
    events: Sender<Message>,
    tell: mpsc::UnboundedSender<Told>,
    notify: Option<RecommendedWatcher>,
    rules: Rules,
    snapshot: Snapshot,
    own: OwnWrites,
    roots: Vec<PathBuf>,
    /// Roots that are not there.
    missing: BTreeSet<PathBuf>,
    /// Where something was heard of.
    heard: BTreeSet<PathBuf>,
    /// The system has lost events.
    lost: bool,
    first_heard: Option<Instant>,
    /// Changes that count when the run is over.
    later: Changes,
    /// When the run ended, as long as some of what it did may be heard of.
    over: Option<Instant>,
    /// A directory of our own in which marks are left.
    marks: PathBuf,
    look_everywhere: bool,
    looked: Instant,
    complained: bool,
}

impl Watcher {
    fn new(settings: Settings, events: Sender<Message>, tell: mpsc::UnboundedSender<Told>) -> Self {
        Self {
            rules: Rules::new(Vec::new(), settings.outputs.clone(), global_patterns()),
            snapshot: Snapshot::default(),
            events,
            tell,
            notify: None,
            own: OwnWrites::default(),
            roots: Vec::new(),
            missing: BTreeSet::new(),
            heard: BTreeSet::new(),
            lost: false,
            first_heard: None,
            later: Changes::default(),
            over: None,
            marks: settings.record.with_file_name("marks"),
            look_everywhere: false,
            looked: Instant::now(),
            complained: false,
            settings,
        }
    }

    fn begin(&mut self) {
        if self.settings.poll.is_none() {
            let events = self.events.clone();
            let handler = move |event: notify::Result<notify::Event>| {
                if !event.as_ref().is_ok_and(|event| is_noise(event.kind)) {
                    let _ = events.send(Message::Event(event));
                }
            };
            match RecommendedWatcher::new(handler, notify::Config::default()) {
                Ok(watcher) => self.notify = Some(watcher),
                Err(error) => self.fall_back(&error),
            }
        }
        let marks = fs::create_dir_all(&self.marks).and_then(|()| self.marks.canonicalize());
        if let (Ok(marks), Some(notify)) = (marks, &mut self.notify) {
            let _ = notify.watch(&marks, RecursiveMode::NonRecursive);
            self.marks = marks;
        }
        self.own.begin(self.settings.record.clone(), self.settings.since);
        self.add(self.settings.roots.clone(), self.settings.since);
    }

    /// The system gives no events: look from time to time.
    fn fall_back(&mut self, error: &notify::Error) {
        self.settings.poll.get_or_insert(POLL);
        if std::mem::replace(&mut self.complained, true) {
            return;
        }
        let hint = match error.kind {
            notify::ErrorKind::MaxFilesWatch => "; more are allowed by `sysctl fs.inotify.max_user_watches=524288`",
            _ => "",
        };
        let text = format!("the system does not tell of all changes ({error}): looking for them once a second{hint}");
        let _ = self.tell.send(Told::Notice(text));
    }

    /// Starts to watch these, and tells what was written there since.
    fn add(&mut self, roots: Vec<PathBuf>, since: SystemTime) {
        let mut found = Vec::new();
        for root in roots {
            let root = root.canonicalize().unwrap_or(root);
            if self.roots.iter().any(|known| root.starts_with(known))
                && !self.rules.ignores_anywhere(&root, root.is_dir())
            {
                continue;
            }
            self.rules.add_root(root.clone());
            self.roots.push(root.clone());
            if !root.exists() {
                self.missing.insert(root.clone());
            }
            found.extend(self.look(&root));
        }
        found.retain(|change| change.modified.is_some_and(|at| at >= since));
        self.judge(found, false);
    }

    fn work(&mut self, taken: &Receiver<Message>) {
        loop {
            let message = match self.deadline() {
                None => taken.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(at) => taken.recv_deadline(at),
            };
            match message {
                Ok(Message::Event(event)) => self.hear(event),
                Ok(Message::Add(roots, since)) => self.add(roots, since),
                Ok(Message::Begin(record, at)) => {
                    self.end_run();
                    self.own.begin(record, at);
                }
                Ok(Message::End(at)) => {
                    self.own.over(at);
                    self.over = Some(Instant::now());
                    if !self.ask_for_mark() {
                        self.end_run();
                    }
                }
                Ok(Message::Leave) | Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {
                    self.wake();
                    if self.over.is_some_and(|over| over.elapsed() > MARK) {
                        self.end_run();
                    }
                }
            }
            // However fast events come.
            if self.first_heard.is_some_and(|first| first.elapsed() > LATEST) {
                self.wake();
            }
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let now = Instant::now();
        let quiet = self.first_heard.map(|_| now + QUIET);
        let back = (!self.missing.is_empty()).then(|| now + RETURN);
        let poll = self.settings.poll.map(|every| (self.looked + every).max(now));
        let over = self.over.map(|over| over + MARK);
        [quiet, back, poll, over].into_iter().flatten().min()
    }

    /// Leaves a mark among the events: what is heard of before it happened during the run. False if there is no way.
    fn ask_for_mark(&self) -> bool {
        self.notify.is_some() && fs::write(self.marks.join("mark"), "").is_ok()
    }

    /// Everything that happened during the run was heard of.
    fn end_run(&mut self) {
        if self.over.take().is_some() {
            self.look_everywhere |= self.settings.poll.is_some();
            self.wake();
            self.own.end();
            let later = std::mem::take(&mut self.later);
            self.send(later);
        }
    }

    fn hear(&mut self, event: notify::Result<notify::Event>) {
        match event {
            Ok(event) if event.paths.iter().any(|path| path.starts_with(&self.marks)) => return self.end_run(),
            Ok(event) if event.need_rescan() => self.lost = true,
            Ok(event) => self.heard.extend(event.paths),
            Err(error) => {
                self.heard.extend(error.paths.iter().cloned());
                tracing::debug!("watching: {error}");
            }
        }
        self.first_heard.get_or_insert_with(Instant::now);
    }

    /// Time to look.
    fn wake(&mut self) {
        let all = self.lost
            || std::mem::take(&mut self.look_everywhere)
            || self.settings.poll.is_some_and(|every| self.looked.elapsed() >= every);
        let mut paths = std::mem::take(&mut self.heard);
        let lost = std::mem::take(&mut self.lost);
        self.first_heard = None;
        let back: Vec<PathBuf> = self.missing.iter().filter(|root| root.exists()).cloned().collect();
        for root in back {
            self.missing.remove(&root);
            paths.insert(root);
        }
        if all {
            paths = self.roots.iter().cloned().collect();
            self.looked = Instant::now();
        }
        let mut found = Vec::new();
        for path in &paths {
            if path.file_name().is_some_and(|name| name == ".gitignore" || name == ".ignore") {
                path.parent().into_iter().for_each(|directory| self.rules.forget(directory));
            }
            found.extend(self.look(path));
        }
        self.missing.extend(self.roots.iter().filter(|root| !root.exists()).cloned());
        self.judge(found, lost);
    }

    /// Tells what counts.
    fn judge(&mut self, found: Vec<Change>, everything: bool) {
        self.own.catch_up();
        let mut changes = Changes { everything, ..Changes::default() };
        for change in found {
            match self.own.judge(&change) {
                Verdict::Counts => drop(changes.files.insert(change.path)),
                Verdict::Later => drop(self.later.files.insert(change.path)),
                Verdict::Own => tracing::debug!("{} is the run's own doing", change.path.display()),
            }
        }
        self.send(changes);
    }

    fn look(&mut self, path: &Path) -> Vec<Change> {
        let Self { snapshot, rules, notify, .. } = self;
        let mut refused = None;
        let mut enter = |directory: &Path| {
            if let Some(notify) = notify
                && let Err(error) = notify.watch(directory, RecursiveMode::NonRecursive)
                && directory.exists()
            {
                refused = Some(error);
            }
        };
        if path.is_file() && self.roots.iter().any(|root| root == path) {
            // A file that is watched alone: its directory tells when it is replaced.
            path.parent().into_iter().for_each(&mut enter);
        }
        let changes = snapshot.look(path, rules, &mut enter);
        if let Some(error) = refused {
            self.fall_back(&error);
        }
        changes
    }

    fn send(&self, changes: Changes) {
        if !changes.is_empty() {
            let _ = self.tell.send(Told::Changed(changes));
        }
    }
}

/// Whether an event says nothing about contents: reading a file is one.
fn is_noise(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => false,
        EventKind::Access(_) => true,
        _ => false,
    }
}
