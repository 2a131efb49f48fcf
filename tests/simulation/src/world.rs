//! Plays a scenario: messages that take their time, processes that come and go, and the real run state in the middle.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use xdist_core::event::RunEvent;
use xdist_core::ids::{TestIndex, WorkerId};
use xdist_core::protocol::Ended;
use xdist_core::report::Report;
use xdist_core::run::{Death, Effect, Input, RunState, Succession};
use xdist_core::schedule::for_mode;

use crate::clock::Clock;
use crate::process::{Command, Next, Process};
use crate::scenario::{Cut, Deed, LEASE, LOST, PATIENCE, Place, Scenario};
use crate::truth::Truth;

/// More events than any of these runs can need.
const ENDLESS: u32 = 200_000;

/// A worker of the controller, one of its incarnations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Who {
    worker: u32,
    incarnation: u32,
}

/// What a process tells.
#[derive(Clone, Copy, Debug)]
enum Message {
    Ready,
    Started(TestIndex),
    Passed(TestIndex, f64),
    Reported(TestIndex),
    Done(TestIndex),
    Ended,
    Gone(bool),
}

#[derive(Clone, Debug)]
enum Event {
    /// A process is up.
    Up(Who),
    Told(Who, Command),
    Heard(Who, Message),
    /// The test that a process has been running since its step of this number is over.
    Over(Who, u64),
    Kill(u32),
    Fence(u32),
    Lost(u32),
    Answer(TestIndex),
    Interrupt,
    /// Time to look at a process that has waited since this step: what it could have run before, if anything.
    Look(Who, u64, Option<TestIndex>),
}

/// A worker's process and the way to it.
#[derive(Debug)]
struct Machine {
    process: Process,
    incarnation: u32,
    alive: bool,
    ready: bool,
    ended: bool,
    place: Place,
    step: u64,
    /// When the last message of either way arrives: none overtakes another.
    last_up: f64,
    last_down: f64,
    /// Whether the controller has heard of this worker, in any incarnation.
    came: bool,
    /// What the controller knows to be running.
    known: Option<TestIndex>,
    /// Its host was lost: whoever takes its place is elsewhere.
    moved: bool,
}

/// A run being played.
pub struct World {
    scenario: Scenario,
    state: RunState,
    truth: Truth,
    clock: Clock<Event>,
    machines: Vec<Machine>,
    asked: u32,
    plugins_gone: bool,
    stop_page: bool,
    complete: bool,
    inputs: VecDeque<Input>,
    feeding: bool,
}

/// Plays a scenario to its end.
///
/// # Panics
/// If a promise is broken.
pub fn play(scenario: Scenario) {
    if let Some(mut world) = World::new(scenario) {
        world.run();
    }
}

impl World {
    fn new(scenario: Scenario) -> Option<Self> {
        let scheduler = for_mode(scenario.mode, &scenario.job)?;
        let machine = |place: &Place| Machine::new(*place, 0);
        let mut world = Self {
            state: RunState::new(scenario.settings.clone(), scheduler),
            truth: Truth::new(&scenario),
            clock: Clock::default(),
            machines: scenario.places.iter().map(machine).collect(),
            asked: 0,
            plugins_gone: false,
            stop_page: false,
            complete: false,
            inputs: VecDeque::new(),
            feeding: false,
            scenario,
        };
        for worker in 0..world.scenario.settings.workers {
            if world.scenario.absent.contains(&worker) {
                world.machines[worker as usize].never_is();
                world.state.absent(WorkerId(worker));
            } else {
                world.start(worker);
            }
        }
        for (time, worker) in world.scenario.kills.clone() {
            world.clock.at(time, Event::Kill(worker));
        }
        for Cut { host, from, .. } in world.scenario.cuts.clone().into_iter().filter(Cut::is_loss) {
            world.clock.at(from + LEASE, Event::Fence(host));
            world.clock.at(from + LOST, Event::Lost(host));
        }
        if let Some(time) = world.scenario.interrupt {
            world.clock.at(time, Event::Interrupt);
        }
        Some(world)
    }

    fn run(&mut self) {
        for _ in 0..ENDLESS {
            let Some(event) = self.clock.next_event() else {
                assert!(self.complete, "everybody waits: the run hangs at {}", self.clock.now());
                return self.judge();
            };
            self.take(event);
        }
        panic!("the run does not end");
    }

    fn judge(&self) {
        let not_run = self.state.not_run();
        self.truth.judge(&self.scenario, &not_run, self.state.exit_code());
        if self.scenario.settings.parts.is_empty() || self.scenario.may_be_cut_short() {
            return;
        }
        // Nobody else can run it, and the last one in the worker's place did not have it.
        for (worker, machine) in (0..).zip(&self.machines) {
            let own = not_run.iter().filter(|test| self.scenario.is_for(worker, **test));
            for test in own {
                let lacks = self.scenario.lacks(worker, machine.incarnation, *test);
                assert!(lacks, "{test:?} of gw{worker}, which has it, did not run");
            }
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Up(who) => self.up(who),
            Event::Told(who, command) => {
                if self.is_alive(who) {
                    self.machine(who).process.take(command);
                    self.advance(who);
                }
            }
            Event::Heard(who, message) => self.heard(who, message),
            Event::Over(who, step) => self.over(who, step),
            Event::Kill(worker) => self.die(worker),
            Event::Fence(host) => self.fence(host),
            Event::Lost(host) => self.lost(host),
            Event::Answer(test) => self.answer(test),
            Event::Interrupt => self.feed(Input::Interrupt("Ctrl-C".to_owned())),
            Event::Look(who, step, could) => self.look(who, step, could),
        }
    }

    // Processes.

    fn machine(&mut self, who: Who) -> &mut Machine {
        &mut self.machines[who.worker as usize]
    }

    fn is_alive(&self, who: Who) -> bool {
        let machine = &self.machines[who.worker as usize];
        machine.alive && machine.incarnation == who.incarnation
    }

    fn who(&self, worker: u32) -> Who {
        Who { worker, incarnation: self.machines[worker as usize].incarnation }
    }

    fn start(&mut self, worker: u32) {
        let who = self.who(worker);
        self.clock.after(self.machines[worker as usize].place.start, Event::Up(who));
    }

    fn up(&mut self, who: Who) {
        if !self.is_alive(who) {
            return;
        }
        if self.scenario.chances.chance(self.scenario.stillbirths) {
            return self.die(who.worker);
        }
        self.machine(who).ready = true;
        self.say(who, Message::Ready);
        self.advance(who);
    }

    /// A process that runs nothing does what it can.
    fn advance(&mut self, who: Who) {
        let page = self.stop_page && self.machine(who).place.host == 0;
        let machine = self.machine(who);
        if !machine.ready || machine.ended || machine.process.running.is_some() {
            return;
        }
        machine.step += 1;
        let step = machine.step;
        match machine.process.advance(page) {
            Next::Begin(test) => {
                let slowness = machine.place.slowness;
                let now = self.clock.now();
                self.truth.begins(&self.scenario, now, who.worker, test);
                self.say(who, Message::Started(test));
                let hangs = self.scenario.deeds[test.at()] == Deed::Hang;
                let seconds = if hangs { PATIENCE } else { self.scenario.seconds[test.at()] * slowness };
                self.clock.after(seconds, Event::Over(who, step));
            }
            Next::Wait => {
                let patience = machine.round_trip();
                self.clock.after(patience, Event::Look(who, step, None));
            }
            Next::End => {
                machine.ended = true;
                self.say(who, Message::Ended);
                self.leave(who, true);
            }
        }
    }

    /// The running test comes to its end.
    fn over(&mut self, who: Who, step: u64) {
        if !self.is_alive(who) || self.machine(who).step != step {
            return;
        }
        let Some(test) = self.machine(who).process.running else { return };
        let again = self.truth.has_crashed_before(test);
        match self.scenario.deeds[test.at()] {
            Deed::Crash | Deed::Hang if !again => return self.die(who.worker),
            Deed::FailAndCrash if !again => {
                self.say(who, Message::Reported(test));
                return self.die(who.worker);
            }
            Deed::Fail => {
                self.say(who, Message::Reported(test));
                self.say(who, Message::Done(test));
            }
            _ => {
                let seconds = self.scenario.seconds[test.at()] * self.machine(who).place.slowness;
                self.say(who, Message::Passed(test, seconds));
            }
        }
        self.machine(who).process.running = None;
        self.truth.ends(who.worker);
        self.advance(who);
    }

    /// A process dies of itself or by a signal, and its host tells.
    fn die(&mut self, worker: u32) {
        let who = self.who(worker);
        if self.is_alive(who) && !self.machine(who).ended {
            self.truth.dies(worker);
            self.leave(who, false);
        }
    }

    fn leave(&mut self, who: Who, clean: bool) {
        self.machine(who).alive = false;
        self.say(who, Message::Gone(clean));
    }

    // Networks.

    /// A message to the controller.
    fn say(&mut self, who: Who, message: Message) {
        let sent = self.clock.now() + self.delay(who);
        let machine = self.machine(who);
        let host = machine.place.host;
        let at = sent.max(machine.last_up);
        let at = self.held_up(host, at, |cut| cut.up);
        self.machine(who).last_up = at;
        let twice = !matches!(message, Message::Reported(_)) && self.scenario.chances.chance(self.scenario.duplicates);
        if twice {
            let later = at + self.scenario.chances.between(0.0, 0.5);
            self.clock.at(later, Event::Heard(who, message));
        }
        self.clock.at(at, Event::Heard(who, message));
    }

    /// A message to a worker.
    fn tell(&mut self, worker: u32, command: Command) {
        let who = self.who(worker);
        let sent = self.clock.now() + self.delay(who);
        let machine = self.machine(who);
        let host = machine.place.host;
        let at = sent.max(machine.last_down);
        let at = self.held_up(host, at, |cut| cut.down);
        self.machine(who).last_down = at;
        self.clock.at(at, Event::Told(who, command));
    }

    fn delay(&mut self, who: Who) -> f64 {
        let place = self.machine(who).place;
        place.latency + place.jitter * self.scenario.chances.unit()
    }

    /// What would arrive while a host is cut off arrives when it no longer is.
    fn held_up(&self, host: u32, at: f64, way: impl Fn(&Cut) -> bool) -> f64 {
        let cuts = self.scenario.cuts.iter().filter(|cut| cut.host == host && way(cut));
        cuts.filter(|cut| cut.from <= at && at < cut.until).map(|cut| cut.until).fold(at, f64::max)
    }

    /// A host that hears nothing gives itself up.
    fn fence(&mut self, host: u32) {
        for worker in self.workers_of(host) {
            self.truth.dies(worker);
            self.machines[worker as usize].alive = false;
        }
    }

    /// The controller gives up a host.
    fn lost(&mut self, host: u32) {
        for worker in self.workers_of(host) {
            let who = self.who(worker);
            self.gone(who, &Death { how: "host lost".to_owned(), ..Death::default() }, true);
        }
    }

    fn workers_of(&self, host: u32) -> Vec<u32> {
        (0..).zip(&self.machines).filter(|(_, machine)| machine.place.host == host).map(|(at, _)| at).collect()
    }

    // The controller.

    fn heard(&mut self, who: Who, message: Message) {
        let worker = WorkerId(who.worker);
        if !self.state.hears(worker, who.incarnation) {
            return;
        }
        if matches!(message, Message::Ready | Message::Gone(_)) {
            self.machine(who).came = true;
        }
        match message {
            Message::Ready => {
                let lacks = (0..self.scenario.settings.tests).map(TestIndex);
                let lacks = lacks.filter(|test| self.scenario.is_for(who.worker, *test));
                let lacks: HashSet<_> =
                    lacks.filter(|test| self.scenario.lacks(who.worker, who.incarnation, *test)).collect();
                self.feed(Input::Ready { worker, lacks });
            }
            Message::Started(test) => {
                self.machine(who).known = Some(test);
                self.feed(Input::Started(worker, test));
            }
            Message::Passed(test, seconds) => {
                self.feed(Input::Passed(worker, test, [0.0, seconds, 0.0]));
            }
            Message::Reported(test) => {
                let report = Report { outcome: "failed".to_owned(), ..Report::default() };
                self.feed(Input::Reported(worker, test, Box::new(report)));
            }
            Message::Done(test) => self.feed(Input::Done(worker, test)),
            Message::Ended => self.feed(Input::SessionEnded(worker, Ended::default())),
            Message::Gone(clean) => {
                let how = if clean { "exit code 0" } else { "signal 9 (SIGKILL)" };
                self.gone(who, &Death { how: how.to_owned(), clean, ..Death::default() }, false);
            }
        }
    }

    fn gone(&mut self, who: Who, death: &Death, lost: bool) {
        let worker = WorkerId(who.worker);
        if self.state.hears(worker, who.incarnation) {
            let known = self.machine(who).known;
            self.truth.gone(who.worker, known, lost);
            // As `engine::distant` has it: where each worker has tests of its own, nobody else takes those of a lost host,
            // and otherwise others are there already.
            self.machine(who).moved |= lost;
            let succession = match (self.machine(who).moved, self.scenario.settings.parts.is_empty()) {
                (false, _) => Succession::There,
                (true, true) => Succession::Elsewhere,
                (true, false) => Succession::Nowhere,
            };
            self.feed(Input::Gone(worker, Death { elapsed: Duration::ZERO, succession, ..death.clone() }));
        }
    }

    /// What follows from something that is being done is done after it, as in `engine::conduct`.
    fn feed(&mut self, input: Input) {
        self.inputs.push_back(input);
        if std::mem::replace(&mut self.feeding, true) {
            return;
        }
        while let Some(input) = self.inputs.pop_front() {
            for effect in self.state.handle(input) {
                self.perform(effect);
            }
        }
        self.feeding = false;
    }

    fn perform(&mut self, effect: Effect) {
        if let Effect::Run(worker, tests) = &effect {
            let incarnation = self.machines[worker.at()].incarnation;
            self.truth.sent(&self.scenario, worker.0, incarnation, tests);
        }
        if let Some((worker, command)) = Command::of(&effect) {
            return self.tell(u32::try_from(worker).unwrap_or(u32::MAX), command);
        }
        match effect {
            Effect::SetStopPage => {
                self.stop_page = true;
                self.truth.stops(self.clock.now());
            }
            Effect::InterruptWorkers => self.interrupt(),
            Effect::Replace(worker, incarnation) => {
                let machine = &mut self.machines[worker.at()];
                assert!(!machine.alive, "{worker} replaced while alive");
                // The place of a host that was lost is taken by the controller's own.
                let cut = self.scenario.cuts.iter().any(|cut| cut.is_loss() && cut.host == machine.place.host);
                let own = Place { host: 0, latency: 0.0001, ..machine.place };
                let moved = machine.moved;
                *machine = Machine { moved, ..Machine::new(if cut { own } else { machine.place }, incarnation) };
                self.start(worker.0);
            }
            Effect::AskPlugins(test, ..) => {
                if self.plugins_gone {
                    return self.feed(Input::PluginsGone);
                }
                self.asked += 1;
                let after = self.scenario.chances.between(0.0, 0.5);
                self.clock.after(after, Event::Answer(test));
            }
            Effect::Emit(RunEvent::Finished { test, worker, verdict }) => {
                self.truth.verdict(&self.scenario, test, &verdict);
                let known = &mut self.machines[worker.at()].known;
                known.take_if(|known| *known == test);
            }
            Effect::Complete => {
                assert!(!self.complete, "completed twice");
                self.complete = true;
                assert!(self.machines.iter().all(|machine| !machine.alive), "complete, and processes live");
            }
            Effect::Emit(_) | Effect::Run(..) | Effect::NoMore(_) | Effect::StopWorker(_) => {}
        }
    }

    /// Whatever tests run are interrupted; who runs none ends as told.
    fn interrupt(&mut self) {
        for worker in 0..self.scenario.settings.workers {
            let who = self.who(worker);
            if self.is_alive(who) && self.machine(who).process.running.take().is_some() {
                self.truth.ends(worker);
                self.machine(who).ended = true;
                self.say(who, Message::Ended);
                self.leave(who, true);
            }
        }
    }

    fn answer(&mut self, test: TestIndex) {
        if self.plugins_gone {
            return;
        }
        self.asked -= 1;
        if self.scenario.chances.chance(0.05) {
            (self.plugins_gone, self.asked) = (true, 0);
            return self.feed(Input::PluginsGone);
        }
        let again = self.scenario.chances.chance(0.5);
        if again {
            self.truth.grant(test);
        }
        self.feed(Input::CrashSeen(test, again));
    }

    /// A process has been waiting for a round trip or more. It must not have been able to run something all that time, but
    /// for what is left to a worker that has not come up, and what may follow a test at which plugins still look.
    fn look(&mut self, who: Who, step: u64, could: Option<TestIndex>) {
        if !self.is_alive(who) || self.machine(who).step != step || self.asked > 0 || self.truth.is_stopped() {
            return;
        }
        let own = self.machine(who).process.queue.front().copied();
        if own.is_some_and(|own| self.truth.is_kept(&self.scenario, who.worker, own)) {
            return;
        }
        // Whoever stays for what is reserved holds its last test until it knows whether that follows.
        let own = own.filter(|_| !self.truth.has_reserved(&self.scenario));
        let mut tests = (0..self.scenario.settings.tests).map(TestIndex);
        let can = own
            .or_else(|| tests.find(|test| self.truth.is_free_for(&self.scenario, who.worker, who.incarnation, *test)));
        let cut = self.scenario.cuts.iter().any(|cut| cut.host == self.machines[who.worker as usize].place.host);
        let all = self.machines.iter().all(|machine| machine.came);
        let idle = can.filter(|can| Some(*can) == could && !cut);
        assert!(idle.is_none(), "gw{} waits at {} and could run {can:?}", who.worker, self.clock.now());
        if can.is_some() {
            let patience = self.machine(who).round_trip();
            self.clock.after(patience, Event::Look(who, step, can.filter(|_| all)));
        }
    }
}

impl Machine {
    fn new(place: Place, incarnation: u32) -> Self {
        Self {
            process: Process::default(),
            incarnation,
            alive: true,
            ready: false,
            ended: false,
            place,
            step: 0,
            last_up: 0.0,
            last_down: 0.0,
            came: incarnation > 0,
            known: None,
            moved: false,
        }
    }

    /// Its environment has not come up.
    fn never_is(&mut self) {
        (self.alive, self.came) = (false, true);
    }

    /// Seconds that a question and its answer take at most, and a little.
    fn round_trip(&self) -> f64 {
        2.0 * (self.place.latency + self.place.jitter) + 1e-6
    }
}
