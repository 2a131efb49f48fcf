//! Frames and records of one worker, as the engine sees them: in the worker's order, whenever they are read.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Receiver;

use execnet_rs::ring::{HEADER, Ring};
use proptest::prelude::*;
use tempfile::TempDir;

use super::super::outbox::{RECORD, SLOTS, encode};
use super::*;
use crate::ids::TestIndex;
use serde_json::json;

/// The worker's end: what it tells, and in which order it did.
struct Worker {
    _folder: TempDir,
    path: PathBuf,
    file: File,
    sent: u32,
    written: u64,
    unread: Vec<FromPython>,
    order: Vec<String>,
}

impl Worker {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gw0.0.outbox");
        let file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
        file.set_len(HEADER + SLOTS * RECORD as u64).unwrap();
        let mut worker =
            Self { _folder: folder, path, file, sent: 1, written: 0, unread: Vec::new(), order: Vec::new() };
        worker.unread.push(FromPython::Outbox(worker.path.display().to_string()));
        worker.sent += 1;
        worker
    }

    fn send(&mut self, message: FromPython) {
        self.order.push(format!("{message:?}"));
        self.unread.push(message);
        self.sent += 1;
    }

    /// Leaves the first bytes of a record; false if there is no room.
    fn leave(&mut self, test: u32, bytes: usize) -> bool {
        let mut allowed = [0; 8];
        self.file.read_exact_at(&mut allowed, 0).unwrap();
        if self.written >= u64::from_le_bytes(allowed) {
            return false;
        }
        let at = HEADER + self.written % SLOTS * RECORD as u64;
        let record = encode(self.written + 1, self.sent, test, test + 1, [0.25, 0.5, 1.0]);
        self.file.write_all_at(&record[..bytes], at).unwrap();
        if bytes == RECORD {
            self.written += 1;
            self.order.push(format!("pass {test}"));
        }
        true
    }

    /// One test, told in one way or another.
    fn test(&mut self, test: u32, told: Told) {
        let (this, next) = (TestIndex(test), TestIndex(test + 1));
        match told {
            Told::Left if self.leave(test, RECORD) => {}
            Told::Left | Told::Sent => self.send(FromPython::PassedNext(this, 0.0, 0.0, 0.0, next)),
            Told::Warned => {
                self.send(FromPython::SuiteProperty("a".to_owned(), "b".to_owned()));
                self.test(test, Told::Left);
            }
            Told::AtLength => {
                self.send(FromPython::Report(this, Box::default()));
                self.send(FromPython::Done(this));
                self.send(FromPython::Started(next));
            }
            Told::Paused => {
                self.send(FromPython::Passed(this, 0.0, 0.0, 0.0));
                self.send(FromPython::Started(next));
            }
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Told {
    Left,
    Sent,
    Warned,
    AtLength,
    Paused,
}

/// What the controller does after a test.
#[derive(Clone, Copy, Debug)]
enum Look {
    Not,
    /// Its patience is over.
    AtOutbox,
    /// So many frames have arrived, in one piece.
    AtFrames(usize),
}

fn told() -> impl Strategy<Value = Told> {
    prop_oneof![
        6 => Just(Told::Left),
        1 => Just(Told::Sent),
        1 => Just(Told::Warned),
        1 => Just(Told::AtLength),
        1 => Just(Told::Paused),
    ]
}

fn look() -> impl Strategy<Value = Look> {
    prop_oneof![3 => Just(Look::Not), 1 => Just(Look::AtOutbox), 1 => (0..4usize).prop_map(Look::AtFrames)]
}

/// The controller's end.
struct Controller {
    outgoing: Outgoing,
    inbox: mpsc::Receiver<Happening>,
    order: Vec<String>,
    agent: Option<Agent>,
}

/// What stands between, if the worker is on another host.
struct Agent {
    told: Receiver<PathBuf>,
    ring: Option<Ring>,
    decoder: Decoder,
    /// Where it cuts what it reads, in percent.
    cut: usize,
}

impl Agent {
    fn look(&mut self) -> Bytes {
        if let Ok(path) = self.told.try_recv() {
            self.ring = Ring::open(&path, SHAPE).ok();
        }
        self.ring.as_mut().map(Ring::look).unwrap_or_default().into()
    }
}

impl Controller {
    fn new() -> Self {
        let (happenings, inbox) = mpsc::channel(1 << 16);
        let outgoing = Outgoing::new(MemberId(0), happenings, None);
        Self { outgoing, inbox, order: Vec::new(), agent: None }
    }

    /// The worker is on another host.
    fn far(cut: usize) -> Self {
        let (tell, told) = std::sync::mpsc::channel();
        let mut controller = Self::new();
        controller.outgoing.follow = Some(Box::new(move |path| drop(tell.send(Path::new(path).to_owned()))));
        controller.agent = Some(Agent { told, ring: None, decoder: Decoder::new(LARGEST_FRAME), cut });
        controller
    }

    async fn look(&mut self, worker: &mut Worker, look: Look) {
        let count = if let Look::AtFrames(count) = look { count.min(worker.unread.len()) } else { 0 };
        let frames = worker.unread.drain(..count);
        match (&mut self.agent, look) {
            (_, Look::Not) => {}
            (None, Look::AtOutbox) => assert!(self.outgoing.left().await.is_ok()),
            (None, Look::AtFrames(_)) => {
                assert!(self.outgoing.left().await.is_ok());
                assert!(self.outgoing.messages(frames.collect()).await.is_ok());
            }
            (Some(agent), Look::AtOutbox) => {
                let piece = Piece { older: agent.look(), ..Piece::default() };
                assert!(matches!(self.outgoing.piece(&mut agent.decoder, &piece).await, Ok(None)));
            }
            (Some(agent), Look::AtFrames(_)) => {
                let bytes: Vec<u8> = frames.flat_map(|message| written(&message)).collect();
                let (first, second) = bytes.split_at(bytes.len() * agent.cut / 100);
                let records = agent.look();
                let (older, newer) = if agent.cut % 2 == 0 { (records, Bytes::new()) } else { (Bytes::new(), records) };
                // It looks whenever it has read something: what was left before a frame never comes behind it.
                let pieces = [
                    Piece { older, bytes: Bytes::copy_from_slice(first), newer },
                    Piece { bytes: Bytes::copy_from_slice(second), ..Piece::default() },
                ];
                for piece in pieces {
                    let fault = self.outgoing.piece(&mut agent.decoder, &piece).await;
                    assert!(matches!(fault, Ok(None)));
                }
            }
        }
        self.take();
    }

    async fn end(&mut self, worker: &mut Worker) {
        self.look(worker, Look::AtFrames(usize::MAX)).await;
        self.look(worker, Look::AtOutbox).await;
        assert!(self.outgoing.rest().await.is_ok());
        self.take();
    }

    fn take(&mut self) {
        while let Ok(happening) = self.inbox.try_recv() {
            match happening {
                Happening::Messages(_, messages) => {
                    self.order.extend(messages.iter().map(|message| format!("{message:?}")));
                }
                Happening::Passes(_, passes) => {
                    self.order.extend(passes.iter().map(|pass| format!("pass {}", pass.test.0)));
                }
                _ => panic!("something else happened"),
            }
        }
    }
}

/// A message as the worker writes it.
fn written(message: &FromPython) -> Vec<u8> {
    let fields = match message {
        FromPython::Outbox(path) => json!({ "outbox": path }),
        FromPython::Started(test) => json!({ "started": test.0 }),
        FromPython::Passed(test, setup, call, teardown) => json!({ "passed": (test.0, setup, call, teardown) }),
        FromPython::PassedNext(test, setup, call, teardown, next) => {
            json!({ "passed_next": (test.0, setup, call, teardown, next.0) })
        }
        FromPython::Report(test, _) => json!({ "report": [test.0, {}] }),
        FromPython::Done(test) => json!({ "done": test.0 }),
        FromPython::SuiteProperty(name, value) => json!({ "suite_property": (name, value) }),
        other => panic!("{other:?}"),
    };
    let mut bytes = Vec::new();
    frame::encode(&rmp_serde::to_vec_named(&fields).unwrap(), &mut bytes).unwrap();
    bytes
}

fn play(tests: &[(Told, Look)], cut: usize, mut controller: Controller) -> (Vec<String>, Vec<String>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let mut worker = Worker::new();
        worker.send(FromPython::Started(TestIndex(0)));
        for (test, (told, look)) in (0..).zip(tests) {
            worker.test(test, *told);
            controller.look(&mut worker, *look).await;
        }
        if cut < RECORD {
            // It dies in the middle of a record.
            worker.leave(u32::try_from(tests.len()).unwrap(), cut);
        }
        controller.end(&mut worker).await;
        (worker.order, controller.order)
    })
}

proptest! {
    #[test]
    fn frames_and_records_keep_their_order(
        tests in prop::collection::vec((told(), look()), 0..60),
        cut in 0..=RECORD,
    ) {
        let (told, seen) = play(&tests, cut, Controller::new());
        prop_assert_eq!(seen, told);
    }

    #[test]
    fn so_they_do_on_the_way_from_another_host(
        tests in prop::collection::vec((told(), look()), 0..60),
        cut in 0..=RECORD,
        pieces in 0..=100_usize,
    ) {
        let (told, seen) = play(&tests, cut, Controller::far(pieces));
        prop_assert_eq!(seen, told);
    }

    #[test]
    fn rubbish_in_the_outbox_is_no_record(at in 0..RECORD * 3, byte: u8) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (mut worker, mut controller) = (Worker::new(), Controller::new());
        runtime.block_on(async {
            controller.look(&mut worker, Look::AtFrames(9)).await;
            worker.send(FromPython::Started(TestIndex(0)));
            for test in 0..3 {
                worker.test(test, Told::Left);
            }
            let mut before = [0];
            worker.file.read_exact_at(&mut before, HEADER + at as u64).unwrap();
            worker.file.write_all_at(&[byte], HEADER + at as u64).unwrap();
            controller.end(&mut worker).await;
            let whole = if before[0] == byte { 3 } else { at / RECORD };
            assert_eq!(controller.order, worker.order[..=whole]);
        });
    }
}

#[test]
fn a_full_ring_has_the_worker_send() {
    let tests = vec![(Told::Left, Look::Not); usize::try_from(SLOTS).unwrap() * 3];
    let mut tests = tests;
    tests[0].1 = Look::AtFrames(9);
    tests[2000].1 = Look::AtOutbox;
    let (told, seen) = play(&tests, RECORD, Controller::new());
    assert_eq!(seen, told);
    assert!(told.iter().filter(|what| what.starts_with("pass")).count() > usize::try_from(SLOTS).unwrap());
    assert!(told.iter().any(|what| what.starts_with("PassedNext")));
}

#[test]
fn an_outbox_that_is_not_there_is_not_missed() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (mut worker, mut controller) = (Worker::new(), Controller::new());
    std::fs::remove_file(&worker.path).unwrap();
    runtime.block_on(async {
        controller.look(&mut worker, Look::AtFrames(9)).await;
        worker.send(FromPython::Started(TestIndex(0)));
        worker.test(0, Told::Left);
        controller.end(&mut worker).await;
        assert_eq!(controller.order, worker.order);
        assert!(worker.order[1].starts_with("PassedNext"), "{:?}", worker.order);
    });
}

#[test]
fn a_record_is_the_one_that_python_writes() {
    // `python/tests/life/test_outbox.py` has the same bytes.
    let bytes = encode(258, 7, 40_000, 40_001, [0.125, 0.5, 2.0]);
    let text = bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    assert_eq!(
        text,
        "020100000000000007000000409c0000419c000000000000\
         0000c03f000000000000e03f00000000000000404bd03751"
    );
}
