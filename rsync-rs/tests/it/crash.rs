//! Either end killed at any moment: each path has its old or its new contents, and the next run completes the tree.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Pair, Seen, mode, noise, program, walk};

const ROUNDS: u32 = 20;

fn start(pair: &Pair) -> Child {
    start_from(pair, "from")
}

fn start_from(pair: &Pair, source: &str) -> Child {
    let mut command = Command::new(program());
    let [state, from] = ["state", source].map(|name| pair.base.path().join(name));
    command.args(["--all", "--state"]).arg(state).arg(from).arg(pair.to(""));
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn write(pair: &Pair, round: u32) {
    let round = u64::from(round);
    for at in 0..60u64 {
        let directory = pair.from(format!("d{}", at % 7));
        fs::create_dir_all(&directory).unwrap();
        if at % 5 == round % 5 {
            let _ = fs::remove_file(directory.join(format!("{at}")));
        } else {
            fs::write(directory.join(format!("{at}")), noise(at * 1000 + round % 3, 3000)).unwrap();
        }
    }
    let _ = fs::remove_dir_all(pair.from(format!("only{}", (round + 1) % 2)));
    fs::create_dir_all(pair.from(format!("only{}/deep", round % 2))).unwrap();
    fs::write(pair.from(format!("only{}/deep/file", round % 2)), "x").unwrap();
    fs::write(pair.from("large"), [noise(5, 200_000), noise(round, 100), noise(6, 200_000)].concat()).unwrap();
}

fn contents(tree: &BTreeMap<PathBuf, Seen>, path: &Path) -> Option<(char, Vec<u8>)> {
    tree.get(path).map(|(kind, _, _, bytes)| (*kind, bytes.clone()))
}

#[test]
fn killed_at_any_moment_the_next_run_completes_the_tree() {
    let pair = Pair::new();
    fs::create_dir_all(pair.to("own")).unwrap();
    fs::write(pair.to("own/file"), "own").unwrap();
    write(&pair, 0);
    let begin = Instant::now();
    assert!(start(&pair).wait().unwrap().success());
    let mut whole = begin.elapsed();
    let mut killed = 0;
    for round in 1..=ROUNDS {
        let before = walk(&pair.to(""));
        write(&pair, round);
        let mut child = start(&pair);
        // Spread over the time that a run takes, as far as is known; where exactly it falls is chance.
        let begin = Instant::now();
        while begin.elapsed() < whole * round / ROUNDS {
            if child.try_wait().unwrap().is_some() {
                whole = begin.elapsed();
                break;
            }
            std::thread::yield_now();
        }
        let receiver = children(child.id());
        if round % 2 == 0 {
            receiver.iter().copied().for_each(kill);
        } else {
            child.kill().unwrap();
        }
        killed += u32::from(!child.wait().unwrap().success());
        receiver.into_iter().for_each(wait_for_end);
        let (new, now) = (walk(&pair.from("")), walk(&pair.to("")));
        for path in before.keys().chain(new.keys()).filter(|path| !path.starts_with("own")) {
            let found = contents(&now, path);
            let (old, new) = (contents(&before, path), contents(&new, path));
            assert!(found == old || found == new, "round {round}: {} is neither old nor new", path.display());
        }
        assert!(start(&pair).wait().unwrap().success(), "round {round}");
        let mut now = walk(&pair.to(""));
        now.retain(|path, _| !path.starts_with("own"));
        assert_eq!(now, walk(&pair.from("")), "round {round}");
    }
    assert_eq!(fs::read_to_string(pair.to("own/file")).unwrap(), "own");
    assert!(killed >= ROUNDS / 3, "only {killed} runs were killed before their end");
}

#[test]
fn two_runs_at_once_never_mix() {
    let pair = Pair::new();
    // Another tree for the same destination: other contents of the same files, and files of its own.
    write(&pair, 2);
    fs::rename(pair.from(""), pair.base.path().join("other")).unwrap();
    fs::create_dir(pair.from("")).unwrap();
    write(&pair, 1);
    let trees = ["from", "other"].map(|name| walk(&pair.base.path().join(name)));
    for _ in 0..3 {
        let mut runs: Vec<_> = (0..6).map(|at| start_from(&pair, ["from", "other"][at % 2])).collect();
        for run in &mut runs {
            assert!(run.wait().unwrap().success());
        }
        assert!(trees.contains(&walk(&pair.to(""))), "a mixture of two trees");
    }
    mode(&pair.from("large"), 0o600);
    assert!(start(&pair).wait().unwrap().success());
    assert_eq!(walk(&pair.to("")), walk(&pair.from("")));
}

fn children(pid: u32) -> Vec<u32> {
    let listed = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    listed.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

fn kill(pid: u32) {
    // It may have ended by itself.
    let _ = Command::new("kill").args(["-9", &pid.to_string()]).stderr(Stdio::null()).status();
}

/// A receiver whose sender was killed ends by itself, when its input ends.
fn wait_for_end(pid: u32) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z")) {
        assert!(Instant::now() < deadline, "receiver {pid} does not end");
        std::thread::yield_now();
    }
}
