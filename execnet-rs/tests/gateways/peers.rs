//! What execnet promises, row by row; each is shown here, or where the table says.
//!
//! | row | shown by |
//! |---|---|
//! | xspec: grammar, keys, `N*spec`, equality | `xspec/tests.rs` |
//! | group: container, ids, names, `via`, `terminate` | `groups.rs` |
//! | group: default group; ending twice | here |
//! | gateway: `remote_exec` of texts, files, functions; errors; threads; `main_thread_only` | `sources.rs` |
//! | gateway: `remote_status`, `_rinfo`; the end of running code | here, `processes.rs` |
//! | channel: order, ends, time limits, half closes, callbacks, end markers, files | `channels.rs` |
//! | channel: errors that stay, closing from inside, a callback without a handle, modes of files | here |
//! | channel: killed peers | `faults.rs` |
//! | several channels | `channels.rs`, `groups.rs`, here |
//! | values | `channels.rs`, `value/tests.rs`, `python/tests/test_values.py`, here |
//! | bootstrap: noise, streams of code, programs that are no interpreter | `sources.rs`, `faults.rs` |
//! | bootstrap: several gateways through one | here, `groups.rs` |

use std::time::{Duration, Instant};

use execnet_rs::channel::{MultiChannel, ReceiveError};
use execnet_rs::gateway::{Gateway, GatewayError};
use execnet_rs::group::Group;
use execnet_rs::value::{BigInt, Value};

use crate::{gone, run, with_popen};

const LIMIT: Duration = Duration::from_secs(5);

fn remote_message(error: ReceiveError) -> String {
    match error {
        ReceiveError::Remote(error) => error.message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_remote_error_is_told_again_and_again() {
    with_popen(|gateway: Gateway| async move {
        let channel = gateway.remote_exec("channel.send(1)\nraise ValueError('why')").await.unwrap();
        assert_eq!(remote_message(channel.wait_close(None).await.unwrap_err()), "why");
        assert_eq!(channel.receive().await, Ok(1.into()));
        for _ in 0..2 {
            assert_eq!(remote_message(channel.receive().await.unwrap_err()), "why");
            assert_eq!(remote_message(channel.next().await.unwrap_err()), "why");
        }
        assert!(channel.send(2).await.is_err() && channel.is_closed());
    });
}

#[test]
fn source_may_close_its_own_channel() {
    with_popen(|gateway: Gateway| async move {
        let source = "
            channel.send(channel.isclosed())
            channel.close(*channel.receive())
            assert channel.isclosed()
            channel.close()
        ";
        for (reason, error) in [(vec![], None), (vec!["enough".into()], Some("enough"))] {
            let channel = gateway.remote_exec(source).await.unwrap();
            assert_eq!(channel.receive().await, Ok(false.into()));
            channel.send(Value::List(reason)).await.unwrap();
            assert_eq!(channel.wait_close(Some(LIMIT)).await.map_err(remote_message).err().as_deref(), error);
        }
    });
}

#[test]
fn a_callback_stays_when_nobody_holds_the_channel() {
    with_popen(|gateway: Gateway| async move {
        let source = "
            import gc
            channel.receive().setcallback(lambda item: channel.send(item * 2), endmarker=0)
            gc.collect()
            channel.send('ready')
            channel.receive()
        ";
        let channel = gateway.remote_exec(source).await.unwrap();
        let inner = channel.sibling().unwrap();
        channel.send(inner.reference()).await.unwrap();
        assert_eq!(channel.receive().await, Ok("ready".into()));
        inner.send(21).await.unwrap();
        assert_eq!(channel.receive().await, Ok(42.into()));
        drop(inner);
        assert_eq!(channel.receive().await, Ok(0.into()), "the end marker");
        channel.send(()).await.unwrap();
    });
}

#[test]
fn a_channel_has_one_callback_and_files_have_two_modes() {
    with_popen(|gateway: Gateway| async move {
        let source = "
            inner = channel.receive()
            inner.setcallback(lambda item: None)
            for wrong in (lambda: inner.setcallback(print), inner.receive, lambda: inner.makefile('rw')):
                try:
                    wrong()
                except (OSError, ValueError) as error:
                    channel.send(type(error).__name__)
            inner.makefile('w').close()
            channel.send(inner.isclosed())
            inner.makefile('w', proxyclose=True).close()
            channel.send(inner.isclosed())
        ";
        let channel = gateway.remote_exec(source).await.unwrap();
        let inner = channel.sibling().unwrap();
        channel.send(inner.reference()).await.unwrap();
        for said in ["OSError".into(), "OSError".into(), "ValueError".into(), Value::Bool(false), Value::Bool(true)] {
            assert_eq!(channel.receive().await, Ok(said));
        }
        assert_eq!(inner.wait_close(Some(LIMIT)).await, Ok(()));
    });
}

#[test]
fn several_channels_end_with_the_first_error_after_all_have_ended() {
    with_popen(|gateway: Gateway| async move {
        let mut channels = Vec::new();
        for source in ["", "raise KeyError(1)", "channel.receive()", "raise KeyError(2)"] {
            channels.push(gateway.remote_exec(source).await.unwrap());
        }
        let all = MultiChannel::new(channels);
        for channel in &all.channels()[..2] {
            let _ = channel.wait_close(None).await;
        }
        let limit = Duration::from_millis(50);
        assert_eq!(remote_message(all.wait_close(Some(limit)).await.unwrap_err()), "1");
        all.channels()[2].send(()).await.unwrap();
        assert_eq!(remote_message(all.wait_close(None).await.unwrap_err()), "1");
        assert!(all.channels().iter().all(execnet_rs::channel::Channel::is_closed));
    });
}

#[test]
fn status_is_told_while_code_is_busy_and_facts_are_asked_each_time() {
    with_popen(|gateway: Gateway| async move {
        let busy = gateway.remote_exec("import os\nos.chdir('/')\nchannel.send(1)\nwhile not channel.isclosed(): pass");
        let busy = busy.await.unwrap();
        assert_eq!(busy.receive().await, Ok(1.into()));
        let status = gateway.remote_status().await.unwrap();
        assert_eq!((status.executing, &*status.execmodel), (1, "thread"));
        assert!(status.channels >= 1);
        assert_eq!(gateway.rinfo().await.unwrap().cwd, "/");
        busy.close();
        let channel = gateway.remote_exec("import os\nos.chdir('/tmp')").await.unwrap();
        channel.wait_close(None).await.unwrap();
        assert_eq!(gateway.rinfo().await.unwrap().cwd, "/tmp");
    });
}

#[test]
fn what_execnet_cannot_send_arrives() {
    with_popen(|gateway: Gateway| async move {
        let source = "
            class Text(str): pass
            class Number(int): pass
            for item in (-2**31 - 1, 2**64, -2**200, '\\udc80', Text('x'), Number(7), True):
                channel.send(item)
        ";
        let channel = gateway.remote_exec(source).await.unwrap();
        let big = |text: &str| Value::from(text.parse::<BigInt>().unwrap());
        for value in [
            (-(1_i64 << 31) - 1).into(),
            big("18446744073709551616"),
            big("-1606938044258990275541962092341162602522202993782792835301376"),
            Value::Surrogates(b"\xed\xb2\x80".to_vec().into()),
            "x".into(),
            7.into(),
            true.into(),
        ] {
            assert_eq!(channel.receive().await, Ok(value));
        }
        assert_eq!(channel.next().await, Ok(None));
    });
}

#[test]
fn several_gateways_go_through_one_that_runs_one_source_at_a_time() {
    run(async {
        let group = Group::new();
        let door = group.make_gateway("popen//execmodel=main_thread_only//id=door").await.unwrap();
        let busy = door.remote_exec("channel.receive()").await.unwrap();
        for _ in 0..3 {
            let gateway = group.make_gateway("popen//via=door").await.unwrap();
            let channel = gateway.remote_exec("channel.send(channel.receive())").await.unwrap();
            channel.send(1).await.unwrap();
            assert_eq!(channel.receive().await, Ok(1.into()));
        }
        busy.send(()).await.unwrap();
        assert_eq!(busy.wait_close(None).await, Ok(()));
        group.terminate(LIMIT).await;
    });
}

#[test]
fn code_that_goes_on_after_the_end_is_interrupted() {
    run(async {
        // The second one comes from a job that a shell put into the background.
        let ignoring = r#"popen//python=sh -c "trap '' INT; exec python3 \"$@\"" sh"#;
        tokio::join!(end_beside_code("popen"), end_beside_code(ignoring));
    });
}

async fn end_beside_code(spec: &str) {
    let directory = tempfile::tempdir().unwrap();
    let told = directory.path().join("told");
    let group = Group::new();
    let gateway = group.make_gateway(spec).await.unwrap();
    let source = format!(
        "import os, time\nchannel.send(os.getpid())\ntry:\n    while True: time.sleep(0.01)\n\
             except KeyboardInterrupt:\n    open({:?}, 'w').close()",
        told.display().to_string()
    );
    let channel = gateway.remote_exec(source).await.unwrap();
    let pid = u32::try_from(channel.receive().await.unwrap().as_int().unwrap()).unwrap();
    let start = Instant::now();
    group.terminate(Duration::from_secs(40)).await;
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    assert!(told.exists());
    gone(pid).await;
}

#[test]
fn ending_is_idempotent_and_the_default_group_is_one() {
    run(async {
        let group = Group::default_group();
        assert!(std::ptr::eq(group, Group::default_group()));
        let gateway = group.make_gateway("popen//id=only").await.unwrap();
        gateway.rinfo().await.unwrap();
        for _ in 0..2 {
            gateway.terminate(LIMIT).await;
            group.terminate(LIMIT).await;
        }
        assert!(group.is_empty());
        assert!(matches!(gateway.remote_exec("").await, Err(GatewayError::Exited)));
        assert!(matches!(gateway.rinfo().await, Err(GatewayError::Exited)));
        assert!(gateway.ended().await.is_err());
    });
}
