//! Channels between Rust and Python, and what execnet promises of them.

use std::time::{Duration, Instant};

use execnet_rs::channel::{MultiChannel, ReceiveError};
use execnet_rs::gateway::Gateway;
use execnet_rs::group::Group;
use execnet_rs::value::{BigInt, Value};

use crate::{run, with_popen, with_spec};

const ECHO: &str = "
    for item in channel:
        channel.send(item)
";

#[test]
fn values_go_to_python_and_come_back_the_same() {
    with_popen(|gateway: Gateway| async move {
        let channel = gateway.remote_exec(ECHO).await.unwrap();
        let values = [
            Value::None,
            true.into(),
            i64::MIN.into(),
            "-12345678901234567890123456789".parse::<BigInt>().unwrap().into(),
            1.5.into(),
            Value::Complex(1.0, -2.0),
            Value::from(vec![0_u8, 255]),
            "é€😀".into(),
            Value::Surrogates(b"a\xED\xB2\x80".to_vec().into()),
            Value::List(vec![1.into(), Value::Tuple(vec![Value::Set(vec![2.into()]), Value::FrozenSet(vec![])])]),
            Value::Dict(vec![(Value::Tuple(vec![1.into(), "a".into()]), vec![7_u8; 100_000].into())]),
        ];
        for value in values {
            channel.send(value.clone()).await.unwrap();
            assert_eq!(channel.receive().await, Ok(value));
        }
    });
}

#[test]
fn python_sees_the_types() {
    with_popen(|gateway: Gateway| async move {
        let channel = gateway.remote_exec("for item in channel: channel.send(type(item).__name__)").await.unwrap();
        let tuple = Value::Tuple(Vec::new());
        for (value, name) in
            [(Value::None, "NoneType"), (1_i64.into(), "int"), (tuple, "tuple"), (vec![1_u8].into(), "bytes")]
        {
            channel.send(value).await.unwrap();
            assert_eq!(channel.receive().await, Ok(name.into()));
        }
        channel
            .send(Value::Channel(match channel.reference() {
                Value::Channel(reference) => reference,
                _ => unreachable!(),
            }))
            .await
            .unwrap();
        assert_eq!(channel.receive().await, Ok("Channel".into()));
    });
}

#[test]
fn the_end_comes_after_the_last_value_and_stays() {
    with_popen(|gateway: Gateway| async move {
        let channel = gateway.remote_exec("channel.send(1)\nchannel.send(2)").await.unwrap();
        assert_eq!(channel.wait_close(None).await, Ok(()));
        assert_eq!(channel.next().await, Ok(Some(1.into())));
        assert_eq!(channel.next().await, Ok(Some(2.into())));
        assert_eq!(channel.next().await, Ok(None));
        assert_eq!(channel.receive().await, Err(ReceiveError::Ended));
        assert!(channel.send(3).await.is_err());
        assert!(channel.is_closed());
    });
}

#[test]
fn waiting_has_a_limit() {
    with_popen(|gateway: Gateway| async move {
        let channel = gateway.remote_exec("channel.receive()").await.unwrap();
        let limit = Duration::from_millis(20);
        assert_eq!(channel.receive_within(limit).await, Err(ReceiveError::TimedOut(limit)));
        assert_eq!(channel.wait_close(Some(limit)).await, Err(ReceiveError::TimedOut(limit)));
        channel.send(()).await.unwrap();
        assert_eq!(channel.wait_close(None).await, Ok(()));
        let source = "
            try:
                channel.receive(timeout=0.01)
            except channel.TimeoutError:
                channel.send('timed out')
        ";
        let channel = gateway.remote_exec(source).await.unwrap();
        assert_eq!(channel.receive().await, Ok("timed out".into()));
    });
}

#[test]
fn one_half_can_be_closed() {
    with_popen(|gateway: Gateway| async move {
        let channel = gateway.remote_exec("channel.send(sum(channel))").await.unwrap();
        for number in 1..=4 {
            channel.send(number).await.unwrap();
        }
        channel.finish();
        assert!(channel.send(5).await.is_err());
        assert_eq!(channel.receive().await, Ok(10.into()));
    });
}

#[test]
fn callbacks_get_what_has_arrived_what_comes_and_the_end() {
    with_popen(|gateway: Gateway| async move {
        let channel = gateway.remote_exec("for n in range(3): channel.send(n)\nchannel.receive()").await.unwrap();
        assert_eq!(channel.receive().await, Ok(0.into()));
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let other = channel.clone();
        channel.call_back(move |received| drop(tell.send(received)));
        assert_eq!(told.recv().await, Some(Ok(1.into())));
        assert_eq!(told.recv().await, Some(Ok(2.into())));
        other.send(()).await.unwrap();
        assert_eq!(told.recv().await, Some(Err(ReceiveError::Ended)));
        assert_eq!(told.recv().await, None);
    });
}

#[test]
fn python_callbacks_get_items_and_one_end_marker() {
    with_popen(|gateway: Gateway| async move {
        let source = "
            seen = []
            inner = channel.receive()
            inner.setcallback(seen.append, endmarker='end')
            inner.waitclose()
            channel.send(seen)
            try:
                inner.receive()
            except OSError as error:
                channel.send(str(error))
        ";
        let channel = gateway.remote_exec(source).await.unwrap();
        let inner = channel.sibling().unwrap();
        inner.send(1).await.unwrap();
        channel.send(inner.reference()).await.unwrap();
        inner.send(2).await.unwrap();
        inner.finish();
        assert_eq!(channel.receive().await, Ok(Value::List(vec![1.into(), 2.into(), "end".into()])));
        assert!(channel.receive().await.unwrap().as_str().unwrap().contains("callback"));
    });
}

#[test]
fn an_error_in_a_callback_goes_to_the_sender() {
    with_popen(|gateway: Gateway| async move {
        let source = "
            inner = channel.receive()
            def refuse(item):
                raise ValueError(item)
            inner.setcallback(refuse)
            channel.receive()
        ";
        let channel = gateway.remote_exec(source).await.unwrap();
        let inner = channel.sibling().unwrap();
        channel.send(inner.reference()).await.unwrap();
        inner.send("not this").await.unwrap();
        match inner.receive().await {
            Err(ReceiveError::Remote(error)) => assert_eq!((&*error.kind, &*error.message), ("ValueError", "not this")),
            other => panic!("{other:?}"),
        }
        channel.send(()).await.unwrap();
        assert_eq!(channel.wait_close(None).await, Ok(()));
    });
}

#[test]
fn a_callback_can_send_more_than_the_credit() {
    with_popen(|gateway: Gateway| async move {
        let source = "
            inner = channel.receive()
            inner.setcallback(lambda item: inner.send(item * 3000000))
            channel.receive()
        ";
        let channel = gateway.remote_exec(source).await.unwrap();
        let inner = channel.sibling().unwrap();
        channel.send(inner.reference()).await.unwrap();
        for _ in 0..2 {
            inner.send("x").await.unwrap();
        }
        for _ in 0..2 {
            assert_eq!(inner.receive().await.unwrap().as_str().map(str::len), Some(3_000_000));
        }
        channel.send(()).await.unwrap();
    });
}

#[test]
fn channels_travel_in_both_directions() {
    with_popen(|gateway: Gateway| async move {
        let source = "
            mine = channel.gateway.newchannel()
            channel.send({'channel': mine})
            yours = channel.receive()
            yours.send(mine.receive() + 1)
            assert channel.receive() is mine
        ";
        let channel = gateway.remote_exec(source).await.unwrap();
        let received = channel.receive().await.unwrap();
        let Some(Value::Channel(reference)) = received.get("channel") else { panic!("{received:?}") };
        let theirs = channel.resolve(*reference).unwrap();
        let ours = gateway.new_channel().await.unwrap();
        channel.send(ours.reference()).await.unwrap();
        theirs.send(41).await.unwrap();
        assert_eq!(ours.receive().await, Ok(42.into()));
        channel.send(theirs.reference()).await.unwrap();
        assert_eq!(channel.wait_close(None).await, Ok(()));
    });
}

#[test]
fn a_channel_of_another_gateway_is_refused() {
    run(async {
        let group = Group::new();
        let one = group.make_gateway("popen").await.unwrap().remote_exec(ECHO).await.unwrap();
        let other = group.make_gateway("popen").await.unwrap().remote_exec(ECHO).await.unwrap();
        assert!(one.send(other.reference()).await.unwrap_err().to_string().contains("belongs to"));
        let Value::Channel(reference) = other.reference() else { unreachable!() };
        assert!(one.resolve(reference).is_none());
        group.terminate(Duration::from_secs(5)).await;
    });
}

#[test]
fn channels_look_like_files_on_both_sides() {
    with_popen(|gateway: Gateway| async move {
        let source = "
            out = channel.makefile('w')
            print('one', file=out)
            out.write('two\\nthr')
            out.write('ee')
            channel.finish()
            file = channel.makefile('r')
            assert (file.readline(), file.read(3), file.readline(), file.readline()) == ('a\\n', 'b\\nc', 'd', '')
            assert not file.isatty()
        ";
        let channel = gateway.remote_exec(source).await.unwrap();
        let (writer, mut reader) = (channel.clone().text_writer(), channel.clone().text_reader());
        for text in ["a", "\nb\n", "cd"] {
            writer.write(text).await.unwrap();
        }
        writer.finish();
        for line in ["one\n", "two\n"] {
            assert_eq!(reader.read_line().await, Ok(line.to_owned()));
        }
        assert_eq!(reader.read(2).await, Ok("th".to_owned()));
        assert_eq!(reader.read_line().await, Ok("ree".to_owned()));
        assert_eq!(reader.read_line().await, Ok(String::new()));
        assert_eq!(channel.wait_close(None).await, Ok(()));
    });
}

#[test]
fn text_may_be_cut_inside_of_a_character() {
    with_popen(|gateway: Gateway| async move {
        let source = "
            for byte in 'é€😀\\n'.encode() + b'\\xff\\xc3':
                channel.send(bytes([byte]))
        ";
        let mut reader = gateway.remote_exec(source).await.unwrap().text_reader();
        assert_eq!(reader.read_line().await, Ok("é€😀\n".to_owned()));
        assert_eq!(reader.read(9).await, Ok("\u{fffd}\u{fffd}".to_owned()));
    });
}

#[test]
fn several_channels_are_one() {
    with_popen(|gateway: Gateway| async move {
        let mut channels = Vec::new();
        for _ in 0..3 {
            channels.push(gateway.remote_exec("channel.send(channel.receive() * 2)").await.unwrap());
        }
        let all = MultiChannel::new(channels);
        all.send_each(21).await.unwrap();
        assert_eq!(all.receive_each().await, Ok(vec![42.into(), 42.into(), 42.into()]));
        let mut queue = all.receive_queue();
        let mut ended = Vec::new();
        while let Some((index, received)) = queue.recv().await {
            assert_eq!(received, Err(ReceiveError::Ended));
            ended.push(index);
        }
        ended.sort_unstable();
        assert_eq!(ended, [0, 1, 2]);
        assert_eq!(all.wait_close(None).await, Ok(()));
    });
}

#[test]
fn a_reader_that_stops_holds_only_its_own_sender_up() {
    with_popen(|gateway: Gateway| async move {
        let flood = "
            block = b'x' * 1000000
            for n in range(1000):
                channel.send(block)
        ";
        let flood = gateway.remote_exec(flood).await.unwrap();
        assert!(flood.receive().await.is_ok());
        let echo = gateway.remote_exec(ECHO).await.unwrap();
        for number in 0..200 {
            echo.send(number).await.unwrap();
            assert_eq!(echo.receive().await, Ok(number.into()));
            assert!(gateway.python().await.unwrap().kept() < 8 << 20);
        }
        let mut rest = 999;
        while flood.next().await.unwrap().is_some() {
            rest -= 1;
        }
        assert_eq!(rest, 0, "all of it arrives when it is read");
    });
}

#[test]
fn python_that_does_not_read_holds_the_sender_up() {
    with_popen(|gateway: Gateway| async move {
        let channel = gateway.remote_exec("import time\nwhile True: time.sleep(0.01)").await.unwrap();
        let block = vec![0; 100_000];
        let mut sent = 0;
        while tokio::time::timeout(Duration::from_millis(200), channel.send_bytes(&block)).await.is_ok() {
            sent += 1;
            assert!(sent < 100, "nothing holds the sender up");
        }
        assert!(gateway.python().await.unwrap().kept() < 1 << 20);
        assert_eq!(gateway.remote_status().await.unwrap().executing, 1);
    });
}

#[test]
fn a_gigabyte_that_is_sent_holds_no_ping_up() {
    with_popen(|gateway: Gateway| async move {
        let sink = gateway.remote_exec("go = channel.receive()\ngo.receive()\nchannel.send(sum(map(len, channel)))");
        let (sink, echo) = (sink.await.unwrap(), gateway.remote_exec(ECHO).await.unwrap());
        let go = sink.sibling().unwrap();
        sink.send(go.reference()).await.unwrap();
        let block = vec![7; 1 << 20];
        let sending = async {
            for _ in 0..1024 {
                sink.send_bytes(&block).await.unwrap();
            }
            sink.finish();
            assert_eq!(sink.receive().await, Ok((1_i64 << 30).into()));
        };
        let pinging = async {
            let mut slowest = Duration::ZERO;
            // Nobody reads the sink during the first half.
            for number in 0..400 {
                if number == 200 {
                    go.send(()).await.unwrap();
                }
                let start = Instant::now();
                echo.send(number).await.unwrap();
                assert_eq!(echo.receive().await, Ok(number.into()));
                slowest = slowest.max(start.elapsed());
                assert!(gateway.python().await.unwrap().kept() < 8 << 20);
            }
            assert!(slowest < Duration::from_secs(5), "{slowest:?}");
        };
        tokio::join!(sending, pinging);
    });
}

#[test]
fn one_large_message_passes_beside_small_ones() {
    with_spec("popen//execmodel=thread", |gateway: Gateway| async move {
        let channel =
            gateway.remote_exec("channel.send(len(channel.receive()))\nchannel.send('y' * 30000000)").await.unwrap();
        let echo = gateway.remote_exec(ECHO).await.unwrap();
        let large = vec![7; 30_000_000];
        let sending = async {
            channel.send_bytes(&large).await.unwrap();
            assert_eq!(channel.receive().await, Ok(30_000_000.into()));
            assert_eq!(channel.receive().await.unwrap().as_str().map(str::len), Some(30_000_000));
        };
        let pinging = async {
            for number in 0..100 {
                echo.send(number).await.unwrap();
                assert_eq!(echo.receive().await, Ok(number.into()));
            }
        };
        tokio::join!(sending, pinging);
    });
}
