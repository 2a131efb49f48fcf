//! pytest's rules that make test cases of one test's reports.
//!
//! Usually one test is one `<testcase>`, closed by the report of its teardown. A test whose call failed and whose
//! teardown fails too has two, since the schema allows a case one failure or one error.

use xdist_core::event::Crashed;
use xdist_core::report::{CollectReport, Longrepr, Report};

use super::model::{Case, Node, Stats, Style};
use super::text::{quoted, shortened, stripped};

/// Applies the rules to one test, or one collector.
pub(super) struct Recorder<'a> {
    style: &'a Style,
    nodeid: &'a str,
    place: Option<(&'a str, i64)>,
    stats: &'a mut Stats,
    cases: Vec<Case>,
    /// Failed calls whose teardown is still to come: node id and properties.
    failed_calls: Vec<(String, Vec<(String, String)>)>,
}

impl<'a> Recorder<'a> {
    /// For the test of this node id, which stands at `place` (file, 0-based line).
    pub(super) fn new(style: &'a Style, nodeid: &'a str, place: Option<(&'a str, i64)>, stats: &'a mut Stats) -> Self {
        Self { style, nodeid, place, stats, cases: Vec::new(), failed_calls: Vec::new() }
    }

    /// The test cases, in the order in which they were begun.
    pub(super) fn finish(self) -> Vec<Case> {
        self.cases
    }

    /// Counts a plain pass; [`Recorder::plain_pass`] makes its test case.
    pub(super) fn count_pass(&mut self) {
        self.stats.passed += 1;
    }

    /// A test that passed with nothing to say.
    pub(super) fn plain_pass(&mut self, seconds: f64) {
        self.case(self.nodeid).seconds = seconds;
        let silent = Report { outcome: "passed".into(), ..Report::default() };
        self.captured(self.nodeid, &silent);
    }

    /// A report of the test.
    pub(super) fn report(&mut self, report: &Report) {
        let nodeid = if report.nodeid.is_empty() { self.nodeid } else { &report.nodeid };
        for (name, value) in &report.xml_attributes {
            self.own_attribute(nodeid, name, value);
        }
        let teardown = report.when == "teardown";
        match report.outcome.as_str() {
            "passed" if report.when == "call" => {
                self.stats.passed += 1;
                self.case(nodeid).outcomes += 1;
            }
            "failed" => {
                if teardown {
                    self.failing_teardown(nodeid);
                }
                if report.when == "call" {
                    self.failure(nodeid, report);
                    self.failed_calls.push((nodeid.to_owned(), report.user_properties.clone()));
                    if !self.style.log_passing {
                        self.captured(nodeid, report);
                    }
                } else {
                    self.error(nodeid, report);
                }
            }
            "skipped" => self.skip(nodeid, report),
            _ => {}
        }
        if self.style.counts_duration(&report.when) {
            self.case(nodeid).seconds += report.duration;
        }
        if teardown {
            self.captured(nodeid, report);
            self.close(nodeid, &report.user_properties);
            if let Some(at) = self.failed_calls.iter().position(|(failed, _)| failed == nodeid) {
                self.failed_calls.remove(at);
            }
        }
    }

    /// The worker died while it ran the test.
    pub(super) fn crashed(&mut self, worker: &str, crashed: &Crashed) {
        for report in &crashed.reports {
            self.report(report);
        }
        // As an error in teardown: a failure that was already reported keeps its own test case.
        let split = self.failing_teardown(self.nodeid);
        let message = format!("{} crashed while it ran the test: {}", crashed.who(worker), crashed.how);
        let text = if crashed.output.is_empty() { message.clone() } else { format!("{message}\n{}", crashed.output) };
        let outcomes = self.case(self.nodeid).outcomes;
        if !split && outcomes > 0 && !self.style.dialect.counts_cases {
            self.stats.doubles += 1;
        }
        self.add(self.nodeid, "error", vec![("message", message)], text);
        let phases = ["setup", "call"].into_iter().zip(&crashed.passed);
        let passed: f64 = phases.filter(|(when, _)| self.style.counts_duration(when)).map(|(_, seconds)| seconds).sum();
        self.case(self.nodeid).seconds += passed + crashed.last_phase();
    }

    /// A collector that failed or was skipped.
    pub(super) fn collector(&mut self, report: &CollectReport) {
        let (tag, message) = match report.outcome.as_str() {
            "failed" => ("error", "collection failure"),
            _ => ("skipped", "collection skipped"),
        };
        let text = report.longrepr.as_ref().map(|longrepr| match &longrepr.skip {
            // pytest writes the tuple itself.
            Some((file, line, reason)) => format!("({}, {line}, {})", quoted(file), quoted(reason)),
            None => plain(longrepr).to_owned(),
        });
        self.add(self.nodeid, tag, vec![("message", message.to_owned())], text.unwrap_or_default());
    }

    /// An exception in pytest or a plugin.
    pub(super) fn internal(&mut self, text: &str) {
        self.case(self.nodeid).base = vec![("classname".into(), "pytest".into()), ("name".into(), "internal".into())];
        self.add(self.nodeid, "error", vec![("message", "internal error".to_owned())], text.to_owned());
    }

    /// Before an error in teardown: closes the case of a failed call, so that the error gets its own. Tells whether it
    /// did.
    fn failing_teardown(&mut self, nodeid: &str) -> bool {
        let failed = self.failed_calls.iter().find(|(failed, _)| failed == nodeid);
        if let Some(properties) = failed.map(|(_, properties)| properties.clone()) {
            self.close(nodeid, &properties);
            self.stats.doubles += u64::from(!self.style.dialect.counts_cases);
            return true;
        }
        let known = self.cases.iter().any(|case| case.open && case.nodeid == nodeid && case.outcomes > 0);
        self.stats.doubles += u64::from(known && self.style.dialect.counts_cases);
        false
    }

    fn failure(&mut self, nodeid: &str, report: &Report) {
        if report.wasxfail.is_some() {
            let message = "xfail-marked test passes unexpectedly".to_owned();
            // The text of an element that pytest gives none.
            self.add(nodeid, "skipped", vec![("message", message)], "None".to_owned());
            return;
        }
        let message = shortened(reason(report), self.style.dialect).into_owned();
        self.add(nodeid, "failure", vec![("message", message)], full(report).to_owned());
    }

    fn error(&mut self, nodeid: &str, report: &Report) {
        let phase = if report.when == "teardown" { "teardown" } else { "setup" };
        let message = format!("failed on {phase} with \"{}\"", reason(report));
        let message = shortened(&message, self.style.dialect).into_owned();
        self.add(nodeid, "error", vec![("message", message)], full(report).to_owned());
    }

    fn skip(&mut self, nodeid: &str, report: &Report) {
        let in_xml = in_xml(report);
        if let Some(reason) = in_xml.0.or(report.wasxfail.as_deref()).filter(|_| report.wasxfail.is_some()) {
            let reason = reason.strip_prefix("reason: ").unwrap_or(reason).to_owned();
            let attributes = vec![("type", "pytest.xfail".to_owned()), ("message", reason)];
            self.add(nodeid, "skipped", attributes, String::new());
            return;
        }
        let (reason, text) = match report.longrepr.as_ref().and_then(|longrepr| longrepr.skip.as_ref()) {
            Some((file, line, reason)) => {
                let reason = in_xml.0.unwrap_or(reason);
                let reason = reason.strip_prefix("Skipped: ").unwrap_or(reason);
                (reason.to_owned(), format!("{file}:{line}: {reason}"))
            }
            None => (full(report).to_owned(), full(report).to_owned()),
        };
        self.add(nodeid, "skipped", vec![("type", "pytest.skip".to_owned()), ("message", reason)], text);
        self.captured(nodeid, report);
    }

    /// Captured output, as far as it is wanted: pytest writes empty captions too.
    fn captured(&mut self, nodeid: &str, report: &Report) {
        if report.outcome == "passed" && !self.style.log_passing {
            return;
        }
        let (log, out, err) = match self.style.logging.as_str() {
            "log" => (true, false, false),
            "system-out" => (false, true, false),
            "system-err" => (false, false, true),
            "out-err" => (false, true, true),
            "all" => (true, true, true),
            _ => return,
        };
        let section = |caption: &str, title: &str| {
            let content: String = report
                .sections
                .iter()
                .filter(|(name, _)| name.starts_with(title))
                .map(|(_, content)| content.as_str())
                .collect();
            format!("{caption:-^80}\n{content}\n")
        };
        let mut text = String::new();
        if log {
            text += &section(" Captured Log ", "Captured log");
        }
        if out {
            text += &section(" Captured Out ", "Captured stdout");
        }
        if log || out {
            self.add(nodeid, "system-out", Vec::new(), text);
        }
        if err {
            self.add(nodeid, "system-err", Vec::new(), section(" Captured Err ", "Captured stderr"));
        }
    }

    fn add(&mut self, nodeid: &str, tag: &'static str, attributes: Vec<(&'static str, String)>, text: String) {
        let counted = match tag {
            "error" => Some(&mut self.stats.errors),
            "failure" => Some(&mut self.stats.failures),
            "skipped" => Some(&mut self.stats.skipped),
            _ => None,
        };
        let outcomes = u64::from(counted.is_some());
        if let Some(count) = counted {
            *count += 1;
        }
        let case = self.case(nodeid);
        case.outcomes += outcomes;
        case.nodes.push(Node { tag, attributes, text });
    }

    /// The open case of this node id; begun if there is none.
    fn case(&mut self, nodeid: &str) -> &mut Case {
        let at = self.cases.iter().position(|case| case.open && case.nodeid == nodeid);
        let at = at.unwrap_or_else(|| {
            self.cases.push(self.begin(nodeid));
            self.cases.len() - 1
        });
        &mut self.cases[at]
    }

    fn begin(&self, nodeid: &str) -> Case {
        let (mut classnames, name) = self.style.dialect.address(nodeid);
        if !self.style.prefix.is_empty() {
            classnames.insert(0, self.style.prefix.clone());
        }
        let mut base = vec![("classname".to_owned(), classnames.join(".")), ("name".to_owned(), name)];
        if self.style.wide {
            let path = nodeid.split("::").next().unwrap_or_default();
            let (file, line) = self.place.unwrap_or((path, -1));
            base.push(("file".to_owned(), file.to_owned()));
            if line >= 0 {
                base.push(("line".to_owned(), line.to_string()));
            }
        }
        Case {
            nodeid: nodeid.to_owned(),
            open: true,
            outcomes: 0,
            base,
            own: Vec::new(),
            seconds: 0.0,
            properties: Vec::new(),
            nodes: Vec::new(),
        }
    }

    fn close(&mut self, nodeid: &str, properties: &[(String, String)]) {
        let case = self.case(nodeid);
        case.properties.extend_from_slice(properties);
        case.open = false;
    }

    fn own_attribute(&mut self, nodeid: &str, name: &str, value: &str) {
        // xunit2 allows no others.
        if !self.style.wide && !matches!(name, "classname" | "name") {
            return;
        }
        let legal = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
        let mut name: String = name.chars().map(|c| if legal(c) { c } else { '_' }).collect();
        if !name.starts_with(|c: char| c.is_alphabetic() || c == '_' || c == ':') {
            name.insert(0, '_');
        }
        let own = &mut self.case(nodeid).own;
        match own.iter_mut().find(|(known, _)| *known == name) {
            Some(known) => value.clone_into(&mut known.1),
            None => own.push((name, value.to_owned())),
        }
    }
}

/// The message of the exception, or everything there is.
fn reason(report: &Report) -> &str {
    if let (Some(message), _) = in_xml(report) {
        return message;
    }
    match report.longrepr.as_ref().and_then(|longrepr| longrepr.crash.as_ref()) {
        Some(crash) => &crash.message,
        None => full(report),
    }
}

fn full(report: &Report) -> &str {
    if let (_, Some(text)) = in_xml(report) {
        return text;
    }
    report.longrepr.as_ref().map_or("", plain)
}

/// The message and the text that pytest writes into the file and nowhere else.
fn in_xml(report: &Report) -> (Option<&str>, Option<&str>) {
    let Some((message, text)) = &report.in_xml else { return (None, None) };
    (Some(message.as_str()).filter(|text| !text.is_empty()), Some(text.as_str()).filter(|text| !text.is_empty()))
}

fn plain(longrepr: &Longrepr) -> &str {
    stripped(if longrepr.plain.is_empty() { &longrepr.terminal } else { &longrepr.plain })
}
