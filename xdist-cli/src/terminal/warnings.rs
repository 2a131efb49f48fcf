//! The warnings summary: the same message once, with the places it came from.

use std::collections::HashMap;

use xdist_core::report::Warning;

use super::face::Face;
use super::style::Ink;

/// From this number of places on, pytest counts them by file.
const MANY: usize = 10;

/// Warnings by message, in the order in which messages first came.
#[derive(Debug, Default)]
pub(crate) struct Warnings {
    groups: Vec<Group>,
    places: HashMap<String, usize>,
}

#[derive(Debug)]
struct Group {
    message: String,
    /// All places, until there are too many.
    locations: Vec<String>,
    /// `(file, number)`.
    files: Vec<(String, u64)>,
    total: usize,
}

impl Warnings {
    /// Takes one more.
    pub(crate) fn add(&mut self, face: &Face, warning: &Warning) {
        let at = *self.places.entry(warning.message.clone()).or_insert_with(|| {
            let message = warning.message.clone();
            self.groups.push(Group { message, locations: Vec::new(), files: Vec::new(), total: 0 });
            self.groups.len() - 1
        });
        let Some(location) = location(face, warning) else {
            return;
        };
        let group = &mut self.groups[at];
        group.total += 1;
        let file = location.split("::").next().unwrap_or_default();
        match group.files.iter_mut().find(|(name, _)| name == file) {
            Some((_, number)) => *number += 1,
            None => group.files.push((file.to_owned(), 1)),
        }
        if group.total < MANY {
            group.locations.push(location);
        }
    }

    /// The section, or nothing.
    pub(crate) fn render(&self, face: &Face, out: &mut String) {
        if self.groups.is_empty() || !face.wants('w') {
            return;
        }
        out.push_str(&face.style.rule('=', "warnings summary", &[Ink::YELLOW]));
        for group in &self.groups {
            group.render(out);
        }
        out.push_str("-- Docs: https://docs.pytest.org/en/stable/how-to/capture-warnings.html\n");
    }
}

impl Group {
    fn render(&self, out: &mut String) {
        if self.total == 0 {
            out.push_str(self.message.trim_end());
            out.push_str("\n\n");
            return;
        }
        if self.total < MANY {
            for location in &self.locations {
                out.push_str(location);
                out.push('\n');
            }
        } else {
            for (file, number) in &self.files {
                let plural = if *number > 1 { "s" } else { "" };
                put!(*out, "{file}: {number} warning{plural}\n");
            }
        }
        let indented: Vec<String> = self.message.lines().map(|line| format!("  {line}")).collect();
        out.push_str(indented.join("\n").trim_end());
        out.push_str("\n\n");
    }
}

fn location(face: &Face, warning: &Warning) -> Option<String> {
    if !warning.nodeid.is_empty() {
        return Some(warning.nodeid.clone());
    }
    warning.location.as_ref().map(|(path, line)| format!("{}:{line}", face.names.path(path)))
}
