//! Python source on the other side: texts, files, functions, errors, threads.

use std::time::Duration;

use execnet_rs::channel::{Channel, ReceiveError, RemoteError};
use execnet_rs::gateway::{Gateway, GatewayError};
use execnet_rs::source::Source;
use execnet_rs::value::Value;

use crate::{gone, with_popen, with_spec};

/// The error that a channel ends with.
async fn failed(channel: &Channel) -> RemoteError {
    match channel.receive().await {
        Err(ReceiveError::Remote(error)) => *error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn source_finds_its_name_and_channel() {
    with_popen(|gateway: Gateway| async move {
        let channel =
            gateway.remote_exec("channel.send((__name__, sorted(k for k in globals() if k[0] != '_')))").await;
        let said = channel.unwrap().receive().await.unwrap();
        assert_eq!(said, Value::Tuple(vec!["__channelexec__".into(), Value::List(vec!["channel".into()])]));
    });
}

#[test]
fn a_function_gets_its_arguments() {
    with_popen(|gateway: Gateway| async move {
        let source = "
            import os
            def add(channel, left, right=1):
                channel.send(left + right)
        ";
        let channel = gateway.remote_exec(Source::function(source, [("left", 41)])).await.unwrap();
        assert_eq!(channel.receive().await, Ok(42.into()));
        let channel = gateway.remote_exec(Source::function(source, [("wrong", 41)])).await.unwrap();
        assert_eq!(failed(&channel).await.kind, "TypeError");
        let refused = gateway.remote_exec(Source::function("def f(x): pass", [("a", 1)])).await.unwrap_err();
        assert!(matches!(refused, GatewayError::Source(_)), "{refused}");
    });
}

#[test]
fn a_file_is_read_when_it_is_sent_and_named_in_tracebacks() {
    with_popen(|gateway: Gateway| async move {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("remote.py");
        std::fs::write(&path, "\nimport json\ndef inner():\n    raise KeyError('é')\ninner()\n").unwrap();
        let error = failed(&gateway.remote_exec(Source::File(path.clone())).await.unwrap()).await;
        assert_eq!((&*error.kind, &*error.message, error.line), ("KeyError", "'é'", Some(4)));
        assert_eq!(error.file.as_deref(), path.to_str());
        assert!(error.traceback.contains("raise KeyError('é')"), "{}", error.traceback);
        assert!(error.traceback.contains("line 5, in <module>"), "{}", error.traceback);
        assert!(!error.traceback.contains("execnet_endpoint"), "{}", error.traceback);
        std::fs::write(&path, "channel.send('new')").unwrap();
        assert_eq!(gateway.remote_exec(Source::File(path)).await.unwrap().receive().await, Ok("new".into()));
        let missing = gateway.remote_exec(Source::File("/does/not/exist.py".into())).await.unwrap_err();
        assert!(missing.to_string().contains("cannot read `/does/not/exist.py`"), "{missing}");
    });
}

#[test]
fn errors_are_told_with_type_text_and_line() {
    with_popen(|gateway: Gateway| async move {
        let error = failed(&gateway.remote_exec("x = 1\n\nx +").await.unwrap()).await;
        assert_eq!((&*error.kind, error.line), ("SyntaxError", Some(3)));
        let error = failed(&gateway.remote_exec("class Odd(Exception): pass\nraise Odd('why')").await.unwrap()).await;
        assert_eq!((&*error.kind, &*error.message, error.line), ("Odd", "why", Some(2)));
        let error = failed(&gateway.remote_exec("import sys\nsys.exit(3)").await.unwrap()).await;
        assert_eq!((&*error.kind, &*error.message), ("SystemExit", "3"));
        let error = failed(&gateway.remote_exec("channel.send([object()])").await.unwrap()).await;
        assert!(error.message.contains("cannot send an object of type builtins.object"), "{error}");
        // None of it harms the interpreter.
        let channel = gateway.remote_exec("channel.send(channel.receive())").await.unwrap();
        channel.send(1).await.unwrap();
        assert_eq!(channel.receive().await, Ok(1.into()));
    });
}

#[test]
fn an_error_of_ours_reaches_the_source() {
    with_popen(|gateway: Gateway| async move {
        let source = "
            try:
                channel.receive()
            except channel.RemoteError as error:
                other.send([type(error).__name__, str(error)])
        ";
        let channel =
            gateway.remote_exec(format!("other = channel.receive()\n{}", source.replace("            ", ""))).await;
        let channel = channel.unwrap();
        let other = channel.sibling().unwrap();
        channel.send(other.reference()).await.unwrap();
        channel.fail(&RemoteError::new("Reason", "because"));
        assert_eq!(other.receive().await, Ok(Value::List(vec!["RemoteError".into(), "because".into()])));
    });
}

#[test]
fn an_error_of_any_size_harms_nothing_else() {
    with_popen(|gateway: Gateway| async move {
        let source = "
            other = channel.receive()
            try:
                channel.receive()
            except channel.RemoteError as error:
                other.send(str(error))
            raise type('E' * 1000000, (Exception,), {})('\\udc80' + 'é' * 3000000 + '!')
        ";
        let channel = gateway.remote_exec(source).await.unwrap();
        let other = channel.sibling().unwrap();
        channel.send(other.reference()).await.unwrap();
        channel.fail(&RemoteError::new("Reason", format!("it {}!", "é".repeat(3_000_000))));
        let said = other.receive().await.unwrap();
        let said = said.as_str().unwrap();
        assert!(said.starts_with("it é") && said.contains("bytes are left out") && said.ends_with("é!"));

        let channel = gateway.remote_exec(source.replace("channel.receive()", "channel")).await.unwrap();
        let error = failed(&channel).await;
        assert!(error.kind.starts_with("EEE") && error.message.starts_with('\u{fffd}'), "{:.99}", error.message);
        assert!(error.message.contains("characters are left out") && error.message.ends_with("é!"));
        assert_eq!(error.line, Some(7));
        // Nor does one that cannot be sent.
        let error = failed(&gateway.remote_exec("channel.close({'message': object()})").await.unwrap()).await;
        assert!(error.message.contains("cannot send an object"), "{error}");
        assert_eq!(gateway.remote_exec("channel.send(1)").await.unwrap().receive().await, Ok(1.into()));
    });
}

#[test]
fn sources_run_at_the_same_time_the_first_in_the_main_thread() {
    with_popen(|gateway: Gateway| async move {
        let source = "
            import threading
            channel.send(threading.current_thread() is threading.main_thread())
            channel.receive()
        ";
        let mut channels = Vec::new();
        for index in 0..4 {
            let channel = gateway.remote_exec(source).await.unwrap();
            assert_eq!(channel.receive().await, Ok((index == 0).into()));
            channels.push(channel);
        }
        assert_eq!(gateway.remote_status().await.unwrap().executing, 4);
        for channel in channels {
            channel.send(()).await.unwrap();
            assert_eq!(channel.wait_close(None).await, Ok(()));
        }
    });
}

#[test]
fn many_sources_talk_at_the_same_time() {
    with_popen(|gateway: Gateway| async move {
        let source = "
            for item in channel:
                if item % 50 == 0:
                    sum(range(20000))
                channel.send(item)
        ";
        let mut talking = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let channel = gateway.remote_exec(source).await.unwrap();
            talking.spawn(async move {
                for number in 0..200 {
                    channel.send(number).await.unwrap();
                    assert_eq!(channel.receive().await, Ok(number.into()));
                }
            });
        }
        while let Some(talked) = talking.join_next().await {
            talked.unwrap();
        }
    });
}

#[test]
fn a_source_starts_while_another_one_computes() {
    with_popen(|gateway: Gateway| async move {
        let busy =
            gateway.remote_exec("import time\nwhile channel.gateway is not None: time.sleep(0.001)").await.unwrap();
        let channel = gateway.remote_exec("channel.send(channel.receive())").await.unwrap();
        channel.send(1).await.unwrap();
        assert_eq!(channel.receive().await, Ok(1.into()));
        drop(busy);
    });
}

#[test]
fn main_thread_only_runs_one_after_the_other_and_refuses_what_would_wait() {
    with_spec("popen//execmodel=main_thread_only", |gateway: Gateway| async move {
        let source = "
            import threading
            assert threading.current_thread() is threading.main_thread()
            channel.send(channel.receive())
        ";
        for _ in 0..2 {
            let channel = gateway.remote_exec(source).await.unwrap();
            channel.send(1).await.unwrap();
            assert_eq!(channel.receive().await, Ok(1.into()));
        }
        let first = gateway.remote_exec(source).await.unwrap();
        let second = gateway.remote_exec(source).await.unwrap();
        assert!(failed(&second).await.message.contains("would cause deadlock"));
        first.send(2).await.unwrap();
        assert_eq!(first.receive().await, Ok(2.into()));
        assert_eq!(gateway.remote_status().await.unwrap().execmodel, "main_thread_only");
    });
}

#[test]
fn code_that_prints_closes_redirects_or_forks_disturbs_nothing() {
    with_popen(|gateway: Gateway| async move {
        let source = "
            import os, subprocess, sys
            os.write(1, b'\\x00\\xff not for the link')
            print('neither is this', flush=True)
            assert sys.stdin.read() == ''
            subprocess.run(['echo', 'nor this'], check=True)
            os.closerange(0, 20)
            if os.fork() == 0:
                try:
                    channel.send('from the child')
                except OSError:
                    pass
                # The child comes back out of the source, too.
            else:
                channel.send('still here')
        ";
        let channel = gateway.remote_exec(source).await.unwrap();
        assert_eq!(channel.next().await, Ok(Some("still here".into())));
        assert_eq!(channel.next().await, Ok(None));
        let channel = gateway.remote_exec("channel.send(1)").await.unwrap();
        assert_eq!(channel.receive().await, Ok(1.into()));
    });
}

#[test]
fn a_spec_sets_directory_environment_and_niceness() {
    let directory = tempfile::tempdir().unwrap();
    let below = directory.path().join("made here");
    let spec = format!("popen//chdir={}//env:COLOUR=blue=green//nice=3//dont_write_bytecode", below.display());
    with_spec(&spec, |gateway: Gateway| async move {
        let source = "
            import os, sys
            channel.send((os.getcwd(), os.environ['COLOUR'], os.nice(0) >= 3, sys.dont_write_bytecode))
        ";
        let said = gateway.remote_exec(source).await.unwrap().receive().await.unwrap();
        let cwd = below.to_str().unwrap();
        assert_eq!(said, Value::Tuple(vec![cwd.into(), "blue=green".into(), true.into(), true.into()]));
        let info = gateway.rinfo().await.unwrap();
        assert_eq!((&*info.cwd, &*info.platform, info.version.0), (cwd, "linux", 3));
        assert!(info.cores > 0 && info.memory > 0 && info.pid > 0 && info.executable.contains("python"), "{info:?}");
    });
}

#[test]
fn an_interpreter_that_cannot_be_is_named() {
    with_spec("popen//python=no-such-python -x", |gateway: Gateway| async move {
        let error = gateway.remote_exec("").await.unwrap_err().to_string();
        assert!(error.contains("cannot start `no-such-python`"), "{error}");
    });
    with_spec("popen//python=sh -c 'echo not python; exit 3' sh", |gateway: Gateway| async move {
        let error = gateway.remote_exec("").await.unwrap_err().to_string();
        assert!(error.contains("exit code 3") && error.contains("not python"), "{error}");
    });
}

#[test]
fn python_ends_by_itself_when_the_link_does() {
    with_popen(|gateway: Gateway| async move {
        let channel = gateway.remote_exec("import os\nchannel.send(os.getpid())\nchannel.receive()").await.unwrap();
        let pid = u32::try_from(channel.receive().await.unwrap().as_int().unwrap()).unwrap();
        let start = std::time::Instant::now();
        gateway.terminate(Duration::from_secs(30)).await;
        assert!(start.elapsed() < Duration::from_secs(20));
        gone(pid).await;
        assert!(matches!(gateway.remote_exec("").await, Err(GatewayError::Exited)));
    });
}

#[test]
fn compiled_modules_are_kept_and_made_anew_if_they_are_broken_or_not_safe() {
    use std::os::unix::fs::PermissionsExt;

    let cache = tempfile::tempdir().unwrap();
    let answers = || {
        // The directory is chosen by this process's environment: so another one.
        let test = "sources::source_finds_its_name_and_channel";
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", test]).env("XDG_CACHE_HOME", cache.path()).env_remove("PYTHONDONTWRITEBYTECODE");
        command.output().unwrap().status.success()
    };
    assert!(answers());
    let kept: Vec<_> =
        std::fs::read_dir(cache.path().join("execnet-rs")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(kept.len(), 1, "{kept:?}");
    let compiled = std::fs::read(&kept[0]).unwrap();
    assert!(answers(), "with what was kept");
    std::fs::write(&kept[0], &compiled[..compiled.len() / 2]).unwrap();
    assert!(answers(), "with half of it");
    assert_eq!(std::fs::read(&kept[0]).unwrap().len(), compiled.len(), "made anew");
    std::fs::write(&kept[0], b"not what was compiled").unwrap();
    std::fs::set_permissions(&kept[0], PermissionsExt::from_mode(0o666)).unwrap();
    assert!(answers(), "with what anybody could have written");
}
