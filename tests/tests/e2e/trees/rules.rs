//! What goes along and what does not, from where it may be said.

use xdist_tests::{Env, Invocation, Suite};

use super::{Far, passed};

const FINE: &str = "def test_fine(): pass\n";

#[test]
fn options_ini_file_and_conftests_say_what_goes() {
    let (suite, far) = (Suite::of(&[("a/test_a.py", FINE), ("b/test_b.py", FINE)]), Far::new());
    suite.write("a/conftest.py", "rsyncdirs = ['../c']\nrsyncignore = ['large*']\n");
    suite.write("c/data.txt", "data\n");
    for name in [
        "a/large.bin",
        "a/b.skip",
        "a/c.log",
        "a/.hidden",
        "a/__pycache__/x.pyc",
        "a/kept.gen",
        "a/left.gen",
        "b/x.tmp",
    ] {
        suite.write(name, "x\n");
    }
    suite.write("a/.gitignore", "*.gen\n");
    std::fs::create_dir(suite.path(".git")).unwrap();
    suite.write("pytest.ini", "[pytest]\nrsyncdirs = a\nrsyncignore = *.skip\nrsyncinclude = a/kept.gen\n");
    let args =
        ["--rsyncdir=b", "--rsyncignore=*.log", "--rsyncignore", "*/b/*.tmp", "--rsync-include=.hidden", "a", "b"];
    let outcome = far.run(&suite).args(["--tx", &far.spec()]).args(args).run();
    outcome.expect_code(0);
    assert_eq!(passed(&outcome), 2, "{}", outcome.describe());
    let expected = [
        "a/.hidden",
        "a/conftest.py",
        "a/kept.gen",
        "a/test_a.py",
        "b/test_b.py",
        "c/data.txt",
        "conftest.py",
        "pytest.ini",
        "truth_file.py",
        "truth_log.py",
    ];
    assert_eq!(far.files(), expected, "{}", outcome.describe());
    let outcome = far.run(&suite).args(["--no-rsync-gitignore", "--tx", &far.spec()]).args(args).run();
    outcome.expect_code(0);
    assert!(far.path("a/left.gen").exists(), "{}", outcome.describe());
}

#[test]
fn a_dry_run_shows_what_would_go_and_why_the_rest_would_not() {
    let (suite, far) = (Suite::of(&[("a/test_a.py", FINE), ("a/note.txt", "x"), ("a/x.log", "x")]), Far::new());
    let args = ["--rsync-dry-run", "--rsyncdir=a", "--rsyncignore=*.log", "--tx", &far.spec(), "a"];
    let outcome = far.run(&suite).args(args).run();
    outcome.expect_code(0).expect_no_survivors();
    for text in
        ["  a/test_a.py", "  a/note.txt", "  pytest.ini", "  not a/x.log: ignored by `*.log`", "1 paths left out"]
    {
        outcome.expect_text(text);
    }
    outcome.expect_text(&far.copy().display().to_string());
    let bare = || Invocation::xdist(&Env::usual(), &suite);
    let outcome = bare().args(["--rsync-dry-run", "--rsyncdir=a"]).run();
    outcome.expect_code(4).expect_text("there are none: no -n");
    bare().args(["--rsync-dry-run", "-n2"]).run().expect_code(4).expect_text("nothing, without --rsyncdir");
    assert!(!far.copy().exists() && suite.truth().started().is_empty());
}

#[test]
fn a_copy_in_the_tree_is_no_part_of_it() {
    let (suite, far) = (Suite::of(&[("a/test_a.py", FINE)]), Far::new());
    let run = || far.run(&suite).args(["-v", "--rsyncdir=.", "--tx", "popen//chdir=a/co*py", "a/test_a.py"]).run();
    run().expect_code(0);
    run().expect_code(0).expect_text("nothing had changed");
    assert!(suite.path("a/co*py/a/test_a.py").exists() && !suite.path("a/co*py/a/co*py").exists());
}

#[test]
fn links_that_lead_out_are_refused_unless_told_otherwise() {
    let (suite, far) =
        (Suite::of(&[("a/test_a.py", "import os\ndef test_a(): assert os.path.exists('a/link')\n")]), Far::new());
    suite.write("outside.txt", "x");
    std::os::unix::fs::symlink(suite.path("outside.txt"), suite.path("a/link")).unwrap();
    let run = |links: &[&str]| {
        far.run(&suite).args(["--rsyncdir=a", "--tx", &far.spec(), "a"]).args(links.iter().copied()).run()
    };
    run(&[]).expect_code(14).expect_text("`a/link`").expect_no_survivors();
    run(&["--rsync-links=skip"]).expect_code(1);
    for how in ["copy", "keep"] {
        run(&[&format!("--rsync-links={how}")]).expect_code(0);
        assert_eq!(far.path("a/link").is_symlink(), how == "keep", "{how}");
    }
}
