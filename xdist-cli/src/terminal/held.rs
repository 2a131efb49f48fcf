//! Lines that workers wrote past pytest's capturing: shown at once with `-s`, else held until the test they were
//! written in has ended, because a crash report shows them itself.

use xdist_core::ids::WorkerId;

/// A worker that writes more than this within a test is shown at once.
const LIMIT: usize = 64 * 1024;

/// Held lines by worker.
#[derive(Debug, Default)]
pub(crate) struct Held {
    by_worker: Vec<String>,
}

impl Held {
    /// Holds a line; returns everything that cannot be held any longer, marked.
    pub(crate) fn hold(&mut self, worker: WorkerId, line: &str) -> Option<String> {
        if self.by_worker.len() <= worker.at() {
            self.by_worker.resize(worker.at() + 1, String::new());
        }
        let text = &mut self.by_worker[worker.at()];
        text.push_str(line);
        text.push('\n');
        (text.len() > LIMIT).then(|| all_marked(worker, &std::mem::take(text)))
    }

    /// The lines of a worker, without its mark.
    pub(crate) fn take(&mut self, worker: WorkerId) -> String {
        self.by_worker.get_mut(worker.at()).map(std::mem::take).unwrap_or_default()
    }

    /// The lines of a worker, marked.
    pub(crate) fn release(&mut self, worker: WorkerId) -> String {
        all_marked(worker, &self.take(worker))
    }

    /// The lines of all, marked.
    pub(crate) fn release_all(&mut self) -> String {
        let all = std::mem::take(&mut self.by_worker);
        (0..).map(WorkerId).zip(&all).map(|(worker, text)| all_marked(worker, text)).collect()
    }
}

fn all_marked(worker: WorkerId, text: &str) -> String {
    text.lines().map(|line| marked(worker, line)).collect()
}

/// A line with its worker's mark.
pub(crate) fn marked(worker: WorkerId, line: &str) -> String {
    format!("[{worker}] {line}\n")
}
