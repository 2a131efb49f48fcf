//! The progress bar: drawn by indicatif into a buffer, so that the screen stays the only one that writes.

use std::io;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle, TermLike};

use super::style::{Ink, Style, visible_width};

/// What the bar shows at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Frame {
    /// Before the bar: ` 45%`.
    pub(crate) before: String,
    /// After the bar: counts, rate, time left.
    pub(crate) after: String,
    /// Lines below: running tests.
    pub(crate) below: Vec<String>,
    /// Tests with a verdict.
    pub(crate) done: u64,
    /// The bar's colour.
    pub(crate) ink: Option<Ink>,
}

/// A bar on the last lines of the terminal.
#[derive(Debug)]
pub(crate) struct Bar {
    drawn: ProgressBar,
    canvas: Canvas,
    frame: Arc<Mutex<Frame>>,
}

impl Bar {
    /// A bar over `total` tests on a terminal that is `width` columns wide.
    pub(crate) fn new(total: u64, width: u16, utf8: bool, style: Style) -> Self {
        let canvas = Canvas::default();
        canvas.resize(width);
        let frame: Arc<Mutex<Frame>> = Arc::default();
        let target = ProgressDrawTarget::term_like(Box::new(canvas.clone()));
        let bar = ProgressBar::with_draw_target(Some(total), target);
        let part = |show: fn(&Frame, &Style) -> String| {
            let frame = Arc::clone(&frame);
            move |_: &ProgressState, out: &mut dyn std::fmt::Write| {
                // A tracker cannot report an error, and writing to a string has none.
                let _ = out.write_str(&show(&lock(&frame), &style));
            }
        };
        // The template is a constant: should indicatif ever refuse it, its own default bar is shown.
        let template = ProgressStyle::with_template("{before}{ink}{wide_bar}{reset}{after}\n{below}");
        let template = template.unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(
            template
                .progress_chars(if utf8 { "━╸─" } else { "=>-" })
                .with_key("before", part(|frame, _| frame.before.clone()))
                .with_key("ink", part(|frame, style| ink(style, frame.ink)))
                .with_key("reset", part(|_, style| if style.color { "\x1b[0m".to_owned() } else { String::new() }))
                .with_key("after", part(|frame, _| frame.after.clone()))
                .with_key("below", part(|frame, _| frame.below.join("\n"))),
        );
        Self { drawn: bar, canvas, frame }
    }

    /// Draws a new frame.
    pub(crate) fn draw(&self, frame: Frame) {
        let done = frame.done;
        *lock(&self.frame) = frame;
        self.drawn.update(|state| state.set_pos(done));
    }

    /// The terminal is another `width` from now on.
    pub(crate) fn resize(&self, width: u16) {
        self.canvas.resize(width);
    }

    /// Puts whole lines above the bar.
    pub(crate) fn above(&self, lines: &str) {
        if !lines.is_empty() {
            self.drawn.suspend(|| lock(&self.canvas.pen).text.push_str(lines));
        }
    }

    /// Wipes the bar from the terminal.
    pub(crate) fn clear(&self) {
        self.drawn.finish_and_clear();
    }

    /// What has to be written to make all this visible.
    pub(crate) fn drain(&self) -> String {
        std::mem::take(&mut lock(&self.canvas.pen).text)
    }
}

fn ink(style: &Style, ink: Option<Ink>) -> String {
    let mut out = String::new();
    style.start_into(&mut out, ink.as_slice());
    out
}

/// A terminal that is only a text with escape sequences.
///
/// indicatif ends a line by filling it with blanks up to the width it was told, and trusts the terminal to wrap there.
/// Here the filling becomes a line end instead, so that a terminal that is wider than we know shows no mess.
#[derive(Clone, Debug, Default)]
struct Canvas {
    width: Arc<AtomicU16>,
    pen: Arc<Mutex<Pen>>,
}

#[derive(Debug, Default)]
struct Pen {
    text: String,
    column: usize,
    /// The line is full: what comes next starts a new one.
    full: bool,
}

impl Canvas {
    fn resize(&self, width: u16) {
        // The last column stays free: some terminals wrap as soon as something stands there.
        self.width.store(width.saturating_sub(1).max(1), Ordering::Relaxed);
    }

    fn columns(&self) -> u16 {
        self.width.load(Ordering::Relaxed)
    }

    fn travel(&self, number: usize, direction: char) {
        let mut pen = lock(&self.pen);
        pen.full = false;
        if number > 0 {
            put!(pen.text, "\x1b[{number}{direction}");
        }
    }
}

impl Pen {
    fn write(&mut self, text: &str, width: usize) {
        let blank = text.bytes().all(|byte| byte == b' ');
        if !blank {
            if std::mem::take(&mut self.full) {
                self.text.push('\n');
                self.column = 0;
            }
            self.text.push_str(text);
        }
        self.column += visible_width(text);
        self.full = blank && self.column >= width;
    }
}

impl TermLike for Canvas {
    fn width(&self) -> u16 {
        self.columns()
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.travel(n, 'A');
        Ok(())
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.travel(n, 'B');
        Ok(())
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.travel(n, 'C');
        Ok(())
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.travel(n, 'D');
        Ok(())
    }

    fn write_line(&self, s: &str) -> io::Result<()> {
        let mut pen = lock(&self.pen);
        pen.write(s, usize::from(self.columns()));
        pen.text.push('\n');
        pen.column = 0;
        Ok(())
    }

    fn write_str(&self, s: &str) -> io::Result<()> {
        lock(&self.pen).write(s, usize::from(self.columns()));
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        let mut pen = lock(&self.pen);
        pen.text.push_str("\r\x1b[2K");
        pen.column = 0;
        pen.full = false;
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
