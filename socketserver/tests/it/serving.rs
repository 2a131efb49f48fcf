//! Sessions of those who may: gateways that work, several at a time, and how they end.

use std::time::Duration;

use execnet_rs::group::Group;

use crate::support::{Server, run};

#[test]
fn a_client_with_the_token_runs_source() {
    let mut server = Server::start(&[]);
    run(async {
        let group = Group::new();
        let gateway = server.gateway(&group, &server.token()).await.unwrap();
        let channel = gateway.remote_exec("for n in channel: channel.send(n * 2)").await.unwrap();
        channel.send(21).await.unwrap();
        assert_eq!(channel.receive().await.unwrap(), 42.into());
        group.terminate(Duration::from_secs(5)).await;
    });
    let began = server.event("session_began");
    assert_eq!(began["token_name"], "default");
    assert_eq!(server.event("session_ended")["session"], began["session"]);
}
