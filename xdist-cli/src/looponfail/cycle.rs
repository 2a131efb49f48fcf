//! One run of a loop, from its request to what the loop learns of it.

use std::cell::OnceCell;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::{mpsc, oneshot};
use xdist_core::collection::LoopNews;
use xdist_core::engine::{self, EngineError, Request};
use xdist_core::facts::{Facts, LoopFacts};
use xdist_core::looponfail::installed::Installed;
use xdist_core::looponfail::results::{Gathering, Results};
use xdist_core::looponfail::state::{Changes, Effect, Input, Key};
use xdist_core::looponfail::watch::{Settings, Told, Watch};
use xdist_core::protocol::{Cycle, Selection};
use xdist_core::timestamp;

use super::Loop;
use super::keys::Keys;
use super::observer::LoopObserver;
use super::screen::Outcome;
use crate::watcher::Watcher;

/// What happens while a run is on.
enum Woken {
    Over(Result<u8, EngineError>),
    Facts(Option<Box<Facts>>),
    Told(Told),
    Key(Key),
}

impl Loop<'_> {
    /// One run, now that these have changed: its exit code, and what is to be done then.
    ///
    /// # Errors
    /// What kept the run from taking place.
    pub(super) async fn cycle(
        &mut self,
        selection: Selection,
        changed: &Changes,
    ) -> Result<(u8, VecDeque<Effect>), EngineError> {
        let _ = std::fs::remove_file(self.record());
        self.cycles += 1;
        let writes = self.record();
        let changed = changed.files.iter().filter_map(|path| path.to_str()).map(str::to_owned).collect();
        let cycle = Cycle { selection, writes: writes.display().to_string(), changed };
        let request = Request { cycle: Some(cycle), ..self.request.clone() };
        self.output.take();
        let (tell, mut told_facts) = oneshot::channel();
        let mut observer = LoopObserver {
            watcher: Watcher::new(Some(Rc::clone(&self.output))),
            gathering: Gathering::default(),
            facts: Some(tell),
            keys: Rc::clone(&self.keys),
        };
        if let Some(keys) = self.keys.get() {
            keys.give_back();
        }
        if let Some((watch, _)) = &self.watch {
            watch.run_begins(writes.clone());
        }
        let (began, at) = (Instant::now(), SystemTime::now());
        let stopper = self.warm.stopper();
        let mut asked = true;
        // Until pytest runs in workers it may have the terminal: it is not stopped then.
        let mut live = false;
        let mut held = Changes::default();
        let code = {
            let run = engine::run(request, &mut self.warm, &mut observer);
            tokio::pin!(run);
            loop {
                let woken = tokio::select! {
                    over = &mut run => Woken::Over(over),
                    facts = &mut told_facts, if asked => Woken::Facts(facts.ok().map(Box::new)),
                    told = next_told(&mut self.watch) => Woken::Told(told),
                    key = next_key(self.keys.get()), if live => Woken::Key(key),
                };
                let input = match woken {
                    Woken::Over(over) => break over,
                    Woken::Facts(facts) => {
                        asked = false;
                        let Some(facts) = facts.filter(|facts| facts.looponfail.is_some()) else { continue };
                        if self.watch.is_none() {
                            self.watch = start_watching(&facts, &self.options, self.since, &writes);
                            open(&self.keys);
                        }
                        if let Some(keys) = self.keys.get() {
                            keys.take();
                        }
                        live = true;
                        Input::Changed(std::mem::take(&mut held))
                    }
                    Woken::Told(Told::Notice(text)) => {
                        self.screen.notice(&text);
                        continue;
                    }
                    Woken::Told(Told::Changed(changes)) if live => Input::Changed(changes),
                    Woken::Told(Told::Changed(changes)) => {
                        held.extend(changes);
                        continue;
                    }
                    Woken::Key(key) => Input::Key(key),
                };
                if self.state.handle(input).contains(&Effect::Stop) {
                    stopper.out_of_date();
                }
            }
        };
        let LoopObserver { watcher, mut gathering, .. } = observer;
        let code = match code {
            Ok(code) => watcher.finish(code),
            Err(error) => return Err(error),
        };
        let parsed = self.warm.facts().filter(|facts| facts.looponfail.is_some());
        let known = parsed.is_some();
        if known {
            self.facts = parsed;
        }
        // A run that came to no facts ends no loop.
        let Some(facts) = self.facts.clone() else { return Ok((code, VecDeque::new())) };
        let Some(loop_facts) = &facts.looponfail else { return Ok((code, VecDeque::new())) };
        if self.watch.is_none() {
            self.watch = start_watching(&facts, &self.options, self.since, &writes);
            open(&self.keys);
        }
        if let Some((watch, _)) = &self.watch {
            watch.run_ended();
        }
        let news = gathering.news();
        let mut results = gathering.finish(code);
        results.interrupted = self.warm.was_interrupted();
        if known && facts.plain.is_some() {
            of_plain_run(&facts, loop_facts, &mut results);
        }
        self.learn(loop_facts, &results, news, at);
        self.outcome = Some(Outcome { code, took: began.elapsed(), at: clock() });
        let _ = self.state.handle(Input::Changed(held));
        let effects = self.state.handle(Input::Ended(Box::new(results)));
        Ok((code, effects.into()))
    }

    /// Where the processes of this run leave word of what they write.
    fn record(&self) -> PathBuf {
        self.warm.directory().join(format!("writes-{}", self.cycles))
    }

    /// What the run, which began at this time, says of the interpreter and of where the suite's modules are.
    fn learn(&mut self, facts: &LoopFacts, results: &Results, news: Option<LoopNews>, began: SystemTime) {
        if !results.interpreter.is_empty() {
            self.interpreter.0 = PathBuf::from(&results.interpreter);
        }
        self.interpreter.1 = facts.installed.iter().map(PathBuf::from).collect();
        if let Some(news) = news {
            self.interpreter.2 = news.files.iter().map(PathBuf::from).collect();
            if let Some((watch, _)) = &self.watch
                && facts.roots.is_empty()
            {
                watch.add(news.imported.iter().map(PathBuf::from).collect(), began);
            }
            if news.keep_out.is_empty() && !self.options.no_preload {
                self.warm.preload(news.rewritten, news.installed);
            }
        }
        let (interpreter, directories, files) = &self.interpreter;
        self.installed = Some(Installed::look(interpreter, directories, files));
    }
}

/// The next thing that is told, if anybody watches.
pub(super) async fn next_told(watch: &mut Option<(Watch, mpsc::UnboundedReceiver<Told>)>) -> Told {
    if let Some((_, told)) = watch
        && let Some(told) = told.recv().await
    {
        return told;
    }
    std::future::pending().await
}

/// The next key, if there is a keyboard.
pub(super) async fn next_key(keys: Option<&Keys>) -> Key {
    match keys {
        Some(keys) => keys.next().await,
        None => std::future::pending().await,
    }
}

/// Opens the keyboard, if there is one.
fn open(keys: &OnceCell<Keys>) {
    if let Some(opened) = Keys::open() {
        let _ = keys.set(opened);
    }
}

fn start_watching(
    facts: &Facts,
    options: &crate::args::LoopOptions,
    since: SystemTime,
    writes: &Path,
) -> Option<(Watch, mpsc::UnboundedReceiver<Told>)> {
    let loop_facts = facts.looponfail.as_ref()?;
    let mut roots: Vec<PathBuf> = loop_facts.roots.iter().map(PathBuf::from).collect();
    if roots.is_empty() {
        roots.push(PathBuf::from(&facts.rootdir));
        let here = Path::new(&facts.invocation_dir);
        let named = facts.args.iter().map(|arg| here.join(arg.split("::").next().unwrap_or_default()));
        roots.extend(named.filter(|path| path.exists()));
    }
    let mut outputs: Vec<PathBuf> = loop_facts.outputs.iter().map(PathBuf::from).collect();
    outputs.extend(facts.junit.iter().map(|junit| PathBuf::from(&junit.path)));
    outputs.extend(facts.cache.iter().map(|cache| PathBuf::from(&cache.dir)));
    let outputs = outputs.into_iter().map(|path| real(&path)).collect();
    Watch::start(Settings { roots, outputs, poll: options.poll, since, record: writes.to_owned() }).ok()
}

/// Where a path is, also if it is not there yet.
fn real(path: &Path) -> PathBuf {
    let parent = path.parent().and_then(|parent| parent.canonicalize().ok());
    match (path.canonicalize(), parent, path.file_name()) {
        (Ok(path), ..) => path,
        (_, Some(parent), Some(name)) => parent.join(name),
        _ => path.to_owned(),
    }
}

/// pytest ran in the foreground and told nobody: what failed stands in its cache.
fn of_plain_run(facts: &Facts, loop_facts: &LoopFacts, results: &mut Results) {
    results.selected.clone_from(&loop_facts.selected);
    results.collected = true;
    let Some(cache) = &facts.cache else { return };
    let known = std::fs::read(Path::new(&cache.dir).join("v/cache/lastfailed")).unwrap_or_default();
    let known: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&known).unwrap_or_default();
    // What stood there before and was not run is not this run's.
    let before = cache.lastfailed.clone().unwrap_or_default();
    let ran = loop_facts.selected.as_ref();
    let stale = |nodeid: &String| before.contains(nodeid) && ran.is_some_and(|ran| !ran.contains(nodeid));
    results.failed = known.into_iter().map(|(nodeid, _)| nodeid).filter(|nodeid| !stale(nodeid)).collect();
}

/// The time of day.
fn clock() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
    timestamp::local_iso(now, false).get(11..19).unwrap_or_default().to_owned()
}
