//! Streams that do not take what they are given.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};

use super::super::screen::Screen;
use super::*;

/// Answers writes as told; takes everything when nothing is told any more.
#[derive(Clone, Default)]
struct Moody {
    taken: Sink,
    answers: Arc<Mutex<VecDeque<io::Result<usize>>>>,
}

impl Moody {
    fn told(answers: impl IntoIterator<Item = io::Result<usize>>) -> Self {
        Self { taken: Sink::default(), answers: Arc::new(Mutex::new(answers.into_iter().collect())) }
    }
}

impl Write for Moody {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let number = match self.answers.lock().unwrap().pop_front() {
            Some(answer) => answer?.min(bytes.len()),
            None => bytes.len(),
        };
        self.taken.write(&bytes[..number])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn fed(stream: &Moody) -> io::Result<()> {
    let run = Run::every_outcome();
    let mut reporter = TerminalReporter::new(run.options.clone(), stream.clone());
    let mut result = reporter.handle(&RunEvent::Configured(Box::new(run.configured.clone())));
    for event in &run.events {
        result = result.and(reporter.handle(event)).and(reporter.tick());
    }
    result = result.and(reporter.handle(&RunEvent::Ended(Box::new(run.ended.clone()))));
    result.and(reporter.finish())
}

#[test]
fn a_broken_pipe_ends_the_output_and_nothing_else() {
    let stream = Moody::told([Ok(10), Err(ErrorKind::BrokenPipe.into())]);
    fed(&stream).unwrap();
    assert_eq!(stream.taken.text(), "==========");
}

#[test]
fn a_full_disk_is_told_once() {
    let stream = Moody::told([Ok(10), Err(ErrorKind::StorageFull.into())]);
    assert_eq!(fed(&stream).unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(stream.taken.text(), "==========");
}

#[test]
fn a_busy_stream_gets_everything_in_the_end() {
    let answers = (0..200).map(|number| match number % 3 {
        0 => Ok(7),
        1 => Err(ErrorKind::WouldBlock.into()),
        _ => Err(ErrorKind::Interrupted.into()),
    });
    let busy = Moody::told(answers);
    fed(&busy).unwrap();
    let calm = Moody::default();
    fed(&calm).unwrap();
    assert_eq!(busy.taken.text(), calm.taken.text());
}

#[test]
fn text_is_written_in_the_order_it_came() {
    let sink = Sink::default();
    let mut screen = Screen::new(sink.clone());
    screen.write("..", 2);
    screen.lines("a line");
    screen.write(".", 1);
    screen.newline();
    screen.newline();
    screen.flush().unwrap();
    assert_eq!(sink.text(), "..\na line\n.\n");
}
