//! The fork server between runs: what it imports once, what it never imports, when it is another one.

use std::fs;
use std::path::PathBuf;

use xdist_tests::{Invocation, Suite};

use super::{Looped, invocation, is_program, two};

/// Leaves a line whenever it is imported.
const COUNTS: &str = "
import os
with open(os.environ['IMPORTS'], 'a') as file: file.write(f'{__name__} {os.getpid()}\\n')
version = 1
";

/// A suite beside a directory of installed packages.
struct Installed {
    suite: Suite,
    site: PathBuf,
}

impl Installed {
    fn new() -> Self {
        let suite = two();
        let site = suite.temp().join("user/lib/python3.11/site-packages");
        fs::create_dir_all(&site).unwrap();
        fs::write(site.join("thirdparty.py"), COUNTS).unwrap();
        suite.write("mod.py", &format!("import thirdparty\nvalue = thirdparty.version + 1\n{COUNTS}"));
        Self { suite, site }
    }

    fn invocation(&self) -> Invocation {
        let run = invocation(&self.suite).var("PYTHONUSERBASE", self.suite.temp().join("user"));
        run.var("PYTHONPATH", &self.site).var("IMPORTS", self.suite.temp().join("imports"))
    }

    fn imports(&self, name: &str) -> usize {
        let told = fs::read_to_string(self.suite.temp().join("imports")).unwrap_or_default();
        told.lines().filter(|line| line.starts_with(name)).count()
    }

    fn edit(&self, number: usize) {
        let text = format!("import thirdparty\nvalue = thirdparty.version + {number}\n{COUNTS}");
        self.suite.write("mod.py", &text);
    }
}

#[test]
fn installed_packages_are_imported_once() {
    let installed = Installed::new();
    let mut looped = Looped::start(installed.invocation());
    looped.waits(&["assert 2 == 1"]);
    for number in 3..7 {
        installed.edit(number);
        looped.waits(&[&format!("assert {} == 1", number + 1)]);
    }
    // By the first run, and by the fork server.
    assert_eq!((installed.imports("thirdparty"), installed.imports("mod")), (2, 5));
    // Another version of it is installed.
    fs::write(installed.site.join("thirdparty.py"), COUNTS.replace("version = 1", "version = 0")).unwrap();
    installed.edit(1);
    looped.waits(&["all tests pass"]);
    looped.quits(0);
}

#[test]
fn what_a_variable_decides_is_not_imported_beforehand() {
    let installed = Installed::new();
    installed.suite.write("pytest.ini", "[pytest]\naddopts = -p no:cacheprovider\n");
    let conftest = fs::read_to_string(installed.suite.path("conftest.py")).unwrap();
    installed.suite.write("conftest.py", &format!("{conftest}\nimport os\nos.environ['THIRDPARTY_MODE'] = '1'\n"));
    let mut looped = Looped::start(installed.invocation());
    looped.waits(&["assert 2 == 1"]);
    installed.edit(3);
    looped.waits(&["assert 4 == 1"]);
    assert_eq!(installed.imports("thirdparty"), 2, "once a run");
    looped.quits(1);
}

#[test]
fn nothing_grows() {
    let suite = two();
    let mut looped = Looped::start(invocation(&suite));
    looped.waits(&["assert 2 == 1"]);
    let mut sizes = Vec::new();
    for number in 3..18 {
        suite.write("mod.py", &format!("value = {number}\n"));
        looped.waits(&[&format!("assert {number} == 1")]);
        let all = looped.0.processes();
        let pid = all.iter().find(|process| is_program(process)).unwrap().pid;
        let files = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
        let left = fs::read_dir(suite.temp()).unwrap().count();
        sizes.push((all.len(), files, left));
    }
    assert_eq!(sizes[3], sizes[14], "{sizes:?}");
    looped.quits(1);
}
