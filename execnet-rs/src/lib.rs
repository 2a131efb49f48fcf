//! Gateways to hosts and channels on them, for remote jobs of any kind: run Python source or any process on the other
//! side, and talk to it.
//!
//! ```no_run
//! # async fn hello() -> Result<(), Box<dyn std::error::Error>> {
//! use execnet_rs::group::Group;
//!
//! let group = Group::new();
//! let gateway = group.make_gateway("popen//python=python3").await?;
//! let channel = gateway.remote_exec("for n in channel: channel.send(n * 2)").await?;
//! channel.send(21).await?;
//! assert_eq!(channel.receive().await?, 42.into());
//! group.terminate(std::time::Duration::from_secs(5)).await;
//! # Ok(()) }
//! ```
//!
//! This crate knows nothing of pytest or of files. It needs Linux, and a tokio runtime with I/O and time enabled; code that
//! is not async uses [`blocking`].
//!
//! | module | what it is for |
//! |---|---|
//! | [`group`] | gateways that belong together |
//! | [`gateway`] | a live link to one host: Python source, processes, information |
//! | [`channel`] | ordered streams of values |
//! | [`value`] | what travels through channels, and its encoding |
//! | [`xspec`] | execution environments as text |
//! | [`source`] | Python source that is sent |
//! | [`blocking`] | the same for code that waits |
//! | [`transport`] | ways to hosts; where others plug in |
//! | [`agent`] | the server at the far end of a link |
//! | [`link`] | a byte stream at work: handshake, heartbeat, end |
//! | [`mux`] | the channels of a link, without I/O: messages, credit, ends |
//! | [`wire`] | frames with numbers and checksums, without I/O |
//! | [`process`] | start a program, learn how any descendant ended |
//! | [`guard`] | a small watchdog process that ends what this process could not |
//! | [`local`] | unix-socket connections and named pipes from processes on this host |
//! | [`frame`] | length-prefixed messages of a run's own processes, without I/O |
//! | [`ring`] | records that a process of this host leaves in a file that it maps |
//!
//! # Examples
//! `cargo run -p execnet-rs --example NAME` runs each (`agent` is what `command` leads to; build it first with
//! `cargo build -p execnet-rs --examples`).
//!
//! | what | example |
//! |---|---|
//! | a gateway, source, values | `hello` |
//! | what specs say, and where they are wrong | `specs` |
//! | gateways behind a command, and through others | `command`, `agent` |
//! | several at a time, many channels as one | `many` |
//! | functions with arguments; errors with their place | `remote_errors` |
//! | channels in values, callbacks, half closes, text | `channels` |
//! | any process, connections of processes | `processes` |
//! | hosts, interpreters, links, a trace | `status` |
//! | a way to hosts of one's own; `ssh=` | `transport`, `ssh` |
//! | without async | `blocking` |
//! | how fast it is | `bench`; `benches/compare.py` runs it in turn with execnet |
//!
//! # Theory of operation
//! A *link* carries frames over any byte stream. Its two sides are equal: each may open channels, for a *service* of the
//! other side or for none. An *agent* serves `process`, `listen` and `info`; an interpreter serves `exec`, `status` and
//! `info`. An interpreter on another host is a process of that host's agent, whose own link travels in two of the agent's
//! channels, so that a channel never depends on what lies in between. On this host its link is a socket pair.
//!
//! # Errors and cancellation
//! Every method says which errors it has. A link ends once, for one reason ([`mux::LinkEnd`]), and everything that waits on
//! it ends with that reason. Sending and receiving are cancel safe. Dropping the last handle of a thing ends it: a channel is
//! closed, a process killed with its descendants, a gateway's interpreter with everything on it.
//!
//! # Beside execnet
//!
//! | execnet | here | difference |
//! |---|---|---|
//! | `XSpec(text)` | [`xspec::XSpec::parse`], [`xspec::XSpec::expand`] | values of known keys are checked; errors point at the part; `N*spec`, `command=ARGV` |
//! | `spec.key` | [`xspec::XSpec::get`] and a method for each known key | |
//! | `execmodel=eventlet`, `gevent` | | refused |
//! | `Group(specs)` | [`group::Group::new`], [`group::Group::make_each`] | all at the same time; no process-wide exit handler: dropping the group ends it |
//! | `group.makegateway()` without a spec | | `"popen"` |
//! | `execnet.makegateway`, `default_group` | [`group::Group::make_gateway`], [`group::Group::default_group`] | interpreters start with the first source |
//! | `group[id]`, `len`, iteration | [`group::Group::get`], [`group::Group::len`], [`group::Group::gateways`] | |
//! | `group.allocate_id` | | done by `make_gateway`, also when several are made at once |
//! | `group.set_execmodel` | `execmodel=` of the spec | per gateway, no local model |
//! | `group.remote_exec(source)` | [`group::Group::remote_exec`] | on all at the same time |
//! | `group.terminate(timeout)` | [`group::Group::terminate`] | a limit is needed; it always returns, and kills whole trees |
//! | `popen` | `popen` | `python3` of `PATH` unless `python=` is given; `env:` is set before the interpreter starts |
//! | `ssh=`, `vagrant_ssh=` | [`transport::ssh::SshTransport`], registered by [`group::Group::register`] | nothing has to be there but a shell; the agent is copied once |
//! | `socket=` | [`transport::socket`] | encrypted, and needs a token; to be registered |
//! | `installvia=` | | refused: nothing has to be installed |
//! | `via=` | `via=` | for `popen`, `command` and transports that want it; in chains; one agent a host for any number of interpreters |
//! | `gateway.remote_exec(source, **kw)` | [`gateway::Gateway::remote_exec`] | text, file, or a function's source with arguments; no module objects |
//! | `gateway.newchannel()` | [`gateway::Gateway::new_channel`], [`channel::Channel::sibling`] | |
//! | `gateway.exit()`, `join()` | [`gateway::Gateway::terminate`], [`gateway::Gateway::ended`] | |
//! | `gateway.remote_status()` | [`gateway::Gateway::remote_status`] | |
//! | `gateway._rinfo()` | [`gateway::Gateway::rinfo`], [`gateway::Gateway::host_info`] | with cores and memory; asked each time |
//! | `gateway.id`, `spec`, `remoteaddress`, `hasreceiver()` | [`gateway::Gateway::id`], [`gateway::Gateway::spec`], [`gateway::Gateway::remote_address`], [`gateway::Gateway::ended`] | |
//! | `gateway.remote_init_threads()` | | nothing has to be prepared |
//! | `gateway.reconfigure()` | | Python 2 text is not known |
//! | `channel.send`, `receive`, iteration, `waitclose`, `close` | [`channel::Channel`] | the source may close its own channel; a remote error is told again and again, not once |
//! | `channel.setcallback(f, endmarker)` | [`channel::Channel::call_back`] | gets the end as what it is; remote Python code has `setcallback` as it knows it |
//! | `channel.makefile` | [`channel::Channel::text_reader`], [`channel::Channel::text_writer`] | remote Python code has `makefile` |
//! | `channel.isclosed()`, `channel.gateway` | [`channel::Channel::is_closed`], [`channel::Channel::sibling`] | no way back to the gateway |
//! | `MultiChannel` | [`channel::MultiChannel`] | its queue tells errors too |
//! | `RemoteError` | [`channel::RemoteError`] | with type, text, traceback, file and line; of more than 256 KiB, beginnings and ends |
//! | `HostNotFound` | [`gateway::GatewayError`] | says how the program on the way ended, and what came instead |
//! | `DumpError`, `LoadError` | [`value::EncodeError`], [`value::DecodeError`] | any bytes are a value or an error |
//! | an error that nobody receives is printed | | it is not: [`channel::Channel::wait_close`] tells it |
//! | `dumps`, `loads` | [`value::encode`], [`value::decode`] | integers of any size, lone surrogates, subclasses |
//! | a channel that remote code drops is closed | | stays open until somebody closes it, or the gateway ends |
//! | prints of remote code | | go to standard error instead of nowhere |
//! | `RSync` | | is another crate's |
//! | | [`gateway::Gateway::process`], [`gateway::Gateway::listen`] | any program, connections of processes |
//! | | credit, heartbeat, goodbye, checksums, caps | execnet has none |
//!
//! `EXECNET_RS_TRACE=FILE` appends a line for every frame to a file.

pub mod agent;
pub mod blocking;
pub mod channel;
mod child;
mod embedded;
pub mod frame;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
pub mod gateway;
pub mod group;
pub mod guard;
pub mod link;
pub mod local;
pub mod memory;
pub mod mux;
pub mod process;
pub mod ring;
pub mod source;
pub mod transport;
pub mod value;
pub mod wire;
pub mod xspec;
