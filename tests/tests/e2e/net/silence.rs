//! Silence: whoever hears nothing cannot know why. A machine ends what runs there before the controller has it done
//! elsewhere; what is silent for a shorter time is waited for.
//!
//! Silences are long, so all of them are kept at the same time.

use std::time::{Duration, Instant};

use rustix::process::{Pid, kill_process};
use xdist_tests::{Cut, Signal, until};

use super::{Scene, Story, Way, tell_at_once};

/// A machine that hears nothing has ended everything after this time.
const FENCED: Duration = Duration::from_secs(19);

/// A controller that hears nothing has given a machine up after this time.
const GIVEN_UP: Duration = Duration::from_secs(30);

/// A silence that is no loss.
const SHORT: Duration = Duration::from_secs(6);

/// A silence that would be one.
const LONG: Duration = Duration::from_secs(22);

const STORIES: [Story; 11] = [
    ("no packet passes", || cut_off(Way::Socket, Cut::Both)),
    ("no packet passes to the machine", || cut_off(Way::Socket, Cut::ToMachine)),
    ("no packet passes from the machine", || cut_off(Way::Socket, Cut::FromMachine)),
    ("no packet passes to or from sshd", || cut_off(Way::Ssh("openssh"), Cut::Both)),
    ("no packet passes to or from sshd, in this process", || cut_off(Way::Ssh("ssh2"), Cut::Both)),
    ("the machine loses its power", power_off),
    ("the session is stopped", stopped_session),
    ("the controller is stopped", stopped_controller),
    ("the controller is killed, and nobody hears of it", vanished_controller),
    ("no packet passes for a while", short_silence),
    ("the user stops the run, and lets it go on", ctrl_z),
];

#[test]
fn of_all_kinds() {
    tell_at_once(STORIES);
}

fn cut_off(way: Way, cut: Cut) {
    let scene = Scene::begin(way);
    let fault = Instant::now();
    scene.machine.cut(cut);
    scene.expect_idle(fault, FENCED);
    // Where the machine can still be heard, it has just said that it ends.
    if cut != Cut::ToMachine {
        assert!(!scene.is_given_up(), "given up before it had ended\n{}", scene.run.stdout());
    }
    scene.expect_one_lost(fault, GIVEN_UP);
}

fn power_off() {
    let scene = Scene::begin(Way::Socket);
    let fault = Instant::now();
    scene.machine.power_off();
    let given_up = until(GIVEN_UP, || scene.is_given_up());
    assert!(given_up, "not given up after {:?}\n{}", fault.elapsed(), scene.run.stdout());
    scene.expect_one_lost(fault, GIVEN_UP);
}

fn stopped_session() {
    let scene = Scene::begin(Way::Socket);
    let session = Pid::from_raw(i32::try_from(scene.session()).unwrap()).unwrap();
    let fault = Instant::now();
    kill_process(session, Signal::STOP).unwrap();
    scene.expect_idle(fault, FENCED);
    scene.expect_one_lost(fault, GIVEN_UP);
}

fn stopped_controller() {
    let scene = Scene::begin(Way::Socket);
    let fault = Instant::now();
    scene.run.signal(Signal::STOP);
    scene.expect_idle(fault, FENCED);
    scene.run.signal(Signal::CONT);
    scene.expect_one_lost(fault, GIVEN_UP);
}

fn vanished_controller() {
    let scene = Scene::begin(Way::Socket);
    let fault = Instant::now();
    scene.machine.cut(Cut::Both);
    scene.run.signal(Signal::KILL);
    scene.expect_idle(fault, FENCED);
}

fn short_silence() {
    let scene = Scene::begin(Way::Socket);
    scene.machine.cut(Cut::Both);
    assert!(!until(SHORT, || scene.is_idle() || scene.is_given_up()), "{}", scene.run.stdout());
    scene.machine.heal();
    scene.expect_none_lost();
}

fn ctrl_z() {
    let scene = Scene::begin(Way::Socket);
    let state = format!("/proc/{}/stat", scene.run.pid());
    scene.run.signal(Signal::TSTP);
    let stopped = until(Duration::from_secs(10), || std::fs::read_to_string(&state).unwrap().contains(") T "));
    assert!(stopped, "{}", scene.run.stdout());
    assert!(!until(LONG, || scene.is_idle()), "the machine did not wait");
    scene.run.signal(Signal::CONT);
    scene.expect_none_lost();
}
