//! Groups: names, order, ways through other gateways, ends.

use std::time::{Duration, Instant};

use execnet_rs::gateway::GatewayError;
use execnet_rs::group::Group;
use execnet_rs::xspec::XSpec;

use crate::{agent, gone, run};

fn ids(group: &Group) -> Vec<String> {
    group.gateways().iter().map(|gateway| gateway.id().to_owned()).collect()
}

#[test]
fn gateways_are_named_and_ordered() {
    run(async {
        let group = Group::new();
        assert!(group.is_empty());
        for spec in ["popen", "popen//id=named", "popen", "popen//id=gw3", "popen"] {
            group.make_gateway(spec).await.unwrap();
        }
        assert_eq!(ids(&group), ["gw0", "named", "gw1", "gw3", "gw2"]);
        assert_eq!(group.make_gateway("popen").await.unwrap().id(), "gw4");
        assert!(matches!(group.make_gateway("popen//id=gw0").await, Err(GatewayError::SecondId(_))));
        assert!(matches!(group.make_gateway("popen//via=nobody").await, Err(GatewayError::NoVia(_))));
        assert!(matches!(group.make_gateway("ssh=host").await, Err(GatewayError::NoTransport("ssh"))));
        assert!(matches!(group.make_gateway("id=a").await, Err(GatewayError::Spec(_))));
        assert_eq!((group.len(), group.get("named").unwrap().spec().as_str()), (6, "popen//id=named"));
        group.terminate(Duration::from_secs(1)).await;
        assert!(group.is_empty());
        // Its names are free again, and a failed one never took its own.
        group.make_gateway("popen//id=a").await.unwrap();
        group.make_gateway("popen//id=gw0").await.unwrap();
    });
}

#[test]
fn many_come_up_together_and_all_answer() {
    run(async {
        let group = Group::new();
        group.make_gateway("popen//id=first").await.unwrap();
        let mut specs = XSpec::expand("3*popen").unwrap();
        specs.push(XSpec::parse("popen//via=far//id=beyond").unwrap());
        specs.push(XSpec::parse(&format!("command={}//id=far", agent())).unwrap());
        specs.push(XSpec::parse("popen//via=missing").unwrap());
        specs.push(XSpec::parse("command=/no/such/program").unwrap());
        let made = group.make_each(&specs).await;
        assert_eq!(made.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, true, true, true, true, false, false]);
        assert_eq!(ids(&group), ["first", "gw0", "gw1", "gw2", "beyond", "far"]);
        let channels = group.remote_exec("channel.send(channel.gateway.id)").await.unwrap();
        let said = channels.receive_each().await.unwrap();
        assert_eq!(said.iter().filter_map(|id| id.as_str()).collect::<Vec<_>>(), ids(&group));
        group.terminate(Duration::from_secs(5)).await;
    });
}

#[test]
fn ways_that_go_round_in_a_circle_are_refused() {
    run(async {
        let group = Group::new();
        let specs = ["popen//id=a//via=b", "popen//id=b//via=a"].map(|spec| XSpec::parse(spec).unwrap());
        let made = group.make_each(&specs).await;
        assert!(made.iter().all(|made| matches!(made, Err(GatewayError::NoVia(_)))), "{made:?}");
        assert!(group.make_gateway("popen//id=a").await.is_ok(), "the name is free");
    });
}

#[test]
fn gateways_go_through_gateways() {
    run(async {
        let group = Group::new();
        let agent = agent();
        let outer = group.make_gateway(&format!("command={agent}//id=one")).await.unwrap();
        let middle = group.make_gateway(&format!("command={agent}//id=two//via=one")).await.unwrap();
        let inner = group.make_gateway("popen//via=two//id=three//env:DEEP=yes").await.unwrap();
        let (one, two) = (outer.host_info().await.unwrap().pid, middle.host_info().await.unwrap().pid);
        let source = "
            import os
            channel.send((os.environ['DEEP'], os.getppid()))
            for item in channel:
                channel.send(item)
        ";
        let channel = inner.remote_exec(source).await.unwrap();
        let said = channel.receive().await.unwrap();
        let (deep, parent) = (&said.items().unwrap()[0], said.items().unwrap()[1].as_int().unwrap());
        assert_eq!((deep.as_str(), parent), (Some("yes"), i64::from(two)));
        let large = vec![3; 5_000_000];
        channel.send_bytes(&large).await.unwrap();
        assert_eq!(channel.receive().await.unwrap().as_bytes().unwrap(), &large);
        assert_eq!(inner.host_info().await.unwrap().pid, two);
        group.terminate(Duration::from_secs(5)).await;
        for pid in [one, two, u32::try_from(parent).unwrap()] {
            gone(pid).await;
        }
    });
}

#[test]
fn terminate_returns_also_if_something_does_not_want_to_end() {
    run(async {
        let group = Group::new();
        let agent = agent();
        let stubborn = "
            import os, signal, subprocess, time
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            child = subprocess.Popen(['sh', '-c', 'trap \"\" INT TERM HUP; while :; do sleep 1; done'])
            channel.send((os.getpid(), child.pid))
            while True:
                try:
                    time.sleep(60)
                except BaseException:
                    pass
        ";
        let mut pids = Vec::new();
        for spec in ["popen".to_owned(), format!("command={agent}//id=far"), "popen//via=far".to_owned()] {
            let gateway = group.make_gateway(&spec).await.unwrap();
            let said = gateway.remote_exec(stubborn).await.unwrap().receive().await.unwrap();
            pids.extend(said.items().unwrap().iter().map(|pid| u32::try_from(pid.as_int().unwrap()).unwrap()));
        }
        // One that is stopped cannot even be asked.
        rustix::process::kill_process(
            rustix::process::Pid::from_raw(i32::try_from(pids[0]).unwrap()).unwrap(),
            rustix::process::Signal::STOP,
        )
        .unwrap();
        let start = Instant::now();
        group.terminate(Duration::from_millis(300)).await;
        assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
        for pid in pids {
            gone(pid).await;
        }
    });
}
