//! The blocking side: the same gateways, from code that waits.

use std::time::Duration;

use execnet_rs::blocking::Group;
use execnet_rs::channel::ReceiveError;
use execnet_rs::gateway::ProcessRequest;
use execnet_rs::process::HowEnded;
use execnet_rs::xspec::XSpec;

#[test]
fn everything_waits() {
    let group = Group::new().unwrap();
    let gateway = group.make_gateway("popen//id=here").unwrap();
    let channel = gateway.remote_exec("for n in range(3): channel.send(n)\nchannel.send(channel.receive())").unwrap();
    channel.send("back").unwrap();
    let values: Result<Vec<_>, _> = channel.iter().collect();
    assert_eq!(values.unwrap(), [0.into(), 1.into(), 2.into(), "back".into()]);
    assert_eq!(channel.wait_close(None), Ok(()));

    let channel = gateway.remote_exec("for item in channel: channel.send(item)").unwrap();
    assert!(matches!(channel.receive_within(Duration::from_millis(10)), Err(ReceiveError::TimedOut(_))));
    let receiver = channel.receiver().unwrap();
    channel.send(1).unwrap();
    channel.finish();
    assert_eq!(receiver.iter().collect::<Vec<_>>(), [Ok(1.into()), Err(ReceiveError::Ended)]);

    let (output, how) = gateway.run(ProcessRequest::new(&["tr", "a-z", "A-Z"]), b"shout").unwrap();
    assert_eq!((&output[..], how), (&b"SHOUT"[..], HowEnded::Exited(0)));
    assert_eq!(gateway.remote_status().unwrap().execmodel, "thread");
    assert_eq!(group.make_each(&XSpec::expand("2*popen").unwrap()).len(), 2);
    assert_eq!(
        group.gateways().iter().map(|gateway| gateway.id().to_owned()).collect::<Vec<_>>(),
        ["here", "gw0", "gw1"]
    );
    group.terminate(Duration::from_secs(5));
    assert!(gateway.rinfo().is_err());
}
