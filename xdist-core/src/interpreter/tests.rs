//! The search on file systems that exist only here.

use std::collections::HashMap;

use super::*;

const ME: u32 = 1000;

/// Files by path: where a link leads, and whose it is.
#[derive(Default)]
struct Fake {
    links: HashMap<PathBuf, PathBuf>,
    owners: HashMap<PathBuf, u32>,
}

impl Fake {
    fn of(programs: &[&str]) -> Self {
        let links = programs.iter().map(|path| (PathBuf::from(path), PathBuf::from(path))).collect();
        Self { links, owners: HashMap::new() }
    }

    /// A virtual environment, made from an interpreter.
    fn venv(mut self, prefix: &str, base: &str) -> Self {
        self.links.insert(Path::new(prefix).join("bin/python"), base.into());
        self.links.insert(Path::new(prefix).join("bin/python3"), base.into());
        self.links.insert(Path::new(prefix).join("pyvenv.cfg"), Path::new(prefix).join("pyvenv.cfg"));
        self.links.insert(prefix.into(), prefix.into());
        self
    }

    fn link(mut self, from: &str, to: &str) -> Self {
        self.links.insert(from.into(), to.into());
        self
    }

    fn owned(mut self, path: &str, user: u32) -> Self {
        self.owners.insert(path.into(), user);
        self
    }
}

impl Files for Fake {
    fn is_program(&self, path: &Path) -> bool {
        self.links.contains_key(path)
    }

    fn is_file(&self, path: &Path) -> bool {
        self.links.contains_key(path)
    }

    fn resolve(&self, path: &Path) -> Option<PathBuf> {
        self.links.get(path).cloned()
    }

    fn owner(&self, path: &Path) -> Option<u32> {
        Some(self.owners.get(path).copied().unwrap_or(ME))
    }

    fn user(&self) -> u32 {
        ME
    }
}

fn surroundings() -> Surroundings {
    Surroundings {
        path: Some("/local/bin:/usr/bin".into()),
        cwd: "/home/me/project/sub".into(),
        ..Surroundings::default()
    }
}

fn found(search: &Search) -> Vec<(&str, &str)> {
    search.candidates.iter().map(|candidate| (candidate.argv[0].as_str(), candidate.source.as_str())).collect()
}

fn passed_over(search: &Search) -> Vec<String> {
    search.passed_over.iter().map(ToString::to_string).collect()
}

#[test]
fn every_place_in_its_order() {
    let files = Fake::of(&["/usr/bin/python3", "/local/bin/python"])
        .venv("/active", "/usr/bin/python3")
        .venv("/conda", "/usr/bin/python3")
        .venv("/home/me/project/sub/venv", "/usr/bin/python3")
        .venv("/home/me/project/.venv", "/usr/bin/python3");
    let surroundings =
        Surroundings { virtual_env: Some("/active".into()), conda_prefix: Some("/conda".into()), ..surroundings() };
    let search = search(&surroundings, &files);
    let wanted = [
        ("/active/bin/python", "VIRTUAL_ENV"),
        ("/conda/bin/python", "CONDA_PREFIX"),
        ("/home/me/project/sub/venv/bin/python", "venv"),
        ("/home/me/project/.venv/bin/python", ".venv"),
        ("/usr/bin/python3", "PATH"),
        ("/local/bin/python", "PATH"),
    ];
    assert_eq!(found(&search), wanted);
    assert_eq!(search.passed_over, []);
}

#[test]
fn a_named_interpreter_is_the_only_one() {
    let argv = vec!["python3".to_owned(), "-X".to_owned(), "dev".to_owned()];
    let surroundings =
        Surroundings { python: Some(argv.clone()), virtual_env: Some("/active".into()), ..surroundings() };
    let search = search(&surroundings, &Fake::of(&["/usr/bin/python3"]).venv("/active", "/usr/bin/python3"));
    assert_eq!(search.candidates, [Candidate { argv, source: "--python".to_owned() }]);
    assert_eq!(search.passed_over, []);
}

#[test]
fn what_environments_here_are_asked_to_have_comes_last() {
    let args =
        ["-x", "--tx", "2*popen//python=bin/py -X dev", "--tx=ssh=host//python=there", "--tx=popen//python=pypy3"];
    let more = ["--tx=popen//python=pypy3", "--tx=popen//pyth", "--", "--tx=popen//python=late"];
    let args: Vec<OsString> = args.iter().chain(&more).map(OsString::from).collect();
    let surroundings = Surroundings { specs: specs(&args), ..surroundings() };
    let search = search(&surroundings, &Fake::of(&["/usr/bin/python3"]));
    let wanted = [("/usr/bin/python3", "PATH"), ("/home/me/project/sub/bin/py", "--tx"), ("pypy3", "--tx")];
    assert_eq!(found(&search), wanted);
    assert_eq!(search.candidates[1].argv[1..], ["-X", "dev"]);
}

#[test]
fn an_environment_is_tried_once_and_not_mixed_up_with_its_base() {
    let files = Fake::of(&["/usr/bin/python3.11"])
        .venv("/home/me/project/.venv", "/usr/bin/python3.11")
        .link("/usr/bin/python3", "/usr/bin/python3.11")
        .link("/usr/bin/python", "/usr/bin/python3.11");
    let surroundings = Surroundings {
        virtual_env: Some("/home/me/project/.venv".into()),
        path: Some("/home/me/project/.venv/bin:/usr/bin".into()),
        ..surroundings()
    };
    assert_eq!(found(&search(&surroundings, &files)), [("/home/me/project/.venv/bin/python", "VIRTUAL_ENV")]);
    let surroundings = Surroundings { path: Some("/usr/bin".into()), ..surroundings };
    let wanted = [("/home/me/project/.venv/bin/python", "VIRTUAL_ENV"), ("/usr/bin/python3", "PATH")];
    assert_eq!(found(&search(&surroundings, &files)), wanted);
}

#[test]
fn a_variable_that_names_nothing_is_told() {
    let surroundings = Surroundings { virtual_env: Some("gone".into()), ..surroundings() };
    let search = search(&surroundings, &Fake::of(&["/usr/bin/python"]));
    assert_eq!(found(&search), [("/usr/bin/python", "PATH")]);
    let wanted = ["/home/me/project/sub/gone/bin/python (VIRTUAL_ENV): there is no such program"];
    assert_eq!(passed_over(&search), wanted);
}

#[test]
fn an_environment_that_others_put_above_is_not_run() {
    let files = || Fake::of(&[]).venv("/home/.venv", "/p").venv("/home/me/project/sub/.venv", "/p");
    let outcome = |files: Fake| {
        let search = search(&surroundings(), &files);
        (search.candidates.len(), passed_over(&search))
    };
    let here = "/home/me/project/sub/.venv";
    assert_eq!(outcome(files()), (2, vec![]));
    assert_eq!(outcome(files().owned("/home/.venv", 0).owned(here, 666)), (2, vec![]));
    let same_owner_as_the_project = files().owned("/home/.venv", 7).owned("/home/me/project/sub", 7);
    assert_eq!(outcome(same_owner_as_the_project), (2, vec![]));
    let wanted = "/home/.venv/bin/python (.venv): it belongs to another user".to_owned();
    assert_eq!(outcome(files().owned("/home/.venv", 666)), (1, vec![wanted]));
}

#[test]
fn nothing_at_all() {
    let nowhere = Surroundings { path: None, ..surroundings() };
    for surroundings in [nowhere, surroundings()] {
        assert_eq!(search(&surroundings, &Fake::default()), Search::default());
    }
}

#[test]
fn the_error_names_all_and_the_command_that_helps() {
    let candidate = |python: &str, source: &str| Candidate {
        argv: vec![python.to_owned(), "-X".to_owned(), "dev".to_owned()],
        source: source.to_owned(),
    };
    let passed_over = vec![
        PassedOver::not_started(&candidate("/a/bin/python", "VIRTUAL_ENV"), "permission denied"),
        PassedOver::unusable(&candidate("/b c/bin/python", ".venv"), "No module named 'pytest'\n"),
        PassedOver::unusable(&candidate("/usr/bin/python3", "PATH"), "pytest 6.2.5 is too old"),
    ];
    let text = NoInterpreter { passed_over }.to_string();
    let wanted = "no Python interpreter with a usable pytest (pytest 7.0 or newer, on Python 3.8 or newer)\n  \
                  /a/bin/python -X dev (VIRTUAL_ENV): permission denied\n  \
                  '/b c/bin/python' -X dev (.venv): No module named 'pytest'\n  \
                  /usr/bin/python3 -X dev (PATH): pytest 6.2.5 is too old\n\
                  hint: '/b c/bin/python' -X dev -m pip install pytest";
    assert_eq!(text, wanted);
    let text = NoInterpreter::default().to_string();
    assert!(text.ends_with(
        "hint: install Python, then `python3 -m pip install pytest`, or name an interpreter with `--python`"
    ));
}

#[test]
fn the_real_disk_tells_programs_from_files() {
    let disk = Disk;
    assert!(disk.is_program(Path::new("/bin/sh")) && disk.is_file(Path::new("/etc/passwd")));
    assert!(!disk.is_program(Path::new("/etc/passwd")) && !disk.is_program(Path::new("/bin")));
    assert_eq!(disk.owner(Path::new("/")), Some(0));
    assert_eq!(disk.resolve(Path::new("/no/such/file")), None);
    assert_eq!(disk.resolve(Path::new("/bin/../bin/sh")), Path::new("/bin/sh").canonicalize().ok());
}
